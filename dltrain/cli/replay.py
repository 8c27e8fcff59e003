"""dltrain replay: run the step that left the finite numbers again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from dltrain.cli import arguments
from dltrain.cli.base import command

SHOWN = 12  # last operations of the chain


@command("replay")
@click.argument("file", metavar="FILE|RUN", shell_complete=arguments.complete_run)
@arguments.runs
@arguments.threads
@arguments.plugins
def cli(file: str, runs: str, threads: int | None, plugins: tuple[str, ...], as_json: bool) -> None:
    """Run the step in which a training left the finite numbers again, up to the very operation.

    FILE is the `autopsy.h5` that the run left in its folder; RUN, that folder or a run's name, takes the file there.

    Shown are the ranges of what the operation takes, works with and gives, and how large the values were on the way
    there.  Nothing is written.
    """
    from dltrain.cli import threads as pool

    pool.prepare(threads)
    from dltrain import api
    from dltrain.cli.output import emit

    found = api.replay(file, runs=runs, plugins=plugins)
    if as_json:
        emit(found)
    else:
        show(found)


def show(found: Mapping[str, Any]) -> None:
    """Print the operation, its ranges, the way there and what to do."""
    from dltrain.cli import output

    place = found["place"]
    samples = ", ".join(map(str, place["samples"][:8])) + (", …" if len(place["samples"]) > 8 else "")
    output.show(f"step {place['step']}, epoch {place['epoch']}, batch {place['batch']}: samples {samples}")
    same = "the same as in the run, bit for bit" if found["identical"] else "not quite the same bits as in the run"
    output.show(f"run again: {same}", "", found["what"])
    if found["ranges"]:
        rows = [
            [r["role"], r["name"], shape(r["shape"]), output.number(r["smallest"]), output.number(r["largest"]),
             f"{r['not_finite']:.1%}"]
            for r in found["ranges"]
        ]  # fmt: skip
        headers = ["", "array", "shape", "smallest", "largest", "not finite"]
        output.show("", output.table(headers, rows, right=headers[3:]))
    if found["chain"]:
        cut, last = len(found["chain"]) > SHOWN, found["chain"][-SHOWN:]
        rows = [[c["phase"], c["path"], c["kind"], output.number(c["largest"]), f"{c['not_finite']:.1%}"] for c in last]
        before = f"the last {SHOWN} of {len(found['chain'])} operations" if cut else "all operations"
        headers = ["phase", "of", "kind", "largest", "not finite"]
        output.show("", f"the way there, {before}:", output.table(headers, rows, right=headers[3:]))
    output.show("", f"what to do: {found['advice']}")


def shape(lengths: list[int]) -> str:
    """A shape for human eyes.

    Example:
        >>> shape([32, 4]), shape([])
        ('32×4', '1')
    """
    return "×".join(map(str, lengths)) or "1"
