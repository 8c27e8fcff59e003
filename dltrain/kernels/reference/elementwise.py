"""Activations, softmax, sums and products of wires, dropout."""

from __future__ import annotations

import math

import numpy as np

from dltrain.kernels.arrays import Array
from dltrain.kernels.random import halves, threshold
from dltrain.kernels.reference.activations import ACTIVATIONS


@np.errstate(invalid="ignore", over="ignore")
def activation(x: Array, name: str, alpha: float, out: Array) -> Array:
    """out = f(x).

    Parameters:
        x: any shape
        name: a key of ACTIVATIONS
        alpha: the function's parameter: slope of leaky_relu below 0, alpha of elu, beta of swish
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
        alpha: as in the forward pass
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


@np.errstate(invalid="ignore", over="ignore")
def multiply(inputs: tuple[Array, ...], out: Array) -> Array:
    """out = the product of the inputs, from left to right.

    Parameters:
        inputs: one or more arrays of one shape
        out: the same shape
    """
    out[...] = math.prod(inputs[1:], start=inputs[0])
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
