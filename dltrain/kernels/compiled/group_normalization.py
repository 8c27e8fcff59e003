# mypy: disallow-untyped-defs=False, disallow-incomplete-defs=False
"""Group normalization: the passes of batch normalization over one example at a time; examples are dealt out to threads.

Sums are those of channels, as everywhere in `moments`; a group's are the sums over its channels.
"""

from __future__ import annotations

import numpy as np
from numba import njit, prange

from dltrain.kernels.arrays import Array, Empty
from dltrain.kernels.compiled.jit import FLOAT32, INNER, PARALLEL, compiled, kernel, parts
from dltrain.kernels.compiled.lines import IMAGE, by_example, has_lines
from dltrain.kernels.compiled.moments import (
    add_gradients,
    add_rows,
    add_squares,
    finish,
    rows_of_image,
    scales,
    slopes,
    store_mean,
    store_sums,
    transform,
    transform_backward,
    zeros,
)
from dltrain.kernels.compiled.normalization import NO_DX, NONE
from dltrain.kernels.compiled.pointwise import F
from dltrain.kernels.reference import group_normalization as reference

NO_FLOOR = F(-np.inf)


@njit(**INNER)
def sum_groups(total, groups):
    """The sums of groups of channels, from those of the channels."""
    sums, size = zeros(groups), total.size // groups
    for g in range(groups):
        for j in range(g * size, (g + 1) * size):
            sums[g] += total[j]
    return sums


@njit(**INNER)
def hand_out(values, out):
    """Give every channel the value of its group."""
    size = out.size // values.size
    for g in range(values.size):
        for j in range(g * size, (g + 1) * size):
            out[j] = values[g]


@njit(**INNER)
def normalize_groups(x, gamma, beta, epsilon, out, mean, inv_std, n0, n1):
    """Some examples of `group_norm_all`."""
    C, G = x.shape[4], mean.shape[1]
    rows = rows_of_image(x) // len(x)
    m, s, count = np.empty(C, np.float32), np.empty(C, np.float32), rows * (C // G)
    for n in range(n0, n1):
        r0, r1 = n * rows, (n + 1) * rows
        total = zeros(C)
        add_rows(x, r0, r1, total)
        store_mean(sum_groups(total, G), count, mean[n])
        hand_out(mean[n], m)
        total = zeros(C)
        add_squares(x, m, r0, r1, total)
        finish(sum_groups(total, G), count, epsilon, inv_std[n])
        hand_out(inv_std[n], s)
        scale, offset = scales(gamma, beta, s)
        transform(x, m, scale, offset, NO_FLOOR, out, r0, r1)


@kernel(f"{IMAGE} f1 f1 float {IMAGE} f2 f2 int", **PARALLEL)
def group_norm_all(x, gamma, beta, epsilon, out, mean, inv_std, threads):
    """See `reference.group_norm`; gamma and beta may be empty."""
    N = len(x)
    if threads == 1:
        normalize_groups(x, gamma, beta, epsilon, out, mean, inv_std, 0, N)
    else:
        for t in prange(threads):
            lo, hi = t * N // threads, (t + 1) * N // threads
            normalize_groups(x, gamma, beta, epsilon, out, mean, inv_std, lo, hi)


@njit(**INNER)
def groups_back(x, dy, gamma, mean, inv_std, sums, dx, n0, n1):
    """Some examples of `group_norm_gradient`; their part of dgamma and dbeta goes into sums (2, C)."""
    C, G = x.shape[4], mean.shape[1]
    rows = rows_of_image(x) // len(x)
    m, s, count = np.empty(C, np.float32), np.empty(C, np.float32), float(rows * (C // G))
    for n in range(n0, n1):
        r0, r1 = n * rows, (n + 1) * rows
        hand_out(mean[n], m)
        hand_out(inv_std[n], s)
        sum_h, sum_1 = zeros(C), zeros(C)
        add_gradients(x, dy, dy, m, NO_FLOOR, r0, r1, sum_h, sum_1)
        for j in range(C):
            sum_h[j] *= s[j]
            sums[0, j] += sum_h[j]
            sums[1, j] += sum_1[j]
        if dx.size:
            for j in range(gamma.size):
                sum_h[j] *= gamma[j]
                sum_1[j] *= gamma[j]
            of_h, of_1 = sum_groups(sum_h, G), sum_groups(sum_1, G)
            hand_out(of_h, sum_h)
            hand_out(of_1, sum_1)
            slope, offset = slopes(s, sum_h, sum_1, s, count)
            scale, _ = scales(gamma, gamma[:0], s)
            transform_backward(x, dy, dy, m, scale, slope, offset, NO_FLOOR, dx, r0, r1)


@kernel(f"{IMAGE} {IMAGE} f1 f2 f2 f1 f1 {IMAGE} bool int", **PARALLEL)
def group_norm_gradient(x, dy, gamma, mean, inv_std, dgamma, dbeta, dx, add, threads):
    """See `reference.group_norm_backward`; gamma, dgamma, dbeta and dx may be empty."""
    N, C = len(x), x.shape[4]
    sums = zeros(threads * 2 * C).reshape((threads, 2, C))
    if threads == 1:
        groups_back(x, dy, gamma, mean, inv_std, sums[0], dx, 0, N)
    else:
        for t in prange(threads):
            lo, hi = t * N // threads, (t + 1) * N // threads
            groups_back(x, dy, gamma, mean, inv_std, sums[t], dx, lo, hi)
    store_sums(sums, dgamma, dbeta, add)


def group_norm(
    x: Array, gamma: Array | None, beta: Array | None, epsilon: float, out: Array, mean: Array, inv_std: Array
) -> Array:
    """See the reference."""
    g, b = NONE if gamma is None else gamma, NONE if beta is None else beta
    try:
        if not has_lines(out) or not x.size:
            raise TypeError
        images, results = by_example(x, out)
        compiled.group_norm_all(images, g, b, epsilon, results, mean, inv_std, parts(x.size))
    except TypeError:
        return reference.group_norm(x, gamma, beta, epsilon, out, mean, inv_std)
    return out


def group_norm_backward(
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
    g = NONE if gamma is None else gamma
    to_gamma, to_beta = NONE if dgamma is None else dgamma, NONE if dbeta is None else dbeta
    try:
        if (dx is not None and not has_lines(dx)) or not x.size or x.dtype != FLOAT32:
            raise TypeError
        images = (*by_example(x, dy), NO_DX) if dx is None else by_example(x, dy, dx)
        compiled.group_norm_gradient(
            *images[:2], g, mean, inv_std, to_gamma, to_beta, images[2], add, parts(x.size)
        )  # fmt: skip
    except TypeError:
        return reference.group_norm_backward(x, dy, gamma, mean, inv_std, dgamma, dbeta, dx, add, empty)
    return dx
