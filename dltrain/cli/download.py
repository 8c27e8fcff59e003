"""How far a download is: a bar on a terminal, a line for each file elsewhere; all on standard error."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Report = Callable[[str, int, int], None]


@contextmanager
def shown(quiet: bool) -> Iterator[Report]:
    """A function that takes a file's name, the bytes that are there, and their total.

    Parameters:
        quiet: show nothing
    """
    if quiet:
        yield lambda name, done, total: None
    elif not sys.stderr.isatty():
        yield lines()
    else:
        from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

        from dltrain.cli.output import console

        columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
        with Progress(*columns, console=console(sys.stderr)) as progress:
            bars = {}

            def report(name: str, done: int, total: int) -> None:
                if name not in bars:
                    bars[name] = progress.add_task(name, total=total)
                progress.update(bars[name], completed=min(done, total))

            yield report


def lines() -> Report:
    """Writes a line when a file is whole."""
    from dltrain.cli.output import note, size

    finished: set[str] = set()

    def report(name: str, done: int, total: int) -> None:
        if done >= total and name not in finished:
            finished.add(name)
            note(f"{name}  {size(total)}")

    return report
