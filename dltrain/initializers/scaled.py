"""Initializers whose variance follows from the size of the layer, so that signals neither grow nor fade."""

from __future__ import annotations

import inspect
import math
from functools import partial
from typing import Literal

import numpy as np

from dltrain import registry
from dltrain.initializers.misfit import Fans
from dltrain.kernels.arrays import Array
from dltrain.types import NonNegativeFloat

Mode = Literal["fan_in", "fan_out", "fan_avg"]
Distribution = Literal["normal", "uniform"]


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


def _register_table() -> None:
    for name, scale, mode, distribution, suits, source in SCALED:
        summary = f"{distribution.capitalize()} with mean 0 and variance {scale:g} / {mode}, for {suits}."
        n = {"fan_in": 200, "fan_out": 300, "fan_avg": 250}[mode]
        doc = f"{summary}\n{SCALED_EXAMPLE.format(name=name, scale=scale, n=n, found=scale / n, source=source)}"
        make = partial(VarianceScaling, scale, mode, distribution)
        registry.add(registry.Entry("initializer", name, make, (), inspect.cleandoc(doc)))


_register_table()
