"""dltrain calibrate: probabilities that say how often they are right."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from dltrain.cli import arguments
from dltrain.cli.base import command

FULL = 24  # letters of a bar that stands for 100 %


@command("calibrate")
@arguments.run
@click.option("--svg", type=click.Path(path_type=Path), metavar="FILE", help="Write the reliability diagram.")
@arguments.checkpoint
@arguments.runs
@arguments.threads
@arguments.plugins
def cli(run: str, svg: Path | None, threads: int | None, as_json: bool, **options: Any) -> None:
    """Fit a temperature, by which the probabilities of a classifier say how often they are right.

    Logits are divided by it.  It is fitted by the log loss of the validation part, and stored in the run: `evaluate`,
    `predict` and `errors` use it from then on with this checkpoint, and say so.  What is predicted stays the same.
    `dltrain threshold RUN --reset` forgets it.

    RUN is a run folder, or the name of a run (its newest).
    """
    from dltrain.cli import threads as pool

    pool.prepare(threads)
    from dltrain import api
    from dltrain.cli.output import emit, note

    found = api.calibrate(run, **options)
    if svg is not None:
        from dltrain.runs.files import atomic_write

        atomic_write(svg, diagram(found))
        note(f"the reliability diagram is in {svg}")
    if as_json:
        emit(found)
    else:
        show(found)


def show(found: Mapping[str, Any]) -> None:
    """Print what the temperature changes, and the reliability of the last part."""
    from dltrain.cli import output

    for head in found["heads"]:
        name = f"{head['head']}: " if head["head"] else ""
        output.show(f"{name}temperature {output.number(head['temperature'])}", "")
        rows = []
        for part, told in head["parts"].items():
            for key in ("log_loss", "calibration_error"):
                before, after = told[key]
                rows.append([part, key.replace("_", " "), output.number(before), output.number(after)])
        headers = ["part", "", "before", "after"]
        output.show(output.table(headers, rows, right=headers[2:]))
        part, told = list(head["parts"].items())[-1]
        output.show("", f"{part}: how often predictions of a confidence are right, after it", "")
        output.show(*(bar(row) for row in told["bins"][1]), "")
    if found["notes"]:
        output.show(*(f"note: {text}" for text in found["notes"]), "")
    output.show(f"{found['file']}: evaluate, predict and errors use it from now on")


def bar(row: Mapping[str, Any]) -> str:
    """A line of the reliability diagram: the share that is right as a bar, and where it should end.

    Example:
        >>> bar({"confidence": 0.75, "right": 0.5, "samples": 12})
        '  75.0%  ████████████·····|        50.0% of 12'
    """
    right, wanted = round(FULL * row["right"]), round(FULL * row["confidence"])
    cells = ["█" if k < right else "·" if k < wanted else " " for k in range(FULL + 1)]
    cells[max(wanted - 1, 0)] = "|"
    return f"  {row['confidence']:5.1%}  {''.join(cells)} {row['right']:6.1%} of {row['samples']}"


def diagram(found: Mapping[str, Any]) -> str:
    """The reliability diagram as SVG: share of right predictions by confidence, before and after, of the last part."""
    from dltrain.report.svg import line_chart

    series: dict[str, Any] = {"as it should be": ([0.0, 1.0], [0.0, 1.0])}
    part = ""
    for head in found["heads"]:
        part, told = list(head["parts"].items())[-1]
        for name, bins in zip(("before", "after"), told["bins"], strict=True):
            title = f"{head['head']}, {name}" if head["head"] else name
            series[title] = ([row["confidence"] for row in bins], [row["right"] for row in bins])
    return line_chart(f"reliability, {part} part", "confidence", "share that is right", series)
