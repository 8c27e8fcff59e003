"""The fully connected layer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dltrain.layers.base import Array, Backward, Layer, Parameter, Shape, ShapeError, no_backward
from dltrain.registry import register
from dltrain.types import Initializer, PositiveInt

if TYPE_CHECKING:
    from dltrain.model.mode import Mode


@register("layer", "dense")
class Dense(Layer):
    """Fully connected layer: every output is a weighted sum of all inputs.

        y = x W + b        (N, I) -> (N, O), W (I, O), b (O,)

    On a sequence (N, T, I) it acts on every time step with the same weights.

    Parameters:
        units: number of outputs O; may be left out in the last layer, where the task knows it
        use_bias: whether b is there
        kernel_initializer: what fills W at the start
        bias_initializer: what fills b at the start

    Example:
        >>> from dltrain import build_model
        >>> model = build_model({"inputs": {"x": [4]}, "graph": {"y": [{"dense": 3}]}})
        >>> sorted(model.parameters)
        ['y.0.dense.bias', 'y.0.dense.kernel']

    Source: Rumelhart, Hinton, Williams: Learning representations by back-propagating errors, 1986.
    """

    def __init__(
        self,
        units: PositiveInt,
        use_bias: bool = True,
        kernel_initializer: Initializer = "he_normal",
        bias_initializer: Initializer = "zeros",
    ) -> None:
        self.units, self.use_bias = units, use_bias
        self.kernel_initializer, self.bias_initializer = kernel_initializer, bias_initializer

    def build(self, *shapes: Shape) -> Shape:
        """(I,) -> (O,), (T, I) -> (T, O)."""
        (shape,) = shapes
        if len(shape) not in (1, 2):
            raise ShapeError("the layer takes vectors (or sequences of them)", "(features,)", "put `flatten` before it")
        fans = (shape[-1], self.units)
        self.kernel = Parameter("kernel", fans, self.kernel_initializer, fans=fans, decays=True)
        self.bias = Parameter("bias", (self.units,), self.bias_initializer, fans=fans) if self.use_bias else None
        self.parameters = (self.kernel,) if self.bias is None else (self.kernel, self.bias)
        return (*shape[:-1], self.units)

    def forward(self, mode: Mode, *inputs: Array) -> tuple[Array, Backward]:
        """y = x W + b; dW = xᵀ dy, db = Σ dy, dx = dy Wᵀ."""
        return affine(self, "linear", mode, inputs[0])

    def multiply_adds(self, output: Shape, *shapes: Shape) -> int:
        """I·O for every time step."""
        steps = shapes[0][0] if len(shapes[0]) == 2 else 1
        return steps * shapes[0][-1] * self.units


@register("layer", "maxout")
class Maxout(Layer):
    """Maxout units: each is the largest of several weighted sums, and so learns its own convex activation.

        y_j = max_p (x W + b)_{j·pieces + p}        (N, I) -> (N, O), W (I, O·pieces), b (O·pieces,)

    On a sequence (N, T, I) it acts on every time step with the same weights.  Where two sums are equal the first
    one gets the gradient.

    Parameters:
        units: number of outputs O; may be left out in the last layer, where the task knows it
        pieces: sums of each unit
        use_bias: whether b is there
        kernel_initializer: what fills W at the start
        bias_initializer: what fills b at the start

    Example:
        >>> import numpy as np
        >>> from dltrain import build_model
        >>> maxout = {"units": 1, "kernel_initializer": {"constant": [[1, -1]]}}
        >>> model = build_model({"graph": {"y": [{"maxout": maxout}]}}, {"x": (1,)})
        >>> model.forward({"x": np.array([[-3.0], [2.0]])})[0]["y"].tolist()  # max(x, -x)
        [[3.0], [2.0]]

    Source: Goodfellow et al.: Maxout networks, 2013.
    """

    def __init__(
        self,
        units: PositiveInt,
        pieces: PositiveInt = 2,
        use_bias: bool = True,
        kernel_initializer: Initializer = "he_normal",
        bias_initializer: Initializer = "zeros",
    ) -> None:
        self.units, self.pieces = units, pieces
        self.sums = Dense(units * pieces, use_bias, kernel_initializer, bias_initializer)

    def build(self, *shapes: Shape) -> Shape:
        """(I,) -> (O,), (T, I) -> (T, O)."""
        shape = self.sums.build(*shapes)
        self.parameters = self.sums.parameters
        for parameter in self.parameters:
            parameter.fans = (shapes[0][-1], self.units)
        return (*shape[:-1], self.units)

    def forward(self, mode: Mode, *inputs: Array) -> tuple[Array, Backward]:
        """The sums of dense units, then the largest of each group."""
        z, dense_backward = affine(self.sums, "linear", mode, inputs[0])
        k = mode.kernels(z)
        y = k.largest(z, self.pieces, mode.output((*z.shape[:-1], self.units), z.dtype))
        return y, lambda dy: dense_backward(k.largest_backward(z, dy, self.pieces, mode.empty(z.shape, z.dtype)))

    def multiply_adds(self, output: Shape, *shapes: Shape) -> int:
        """I·O·pieces for every time step."""
        return self.sums.multiply_adds(output, *shapes)


class DenseActivation(Layer):
    """A dense layer and the activation behind it in one pass: y = f(x W + b).

    Parameters:
        dense: the layer, whose parameters are used
        activation: the layer of f
    """

    def __init__(self, dense: Dense, activation: Layer) -> None:
        self.dense, self.name = dense, getattr(activation, "name", "linear")
        self.parameters = dense.parameters

    def build(self, *shapes: Shape) -> Shape:
        """Both parts are built already."""
        return (*shapes[0][:-1], self.dense.units)

    def forward(self, mode: Mode, *inputs: Array) -> tuple[Array, Backward]:
        """The bias and f are applied where the product's tile is still in registers."""
        return affine(self.dense, self.name, mode, inputs[0])


def affine(layer: Dense, activation: str, mode: Mode, x: Array) -> tuple[Array, Backward]:
    """y = f(x W + b) and its backward, for f that the kernels can fuse; every axis before the last is a batch axis."""
    if x.ndim > 2:
        return _affine_of_sequence(layer, activation, mode, x)
    kernel, bias, k, empty = layer.kernel, layer.bias, mode.kernels(x), mode.empty
    b = None if bias is None else bias.value
    y = empty((x.shape[0], layer.units), x.dtype)
    if not mode.backward:
        return k.affine_inference(x, kernel, b, activation, y, empty, kernel.derived), no_backward
    needs_dx = mode.needs_dx
    k.affine(x, kernel.value, b, activation, y, empty)

    def backward(dy: Array) -> Array | None:
        add = kernel.accumulates()
        db = None
        if bias is not None:
            db, bias.fresh = bias.grad, False
        dx = empty(x.shape, x.dtype) if needs_dx else None
        k.affine_backward(x, kernel.value, y, dy, kernel.grad, db, dx, activation, add, empty)
        return dx

    return y, backward


def _affine_of_sequence(layer: Dense, activation: str, mode: Mode, x: Array) -> tuple[Array, Backward]:
    """(N, T, I) as (N·T, I)."""
    flat, backward_flat = affine(layer, activation, mode, x.reshape(-1, x.shape[-1]))

    def backward(dy: Array) -> Array | None:
        dx = backward_flat(dy.reshape(-1, layer.units))
        return None if dx is None else dx.reshape(x.shape)  # type: ignore[union-attr]

    return flat.reshape(*x.shape[:-1], layer.units), backward
