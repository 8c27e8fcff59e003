"""From a model's outputs to probabilities, as its loss understands them."""

from __future__ import annotations

from collections.abc import Sequence

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


def mean_outputs(outputs: Sequence[Array], link: str = "softmax") -> Array:
    """The outputs (N, K) whose probabilities are the mean of those of several models.

    In logarithms throughout: the mean of very sure models stays finite.

    Parameters:
        outputs: (N, K) of each model
        link: softmax: log mean_m softmax(z_m); sigmoid, of each column by itself: the logit of mean_m sigmoid(z_m);
            identity: the mean of the probabilities

    Example:
        >>> sure, unsure = np.log([[1.0, 3.0]]), np.zeros((1, 2))
        >>> probabilities(mean_outputs([sure, unsure])).round(6).tolist()
        [[0.375, 0.625]]
    """
    if link == "identity":
        mean = np.mean([probabilities(z, link) for z in outputs], axis=0)
    elif link == "softmax":
        mean = log_mean([log_softmax(z) for z in outputs])
    else:
        wide = [z.astype(np.float64) for z in outputs]
        mean = log_mean([-np.logaddexp(0, -z) for z in wide]) - log_mean([-np.logaddexp(0, z) for z in wide])
    return mean.astype(outputs[0].dtype)


def log_softmax(logits: Array) -> Array:
    """The logarithm of the softmax over the last axis, in float64.

    Example:
        >>> log_softmax(np.array([1000.0, 1000.0, -1000.0])).round(3).tolist()
        [-0.693, -0.693, -2000.693]
    """
    shifted = logits.astype(np.float64) - logits.max(axis=-1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True)))


def log_mean(logarithms: Sequence[Array]) -> Array:
    """The logarithm of the mean of several numbers, given by their logarithms.

    Example:
        >>> log_mean([np.log([0.25]), np.log([0.75])]).round(6).tolist() == np.log([0.5]).round(6).tolist()
        True
    """
    return np.asarray(np.logaddexp.reduce(logarithms) - np.log(len(logarithms)))
