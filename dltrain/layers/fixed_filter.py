"""Filters whose weights are known beforehand: what the kernel of a convolution is, before one is learned."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from annotated_types import MinLen

from dltrain.layers.base import Array, Backward, Layer, Shape, ShapeError
from dltrain.layers.geometry import Padding, Sizes, fit
from dltrain.registry import register
from dltrain.types import Words

if TYPE_CHECKING:
    from dltrain.model.mode import Mode

Name = Literal[
    "vertical",
    "horizontal",
    "sobel_x",
    "sobel_y",
    "scharr_x",
    "scharr_y",
    "laplacian",
    "blur",
    "gaussian",
    "sharpen",
]
Rows = Annotated[list[Annotated[list[float], MinLen(1)]], MinLen(1), Words("rows of numbers, such as [[-1, 0, 1]]")]


def across(down: list[float]) -> Array:
    """The difference between right and left, smoothed downwards by these weights."""
    return np.outer(down, [-1, 0, 1])


FILTERS: dict[Name, Array] = {
    "vertical": across([1, 1, 1]),
    "horizontal": across([1, 1, 1]).T,
    "sobel_x": across([1, 2, 1]),
    "sobel_y": across([1, 2, 1]).T,
    "scharr_x": across([3, 10, 3]),
    "scharr_y": across([3, 10, 3]).T,
    "laplacian": np.array([[0, 1, 0], [1, -4, 1], [0, 1, 0]]),
    "blur": np.ones((3, 3)) / 9,
    "gaussian": np.outer([1, 2, 1], [1, 2, 1]) / 16,
    "sharpen": np.array([[0, -1, 0], [-1, 5, -1], [0, -1, 0]]),
}


@register("layer", "fixed_filter")
class FixedFilter(Layer):
    """A filter with given weights, the same for each channel: it shows edges, blurs or sharpens, and is not trained.

        y[o, c] = Σ_k x[o·s - p + k, c] W[k]        (N, H, W, C) -> (N, H', W', C), W (KH, KW)

    What a `conv` learns is such a kernel.  Those that show edges are differences, right less left (`_x`, `vertical`)
    or lower less upper (`_y`, `horizontal`), of means over three rows or columns: with weights 1 1 1 (Prewitt),
    1 2 1 (Sobel) or 3 10 3 (Scharr).  The laplacian is the sum of the neighbours less 4 times the middle, blur the
    mean of nine, gaussian a mean with weights 1 2 1 both ways, sharpen the image less its laplacian.

    Parameters:
        filter: the name of the kernel W, or its rows of numbers
        strides: steps s between two places of the kernel; a number or a list
        padding: zeros around the image, as for `conv`; with `valid` the frame does not show as an edge

    Example:
        >>> import numpy as np
        >>> from dltrain import build_model
        >>> layer = {"fixed_filter": {"filter": "vertical", "padding": "valid"}}
        >>> model = build_model({"graph": {"y": [layer]}}, {"x": (3, 6, 1)})
        >>> image = np.array([[10.0, 10.0, 10.0, 0.0, 0.0, 0.0]] * 3)  # bright at the left, dark at the right
        >>> model.forward({"x": image[None, :, :, None]})[0]["y"].ravel().tolist()
        [0.0, -30.0, -30.0, 0.0]

    Source: Prewitt: Object enhancement and extraction, 1970; Sobel, Feldman: A 3×3 isotropic gradient operator for
    image processing, 1968; Scharr: Optimale Operatoren in der digitalen Bildverarbeitung, 2000.
    """

    def __init__(self, filter: Name | Rows, strides: Sizes = 1, padding: Padding = "same") -> None:
        self.filter, self.strides, self.padding = filter, strides, padding

    def build(self, *shapes: Shape) -> Shape:
        """(H, W, C) -> (H', W', C)"""
        (shape,) = shapes
        if len(shape) != 3:
            hint = "`reshape: [height, width, channels]` makes an image of a vector"
            raise ShapeError("fixed filters are for images", "(height, width, channels)", hint)
        lengths = [] if isinstance(self.filter, str) else [len(row) for row in self.filter]
        if len(set(lengths)) > 1:
            what = f"the rows of the filter have {' and '.join(map(str, sorted(set(lengths))))} numbers"
            raise ShapeError(what, "rows of one length", "complete them, with 0 where the filter looks at nothing")
        W = FILTERS[self.filter] if isinstance(self.filter, str) else np.array(self.filter)
        *space, channels = shape
        self.geometry = fit(tuple(space), list(W.shape), self.strides, self.padding, 1, channels)
        self.weights = np.repeat(W[:, :, None, None].astype(np.float64), channels, 3)  # (KH, KW, 1, C)
        return (*self.geometry.places, channels)

    def forward(self, mode: Mode, *inputs: Array) -> tuple[Array, Backward]:
        """A convolution with one channel in each group, whose kernel is a constant."""
        (x,) = inputs
        k, empty, window, needs_dx = mode.kernels(x), mode.empty, self.geometry.window, mode.needs_dx
        W = self.weights.astype(x.real.dtype)
        y = mode.output((len(x), *self.geometry.places, x.shape[-1]), x.dtype)
        k.convolution(x, W, None, "linear", window, y, empty)

        def backward(dy: Array) -> Array | None:
            return k.convolution_inputs(W, dy, dy, mode.like(x), "linear", window, empty) if needs_dx else None

        return y, backward

    def multiply_adds(self, output: Shape, *shapes: Shape) -> int:
        """One for each number of the kernel and each value of the output."""
        return prod(output) * prod(self.geometry.sizes)

    def window(self) -> tuple[int, int]:
        """Of the axis along which the kernel spans most."""
        return self.geometry.reach
