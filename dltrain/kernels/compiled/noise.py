# mypy: disallow-untyped-defs=False, disallow-incomplete-defs=False
"""Normal noise from hashed counters: any part of it can be drawn by any thread."""

from __future__ import annotations

import numpy as np
from numba import njit, prange

from dltrain.kernels.arrays import Array
from dltrain.kernels.compiled.jit import INNER, PARALLEL, PLAIN, compiled, kernel, parts
from dltrain.kernels.compiled.pointwise import F, log
from dltrain.kernels.random import halves
from dltrain.kernels.reference import noise as reference

TINY = F(2.0**-23)


@njit(inline="always")
def draw(counter, low, high):
    """32 random bits; see `reference.elementwise.bits`."""
    h = np.uint32(np.uint32(counter) ^ low)
    h = np.uint32(np.uint32(h ^ (h >> np.uint32(16))) * np.uint32(0x7FEB352D))
    h = np.uint32(h ^ high)
    h = np.uint32(np.uint32(h ^ (h >> np.uint32(15))) * np.uint32(0x846CA68B))
    return np.uint32(h ^ (h >> np.uint32(16)))


@njit(inline="always")
def radius(u):
    """√(-2 log u) for 2⁻²⁴ ≤ u < 1."""
    return np.sqrt(F(-2) * log(u))


@njit(inline="always")
def cosine(v):
    """cos 2πv for 0 ≤ v < 1: that of v - 1/2, turned over, is a sine within a quarter turn.

    Source: a polynomial in v² fitted for a quarter turn; error below 1e-8 and rounding.
    """
    w = v - F(0.5)
    t = (-w if w < F(0) else w) - F(0.25)
    z = t * t
    p = F(39.8083553) * z + F(-76.5876581)
    p = p * z + F(81.6027574)
    p = p * z + F(-41.3416849)
    p = p * z + F(6.28318529)
    return t * p


@njit(**INNER, **PLAIN)
def add_noise(x, low, high, stddev, out, first):
    """out = x + stddev ε for elements `first` and on."""
    for i in range(x.size):
        a, b = draw(2 * (first + i), low, high), draw(2 * (first + i) + 1, low, high)
        u = (F(np.int32(a >> np.uint32(9))) + F(0.5)) * TINY
        v = F(np.int32(b >> np.uint32(9))) * TINY
        out[i] = x[i] + stddev * (radius(u) * cosine(v))


@kernel("f1 int int float f1 int", **PARALLEL)
def noise_flat(x, low, high, stddev, out, threads):
    """out = x + stddev ε for flat vectors (n,), in one part a thread; low and high are halves of the key."""
    if threads == 1:
        add_noise(x, np.uint32(low), np.uint32(high), F(stddev), out, 0)
    else:
        for t in prange(threads):
            lo, hi = t * x.size // threads, (t + 1) * x.size // threads
            add_noise(x[lo:hi], np.uint32(low), np.uint32(high), F(stddev), out[lo:hi], lo)


def gaussian_noise(x: Array, key: int, stddev: float, out: Array) -> Array:
    """See the reference."""
    try:
        if not out.flags.c_contiguous:
            raise TypeError
        compiled.noise_flat(x.reshape(-1), *halves(key), stddev, out.reshape(-1), parts(2 * out.size))
    except TypeError:
        return reference.gaussian_noise(x, key, stddev, out)
    return out


@kernel("i2 float f2 int", **PARALLEL)
def noise_rows(keys, stddev, out, threads):
    """Each row of out is noise of its own two halves of a key."""
    for t in prange(threads):
        for n in range(t * len(out) // threads, (t + 1) * len(out) // threads):
            out[n] = F(0)
            add_noise(out[n], np.uint32(keys[n, 0]), np.uint32(keys[n, 1]), F(stddev), out[n], 0)


def gaussian_noise_each(keys: Array, stddev: float, out: Array) -> Array:
    """See the reference."""
    try:
        if not out.flags.c_contiguous or not out.size:
            raise TypeError
        both = np.array([halves(key) for key in keys.tolist()], np.int64)
        compiled.noise_rows(both, stddev, out.reshape(len(out), -1), parts(2 * out.size))
    except TypeError:
        return reference.gaussian_noise_each(keys, stddev, out)
    return out
