"""What a view sees: numbers, and sheets of pictures; and how numbers become colours."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from dltrain.layers.base import Array

Tell = Callable[[str], None]  # is told how far the work is
SHARE = 0.6  # of the heat in a picture that it is laid over


@dataclass(frozen=True)
class Sheet:
    """Pictures of one size, side by side.

    Parameters:
        pictures: each (H, W, 1) or (H, W, 3) bytes
        labels: a text for each
        columns: 0: about as many as rows
    """

    pictures: Sequence[Array]
    labels: Sequence[str]
    columns: int = 0

    def stacked(self) -> Array:
        """(N, H, W, 3) bytes."""
        return np.stack([np.broadcast_to(picture, (*picture.shape[:2], 3)) for picture in self.pictures])


@dataclass
class Seen:
    """What a view saw.

    Parameters:
        result: its numbers as plain data
        sheets: {name: sheet}, each a PNG file
        arrays: {name: array}, the numbers behind the pictures
        figures: {name: figure}, each an SVG file
        lines: what a terminal shows
        notes: what one should know about it
    """

    result: dict[str, Any]
    sheets: dict[str, Sheet]
    arrays: dict[str, Array] = field(default_factory=dict)
    figures: dict[str, str] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def grey(values: Array) -> Array:
    """Values as bytes of the same shape: the smallest is black, the largest white.

    Example:
        >>> grey(np.array([-1.0, 0.0, 1.0])).tolist()
        [0, 128, 255]
    """
    return np.rint(255 * share(values)).astype(np.uint8)


def share(values: Array) -> Array:
    """Values from 0, the smallest, to 1, the largest; all 0 where they are equal."""
    low, high = float(values.min()), float(values.max())
    return (values.astype(np.float64) - low) / ((high - low) or 1.0)


def heat(shares: Array) -> Array:
    """Numbers from 0 to 1 (H, W) as colours from black over red and yellow to white, (H, W, 3) bytes.

    Example:
        >>> heat(np.array([[0.0, 1 / 3, 2 / 3, 1.0]])).tolist()
        [[[0, 0, 0], [255, 0, 0], [255, 255, 0], [255, 255, 255]]]
    """
    return np.rint(255 * (3 * shares[..., None] - np.arange(3)).clip(0, 1)).astype(np.uint8)


def signed(values: Array) -> Array:
    """Numbers (H, W) as colours about 0, which is white: blue below, red above; (H, W, 3) bytes.

    Example:
        >>> signed(np.array([[-2.0, 0.0, 1.0]])).tolist()
        [[[0, 0, 255], [255, 255, 255], [255, 128, 128]]]
    """
    part = values.astype(np.float64) / (float(np.abs(values).max()) or 1.0)
    above, below = part.clip(0, 1), (-part).clip(0, 1)
    return np.rint(255 * (1 - np.stack([below, above + below, above], axis=-1))).astype(np.uint8)


def laid_over(picture: Array, shares: Array) -> Array:
    """Heat (H, W), numbers from 0 to 1, over a grey version of a picture (H, W, C)."""
    below = np.broadcast_to(picture.mean(axis=-1, keepdims=True), (*picture.shape[:2], 3))
    return np.rint((1 - SHARE) * below + SHARE * heat(shares)).astype(np.uint8)


def enlarged(values: Array, height: int, width: int) -> Array:
    """A map (h, w) as large as a picture, linear between the middles of its cells.

    Example:
        >>> enlarged(np.array([[0.0, 1.0]]), 1, 4).tolist()
        [[0.0, 0.25, 0.75, 1.0]]
    """
    rows, columns = (between(*sides) for sides in ((height, values.shape[0]), (width, values.shape[1])))
    return np.asarray(rows @ values @ columns.T)


def between(points: int, cells: int) -> Array:
    """The weights (points, cells) of the cells at each point."""
    places = (np.arange(points) + 0.5) * cells / points - 0.5
    return np.stack([np.interp(places, np.arange(cells), one) for one in np.eye(cells)], axis=1)
