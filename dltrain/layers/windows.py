"""Where the windows of pooling come to lie on an image."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from dltrain.kernels.pool import Pool
from dltrain.layers.base import Array, Shape, ShapeError
from dltrain.layers.geometry import IMAGES, Padding, Sizes, for_each_axis


class Windows(NamedTuple):
    """The windows over an image.

    Parameters:
        pool: how they lie
        places: how many there are along each axis, which is the extent of the output
        space: extents of the image's axes
    """

    pool: Pool
    places: tuple[int, ...]
    space: tuple[int, ...]

    def counts(self, with_padding: bool) -> tuple[Array, ...]:
        """How many points the windows have along each axis: those of the image, or those of the padding too."""
        found = []
        for size, step, before, places, extent in zip(*self.pool, self.places, self.space, strict=True):
            start = np.arange(places) * step - before
            low, high = (-before, extent + before) if with_padding else (0, extent)
            found.append(np.minimum(start + size, high) - np.maximum(start, low))
        return tuple(found)

    def reach(self) -> tuple[int, int]:
        """(size, stride) along the axis of the largest windows."""
        return max(zip(self.pool.sizes, self.pool.strides, strict=True))


def lay(shape: Shape, pool_size: Sizes, strides: Sizes | None, padding: Padding, ceil_mode: bool) -> Windows:
    """Lay windows over an image, each of which has a point in it.

    Parameters:
        shape: of the image, channels last
        pool_size: points of a window
        strides: steps between two windows; None takes pool_size, so that windows lie side by side
        padding: same, valid or numbers of points
        ceil_mode: whether a last window may reach over the end

    Raises:
        ShapeError: when this is no image, or the windows do not fit.

    Example:
        >>> lay((5, 6, 1), 2, None, "valid", False).places, lay((5, 6, 1), 2, None, "valid", True).places
        ((2, 3), (3, 3))
    """
    space = shape[:-1]
    if not 1 <= len(space) <= 3:
        raise ShapeError("pooling takes sequences, images and volumes", IMAGES)
    sizes = for_each_axis("pool_size", pool_size, len(space))
    steps = sizes if strides is None else for_each_axis("strides", strides, len(space))
    if padding == "same":
        places = tuple(-(-extent // step) for extent, step in zip(space, steps, strict=True))
        axes = zip(space, steps, sizes, places, strict=True)
        before = tuple(max(0, (count - 1) * step + size - extent) // 2 for extent, step, size, count in axes)
        return Windows(Pool(sizes, steps, before), places, space)
    before = (0,) * len(space) if padding == "valid" else for_each_axis("padding", padding, len(space))
    if any(points >= size for points, size in zip(before, sizes, strict=True)):
        what = f"a padding of {max(before)} makes windows of {side_by_side(sizes)} that lie outside the image"
        raise ShapeError(what, "a padding smaller than pool_size", "half of pool_size is usual")
    axes = zip(space, steps, sizes, before, strict=True)
    places = tuple(count(extent, step, size, points, ceil_mode) for extent, step, size, points in axes)
    if min(places) < 1:
        hint = "take a smaller pool_size, `padding: same`, or fewer layers that shrink the image"
        what = f"windows of {side_by_side(sizes)} do not fit into {side_by_side(space)}"
        raise ShapeError(what, "a larger image", hint)
    return Windows(Pool(sizes, steps, before), places, space)


def count(extent: int, step: int, size: int, before: int, ceil_mode: bool) -> int:
    """How many windows there are along an axis; a last one that reaches over the end begins before it."""
    rest = extent + 2 * before - size
    if not ceil_mode:
        return rest // step + 1
    return min(-(-rest // step), (extent + before - 1) // step) + 1


def side_by_side(sizes: tuple[int, ...]) -> str:
    """2×2"""
    return "×".join(map(str, sizes))
