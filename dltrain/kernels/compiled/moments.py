# mypy: disallow-untyped-defs=False, disallow-incomplete-defs=False
"""The loops of batch normalization: statistics of rows, and what is done with them.

Groups of four rows are added in float32, the groups in float64: as exact as adding all in float64 to seven
digits, and limited by memory instead of by conversions.  Rows are cut into one part a thread.
"""

from __future__ import annotations

import numpy as np
from numba import njit, prange

from dltrain.kernels.compiled.jit import INNER, PARALLEL, PLAIN, kernel
from dltrain.kernels.compiled.pointwise import F


@njit(**INNER, **PLAIN)
def add_rows(x, r0, r1, total):
    """total += Σ x over some rows."""
    end = r0 + (r1 - r0) // 4 * 4
    for i in range(r0, end, 4):
        a, b, c, d = x[i], x[i + 1], x[i + 2], x[i + 3]
        for j in range(total.size):
            total[j] += (a[j] + b[j]) + (c[j] + d[j])
    for i in range(end, r1):
        a = x[i]
        for j in range(total.size):
            total[j] += a[j]


@njit(**INNER, **PLAIN)
def add_squares(x, mean, r0, r1, total):
    """total += Σ (x - mean)² over some rows."""
    end = r0 + (r1 - r0) // 4 * 4
    for i in range(r0, end, 4):
        a, b, c, d = x[i], x[i + 1], x[i + 2], x[i + 3]
        for j in range(total.size):
            m = mean[j]
            p, q, r, s = a[j] - m, b[j] - m, c[j] - m, d[j] - m
            total[j] += (p * p + q * q) + (r * r + s * s)
    for i in range(end, r1):
        a = x[i]
        for j in range(total.size):
            p = a[j] - mean[j]
            total[j] += p * p


@njit(**INNER, **PLAIN)
def add_gradients(x, y, dy, mean, relu, r0, r1, sum_h, sum_1):
    """sum_1 += Σ dz and sum_h += Σ dz (x - mean) over some rows, dz = dy f'(y)."""
    floor = F(0) if relu else F(-np.inf)
    end = r0 + (r1 - r0) // 2 * 2
    for i in range(r0, end, 2):
        xa, xb, ya, yb, ga, gb = x[i], x[i + 1], y[i], y[i + 1], dy[i], dy[i + 1]
        for j in range(sum_1.size):
            p = F(0) if ya[j] <= floor else ga[j]
            q = F(0) if yb[j] <= floor else gb[j]
            sum_1[j] += p + q
            sum_h[j] += p * (xa[j] - mean[j]) + q * (xb[j] - mean[j])
    for i in range(end, r1):
        xa, ya, ga = x[i], y[i], dy[i]
        for j in range(sum_1.size):
            p = F(0) if ya[j] <= floor else ga[j]
            sum_1[j] += p
            sum_h[j] += p * (xa[j] - mean[j])


@njit(**INNER, **PLAIN)
def transform(x, mean, scale, beta, relu, out, r0, r1):
    """out = f((x - mean) scale + beta) for some rows."""
    floor = F(0) if relu else F(-np.inf)
    for i in range(r0, r1):
        a, o = x[i], out[i]
        for j in range(a.size):
            v = (a[j] - mean[j]) * scale[j] + beta[j]
            o[j] = floor if v < floor else v


@njit(**INNER, **PLAIN)
def transform_backward(x, y, dy, mean, scale, slope, offset, relu, dx, r0, r1):
    """dx = scale (dz - (x - mean) slope - offset) for some rows."""
    floor = F(0) if relu else F(-np.inf)
    for i in range(r0, r1):
        a, v, g, o = x[i], y[i], dy[i], dx[i]
        for j in range(a.size):
            dz = F(0) if v[j] <= floor else g[j]
            o[j] = scale[j] * (dz - (a[j] - mean[j]) * slope[j] - offset[j])


@njit(**INNER, **PLAIN)
def scales(gamma, beta, inv_std):
    """gamma inv_std and beta, with 1 and 0 for those that are not there."""
    C = inv_std.size
    scale, offset = np.empty(C, np.float32), np.empty(C, np.float32)
    for j in range(C):
        scale[j] = inv_std[j] * gamma[j] if gamma.size else inv_std[j]
        offset[j] = beta[j] if beta.size else F(0)
    return scale, offset


@njit(**INNER, **PLAIN)
def total_of(sums):
    """The sum over the threads' parts, in their order."""
    total = zeros(sums.shape[1])
    for t in range(len(sums)):
        for j in range(total.size):
            total[j] += sums[t, j]
    return total


@njit(**INNER)
def zeros(count):
    """As np.zeros, which takes Numba longer to compile than all the rest."""
    total = np.empty(count, np.float64)
    for j in range(count):
        total[j] = 0.0
    return total


@njit(**INNER)
def store_mean(total, count, mean):
    """mean = total / count."""
    for j in range(total.size):
        mean[j] = total[j] / count


@njit(**INNER)
def finish(total, count, epsilon, inv_std):
    """inv_std = 1/√(total / count + epsilon), total being Σ (x - mean)²."""
    for j in range(total.size):
        inv_std[j] = 1 / np.sqrt(total[j] / count + epsilon)


@njit(**INNER)
def normalize_serial(x, gamma, beta, epsilon, relu, out, mean, inv_std):
    """`normalize` in the calling thread; N may be 0."""
    N, C = x.shape
    total = zeros(C)
    add_rows(x, 0, N, total)
    store_mean(total, max(N, 1), mean)
    total = zeros(C)
    add_squares(x, mean, 0, N, total)
    finish(total, max(N, 1), epsilon, inv_std)
    scale, offset = scales(gamma, beta, inv_std)
    transform(x, mean, scale, offset, relu, out, 0, N)


@kernel("f2 f1 f1 float bool f2 f1 f1 int", **PARALLEL)
def normalize(x, gamma, beta, epsilon, relu, out, mean, inv_std, threads):
    """mean = Σ x / N, inv_std = 1/√(Σ (x - mean)² / N + epsilon), out = f(gamma (x - mean) inv_std + beta).

    x and out (N, C), the others (C,); gamma and beta are empty where there is none, f is relu or nothing.
    """
    N, C = x.shape
    if threads == 1:
        normalize_serial(x, gamma, beta, epsilon, relu, out, mean, inv_std)
        return
    sums, squares = zeros(threads * C).reshape((threads, C)), zeros(threads * C).reshape((threads, C))
    for t in prange(threads):
        add_rows(x, t * N // threads, (t + 1) * N // threads, sums[t])
    store_mean(total_of(sums), N, mean)
    for t in prange(threads):
        add_squares(x, mean, t * N // threads, (t + 1) * N // threads, squares[t])
    finish(total_of(squares), N, epsilon, inv_std)
    scale, offset = scales(gamma, beta, inv_std)
    for t in prange(threads):
        transform(x, mean, scale, offset, relu, out, t * N // threads, (t + 1) * N // threads)


@njit(**INNER)
def store_gradients(sum_h, sum_1, inv_std, dgamma, dbeta, add):
    """dgamma (+)= Σ dz h and dbeta (+)= Σ dz; sum_h becomes that Σ dz h."""
    for j in range(sum_h.size):
        sum_h[j] *= inv_std[j]
    for j in range(dgamma.size):
        dgamma[j] = dgamma[j] + sum_h[j] if add else sum_h[j]
    for j in range(dbeta.size):
        dbeta[j] = dbeta[j] + sum_1[j] if add else sum_1[j]


@njit(**INNER)
def slopes(sum_h, sum_1, inv_std, count):
    """What transform_backward subtracts, for statistics that depend on x."""
    slope, offset = np.empty(inv_std.size, np.float32), np.empty(inv_std.size, np.float32)
    for j in range(inv_std.size):
        slope[j] = sum_h[j] * inv_std[j] / count
        offset[j] = sum_1[j] / count
    return slope, offset


@njit(**INNER)
def normalize_backward_serial(x, y, dy, gamma, mean, inv_std, dgamma, dbeta, dx, relu, add, count):
    """`normalize_backward` in the calling thread."""
    N, C = x.shape
    sum_h, sum_1 = zeros(C), zeros(C)
    add_gradients(x, y, dy, mean, relu, 0, N, sum_h, sum_1)
    store_gradients(sum_h, sum_1, inv_std, dgamma, dbeta, add)
    if dx.size:
        slope, offset = slopes(sum_h, sum_1, inv_std, count)
        scale, _ = scales(gamma, gamma[:0], inv_std)
        transform_backward(x, y, dy, mean, scale, slope, offset, relu, dx, 0, N)


@kernel("f2 f2 f2 f1 f1 f1 f1 f1 f2 bool bool float int", **PARALLEL)
def normalize_backward(x, y, dy, gamma, mean, inv_std, dgamma, dbeta, dx, relu, add, count, threads):
    """dgamma (+)= Σ dz h, dbeta (+)= Σ dz, dx = gamma inv_std (dz - h Σ dz h / count - Σ dz / count).

    dz = dy f'(y) and h = (x - mean) inv_std; count is N, or infinite where the statistics do not depend on x.
    An empty dgamma, dbeta or dx is not computed.
    """
    N, C = x.shape
    if threads == 1:
        normalize_backward_serial(x, y, dy, gamma, mean, inv_std, dgamma, dbeta, dx, relu, add, count)
        return
    sums = zeros(2 * threads * C).reshape((2, threads, C))
    for t in prange(threads):
        lo, hi = t * N // threads, (t + 1) * N // threads
        add_gradients(x, y, dy, mean, relu, lo, hi, sums[0, t], sums[1, t])
    sum_h, sum_1 = total_of(sums[0]), total_of(sums[1])
    store_gradients(sum_h, sum_1, inv_std, dgamma, dbeta, add)
    if dx.size:
        slope, offset = slopes(sum_h, sum_1, inv_std, count)
        scale, _ = scales(gamma, gamma[:0], inv_std)
        for t in prange(threads):
            lo, hi = t * N // threads, (t + 1) * N // threads
            transform_backward(x, y, dy, mean, scale, slope, offset, relu, dx, lo, hi)


@kernel("f2 f1 f1 f1 f1 bool f2 int", **PARALLEL)
def transform_all(x, gamma, beta, mean, inv_std, relu, out, threads):
    """out (N, C) = f(gamma (x - mean) inv_std + beta), the statistics (C,) being given; see `normalize`."""
    N = len(x)
    scale, offset = scales(gamma, beta, inv_std)
    if threads == 1:
        transform(x, mean, scale, offset, relu, out, 0, N)
    else:
        for t in prange(threads):
            transform(x, mean, scale, offset, relu, out, t * N // threads, (t + 1) * N // threads)
