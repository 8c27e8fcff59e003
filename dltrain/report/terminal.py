"""Lines drawn with the dots of braille letters, for a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from dltrain.report.scale import Scale, drawable

DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))  # of a letter, row by row: left and right
EMPTY = 0x2800
BARS = "▁▂▃▄▅▆▇█"
LEAST = 8  # letters a plot is wide at least


def line_chart(xs: Sequence[float], ys: Sequence[float], width: int, height: int = 10) -> list[str]:
    """A line through points, with the ends of both axes; lines of text, each at most `width` wide.

    Parameters:
        xs: rising
        ys: as many; what is not finite is left out
        width: letters of a line
        height: lines of the plot, beside the two of the horizontal axis

    Raises:
        ValueError: when there is no point, or xs and ys are not of one length.

    Example:
        >>> print("\\n".join(line_chart([0, 1, 2, 3], [0, 1, 2, 3], width=14, height=2)))
        3 ┤⠀⠀⠀⠀⠀⢀⡠⠤⠒⠒⠉
        0 ┤⣀⠤⠤⠒⠊⠁
          └───────────
           0         3
    """
    if not xs or len(xs) != len(ys):
        raise ValueError("a line needs points, and one y for each x")
    scale, across = Scale.of(ys), Scale(float(xs[0]), float(xs[-1])) if xs[-1] > xs[0] else Scale(xs[0], xs[0] + 1.0)
    labels = [""] * height
    labels[0], labels[-1] = scale.label(scale.high), scale.label(scale.low)
    margin = max(map(len, labels)) + 1
    columns = max(width - margin - 1, LEAST)
    rows = raster(xs, ys, across, scale, columns, height)
    ends = f"{xs[0]:g}", f"{xs[-1]:g}"
    return [
        *(f"{label:>{margin - 1}} ┤{row.rstrip(chr(EMPTY))}" for label, row in zip(labels, rows, strict=True)),
        " " * margin + "└" + "─" * columns,
        " " * (margin + 1) + ends[0] + ends[1].rjust(columns - len(ends[0])),
    ]


def spark(values: Sequence[float], width: int = 16) -> str:
    """A line of one row, each value as the height of a letter; of more values than letters every so many.

    Example:
        >>> spark([1, 2, 3, 8])
        '▁▂▃█'
    """
    if len(values) > width:
        values = [values[round(i * (len(values) - 1) / (width - 1))] for i in range(width)]
    known = [value for value in values if drawable(value, False)]
    low, high = min(known, default=0.0), max(known, default=0.0)
    top = len(BARS) - 1
    share = [(value - low) / (high - low) if high > low else 0.5 for value in values]
    return "".join(BARS[round(s * top)] if drawable(v, False) else " " for s, v in zip(share, values, strict=True))


def raster(xs: Sequence[float], ys: Sequence[float], across: Scale, up: Scale, columns: int, height: int) -> list[str]:
    """The letters of a line: every column of dots shows the value there, joined to the one before it."""
    cells = [[EMPTY] * columns for _ in range(height)]
    wide, high = 2 * columns - 1, 4 * height - 1
    before: tuple[int, int] | None = None
    for x, y in zip(xs, ys, strict=True):
        if not up.shows(y):
            before = None
            continue
        here = round(across.share(x) * wide), round((1 - up.share(y)) * high)
        for column, row in between(before or here, here):
            cells[row // 4][column // 2] |= DOTS[row % 4][column % 2]
        before = here
    return ["".join(map(chr, row)) for row in cells]


def between(a: tuple[int, int], b: tuple[int, int]) -> list[tuple[int, int]]:
    """The dots of a straight line, both ends included."""
    steps = max(abs(b[0] - a[0]), abs(b[1] - a[1]), 1)
    return [
        (a[0] + round((b[0] - a[0]) * i / steps), a[1] + round((b[1] - a[1]) * i / steps)) for i in range(steps + 1)
    ]
