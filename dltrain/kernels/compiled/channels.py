# mypy: disallow-untyped-defs=False, disallow-incomplete-defs=False
"""Loops over one line of an image, rows of channels after one another, for what is the same along each channel.

Several rows are taken at once, as one vector that the parameters of the channels are repeated for: so loops are long
whatever the number of channels.  Groups of four vectors are added in float32, the groups in float64: as exact as
adding all in float64 to seven digits, and limited by memory instead of by conversions.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from dltrain.kernels.compiled.jit import INNER, PLAIN
from dltrain.kernels.compiled.lines import line
from dltrain.kernels.compiled.pointwise import F

AT_ONCE = 1024  # values of a vector; the parameters repeated for it stay in the first-level cache


@njit(**INNER)
def rows_at_once(W, C):
    """How many rows make a vector, of which four fit into a line of W rows."""
    return max(1, min(W // 4, AT_ONCE // max(C, 1)))


@njit(**INNER)
def repeated(values, times):
    """values, one time after the other."""
    out = np.empty(times * values.size, np.float32)
    for i in range(times):
        for j in range(values.size):
            out[i * values.size + j] = values[j]
    return out


@njit(inline="always")
def part_of(x, i, r0, r1):
    """Those of the rows r0 … r1 of an image that lie in its line i, as one vector."""
    _, D, H, W, C = x.shape
    a, b = max(r0 - i * W, 0), min(r1 - i * W, W)
    return line(x, i // (D * H), i // H % D, i % H)[a * C : b * C]


@njit(**INNER, **PLAIN)
def add_line(x, total):
    """total += Σ x over the vectors of a line."""
    size = total.size
    end = x.size // (4 * size) * 4 * size
    for i in range(0, end, 4 * size):
        a, b, c, d = x[i : i + size], x[i + size :], x[i + 2 * size :], x[i + 3 * size :]
        for j in range(size):
            total[j] += (a[j] + b[j]) + (c[j] + d[j])
    for i in range(end, x.size, size):
        a = x[i : i + size]
        for j in range(a.size):
            total[j] += a[j]


@njit(**INNER, **PLAIN)
def add_squares_of_line(x, mean, total):
    """total += Σ (x - mean)² over the vectors of a line."""
    size = total.size
    end = x.size // (4 * size) * 4 * size
    for i in range(0, end, 4 * size):
        a, b, c, d = x[i : i + size], x[i + size :], x[i + 2 * size :], x[i + 3 * size :]
        for j in range(size):
            m = mean[j]
            p, q, r, s = a[j] - m, b[j] - m, c[j] - m, d[j] - m
            total[j] += (p * p + q * q) + (r * r + s * s)
    for i in range(end, x.size, size):
        a = x[i : i + size]
        for j in range(a.size):
            p = a[j] - mean[j]
            total[j] += p * p


@njit(**INNER, **PLAIN)
def add_gradients_of_line(x, y, dy, mean, floor, sum_h, sum_1):
    """sum_1 += Σ dz and sum_h += Σ dz (x - mean) over the vectors of a line, dz = dy where y > floor."""
    size = sum_1.size
    end = x.size // (2 * size) * 2 * size
    for i in range(0, end, 2 * size):
        xa, ya, ga = x[i : i + size], y[i : i + size], dy[i : i + size]
        xb, yb, gb = x[i + size :], y[i + size :], dy[i + size :]
        for j in range(size):
            p = F(0) if ya[j] <= floor else ga[j]
            q = F(0) if yb[j] <= floor else gb[j]
            sum_1[j] += p + q
            sum_h[j] += p * (xa[j] - mean[j]) + q * (xb[j] - mean[j])
    for i in range(end, x.size, size):
        xa, ya, ga = x[i : i + size], y[i : i + size], dy[i : i + size]
        for j in range(xa.size):
            p = F(0) if ya[j] <= floor else ga[j]
            sum_1[j] += p
            sum_h[j] += p * (xa[j] - mean[j])


@njit(**INNER, **PLAIN)
def transform_line(x, mean, scale, beta, floor, out):
    """out = (x - mean) scale + beta, at least floor, for a line."""
    size = mean.size
    for i in range(0, x.size, size):
        a, o = x[i : i + size], out[i : i + size]
        for j in range(a.size):
            v = (a[j] - mean[j]) * scale[j] + beta[j]
            o[j] = floor if v < floor else v


@njit(**INNER, **PLAIN)
def transform_line_back(x, y, dy, mean, scale, slope, offset, floor, dx):
    """dx = scale dz - (x - mean) slope - offset for a line, dz = dy where y > floor."""
    size = mean.size
    for i in range(0, x.size, size):
        a, v, g, o = x[i : i + size], y[i : i + size], dy[i : i + size], dx[i : i + size]
        for j in range(a.size):
            dz = F(0) if v[j] <= floor else g[j]
            o[j] = scale[j] * dz - (a[j] - mean[j]) * slope[j] - offset[j]
