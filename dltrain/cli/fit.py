"""dltrain fit: train from a config."""

from __future__ import annotations

from typing import Any

import click

from dltrain.cli import arguments
from dltrain.cli.base import command
from dltrain.cli.training import train


@command("fit")
@arguments.config
@arguments.sets
@click.option("--name", metavar="NAME", help="Name of the run, in place of the config's.")
@arguments.runs
@click.option("--resume", is_flag=True, help="Go on with the newest run of this name, if there is one.")
@click.option("--seed", type=click.IntRange(0), metavar="N", help="Seed, in place of the config's.")
@click.option("--fast-dev-run", is_flag=True, help="Only a few steps, to see that everything works.")
@arguments.threads
@arguments.plugins
def cli(config: str, threads: int | None, as_json: bool, **options: Any) -> int:
    """Train from a config.

    CONFIG is a YAML file, or the name of a config that comes with dltrain (`dltrain list configs`).

    Ctrl-C finishes the step, saves and exits; `dltrain resume RUN` goes on as if nothing had happened.
    """
    return train(threads, as_json, "fit", arguments.config_path(config), **options)
