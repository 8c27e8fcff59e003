"""What an exploration finds: numbers, tables, charts and pictures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from dltrain.data.examples import Array
from dltrain.explore.subject import Subject
from dltrain.report.svg import scatter_chart

Tell = Callable[[str], None]  # is told how far the work is
MOST_POINTS = 3000  # of a picture; more of them cover each other


@dataclass(frozen=True)
class Table:
    """A table for the terminal.

    Parameters:
        title: above it
        headers: of its columns
        rows: their cells; numbers are aligned right
    """

    title: str
    headers: Sequence[str]
    rows: Sequence[Sequence[Any]]


@dataclass(frozen=True)
class Chart:
    """A line for the terminal: ys over rising xs."""

    title: str
    xs: Sequence[float]
    ys: Sequence[float]


@dataclass
class Finding:
    """What an exploration found.

    Parameters:
        result: its numbers as plain data
        shown: tables, charts and sentences, in the order in which a terminal shows them
        figures: {name: SVG}
        columns: {name: (N,) what was found for each sample}
        notes: what one should know about it
    """

    result: dict[str, Any]
    shown: list[Table | Chart | str] = field(default_factory=list)
    figures: dict[str, str] = field(default_factory=dict)
    columns: dict[str, Array] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def scatter(title: str, axes: tuple[str, str], places: Array, groups: Mapping[str, Array]) -> str:
    """A picture of samples in the plane, coloured by group; of very many, every second, third, … one.

    Parameters:
        title: above it
        axes: names of the two axes
        places: (N, 2)
        groups: {name: positions}

    Example:
        >>> text = scatter("map", ("a", "b"), np.eye(4, 2), {"cat": np.array([0, 1]), "dog": np.array([2, 3])})
        >>> "cat" in text and "dog" in text
        True
    """
    stride = -(-len(places) // MOST_POINTS)
    kept = {name: places[positions][::stride] for name, positions in groups.items()}
    return scatter_chart(
        title, *axes, {name: (some[:, 0].tolist(), some[:, 1].tolist()) for name, some in kept.items()}
    )


def plane(subject: Subject) -> tuple[Array, tuple[str, str]]:
    """Where the samples stand in the plane of the first two principal components, and the names of its axes."""
    from sklearn.decomposition import PCA

    found = PCA(2, random_state=subject.random_state)
    places = np.asarray(found.fit_transform(subject.x))
    first, second = (
        f"component {k + 1} ({share:.0%} of the variance)" for k, share in enumerate(found.explained_variance_ratio_)
    )
    return places, (first, second)
