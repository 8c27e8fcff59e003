"""What commands print: one JSON object, or text and tables that fit the terminal."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

PIPE_WIDTH = 200  # columns of a table that goes into a file or pipe


def emit(result: Mapping[str, Any]) -> None:
    """Print one JSON object on standard output; numbers that are not finite become null."""
    from dltrain.runs.files import plain

    sys.stdout.write(json.dumps(plain(result), allow_nan=False) + "\n")


def note(text: str) -> None:
    """Tell the user something that is not the result: on standard error."""
    print(text, file=sys.stderr)


def console(stream: TextIO | None = None) -> Console:
    """A console on a stream (default standard output): colours and width of a terminal, plain and wide elsewhere."""
    from rich.console import Console

    stream = stream or sys.stdout
    width = None if stream.isatty() else PIPE_WIDTH
    return Console(file=stream, width=width, highlight=False, soft_wrap=False, emoji=False, markup=False)


def table(
    headers: Sequence[str], rows: Iterable[Sequence[Any]], *, right: Sequence[str] = (), title: str = ""
) -> Table:
    """A table.

    Parameters:
        headers: of the columns
        rows: their cells; None is an empty one
        right: headers of the columns that are aligned right (numbers)
        title: line above it
    """
    from rich import box
    from rich.table import Table
    from rich.text import Text

    made = Table(box=box.SIMPLE_HEAD, title=title or None, title_justify="left", pad_edge=False, show_edge=False)
    for header in headers:
        numeric = header in right
        made.add_column(header, justify="right" if numeric else "left", no_wrap=numeric, overflow="fold")
    for row in rows:
        made.add_row(*(Text("" if cell is None else str(cell)) for cell in row))
    return made


def show(*things: Any) -> None:
    """Print tables and texts on standard output."""
    out = console()
    with out.capture() as capture:
        for thing in things:
            out.print(thing)
    sys.stdout.write("".join(line.rstrip(" ") + "\n" for line in capture.get().splitlines()))


def number(value: float | None) -> str:
    """A number for human eyes: four significant digits at least.

    Example:
        >>> [number(v) for v in (0.98765, 12345.6, 1.5e-7, 3, None)]
        ['0.9877', '12346', '1.5e-07', '3', '-']
    """
    if value is None:
        return "-"
    if isinstance(value, int):
        return str(value)
    if value and not 1e-4 <= abs(value) < 1e6:
        return f"{value:.3g}"
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.4f}" if abs(value) < 10 else f"{value:.4g}"


def rate(value: float | None) -> str:
    """A learning rate for human eyes: three significant digits.

    Example:
        >>> rate(0.002), rate(0.00061234)
        ('0.002', '0.000612')
    """
    return "-" if value is None else f"{value:.3g}"


def size(count: float) -> str:
    """Bytes for human eyes.

    Example:
        >>> size(512), size(1536), size(5 << 20)
        ('512 B', '1.5 KiB', '5.0 MiB')
    """
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024 or unit == "GiB":
            break
        count /= 1024
    return f"{count:.0f} B" if unit == "B" else f"{count:.1f} {unit}"


def duration(seconds: float) -> str:
    """Seconds for human eyes.

    Example:
        >>> duration(7.2), duration(75), duration(7325)
        ('7 s', '1:15', '2:02:05')
    """
    whole = int(seconds + 0.5)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
