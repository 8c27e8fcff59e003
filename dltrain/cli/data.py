"""dltrain data: list data sources, and show what one holds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from dltrain.cli import arguments
from dltrain.cli.base import command, group


@group("data")
def cli() -> None:
    """List data sources, and show what one holds."""


@command("ls")
def list_data(as_json: bool) -> None:
    """List the data sets that need no file, and the data files in ./data and $DLTRAIN_DATA."""
    from dltrain.cli import output
    from dltrain.data.describe import catalog
    from dltrain.data.folders import DataFolders

    found = catalog(DataFolders(None))
    if as_json:
        output.emit({"data": found})
        return
    rows = [[entry["name"], entry["kind"], entry.get("summary") or place(entry)] for entry in found]
    output.show(output.table(["name", "kind", "what it is"], rows))


@command("show")
@click.argument("subject", metavar="SOURCE|FILE|CONFIG", shell_complete=arguments.complete_config)
@arguments.sets
def show_data(subject: str, sets: tuple[str, ...], as_json: bool) -> None:
    """Show what a data set holds: sizes, classes, ranges of its features.

    SOURCE is the name of a source that needs no file (`dltrain data ls`), FILE a data file, CONFIG a config,
    whose data are shown as it divides and prepares them.
    """
    from dltrain.cli import output

    found = described(subject, sets)
    if as_json:
        output.emit(found)
    else:
        show(found)


def described(subject: str, sets: tuple[str, ...]) -> dict[str, Any]:
    """The description of a source, a file or a config's data."""
    from dltrain import registry
    from dltrain.data.describe import describe, kind_of
    from dltrain.data.describe import show as show_source
    from dltrain.data.folders import DataFolders

    if subject in registry.entries("source"):
        return show_source(subject, DataFolders(None))
    if kind_of(subject):
        return show_source({kind_of(subject): subject}, DataFolders("."))
    from dltrain.config import load
    from dltrain.training.session import load_data

    return describe(load_data(load(arguments.config_path(subject, registry.entries("source")), sets)))


def place(entry: Mapping[str, Any]) -> str:
    """Where a file lies and how large it is."""
    from dltrain.cli.output import size

    return f"{size(entry['bytes'])} in {entry['folder']}"


def show(found: Mapping[str, Any]) -> None:
    """Print sizes, classes and ranges."""
    from dltrain.cli import output

    parts = ", ".join(f"{part} {count}" for part, count in found["parts"].items())
    shape = "×".join(map(str, found["shape"]))
    output.show(f"{found['description']}: {found['samples']} samples of shape {shape} ({parts})")
    for title in ("classes", "targets", "features"):
        entries = found.get(title) or []
        if entries:
            headers = list(entries[0])
            cells = [[output.number(v) if isinstance(v, float) else v for v in entry.values()] for entry in entries]
            output.show("", output.table([title, *headers[1:]], cells, right=headers[1:]))


for _command in (list_data, show_data):
    cli.add_command(_command)
