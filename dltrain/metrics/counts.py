"""What the metrics of counts share."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from dltrain.errors import UsageError
from dltrain.kernels.arrays import Array

Average = Literal["auto", "binary", "macro", "micro", "weighted"]


def rates(counts: Array) -> tuple[Array, Array, Array]:
    """How often each class, or label, is predicted right, is predicted, and is there.

    Parameters:
        counts: (K, K) confusion matrix whose rows are the true classes, or (M, 2, 2), one for each of M labels
    """
    if counts.ndim == 3:
        return counts[:, 1, 1], counts[:, :, 1].sum(1), counts[:, 1].sum(1)
    return counts.diagonal(), counts.sum(0), counts.sum(1)


def averaged(numerator: Array, denominator: Array, counts: Array, average: Average) -> float:
    """The mean over the classes, or labels, of numerator / denominator."""
    if average == "micro":
        return float(divide(numerator.sum(), denominator.sum()))
    scores = divide(numerator, denominator)
    _, predicted, actual = rates(counts)
    two = counts.shape == (2, 2)
    if average == "binary" or (average == "auto" and two):
        if not two:
            hint = "take macro, micro or weighted"
            got = f"{len(counts)}"
            raise UsageError("average binary needs two classes", where="metrics", expected="2", got=got, hint=hint)
        return float(scores[1])
    occurs = np.ones_like(actual) if counts.ndim == 3 else (actual + predicted > 0).astype(np.int64)
    weights = actual if average == "weighted" else occurs
    return float(divide((scores * weights).sum(), weights.sum()))


def over_labels(function: Any, counts: Array) -> float:
    """A function of a confusion matrix; for labels (M, 2, 2) its mean over the labels."""
    return float(np.mean([function(c) for c in counts])) if counts.ndim == 3 else float(function(counts))


def divide(numerator: Any, denominator: Any) -> Any:
    """The quotient, and 0 where the denominator is 0."""
    numerator, denominator = np.asarray(numerator, np.float64), np.asarray(denominator, np.float64)
    return np.divide(numerator, denominator, out=np.zeros_like(numerator), where=denominator != 0)
