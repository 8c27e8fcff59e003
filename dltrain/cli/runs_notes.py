"""dltrain runs tag, dltrain runs note: what is to be remembered of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from dltrain.cli import arguments
from dltrain.cli.base import command

if TYPE_CHECKING:
    from dltrain.runs.folder import RunFolder
    from dltrain.runs.notes import Notes


@command("tag")
@arguments.run
@click.argument("tags", metavar="TAG…", nargs=-1, required=True)
@click.option("--remove", is_flag=True, help="Take the tags away.")
@arguments.runs
def tag_run(run: str, tags: tuple[str, ...], remove: bool, runs: str, as_json: bool) -> None:
    """Give a run tags, by which `dltrain runs ls --filter tag=TAG` finds it."""
    from dltrain.runs.folder import RunFolder
    from dltrain.runs.notes import tag

    folder = RunFolder.find(run, runs)
    said(folder, tag(folder, removed=tags) if remove else tag(folder, tags), as_json)


@command("note")
@arguments.run
@click.argument("text")
@arguments.runs
def note_run(run: str, text: str, runs: str, as_json: bool) -> None:
    """Give a run a note in place of the one it has; "" takes it away."""
    from dltrain.runs.folder import RunFolder
    from dltrain.runs.notes import annotate

    folder = RunFolder.find(run, runs)
    said(folder, annotate(folder, text), as_json)


def said(run: RunFolder, notes: Notes, as_json: bool) -> None:
    """Tell what a run has now."""
    from dltrain.cli import output

    if as_json:
        output.emit({"run": str(run.path), "tags": list(notes.tags), "note": notes.note})
    else:
        output.note(f"{run.name}: {', '.join(notes.tags) or 'no tags'}; {notes.note or 'no note'}")
