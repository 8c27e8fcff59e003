"""The table of element-wise functions: each with its gradient.

Comparisons are of real parts, and such that NaN goes through.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from dltrain.kernels.arrays import Array

SELU_SCALE, SELU_ALPHA = 1.0507009873554805, 1.6732632423543772  # the fixed point of Klambauer et al. 2017
GELU_CUBIC, GELU_SCALE = 0.044715, math.sqrt(2 / math.pi)  # of the tanh form
GELU_FAR = 100.0  # from there on its derivative is 0 or 1


def _sigmoid(z: Array, alpha: float = 0.0) -> Array:
    """1/(1 + exp(-z)), from an exponential that cannot overflow."""
    positive = ~(z.real < 0)
    e = np.exp(np.where(positive, -z, z))
    return np.where(positive, 1, e) / (1 + e)


def _leaky(x: Array, z: Array, alpha: float) -> Array:
    """z where x > 0 (or NaN), alpha z elsewhere."""
    return np.where(x.real < 0, z * alpha, z)


def _clip(z: Array, low: float, high: float) -> Array:
    """z, but low below low and high above high."""
    return np.where(z.real < low, low, np.where(z.real > high, high, z))


def _within(x: Array, low: float, high: float, dy: Array) -> Array:
    """dy where low < x < high (or x is NaN), elsewhere 0."""
    return np.where((x.real <= low) | (x.real >= high), 0, dy)


def _elu(z: Array, alpha: float) -> Array:
    """z where z > 0, alpha (exp(z) - 1) elsewhere."""
    below = z.real < 0
    return np.where(below, alpha * np.expm1(np.where(below, z, 0)), z)


def _elu_gradient(x: Array, y: Array, dy: Array, alpha: float) -> Array:
    """Below 0 the slope is alpha exp(x) = y + alpha."""
    return np.where(x.real < 0, dy * (y + alpha), dy)


def _selu_gradient(x: Array, y: Array, dy: Array, alpha: float) -> Array:
    """That of elu, times the scale."""
    return np.where(x.real < 0, dy * (y + SELU_SCALE * SELU_ALPHA), dy * SELU_SCALE)


def _softplus(z: Array, alpha: float) -> Array:
    """max(z, 0) + log(1 + exp(-|z|))."""
    positive = ~(z.real < 0)
    return np.where(positive, z, 0) + np.log1p(np.exp(np.where(positive, -z, z)))


def _swish_gradient(x: Array, y: Array, dy: Array, alpha: float) -> Array:
    """With s = sigmoid(alpha x): s + alpha y (1 - s)."""
    s = _sigmoid(alpha * x)
    return dy * (s + alpha * y * (1 - s))


def _normal_cdf(z: Array) -> Array:
    """The share of a standard normal distribution below z, exact in its lower tail too."""
    from scipy.special import erfc

    return np.asarray(0.5 * erfc(z * -math.sqrt(0.5)))


def _gelu_gradient(x: Array, y: Array, dy: Array, alpha: float) -> Array:
    """Φ(x) + x φ(x), with the normal distribution and its density."""
    return dy * (_normal_cdf(x) + x * np.exp(-0.5 * x * x) * (1 / math.sqrt(2 * math.pi)))


def _gelu_tanh(z: Array, alpha: float) -> Array:
    """z (1 + tanh u)/2 = z sigmoid(2 u), u = √(2/π) (z + 0.044715 z³)."""
    return z * _sigmoid(2 * GELU_SCALE * z * (1 + GELU_CUBIC * z * z))


def _gelu_tanh_gradient(x: Array, y: Array, dy: Array, alpha: float) -> Array:
    """With s = sigmoid(2 u): s + 2 y (1 - s) u'."""
    x = np.where(np.abs(x.real) > GELU_FAR, GELU_FAR * np.sign(x.real), x)  # s is 0 or 1 there: the powers stay finite
    s = _sigmoid(2 * GELU_SCALE * x * (1 + GELU_CUBIC * x * x))
    return dy * (s + 2 * GELU_SCALE * x * s * (1 - s) * (1 + 3 * GELU_CUBIC * x * x))


def _two_valued(z: Array, below: float) -> Array:
    """1 where z ≥ 0, elsewhere `below`; NaN stays."""
    return np.where(z.real < 0, below, np.where(z.real >= 0, 1, z))


# name: (f(z, alpha), gradient(x, y, dy, alpha)).  sign and step have no useful derivative: their gradients go straight
# through, as those of hard_tanh and of linear would.
ACTIVATIONS: dict[str, tuple[Callable[..., Array], Callable[..., Array]]] = {
    "linear": (lambda z, alpha: z, lambda x, y, dy, alpha: dy),
    "relu": (lambda z, alpha: np.where(z.real < 0, 0, z), lambda x, y, dy, alpha: np.where(y.real <= 0, 0, dy)),
    "leaky_relu": (lambda z, alpha: _leaky(z, z, alpha), lambda x, y, dy, alpha: _leaky(x, dy, alpha)),
    "tanh": (lambda z, alpha: np.tanh(z), lambda x, y, dy, alpha: dy * (1 - y * y)),
    "sigmoid": (_sigmoid, lambda x, y, dy, alpha: dy * (y * (1 - y))),
    "relu6": (lambda z, alpha: _clip(z, 0, 6), lambda x, y, dy, alpha: _within(x, 0, 6, dy)),
    "hard_tanh": (lambda z, alpha: _clip(z, -1, 1), lambda x, y, dy, alpha: _within(x, -1, 1, dy)),
    "hard_sigmoid": (
        lambda z, alpha: _clip(z, -3, 3) * (1 / 6) + 0.5,
        lambda x, y, dy, alpha: _within(x, -3, 3, dy * (1 / 6)),
    ),
    "elu": (_elu, _elu_gradient),
    "selu": (lambda z, alpha: SELU_SCALE * _elu(z, SELU_ALPHA), _selu_gradient),
    "softplus": (_softplus, lambda x, y, dy, alpha: dy * _sigmoid(x)),
    "swish": (lambda z, alpha: z * _sigmoid(alpha * z), _swish_gradient),
    "gelu": (lambda z, alpha: z * _normal_cdf(z), _gelu_gradient),
    "gelu_tanh": (_gelu_tanh, _gelu_tanh_gradient),
    "sign": (lambda z, alpha: _two_valued(z, -1), lambda x, y, dy, alpha: np.where(abs(x.real) > 1, 0, dy)),
    "step": (lambda z, alpha: _two_valued(z, 0), lambda x, y, dy, alpha: dy),
}
