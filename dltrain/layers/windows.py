"""Where the windows of pooling come to lie on an image."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from dltrain.kernels.pool import Pool
from dltrain.layers.base import Array, Shape, ShapeError
from dltrain.layers.geometry import Padding, Sizes, axes_of, ends_of, for_each_axis, side_by_side


class Windows(NamedTuple):
    """The windows over an image.

    Parameters:
        pool: how they lie
        after: points of the padding behind the image's end
        places: how many there are along each axis, which is the extent of the output
        space: extents of the image's axes
    """

    pool: Pool
    after: tuple[int, ...]
    places: tuple[int, ...]
    space: tuple[int, ...]

    def counts(self, with_padding: bool) -> tuple[Array, ...]:
        """How many points the windows have along each axis: those of the image, or those of the padding too."""
        found = []
        for size, step, before, after, places, extent in zip(
            *self.pool, self.after, self.places, self.space, strict=True
        ):
            start = np.arange(places) * step - before
            low, high = (-before, extent + after) if with_padding else (0, extent)
            found.append(np.minimum(start + size, high) - np.maximum(start, low))
        return tuple(found)

    @property
    def padded(self) -> bool:
        """Whether there is padding at all."""
        return any(self.pool.before) or any(self.after)

    @property
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
    rank, space = axes_of(shape, "pooling"), shape[:-1]
    sizes = for_each_axis("pool_size", pool_size, rank)
    steps = sizes if strides is None else for_each_axis("strides", strides, rank)
    ends = ends_of(space, sizes, steps, padding)
    if padding == "same" and ceil_mode:
        what = "ceil_mode has no effect with `padding: same`, which leaves no point over"
        raise ShapeError(what, "ceil_mode false", "leave it out")
    if padding != "same" and any(before >= size for (before, _), size in zip(ends, sizes, strict=True)):
        furthest = max(before for before, _ in ends)
        what = f"a padding of {furthest} makes windows of {side_by_side(sizes)} that lie outside the image"
        raise ShapeError(what, "a padding smaller than pool_size", "half of pool_size is usual")
    axes = zip(space, steps, sizes, ends, strict=True)
    places = tuple(count(extent, step, size, *around, ceil_mode) for extent, step, size, around in axes)
    if min(places) < 1:
        hint = "take a smaller pool_size, `padding: same`, or fewer layers that shrink the image"
        what = f"windows of {side_by_side(sizes)} do not fit into {side_by_side(space)}"
        raise ShapeError(what, "a larger image", hint)
    before, after = zip(*ends, strict=True)
    return Windows(Pool(sizes, steps, before), after, places, space)


def count(extent: int, step: int, size: int, before: int, after: int, ceil_mode: bool) -> int:
    """How many windows there are along an axis; a last one that reaches over the end begins before it."""
    rest = before + extent + after - size
    if not ceil_mode:
        return rest // step + 1
    return min(-(-rest // step), (extent + before - 1) // step) + 1
