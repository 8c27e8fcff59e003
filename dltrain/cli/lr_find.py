"""dltrain lr-find: find a learning rate."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from dltrain.cli import arguments
from dltrain.cli.base import command

WIDEST = 100  # columns of the chart


@command("lr-find")
@arguments.config
@arguments.sets
@click.option("--low", type=click.FloatRange(0, min_open=True), metavar="RATE", help="First rate; default 1e-6.")
@click.option("--high", type=click.FloatRange(0, min_open=True), metavar="RATE", help="Last rate; default 10.")
@click.option("--steps", type=click.IntRange(20), metavar="N", help="Steps from the first to the last; default 150.")
@click.option("--apply", is_flag=True, help="Write the rate into CONFIG, with a comment.")
@click.option("--svg", type=click.Path(path_type=Path), metavar="FILE", help="Write the chart to FILE.svg too.")
@arguments.threads
@arguments.plugins
def cli(config: str, svg: Path | None, threads: int | None, as_json: bool, **options: Any) -> None:
    """Find a learning rate: train while it rises, look where the loss is lowest, and take a tenth of that.

    CONFIG is a YAML file, or the name of a config that comes with dltrain (`dltrain list configs`).  Nothing is kept of
    this training.
    """
    from dltrain.cli import threads as pool
    from dltrain.errors import UsageError

    if svg is not None and svg.suffix.lower() != ".svg":
        raise UsageError("this kind of file is not written", where=str(svg), expected="a name that ends in .svg")
    if options["apply"] and not Path(config).exists():
        hint = f"`dltrain init {config}` copies it into this folder"
        raise UsageError("only a config of your own is changed", where=config, expected="a file", hint=hint)
    pool.prepare(threads)
    from dltrain import api
    from dltrain.cli import output
    from dltrain.report.terminal import line_chart

    found = api.lr_find(arguments.config_path(config), **{key: v for key, v in options.items() if v is not None})
    if svg is not None:
        from dltrain.report import svg as picture
        from dltrain.runs.files import atomic_write

        lines = {"loss": (found["rates"], found["losses"]), "average": (found["rates"], found["smooth"])}
        atomic_write(svg, picture.line_chart("range test", "learning rate", "loss", lines, log_x=True))
        output.note(f"chart written to {svg}")
    if as_json:
        output.emit(found)
        return
    from math import log10

    width = min(output.console().width, WIDEST)
    output.show(
        "average of the loss, over the logarithm of the learning rate", "",
        *line_chart([round(log10(rate), 1) for rate in found["rates"]], found["smooth"], width), "",
        f"learning rate {found['learning_rate']:g}: {found['reason']}",
    )  # fmt: skip
    if found["line"] is not None:
        output.show(f"written into {config}, line {found['line']}")
    elif found["path"] is not None:
        setting = f"--set {found['path']}={found['learning_rate']:g}"
        output.show(f"--apply writes it into the config; or: dltrain fit {config} {setting}")
