"""Initializers that draw from one distribution, whatever the size of the layer, and random orthogonal matrices."""

from __future__ import annotations

import math

import numpy as np

from dltrain.initializers.misfit import Fans, Misfit
from dltrain.kernels.arrays import Array
from dltrain.registry import register
from dltrain.types import NonNegativeFloat


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
