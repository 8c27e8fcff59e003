# mypy: disallow-untyped-defs=False, disallow-incomplete-defs=False
"""Other colours for pictures; the three of a pixel stay in registers."""

from __future__ import annotations

import numpy as np
from numba import njit, prange

from dltrain.kernels.arrays import Array
from dltrain.kernels.compiled.jit import INNER, PARALLEL, PLAIN, compiled, kernel, parts
from dltrain.kernels.compiled.pointwise import F
from dltrain.kernels.reference import recolouring as reference


@njit(inline="always")
def cut(value, low, high):
    """A value cut to a range; NaN stays NaN."""
    value = low if value < low else value
    return high if value > high else value


@njit(**INNER, **PLAIN)
def recolour_grey(x, a, b, low, high, out):
    """One picture of one channel."""
    for i in range(x.size):
        out[i] = cut(a * x[i] + b, low, high)


@njit(**INNER, **PLAIN)
def recolour_three(x, A, b, low, high, out):
    """One picture of three channels."""
    a00, a01, a02, b0 = F(A[0, 0]), F(A[0, 1]), F(A[0, 2]), F(b[0])
    a10, a11, a12, b1 = F(A[1, 0]), F(A[1, 1]), F(A[1, 2]), F(b[1])
    a20, a21, a22, b2 = F(A[2, 0]), F(A[2, 1]), F(A[2, 2]), F(b[2])
    l0, l1, l2, h0, h1, h2 = F(low[0]), F(low[1]), F(low[2]), F(high[0]), F(high[1]), F(high[2])
    for i in range(x.size // 3):
        r, g, s = x[3 * i], x[3 * i + 1], x[3 * i + 2]
        out[3 * i] = cut(a00 * r + a01 * g + a02 * s + b0, l0, h0)
        out[3 * i + 1] = cut(a10 * r + a11 * g + a12 * s + b1, l1, h1)
        out[3 * i + 2] = cut(a20 * r + a21 * g + a22 * s + b2, l2, h2)


@njit(**INNER)
def recolour_some(x, A, b, low, high, out, first, last):
    """Some pictures of `recolour_all`."""
    for n in range(first, last):
        if x.shape[2] == 1:
            recolour_grey(x[n].reshape(-1), F(A[n, 0, 0]), F(b[n, 0]), F(low[0]), F(high[0]), out[n].reshape(-1))
        else:
            recolour_three(x[n].reshape(-1), A[n], b[n], low, high, out[n].reshape(-1))


@kernel("f3 float64[:,:,::1] d2 float64[::1] float64[::1] f3 int", **PARALLEL)
def recolour_all(x, A, b, low, high, out, threads):
    """See `reference.recolour`; pictures are (N, H · W, C)."""
    if threads == 1:
        recolour_some(x, A, b, low, high, out, 0, len(x))
    else:
        for t in prange(threads):
            recolour_some(x, A, b, low, high, out, t * len(x) // threads, (t + 1) * len(x) // threads)


def recolour(x: Array, matrices: Array, moves: Array, low: Array, high: Array, out: Array) -> Array:
    """See the reference."""
    try:
        if x.shape[-1] not in (1, 3) or not x.size or not out.flags.c_contiguous:
            raise TypeError
        flat = (len(x), -1, x.shape[-1])
        arrays = (np.ascontiguousarray(a, np.float64) for a in (matrices, moves, low, high))
        compiled.recolour_all(x.reshape(flat), *arrays, out.reshape(flat), parts(x.size))
    except TypeError:
        return reference.recolour(x, matrices, moves, low, high, out)
    return out
