"""What commands print: one JSON object, or text and tables that fit the terminal, or run over."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Column, Table

PIPE_WIDTH = 200  # columns of a table that goes into a file or pipe
NARROWEST = 24  # columns below which a text is not folded
GAP = 3  # columns between two columns of a table


def emit(result: Mapping[str, Any]) -> None:
    """Print one JSON object on standard output; numbers that are not finite become null."""
    from dltrain.runs.files import plain

    sys.stdout.write(json.dumps(plain(result), allow_nan=False) + "\n")


def note(text: str) -> None:
    """Tell the user something that is not the result: on standard error."""
    print(text, file=sys.stderr)


def console(stream: TextIO | None = None, least: int = 0) -> Console:
    """A console on a stream: colours and width of a terminal, plain and wide elsewhere.

    Parameters:
        stream: default standard output
        least: columns that it has even where the terminal is narrower
    """
    from rich.console import Console

    stream = stream or sys.stdout
    width = None if stream.isatty() else PIPE_WIDTH
    if least:
        width = max(least, width or Console(file=stream).width)
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
    """Print tables and texts on standard output; a table that does not fit runs over."""
    from rich.table import Table

    terminal = console()
    for thing in things:
        out = console(least=thing.width or fit(thing, terminal.width)) if isinstance(thing, Table) else terminal
        with out.capture() as capture:
            out.print(thing)
        sys.stdout.write("".join(line.rstrip(" ") + "\n" for line in capture.get().splitlines()))


def fit(made: Table, width: int) -> int:
    """Give the columns of a table their widths: texts are folded as far as they may, numbers never are.

    Parameters:
        made: the table
        width: columns of the terminal

    Returns:
        the table's width, which is greater where it does not fit.
    """
    gaps = width_of(made) - sum(map(widest, made.columns))
    widths, least = [], []
    for position, column in enumerate(made.columns):
        words = [word for cell in (column.header, *column.cells) for word in str(cell).split()]
        longest = max((cell_width(word) for word in words), default=0)
        widths.append(widest(column))
        least.append(widths[-1] if column.no_wrap else longest if position == 0 else min(longest, NARROWEST))
    while sum(widths) + gaps > width:
        loose = [position for position, least_width in enumerate(least) if widths[position] > least_width]
        if not loose:
            break
        widths[max(loose, key=widths.__getitem__)] -= 1
    for column, chosen in zip(made.columns, widths, strict=True):
        column.width = chosen
    return sum(widths) + gaps


def width_of(made: Table) -> int:
    """The columns that a table takes where there is room."""
    return sum(map(widest, made.columns)) + GAP * max(len(made.columns) - 1, 0)


def widest(column: Column) -> int:
    """The columns that the longest line of a table's column takes."""
    cells = [str(cell) for cell in (column.header, *column.cells)]
    return max(cell_width(line) for cell in cells for line in (cell.splitlines() or [""]))


def cell_width(text: str) -> int:
    """The columns that a text takes; letters of Chinese, Japanese and Korean take two."""
    from rich.cells import cell_len

    return cell_len(text)


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
