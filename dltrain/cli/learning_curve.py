"""dltrain learning-curve: would more data help?"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from dltrain.cli import arguments
from dltrain.cli.base import command

WIDEST = 100  # columns of the chart


@command("learning-curve")
@arguments.config
@arguments.sets
@click.option("--points", type=click.IntRange(1, 20), default=5, show_default=True, metavar="N", help="Sizes.")
@click.option("--seeds", type=click.IntRange(1), default=3, show_default=True, metavar="N", help="Runs of each size.")
@click.option("--svg", type=click.Path(path_type=Path), metavar="FILE", help="Write the chart to FILE.svg too.")
@arguments.threads
@arguments.plugins
def cli(config: str, svg: Path | None, threads: int | None, as_json: bool, **options: Any) -> None:
    """Train on growing parts of the data, and say whether more data would help.

    CONFIG is a YAML file, or the name of a config that comes with dltrain (`dltrain list configs`).  The sizes are all
    training examples, a half of them, a quarter …; nothing is kept of these trainings.
    """
    from dltrain.cli import threads as pool
    from dltrain.errors import UsageError

    if svg is not None and svg.suffix.lower() != ".svg":
        raise UsageError("this kind of file is not written", where=str(svg), expected="a name that ends in .svg")
    pool.prepare(threads)
    from dltrain import api
    from dltrain.cli import output
    from dltrain.cli.progress import progress

    with progress() as tell:
        found = api.learning_curve(arguments.config_path(config), tell=tell, **options)
    if svg is not None:
        from dltrain.runs.files import atomic_write

        atomic_write(svg, picture(found))
        output.note(f"chart written to {svg}")
    if as_json:
        output.emit(found)
        return
    show(found)


def show(found: Mapping[str, Any]) -> None:
    """Print the table, the curve of the validation part, and the answer."""
    from dltrain.cli import output
    from dltrain.report.terminal import line_chart

    headers = ["examples", f"train.{found['metric']}", f"validation.{found['metric']}"]
    rows = [[row["examples"], *(spread(row, part) for part in ("train", "validation"))] for row in found["points"]]
    output.show(output.table(headers, rows, right=headers))
    known = [(row["examples"], row["validation"]) for row in found["points"] if row["validation"] is not None]
    if len(known) > 1:
        xs, ys = zip(*known, strict=True)
        output.show("", headers[2], *line_chart(xs, ys, min(output.console().width, WIDEST)))
    output.show("", found["answer"])


def spread(row: Mapping[str, Any], part: str) -> str:
    """Mean and deviation in words."""
    from dltrain.cli.output import number

    deviation = row[f"{part}_deviation"]
    return number(row[part]) + ("" if deviation is None else f" ± {number(deviation)}")


def picture(found: Mapping[str, Any]) -> str:
    """The chart as SVG: both parts, and the band of the validation part."""
    from dltrain.report.svg import line_chart

    nan = float("nan")
    sizes = [row["examples"] for row in found["points"]]
    lines = {part: (sizes, [nan if (v := row[part]) is None else v for row in found["points"]])
             for part in ("train", "validation")}  # fmt: skip
    for sign, name in ((-1, "validation − deviation"), (1, "validation + deviation")):
        edge = [nan if row["validation_deviation"] is None else row["validation"] + sign * row["validation_deviation"]
                for row in found["points"]]  # fmt: skip
        lines[name] = (sizes, edge)
    return line_chart("learning curve", "training examples", str(found["metric"]), lines, log_x=True)
