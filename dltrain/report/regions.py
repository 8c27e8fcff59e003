"""Points in a plane whose regions belong to classes: a decision boundary."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from dltrain.report.svg import HEIGHT, LEFT, TOP, WIDTH, Series, colour, dot_key, dots, plot, runs, scales


def region_chart(title: str, labels: tuple[str, str], groups: Series, cells: Sequence[Sequence[int]]) -> str:
    """Points over the regions in which each group is expected, in the colours of the groups.

    Parameters:
        title: above the chart
        labels: of the horizontal and the vertical axis
        groups: {name: (xs, ys)}
        cells: rows from below of equal cells that fill the plot, each the position of a group

    Example:
        >>> text = region_chart("border", ("a", "b"), {"no": ([0], [0]), "yes": ([1], [1])}, [[0, 0, 1], [1, 1, 1]])
        >>> text.count("fill-opacity")
        3
    """
    x, y = scales(groups)
    drawn = [*regions(cells)]
    for number, (xs, ys) in enumerate(groups.values()):
        drawn.append(dots("".join(f"M{a:.1f} {b:.1f}h.01" for run in runs(xs, ys, x, y) for a, b in run), number))
    return plot(title, *labels, x, y, list(groups), drawn, dot_key)


def regions(cells: Sequence[Sequence[int]]) -> Iterator[str]:
    """Neighbours of one group in a row are one rectangle."""
    height = HEIGHT / len(cells)
    for row, numbers in enumerate(cells):
        left, width, top = float(LEFT), WIDTH / len(numbers), TOP + HEIGHT - height * (row + 1)
        for number, some in groupby(numbers):
            wide = width * len([*some])
            box = f'x="{left:.1f}" y="{top:.1f}" width="{wide:.1f}" height="{height:.1f}"'
            yield f'<rect {box} fill="{colour(number)}" fill-opacity="0.22" shape-rendering="crispEdges"/>'
            left += wide
