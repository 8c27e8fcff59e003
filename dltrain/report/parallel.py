"""Parallel coordinates as SVG: an axis for each dimension, a line for each point.

Source: Inselberg: The plane with parallel coordinates, 1985.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from dltrain.report.svg import COLOURS, HEIGHT, LETTER, TOP, figure, label, word
from dltrain.report.text import escaped

GAP = 150.0  # between two axes
LOW = TOP + 26  # upper end of the axes
FAINTEST = 0.12  # opacity of the worst line


@dataclass(frozen=True)
class Axis:
    """One axis.

    Parameters:
        name: below it
        marks: {place from 0 (lower end) to 1: text beside it}
    """

    name: str
    marks: dict[float, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Line:
    """One point.

    Parameters:
        places: from 0 to 1 on each axis; None where an axis does not count for it
        name: for the pointer
        strength: how strongly it is drawn, from 0 to 1
        marked: whether it is one of those that matter
    """

    places: Sequence[float | None]
    name: str
    strength: float = 1.0
    marked: bool = False


def parallel_chart(title: str, axes: Sequence[Axis], lines: Sequence[Line]) -> str:
    """Lines over axes; where an axis does not count for a point its line passes it by.  Marked lines lie on top.

    Parameters:
        title: above the chart
        axes: from left to right
        lines: the points

    Raises:
        ValueError: when a line has not a place for each axis.

    Example:
        >>> axes = [Axis("rate", {0.0: "1e-4", 1.0: "0.1"}), Axis("accuracy", {0.0: "0.5", 1.0: "0.9"})]
        >>> text = parallel_chart("trials", axes, [Line([0.3, 1.0], "one", marked=True), Line([0.9, None], "two")])
        >>> text.count("<polyline"), "<title>one</title>" in text
        (2, True)
    """
    if any(len(line.places) != len(axes) for line in lines):
        raise ValueError("a line needs a place for each axis")
    left = 40 + LETTER * max((len(text) for text in axes[0].marks.values()), default=0) if axes else 40
    drawn = [f'<path class="axis" d="M{left + number * GAP:.1f} {LOW}v{HEIGHT}"/>' for number in range(len(axes))]
    for line in sorted(lines, key=lambda line: (line.marked, line.strength)):
        pairs = [(left + i * GAP, place_of(place)) for i, place in enumerate(line.places) if place is not None]
        look = f'fill="none" stroke="{COLOURS[1 if line.marked else 0]}" stroke-width="{2.5 if line.marked else 1.5}"'
        look += f' opacity="{1.0 if line.marked else FAINTEST + (1 - FAINTEST) * line.strength * 0.7:.2f}"'
        points = " ".join(f"{x:.1f},{y:.1f}" for x, y in pairs)
        drawn.append(f'<polyline points="{points}" {look}><title>{escaped(line.name)}</title></polyline>')
    for number, axis in enumerate(axes):
        drawn += said_of(axis, left + number * GAP, number)
    room = max((len(word(text)) for axis in axes[-1:] for text in (*axis.marks.values(), axis.name)), default=0)
    return figure(title, left + (len(axes) - 1) * GAP + 40 + LETTER * room, LOW + HEIGHT + 60, drawn)


def said_of(axis: Axis, x: float, number: int) -> list[str]:
    """The name and the marks of an axis, on top of the lines; names of neighbours stand in turn on two lines."""
    found = [label(x, LOW + HEIGHT + 22 + 18 * (number % 2), word(axis.name), "middle", raw=True)]
    for place, text in axis.marks.items():
        y = place_of(place)
        found.append(f'<path class="axis" d="M{x - 4:.1f} {y:.1f}h8"/>')
        for look in ('class="end core" stroke-width="4"', 'class="end"'):  # the paper's colour around the letters
            found.append(f'<text x="{x - 8:.1f}" y="{y + 4:.1f}" {look}>{word(text)}</text>')
    return found


def place_of(place: float) -> float:
    """The height of a place on an axis."""
    return LOW + HEIGHT * (1 - place)
