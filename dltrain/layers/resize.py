"""Images made larger without a weight: up-sampling, unpooling, shuffled pixels."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from math import prod
from typing import TYPE_CHECKING, Literal

import numpy as np

from dltrain.layers.base import Array, Backward, Layer, Shape, ShapeError
from dltrain.layers.geometry import Padding, Sizes, axes_of, for_each_axis
from dltrain.layers.windows import lay
from dltrain.registry import register

if TYPE_CHECKING:
    from dltrain.model.mode import Mode


@register("layer", "up_sample")
class UpSample(Layer):
    """An image `size` times as large, by repeating its points or by straight lines between them.

        y[i] = x[⌊i/s⌋], or between the two points next to (i + 1/2)/s - 1/2        (N, H, W, C) -> (N, H·s, W·s, C)

    Beyond its ends an image goes on as it ends.  The rank of the input decides over how many axes: sequences (N, T, C),
    images (N, H, W, C), volumes (N, D, H, W, C).

    Parameters:
        size: how many times s as large; a number, or a list with one for each axis
        interpolation: `nearest` repeats points, `bilinear` draws straight lines, along one axis after the other

    Example:
        >>> import numpy as np
        >>> from dltrain import build_model
        >>> model = build_model({"graph": {"y": [{"up_sample": {"interpolation": "bilinear"}}]}}, {"x": (2, 1)})
        >>> model.forward({"x": np.array([[[0.0], [4.0]]])})[0]["y"].ravel().tolist()
        [0.0, 1.0, 3.0, 4.0]

    Source: Long, Shelhamer, Darrell: Fully convolutional networks for semantic segmentation, 2015.
    """

    def __init__(self, size: Sizes = 2, interpolation: Literal["nearest", "bilinear"] = "nearest") -> None:
        self.size, self.interpolation = size, interpolation

    def build(self, *shapes: Shape) -> Shape:
        """Every axis but the channels grows."""
        (shape,) = shapes
        self.sizes = for_each_axis("size", self.size, axes_of(shape, "up_sample"))
        return (*(extent * size for extent, size in zip(shape, self.sizes, strict=False)), shape[-1])

    def forward(self, mode: Mode, *inputs: Array) -> tuple[Array, Backward]:
        """One axis after the other."""
        (x,) = inputs
        k, phases_of = mode.kernels(x), PHASES[self.interpolation]
        steps = [(axis, phases_of(size)) for axis, size in enumerate(self.sizes, 1)]
        shapes, y = [x.shape], x
        for axis, phases in steps:
            shape = (*y.shape[:axis], y.shape[axis] * len(phases), *y.shape[axis + 1 :])
            shapes.append(shape)
            new = mode.output if axis == len(steps) else mode.empty
            y = k.stretch(y, axis, phases, new(shape, x.dtype))

        def backward(dy: Array) -> Array:
            for (axis, phases), shape in zip(reversed(steps), reversed(shapes[:-1]), strict=True):
                dx = mode.like(x) if axis == 1 else mode.empty(shape, x.dtype)
                dy = k.stretch_backward(dy, axis, phases, dx)
            return dy

        return y, backward

    def window(self) -> tuple[int, int | Fraction]:
        """A point, or two neighbours; along the axis that grows least."""
        return 1 + (self.interpolation == "bilinear"), Fraction(1, min(self.sizes))


def between(size: int) -> tuple[tuple[int, float], ...]:
    """For each of the points around one: offset of its left neighbour, and how far it lies behind that.

    Example:
        >>> between(2)
        ((-1, 0.75), (0, 0.25))
    """
    centres = [(r + 0.5) / size - 0.5 for r in range(size)]
    return tuple((math.floor(c), c - math.floor(c)) for c in centres)


PHASES: dict[str, Callable[[int], tuple[tuple[int, float], ...]]] = {
    "nearest": lambda size: ((0, 0.0),) * size,
    "bilinear": between,
}


@register("layer", "max_unpool")
class MaxUnpool(Layer):
    """Puts pooled values back to where the maxima of an earlier image were; zeros elsewhere.

        y[argmax of window o of z] = x[o]        x (N, H', W', C), z (N, H, W, C) -> (N, H, W, C)

    z is the wire that the `max_pool` of the same settings read: ``max_unpool: {pool_size: 2, with: stem}``.  Where
    windows overlap, values that come to one place are added.  The gradient of z is 0: moving it moves no maximum.

    Parameters:
        pool_size: as in the `max_pool`
        strides: as in the `max_pool`
        padding: as in the `max_pool`
        ceil_mode: as in the `max_pool`

    Example:
        >>> import numpy as np
        >>> from dltrain import build_model
        >>> model = build_model({"graph": {"p": ["max_pool"], "y": [{"max_unpool": {"with": "x"}}]}}, {"x": (4, 1)})
        >>> model.forward({"x": np.array([[[1.0], [5.0], [3.0], [2.0]]])})[0]["y"].ravel().tolist()
        [0.0, 5.0, 3.0, 0.0]

    Source: Zeiler, Taylor, Fergus: Adaptive deconvolutional networks for mid and high level feature learning, 2011.
    """

    merges = True

    def __init__(
        self, pool_size: Sizes = 2, strides: Sizes | None = None, padding: Padding = "valid", ceil_mode: bool = False
    ) -> None:
        self.pool_size, self.strides, self.padding, self.ceil_mode = pool_size, strides, padding, ceil_mode

    def build(self, *shapes: Shape) -> Shape:
        """The shape of the earlier image."""
        image = shapes[-1]
        self.windows = lay(image, self.pool_size, self.strides, self.padding, self.ceil_mode)
        pooled = (*self.windows.places, image[-1])
        if shapes != (pooled, image):
            raise ShapeError(
                "max_unpool takes pooled values, and with the wire that the pooling read",
                f"{pooled} and {image}",
                "give it the settings of the max_pool",
            )
        return image

    def forward(self, mode: Mode, *inputs: Array) -> tuple[Array, Backward]:
        """The backward of a `max_pool`, and back again."""
        x, image = inputs
        k, pool = mode.kernels(x), self.windows.pool
        index = mode.empty(x.shape, np.dtype(np.int32))
        k.max_pool(image, pool, mode.empty(x.shape, x.dtype), index)
        y = k.max_pool_backward(x, index, pool, mode.output(image.shape, x.dtype))

        def backward(dy: Array) -> tuple[Array, Array]:
            nothing = mode.like(image)
            nothing.fill(0)
            return k.pick(dy, index, pool, mode.like(x)), nothing

        return y, backward

    def window(self) -> tuple[int, int | Fraction]:
        """The pooled values of the windows that a point lies in; along the axis of the largest."""
        size, stride = self.windows.reach
        return (size - 1) // stride + 1, Fraction(1, stride)


@register("layer", "pixel_shuffle")
class PixelShuffle(Layer):
    """Channels become pixels (depth to space): an image `size` times as large of a network that works on the small one.

        y[h·s + i, w·s + j, c] = x[h, w, (c·s + i)·s + j]        (N, H, W, C s²) -> (N, H·s, W·s, C)

    The rank of the input decides over how many axes, as in `up_sample`.

    Parameters:
        size: how many times s as large; a number, or a list with one for each axis

    Example:
        >>> import numpy as np
        >>> from dltrain import build_model
        >>> model = build_model({"graph": {"y": ["pixel_shuffle"]}}, {"x": (2, 2)})
        >>> model.forward({"x": np.array([[[1.0, 2.0], [3.0, 4.0]]])})[0]["y"].ravel().tolist()
        [1.0, 2.0, 3.0, 4.0]

    Source: Shi et al.: Real-time single image and video super-resolution using an efficient sub-pixel convolutional
    neural network, 2016.
    """

    def __init__(self, size: Sizes = 2) -> None:
        self.size = size

    def build(self, *shapes: Shape) -> Shape:
        """Channels are divided by what the image grows."""
        (shape,) = shapes
        self.sizes = for_each_axis("size", self.size, axes_of(shape, "pixel_shuffle"))
        blocks = prod(self.sizes)
        if shape[-1] % blocks:
            raise ShapeError(f"{shape[-1]} channels do not make pixels", f"a multiple of {blocks} channels")
        extents = zip(shape, self.sizes, strict=False)
        return (*(extent * size for extent, size in extents), shape[-1] // blocks)

    def forward(self, mode: Mode, *inputs: Array) -> tuple[Array, Backward]:
        """Each pixel's block of channels is spread over its pixels."""
        (x,) = inputs
        (n, *space, channels), sizes, rank = x.shape, self.sizes, len(self.sizes)
        apart = (n, *space, channels // prod(sizes), *sizes)  # (N, H, W, C, s, s)
        order = (0, *(i for axis in range(1, rank + 1) for i in (axis, axis + rank + 1)), rank + 1)
        pixels = tuple(apart[i] for i in order)  # (N, H, s, W, s, C)
        shape = (n, *(extent * size for extent, size in zip(space, sizes, strict=True)), apart[rank + 1])
        y = mode.empty(shape, x.dtype)
        y.reshape(pixels)[...] = x.reshape(apart).transpose(order)

        def backward(dy: Array) -> Array:
            dx = mode.empty(x.shape, x.dtype)
            dx.reshape(apart).transpose(order)[...] = dy.reshape(pixels)
            return dx

        return y, backward

    def window(self) -> tuple[int, int | Fraction]:
        """A point; along the axis that grows least."""
        return 1, Fraction(1, min(self.sizes))
