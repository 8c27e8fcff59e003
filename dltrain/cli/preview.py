"""dltrain preview: see what a config means before it is trained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from dltrain.cli import arguments
from dltrain.cli.base import command, group

WIDEST = 100  # columns of a chart


@group("preview")
def cli() -> None:
    """See what a config means before it is trained."""


@command("schedule")
@arguments.config
@arguments.sets
@click.option("--svg", type=click.Path(path_type=Path), metavar="FILE", help="Write the chart to FILE.svg too.")
@arguments.plugins
def preview_schedule(
    config: str, sets: tuple[str, ...], svg: Path | None, plugins: tuple[str, ...], as_json: bool
) -> None:
    """Draw the learning rate, and every other scheduled number, over the run.

    CONFIG is a YAML file, or the name of a config that comes with dltrain (`dltrain list configs`).
    """
    from dltrain.errors import UsageError

    if svg is not None and svg.suffix.lower() != ".svg":
        raise UsageError("this kind of file is not written", where=str(svg), expected="a name that ends in .svg")
    from dltrain import api
    from dltrain.cli import output

    found = api.preview_schedule(arguments.config_path(config), sets=sets, plugins=plugins)
    if svg is not None:
        from dltrain.runs.files import atomic_write

        atomic_write(svg, picture(found))
        output.note(f"chart written to {svg}")
    if as_json:
        output.emit(found)
    else:
        output.show(*drawn(found, min(output.console().width, WIDEST)))


@command("batch")
@arguments.config
@arguments.sets
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default="batch.png",
    show_default=True,
    metavar="FILE.png",
    help="The file that is written.",
)
@arguments.plugins
def preview_batch(config: str, sets: tuple[str, ...], out: Path, plugins: tuple[str, ...], as_json: bool) -> None:
    """Show the first training batch as pictures: shuffled, balanced and augmented, each with its label.

    CONFIG is a YAML file, or the name of a config that comes with dltrain (`dltrain list configs`).  What the
    preparation did is undone.  A mask stands beside its picture, points and boxes are drawn into it.
    """
    from dltrain.errors import UsageError

    if out.suffix.lower() != ".png":
        raise UsageError("this kind of file is not written", where=str(out), expected="a name that ends in .png")
    from dltrain import api
    from dltrain.cli import output
    from dltrain.data.pictures import pillow

    pillow()  # before the data are read
    from dltrain.report.annotated import annotated
    from dltrain.report.contact_sheet import contact_sheet
    from dltrain.runs.files import atomic_write

    found = api.preview_batch(arguments.config_path(config), sets=sets, plugins=plugins)
    file, rows, columns = contact_sheet(annotated(found.pop("pictures"), found.pop("drawn")), found["labels"])
    atomic_write(out, file)
    if as_json:
        output.emit({"file": str(out), "rows": rows, "columns": columns, **found})
    else:
        output.show(f"{len(found['labels'])} pictures written to {out}", *found["notes"])


def picture(found: dict[str, Any]) -> str:
    """The chart as SVG; several numbers, whose sizes differ, each as a share of its largest value."""
    from dltrain.report.svg import line_chart

    steps, values = found["steps"], found["values"]
    if len(values) == 1:
        [(name, numbers)] = values.items()
        return line_chart("schedule", "step", name, {name: (steps, numbers)})
    lines = {}
    for name, numbers in values.items():
        most = max(map(abs, numbers)) or 1.0
        lines[f"{name}: {most:.4g}"] = (steps, [number / most for number in numbers])
    return line_chart("schedule", "step", "share of the largest value", lines)


def drawn(found: dict[str, Any], width: int) -> list[str]:
    """A chart for each number, and what they are about."""
    from dltrain.report.terminal import line_chart

    lines: list[str] = []
    for name, values in found["values"].items():
        if min(values) == max(values):
            lines += [f"{name}: {values[0]:.4g} throughout", ""]
            continue
        lines += [f"{name}: {values[0]:.4g} at first, {values[-1]:.4g} at last", ""]
        lines += [*line_chart(found["steps"], values, width), ""]
    epochs = found["total_steps"] / found["steps_per_epoch"]
    lines.append(f"{found['total_steps']} steps, {found['steps_per_epoch']} an epoch: {epochs:g} epochs")
    return [*lines, *found["notes"]]


cli.add_command(preview_schedule)
cli.add_command(preview_batch)
