"""Pooling: one value for each window of a sequence, an image or a volume, every channel by itself."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Annotated

import numpy as np
from annotated_types import Ge

from dltrain.layers.base import Array, Backward, Layer, Shape, ShapeError
from dltrain.layers.geometry import Padding, Sizes
from dltrain.layers.windows import Windows, lay
from dltrain.registry import register

if TYPE_CHECKING:
    from dltrain.model.mode import Mode


@register("layer", "max_pool")
class MaxPool(Layer):
    """The largest value of each window; the first of equal ones gets the gradient.

        y[o] = max_k x[o·s - p + k]        (N, H, W, C) -> (N, H', W', C)

    The rank of the input decides over how many axes: sequences (N, T, C), images (N, H, W, C), volumes (N, D, H, W, C).
    Padding is never the largest.

    Parameters:
        pool_size: points of a window; a number, or a list with one for each axis
        strides: steps s between two windows; a number or a list; left out, pool_size: windows side by side
        padding: `valid` keeps windows inside, `same` makes ⌈extent / stride⌉ of them, a number (or a list) says
            how many points p they may begin before the image, and end behind it
        ceil_mode: whether the points that are left over at the end get a window too

    Example:
        >>> import numpy as np
        >>> from dltrain import build_model
        >>> model = build_model({"graph": {"y": [{"max_pool": 2}]}}, {"x": (4, 1)})
        >>> model.forward({"x": np.array([[[1.0], [5.0], [2.0], [3.0]]])})[0]["y"].ravel().tolist()
        [5.0, 3.0]

    Source: Ranzato et al.: Unsupervised learning of invariant feature hierarchies, 2007; overlapping windows:
    Krizhevsky, Sutskever, Hinton: ImageNet classification with deep convolutional neural networks, 2012.
    """

    def __init__(
        self, pool_size: Sizes = 2, strides: Sizes | None = None, padding: Padding = "valid", ceil_mode: bool = False
    ) -> None:
        self.pool_size, self.strides, self.padding, self.ceil_mode = pool_size, strides, padding, ceil_mode

    def build(self, *shapes: Shape) -> Shape:
        """One value for each window and channel."""
        self.windows = lay(shapes[0], self.pool_size, self.strides, self.padding, self.ceil_mode)
        return (*self.windows.places, shapes[0][-1])

    def forward(self, mode: Mode, *inputs: Array) -> tuple[Array, Backward]:
        """The backward needs no value of x, only which point of each window was chosen."""
        return largest(mode, inputs[0], self.windows)

    def window(self) -> tuple[int, int]:
        """Size and stride."""
        return self.windows.reach


def largest(mode: Mode, x: Array, windows: Windows) -> tuple[Array, Backward]:
    """The largest value of each window, and the way back."""
    k, pool, shape = mode.kernels(x), windows.pool, (x.shape[0], *windows.places, x.shape[-1])
    index = mode.empty(shape, np.dtype(np.int32)) if mode.backward else None
    y = k.max_pool(x, pool, mode.output(shape, x.dtype), index)
    return y, lambda dy: k.max_pool_backward(dy, index, pool, mode.like(x))


@register("layer", "avg_pool")
class AveragePool(Layer):
    """The mean of each window.

        y[o] = Σ_k x[o·s - p + k] / count        (N, H, W, C) -> (N, H', W', C)

    The rank of the input decides over how many axes, as in `max_pool`.

    Parameters:
        pool_size: points of a window; a number, or a list with one for each axis
        strides: steps s between two windows; a number or a list; left out, pool_size: windows side by side
        padding: `valid` keeps windows inside, `same` makes ⌈extent / stride⌉ of them, a number (or a list) says
            how many points p they may begin before the image, and end behind it
        ceil_mode: whether the points that are left over at the end get a window too
        count_include_pad: whether points of the padding count, as zeros; else the mean is that of the image's points

    Example:
        >>> import numpy as np
        >>> from dltrain import build_model
        >>> model = build_model({"graph": {"y": [{"avg_pool": 2}]}}, {"x": (4, 1)})
        >>> model.forward({"x": np.array([[[1.0], [5.0], [2.0], [3.0]]])})[0]["y"].ravel().tolist()
        [3.0, 2.5]

    Source: LeCun et al.: Gradient-based learning applied to document recognition, 1998.
    """

    def __init__(
        self,
        pool_size: Sizes = 2,
        strides: Sizes | None = None,
        padding: Padding = "valid",
        ceil_mode: bool = False,
        count_include_pad: bool = False,
    ) -> None:
        self.pool_size, self.strides, self.padding = pool_size, strides, padding
        self.ceil_mode, self.count_include_pad = ceil_mode, count_include_pad

    def build(self, *shapes: Shape) -> Shape:
        """One value for each window and channel."""
        self.windows = lay(shapes[0], self.pool_size, self.strides, self.padding, self.ceil_mode)
        if self.count_include_pad and not self.windows.padded:
            what = "count_include_pad has no effect: there is no padding"
            raise ShapeError(what, "count_include_pad false, or a padding", "leave it out")
        self.counts = self.windows.counts(self.count_include_pad)
        return (*self.windows.places, shapes[0][-1])

    def forward(self, mode: Mode, *inputs: Array) -> tuple[Array, Backward]:
        """The gradient of a window is shared by its points."""
        (x,) = inputs
        scales = tuple((1 / count).astype(x.real.dtype) for count in self.counts)
        return total(mode, x, self.windows, scales)

    def window(self) -> tuple[int, int]:
        """Size and stride."""
        return self.windows.reach

    def multiply_adds(self, output: Shape, *shapes: Shape) -> int:
        """One for each point of each window."""
        return prod(output) * prod(self.windows.pool.sizes)


def total(mode: Mode, x: Array, windows: Windows, scales: tuple[Array, ...]) -> tuple[Array, Backward]:
    """The scaled sum of each window, and the way back."""
    k, pool, shape = mode.kernels(x), windows.pool, (x.shape[0], *windows.places, x.shape[-1])
    y = k.sum_pool(x, pool, scales, mode.output(shape, x.dtype))
    return y, lambda dy: k.sum_pool_backward(dy, pool, scales, mode.like(x))


Power = Annotated[float, Ge(1)]


@register("layer", "lp_pool")
class PowerPool(Layer):
    """The p-norm of each window, between a sum of absolute values (1) and the largest of them (∞).

        y[o] = (Σ_k |x[o·s + k]|^p)^(1/p),  dx = dy sign(x) (|x| / y)^(p-1)        (N, H, W, C) -> (N, H', W', C)

    The gradient of a window of zeros is 0.  The rank of the input decides over how many axes, as in `max_pool`.

    Parameters:
        pool_size: points of a window; a number, or a list with one for each axis
        power: p, a finite number
        strides: steps s between two windows; a number or a list; left out, pool_size: windows side by side
        padding: `valid` keeps windows inside, `same` makes ⌈extent / stride⌉ of them, a number (or a list) says
            how many points they may begin before the image, and end behind it; padding counts as zeros
        ceil_mode: whether the points that are left over at the end get a window too

    Example:
        >>> import numpy as np
        >>> from dltrain import build_model
        >>> model = build_model({"graph": {"y": [{"lp_pool": 2}]}}, {"x": (4, 1)})
        >>> model.forward({"x": np.array([[[3.0], [-4.0], [5.0], [12.0]]])})[0]["y"].ravel().tolist()
        [5.0, 13.0]

    Source: Sermanet, Chintala, LeCun: Convolutional networks applied to house numbers digit classification, 2012.
    """

    def __init__(
        self,
        pool_size: Sizes = 2,
        power: Power = 2.0,
        strides: Sizes | None = None,
        padding: Padding = "valid",
        ceil_mode: bool = False,
    ) -> None:
        self.pool_size, self.power, self.strides = pool_size, power, strides
        self.padding, self.ceil_mode = padding, ceil_mode

    def build(self, *shapes: Shape) -> Shape:
        """One value for each window and channel."""
        self.windows = lay(shapes[0], self.pool_size, self.strides, self.padding, self.ceil_mode)
        return (*self.windows.places, shapes[0][-1])

    def forward(self, mode: Mode, *inputs: Array) -> tuple[Array, Backward]:
        """The backward needs x and y."""
        (x,) = inputs
        k, pool, power = mode.kernels(x), self.windows.pool, self.power
        y = k.power_pool(x, pool, power, mode.output((len(x), *self.windows.places, x.shape[-1]), x.dtype))
        return y, lambda dy: k.power_pool_backward(x, y, dy, pool, power, mode.like(x))

    def window(self) -> tuple[int, int]:
        """Size and stride."""
        return self.windows.reach

    def multiply_adds(self, output: Shape, *shapes: Shape) -> int:
        """One for each point of each window."""
        return prod(output) * prod(self.windows.pool.sizes)


@register("layer", "global_max_pool")
class GlobalMaxPool(Layer):
    """The largest value of each channel; the first of equal ones gets the gradient.

        y = max over all axes but batch and channels        (N, H, W, C) -> (N, C)

    Example:
        >>> import numpy as np
        >>> from dltrain import build_model
        >>> model = build_model({"graph": {"y": ["global_max_pool"]}}, {"x": (3, 1)})
        >>> model.forward({"x": np.array([[[1.0], [5.0], [2.0]]])})[0]["y"].tolist()
        [[5.0]]

    Source: Collobert et al.: Natural language processing (almost) from scratch, 2011.
    """

    def build(self, *shapes: Shape) -> Shape:
        """One window as large as the image."""
        self.windows = lay(shapes[0], list(shapes[0][:-1]), None, "valid", False)
        return shapes[0][-1:]

    def forward(self, mode: Mode, *inputs: Array) -> tuple[Array, Backward]:
        """A `max_pool` of one window."""
        y, back = largest(mode, inputs[0], self.windows)
        shape = y.shape
        return y.reshape(shape[0], shape[-1]), lambda dy: back(dy.reshape(shape))

    def window(self) -> tuple[int, int]:
        """All of the image."""
        return self.windows.reach


@register("layer", "global_avg_pool")
class GlobalAveragePool(Layer):
    """The mean of each channel.

        y = Σ x / (H W)        (N, H, W, C) -> (N, C)

    Example:
        >>> import numpy as np
        >>> from dltrain import build_model
        >>> model = build_model({"graph": {"y": ["global_avg_pool"]}}, {"x": (4, 1)})
        >>> model.forward({"x": np.array([[[1.0], [6.0], [2.0], [3.0]]])})[0]["y"].tolist()
        [[3.0]]

    Source: Lin, Chen, Yan: Network in network, 2014.
    """

    def build(self, *shapes: Shape) -> Shape:
        """One window as large as the image."""
        self.windows = lay(shapes[0], list(shapes[0][:-1]), None, "valid", False)
        return shapes[0][-1:]

    def forward(self, mode: Mode, *inputs: Array) -> tuple[Array, Backward]:
        """An `avg_pool` of one window."""
        (x,) = inputs
        scales = tuple(np.full(1, 1 / extent, x.real.dtype) for extent in self.windows.space)
        y, back = total(mode, x, self.windows, scales)
        shape = y.shape
        return y.reshape(shape[0], shape[-1]), lambda dy: back(dy.reshape(shape))

    def window(self) -> tuple[int, int]:
        """All of the image."""
        return self.windows.reach

    def multiply_adds(self, output: Shape, *shapes: Shape) -> int:
        """One for each value."""
        return prod(shapes[0])
