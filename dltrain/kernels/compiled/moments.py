# mypy: disallow-untyped-defs=False, disallow-incomplete-defs=False
"""The loops of batch and group normalization: statistics of rows, and what is done with them.

Rows are cut into one part a thread, and a part into lines; see `channels`.
"""

from __future__ import annotations

import numpy as np
from numba import njit, prange

from dltrain.kernels.compiled.channels import (
    add_gradients_of_line,
    add_line,
    add_squares_of_line,
    part_of,
    repeated,
    rows_at_once,
    transform_line,
    transform_line_back,
)
from dltrain.kernels.compiled.jit import INNER, PARALLEL, PLAIN, kernel
from dltrain.kernels.compiled.lines import IMAGE
from dltrain.kernels.compiled.pointwise import F


@njit(**INNER)
def add_rows(x, r0, r1, total):
    """total += Σ x over some rows."""
    W, C = x.shape[3:]
    sums = zeros(rows_at_once(W, C) * C)
    for i in range(r0 // W, -(-r1 // W)):
        add_line(part_of(x, i, r0, r1), sums)
    fold(sums, total)


@njit(**INNER)
def add_squares(x, mean, r0, r1, total):
    """total += Σ (x - mean)² over some rows."""
    W, C = x.shape[3:]
    times = rows_at_once(W, C)
    sums, m = zeros(times * C), repeated(mean, times)
    for i in range(r0 // W, -(-r1 // W)):
        add_squares_of_line(part_of(x, i, r0, r1), m, sums)
    fold(sums, total)


@njit(**INNER)
def add_gradients(x, y, dy, mean, floor, r0, r1, sum_h, sum_1):
    """sum_1 += Σ dz and sum_h += Σ dz (x - mean) over some rows."""
    W, C = x.shape[3:]
    times = rows_at_once(W, C)
    h, ones, m = zeros(times * C), zeros(times * C), repeated(mean, times)
    for i in range(r0 // W, -(-r1 // W)):
        parts = part_of(x, i, r0, r1), part_of(y, i, r0, r1), part_of(dy, i, r0, r1)
        add_gradients_of_line(parts[0], parts[1], parts[2], m, floor, h, ones)
    fold(h, sum_h)
    fold(ones, sum_1)


@njit(**INNER)
def transform(x, mean, scale, beta, floor, out, r0, r1):
    """out = f((x - mean) scale + beta) for some rows."""
    W, C = x.shape[3:]
    times = rows_at_once(W, C)
    m, s, b = repeated(mean, times), repeated(scale, times), repeated(beta, times)
    for i in range(r0 // W, -(-r1 // W)):
        transform_line(part_of(x, i, r0, r1), m, s, b, floor, part_of(out, i, r0, r1))


@njit(**INNER)
def transform_backward(x, y, dy, mean, scale, slope, offset, floor, dx, r0, r1):
    """dx = scale dz - (x - mean) slope - offset for some rows."""
    W, C = x.shape[3:]
    times = rows_at_once(W, C)
    m, s = repeated(mean, times), repeated(scale, times)
    k, b = repeated(slope, times), repeated(offset, times)
    for i in range(r0 // W, -(-r1 // W)):
        parts = part_of(x, i, r0, r1), part_of(y, i, r0, r1), part_of(dy, i, r0, r1)
        transform_line_back(parts[0], parts[1], parts[2], m, s, k, b, floor, part_of(dx, i, r0, r1))


@njit(**INNER)
def fold(sums, total):
    """total += the parts of sums, each as long as total."""
    for i in range(0, sums.size, max(total.size, 1)):
        for j in range(total.size):
            total[j] += sums[i + j]


@njit(**INNER)
def rows_of_image(x):
    """How many rows of channels an image has."""
    return x.shape[0] * x.shape[1] * x.shape[2] * x.shape[3]


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
def normalize_serial(x, gamma, beta, epsilon, floor, out, mean, inv_std):
    """`normalize` in the calling thread; N may be 0."""
    N, C = rows_of_image(x), x.shape[4]
    total = zeros(C)
    add_rows(x, 0, N, total)
    store_mean(total, max(N, 1), mean)
    total = zeros(C)
    add_squares(x, mean, 0, N, total)
    finish(total, max(N, 1), epsilon, inv_std)
    scale, offset = scales(gamma, beta, inv_std)
    transform(x, mean, scale, offset, floor, out, 0, N)


@kernel(f"{IMAGE} f1 f1 float float32 {IMAGE} f1 f1 int", **PARALLEL)
def normalize(x, gamma, beta, epsilon, floor, out, mean, inv_std, threads):
    """mean = Σ x / N, inv_std = 1/√(Σ (x - mean)² / N + epsilon), out = f(gamma (x - mean) inv_std + beta).

    x and out are images of N rows, the others (C,); gamma and beta are empty where there is none.  f is a floor:
    0 for relu, else -∞.
    """
    N, C = rows_of_image(x), x.shape[4]
    if threads == 1:
        normalize_serial(x, gamma, beta, epsilon, floor, out, mean, inv_std)
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
        transform(x, mean, scale, offset, floor, out, t * N // threads, (t + 1) * N // threads)


@njit(**INNER, **PLAIN)
def store_sums(sums, dgamma, dbeta, add):
    """dgamma (+)= Σ sums[t, 0] and dbeta (+)= Σ sums[t, 1] over the threads' parts; each may be empty."""
    of_h, of_1 = total_of(sums[:, 0]), total_of(sums[:, 1])
    for j in range(dgamma.size):
        dgamma[j] = F(of_h[j]) + (dgamma[j] if add else F(0))
    for j in range(dbeta.size):
        dbeta[j] = F(of_1[j]) + (dbeta[j] if add else F(0))


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
def slopes(scale, sum_h, sum_1, inv_std, count):
    """What transform_backward subtracts, for statistics that depend on x: scale (h sum_h + sum_1) / count."""
    slope, offset = np.empty(inv_std.size, np.float32), np.empty(inv_std.size, np.float32)
    for j in range(inv_std.size):
        slope[j] = scale[j] * sum_h[j] * inv_std[j] / count
        offset[j] = scale[j] * sum_1[j] / count
    return slope, offset


@njit(**INNER)
def normalize_backward_serial(x, y, dy, gamma, mean, inv_std, dgamma, dbeta, dx, floor, add, count):
    """`normalize_backward` in the calling thread."""
    N, C = rows_of_image(x), x.shape[4]
    sum_h, sum_1 = zeros(C), zeros(C)
    add_gradients(x, y, dy, mean, floor, 0, N, sum_h, sum_1)
    store_gradients(sum_h, sum_1, inv_std, dgamma, dbeta, add)
    if dx.size:
        scale, _ = scales(gamma, gamma[:0], inv_std)
        slope, offset = slopes(scale, sum_h, sum_1, inv_std, count)
        transform_backward(x, y, dy, mean, scale, slope, offset, floor, dx, 0, N)


@kernel(f"{IMAGE} {IMAGE} {IMAGE} f1 f1 f1 f1 f1 {IMAGE} float32 bool float int", **PARALLEL)
def normalize_backward(x, y, dy, gamma, mean, inv_std, dgamma, dbeta, dx, floor, add, count, threads):
    """dgamma (+)= Σ dz h, dbeta (+)= Σ dz, dx = gamma inv_std (dz - h Σ dz h / count - Σ dz / count).

    dz = dy f'(y) and h = (x - mean) inv_std; count is N, or infinite where the statistics do not depend on x.
    An empty dgamma, dbeta or dx is not computed.
    """
    N, C = rows_of_image(x), x.shape[4]
    if threads == 1:
        normalize_backward_serial(x, y, dy, gamma, mean, inv_std, dgamma, dbeta, dx, floor, add, count)
        return
    sums = zeros(2 * threads * C).reshape((2, threads, C))
    for t in prange(threads):
        lo, hi = t * N // threads, (t + 1) * N // threads
        add_gradients(x, y, dy, mean, floor, lo, hi, sums[0, t], sums[1, t])
    sum_h, sum_1 = total_of(sums[0]), total_of(sums[1])
    store_gradients(sum_h, sum_1, inv_std, dgamma, dbeta, add)
    if dx.size:
        scale, _ = scales(gamma, gamma[:0], inv_std)
        slope, offset = slopes(scale, sum_h, sum_1, inv_std, count)
        for t in prange(threads):
            lo, hi = t * N // threads, (t + 1) * N // threads
            transform_backward(x, y, dy, mean, scale, slope, offset, floor, dx, lo, hi)


@kernel(f"{IMAGE} f1 f1 f1 f1 float32 {IMAGE} int", **PARALLEL)
def transform_all(x, gamma, beta, mean, inv_std, floor, out, threads):
    """out = f(gamma (x - mean) inv_std + beta), the statistics (C,) being given; see `normalize`."""
    N = rows_of_image(x)
    scale, offset = scales(gamma, beta, inv_std)
    if threads == 1:
        transform(x, mean, scale, offset, floor, out, 0, N)
    else:
        for t in prange(threads):
            transform(x, mean, scale, offset, floor, out, t * N // threads, (t + 1) * N // threads)
