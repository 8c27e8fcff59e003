# mypy: disallow-untyped-defs=False, disallow-incomplete-defs=False
"""Counts and sums for metrics, the guard against NaN, and the gathering of a batch."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit, prange

from dltrain.kernels.arrays import Array, check_labels
from dltrain.kernels.compiled.jit import INNER, OPTIONS, PARALLEL, SUMS, compiled, kernel, parts
from dltrain.kernels.compiled.pointwise import F
from dltrain.kernels.reference import counting as reference

EXPONENT = np.uint32(0x7F800000)  # all bits set only in NaN and the infinities


@kernel("f2 i1 i2", **OPTIONS)
def confusion(scores, labels, counts):
    """False when a label is out of range; nothing is counted then."""
    K = scores.shape[1]
    if len(counts) != K or counts.shape[1] != K or not in_range(labels, K):
        return False
    for i in range(len(labels)):
        row = scores[i]
        best = 0
        for j in range(1, K):
            if row[j] > row[best] or (row[j] != row[j] and row[best] == row[best]):
                best = j
        counts[labels[i], best] += 1
    return True


@kernel("f1 f1 i2", **OPTIONS)
def binary(z, targets, counts):
    """counts[targets > 1/2, z > 0] += 1 for each element; counts (2, 2)."""
    for i in range(z.size):
        counts[np.int64(targets[i] > F(0.5)), np.int64(z[i] > F(0))] += 1


@kernel("f2 f2 d2", **OPTIONS)
def moments(y, t, sums):
    """sums (5, K) += N, Σ t, Σ t², Σ (y - t)², Σ |y - t| of each column of y and t (N, K), in float64."""
    for i in range(len(y)):
        for j in range(y.shape[1]):
            target = np.float64(t[i, j])
            difference = np.float64(y[i, j]) - target
            sums[0, j] += 1
            sums[1, j] += target
            sums[2, j] += target * target
            sums[3, j] += difference * difference
            sums[4, j] += abs(difference)


@kernel("read2 read1 f2 int", **PARALLEL)
def gather(x, index, out, threads):
    """False when an index is out of range; nothing is copied then."""
    B = len(index)
    if not in_range(index, len(x)):
        return False
    if threads == 1:
        copy_rows(x, index, out, 0, B)
    else:
        for t in prange(threads):
            copy_rows(x, index, out, t * B // threads, (t + 1) * B // threads)
    return True


@njit(**INNER)
def in_range(index, count):
    """Whether 0 ≤ i < count for all i of index."""
    good = True
    for i in index:
        good = good and 0 <= i < count
    return good


@njit(**INNER)
def copy_rows(x, index, out, first, last):
    """out[i] = x[index[i]] for first ≤ i < last."""
    for i in range(first, last):
        k = index[i]
        for j in range(x.shape[1]):
            out[i, j] = x[k, j]


@njit(**INNER)
def finite(x):
    """Whether there is no NaN and no infinity in x, by the largest of the exponents."""
    largest = np.uint32(0)
    bits = x.view(np.uint32)
    for i in range(bits.size):
        largest = max(largest, np.uint32(bits[i] & EXPONENT))
    return largest < EXPONENT


@kernel("f1 int", **PARALLEL)
def finite_flat(x, threads):
    """Whether there is no NaN and no infinity in x (n,), in one part a thread."""
    if threads == 1:
        return finite(x)
    good = np.empty(threads, np.bool_)
    for t in prange(threads):
        good[t] = finite(x[t * x.size // threads : (t + 1) * x.size // threads])
    whole = True
    for t in range(threads):
        whole = whole and good[t]
    return whole


@njit(**INNER, **SUMS)
def squares(x):
    """Σ x², in float64."""
    total = 0.0
    for i in range(x.size):
        total += np.float64(x[i]) * np.float64(x[i])
    return total


@kernel("f1 int", **PARALLEL)
def squares_flat(x, threads):
    """Σ x² of x (n,), in float64; the threads' parts are added in their order."""
    if threads == 1:
        return squares(x)
    sums = np.empty(threads, np.float64)
    for t in prange(threads):
        sums[t] = squares(x[t * x.size // threads : (t + 1) * x.size // threads])
    total = 0.0
    for t in range(threads):
        total += sums[t]
    return total


def count_confusion(scores: Array, labels: Array, counts: Array) -> Array:
    """See the reference."""
    try:
        if not compiled.confusion(scores, labels, counts):
            check_labels(labels, len(counts))
            return reference.count_confusion(scores, labels, counts)
    except TypeError:
        return reference.count_confusion(scores, labels, counts)
    return counts


def count_binary(z: Array, targets: Array, counts: Array) -> Array:
    """See the reference."""
    try:
        compiled.binary(z.reshape(-1), targets.reshape(-1), counts)
    except TypeError:
        return reference.count_binary(z, targets, counts)
    return counts


def add_moments(y: Array, t: Array, sums: Array) -> Array:
    """See the reference."""
    try:
        compiled.moments(y, t, sums)
    except TypeError:
        return reference.add_moments(y, t, sums)
    return sums


def take_rows(x: Array, index: Array, out: Array) -> Array:
    """See the reference."""
    if x.size and x.flags.c_contiguous and out.flags.c_contiguous:
        try:
            rows, into = x.reshape(len(x), -1), out.reshape(len(out), x.size // len(x))
            if compiled.gather(rows, index, into, parts(out.size)):
                return out
        except TypeError:
            pass
    return reference.take_rows(x, index, out)


def all_finite(x: Array) -> bool:
    """See the reference."""
    try:
        return compiled.finite_flat(x.reshape(-1), parts(x.size))
    except TypeError:
        return reference.all_finite(x)


def sum_of_squares(x: Array) -> Any:
    """See the reference."""
    try:
        return compiled.squares_flat(x.reshape(-1), parts(x.size))
    except TypeError:
        return reference.sum_of_squares(x)
