"""dltrain resume: go on with a run that was stopped."""

from __future__ import annotations

from dltrain.cli import arguments
from dltrain.cli.base import command
from dltrain.cli.training import train


@command("resume")
@arguments.run
@arguments.runs
@arguments.threads
@arguments.plugins
def cli(run: str, runs: str, threads: int | None, plugins: tuple[str, ...], as_json: bool) -> int:
    """Go on with a run that was stopped, from its newest whole checkpoint.

    RUN is a run folder, or the name of a run (its newest).  On the same machine, with the same versions and
    number of threads, the result is byte for byte that of a run that was never stopped.
    """
    return train(threads, as_json, "resume", run, runs=runs, plugins=plugins)
