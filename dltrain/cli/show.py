"""dltrain show: look into a trained network."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from dltrain.cli import arguments
from dltrain.cli.base import command
from dltrain.cli.explore import method_of
from dltrain.cli.progress import progress

KEYS = ("view", "parameters", "run", "checkpoint", "notes", "result", "folder", "files")


def complete(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """The views."""
    from dltrain import registry

    return [name for name in map(dashed, registry.entries("view")) if name.startswith(incomplete)]


@command("show")
@click.argument("view", shell_complete=complete)
@arguments.run
@click.option("--layer", metavar="PATH", help="The layer that is looked at: its path (`dltrain check`), or a wire.")
@click.option(
    "--sample", type=click.IntRange(0), default=0, show_default=True, help="Which picture of the part or file."
)
@click.option(
    "--split",
    type=click.Choice(["train", "train_dev", "validation", "test"]),
    help="Part of the run's data; default test.",
)
@click.option("--input", type=click.Path(), metavar="FILE", help="A picture, or a file of several, instead.")
@click.option("--text", metavar="TEXT", help="For `attention`: a text, in place of a sample.")
@click.option("--class", "class_", metavar="NAME", help="The class that is asked about; default the one that is seen.")
@arguments.checkpoint
@click.option("--out", type=click.Path(path_type=Path), metavar="DIR", help="Folder of the pictures.")
@arguments.runs
@arguments.threads
@arguments.plugins
def cli(view: str, run: str, split: str | None, threads: int | None, as_json: bool, **options: Any) -> None:
    """Look into a trained network; what is seen is written as pictures into a folder.

    VIEW is filters, activations, saliency, occlusion, grad-cam, maximize, class-map or attention, or one with
    parameters: 'occlusion: {size: 8}' (`dltrain list views`, `dltrain explain occlusion`).

    RUN is a run folder, or the name of a run (its newest), whose data are pictures, or for `attention` texts.
    """
    from dltrain.cli import threads as pool
    from dltrain.errors import UsageError

    if split is not None and options["input"] is not None:
        what, expected = "these options exclude each other", "a part of the run's data, or a file"
        raise UsageError(what, where="dltrain show", expected=expected, got=f"--split {split} and --input")
    pool.prepare(threads)
    from dltrain import api
    from dltrain.cli import output
    from dltrain.data.pictures import pillow

    asked = view_of(view)
    if "attention" not in asked:
        pillow()  # before anything is read
    with progress() as tell:
        found = api.show(asked, run, split=split or "test", tell=tell, **options)
    if as_json:
        output.emit({key: found[key] for key in KEYS})
    else:
        output.show(*found["lines"])
        if found["notes"]:
            output.show("", *(f"note: {text}" for text in found["notes"]))
        output.show("", f"{found['folder']}: {', '.join(found['files'])}")


def view_of(text: str) -> Any:
    """The view that a text names, as plain data; its name may be written with a dash.

    Example:
        >>> view_of("grad-cam"), view_of("class-map: 4")
        ('grad_cam', {'class_map': 4})
    """
    written = method_of(text)
    if isinstance(written, Mapping):
        return {str(name).replace("-", "_"): value for name, value in written.items()}
    return written.replace("-", "_") if isinstance(written, str) else written


def dashed(name: str) -> str:
    """A name as commands are written."""
    return name.replace("_", "-")
