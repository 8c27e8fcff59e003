"""Convolution over sequences, images and volumes."""

from __future__ import annotations

from math import gcd, prod
from typing import TYPE_CHECKING

from dltrain.layers.base import Array, Backward, Layer, Parameter, Shape, ShapeError, no_backward
from dltrain.layers.geometry import Padding, Sizes, axes_of, fit
from dltrain.registry import register
from dltrain.types import Initializer, PositiveInt

if TYPE_CHECKING:
    from dltrain.model.mode import Mode


@register("layer", "conv")
class Conv(Layer):
    """Convolution: at every place, each filter is a weighted sum of the points around it, with the same weights.

        y[o] = Σ_k x[o·s - p + k·d] W[k] + b        (N, H, W, C) -> (N, H', W', O), W (KH, KW, C / groups, O), b (O,)

    The rank of the input decides over how many axes the kernel moves: sequences (N, T, D), images (N, H, W, C), volumes
    (N, D, H, W, C).  Like everywhere in the field, the kernel is not turned over (it is a cross-correlation).

    Parameters:
        filters: number of filters O, the channels of the output
        kernel_size: size of the kernel K; a number, or a list with one for each axis
        strides: steps s between two places of the kernel; a number or a list
        padding: zeros around the image; `same` makes ⌈extent / stride⌉ places (an odd zero lies at the far end),
            `valid` makes none, a number (or a list) says how many there are on each side
        dilation_rate: steps d between two points of the kernel; a number or a list
        groups: the channels are cut into so many parts, each with filters of its own
        use_bias: whether b is there
        kernel_initializer: what fills W at the start; fan in is K·C / groups, fan out K·O / groups
        bias_initializer: what fills b at the start

    Example:
        >>> import numpy as np
        >>> from dltrain import build_model
        >>> conv = {"filters": 1, "kernel_size": 2, "padding": "valid", "kernel_initializer": "ones"}
        >>> model = build_model({"graph": {"y": [{"conv": conv}]}}, {"x": (4, 1)})
        >>> model.forward({"x": np.array([[[1.0], [2.0], [3.0], [4.0]]])})[0]["y"].ravel().tolist()
        [3.0, 5.0, 7.0]

    Source: LeCun et al.: Gradient-based learning applied to document recognition, 1998; dilation: Yu, Koltun:
    Multi-scale context aggregation by dilated convolutions, 2016; groups: Krizhevsky, Sutskever, Hinton: ImageNet
    classification with deep convolutional neural networks, 2012.
    """

    def __init__(
        self,
        filters: PositiveInt,
        kernel_size: Sizes = 3,
        strides: Sizes = 1,
        padding: Padding = "same",
        dilation_rate: Sizes = 1,
        groups: PositiveInt = 1,
        use_bias: bool = True,
        kernel_initializer: Initializer = "he_normal",
        bias_initializer: Initializer = "zeros",
    ) -> None:
        self.filters, self.kernel_size, self.strides, self.padding = filters, kernel_size, strides, padding
        self.dilation_rate, self.groups, self.use_bias = dilation_rate, groups, use_bias
        self.kernel_initializer, self.bias_initializer = kernel_initializer, bias_initializer

    def build(self, *shapes: Shape) -> Shape:
        """(H, W, C) -> (H', W', O), and so for other numbers of axes."""
        space, channels = divided(shapes[0], self.filters, self.groups, "conv")
        groups = self.groups
        self.geometry = fit(space, self.kernel_size, self.strides, self.padding, self.dilation_rate, groups)
        points = prod(self.geometry.sizes)
        fans = (points * channels // groups, points * self.filters // groups)
        shape = (*self.geometry.sizes, channels // groups, self.filters)
        self.kernel = Parameter("kernel", shape, self.kernel_initializer, fans=fans, decays=True)
        self.bias = Parameter("bias", (self.filters,), self.bias_initializer, fans=fans) if self.use_bias else None
        self.parameters = (self.kernel,) if self.bias is None else (self.kernel, self.bias)
        return (*self.geometry.places, self.filters)

    def forward(self, mode: Mode, *inputs: Array) -> tuple[Array, Backward]:
        """y = x * W + b, and the two backwards of the convolution."""
        return convolve(self, "linear", mode, inputs[0], mode.needs_dx)

    def multiply_adds(self, output: Shape, *shapes: Shape) -> int:
        """K·C / groups for every value of the output."""
        return prod(output) * prod(self.kernel.shape[:-1])

    def window(self) -> tuple[int, int]:
        """Of the axis along which the kernel spans most."""
        return self.geometry.reach


class ConvActivation(Layer):
    """A convolution and the activation behind it in one pass: y = f(x * W + b).

    Parameters:
        conv: the layer, whose parameters are used
        activation: the layer of f
    """

    def __init__(self, conv: Conv, activation: Layer) -> None:
        self.conv, self.name = conv, getattr(activation, "name", "linear")
        self.parameters = conv.parameters

    def build(self, *shapes: Shape) -> Shape:
        """Both parts are built already."""
        return (*self.conv.geometry.places, self.conv.filters)

    def forward(self, mode: Mode, *inputs: Array) -> tuple[Array, Backward]:
        """The bias and f are applied where the product's tile is still in registers."""
        return convolve(self.conv, self.name, mode, inputs[0], mode.needs_dx)


def convolve(layer: Conv, activation: str, mode: Mode, x: Array, needs_dx: bool) -> tuple[Array, Backward]:
    """y = f(x * W + b) and its backward, for f that the kernels can fuse."""
    kernel, bias, k, empty, window = layer.kernel, layer.bias, mode.kernels(x), mode.empty, layer.geometry.window
    b = None if bias is None else bias.value
    y = mode.output((len(x), *layer.geometry.places, layer.filters), x.dtype)
    if not mode.backward:
        return k.convolution_inference(x, kernel, b, activation, window, y, empty, kernel.derived), no_backward
    k.convolution(x, kernel.value, b, activation, window, y, empty)

    def backward(dy: Array) -> Array | None:
        add, db = kernel.accumulates(), None
        if bias is not None:
            db, bias.fresh = bias.grad, False
        k.convolution_weights(x, y, dy, kernel.grad, db, activation, window, add, empty)
        return k.convolution_inputs(kernel.value, y, dy, mode.like(x), activation, window, empty) if needs_dx else None

    return y, backward


def divided(shape: Shape, filters: int, groups: int, layer: str) -> tuple[Shape, int]:
    """(the axes of an image, its channels), when as many groups can be made of channels and filters.

    Raises:
        ShapeError: when this is no image, or the groups would not be equal.
    """
    axes_of(shape, layer)
    *space, channels = shape
    if channels % groups or filters % groups:
        what = f"{channels} channels and {filters} filters make no {groups} groups"
        common = gcd(channels, filters)
        fitting = ", ".join(str(number) for number in range(1, common + 1) if common % number == 0)
        raise ShapeError(what, f"channels and filters that {groups} divides", f"groups may be {fitting}")
    return tuple(space), channels
