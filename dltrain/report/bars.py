"""Charts of bars: counts over ranges, and amounts by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dltrain.report.scale import Scale
from dltrain.report.svg import (
    COLOURS,
    HEIGHT,
    LEFT,
    LETTER,
    LONGEST,
    TOP,
    WIDTH,
    figure,
    label,
    line_key,
    plot,
    word,
)
from dltrain.report.text import escaped, seen

ROW = 22  # height of a named bar with the space around it


def histogram(title: str, x_label: str, edges: Sequence[float], counts: Sequence[int]) -> str:
    """How many values lie between two edges.

    Parameters:
        title: above the chart
        x_label: below the horizontal axis
        edges: rising, one more than the counts
        counts: of the values in between

    Raises:
        ValueError: when there is not one more edge than counts.

    Example:
        >>> histogram("weights", "value", [0, 1, 2], [3, 5]).count("<title>")
        2
    """
    if len(edges) != len(counts) + 1:
        raise ValueError("a histogram needs one more edge than counts")
    x, y = Scale.of(edges), Scale.of([0, *counts])
    drawn = []
    for low, high, count in zip(edges, edges[1:], counts, strict=False):
        left, right = (LEFT + WIDTH * x.share(value) for value in (low, high))
        height = HEIGHT * y.share(count)
        width, top = max(right - left - 1, 1), TOP + HEIGHT - height
        box = f'x="{left:.1f}" y="{top:.1f}" width="{width:.1f}" height="{height:.1f}"'
        said = f"{low:.3g} to {high:.3g}: {count:,}"
        drawn.append(f'<rect {box} fill="{COLOURS[0]}"><title>{escaped(said)}</title></rect>')
    return plot(title, x_label, "count", x, y, [], drawn, line_key)


def bar_chart(title: str, amounts: Mapping[str, float], log: bool = False) -> str:
    """A bar for each name, from the left; an amount that cannot be shown has none.

    Parameters:
        title: above the chart
        amounts: {name: not negative}
        log: whether the axis is logarithmic

    Example:
        >>> "<title>a: 0.5</title>" in bar_chart("importance", {"a": 0.5, "b": 0.1})
        True
    """
    scale = Scale.of([*amounts.values(), *([] if log else [0.0])], log)
    left = 20 + LETTER * max((min(len(seen(name)), LONGEST) for name in amounts), default=0)
    bottom = TOP + ROW * len(amounts)
    drawn = []
    for tick in scale.ticks():
        place = left + WIDTH * scale.share(tick)
        drawn.append(f'<path class="grid" d="M{place:.1f} {TOP}V{bottom}"/>')
        drawn.append(label(place, bottom + 18, scale.label(tick), "middle dim"))
    for row, (name, amount) in enumerate(amounts.items()):
        top = TOP + ROW * row
        drawn.append(label(left - 8, top + 15, word(name), "end", raw=True))
        width = WIDTH * scale.share(amount) if scale.shows(amount) else 0.0
        box = f'x="{left:.1f}" y="{top + 3}" width="{max(width, 1):.1f}" height="{ROW - 6}"'
        said = escaped(f"{name}: {amount:.4g}")
        drawn.append(f'<rect {box} fill="{COLOURS[0]}"><title>{said}</title></rect>')
    return figure(title, left + WIDTH + 40, bottom + 30, drawn)
