"""From a model's outputs to probabilities, as its loss understands them."""

from __future__ import annotations

import numpy as np

from dltrain.kernels.arrays import Array


def probabilities(outputs: Array, link: str = "softmax") -> Array:
    """Probabilities (N, K) in float64, whose rows have the sum 1.

    Parameters:
        outputs: (N, K), or logits (N, 1) of the second of two classes
        link: softmax of logits; sigmoid: each class by itself, then shares of their sum; identity: the outputs are
            probabilities but for their sum, and negative ones count 0

    Example:
        >>> probabilities(np.log([[1.0, 3.0]])).round(6).tolist()
        [[0.25, 0.75]]
        >>> probabilities(np.array([[0.2, 0.6, -1.0]]), "identity").round(6).tolist()
        [[0.25, 0.75, 0.0]]
    """
    z = outputs.real.astype(np.float64)
    if z.shape[1] == 1:
        p = logistic(z)
        return np.concatenate([1 - p, p], axis=1)  # (N, 2)
    if link == "softmax":
        shares = np.exp(z - z.max(axis=1, keepdims=True, initial=-np.inf))
    else:
        shares = logistic(z) if link == "sigmoid" else np.maximum(z, 0)
    total = shares.sum(axis=1, keepdims=True)
    return np.divide(shares, total, out=np.full_like(shares, 1 / z.shape[1]), where=total > 0)


def logistic(z: Array) -> Array:
    """1 / (1 + exp(-z)) in float64, without an overflow.

    Example:
        >>> logistic(np.array([0.0, -1e4])).tolist()
        [0.5, 0.0]
    """
    z = z.real.astype(np.float64)
    with np.errstate(under="ignore"):
        small = np.exp(-np.abs(z))  # at most 1: nothing overflows
        return np.where(z < 0, small, 1) / (1 + small)
