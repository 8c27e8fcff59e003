"""Transposed convolution: the way back of a convolution, as a way forward to a larger image."""

from __future__ import annotations

from fractions import Fraction
from math import prod
from typing import TYPE_CHECKING

from dltrain.layers.base import Array, Backward, Layer, Parameter, Shape
from dltrain.layers.convolution import divided
from dltrain.layers.geometry import Padding, Points, Sizes, fit_transposed, span
from dltrain.registry import register
from dltrain.types import Initializer, PositiveInt

if TYPE_CHECKING:
    from dltrain.model.mode import Mode


@register("layer", "conv_transpose")
class ConvTranspose(Layer):
    """Transposed convolution: every point puts down each filter, weighted by its value, and what overlaps is added.

        y[i·s - p + k·d] = Σ x[i] W[k]ᵀ + b        (N, H, W, C) -> (N, H', W', O), W (KH, KW, O / groups, C), b (O,)

    It is the backward to the data of a `conv` with the same options, whose kernel has the same shape: it makes the
    image whose convolution has the extents of x.  The rank of the input decides over how many axes the kernel moves.

    Parameters:
        filters: number of filters O, the channels of the output
        kernel_size: size of the kernel K; a number, or a list with one for each axis
        strides: steps s between the places where two neighbours put down their filters; a number or a list
        padding: `same` makes extent · stride points, `valid` all that the kernel covers, a number (or a list) cuts so
            many of those off at each end: each as in the `conv` that leads back
        output_padding: points more at the far end, fewer than strides, for extents that a `conv` with strides rounds
            down; goes with `valid` or a number for padding
        dilation_rate: steps d between two points of the kernel; a number or a list
        groups: the channels are cut into so many parts, each with filters of its own
        use_bias: whether b is there
        kernel_initializer: what fills W at the start; fan in is K·C / (groups · strides), for so many terms make a
            value, fan out K·O / groups
        bias_initializer: what fills b at the start

    Example:
        >>> import numpy as np
        >>> from dltrain import build_model
        >>> conv = {"filters": 1, "kernel_size": 3, "strides": 2, "padding": "valid", "kernel_initializer": "ones"}
        >>> model = build_model({"graph": {"y": [{"conv_transpose": conv}]}}, {"x": (2, 1)})
        >>> model.forward({"x": np.array([[[1.0], [5.0]]])})[0]["y"].ravel().tolist()
        [1.0, 1.0, 6.0, 5.0, 5.0]

    Source: Zeiler, Krishnan, Taylor, Fergus: Deconvolutional networks, 2010; Dumoulin, Visin: A guide to convolution
    arithmetic for deep learning, 2016.
    """

    def __init__(
        self,
        filters: PositiveInt,
        kernel_size: Sizes = 3,
        strides: Sizes = 1,
        padding: Padding = "same",
        output_padding: Points = 0,
        dilation_rate: Sizes = 1,
        groups: PositiveInt = 1,
        use_bias: bool = True,
        kernel_initializer: Initializer = "he_normal",
        bias_initializer: Initializer = "zeros",
    ) -> None:
        self.filters, self.kernel_size, self.strides, self.padding = filters, kernel_size, strides, padding
        self.output_padding, self.dilation_rate, self.groups = output_padding, dilation_rate, groups
        self.use_bias, self.kernel_initializer, self.bias_initializer = use_bias, kernel_initializer, bias_initializer

    def build(self, *shapes: Shape) -> Shape:
        """(H, W, C) -> (H', W', O), and so for other numbers of axes."""
        space, channels = divided(shapes[0], self.filters, self.groups, "conv_transpose")
        groups = self.groups
        sizes = (space, self.kernel_size, self.strides, self.padding, self.dilation_rate)
        self.geometry = fit_transposed(*sizes, self.output_padding, groups)
        points, steps = prod(self.geometry.sizes), prod(self.geometry.window.strides)
        fans = (max(1, points * channels // (groups * steps)), points * self.filters // groups)
        shape = (*self.geometry.sizes, self.filters // groups, channels)
        self.kernel = Parameter("kernel", shape, self.kernel_initializer, fans=fans, decays=True)
        self.bias = Parameter("bias", (self.filters,), self.bias_initializer, fans=fans) if self.use_bias else None
        self.parameters = (self.kernel,) if self.bias is None else (self.kernel, self.bias)
        return (*self.geometry.places, self.filters)

    def forward(self, mode: Mode, *inputs: Array) -> tuple[Array, Backward]:
        """The convolution's backward to the data forward, and its forward and its backward to the weights back."""
        (x,) = inputs
        k, empty, kernel, bias, window = mode.kernels(x), mode.empty, self.kernel, self.bias, self.geometry.window
        y, needs_dx = mode.output((len(x), *self.geometry.places, self.filters), x.dtype), mode.needs_dx
        k.convolution_inputs(kernel.value, x, x, y, "linear", window, empty)
        if bias is not None:
            k.add_bias(y, bias.value, y)

        def backward(dy: Array) -> Array | None:
            k.convolution_weights(dy, x, x, kernel.grad, None, "linear", window, kernel.accumulates(), empty)
            if bias is not None:
                k.bias_gradient(dy, bias.grad, bias.accumulates())
            return k.convolution(dy, kernel.value, None, "linear", window, mode.like(x), empty) if needs_dx else None

        return y, backward

    def multiply_adds(self, output: Shape, *shapes: Shape) -> int:
        """K·O / groups for every value of the input."""
        return prod(shapes[0]) * prod(self.kernel.shape[:-1])

    def window(self) -> tuple[int, int | Fraction]:
        """Of the axis along which a value of the output sees most points."""
        spans = map(span, self.geometry.sizes, self.geometry.window.dilation)
        axes = zip(spans, self.geometry.window.strides, strict=True)
        return max(((wide - 1) // step + 1, Fraction(1, step)) for wide, step in axes)
