"""dltrain report: everything about a run or a sweep on one page."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from dltrain.cli import arguments
from dltrain.cli.base import command


@command("report")
@click.argument("names", nargs=-1, required=True, metavar="RUN|SWEEP…", shell_complete=arguments.complete_run)
@click.option(
    "--out", type=click.Path(path_type=Path), metavar="FILE", help="The page; default: report.html beside it."
)
@click.option("--open", "opened", is_flag=True, help="Show it in the browser.")
@arguments.runs
@arguments.threads
@arguments.plugins
def cli(
    names: tuple[str, ...],
    out: Path | None,
    opened: bool,
    runs: str,
    threads: int | None,
    plugins: tuple[str, ...],
    as_json: bool,
) -> None:
    """Write everything about a run on one page of HTML, which needs no other file and loads nothing.

    Of several runs the page shows what differs, and their curves over each other; of a sweep its best settings, the
    importance of each, and all trials.  It is written as report.html into the folder of the run or sweep, of several
    runs into the current one.
    """
    from dltrain.cli import threads as pool

    pool.prepare(threads)
    from dltrain import api
    from dltrain.cli.output import emit

    found = api.report(names, out=out, runs=runs, plugins=plugins)
    if as_json:
        emit(found)
    else:
        show(found)
    if opened:
        import webbrowser

        webbrowser.open(Path(found["file"]).as_uri())


def show(found: Mapping[str, Any]) -> None:
    """Print where the page is and what it lacks."""
    from dltrain.cli import output

    output.show(f"{found['file']}: {output.size(found['bytes'])}, {len(found['sections'])} sections")
    if found["left_out"]:
        rows = [[title, reason] for title, reason in found["left_out"].items()]
        output.show("", output.table(["left out", "since"], rows))
