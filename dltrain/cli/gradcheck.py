"""dltrain gradcheck: prove the gradients of a config or a run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from dltrain.cli import arguments
from dltrain.cli.base import command

NOT_PASSED = 3
KEYS = ("path", "shape", "error", "checked")


@command("gradcheck")
@arguments.config_or_run
@click.option("--layer", metavar="PATH", help="Only this layer, as logits.0.dense.")
@click.option("--worst", type=click.IntRange(1), metavar="N", help="Show only the N worst tensors.")
@arguments.sets
@arguments.runs
@arguments.threads
@arguments.plugins
def cli(
    config: str,
    layer: str | None,
    worst: int | None,
    sets: tuple[str, ...],
    runs: str,
    threads: int | None,
    plugins: tuple[str, ...],
    as_json: bool,
) -> int:
    """Compare every gradient with a numerical one, in float64: all parameter tensors and inputs, worst first.

    CONFIG is a YAML file or the name of a shipped config; RUN is a run folder or the name of a run, whose
    trained weights are then used.  Exit code 3 means that a gradient is wrong.
    """
    from dltrain.cli import threads as pool

    pool.prepare(threads)
    from dltrain import api
    from dltrain.cli.output import emit

    result = api.gradcheck(subject(config, runs), sets=sets, layer=layer, runs=runs, plugins=plugins)
    tensors = result["tensors"][:worst]
    if as_json:
        shown = [{key: tensor[key] for key in KEYS} for tensor in tensors]
        emit({"passed": result["passed"], "max_error": result["max_error"], "tensors": shown})
    else:
        show({**result, "tensors": tensors})
    return 0 if result["passed"] else NOT_PASSED


def subject(text: str, runs: str) -> str | Path:
    """The run of this path or name where there is one, else the config.

    Raises:
        UsageError: when there is neither.
    """
    from dltrain.errors import UsageError
    from dltrain.runs.folder import RunFolder

    if text.endswith((".yaml", ".yml")) or Path(text).is_file():
        return arguments.config_path(text)
    try:
        return RunFolder.find(text, runs).path
    except UsageError as no_run:
        try:
            return arguments.config_path(text)
        except UsageError:
            raise no_run from None


def show(result: Mapping[str, Any]) -> None:
    """Print the table, worst first, and the verdict."""
    from dltrain.cli import output

    extra = [key for key in ("method", "kinks", "note") if any(tensor.get(key) for tensor in result["tensors"])]
    headers = ["tensor", "shape", "error", "checked", *extra]
    rows = [
        [t["path"], "×".join(map(str, t["shape"])) or "1", f"{t['error']:.1e}", t["checked"], *map(t.get, extra)]
        for t in result["tensors"]
    ]
    verdict = "passed" if result["passed"] else "NOT PASSED: the gradient of the first of these tensors is wrong"
    output.show(output.table(headers, rows, right=["error", "checked", "kinks"]), "")
    output.show(f"{verdict}; largest error {result['max_error']:.1e}")
    if result["not_differentiable"]:
        names = ", ".join(result["not_differentiable"])
        output.show(f"no derivative, only a gradient by convention: {names}; see the notes")
    if result["suspects"]:
        output.show(f"wrong by itself: {', '.join(result['suspects'])}")
