"""dltrain explore: look at the data of a config without training."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dltrain.cli import arguments
from dltrain.cli.base import command

if TYPE_CHECKING:
    from dltrain.explore.finding import Chart, Table

KEYS = (
    "method", "parameters", "data", "part", "samples", "available", "features", "classes", "notes", "result", "folder",
    "files",
)  # fmt: skip
WIDEST = 100  # columns of a chart


def complete(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """The explorations."""
    from dltrain import registry

    return [name for name in registry.entries("exploration") if name.startswith(incomplete)]


@command("explore")
@click.argument("method", shell_complete=complete)
@arguments.config
@arguments.sets
@click.option(
    "--split",
    type=click.Choice(["train", "train_dev", "validation", "test"]),
    default="train",
    show_default=True,
    help="Part of the data.",
)
@click.option(
    "--out", type=click.Path(path_type=Path), metavar="DIR", help="Folder of the result, instead of one in DIR."
)
@arguments.runs
@arguments.threads
@arguments.plugins
def cli(method: str, config: str, threads: int | None, as_json: bool, **options: Any) -> None:
    """Look at the data of a config without training: numbers, tables and pictures in a folder.

    METHOD is an exploration as a config would name it: pca, 'k_means: 12' or 'tsne: {perplexity: 50}'
    (`dltrain list explorations`, `dltrain explain tsne`).

    CONFIG is a YAML file, or the name of a config that comes with dltrain (`dltrain list configs`).  Its data are
    looked at as it divides and prepares them.
    """
    from dltrain.cli import threads as pool

    pool.prepare(threads)
    from dltrain import api
    from dltrain.cli.output import emit
    from dltrain.cli.progress import progress

    with progress() as tell:
        found = api.explore(method_of(method), arguments.config_path(config), tell=tell, **options)
    if as_json:
        emit({key: found[key] for key in KEYS})
    else:
        show(found)


def method_of(text: str) -> Any:
    """The exploration that a text names, as plain data.

    Example:
        >>> method_of("k_means: 12"), method_of("pca")
        ({'k_means': 12}, 'pca')

    Raises:
        UsageError: when it is no YAML.
    """
    from dltrain.config.yaml_reader import read_bytes
    from dltrain.errors import UsageError

    document = read_bytes(text.encode("utf-8", "surrogateescape"), "METHOD")
    if document.flaws or document.root is None:
        expected = "a name, or 'name: {parameter: value}'"
        what = document.flaws[0][0].what if document.flaws else "no exploration is named"
        raise UsageError(what, where="METHOD", expected=expected, got=repr(text[:60]))
    return document.root.plain()


def show(found: Mapping[str, Any]) -> None:
    """Print what was looked at, tables and charts, and where the pictures are."""
    from dltrain.cli import output
    from dltrain.explore.finding import Chart, Table

    width = min(output.console().width, WIDEST)
    output.show(f"{found['data']}, {found['part']}: {found['samples']:,} samples with {found['features']:,} features")
    for part in found["shown"]:
        if isinstance(part, Table):
            output.show("", part.title, table(part))
        else:
            output.show("", *(chart(part, width) if isinstance(part, Chart) else [part]))
    if found["notes"]:
        output.show("", *(f"note: {text}" for text in found["notes"]))
    output.show("", f"{found['folder']}: {', '.join(found['files'])}")


def table(part: Table) -> Any:
    """A table whose numbers are aligned right."""
    from dltrain.cli import output

    cells = [[output.number(cell) if isinstance(cell, (int, float)) else cell for cell in row] for row in part.rows]
    right = [
        header
        for header, column in zip(part.headers, zip(*part.rows, strict=True), strict=True)
        if all(isinstance(cell, (int, float, type(None))) for cell in column)
    ]
    return output.table(part.headers, cells, right=right)


def chart(part: Chart, width: int) -> list[str]:
    """A line of dots."""
    from dltrain.report.terminal import line_chart

    return [part.title, "", *line_chart(part.xs, part.ys, width)]
