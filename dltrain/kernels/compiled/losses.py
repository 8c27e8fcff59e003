# mypy: disallow-untyped-defs=False, disallow-incomplete-defs=False
"""Losses and their gradients in one pass; sums in float64, in an order that only the thread count changes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit, prange

from dltrain.kernels.arrays import Array, check_labels
from dltrain.kernels.compiled.elementwise import exp_all, shift_rows
from dltrain.kernels.compiled.jit import INNER, OPTIONS, PARALLEL, PLAIN, SUMS, compiled, kernel, parts
from dltrain.kernels.compiled.pointwise import F, exp
from dltrain.kernels.reference import losses as reference


@njit(**INNER, **SUMS)
def cross_entropy_rows(z, labels, out, r0, r1):
    """Σ of the losses of some rows, and their part of the gradient; NaN where a label is out of range."""
    N, K = z.shape
    shift_rows(z, out, r0, r1)
    loss = 0.0
    for i in range(r0, r1):
        label = labels[i]
        if label < 0 or label >= K:
            return np.nan
        loss -= out[i, label]
    exp_all(out[r0:r1])
    share = F(1.0 / N)
    for i in range(r0, r1):
        row = out[i]
        total = 0.0
        for j in range(K):
            total += row[j]
        loss += math.log(total)
        scale = F(1.0 / (total * N))
        for j in range(K):
            row[j] *= scale
        row[labels[i]] -= share
    return loss


@kernel("f2 i1 f2 int", **PARALLEL)
def cross_entropy(z, labels, out, threads):
    """Returns Σ (log Σ_j exp(z_j) - z_label) / N over the rows of z (N, K); NaN where a label is out of range.

    out (N, K) = (softmax(z) - onehot(labels)) / N.
    """
    N = len(z)
    if threads == 1:
        return cross_entropy_rows(z, labels, out, 0, N) / max(N, 1)
    sums = np.empty(threads, np.float64)
    for t in prange(threads):
        sums[t] = cross_entropy_rows(z, labels, out, t * N // threads, (t + 1) * N // threads)
    loss = 0.0
    for t in range(threads):
        loss += sums[t]
    return loss / N


@kernel("f1 f1 f1", **OPTIONS, **PLAIN)
def binary_entropy(z, targets, out):
    """Returns Σ (max(0, z) - z t + log(1 + exp(-|z|))) / n for logits z and targets t (n,).

    out (n,) = (1 / (1 + exp(-z)) - t) / n.
    """
    share = F(1.0 / max(z.size, 1))
    loss = 0.0
    for i in range(z.size):
        v, t = z[i], targets[i]
        size = -v if v < F(0) else v
        e = exp(-size)
        out[i] = ((e if v < F(0) else F(1)) / (F(1) + e) - t) * share
        loss += (F(0) if v < F(0) else v) - v * t + math.log1p(e)
    return loss / max(z.size, 1)


@kernel("f1 f1 f1", **OPTIONS, **SUMS)
def squared_error(y, t, out):
    """Returns Σ (y - t)² / n for y and t (n,); out (n,) = 2 (y - t) / n."""
    scale = F(2.0 / max(y.size, 1))
    loss = 0.0
    for i in range(y.size):
        difference = y[i] - t[i]
        loss += np.float64(difference) * np.float64(difference)
        out[i] = difference * scale
    return loss / max(y.size, 1)


def softmax_cross_entropy(z: Array, labels: Array, out: Array, weights: Array | None = None) -> Any:
    """See the reference."""
    if weights is not None:
        return reference.softmax_cross_entropy(z, labels, out, weights)
    try:
        loss = compiled.cross_entropy(z, labels, out, parts(z.size))
    except TypeError:
        return reference.softmax_cross_entropy(z, labels, out, weights)
    if loss != loss:
        check_labels(labels, z.shape[1])
    return loss


def binary_cross_entropy(z: Array, targets: Array, out: Array, weights: Array | None = None) -> Any:
    """See the reference."""
    if weights is None and out.flags.c_contiguous:
        try:
            return compiled.binary_entropy(z.reshape(-1), targets.reshape(-1), out.reshape(-1))
        except TypeError:
            pass
    return reference.binary_cross_entropy(z, targets, out, weights)


def mean_squared_error(y: Array, t: Array, out: Array, weights: Array | None = None) -> Any:
    """See the reference."""
    if weights is None and out.flags.c_contiguous:
        try:
            return compiled.squared_error(y.reshape(-1), t.reshape(-1), out.reshape(-1))
        except TypeError:
            pass
    return reference.mean_squared_error(y, t, out, weights)
