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

# name -> (formula, its parameter if it has one, f(-1) and f(2), source)
TABLE: dict[str, tuple[str, Argument | None, list[float], str]] = {
    "linear": ("Identity: f(x) = x.", None, [-1.0, 2.0], ""),
    "sigmoid": (
        "Logistic function: f(x) = 1 / (1 + exp(-x)), f' = f (1 - f).",
        None,
        [0.269, 0.881],
        "Verhulst: Recherches mathématiques sur la loi d'accroissement de la population, 1845",
    ),
    "tanh": (
        "Hyperbolic tangent: f(x) = tanh x, f' = 1 - f².",
        None,
        [-0.762, 0.964],
        "LeCun et al.: Efficient BackProp, 1998",
    ),
    "relu": (
        "Rectified linear unit: f(x) = max(x, 0), f' = 1 for x > 0, else 0.",
        None,
        [0.0, 2.0],
        "Nair, Hinton: Rectified linear units improve restricted Boltzmann machines, 2010",
    ),
    "leaky_relu": (
        "Leaky rectified linear unit: f(x) = x for x > 0, else negative_slope · x.",
        SLOPE,
        [-0.01, 2.0],
        "Maas, Hannun, Ng: Rectifier nonlinearities improve neural network acoustic models, 2013",
    ),
}


# The end of every row's documentation, before its source.
EXAMPLE = """
Example:
    >>> import numpy as np
    >>> from dltrain import build_model
    >>> model = build_model({{"graph": {{"y": ["{name}"]}}}}, {{"x": (2,)}}, dtype="float64")
    >>> model.forward({{"x": np.array([[-1.0, 2.0]])}})[0]["y"].round(3).tolist()
    [{values}]"""


def _make(name: str, negative_slope: float = 0.0) -> Activation:
    return Activation(name, negative_slope)


def _document(name: str, formula: str, argument: Argument | None, values: list[float], source: str) -> str:
    """Formula, shapes, parameter, example and source, as in a class' docstring."""
    parts = [formula, "\n    (N, …) -> (N, …), element by element"]
    parts += [f"\nParameters:\n    {argument.name}: {argument.summary}"] if argument else []
    parts += [EXAMPLE.format(name=name, values=values)]
    parts += [f"\nSource: {source}."] if source else []
    return "\n".join(parts)


for _name, (_formula, _argument, _values, _source) in TABLE.items():
    _doc = _document(_name, _formula, _argument, _values, _source)
    if _argument is None:
        add(Entry("layer", _name, partial(_make, _name), (), _doc))
    else:
        _maker = partial(_make, _name, **{_argument.name: _argument.default})
        add(Entry("layer", _name, _maker, (_argument,), _doc))


@register("layer", "softmax")
class Softmax(Layer):
    """Softmax over the last axis: the outputs are positive and sum to one.

        y_i = exp(x_i) / Σ_j exp(x_j),  dx = y (dy - Σ dy y)        (…, K) -> (…, K)

    A network that is trained with softmax cross-entropy ends in plain logits: the loss has the softmax in it.

    Example:
        >>> import numpy as np
        >>> from dltrain import build_model
        >>> model = build_model({"graph": {"y": ["softmax"]}}, {"x": (2,)}, dtype="float64")
        >>> model.forward({"x": np.log([[1.0, 3.0]])})[0]["y"].round(6).tolist()
        [[0.25, 0.75]]

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
