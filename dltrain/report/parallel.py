"""Parallel coordinates: many settings of many trials at a look."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dltrain.report.scale import Scale
from dltrain.report.svg import COLOURS, HEIGHT, TOP, figure, label, word
from dltrain.report.text import escaped

LEFT, APART = 90, 160  # place of the first axis, and room between two


@dataclass(frozen=True)
class Axis:
    """An upright axis.

    Parameters:
        name: below it
        low: what is written at its lower end
        high: and at its upper end
        places: of each trial from 0 to 1; None where it has none
    """

    name: str
    low: str
    high: str
    places: Sequence[float | None]


def parallel(title: str, axes: Sequence[Axis], texts: Sequence[str]) -> str:
    """A line for each trial across all axes, the more visible the higher it ends on the last one.

    Parameters:
        title: above the chart
        axes: from left to right, each with a place for every trial; the last is the result, whose best is 1
        texts: what the pointer is told of each trial

    Source: Inselberg: The plane with parallel coordinates, 1985.

    Example:
        >>> axes = [Axis("rate", "0.001", "0.1", [0.0, 0.5]), Axis("accuracy", "0.9", "1", [0.2, 1.0])]
        >>> parallel("trials", axes, ["trial 1", "trial 2"]).count("<polyline")
        2
    """
    order = sorted(range(len(texts)), key=lambda trial: axes[-1].places[trial] or 0.0)
    drawn = [trial_line(axes, trial, texts[trial], order.index(trial) >= 0.9 * len(order)) for trial in order]
    for position, axis in enumerate(axes):
        place = LEFT + APART * position
        drawn.append(f'<path class="axis" d="M{place} {TOP + 16}v{HEIGHT - 16}"/>')
        drawn.append(label(place, TOP + 8, axis.high, "middle dim"))
        drawn.append(label(place, TOP + HEIGHT + 16, axis.low, "middle dim"))
        drawn.append(label(place, TOP + HEIGHT + 36, word(axis.name), "middle", raw=True))
    return figure(title, 2 * LEFT + APART * (len(axes) - 1), TOP + HEIGHT + 50, drawn)


def trial_line(axes: Sequence[Axis], trial: int, text: str, best: bool) -> str:
    """The line of a trial; it passes over axes on which it has no place."""
    points = []
    for position, axis in enumerate(axes):
        share = axis.places[trial]
        if share is not None and Scale(0, 1).shows(share):
            points.append(f"{LEFT + APART * position},{TOP + 16 + (HEIGHT - 16) * (1 - share):.1f}")
    colour, shown = (COLOURS[1], 1.0) if best else (COLOURS[0], 0.35)
    look = f'fill="none" stroke="{colour}" stroke-width="2" stroke-opacity="{shown}"'
    return f'<polyline points="{" ".join(points)}" {look}><title>{escaped(text)}</title></polyline>'
