"""dltrain convert: a trained network in another form."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from dltrain.cli import arguments
from dltrain.cli.base import command

KEYS = (
    *("run", "name", "converted_from", "checkpoint", "layers", "window", "stride", "padded", "difference", "notes"),
)  # fmt: skip


@command("convert")
@arguments.run
@click.option("--fully-convolutional", is_flag=True, help="Make it a network of convolutions.")
@click.option("--checkpoint", default="best", show_default=True, metavar="best|last|STEP", help="Whose weights.")
@click.option("--out", type=click.Path(path_type=Path), metavar="RUNDIR", help="Folder of the new run.")
@arguments.runs
@arguments.threads
@arguments.plugins
def cli(run: str, fully_convolutional: bool, threads: int | None, as_json: bool, **options: Any) -> None:
    """Turn a trained classifier of pictures into a network of convolutions that takes pictures of any size.

    A new run is made, with the same weights in other shapes.  `dltrain show class-map RUN --input PICTURE` then says
    at each place of a larger picture what the classifier says of the window there; `evaluate` and `predict` work as
    before.

    RUN is a run folder, or the name of a run (its newest).
    """
    from dltrain.cli import threads as pool
    from dltrain.errors import UsageError

    if not fully_convolutional:
        expected = "--fully-convolutional"
        raise UsageError("this does not say what the run is to become", where="dltrain convert", expected=expected)
    pool.prepare(threads)
    from dltrain import api
    from dltrain.cli import output

    made = api.convert(run, **options)
    if as_json:
        output.emit({key: made[key] for key in KEYS})
    else:
        output.show(*lines(made))


def lines(made: Mapping[str, Any]) -> list[str]:
    """What was made of what."""
    height, width = made["window"]
    changed = [f"  {old} → {new}" for old, new in made["layers"].items() if old != new]
    return [
        f"{made['run']}: windows of {height} × {width} pixels, {made['stride']} pixels apart",
        *changed,
        f"largest difference on pictures of one window: {made['difference']:.2g}",
        *(f"note: {text}" for text in made["notes"]),
        "",
        "Next:",
        f"  dltrain show class-map {made['run']} --input PICTURE",
    ]
