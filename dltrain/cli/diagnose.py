"""dltrain diagnose: what holds a run back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from dltrain.cli import arguments
from dltrain.cli.base import command


@command("diagnose")
@arguments.run
@click.option(
    "--goal",
    type=click.FloatRange(0, 1),
    default=0.0,
    show_default=True,
    metavar="ERROR",
    help="Error that the best can reach, of humans or of Bayes, as a share: 0.02.",
)
@arguments.runs
@arguments.threads
@arguments.plugins
def cli(run: str, goal: float, runs: str, threads: int | None, plugins: tuple[str, ...], as_json: bool) -> None:
    """Say what holds a trained run back, and what to try next.

    Its parts are measured with the best weights: avoidable bias (training error above the goal), variance (held-out
    error above the training error), data mismatch, an over-fitted validation part.  The course of its losses tells
    whether the learning rate was too high or too low, and the training too long or too short.  `dltrain explain NAME`
    is the page of each diagnosis.

    RUN is a run folder, or the name of a run (its newest).
    """
    from dltrain.cli import threads as pool

    pool.prepare(threads)
    from dltrain import api
    from dltrain.cli.output import emit

    found = api.diagnose(run, goal=goal, runs=runs, plugins=plugins)
    if as_json:
        emit(found)
    else:
        show(found)


def show(found: Mapping[str, Any]) -> None:
    """Print the errors of the parts, from the goal on, and the verdicts."""
    from dltrain.cli import output
    from dltrain.cli.doctor import show_verdict

    rows, before = [["goal", f"{found['goal']:.2%}", "", ""]], found["goal"]
    for part, measured in found["errors"].items():
        rows.append(
            [part, f"{measured['error']:.2%}", f"{100 * (measured['error'] - before):+.2f}", measured["samples"]]
        )
        before = measured["error"]
    output.show(
        output.table(["part", "error", "points more", "samples"], rows, right=["error", "points more", "samples"])
    )
    output.show("")
    for verdict in found["verdicts"]:
        show_verdict(verdict)
    if not found["verdicts"]:
        output.show("nothing stands out: the parts agree, and the losses fell as they should")
