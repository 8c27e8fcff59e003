"""Arguments and options that several commands share."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import click

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


def complete_config(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[Any]:
    """Files, and the names of the shipped configs."""
    from click.shell_completion import CompletionItem

    from dltrain.config.shipped import shipped_configs

    names = {key.rpartition("/")[2] for key in shipped_configs()}
    found = [CompletionItem(name) for name in sorted(names) if name.startswith(incomplete)]
    return [*found, CompletionItem(incomplete, type="file")]


def complete_run(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[Any]:
    """Folders, and the names of the runs."""
    from click.shell_completion import CompletionItem

    from dltrain.runs.folder import is_run
    from dltrain.runs.naming import names

    root = ctx.params.get("runs") or "runs"
    found = [name for name in names(Path(root)) if name.startswith(incomplete) and is_run(Path(root) / name)]
    return [*map(CompletionItem, found), CompletionItem(incomplete, type="dir")]


def complete_collection(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[Any]:
    """The names of the data sets that can be fetched."""
    from click.shell_completion import CompletionItem

    from dltrain.data.collection import COLLECTIONS

    return [CompletionItem(name) for name in COLLECTIONS if name.startswith(incomplete)]


def config_path(text: str, others: Iterable[str] = ()) -> Path:
    """The config that a word means: a file, or else one that comes with dltrain.

    Parameters:
        text: path or name
        others: names that the command would have taken too, for the advice

    Raises:
        UsageError: when there is neither.
    """
    from dltrain.config.shipped import find_shipped, shipped_configs
    from dltrain.errors import UsageError
    from dltrain.suggest import hint

    path = Path(text)
    found = path if path.exists() or path.is_symlink() else find_shipped(text) if len(path.parts) < 3 else None
    if found is not None:
        return found
    near = [str(file) for file in path.parent.glob("*.y*ml")] if path.parent.is_dir() else []
    names = [name.rpartition("/")[2] for name in shipped_configs()]
    advice = hint(text, [*near, *names, *others], "`dltrain list configs` shows those that come with dltrain")
    raise UsageError("there is no such config", where=text, expected="a YAML file or a shipped config", hint=advice)


config = click.argument("config", shell_complete=complete_config)
run = click.argument("run", shell_complete=complete_run)
several_runs = click.argument("run", nargs=-1, required=True, metavar="RUN…", shell_complete=complete_run)
checkpoint = click.option(
    "--checkpoint",
    default="best",
    show_default=True,
    metavar="best|last|STEP|STEP,STEP,…|average",
    help="Whose weights; several steps: the mean of their weights, average: of all kept.",
)
config_or_run = click.argument("config", metavar="CONFIG|RUN", shell_complete=complete_config)
sets = click.option(
    "--set", "sets", multiple=True, metavar="PATH=VALUE", help="Change a value, as train.epochs=5; may be repeated."
)
beam = click.option(
    "--beam",
    type=click.IntRange(1, 1000),
    default=1,
    metavar="K",
    help="Of a run that says texts: keep the K likeliest at each step; default 1.",
)
runs = click.option("--runs", default="runs", show_default=True, metavar="DIR", help="Folder of the runs.")
threads = click.option("--threads", type=click.IntRange(1, 1024), metavar="N", help="Threads; default: all processors.")
plugins = click.option(
    "--plugin",
    "plugins",
    multiple=True,
    metavar="FILE",
    type=click.Path(),
    help="Python file that registers layers, losses, … of your own; it is executed.",
)
