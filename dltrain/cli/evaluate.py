"""dltrain evaluate: measure a trained run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from dltrain.cli import arguments
from dltrain.cli.base import command

LARGEST_CONFUSION = 30  # classes; a larger matrix is unreadable, its worst pairs are listed instead
KEYS = (
    *("run", "checkpoint", "members", "decision", "split", "samples", "metrics", "naive", "per_class", "confusion"),
    "heads",
)


@command("evaluate")
@arguments.several_runs
@click.option(
    "--split",
    type=click.Choice(["train", "train_dev", "validation", "test"]),
    help="Part of its data; default test.",
)
@arguments.checkpoint
@click.option("--data", type=click.Path(), metavar="PATH", help="A file to measure on instead of a part of the data.")
@arguments.beam
@arguments.runs
@arguments.threads
@arguments.plugins
def cli(
    run: tuple[str, ...],
    split: str | None,
    checkpoint: str,
    data: str | None,
    beam: int,
    runs: str,
    threads: int | None,
    plugins: tuple[str, ...],
    as_json: bool,
) -> None:
    """Measure a trained run on a part of its data, or on another file.

    RUN is a run folder, or the name of a run (its newest).  Several runs are measured as an ensemble, which predicts
    the mean of what they predict, beside each of them.  Beside a forecast of a series stand naive ones of the same
    windows.
    """
    from dltrain.cli import threads as pool
    from dltrain.errors import UsageError

    if split is not None and data is not None:
        raise UsageError(
            "these options exclude each other",
            where="dltrain evaluate",
            expected="a part of the run's data, or a file",
            got=f"--split {split} and --data {data}",
        )
    pool.prepare(threads)
    from dltrain import api
    from dltrain.cli.output import emit

    result = api.evaluate(
        run, split=split or "test", checkpoint=checkpoint, data=data, beam=beam, runs=runs, plugins=plugins
    )
    if as_json:
        emit({key: result[key] for key in KEYS})
    else:
        show(result)


def show(result: Mapping[str, Any]) -> None:
    """Print metrics, a table of the classes, and the confusion matrix."""
    from dltrain.cli import output

    members = result["members"]
    weights = f"ensemble of {len(members)} runs" if members else weights_of(result["checkpoint"])
    output.show(f"{result['split']}: {result['samples']} samples, {weights}", *decision_lines(result["decision"]), "")
    beside = [(Path(member["run"]).name, member["metrics"]) for member in members]
    beside += [(forecast["name"], forecast["metrics"]) for forecast in result["naive"]]
    names = ["ensemble" if members else "value", *(name for name, _ in beside)]
    columns = [result["metrics"], *(metrics for _, metrics in beside)]
    values = [[name, *(output.number(c[name]) if name in c else "" for c in columns)] for name in result["metrics"]]
    output.show(output.table(["metric", *names], values, right=names))
    for name, part in {"": result, **(result["heads"] or {})}.items():
        if name and part["per_class"]:
            output.show("", f"{name}:")
        if part["per_class"]:
            rows = class_rows(part["per_class"])
            output.show("", output.table(rows[0], rows[1:], right=rows[0][1:]))
        if part["confusion"]:
            output.show("", confusion(part["confusion"], names_of(part)))


def decision_lines(decision: Mapping[str, Any] | None) -> list[str]:
    """In words: what was tuned after the training, and is used.

    Example:
        >>> decision_lines({"": {"temperature": 1.5, "thresholds": [0.31]}})
        ['decided with temperature 1.5, yes from 0.31 on (`dltrain threshold`, `dltrain calibrate`)']
        >>> decision_lines(None)
        []
    """
    lines = []
    for head, found in (decision or {}).items():
        shares = ", ".join(f"{share:.3g}" for share in found["thresholds"][:8])
        shares += ", …" if len(found["thresholds"]) > 8 else ""
        parts = [f"temperature {found['temperature']:.3g}"] * (found["temperature"] != 1)
        parts += [f"yes from {shares} on"] * bool(shares)
        source = "(`dltrain threshold`, `dltrain calibrate`)"
        lines.append(f"{head}: " * bool(head) + f"decided with {', '.join(parts)} {source}")
    return lines


def weights_of(checkpoint: int | Sequence[int]) -> str:
    """In words: whose weights were measured.

    Example:
        >>> weights_of(7), weights_of([7, 9])
        ('checkpoint of step 7', 'mean of the checkpoints of steps 7, 9')
    """
    if isinstance(checkpoint, int):
        return f"checkpoint of step {checkpoint}"
    return f"mean of the checkpoints of steps {', '.join(map(str, checkpoint))}"


def class_rows(per_class: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    """The table of the classes, its headers first."""
    from dltrain.cli.output import number

    headers = [key for key in per_class[0] if key != "label"]
    return [["class", *headers], *([str(row["label"]), *(number(row[h]) for h in headers)] for row in per_class)]


def names_of(result: Mapping[str, Any]) -> list[str]:
    """The names of the classes, in the order of the confusion matrix."""
    return [str(name) for name in result.get("classes") or range(len(result["confusion"]))]


def confusion(counts: Sequence[Sequence[int]], names: Sequence[str]) -> Any:
    """The confusion matrix as a table: rows are the true classes; where it has no room, the worst pairs only."""
    from dltrain.cli.output import console, table, width_of

    if len(names) <= LARGEST_CONFUSION:
        headers = ["true \\ said", *names]
        rows = [[name, *(str(n) if n else "." for n in row)] for name, row in zip(names, counts, strict=True)]
        made = table(headers, rows, right=names)
        if width_of(made) <= console().width:
            return made
    pairs = [(n, names[i], names[j]) for i, row in enumerate(counts) for j, n in enumerate(row) if i != j and n]
    if not pairs:
        return "no class was taken for another"
    worst = sorted(pairs, key=lambda pair: -pair[0])[:20]
    return table(["times", "true", "said"], worst, right=["times"], title="most often confused")
