# mypy: disallow-untyped-defs=False, disallow-incomplete-defs=False
"""Local response normalization: each row stays in the cache for the passes over it; each thread has its rows."""

from __future__ import annotations

import numpy as np
from numba import njit, prange

from dltrain.kernels.arrays import Array, rows_of
from dltrain.kernels.compiled.jit import INNER, PARALLEL, PLAIN, compiled, kernel, parts
from dltrain.kernels.compiled.pointwise import F, exp, log
from dltrain.kernels.reference import response as reference
from dltrain.kernels.reference.response import Response


@njit(**INNER, **PLAIN)
def sum_windows(values, before, after, total):
    """total[c] = Σ values[c - before … c + after], of those that there are."""
    C = values.size
    for j in range(C):
        total[j] = values[j]
    for k in range(1, min(before, C - 1) + 1):
        last = total[k:]
        for j in range(C - k):
            last[j] += values[j]
    for k in range(1, min(after, C - 1) + 1):
        behind = values[k:]
        for j in range(C - k):
            total[j] += behind[j]


@njit(**INNER, **PLAIN)
def response_rows(x, size, alpha, beta, bias, out, r0, r1):
    """Some rows of `response_all`."""
    C = x.shape[1]
    squares, sums = np.empty(C, np.float32), np.empty(C, np.float32)
    for i in range(r0, r1):
        a, o = x[i], out[i]
        for j in range(C):
            squares[j] = a[j] * a[j]
        sum_windows(squares, size // 2, (size - 1) // 2, sums)
        for j in range(C):
            o[j] = a[j] * exp(-beta * log(bias + alpha * sums[j]))


@kernel("f2 int float float float f2 int", **PARALLEL)
def response_all(x, size, alpha, beta, bias, out, threads):
    """See `reference.local_response`; alpha is divided by size already."""
    a, b, k = F(alpha), F(beta), F(bias)
    if threads == 1:
        response_rows(x, size, a, b, k, out, 0, len(x))
    else:
        for t in prange(threads):
            response_rows(x, size, a, b, k, out, t * len(x) // threads, (t + 1) * len(x) // threads)


@njit(**INNER, **PLAIN)
def response_back(x, dy, size, alpha, beta, bias, dx, r0, r1):
    """Some rows of `response_gradient`."""
    C = x.shape[1]
    terms, sums, power = np.empty(C, np.float32), np.empty(C, np.float32), np.empty(C, np.float32)
    twice = F(2) * alpha * beta
    for i in range(r0, r1):
        a, g, o = x[i], dy[i], dx[i]
        for j in range(C):
            terms[j] = a[j] * a[j]
        sum_windows(terms, size // 2, (size - 1) // 2, sums)
        for j in range(C):
            d = bias + alpha * sums[j]
            power[j] = exp(-beta * log(d))
            terms[j] = g[j] * a[j] * power[j] / d
        sum_windows(terms, (size - 1) // 2, size // 2, sums)
        for j in range(C):
            o[j] = g[j] * power[j] - twice * a[j] * sums[j]


@kernel("f2 f2 int float float float f2 int", **PARALLEL)
def response_gradient(x, dy, size, alpha, beta, bias, dx, threads):
    """See `reference.local_response_backward`; alpha is divided by size already."""
    a, b, k = F(alpha), F(beta), F(bias)
    if threads == 1:
        response_back(x, dy, size, a, b, k, dx, 0, len(x))
    else:
        for t in prange(threads):
            response_back(x, dy, size, a, b, k, dx, t * len(x) // threads, (t + 1) * len(x) // threads)


def local_response(x: Array, response: Response, out: Array) -> Array:
    """See the reference."""
    size, alpha, beta, bias = response
    try:
        if not out.flags.c_contiguous:
            raise TypeError
        compiled.response_all(rows_of(x), size, alpha / size, beta, bias, rows_of(out), parts(x.size))
    except TypeError:
        return reference.local_response(x, response, out)
    return out


def local_response_backward(x: Array, dy: Array, response: Response, out: Array) -> Array:
    """See the reference."""
    size, alpha, beta, bias = response
    try:
        if not out.flags.c_contiguous:
            raise TypeError
        rows = rows_of(x), rows_of(dy)
        compiled.response_gradient(*rows, size, alpha / size, beta, bias, rows_of(out), parts(x.size))
    except TypeError:
        return reference.local_response_backward(x, dy, response, out)
    return out
