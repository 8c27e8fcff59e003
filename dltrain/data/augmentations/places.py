"""Where the pixels of new pictures come from, and with it where goes what lies in a picture: masks, points, boxes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from dltrain.data.examples import Array, DataSet
from dltrain.data.wanted import IGNORED

STEPS = 100  # at most, to undo a bend: each makes the error smaller by the factor of the bend's steepest slope
CLOSE = 1e-6  # pixels


@dataclass
class Places:
    """Where each pixel of new pictures is read in the old ones:  A (p + offset(p)), for places p = (row, column, 1).

    Parameters:
        matrices: (N, 3, 3) the A of each picture
        offsets: (N, H, W, 2) rows and columns, or None
        border: what lies beside a picture: reflect, nearest or zero

    Example:
        >>> turned_over = Places(np.array([[[1.0, 0, 0], [0, -1, 2], [0, 0, 1]]]), None, "zero")  # of three columns
        >>> turned_over.points(np.array([[[0.5, 2.0]]])).tolist()
        [[[0.5, 0.0]]]
    """

    matrices: Array
    offsets: Array | None
    border: str

    def pictures(self, x: Array, kernels: Any) -> Array:
        """Pictures (N, H, W, C), interpolated between pixels."""
        return np.asarray(kernels.resample(x, self.affine, self.offsets, self.border, np.empty_like(x)))

    def masks(self, y: Array, kernels: Any) -> Array:
        """Masks (N, H, W): the classes of the nearest pixels; what comes in from beside a black border is ignored."""
        out = np.empty_like(y)
        return np.asarray(kernels.resample_labels(y, self.affine, self.offsets, self.border, IGNORED, out))

    @property
    def affine(self) -> Array:
        """(N, 2, 3), as the kernels take the matrices."""
        return np.ascontiguousarray(self.matrices[:, :2])

    def points(self, p: Array) -> Array:
        """Points (N, P, 2) of the old pictures, rows and columns, in the new ones, where they may lie beside them.

        A bend is undone by steps q <- A⁻¹ p - offset(q), which come to rest where it does not fold the picture.
        """
        inverse = np.linalg.inv(self.matrices).swapaxes(1, 2)
        found = start = (np.concatenate([p, np.ones_like(p[..., :1])], axis=2) @ inverse)[..., :2]  # (N, P, 2)
        if self.offsets is not None:
            for _ in range(STEPS):
                before, found = found, start - between(self.offsets, found)
                if np.abs(found - before).max(initial=0) < CLOSE:
                    break
        return found


def between(grid: Array, p: Array) -> Array:
    """Values (N, P, M) of grids (N, H, W, M) at points (N, P, 2), interpolated; beside a grid those of its border."""
    n, size = np.arange(len(grid))[:, None], np.array(grid.shape[1:3])
    inside = p.clip(0, size - 1)
    low = np.floor(inside).astype(np.int64)
    high, share = np.minimum(low + 1, size - 1), inside - low
    total: Array = np.zeros((*p.shape[:2], grid.shape[3]))
    for i, down in ((low, 1 - share[..., :1]), (high, share[..., :1])):
        for j, across in ((low, 1 - share[..., 1:]), (high, share[..., 1:])):
            total = total + down * across * grid[n, i[..., 0], j[..., 1]]
    return total


def follow_points(places: Places, target: Array, size: Array) -> Array:
    """Targets (N, 2 P): x, y of each point, as shares of the picture's width and height."""
    p = target.reshape(len(target), -1, 2)[..., ::-1] * size - 0.5  # in pixels, whose middles are whole numbers
    return ((places.points(p) + 0.5) / size)[..., ::-1].reshape(target.shape).astype(target.dtype)


def follow_boxes(places: Places, target: Array, size: Array) -> Array:
    """Targets (N, 4 B): left, top, right, bottom of each box, upright, about the four corners where they go."""
    corners = target.reshape(-1, 4)[:, [0, 1, 2, 1, 0, 3, 2, 3]].reshape(len(target), -1)
    moved = follow_points(places, corners, size).reshape(-1, 4, 2)  # a box's corners (x, y)
    return np.concatenate([moved.min(axis=1), moved.max(axis=1)], axis=1).reshape(target.shape)


class Drawn(NamedTuple):
    """Targets that lie in the pictures and move along with them.

    Parameters:
        kind: masks, points or boxes
        columns: which of the targets they are
        ignorable: whether a pixel of a mask may have no class
    """

    kind: str
    columns: slice = slice(None)
    ignorable: bool = False

    def follow(self, places: Places, target: Array, size: tuple[int, int], kernels: Any) -> Array:
        """All targets, these where their pixels go; `size` is the height and width of the pictures."""
        if self.kind == "masks":
            return places.masks(target, kernels)
        moved = target.copy()
        moved[:, self.columns] = FOLLOW[self.kind](places, target[:, self.columns], np.array(size))
        return moved


def drawn_in(data: DataSet) -> list[Drawn]:
    """The targets of a data set that lie in its pictures."""
    kinds = {name: "masks" if need["kind"] == "masks" else need.get("places") for name, need in data.needs.items()}
    columns = {name: slice(*head["columns"]) for name, head in data.heads.items()}
    return [
        Drawn(kind, columns.get(name, slice(None)), data.needs[name]["ignore"] is not None)
        for name, kind in kinds.items()
        if kind
    ]


FOLLOW: dict[str, Callable[[Places, Array, Array], Array]] = {"points": follow_points, "boxes": follow_boxes}
