"""Activations: one layer, and a table of functions.  softmax, which is not element-wise, stands alone."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from dltrain.layers.base import Array, Backward, Layer, Shape
from dltrain.registry import Argument, Entry, add, register
from dltrain.types import NonNegativeFloat

if TYPE_CHECKING:
    from dltrain.model.mode import Mode


class Activation(Layer):
    """An element-wise function f of the table in `kernels.reference.elementwise`.

        y = f(x), dx = dy f'(x)        any shape

    Parameters:
        name: its row of the table
        slope: the parameter of leaky functions; 0 where there is none
    """

    def __init__(self, name: str, slope: float = 0.0) -> None:
        self.name, self.slope = name, slope

    def build(self, *shapes: Shape) -> Shape:
        """The shape stays."""
        return shapes[0]

    def forward(self, mode: Mode, *inputs: Array) -> tuple[Array, Backward]:
        """y = f(x)."""
        (x,) = inputs
        k, name, slope = mode.kernels(x), self.name, self.slope
        y = k.activation(x, name, slope, mode.output(x.shape, x.dtype))
        return y, lambda dy: k.activation_backward(x, y, dy, name, slope, mode.like(x))


SLOPE = Argument("negative_slope", NonNegativeFloat, 0.01, "slope for x < 0")

# name -> (formula, its parameter if it has one, source)
TABLE: dict[str, tuple[str, Argument | None, str]] = {
    "linear": ("Identity: f(x) = x.", None, ""),
    "sigmoid": ("Logistic function: f(x) = 1 / (1 + exp(-x)), f' = f (1 - f).", None, "Verhulst 1845"),
    "tanh": ("Hyperbolic tangent: f(x) = tanh x, f' = 1 - f².", None, "LeCun et al.: Efficient BackProp, 1998"),
    "relu": (
        "Rectified linear unit: f(x) = max(x, 0), f' = 1 for x > 0, else 0.",
        None,
        "Nair, Hinton: Rectified linear units improve restricted Boltzmann machines, 2010",
    ),
    "leaky_relu": (
        "Leaky rectified linear unit: f(x) = x for x > 0, else negative_slope · x.",
        SLOPE,
        "Maas, Hannun, Ng: Rectifier nonlinearities improve neural network acoustic models, 2013",
    ),
}


def _make(name: str, negative_slope: float = 0.0) -> Activation:
    return Activation(name, negative_slope)


for _name, (_formula, _argument, _source) in TABLE.items():
    _doc = _formula + (f"\n\nSource: {_source}." if _source else "")
    if _argument is None:
        add(Entry("layer", _name, partial(_make, _name), (), _doc))
    else:
        _maker = partial(_make, _name, **{_argument.name: _argument.default})
        _doc += f"\n\nParameters:\n    {_argument.name}: {_argument.summary}"
        add(Entry("layer", _name, _maker, (_argument,), _doc))


@register("layer", "softmax")
class Softmax(Layer):
    """Softmax over the last axis: the outputs are positive and sum to one.

        y_i = exp(x_i) / Σ_j exp(x_j),  dx = y (dy - Σ dy y)        (…, K) -> (…, K)

    A network that is trained with softmax cross-entropy ends in plain logits: the loss has the softmax in it.

    Source: Bridle: Probabilistic interpretation of feedforward classification network outputs, 1990.
    """

    def build(self, *shapes: Shape) -> Shape:
        """The shape stays."""
        return shapes[0]

    def forward(self, mode: Mode, *inputs: Array) -> tuple[Array, Backward]:
        """Shifted by the maximum, so that nothing overflows."""
        (x,) = inputs
        k = mode.kernels(x)
        y = k.softmax(x, mode.output(x.shape, x.dtype))
        return y, lambda dy: k.softmax_backward(y, dy, mode.like(x))
