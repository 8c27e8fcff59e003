"""Normal noise from hashed counters."""

from __future__ import annotations

import math

import numpy as np

from dltrain.kernels.arrays import Array
from dltrain.kernels.reference.elementwise import bits


def gaussian_noise(x: Array, key: int, stddev: float, out: Array) -> Array:
    """out = x + stddev ε, ε = √(-2 log u) cos(2π v), from two draws u and v in [0, 1) an element.

    Parameters:
        x: any shape; elements are counted in C order
        key: 64 random bits, of which all draws are made
        stddev: standard deviation of the noise
        out: the shape of x

    Source: Box and Muller 1958, A note on the generation of random normal deviates.
    """
    draws = bits(key, 2 * x.size).reshape(x.size, 2) >> np.uint32(9)
    u, v = ((draws[:, 0] + 0.5) * 2.0**-23), draws[:, 1] * 2.0**-23
    noise = np.sqrt(-2 * np.log(u)) * np.cos(2 * math.pi * v)
    out[...] = x + (stddev * noise).reshape(x.shape).astype(x.real.dtype)
    return out


def gaussian_noise_each(keys: Array, stddev: float, out: Array) -> Array:
    """out[n] = stddev ε of a key of its own: as `gaussian_noise` of zeros.

    Parameters:
        keys: (N,) uint64
        stddev: standard deviation of the noise
        out: (N, …)
    """
    for own, key in zip(out, keys.tolist(), strict=True):
        gaussian_noise(np.zeros_like(own), key, stddev, own)
    return out
