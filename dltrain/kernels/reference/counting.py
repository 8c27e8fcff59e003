"""What metrics, the guard against NaN and the loader count and collect."""

from __future__ import annotations

from typing import Any

import numpy as np

from dltrain.kernels.arrays import Array, check_labels


def count_confusion(scores: Array, labels: Array, counts: Array) -> Array:
    """counts[label, argmax of the scores] += 1 for every row.

    Parameters:
        scores: (N, K)
        labels: (N,) integers, 0 ≤ label < K
        counts: (K, K) int64; rows are the true classes

    Raises:
        IndexError: when a label is out of range.
    """
    check_labels(labels, len(counts))
    np.add.at(counts, (labels, scores.real.argmax(1)), 1)
    return counts


def count_binary(z: Array, targets: Array, counts: Array) -> Array:
    """counts[target, z > 0] += 1 for every element; a target counts as 1 above ½.

    Parameters:
        z: (N, 1) logits
        targets: the same shape
        counts: (2, 2) int64; rows are the true classes
    """
    np.add.at(counts, ((targets > 0.5).astype(np.int64).ravel(), (z.real > 0).astype(np.int64).ravel()), 1)
    return counts


def add_moments(y: Array, t: Array, sums: Array) -> Array:
    """Add to the five rows of sums, for every column: 1, t, t², (y - t)², |y - t|.

    Parameters:
        y: (N, M) predictions
        t: (N, M) targets
        sums: (5, M) float64
    """
    t = t.astype(np.float64)
    difference = y.real.astype(np.float64) - t
    sums[0] += len(t)
    for row, terms in zip(sums[1:], (t, t * t, difference**2, np.abs(difference)), strict=True):
        row += terms.sum(0)
    return sums


def take_rows(x: Array, index: Array, out: Array) -> Array:
    """out = x[index].

    Parameters:
        x: (N, …)
        index: (B,) integers
        out: (B, …)

    Raises:
        IndexError: when an index is out of range.
    """
    out[...] = x[index]
    return out


def all_finite(x: Array) -> bool:
    """Whether no element is NaN or infinite.

    Parameters:
        x: any shape
    """
    return bool(np.isfinite(x).all())


@np.errstate(invalid="ignore", over="ignore")
def sum_of_squares(x: Array) -> Any:
    """Σ x², summed in float64.

    Parameters:
        x: any shape
    """
    wide = x.astype(np.result_type(x.dtype, np.float64))
    return (wide * wide).sum().item()
