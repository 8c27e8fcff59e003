"""Margins of images: zeros, mirror images, or cut off."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from annotated_types import MaxLen, MinLen

from dltrain.layers.base import Array, Backward, Layer, Shape, ShapeError
from dltrain.layers.geometry import axes_of, for_each_axis
from dltrain.registry import register
from dltrain.types import NonNegativeInt, Words

if TYPE_CHECKING:
    from dltrain.model.mode import Mode

Pair = Annotated[list[NonNegativeInt], MinLen(2), MaxLen(2)]
Margins = Annotated[
    NonNegativeInt | Annotated[list[NonNegativeInt | Pair], MinLen(1)],
    Words("a whole number ≥ 0, or a list with one, or with [before, behind], for each axis"),
]


def both_ends(name: str, margins: int | list[int | list[int]], rank: int) -> list[tuple[int, int]]:
    """(before, behind) for each axis.

    Example:
        >>> both_ends("padding", 1, 2), both_ends("padding", [[0, 1], 2], 2)
        ([(1, 1), (1, 1)], [(0, 1), (2, 2)])
    """
    if not isinstance(margins, list):
        return [(margins, margins)] * rank
    for_each_axis(name, margins, rank)  # type: ignore[arg-type]  # says when there are too few
    return [(m[0], m[1]) if isinstance(m, list) else (m, m) for m in margins]


@register("layer", "zero_padding")
class ZeroPadding(Layer):
    """Zeros around an image.

    (N, H, W, C) -> (N, H + before + behind, W + before + behind, C)

    Parameters:
        padding: points added at both ends of an axis; a number, or a list with one, or with [before, behind], for
            each axis

    Example:
        >>> import numpy as np
        >>> from dltrain import build_model
        >>> model = build_model({"graph": {"y": [{"zero_padding": [[1, 2]]}]}}, {"x": (2, 1)})
        >>> model.forward({"x": np.array([[[3.0], [4.0]]])})[0]["y"].ravel().tolist()
        [0.0, 3.0, 4.0, 0.0, 0.0]

    Source: LeCun et al.: Gradient-based learning applied to document recognition, 1998.
    """

    def __init__(self, padding: Margins = 1) -> None:
        self.padding = padding

    def build(self, *shapes: Shape) -> Shape:
        """Every axis but the channels grows."""
        (shape,) = shapes
        self.ends = both_ends("padding", self.padding, axes_of(shape, "zero_padding"))
        return framed(shape, self.ends, 1)

    def forward(self, mode: Mode, *inputs: Array) -> tuple[Array, Backward]:
        """The image in a frame."""
        (x,) = inputs
        shape, inside = (x.shape[0], *framed(x.shape[1:], self.ends, 1)), within(x.shape[1:], self.ends)
        y = mode.output(shape, x.dtype)
        y.fill(0)
        y[inside] = x

        def backward(dy: Array) -> Array:
            dx = mode.like(x)
            dx[...] = dy[inside]
            return dx

        return y, backward


@register("layer", "cropping")
class Cropping(Layer):
    """An image without its margins.

    (N, H, W, C) -> (N, H - before - behind, W - before - behind, C)

    Parameters:
        cropping: points cut from both ends of an axis; a number, or a list with one, or with [before, behind], for
            each axis

    Example:
        >>> import numpy as np
        >>> from dltrain import build_model
        >>> model = build_model({"graph": {"y": [{"cropping": [[1, 2]]}]}}, {"x": (5, 1)})
        >>> model.forward({"x": np.array([[[1.0], [2.0], [3.0], [4.0], [5.0]]])})[0]["y"].ravel().tolist()
        [2.0, 3.0]

    Source: Ronneberger, Fischer, Brox: U-Net, 2015, which crops what it hands across.
    """

    def __init__(self, cropping: Margins = 1) -> None:
        self.cropping = cropping

    def build(self, *shapes: Shape) -> Shape:
        """Every axis but the channels shrinks."""
        (shape,) = shapes
        self.ends = both_ends("cropping", self.cropping, axes_of(shape, "cropping"))
        found = framed(shape, self.ends, -1)
        if min(found[:-1]) < 1:
            least = tuple(before + behind + 1 for before, behind in self.ends)
            raise ShapeError("cropping leaves nothing of the image", f"at least {least} and channels", "cut less")
        return found

    def forward(self, mode: Mode, *inputs: Array) -> tuple[Array, Backward]:
        """What is inside."""
        (x,) = inputs
        shape = framed(x.shape[1:], self.ends, -1)
        inside = within(shape, self.ends)
        y = mode.output((x.shape[0], *shape), x.dtype)
        y[...] = x[inside]

        def backward(dy: Array) -> Array:
            dx = mode.like(x)
            dx.fill(0)
            dx[inside] = dy
            return dx

        return y, backward


def framed(shape: Shape, ends: list[tuple[int, int]], sign: int) -> Shape:
    """The shape with margins (sign 1) or without (-1)."""
    extents = zip(shape, ends, strict=False)
    return (*(extent + sign * (before + behind) for extent, (before, behind) in extents), shape[-1])


def within(shape: Shape, ends: list[tuple[int, int]]) -> tuple[slice, ...]:
    """Where an image of this shape lies in its frame, batch axis and all."""
    places = zip(shape, ends, strict=False)
    return (slice(None), *(slice(before, before + extent) for extent, (before, _) in places))


@register("layer", "reflect_padding")
class ReflectPadding(Layer):
    """Mirror images around an image; its outermost points are not repeated.

        y = … x₂ x₁ | x₀ x₁ x₂ … x_{L-1} | x_{L-2} x_{L-3} …        (N, H, W, C) -> (N, H + …, W + …, C)

    Parameters:
        padding: points added at both ends of an axis; a number, or a list with one, or with [before, behind], for
            each axis; fewer than the image has

    Example:
        >>> import numpy as np
        >>> from dltrain import build_model
        >>> model = build_model({"graph": {"y": [{"reflect_padding": [[1, 2]]}]}}, {"x": (3, 1)})
        >>> model.forward({"x": np.array([[[1.0], [2.0], [3.0]]])})[0]["y"].ravel().tolist()
        [2.0, 1.0, 2.0, 3.0, 2.0, 1.0]

    Source: Johnson, Alahi, Fei-Fei: Perceptual losses for real-time style transfer and super-resolution, 2016.
    """

    def __init__(self, padding: Margins = 1) -> None:
        self.padding = padding

    def build(self, *shapes: Shape) -> Shape:
        """Every axis but the channels grows."""
        (shape,) = shapes
        self.ends = both_ends("padding", self.padding, axes_of(shape, "reflect_padding"))
        if any(max(ends) >= extent for extent, ends in zip(shape, self.ends, strict=False)):
            least = tuple(max(ends) + 1 for ends in self.ends)
            raise ShapeError("the mirror image is larger than the image", f"at least {least} and channels", "pad less")
        return framed(shape, self.ends, 1)

    def forward(self, mode: Mode, *inputs: Array) -> tuple[Array, Backward]:
        """One axis after the other."""
        (x,) = inputs
        k, shapes, y = mode.kernels(x), [x.shape], x
        steps = list(enumerate(self.ends, 1))
        for axis, (before, behind) in steps:
            shape = (*y.shape[:axis], y.shape[axis] + before + behind, *y.shape[axis + 1 :])
            shapes.append(shape)
            new = mode.output if axis == len(steps) else mode.empty
            y = k.reflect(y, axis, before, behind, new(shape, x.dtype))

        def backward(dy: Array) -> Array:
            for (axis, (before, behind)), shape in zip(reversed(steps), reversed(shapes[:-1]), strict=True):
                dx = mode.like(x) if axis == 1 else mode.empty(shape, x.dtype)
                dy = k.reflect_backward(dy, axis, before, behind, dx)
            return dy

        return y, backward
