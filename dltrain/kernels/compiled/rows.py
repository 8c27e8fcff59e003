# mypy: disallow-untyped-defs=False, disallow-incomplete-defs=False
"""Layer norm: each row stays in the cache for the passes over it; rows are cut into one part a thread."""

from __future__ import annotations

import numpy as np
from numba import njit, prange

from dltrain.kernels.arrays import Array, Empty, rows_of
from dltrain.kernels.compiled.jit import FLOAT32, INNER, PARALLEL, PLAIN, SUMS, compiled, kernel, parts
from dltrain.kernels.compiled.moments import store_sums
from dltrain.kernels.compiled.pointwise import F
from dltrain.kernels.reference import rows as reference

NONE = np.empty(0, np.float32)
NO_DX = np.empty((0, 0), np.float32)


@njit(**INNER, **SUMS)
def statistics(row, epsilon):
    """(mean, 1/√(variance + epsilon)) of a row, summed in float64."""
    total, squares = 0.0, 0.0
    for j in range(row.size):
        total += row[j]
    mean = total / row.size
    m = F(mean)
    rest = 0.0
    for j in range(row.size):
        d = row[j] - m
        squares += d * d
        rest += d
    # m is rounded: what it lacks is taken from the squares, and does not matter elsewhere
    return m, F(1 / np.sqrt((squares - rest * rest / row.size) / row.size + epsilon))


@njit(**INNER, **PLAIN)
def layer_norm_rows(x, gamma, beta, epsilon, out, mean, inv_std, r0, r1):
    """Some rows of `layer_norm_all`."""
    for i in range(r0, r1):
        a, o = x[i], out[i]
        m, s = statistics(a, epsilon)
        mean[i], inv_std[i] = m, s
        for j in range(a.size):
            o[j] = (a[j] - m) * s * gamma[j] + beta[j]


@kernel("f2 f1 f1 float f2 f1 f1 int", **PARALLEL)
def layer_norm_all(x, gamma, beta, epsilon, out, mean, inv_std, threads):
    """See `reference.layer_norm`; gamma and beta may be empty."""
    C = x.shape[1]
    g = gamma if gamma.size == C else np.ones(C, np.float32)
    b = beta if beta.size == C else np.zeros(C, np.float32)
    if threads == 1:
        layer_norm_rows(x, g, b, epsilon, out, mean, inv_std, 0, len(x))
    else:
        for t in prange(threads):
            layer_norm_rows(x, g, b, epsilon, out, mean, inv_std, t * len(x) // threads, (t + 1) * len(x) // threads)


@njit(**INNER, **SUMS)
def row_sums(a, g, gamma, mean, inv_std):
    """(Σ gamma dy, Σ gamma dy h) of a row."""
    offset, slope = 0.0, 0.0
    for j in range(a.size):
        v = g[j] * gamma[j]
        offset += v
        slope += v * ((a[j] - mean) * inv_std)
    return offset, slope


@njit(**INNER, **PLAIN)
def add_two_rows(x, dy, mean, inv_std, i, k, sums):
    """sums[0] += Σ dy h and sums[1] += Σ dy over rows i and k, added in float32 before they go to float64."""
    a, b, g, h = x[i], x[k], dy[i], dy[k]
    ma, mb, sa, sb = mean[i], mean[k], inv_std[i], inv_std[k]
    if i == k:
        sb = F(0)
    to_gamma, to_beta = sums[0], sums[1]
    for j in range(a.size):
        to_gamma[j] += g[j] * ((a[j] - ma) * sa) + h[j] * ((b[j] - mb) * sb)
    twice = F(0) if i == k else F(1)
    for j in range(a.size):
        to_beta[j] += g[j] + h[j] * twice


@njit(**INNER, **PLAIN)
def layer_norm_back(x, dy, gamma, mean, inv_std, sums, dx, r0, r1):
    """Some rows of `layer_norm_gradient`; their part of dgamma and dbeta goes into sums (2, C)."""
    C = F(x.shape[1])
    for i in range(r0, r1, 2):
        last = min(i + 1, r1 - 1)
        add_two_rows(x, dy, mean, inv_std, i, last, sums)
        for r in range(i, last + 1 if dx.size else i):
            a, g, o, m, s = x[r], dy[r], dx[r], mean[r], inv_std[r]
            offset, slope = row_sums(a, g, gamma, m, s)
            p, q = F(offset) / C, F(slope) / C
            for j in range(a.size):
                o[j] = s * (g[j] * gamma[j] - (a[j] - m) * s * q - p)


@kernel("f2 f2 f1 f1 f1 f1 f1 f2 bool int", **PARALLEL)
def layer_norm_gradient(x, dy, gamma, mean, inv_std, dgamma, dbeta, dx, add, threads):
    """See `reference.layer_norm_backward`; gamma, dgamma, dbeta and dx may be empty."""
    C = x.shape[1]
    g = gamma if gamma.size == C else np.ones(C, np.float32)
    sums = np.zeros((threads, 2, C), np.float64)
    if threads == 1:
        layer_norm_back(x, dy, g, mean, inv_std, sums[0], dx, 0, len(x))
    else:
        for t in prange(threads):
            lo, hi = t * len(x) // threads, (t + 1) * len(x) // threads
            layer_norm_back(x, dy, g, mean, inv_std, sums[t], dx, lo, hi)
    store_sums(sums, dgamma, dbeta, add)


def layer_norm(
    x: Array, gamma: Array | None, beta: Array | None, epsilon: float, out: Array, mean: Array, inv_std: Array
) -> Array:
    """See the reference."""
    g, b = NONE if gamma is None else gamma, NONE if beta is None else beta
    try:
        if not out.flags.c_contiguous or not x.shape[-1]:
            raise TypeError
        compiled.layer_norm_all(rows_of(x), g, b, epsilon, rows_of(out), mean, inv_std, parts(x.size))
    except TypeError:
        return reference.layer_norm(x, gamma, beta, epsilon, out, mean, inv_std)
    return out


def layer_norm_backward(
    x: Array,
    dy: Array,
    gamma: Array | None,
    mean: Array,
    inv_std: Array,
    dgamma: Array | None,
    dbeta: Array | None,
    dx: Array | None,
    add: bool,
    empty: Empty,
) -> Array | None:
    """See the reference."""
    g, back = NONE if gamma is None else gamma, NO_DX if dx is None else rows_of(dx)
    to_gamma, to_beta = NONE if dgamma is None else dgamma, NONE if dbeta is None else dbeta
    try:
        if (dx is not None and not dx.flags.c_contiguous) or not x.shape[-1] or x.dtype != FLOAT32:
            raise TypeError
        rows, gradients = rows_of(x), rows_of(dy)
        compiled.layer_norm_gradient(rows, gradients, g, mean, inv_std, to_gamma, to_beta, back, add, parts(x.size))
    except TypeError:
        return reference.layer_norm_backward(x, dy, gamma, mean, inv_std, dgamma, dbeta, dx, add, empty)
    return dx
