# mypy: disallow-untyped-defs=False, disallow-incomplete-defs=False
"""Slopes that are learned, and the largest of a unit's pieces."""

from __future__ import annotations

import numpy as np
from numba import njit, prange

from dltrain.kernels.arrays import Array, Empty, rows_of
from dltrain.kernels.compiled.jit import INNER, PARALLEL, PLAIN, compiled, kernel, parts
from dltrain.kernels.compiled.pointwise import F
from dltrain.kernels.reference import units as reference

NO_DX = np.empty((0, 0), np.float32)


@njit(**INNER, **PLAIN)
def prelu_rows(x, alpha, out, r0, r1):
    """Some rows of `prelu_all`."""
    for i in range(r0, r1):
        a, o = x[i], out[i]
        for j in range(a.size):
            o[j] = a[j] * alpha[j] if a[j] < F(0) else a[j]


@kernel("f2 f1 f2 int", **PARALLEL)
def prelu_all(x, alpha, out, threads):
    """out = x where x > 0, else alpha x; one part of the rows a thread."""
    if threads == 1:
        prelu_rows(x, alpha, out, 0, len(x))
    else:
        for t in prange(threads):
            prelu_rows(x, alpha, out, t * len(x) // threads, (t + 1) * len(x) // threads)


@njit(**INNER, **PLAIN)
def prelu_back(x, dy, alpha, total, dx, r0, r1):
    """Some rows of `prelu_gradient`; their part of dalpha goes into total."""
    for i in range(r0, r1):
        a, g = x[i], dy[i]
        for j in range(a.size):
            total[j] += g[j] * a[j] if a[j] < F(0) else F(0)
        if dx.size:
            o = dx[i]
            for j in range(a.size):
                o[j] = g[j] * alpha[j] if a[j] < F(0) else g[j]


@kernel("f2 f2 f1 f1 f2 bool int", **PARALLEL)
def prelu_gradient(x, dy, alpha, dalpha, dx, add, threads):
    """See `reference.prelu_backward`; dx may be empty."""
    totals = np.zeros((threads, x.shape[1]), np.float64)
    if threads == 1:
        prelu_back(x, dy, alpha, totals[0], dx, 0, len(x))
    else:
        for t in prange(threads):
            prelu_back(x, dy, alpha, totals[t], dx, t * len(x) // threads, (t + 1) * len(x) // threads)
    for j in range(dalpha.size):
        total = 0.0
        for t in range(threads):
            total += totals[t, j]
        dalpha[j] = F(total) + (dalpha[j] if add else F(0))


@njit(**INNER, **PLAIN)
def winner(x, first, pieces):
    """Place of the largest of some neighbours: the first of equal ones, the first NaN where there is one."""
    place, best = first, x[first]
    for p in range(first + 1, first + pieces):
        v = x[p]
        if v > best or (v != v and best == best):
            place, best = p, v
    return place


@njit(**INNER, **PLAIN)
def largest_part(x, pieces, out, lo, hi):
    """Some units of `largest_flat`."""
    if pieces == 2:  # without a branch, so in vectors
        for i in range(lo, hi):
            a, b = x[2 * i], x[2 * i + 1]
            m = b if b > a else a
            out[i] = b if b != b else m
    else:
        for i in range(lo, hi):
            out[i] = x[winner(x, pieces * i, pieces)]


@kernel("f1 int f1 int", **PARALLEL)
def largest_flat(x, pieces, out, threads):
    """out (n,) = the largest of every `pieces` neighbours of x (n·pieces,)."""
    if threads == 1:
        largest_part(x, pieces, out, 0, out.size)
    else:
        for t in prange(threads):
            largest_part(x, pieces, out, t * out.size // threads, (t + 1) * out.size // threads)


@njit(**INNER, **PLAIN)
def largest_part_back(x, dy, pieces, out, lo, hi):
    """Some units of `largest_gradient`."""
    if pieces == 2:
        for i in range(lo, hi):
            a, b = x[2 * i], x[2 * i + 1]
            second = b > a or (b != b and a == a)
            out[2 * i] = F(0) if second else dy[i]
            out[2 * i + 1] = dy[i] if second else F(0)
    else:
        for i in range(lo, hi):
            place = winner(x, pieces * i, pieces)
            for p in range(pieces * i, pieces * (i + 1)):
                out[p] = dy[i] if p == place else F(0)


@kernel("f1 f1 int f1 int", **PARALLEL)
def largest_gradient(x, dy, pieces, out, threads):
    """out (n·pieces,) = dy (n,) where x was the largest of its neighbours, else 0."""
    if threads == 1:
        largest_part_back(x, dy, pieces, out, 0, dy.size)
    else:
        for t in prange(threads):
            largest_part_back(x, dy, pieces, out, t * dy.size // threads, (t + 1) * dy.size // threads)


def prelu(x: Array, alpha: Array, out: Array) -> Array:
    """See the reference."""
    try:
        if not out.flags.c_contiguous:
            raise TypeError
        compiled.prelu_all(rows_of(x), alpha, rows_of(out), parts(out.size))
    except TypeError:
        return reference.prelu(x, alpha, out)
    return out


def prelu_backward(
    x: Array, dy: Array, alpha: Array, dalpha: Array, dx: Array | None, add: bool, empty: Empty
) -> Array | None:
    """See the reference."""
    back = NO_DX if dx is None else rows_of(dx)
    try:
        if dx is not None and not dx.flags.c_contiguous:
            raise TypeError
        compiled.prelu_gradient(rows_of(x), rows_of(dy), alpha, dalpha, back, add, parts(x.size))
    except TypeError:
        return reference.prelu_backward(x, dy, alpha, dalpha, dx, add, empty)
    return dx


def largest(x: Array, pieces: int, out: Array) -> Array:
    """See the reference."""
    try:
        if not out.flags.c_contiguous:
            raise TypeError
        compiled.largest_flat(x.reshape(-1), pieces, out.reshape(-1), parts(x.size))
    except TypeError:
        return reference.largest(x, pieces, out)
    return out


def largest_backward(x: Array, dy: Array, pieces: int, out: Array) -> Array:
    """See the reference."""
    try:
        if not out.flags.c_contiguous:
            raise TypeError
        compiled.largest_gradient(x.reshape(-1), dy.reshape(-1), pieces, out.reshape(-1), parts(x.size))
    except TypeError:
        return reference.largest_backward(x, dy, pieces, out)
    return out
