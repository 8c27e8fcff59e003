"""Losses from logits or predictions: the value, and in `out` its gradient."""

from __future__ import annotations

from typing import Any

import numpy as np

from dltrain.kernels.arrays import Array, check_labels


@np.errstate(invalid="ignore", over="ignore")
def softmax_cross_entropy(z: Array, labels: Array, out: Array) -> Any:
    """The mean over the rows of log Σ exp(z) - z[label]; out = (softmax(z) - onehot(labels))/N.

    Parameters:
        z: (N, K) logits
        labels: (N,) integers, 0 ≤ label < K
        out: (N, K), receives the gradient

    Raises:
        IndexError: when a label is out of range.
    """
    check_labels(labels, z.shape[1])
    count, rows = max(len(z), 1), np.arange(len(z))
    shifted = z - z.real.max(1, keepdims=True, initial=-np.inf)
    e = np.exp(shifted)
    total = e.sum(1, keepdims=True)
    loss = (np.log(total[:, 0]) - shifted[rows, labels]).sum(dtype=_wide(z)) / count
    gradient = e / total
    gradient[rows, labels] -= 1
    out[...] = gradient / count
    return loss.item()


@np.errstate(invalid="ignore", over="ignore")
def binary_cross_entropy(z: Array, targets: Array, out: Array) -> Any:
    """The mean over all elements of softplus(z) - z t; out = (sigmoid(z) - t)/elements.

    Parameters:
        z: (N, 1) or (N, M) logits
        targets: the same shape, 0 to 1
        out: the same shape, receives the gradient
    """
    count = max(z.size, 1)
    negative = z.real < 0
    e = np.exp(np.where(negative, z, -z))
    loss = (np.where(negative, 0, z) + np.log1p(e) - z * targets).sum(dtype=_wide(z)) / count
    out[...] = (np.where(negative, e, 1) / (1 + e) - targets) / count
    return loss.item()


@np.errstate(invalid="ignore", over="ignore")
def mean_squared_error(y: Array, t: Array, out: Array) -> Any:
    """The mean over all elements of (y - t)²; out = 2 (y - t)/elements.

    Parameters:
        y: (N, M) predictions
        t: (N, M) targets
        out: (N, M), receives the gradient
    """
    count = max(y.size, 1)
    difference = y - t
    loss = (difference * difference).sum(dtype=_wide(y)) / count
    out[...] = difference * (2 / count)
    return loss.item()


def _wide(x: Array) -> Any:
    """The dtype in which a sum of this array is kept."""
    return np.result_type(x.dtype, np.float64)
