"""dltrain data: list data sources, show what one holds, examine it, fetch public ones."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from dltrain.cli import arguments
from dltrain.cli.base import command, group


@group("data")
def cli() -> None:
    """List data sources, show what one holds, examine it, fetch public ones."""


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


@command("lint")
@arguments.config
@arguments.sets
@arguments.plugins
def lint_data(config: str, sets: tuple[str, ...], plugins: tuple[str, ...], as_json: bool) -> int:
    """Examine the data of a config: examples that stand twice, columns that give the label away, parts that differ.

    `dltrain list lints` shows the rules, `dltrain explain NAME` the page of one; `waive: {NAME: reason}` in the config
    silences it.  Exit code 3 means that a fault was found.

    CONFIG is a YAML file, or the name of a config that comes with dltrain (`dltrain list configs`).
    """
    from dltrain import api
    from dltrain.cli import output
    from dltrain.cli.doctor import FAULT_FOUND, show_verdict
    from dltrain.cli.progress import progress

    with progress() as tell:
        found = api.lint_data(arguments.config_path(config), sets=sets, plugins=plugins, tell=tell)
    if as_json:
        output.emit(found)
    else:
        sizes = ", ".join(f"{part} {count:,}" for part, count in found["parts"].items())
        output.show(f"{found['data']}: {sizes}", "")
        for verdict in found["verdicts"]:
            show_verdict(verdict, verdict["waived"])
        if not found["verdicts"]:
            output.show("nothing stands out")
    return 0 if found["passed"] else FAULT_FOUND


@command("fetch")
@click.argument("name", metavar="[NAME]", required=False, shell_complete=arguments.complete_collection)
@click.option("--to", "folder", type=click.Path(path_type=Path), default=Path("data"), show_default=True, metavar="DIR")
@click.option("--list", "listed", is_flag=True, help="List what can be fetched.")
def fetch_data(name: str | None, folder: Path, listed: bool, as_json: bool) -> None:
    """Fetch a public data set into ./data/NAME, where configs find it.

    Files that are there and whole are not fetched again. Each is proved by its checksum.
    """
    from dltrain.cli import output
    from dltrain.cli.download import shown
    from dltrain.data.collection import COLLECTIONS, collection
    from dltrain.data.fetching import fetch
    from dltrain.errors import UsageError

    if listed or name is None:
        if name is not None or not listed:
            what = "a data set and --list exclude each other" if name else "a data set is missing"
            hint = "`dltrain data fetch --list` lists them"
            raise UsageError(what, where="dltrain data fetch", hint=hint)
        show_collections(COLLECTIONS, as_json)
        return
    wanted = collection(name)
    with shown(quiet=as_json) as report:
        paths = fetch(name, folder, report)
    if as_json:
        output.emit({"name": name, "files": [str(path) for path in paths]})
        return
    output.show(f"{name}: {len(paths)} files in {folder / name} ({wanted.licence})", "", "data:")
    output.show(*(f"  {line}" for line in wanted.config.splitlines()))


def show_collections(collections: Mapping[str, Any], as_json: bool) -> None:
    """Print what can be fetched."""
    from dltrain.cli import output

    found = [
        {"name": name, "bytes": sum(file.size for file in c.files), "summary": c.summary, "licence": c.licence}
        for name, c in collections.items()
    ]
    if as_json:
        output.emit({"data": found})
        return
    rows = [[entry["name"], output.size(entry["bytes"]), entry["summary"], entry["licence"]] for entry in found]
    output.show(output.table(["name", "size", "what it is", "licence"], rows, right=["size"]))


def described(subject: str, sets: tuple[str, ...]) -> dict[str, Any]:
    """The description of a source, a file or a config's data."""
    from dltrain import registry
    from dltrain.data.describe import describe, kind_of
    from dltrain.data.describe import show as show_source
    from dltrain.data.folders import DataFolders

    if subject in registry.entries("source"):
        return show_source(subject, DataFolders(None))
    if kind_of(subject):
        path = Path(subject)  # what the user names on the command line may lie anywhere
        where, name = (path.parent, path.name) if path.is_file() else (".", subject)
        return show_source({kind_of(subject): name}, DataFolders(where))
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
    if "texts" in found:
        output.show("", *lines_of(found["texts"]))


def lines_of(texts: Mapping[str, Any]) -> list[str]:
    """What there is to say of texts."""
    unknown = ", ".join(f"{part} {share:.1%}" for part, share in texts["unknown"].items())
    lengths = f"{texts['shortest']} to {texts['longest']} tokens, {texts['mean']:.1f} on average"
    cut = f"; {texts['cut']:,} were longer and are cut off" if texts["cut"] else ""
    return [f"vocabulary of {texts['vocabulary']:,} tokens; unknown: {unknown}", f"texts of {lengths}{cut}"]


for _command in (list_data, show_data, lint_data, fetch_data):
    cli.add_command(_command)
