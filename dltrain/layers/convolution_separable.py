"""Convolution channel by channel, alone and with a mixing of the channels behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dltrain.layers.base import Array, Backward, Layer, Shape
from dltrain.layers.convolution import Conv, convolve
from dltrain.layers.geometry import Padding, Sizes, axes_of
from dltrain.registry import register
from dltrain.types import Initializer, PositiveInt

if TYPE_CHECKING:
    from dltrain.model.mode import Mode


@register("layer", "depthwise_conv")
class DepthwiseConv(Layer):
    """Depthwise convolution: each channel is convolved by itself, with filters of its own.

        y[o, c·m + j] = Σ_k x[o·s - p + k·d, c] W[k, c·m + j] + b        (N, H, W, C) -> (N, H', W', C·m)

    with W (KH, KW, 1, C·m) and b (C·m,).

    It is `conv` with as many groups as there are channels, of which the config need not know the number.  With a 1×1
    `conv` behind it, which mixes the channels, it does the work of a `conv` at a fraction of the cost.

    Parameters:
        kernel_size: size of the kernel K; a number, or a list with one for each axis
        strides: steps s between two places of the kernel; a number or a list
        padding: zeros around the image, as for `conv`
        dilation_rate: steps d between two points of the kernel; a number or a list
        depth_multiplier: number of filters m of each channel
        use_bias: whether b is there
        kernel_initializer: what fills W at the start; fan in is K, fan out K·m
        bias_initializer: what fills b at the start

    Example:
        >>> import numpy as np
        >>> from dltrain import build_model
        >>> conv = {"kernel_size": 2, "padding": "valid", "kernel_initializer": "ones"}
        >>> model = build_model({"graph": {"y": [{"depthwise_conv": conv}]}}, {"x": (3, 2)})
        >>> model.forward({"x": np.array([[[1.0, 10.0], [2.0, 20.0], [3.0, 30.0]]])})[0]["y"].tolist()
        [[[3.0, 30.0], [5.0, 50.0]]]

    Source: Howard et al.: MobileNets: efficient convolutional neural networks for mobile vision applications, 2017.
    """

    def __init__(
        self,
        kernel_size: Sizes = 3,
        strides: Sizes = 1,
        padding: Padding = "same",
        dilation_rate: Sizes = 1,
        depth_multiplier: PositiveInt = 1,
        use_bias: bool = True,
        kernel_initializer: Initializer = "he_normal",
        bias_initializer: Initializer = "zeros",
    ) -> None:
        self.kernel_size, self.strides, self.padding, self.dilation_rate = kernel_size, strides, padding, dilation_rate
        self.depth_multiplier, self.use_bias = depth_multiplier, use_bias
        self.kernel_initializer, self.bias_initializer = kernel_initializer, bias_initializer

    def build(self, *shapes: Shape) -> Shape:
        """(H, W, C) -> (H', W', C·m), and so for other numbers of axes."""
        axes_of(shapes[0], "depthwise_conv")
        channels = shapes[0][-1]
        self.conv = Conv(
            channels * self.depth_multiplier,
            self.kernel_size,
            self.strides,
            self.padding,
            self.dilation_rate,
            channels,
            self.use_bias,
            self.kernel_initializer,
            self.bias_initializer,
        )
        output = self.conv.build(*shapes)
        self.parameters = self.conv.parameters
        return output

    def forward(self, mode: Mode, *inputs: Array) -> tuple[Array, Backward]:
        """A convolution with one channel in each group."""
        return self.conv.forward(mode, *inputs)

    def multiply_adds(self, output: Shape, *shapes: Shape) -> int:
        """K for every value of the output."""
        return self.conv.multiply_adds(output, *shapes)

    def window(self) -> tuple[int, int]:
        """Of the axis along which the kernel spans most."""
        return self.conv.window()


@register("layer", "separable_conv")
class SeparableConv(Layer):
    """Depthwise separable convolution: each channel is convolved by itself, then each pixel's channels are mixed.

        y = (x ∗ D) P + b        (N, H, W, C) -> (N, H', W', O), D (KH, KW, 1, C·m), P (1, 1, C·m, O), b (O,)

    Nothing lies between the two, as in Xception; a MobileNet, which has a norm and an activation there, is written
    `depthwise_conv`, `batch_norm`, `relu`, `conv: {filters: …, kernel_size: 1}`.

    Parameters:
        filters: number of filters O, the channels of the output
        kernel_size: size K of the kernels D; a number, or a list with one for each axis
        strides: steps between two places of the kernel; a number or a list
        padding: zeros around the image, as for `conv`
        dilation_rate: steps between two points of the kernel; a number or a list
        depth_multiplier: number of filters m of each channel in D
        use_bias: whether b is there
        depthwise_initializer: what fills D at the start; fan in is K, fan out K·m
        pointwise_initializer: what fills P at the start; fan in is C·m, fan out O
        bias_initializer: what fills b at the start

    Example:
        >>> import numpy as np
        >>> from dltrain import build_model
        >>> ones = {"depthwise_initializer": "ones", "pointwise_initializer": "ones"}
        >>> conv = {"filters": 1, "kernel_size": 2, "padding": "valid", **ones}
        >>> model = build_model({"graph": {"y": [{"separable_conv": conv}]}}, {"x": (3, 2)})
        >>> model.forward({"x": np.array([[[1.0, 10.0], [2.0, 20.0], [3.0, 30.0]]])})[0]["y"].tolist()
        [[[33.0], [55.0]]]

    Source: Chollet: Xception: deep learning with depthwise separable convolutions, 2017.
    """

    def __init__(
        self,
        filters: PositiveInt,
        kernel_size: Sizes = 3,
        strides: Sizes = 1,
        padding: Padding = "same",
        dilation_rate: Sizes = 1,
        depth_multiplier: PositiveInt = 1,
        use_bias: bool = True,
        depthwise_initializer: Initializer = "he_normal",
        pointwise_initializer: Initializer = "he_normal",
        bias_initializer: Initializer = "zeros",
    ) -> None:
        self.filters, self.kernel_size, self.strides, self.padding = filters, kernel_size, strides, padding
        self.dilation_rate, self.depth_multiplier, self.use_bias = dilation_rate, depth_multiplier, use_bias
        self.depthwise_initializer, self.pointwise_initializer = depthwise_initializer, pointwise_initializer
        self.bias_initializer = bias_initializer

    def build(self, *shapes: Shape) -> Shape:
        """(H, W, C) -> (H', W', O), and so for other numbers of axes."""
        axes_of(shapes[0], "separable_conv")
        channels = shapes[0][-1]
        self.depthwise = Conv(
            channels * self.depth_multiplier,
            self.kernel_size,
            self.strides,
            self.padding,
            self.dilation_rate,
            channels,
            False,
            self.depthwise_initializer,
        )
        self.pointwise = Conv(
            self.filters,
            1,
            use_bias=self.use_bias,
            kernel_initializer=self.pointwise_initializer,
            bias_initializer=self.bias_initializer,
        )
        self.middle = self.depthwise.build(*shapes)
        output = self.pointwise.build(self.middle)
        self.depthwise.kernel.name, self.pointwise.kernel.name = "depthwise_kernel", "pointwise_kernel"
        self.parameters = (*self.depthwise.parameters, *self.pointwise.parameters)
        return output

    def forward(self, mode: Mode, *inputs: Array) -> tuple[Array, Backward]:
        """Two convolutions; the second always needs the gradient of what it reads."""
        z, into_x = convolve(self.depthwise, "linear", mode, inputs[0], mode.needs_dx)
        y, into_z = convolve(self.pointwise, "linear", mode, z, True)
        return y, lambda dy: into_x(into_z(dy))  # type: ignore[arg-type]  # a convolution has one input

    def multiply_adds(self, output: Shape, *shapes: Shape) -> int:
        """K for every value between, C·m for every value of the output."""
        return self.depthwise.multiply_adds(self.middle) + self.pointwise.multiply_adds(output)

    def window(self) -> tuple[int, int]:
        """Of the axis along which the kernel spans most."""
        return self.depthwise.window()
