"""Initializers: what parameters are before training.

Random numbers are drawn in float64 and then rounded, so that a float32 and a float64 model of one seed start from
the same weights up to rounding.
"""

from __future__ import annotations

import inspect
import math
from functools import partial
from typing import Any, Literal

import numpy as np

from dltrain import registry
from dltrain.kernels.arrays import Array
from dltrain.registry import register
from dltrain.types import NonNegativeFloat, Numbers

Mode = Literal["fan_in", "fan_out", "fan_avg"]
Distribution = Literal["normal", "uniform"]
Fans = tuple[int, int]  # (inputs, outputs) of one unit


class Misfit(Exception):
    """An initializer cannot fill a tensor of this shape; the model turns it into an error with the layer's place.

    Parameters:
        what: what is wrong
        expected: what would fit
        got: what was found
        hint: what to do
    """

    def __init__(self, what: str, expected: str, got: str, hint: str = "") -> None:
        super().__init__(what)
        self.what, self.expected, self.got, self.hint = what, expected, got, hint


@register("initializer", "constant")
class Constant:
    """Every element the same; or weights that are given, as a list of the tensor's shape.

    A dense layer's kernel has one row for each input: ``kernel_initializer: {constant: [[1], [1]]}`` adds two inputs.

    Parameters:
        value: the element, or all elements: a list for a bias, a list of rows for a kernel

    Example:
        >>> weights = np.empty((2, 1))
        >>> Constant(0.5).fill(weights, (2, 1), np.random.default_rng(0))
        >>> weights.tolist()
        [[0.5], [0.5]]
        >>> Constant([[1], [-1]]).fill(weights, (2, 1), np.random.default_rng(0))
        >>> weights.tolist()
        [[1.0], [-1.0]]

    Raises:
        Misfit: when a list has not the tensor's shape.
    """

    def __init__(self, value: Numbers) -> None:
        self.value = value

    def fill(self, value: Array, fans: Fans, rng: np.random.Generator) -> None:
        """Fill the array."""
        if isinstance(self.value, list):
            shape = shape_of(self.value)
            if shape != value.shape:
                got = "rows of different lengths" if shape is None else f"shape {shape}"
                raise Misfit("these numbers do not have the shape of the tensor", f"shape {value.shape}", got)
        value[...] = self.value


def shape_of(numbers: Any) -> tuple[int, ...] | None:
    """The shape of nested lists; None where they are ragged.

    Example:
        >>> shape_of([[1, 2, 3], [4, 5, 6]]), shape_of([[1], [2, 3]])
        ((2, 3), None)
    """
    if not isinstance(numbers, list):
        return ()
    inner = {shape_of(item) for item in numbers}
    shape = inner.pop() if len(inner) == 1 else () if not inner else None
    return None if shape is None else (len(numbers), *shape)


@register("initializer", "normal")
class Normal:
    """Normal with mean 0; ``normal: 0.01`` are the small random weights of textbooks.

    Parameters:
        stddev: its standard deviation

    Example:
        >>> weights = np.empty(10_000)
        >>> Normal(stddev=2).fill(weights, (1, 1), np.random.default_rng(0))
        >>> round(weights.std(), 1)
        np.float64(2.0)

    Source: Krizhevsky, Sutskever and Hinton, ImageNet classification with deep convolutional neural networks, 2012.
    """

    def __init__(self, stddev: NonNegativeFloat = 0.05) -> None:
        self.stddev = stddev

    def fill(self, value: Array, fans: Fans, rng: np.random.Generator) -> None:
        """Fill the array."""
        value[...] = self.stddev * rng.standard_normal(value.shape)


@register("initializer", "truncated_normal")
class TruncatedNormal:
    """Normal with mean 0, of which what lies beyond two deviations is drawn again.

    What remains has 0.880 of the deviation, 0.774 of the variance.

    Parameters:
        stddev: standard deviation before the cut

    Example:
        >>> weights = np.empty(10_000)
        >>> TruncatedNormal(stddev=1).fill(weights, (1, 1), np.random.default_rng(0))
        >>> round(float(weights.std()), 2), bool(abs(weights).max() < 2)
        (0.88, True)

    Source: Johnson, Kotz and Balakrishnan, Continuous univariate distributions, volume 1, 1994.
    """

    def __init__(self, stddev: NonNegativeFloat = 0.05) -> None:
        self.stddev = stddev

    def fill(self, value: Array, fans: Fans, rng: np.random.Generator) -> None:
        """Fill the array."""
        drawn = rng.standard_normal(value.size)
        while (far := np.flatnonzero(np.abs(drawn) > 2)).size:
            drawn[far] = rng.standard_normal(far.size)
        value[...] = self.stddev * drawn.reshape(value.shape)


@register("initializer", "uniform")
class Uniform:
    """Uniform between -limit and limit: mean 0, variance limit² / 3.

    Parameters:
        limit: the largest absolute value

    Example:
        >>> weights = np.empty(10_000)
        >>> Uniform(limit=3).fill(weights, (1, 1), np.random.default_rng(0))
        >>> round(float(weights.var()), 1), bool(abs(weights).max() <= 3)
        (3.0, True)

    Source: LeCun, Bottou, Orr and Müller, Efficient backprop, 1998.
    """

    def __init__(self, limit: NonNegativeFloat = 0.05) -> None:
        self.limit = limit

    def fill(self, value: Array, fans: Fans, rng: np.random.Generator) -> None:
        """Fill the array."""
        value[...] = rng.uniform(-self.limit, self.limit, value.shape)


@register("initializer", "orthogonal")
class Orthogonal:
    """A random matrix with orthogonal columns of length gain (rows, where it is wider than high).

    It keeps the length of every vector, so signals neither grow nor fade through many linear layers.  Axes before
    the last count as one: an image kernel (KH, KW, C, O) is a matrix (KH·KW·C, O).

    Parameters:
        gain: length of the columns (or rows); √2 before relu

    Example:
        >>> weights = np.empty((5, 3))
        >>> Orthogonal().fill(weights, (5, 3), np.random.default_rng(0))
        >>> np.allclose(weights.T @ weights, np.eye(3))
        True

    Raises:
        Misfit: when the tensor is a vector.

    Source: Saxe, McClelland and Ganguli, Exact solutions to the nonlinear dynamics of learning, 2013.
    """

    def __init__(self, gain: NonNegativeFloat = 1.0) -> None:
        self.gain = gain

    def fill(self, value: Array, fans: Fans, rng: np.random.Generator) -> None:
        """Fill the array."""
        if value.ndim < 2:
            raise Misfit("orthogonal fills matrices", "a tensor of at least two axes", f"shape {value.shape}")
        rows, columns = math.prod(value.shape[:-1]), value.shape[-1]
        q, r = np.linalg.qr(rng.standard_normal((max(rows, columns), min(rows, columns))))
        q = q * np.where(np.diagonal(r) < 0, -1, 1)  # with these signs all orthogonal matrices are equally likely
        value[...] = self.gain * (q if rows >= columns else q.T).reshape(value.shape)


@register("initializer", "identity")
class Identity:
    """Gain on the diagonal, 0 elsewhere: a layer that begins by passing its input on.

    Parameters:
        gain: the diagonal's value

    Example:
        >>> weights = np.empty((2, 3))
        >>> Identity().fill(weights, (2, 3), np.random.default_rng(0))
        >>> weights.tolist()
        [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]

    Raises:
        Misfit: when the tensor is no matrix.

    Source: Le, Jaitly and Hinton, A simple way to initialize recurrent networks of rectified linear units, 2015.
    """

    def __init__(self, gain: float = 1.0) -> None:
        self.gain = gain

    def fill(self, value: Array, fans: Fans, rng: np.random.Generator) -> None:
        """Fill the array."""
        if value.ndim != 2:
            raise Misfit("identity fills matrices", "a tensor of two axes", f"shape {value.shape}")
        value[...] = self.gain * np.eye(*value.shape)


class VarianceScaling:
    """Random with mean 0 and variance scale / n, n taken from the fans; normal, or uniform of the same variance.

    The normal one is not truncated, so its variance is exact.

    Parameters:
        scale: 1 keeps the variance of a linear layer's signals, 2 that of a layer before relu
        mode: what n is: the number of inputs, of outputs, or their mean
        distribution: normal or uniform

    Example:
        >>> weights = np.empty((200, 300))
        >>> VarianceScaling(2, "fan_in", "uniform").fill(weights, (200, 300), np.random.default_rng(0))
        >>> round(float(weights.var()), 3), round(float(weights.max()), 3)  # 2 / 200, √(3 · 2 / 200)
        (0.01, 0.173)
    """

    def __init__(self, scale: NonNegativeFloat, mode: Mode, distribution: Distribution) -> None:
        self.scale, self.mode, self.distribution = scale, mode, distribution

    def fill(self, value: Array, fans: Fans, rng: np.random.Generator) -> None:
        """Fill the array."""
        fan_in, fan_out = fans
        n = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}[self.mode]
        stddev = math.sqrt(self.scale / max(n, 1))
        if self.distribution == "normal":
            value[...] = stddev * rng.standard_normal(value.shape)
        else:
            limit = math.sqrt(3) * stddev
            value[...] = rng.uniform(-limit, limit, value.shape)


LECUN = "LeCun, Bottou, Orr and Müller, Efficient backprop, 1998."
GLOROT = "Glorot and Bengio, Understanding the difficulty of training deep feedforward neural networks, 2010."
HE = "He, Zhang, Ren and Sun, Delving deep into rectifiers, 2015."

# name, scale, mode, distribution, what it suits, source
SCALED: tuple[tuple[str, float, Mode, Distribution, str, str], ...] = (
    ("lecun_normal", 1, "fan_in", "normal", "linear and selu layers", LECUN),
    ("lecun_uniform", 1, "fan_in", "uniform", "linear and selu layers", LECUN),
    ("glorot_normal", 1, "fan_avg", "normal", "tanh, sigmoid and softmax layers", GLOROT),
    ("glorot_uniform", 1, "fan_avg", "uniform", "tanh, sigmoid and softmax layers", GLOROT),
    ("he_normal", 2, "fan_in", "normal", "relu layers", HE),
    ("he_uniform", 2, "fan_in", "uniform", "relu layers", HE),
)
CONSTANTS = {"zeros": 0.0, "ones": 1.0}


# The end of every row's documentation.
CONSTANT_EXAMPLE = """
Example:
    >>> import numpy as np
    >>> from dltrain.registry import create
    >>> weights = np.empty(3)
    >>> create("initializer", "{name}").fill(weights, (1, 3), np.random.default_rng(0))
    >>> weights.tolist()
    {found}
"""
SCALED_EXAMPLE = """
Example:
    >>> import numpy as np
    >>> from dltrain.registry import create
    >>> weights = np.empty((200, 300))
    >>> create("initializer", "{name}").fill(weights, (200, 300), np.random.default_rng(0))
    >>> round(float(weights.var()), 3)  # {scale:g} / {n}
    {found:g}

Source: {source}
"""


def _register_tables() -> None:
    def add(name: str, make: Any, doc: str) -> None:
        registry.add(registry.Entry("initializer", name, make, (), inspect.cleandoc(doc)))

    for name, value in CONSTANTS.items():
        example = CONSTANT_EXAMPLE.format(name=name, found=[value] * 3)
        add(name, partial(Constant, value), f"Every element {value:g}.\n{example}")
    for name, scale, mode, distribution, suits, source in SCALED:
        summary = f"{distribution.capitalize()} with mean 0 and variance {scale:g} / {mode}, for {suits}."
        n = {"fan_in": 200, "fan_out": 300, "fan_avg": 250}[mode]
        example = SCALED_EXAMPLE.format(name=name, scale=scale, n=n, found=scale / n, source=source)
        add(name, partial(VarianceScaling, scale, mode, distribution), f"{summary}\n{example}")


_register_tables()
