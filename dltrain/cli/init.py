"""dltrain init: write a shipped config or sweep to start from."""

from __future__ import annotations

from pathlib import Path

import click

from dltrain.cli import arguments
from dltrain.cli.base import command


@command("init")
@click.argument("name", shell_complete=arguments.complete_config)
@click.option("--out", metavar="FILE", type=click.Path(), help="Where to; default NAME.yaml in this folder.")
@click.option("--force", is_flag=True, help="Replace a file that is there already.")
def cli(name: str, out: str | None, force: bool, as_json: bool) -> None:
    """Write a config or a sweep that comes with dltrain into this folder, to start from.

    `dltrain list configs` and `dltrain list sweeps` show their names.
    """
    from dltrain.cli.output import emit

    source = shipped(name)
    target = Path(out or source.name)
    write(source, target, force)
    if as_json:
        emit({"config": str(source), "path": str(target)})
    else:
        commands = ("sweep",) if is_sweep(source) else ("check", "fit")
        print("\n".join([f"wrote {target}\n\nNext:", *(f"  dltrain {word} {target}" for word in commands)]))


def shipped(name: str) -> Path:
    """The shipped config or sweep of a name.

    Raises:
        UsageError: when there is none, with the nearest name.
    """
    from dltrain.config.shipped import find_shipped, shipped_configs, shipped_sweeps
    from dltrain.errors import UsageError
    from dltrain.suggest import hint

    sweeps = shipped_sweeps()
    found = find_shipped(name) or sweeps.get(name.removesuffix(".yaml"))
    if found is not None:
        return found
    names = [key.rpartition("/")[2] for key in shipped_configs()]
    advice = hint(name, [*names, *sweeps], "`dltrain list configs` shows them")
    raise UsageError("no config of this name comes with dltrain", got=repr(name), hint=advice)


def is_sweep(source: Path) -> bool:
    """Whether a shipped file is a sweep, not a config."""
    from dltrain.config.shipped import SWEEPS

    return source.parent.name == SWEEPS


def write(source: Path, target: Path, force: bool) -> None:
    """Copy a config; a file that is there already is left alone unless `force`.

    Raises:
        UsageError: when there is one.
        StorageError: when it cannot be written.
    """
    from dltrain.errors import UsageError
    from dltrain.runs.files import atomic_write

    if target.exists() and not force:
        raise UsageError("this file is there already", where=str(target), hint="--out writes another, --force this one")
    atomic_write(target, source.read_text(encoding="utf-8"))
