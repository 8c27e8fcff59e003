"""Normalization of each example by itself: to mean 0 and deviation 1, to length 1, by its neighbours."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

from dltrain.layers.affine import Affine
from dltrain.layers.base import Array, Backward, Layer, Shape, ShapeError
from dltrain.layers.geometry import IMAGES
from dltrain.registry import register
from dltrain.types import Epsilon, PositiveFloat, PositiveInt

if TYPE_CHECKING:
    from dltrain.model.mode import Mode


def by_itself(
    layer: Affine, mode: Mode, x: Array, statistics: Shape, normalize: Any, normalize_backward: Any
) -> tuple[Array, Backward]:
    """Normalise parts of each example by their own mean and deviation, scale and shift.

    Parameters:
        layer: gives γ, β and ε
        mode: of the run
        x: (N, …, C)
        statistics: one place for each part
        normalize: kernel
        normalize_backward: its backward
    """
    empty, gamma, beta, needs_dx = mode.empty, layer.gamma, layer.beta, mode.needs_dx
    g = None if gamma is None else gamma.value
    b = None if beta is None else beta.value
    mean, inv_std = empty(statistics, x.dtype), empty(statistics, x.dtype)
    y = normalize(x, g, b, layer.epsilon, mode.output(x.shape, x.dtype), mean, inv_std)

    def backward(dy: Array) -> Array | None:
        accumulate = [parameter.accumulates() for parameter in layer.parameters]
        dg = None if gamma is None else gamma.grad
        db = None if beta is None else beta.grad
        dx = mode.like(x) if needs_dx else None
        return normalize_backward(x, dy, g, mean, inv_std, dg, db, dx, any(accumulate), empty)

    return y, backward


@register("layer", "layer_norm")
class LayerNorm(Affine):
    """Layer normalisation: every example (every time step) by itself, over the last axis.

        y = γ (x - μ) / √(σ² + ε) + β        (N, …, C) -> (N, …, C), γ β (C,), μ σ one for each row

    It is the same in training and in use, and no example depends on the others of its batch.  Of an image (H, W, C)
    every pixel is normalised by itself, over its channels, as in transformers and ConvNeXt; `group_norm: 1` takes the
    whole image at once.

    Parameters:
        epsilon: added to the variance
        center: whether β is there
        scale: whether γ is there

    Example:
        >>> import numpy as np
        >>> from dltrain import build_model
        >>> model = build_model({"graph": {"y": ["layer_norm"]}}, {"x": (2,)}, dtype="float64")
        >>> model.forward({"x": np.array([[1.0, 3.0], [10.0, 50.0]])})[0]["y"].round(3).tolist()
        [[-1.0, 1.0], [-1.0, 1.0]]

    Source: Ba, Kiros, Hinton: Layer normalization, 2016.
    """

    any_length = True

    def __init__(self, epsilon: PositiveFloat = 1e-5, center: bool = True, scale: bool = True) -> None:
        super().__init__(epsilon, center, scale)

    def build(self, *shapes: Shape) -> Shape:
        """One γ and β for each place of the last axis."""
        (shape,) = shapes
        self.declare(shape[-1])
        return shape

    def forward(self, mode: Mode, *inputs: Array) -> tuple[Array, Backward]:
        """Normalise each row, scale and shift."""
        (x,) = inputs
        k = mode.kernels(x)
        return by_itself(self, mode, x, (prod(x.shape[:-1]),), k.layer_norm, k.layer_norm_backward)


@register("layer", "group_norm")
class GroupNorm(Affine):
    """Group normalisation: every example by itself, over all its points and the channels of a group.

        y = γ (x - μ) / √(σ² + ε) + β        (N, …, C) -> (N, …, C), γ β (C,), μ σ² one for each example and group

    It is the same in training and in use, and no example depends on the others of its batch: so it serves where
    batches are small.  One group takes the whole image, as many groups as channels make `instance_norm`.

    Parameters:
        groups: into how many parts the channels are cut, neighbours together; a divisor of their number
        epsilon: added to the variance
        center: whether β is there
        scale: whether γ is there

    Example:
        >>> import numpy as np
        >>> from dltrain import build_model
        >>> model = build_model({"graph": {"y": [{"group_norm": 2}]}}, {"x": (4,)}, dtype="float64")
        >>> model.forward({"x": np.array([[1.0, 3.0, 10.0, 50.0]])})[0]["y"].round(3).tolist()
        [[-1.0, 1.0, -1.0, 1.0]]

    Source: Wu, He: Group normalization, 2018.
    """

    def __init__(
        self, groups: PositiveInt = 32, epsilon: PositiveFloat = 1e-5, center: bool = True, scale: bool = True
    ) -> None:
        super().__init__(epsilon, center, scale)
        self.groups = groups

    def build(self, *shapes: Shape) -> Shape:
        """One γ and β for each channel."""
        (shape,) = shapes
        if shape[-1] % self.groups:
            fitting = ", ".join(str(n) for n in range(1, shape[-1] + 1) if shape[-1] % n == 0)
            what = f"{shape[-1]} channels cannot be cut into {self.groups} groups"
            raise ShapeError(what, f"channels that {self.groups} divides", f"take one of {fitting} for groups")
        self.declare(shape[-1])
        return shape

    def forward(self, mode: Mode, *inputs: Array) -> tuple[Array, Backward]:
        """Normalise each group of each example, scale and shift."""
        (x,) = inputs
        k = mode.kernels(x)
        return by_itself(self, mode, x, (len(x), self.groups), k.group_norm, k.group_norm_backward)


@register("layer", "instance_norm")
class InstanceNorm(Affine):
    """Instance normalisation: every channel of every example by itself, over its points.

        y = γ (x - μ) / √(σ² + ε) + β        (N, H, W, C) -> (N, H, W, C), γ β (C,), μ σ² (N, C)

    It takes from an image its contrast, channel by channel, which is why networks that transfer a style use it.  It is
    `group_norm` with as many groups as channels.

    Parameters:
        epsilon: added to the variance
        center: whether β is there
        scale: whether γ is there

    Example:
        >>> import numpy as np
        >>> from dltrain import build_model
        >>> model = build_model({"graph": {"y": ["instance_norm"]}}, {"x": (2, 2)}, dtype="float64")
        >>> model.forward({"x": np.array([[[1.0, 50.0], [3.0, 10.0]]])})[0]["y"].round(3).tolist()
        [[[-1.0, 1.0], [1.0, -1.0]]]

    Source: Ulyanov, Vedaldi, Lempitsky: Instance normalization, the missing ingredient for fast stylization, 2016.
    """

    def __init__(self, epsilon: PositiveFloat = 1e-5, center: bool = True, scale: bool = True) -> None:
        super().__init__(epsilon, center, scale)

    def build(self, *shapes: Shape) -> Shape:
        """One γ and β for each channel."""
        (shape,) = shapes
        if len(shape) < 2:
            hint = "take `layer_norm` for vectors"
            raise ShapeError("a vector has one point a channel, which leaves nothing to normalise", IMAGES, hint)
        self.norm = GroupNorm(shape[-1], self.epsilon, self.center, self.scale)
        self.norm.build(shape)
        self.parameters = self.norm.parameters
        return shape

    def forward(self, mode: Mode, *inputs: Array) -> tuple[Array, Backward]:
        """Groups of one channel."""
        return self.norm.forward(mode, *inputs)


@register("layer", "l2_normalization")
class L2Normalization(Layer):
    """Vectors of length 1, as for comparing by cosine: every example by itself, over the last axis.

        y = x / √max(Σ x², ε),  dx = (dy - y Σ y dy) / |x|        (N, …, C) -> (N, …, C)

    Parameters:
        epsilon: the least sum of squares, against division by zero

    Example:
        >>> import numpy as np
        >>> from dltrain import build_model
        >>> model = build_model({"graph": {"y": ["l2_normalization"]}}, {"x": (2,)}, dtype="float64")
        >>> model.forward({"x": np.array([[3.0, 4.0]])})[0]["y"].round(6).tolist()
        [[0.6, 0.8]]

    Source: Schroff, Kalenichenko, Philbin: FaceNet, 2015.
    """

    def __init__(self, epsilon: PositiveFloat = 1e-12) -> None:
        self.epsilon = epsilon

    def forward(self, mode: Mode, *inputs: Array) -> tuple[Array, Backward]:
        """Divide by the length."""
        (x,) = inputs
        k, epsilon = mode.kernels(x), self.epsilon
        y = k.l2_normalize(x, epsilon, mode.output(x.shape, x.dtype))
        return y, lambda dy: k.l2_normalize_backward(x, dy, epsilon, mode.like(x))

    def multiply_adds(self, output: Shape, *shapes: Shape) -> int:
        """One for each value of the sum of squares."""
        return prod(output)


@register("layer", "local_response_norm")
class LocalResponseNorm(Layer):
    """Local response normalization: a strong channel holds down its neighbours at the same point.

        y_c = x_c / (k + α/n Σ x_j²)^β,   j from c - ⌊n/2⌋ to c + ⌊(n-1)/2⌋        (N, …, C) -> (N, …, C)

    As in Caffe and PyTorch α is divided by the size n of the window; the paper has α Σ x², so that its α is n times as
    large here.

    Parameters:
        size: channels in the window, n
        alpha: α
        beta: β
        bias: k

    Example:
        >>> import numpy as np
        >>> from dltrain import build_model
        >>> layer = {"local_response_norm": {"size": 3, "alpha": 3, "beta": 1}}
        >>> model = build_model({"graph": {"y": [layer]}}, {"x": (3,)}, dtype="float64")
        >>> model.forward({"x": np.array([[1.0, 2.0, 0.0]])})[0]["y"].round(4).tolist()  # 1/6, 2/6, 0/5
        [[0.1667, 0.3333, 0.0]]

    Source: Krizhevsky, Sutskever, Hinton: ImageNet classification with deep convolutional neural networks, 2012.
    """

    def __init__(
        self,
        size: PositiveInt = 5,
        alpha: PositiveFloat = 1e-4,
        beta: PositiveFloat = 0.75,
        bias: Epsilon = 1.0,
    ) -> None:
        self.response = (size, alpha, beta, bias)

    def forward(self, mode: Mode, *inputs: Array) -> tuple[Array, Backward]:
        """Divide by the power of the sum over the window."""
        (x,) = inputs
        k, response = mode.kernels(x), self.response
        y = k.local_response(x, response, mode.output(x.shape, x.dtype))
        return y, lambda dy: k.local_response_backward(x, dy, response, mode.like(x))

    def multiply_adds(self, output: Shape, *shapes: Shape) -> int:
        """One for each value of each window."""
        return prod(output) * self.response[0]
