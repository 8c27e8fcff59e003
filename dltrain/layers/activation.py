"""Activations: one layer and a table of element-wise functions; by themselves those that are not, or that learn."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from dltrain.layers.base import Array, Backward, Layer, Parameter, Shape
from dltrain.registry import Argument, Entry, add, register
from dltrain.types import Initializer, NonNegativeFloat

if TYPE_CHECKING:
    from dltrain.model.mode import Mode


class Activation(Layer):
    """An element-wise function f of the table in `kernels.reference.activations`.

        y = f(x), dx = dy f'(x)        any shape

    Parameters:
        name: its row of the table
        alpha: its parameter; not read by functions without one
    """

    any_length = True

    def __init__(self, name: str, alpha: float = 0.0) -> None:
        self.name, self.alpha = name, alpha
        self.differentiable = name not in STRAIGHT

    def forward(self, mode: Mode, *inputs: Array) -> tuple[Array, Backward]:
        """y = f(x)."""
        (x,) = inputs
        k, name, alpha = mode.kernels(x), self.name, self.alpha
        y = k.activation(x, name, alpha, mode.output(x.shape, x.dtype))
        return y, lambda dy: k.activation_backward(x, y, dy, name, alpha, mode.like(x))


STRAIGHT = ("sign", "step")  # their backward is a convention, not a derivative
SLOPE = Argument("negative_slope", NonNegativeFloat, 0.01, "slope for x < 0")
ALPHA = Argument("alpha", NonNegativeFloat, 1.0, "the function tends to -alpha for x → -∞")
BETA = Argument("beta", float, 1.0, "steepness of the sigmoid; the larger, the nearer to relu")


class Row(NamedTuple):
    """One function: its formula, f(-1) and f(2), its source and its parameter if it has one."""

    formula: str
    values: list[float]
    source: str = ""
    argument: Argument | None = None


TABLE: dict[str, Row] = {
    "linear": Row("Identity: f(x) = x.", [-1.0, 2.0], "Widrow, Hoff: Adaptive switching circuits, 1960"),
    "sigmoid": Row(
        "Logistic function: f(x) = 1 / (1 + exp(-x)), f' = f (1 - f).",
        [0.269, 0.881],
        "Verhulst: Recherches mathématiques sur la loi d'accroissement de la population, 1845",
    ),
    "tanh": Row(
        "Hyperbolic tangent: f(x) = tanh x, f' = 1 - f².", [-0.762, 0.964], "LeCun et al.: Efficient BackProp, 1998"
    ),
    "relu": Row(
        "Rectified linear unit: f(x) = max(x, 0), f' = 1 for x > 0, else 0.",
        [0.0, 2.0],
        "Nair, Hinton: Rectified linear units improve restricted Boltzmann machines, 2010",
    ),
    "leaky_relu": Row(
        "Leaky rectified linear unit: f(x) = x for x > 0, else negative_slope · x.",
        [-0.01, 2.0],
        "Maas, Hannun, Ng: Rectifier nonlinearities improve neural network acoustic models, 2013",
        SLOPE,
    ),
    "relu6": Row(
        "Rectified linear unit with a ceiling: f(x) = min(max(x, 0), 6), f' = 1 for 0 < x < 6, else 0.",
        [0.0, 2.0],
        "Krizhevsky: Convolutional deep belief networks on CIFAR-10, 2010",
    ),
    "elu": Row(
        "Exponential linear unit: f(x) = x for x > 0, else alpha (exp(x) - 1); f' = 1, else f + alpha.",
        [-0.632, 2.0],
        "Clevert, Unterthiner, Hochreiter: Fast and accurate deep network learning by exponential linear units, 2015",
        ALPHA,
    ),
    "selu": Row(
        "Scaled elu: f(x) = λ x for x > 0, else λ α (exp(x) - 1), λ = 1.0507, α = 1.6733.\n\n"
        "With `lecun_normal` weights, and `alpha_dropout` for dropout, signals keep mean 0 and variance 1.",
        [-1.111, 2.101],
        "Klambauer et al.: Self-normalizing neural networks, 2017",
    ),
    "softplus": Row(
        "Smooth relu: f(x) = log(1 + exp(x)), f' = 1 / (1 + exp(-x)).",
        [0.313, 2.127],
        "Dugas et al.: Incorporating second-order functional knowledge for better option pricing, 2000",
    ),
    "swish": Row(
        "Swish, with beta = 1 also known as silu: f(x) = x σ(beta x), f' = σ + beta f (1 - σ).",
        [-0.269, 1.762],
        "Ramachandran, Zoph, Le: Searching for activation functions, 2017",
        BETA,
    ),
    "hard_sigmoid": Row(
        "Sigmoid of straight lines: f(x) = min(max(x / 6 + 1/2, 0), 1), f' = 1/6 for |x| < 3, else 0.",
        [0.333, 0.833],
        "Courbariaux, Bengio, David: BinaryConnect, 2015; this slope: Howard et al.: MobileNetV3, 2019",
    ),
    "hard_tanh": Row(
        "Tanh of straight lines: f(x) = min(max(x, -1), 1), f' = 1 for |x| < 1, else 0.",
        [-1.0, 1.0],
        "Collobert: Large scale machine learning, 2004",
    ),
    "sign": Row(
        "Sign of a binary unit: f(x) = 1 for x ≥ 0, else -1.\n\n"
        "It has no useful derivative: the gradient goes straight through where |x| ≤ 1 (dx = dy) and is 0 elsewhere.",
        [-1.0, 1.0],
        "Courbariaux et al.: Binarized neural networks, 2016",
    ),
    "step": Row(
        "Threshold of a perceptron: f(x) = 1 for x ≥ 0, else 0 (the Heaviside function).\n\n"
        "It has no useful derivative: the gradient goes straight through (dx = dy).  So a dense layer and a step\n"
        "that descend the squared error ½ (y - t)² follow the perceptron rule, W ← W + η (t - y) x.",
        [0.0, 1.0],
        "McCulloch, Pitts: A logical calculus of the ideas immanent in nervous activity, 1943; its rule Rosenblatt: "
        "The perceptron, 1958; the gradient Bengio, Léonard, Courville: Estimating or propagating gradients, 2013",
    ),
}

# The end of every row's documentation, before its source.
EXAMPLE = """
Example:
    >>> import numpy as np
    >>> from dltrain import build_model
    >>> model = build_model({{"graph": {{"y": ["{name}"]}}}}, {{"x": (2,)}}, dtype="float64")
    >>> model.forward({{"x": np.array([[-1.0, 2.0]])}})[0]["y"].round(3).tolist()
    {values}"""


def _document(name: str, row: Row) -> str:
    """Formula, shapes, parameter, example and source, as in a class' docstring."""
    parts = [row.formula, "\n    (N, …) -> (N, …), element by element"]
    parts += [f"\nParameters:\n    {row.argument.name}: {row.argument.summary}"] if row.argument else []
    parts += [EXAMPLE.format(name=name, values=[row.values])]
    parts += [f"\nSource: {row.source}."] if row.source else []
    return "\n".join(parts)


def activation(make: Any) -> Any:
    """Mark what makes an activation: a width that is left out is that of the layer before it."""
    make.is_activation = True
    return make


def _with_parameter(name: str, argument: Argument) -> Callable[..., Activation]:
    """Makes the activation from its one parameter, under the parameter's own name."""

    def make(**given: float) -> Activation:
        return Activation(name, given.get(argument.name, argument.default))

    return make


for _name, _row in TABLE.items():
    _make = _with_parameter(_name, _row.argument) if _row.argument else partial(Activation, _name)
    add(Entry("layer", _name, activation(_make), (_row.argument,) if _row.argument else (), _document(_name, _row)))


@register("layer", "gelu")
@activation
def gelu(approximate: bool = False) -> Activation:
    """Gaussian error linear unit: x times the share of a standard normal distribution below it.

        f(x) = x Φ(x) = x (1 + erf(x / √2)) / 2,  f' = Φ(x) + x φ(x)        (N, …) -> (N, …), element by element

    The approximation, which many published weights were trained with, differs by up to 5e-4:
    f(x) = x (1 + tanh(√(2/π) (x + 0.044715 x³))) / 2.

    Parameters:
        approximate: whether the tanh form takes the place of the exact one

    Example:
        >>> import numpy as np
        >>> from dltrain import build_model
        >>> model = build_model({"graph": {"y": ["gelu"]}}, {"x": (2,)}, dtype="float64")
        >>> model.forward({"x": np.array([[-1.0, 2.0]])})[0]["y"].round(3).tolist()
        [[-0.159, 1.954]]

    Source: Hendrycks, Gimpel: Gaussian error linear units, 2016.
    """
    return Activation("gelu_tanh" if approximate else "gelu")


@register("layer", "prelu")
@activation
class PReLU(Layer):
    """Parametric relu: a leaky relu that learns its slopes, one for each unit or channel.

        y = x for x > 0, else α x;  dα = Σ dy x over x < 0        (N, …, C) -> (N, …, C), α (C,)

    Weight decay does not act on α: it would pull it towards a relu.

    Parameters:
        alpha_initializer: what fills α at the start

    Example:
        >>> import numpy as np
        >>> from dltrain import build_model
        >>> model = build_model({"graph": {"y": ["prelu"]}}, {"x": (2,)})
        >>> model.forward({"x": np.array([[-1.0, 2.0]])})[0]["y"].tolist()
        [[-0.25, 2.0]]

    Source: He et al.: Delving deep into rectifiers, 2015.
    """

    def __init__(self, alpha_initializer: Initializer = {"constant": 0.25}) -> None:  # noqa: B006
        self.alpha_initializer = alpha_initializer

    def build(self, *shapes: Shape) -> Shape:
        """One α for each place of the last axis."""
        (shape,) = shapes
        self.alpha = Parameter("alpha", shape[-1:], self.alpha_initializer)
        self.parameters = (self.alpha,)
        return shape

    def forward(self, mode: Mode, *inputs: Array) -> tuple[Array, Backward]:
        """The sign of x decides."""
        (x,) = inputs
        k, alpha, needs_dx = mode.kernels(x), self.alpha, mode.needs_dx
        y = k.prelu(x, alpha.value, mode.output(x.shape, x.dtype))

        def backward(dy: Array) -> Array | None:
            dx = mode.like(x) if needs_dx else None
            return k.prelu_backward(x, dy, alpha.value, alpha.grad, dx, alpha.accumulates(), mode.empty)

        return y, backward


@register("layer", "softmax")
@activation
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

    def forward(self, mode: Mode, *inputs: Array) -> tuple[Array, Backward]:
        """Shifted by the maximum, so that nothing overflows."""
        (x,) = inputs
        k = mode.kernels(x)
        y = k.softmax(x, mode.output(x.shape, x.dtype))
        return y, lambda dy: k.softmax_backward(y, dy, mode.like(x))


@register("layer", "log_softmax")
@activation
class LogSoftmax(Layer):
    """Logarithm of the softmax over the last axis, without overflow or loss of small probabilities.

        y_i = x_i - log Σ_j exp(x_j),  dx = dy - exp(y) Σ dy        (…, K) -> (…, K)

    A network that is trained with softmax cross-entropy ends in plain logits: the loss has it inside.

    Example:
        >>> import numpy as np
        >>> from dltrain import build_model
        >>> model = build_model({"graph": {"y": ["log_softmax"]}}, {"x": (2,)}, dtype="float64")
        >>> np.exp(model.forward({"x": np.log([[1.0, 3.0]])})[0]["y"]).round(6).tolist()
        [[0.25, 0.75]]

    Source: Bridle: Probabilistic interpretation of feedforward classification network outputs, 1990.
    """

    def forward(self, mode: Mode, *inputs: Array) -> tuple[Array, Backward]:
        """Shifted by the maximum."""
        (x,) = inputs
        k = mode.kernels(x)
        y = k.log_softmax(x, mode.output(x.shape, x.dtype))
        return y, lambda dy: k.log_softmax_backward(y, dy, mode.like(x))
