"""How far a command is that shows its result only at the end; all on standard error."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

PERIOD = 10.0  # seconds between two messages where they do not stand on one line of a terminal


@contextmanager
def progress() -> Iterator[Callable[[str], None]]:
    """A function that is told how far the work is: one line on a terminal, now and then a line elsewhere."""
    from dltrain.cli.output import console, note

    live = sys.stderr.isatty()
    width = console(sys.stderr).width
    last = time.monotonic()

    def tell(text: str) -> None:
        nonlocal last
        if live:
            print(f"\r\x1b[K{text[: width - 1]}", end="", file=sys.stderr, flush=True)
        elif time.monotonic() - last >= PERIOD:
            last = time.monotonic()
            note(text)

    try:
        yield tell
    finally:
        if live:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
