"""Batch normalization fused with relu: two passes for the statistics, one for the output.

Groups of four rows are added in float32, the groups in float64: as exact as adding all in float64 to seven
digits, and limited by memory instead of by conversions.  Rows are cut into one part a thread.
"""

from __future__ import annotations

import numpy as np
from numba import njit, prange

from dltrain.kernels.arrays import Array, Empty, rows_of
from dltrain.kernels.compiled.elementwise import SERIAL
from dltrain.kernels.compiled.jit import FLOAT32, OPTIONS, PLAIN, compiled, kernel
from dltrain.kernels.compiled.pointwise import F
from dltrain.kernels.reference import normalization as reference

NONE = np.empty(0, np.float32)
NO_DX = np.empty((0, 0), np.float32)
CODES = {"linear": False, "relu": True}


@njit(**PLAIN)
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


@njit(**PLAIN)
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


@njit(**PLAIN)
def add_gradients(x, y, dy, mean, relu, r0, r1, sum_h, sum_1):
    """sum_1 += Σ dz and sum_h += Σ dz (x - mean) over some rows, dz = dy f'(y)."""
    end = r0 + (r1 - r0) // 2 * 2
    for i in range(r0, end, 2):
        xa, xb, ya, yb, ga, gb = x[i], x[i + 1], y[i], y[i + 1], dy[i], dy[i + 1]
        for j in range(sum_1.size):
            p = F(0) if relu and ya[j] <= F(0) else ga[j]
            q = F(0) if relu and yb[j] <= F(0) else gb[j]
            sum_1[j] += p + q
            sum_h[j] += p * (xa[j] - mean[j]) + q * (xb[j] - mean[j])
    for i in range(end, r1):
        xa, ya, ga = x[i], y[i], dy[i]
        for j in range(sum_1.size):
            p = F(0) if relu and ya[j] <= F(0) else ga[j]
            sum_1[j] += p
            sum_h[j] += p * (xa[j] - mean[j])


@njit(**PLAIN)
def transform(x, mean, scale, beta, relu, out, r0, r1):
    """out = f((x - mean) scale + beta) for some rows."""
    floor = F(0) if relu else F(-np.inf)
    for i in range(r0, r1):
        a, o = x[i], out[i]
        for j in range(a.size):
            v = (a[j] - mean[j]) * scale[j] + beta[j]
            o[j] = floor if v < floor else v


@njit(**PLAIN)
def transform_backward(x, y, dy, mean, scale, slope, offset, relu, dx, r0, r1):
    """dx = scale (dz - (x - mean) slope - offset) for some rows."""
    for i in range(r0, r1):
        a, v, g, o = x[i], y[i], dy[i], dx[i]
        for j in range(a.size):
            dz = F(0) if relu and v[j] <= F(0) else g[j]
            o[j] = scale[j] * (dz - (a[j] - mean[j]) * slope[j] - offset[j])


@njit(**PLAIN)
def scales(gamma, beta, inv_std):
    """gamma inv_std and beta, with 1 and 0 for those that are not there."""
    scale, offset = inv_std.copy(), np.zeros_like(inv_std)
    for j in range(gamma.size):
        scale[j] *= gamma[j]
    for j in range(beta.size):
        offset[j] = beta[j]
    return scale, offset


@njit(**PLAIN)
def total_of(parts, t):
    """The sum over the threads' parts, in their order."""
    total = parts[0].copy()
    for k in range(1, t):
        total += parts[k]
    return total


@njit(**OPTIONS)
def finish(total, count, epsilon, inv_std):
    for j in range(total.size):
        inv_std[j] = 1 / np.sqrt(total[j] / count + epsilon)


@kernel("f2 f1 f1 float bool f2 f1 f1", **OPTIONS)
def batch_norm_serial(x, gamma, beta, epsilon, relu, out, mean, inv_std):
    N, C = x.shape
    count = max(N, 1)
    total = np.zeros(C)
    add_rows(x, 0, N, total)
    for j in range(C):
        mean[j] = total[j] / count
    total[:] = 0
    add_squares(x, mean, 0, N, total)
    finish(total, count, epsilon, inv_std)
    scale, offset = scales(gamma, beta, inv_std)
    transform(x, mean, scale, offset, relu, out, 0, N)


@kernel("f2 f1 f1 float bool f2 f1 f1 int", parallel=True, **OPTIONS)
def batch_norm_parallel(x, gamma, beta, epsilon, relu, out, mean, inv_std, threads):
    N, C = x.shape
    parts = np.zeros((threads, C))
    for t in prange(threads):
        add_rows(x, t * N // threads, (t + 1) * N // threads, parts[t])
    total = total_of(parts, threads)
    for j in range(C):
        mean[j] = total[j] / N
    parts[:] = 0
    for t in prange(threads):
        add_squares(x, mean, t * N // threads, (t + 1) * N // threads, parts[t])
    finish(total_of(parts, threads), N, epsilon, inv_std)
    scale, offset = scales(gamma, beta, inv_std)
    for t in prange(threads):
        transform(x, mean, scale, offset, relu, out, t * N // threads, (t + 1) * N // threads)


@njit(**OPTIONS)
def store_gradients(sum_h, sum_1, inv_std, dgamma, dbeta, add):
    """dgamma (+)= Σ dz h and dbeta (+)= Σ dz; sum_h becomes that Σ dz h."""
    for j in range(sum_h.size):
        sum_h[j] *= inv_std[j]
    for j in range(dgamma.size):
        dgamma[j] = dgamma[j] + sum_h[j] if add else sum_h[j]
    for j in range(dbeta.size):
        dbeta[j] = dbeta[j] + sum_1[j] if add else sum_1[j]


@njit(**OPTIONS)
def slopes(sum_h, sum_1, inv_std, count):
    """What transform_backward subtracts, for statistics that depend on x."""
    slope, offset = np.empty_like(inv_std), np.empty_like(inv_std)
    for j in range(inv_std.size):
        slope[j] = sum_h[j] * inv_std[j] / count
        offset[j] = sum_1[j] / count
    return slope, offset


@kernel("f2 f2 f2 f1 f1 f1 f1 f1 f2 bool bool bool", **OPTIONS)
def batch_norm_backward_serial(x, y, dy, gamma, mean, inv_std, dgamma, dbeta, dx, relu, add, fixed):
    N, C = x.shape
    sum_h, sum_1 = np.zeros(C), np.zeros(C)
    add_gradients(x, y, dy, mean, relu, 0, N, sum_h, sum_1)
    store_gradients(sum_h, sum_1, inv_std, dgamma, dbeta, add)
    if dx.size:
        slope, offset = slopes(sum_h, sum_1, inv_std, np.inf if fixed else np.float64(N))
        scale, _ = scales(gamma, dbeta[:0], inv_std)
        transform_backward(x, y, dy, mean, scale, slope, offset, relu, dx, 0, N)


@kernel("f2 f2 f2 f1 f1 f1 f1 f1 f2 bool bool bool int", parallel=True, **OPTIONS)
def batch_norm_backward_parallel(x, y, dy, gamma, mean, inv_std, dgamma, dbeta, dx, relu, add, fixed, threads):
    N, C = x.shape
    parts = np.zeros((2, threads, C))
    for t in prange(threads):
        lo, hi = t * N // threads, (t + 1) * N // threads
        add_gradients(x, y, dy, mean, relu, lo, hi, parts[0, t], parts[1, t])
    sum_h, sum_1 = total_of(parts[0], threads), total_of(parts[1], threads)
    store_gradients(sum_h, sum_1, inv_std, dgamma, dbeta, add)
    if dx.size:
        slope, offset = slopes(sum_h, sum_1, inv_std, np.inf if fixed else np.float64(N))
        scale, _ = scales(gamma, dbeta[:0], inv_std)
        for t in prange(threads):
            lo, hi = t * N // threads, (t + 1) * N // threads
            transform_backward(x, y, dy, mean, scale, slope, offset, relu, dx, lo, hi)


@kernel("f2 f1 f1 f1 f1 bool f2 int", parallel=True, **OPTIONS)
def transform_parallel(x, gamma, beta, mean, inv_std, relu, out, threads):
    N = len(x)
    scale, offset = scales(gamma, beta, inv_std)
    for t in prange(threads):
        transform(x, mean, scale, offset, relu, out, t * N // threads, (t + 1) * N // threads)


def batch_norm(
    x: Array,
    gamma: Array | None,
    beta: Array | None,
    epsilon: float,
    activation: str,
    out: Array,
    mean: Array,
    inv_std: Array,
    empty: Empty,
) -> Array:
    """See the reference."""
    g, b = NONE if gamma is None else gamma, NONE if beta is None else beta
    arguments = rows_of(x), g, b, epsilon, CODES[activation], rows_of(out), mean, inv_std
    try:
        if not out.flags.c_contiguous:
            raise TypeError
        if x.size < SERIAL:
            compiled.batch_norm_serial(*arguments)
        else:
            compiled.batch_norm_parallel(*arguments, compiled.threads)
    except TypeError:
        return reference.batch_norm(x, gamma, beta, epsilon, activation, out, mean, inv_std, empty)
    return out


def batch_norm_backward(
    x: Array,
    y: Array,
    dy: Array,
    gamma: Array | None,
    mean: Array,
    inv_std: Array,
    dgamma: Array | None,
    dbeta: Array | None,
    dx: Array | None,
    activation: str,
    add: bool,
    empty: Empty,
) -> Array | None:
    """See the reference."""
    if _backward(x, y, dy, gamma, mean, inv_std, dgamma, dbeta, dx, activation, add, False):
        return dx
    return reference.batch_norm_backward(
        x, y, dy, gamma, mean, inv_std, dgamma, dbeta, dx, activation, add, empty
    )  # fmt: skip


def _backward(
    x: Array,
    y: Array,
    dy: Array,
    gamma: Array | None,
    mean: Array,
    inv_std: Array,
    dgamma: Array | None,
    dbeta: Array | None,
    dx: Array | None,
    activation: str,
    add: bool,
    fixed: bool,
) -> bool:
    """Run the kernel; False where it does not take these arguments."""
    g, back = NONE if gamma is None else gamma, NO_DX if dx is None else rows_of(dx)
    to_gamma, to_beta = NONE if dgamma is None else dgamma, NONE if dbeta is None else dbeta
    arguments = rows_of(x), rows_of(y), rows_of(dy), g, mean, inv_std, to_gamma, to_beta, back
    try:
        if dx is not None and not dx.flags.c_contiguous:
            return False
        if x.size < SERIAL:
            compiled.batch_norm_backward_serial(*arguments, CODES[activation], add, fixed)
        else:
            compiled.batch_norm_backward_parallel(*arguments, CODES[activation], add, fixed, compiled.threads)
    except TypeError:
        return False
    return True


def batch_norm_inference(
    x: Array,
    gamma: Array | None,
    beta: Array | None,
    mean: Array,
    variance: Array,
    epsilon: float,
    activation: str,
    out: Array,
) -> Array:
    """See the reference."""
    g, b = NONE if gamma is None else gamma, NONE if beta is None else beta
    threads = compiled.threads if x.size >= SERIAL else 1
    try:
        inv_std = _inverse_deviation(variance, epsilon)
        if not out.flags.c_contiguous:
            raise TypeError
        compiled.transform_parallel(rows_of(x), g, b, mean, inv_std, CODES[activation], rows_of(out), threads)
    except TypeError:
        return reference.batch_norm_inference(x, gamma, beta, mean, variance, epsilon, activation, out)
    return out


def batch_norm_inference_backward(
    x: Array,
    y: Array,
    dy: Array,
    gamma: Array | None,
    mean: Array,
    variance: Array,
    epsilon: float,
    dgamma: Array | None,
    dbeta: Array | None,
    dx: Array | None,
    activation: str,
    add: bool,
    empty: Empty,
) -> Array | None:
    """See the reference."""
    if variance.dtype == FLOAT32:
        inv_std = _inverse_deviation(variance, epsilon)
        if _backward(x, y, dy, gamma, mean, inv_std, dgamma, dbeta, dx, activation, add, True):
            return dx
    return reference.batch_norm_inference_backward(
        x, y, dy, gamma, mean, variance, epsilon, dgamma, dbeta, dx, activation, add, empty
    )


def _inverse_deviation(variance: Array, epsilon: float) -> Array:
    """1/√(variance + epsilon) in float32, computed in float64.

    Raises:
        TypeError: when the variance is not float32.
    """
    if variance.dtype != FLOAT32:
        raise TypeError(variance.dtype)
    return (1 / np.sqrt(variance.astype(np.float64) + epsilon)).astype(FLOAT32)
