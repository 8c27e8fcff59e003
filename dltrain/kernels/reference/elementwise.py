"""Activations, softmax, sums of wires and dropout."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from dltrain.kernels.arrays import Array
from dltrain.kernels.random import halves, threshold


def _sigmoid(z: Array, alpha: float) -> Array:
    """1/(1 + exp(-z)), from an exponential that cannot overflow."""
    positive = ~(z.real < 0)
    e = np.exp(np.where(positive, -z, z))
    return np.where(positive, 1, e) / (1 + e)


def _leaky(x: Array, z: Array, alpha: float) -> Array:
    """z where x > 0 (or NaN), alpha z elsewhere."""
    return np.where(x.real < 0, z * alpha, z)


# name: (f(z, alpha), gradient(x, y, dy, alpha)).  Comparisons are such that NaN goes through.
ACTIVATIONS: dict[str, tuple[Callable[..., Array], Callable[..., Array]]] = {
    "linear": (lambda z, alpha: z, lambda x, y, dy, alpha: dy),
    "relu": (lambda z, alpha: np.where(z.real < 0, 0, z), lambda x, y, dy, alpha: np.where(y.real <= 0, 0, dy)),
    "leaky_relu": (lambda z, alpha: _leaky(z, z, alpha), lambda x, y, dy, alpha: _leaky(x, dy, alpha)),
    "tanh": (lambda z, alpha: np.tanh(z), lambda x, y, dy, alpha: dy * (1 - y * y)),
    "sigmoid": (_sigmoid, lambda x, y, dy, alpha: dy * (y * (1 - y))),
}


@np.errstate(invalid="ignore", over="ignore")
def activation(x: Array, name: str, alpha: float, out: Array) -> Array:
    """out = f(x).

    Parameters:
        x: any shape
        name: a key of ACTIVATIONS
        alpha: slope of leaky_relu where x < 0; the others do not read it
        out: the shape of x
    """
    out[...] = ACTIVATIONS[name][0](x, alpha)
    return out


@np.errstate(invalid="ignore", over="ignore")
def activation_backward(x: Array, y: Array, dy: Array, name: str, alpha: float, out: Array) -> Array:
    """out = dy f'(x), where y = f(x).

    Parameters:
        x: input of the forward pass
        y: output of the forward pass
        dy: gradient with respect to y
        name: a key of ACTIVATIONS
        alpha: slope of leaky_relu where x < 0
        out: the shape of x
    """
    out[...] = ACTIVATIONS[name][1](x, y, dy, alpha)
    return out


@np.errstate(invalid="ignore", over="ignore")
def softmax(x: Array, out: Array) -> Array:
    """out = exp(x) / Σ exp(x) over the last axis, shifted by the largest x.

    Parameters:
        x: (…, K)
        out: (…, K)
    """
    e = np.exp(x - x.real.max(-1, keepdims=True, initial=-np.inf))
    out[...] = e / e.sum(-1, keepdims=True)
    return out


@np.errstate(invalid="ignore", over="ignore")
def softmax_backward(y: Array, dy: Array, out: Array) -> Array:
    """out = y (dy - Σ y dy) over the last axis.

    Parameters:
        y: (…, K), what softmax returned
        dy: (…, K)
        out: (…, K)
    """
    out[...] = y * (dy - (y * dy).sum(-1, keepdims=True))
    return out


@np.errstate(invalid="ignore", over="ignore")
def add(inputs: tuple[Array, ...], out: Array) -> Array:
    """out = the sum of the inputs, from left to right.

    Parameters:
        inputs: one or more arrays of one shape
        out: the same shape
    """
    out[...] = sum(inputs[1:], inputs[0])
    return out


def dropout(x: Array, key: int, rate: float, out: Array) -> Array:
    """out = x / (1 - rate) where the element is kept, else 0; element i is kept where bits(key, i) ≥ 2³² rate.

    The backward pass is the same function on dy.

    Parameters:
        x: any shape; elements are counted in C order
        key: 64 random bits, of which all draws are made
        rate: the share that is dropped, 0 ≤ rate < 1
        out: the shape of x

    Source: Srivastava et al. 2014, Dropout: a simple way to prevent neural networks from overfitting.
    """
    kept = bits(key, x.size).reshape(x.shape) >= np.uint32(threshold(rate))
    out[...] = np.where(kept, x * x.real.dtype.type(1 / (1 - rate)), 0)
    return out


def bits(key: int, count: int) -> Array:
    """Random bits: a counter hashed under a key, so that any element can be drawn alone, in any order.

    Two rounds of a 32-bit mixer over the counter, each begun with half of the key.

    Parameters:
        key: 64 bits
        count: number of draws

    Example:
        >>> bool((bits(7, 10)[:5] == bits(7, 5)).all())
        True

    Source: the mixer is Wellons' lowbias32 (2018); the key is spread by splitmix64, Steele et al. 2014.
    """
    low, high = halves(key)
    h = np.arange(count, dtype=np.uint32) ^ np.uint32(low)
    h = (h ^ (h >> np.uint32(16))) * np.uint32(0x7FEB352D)
    h = h ^ np.uint32(high)
    h = (h ^ (h >> np.uint32(15))) * np.uint32(0x846CA68B)
    return h ^ (h >> np.uint32(16))
