"""Losses from logits or predictions: the value, and in `out` its gradient.

All are means: over the rows of what a row loses, or over all elements.  With weights they are weighted means,
Σ w_i l_i / Σ w_i, and 0 where all weights are 0.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from dltrain.kernels.arrays import Array, check_labels


@np.errstate(invalid="ignore", over="ignore")
def softmax_cross_entropy(z: Array, labels: Array, out: Array, weights: Array | None = None) -> Any:
    """The mean over the rows of log Σ exp(z) - z[label]; out = (softmax(z) - onehot(labels))/N.

    Parameters:
        z: (N, K) logits
        labels: (N,) integers, 0 ≤ label < K
        out: (N, K), receives the gradient
        weights: (N,) of the rows; None: all alike

    Raises:
        IndexError: when a label is out of range.
    """
    check_labels(labels, z.shape[1])
    rows = np.arange(len(z))
    shifted = z - z.real.max(1, keepdims=True, initial=-np.inf)
    e = np.exp(shifted)
    total = e.sum(1, keepdims=True)
    gradient = e / total
    gradient[rows, labels] -= 1
    return _mean(np.log(total) - shifted[rows, labels][:, None], gradient, out, weights)


@np.errstate(invalid="ignore", over="ignore")
def binary_cross_entropy(z: Array, targets: Array, out: Array, weights: Array | None = None) -> Any:
    """The mean over all elements of softplus(z) - z t; out = (sigmoid(z) - t)/elements.

    Parameters:
        z: (N, 1) or (N, M) logits
        targets: the same shape, 0 to 1
        out: the same shape, receives the gradient
        weights: (N,) of the rows; None: all alike
    """
    negative = z.real < 0
    e = np.exp(np.where(negative, z, -z))
    terms = np.where(negative, 0, z) + np.log1p(e) - z * targets
    return _mean(terms, np.where(negative, e, 1) / (1 + e) - targets, out, weights)


@np.errstate(invalid="ignore", over="ignore")
def mean_squared_error(y: Array, t: Array, out: Array, weights: Array | None = None) -> Any:
    """The mean over all elements of (y - t)²; out = 2 (y - t)/elements.

    Parameters:
        y: (N, M) predictions
        t: (N, M) targets
        out: (N, M), receives the gradient
        weights: (N,) of the rows; None: all alike
    """
    difference = y - t
    return _mean(difference * difference, 2 * difference, out, weights)


@np.errstate(invalid="ignore", over="ignore")
def mean_absolute_error(y: Array, t: Array, out: Array, weights: Array | None = None) -> Any:
    """The mean over all elements of |y - t|; out = sign(y - t)/elements.

    Parameters:
        y: (N, M) predictions
        t: (N, M) targets
        out: (N, M), receives the gradient
        weights: (N,) of the rows; None: all alike
    """
    difference = y - t
    sign = np.sign(difference.real)
    return _mean(difference * sign, sign, out, weights)


@np.errstate(invalid="ignore", over="ignore")
def huber(y: Array, t: Array, out: Array, delta: float, weights: Array | None = None) -> Any:
    """The mean over all elements of d²/2 where |d| ≤ delta, else delta (|d| - delta/2), with d = y - t.

    Parameters:
        y: (N, M) predictions
        t: (N, M) targets
        out: (N, M), receives the gradient: d held within ±delta, by the number of elements
        delta: where the parabola becomes a line
        weights: (N,) of the rows; None: all alike
    """
    difference = y - t
    near, slope = np.abs(difference.real) <= delta, delta * np.sign(difference.real)
    terms = np.where(near, difference * difference / 2, slope * difference - delta * delta / 2)
    return _mean(terms, np.where(near, difference, slope), out, weights)


@np.errstate(invalid="ignore", over="ignore")
def hinge(z: Array, targets: Array, out: Array, power: int, weights: Array | None = None) -> Any:
    """The mean over all elements of max(0, 1 - s z)^power with s = 2 t - 1.

    Parameters:
        z: (N, 1) or (N, M) scores
        targets: the same shape, 0 or 1
        out: the same shape, receives the gradient: -s power max(0, 1 - s z)^(power - 1) by the number of elements
        power: 1, or 2 for the squared hinge
        weights: (N,) of the rows; None: all alike
    """
    signs = 2 * targets - 1
    missing = 1 - signs * z
    missing = np.where(missing.real > 0, missing, 0)
    slope = (missing.real > 0) * 1.0 if power == 1 else 2 * missing
    return _mean(missing**power, -signs * slope, out, weights)


@np.errstate(invalid="ignore", over="ignore")
def multi_class_hinge(z: Array, labels: Array, out: Array, power: int, weights: Array | None = None) -> Any:
    """The mean over the rows of max(0, 1 + max of the others' z - z[label])^power.

    Parameters:
        z: (N, K) scores, K ≥ 2
        labels: (N,) integers, 0 ≤ label < K
        out: (N, K), receives the gradient, in the columns of the label and of the best other one
        power: 1, or 2 for the squared hinge
        weights: (N,) of the rows; None: all alike

    Raises:
        IndexError: when a label is out of range.
    """
    check_labels(labels, z.shape[1])
    rows = np.arange(len(z))
    others = z.real.copy()
    others[rows, labels] = -np.inf
    rival = others.argmax(1)
    missing = 1 + z[rows, rival] - z[rows, labels]
    missing = np.where(missing.real > 0, missing, 0)
    slope = (missing.real > 0) * 1.0 if power == 1 else 2 * missing
    gradient = np.zeros_like(z)
    gradient[rows, rival], gradient[rows, labels] = slope, -slope
    return _mean((missing**power)[:, None], gradient, out, weights)


@np.errstate(invalid="ignore", over="ignore", under="ignore")
def focal(z: Array, labels: Array, out: Array, gamma: float, weights: Array | None = None) -> Any:
    """The mean over the rows of -(1 - p)^gamma log p, where p = softmax(z)[label].

    Parameters:
        z: (N, K) logits
        labels: (N,) integers, 0 ≤ label < K
        out: (N, K), receives the gradient
        gamma: how much less a sample counts that is right already
        weights: (N,) of the rows; None: all alike

    Raises:
        IndexError: when a label is out of range.
    """
    check_labels(labels, z.shape[1])
    rows = np.arange(len(z))
    shifted = z - z.real.max(1, keepdims=True, initial=-np.inf)
    e = np.exp(shifted)
    total = e.sum(1, keepdims=True)
    gradient = e / total
    gradient[rows, labels] -= 1
    terms, factor = _focus(shifted[rows, labels][:, None] - np.log(total), -gradient[rows, labels][:, None], gamma)
    return _mean(terms, gradient * factor, out, weights)


@np.errstate(invalid="ignore", over="ignore", under="ignore")
def binary_focal(z: Array, targets: Array, out: Array, gamma: float, weights: Array | None = None) -> Any:
    """The mean over all elements of -(1 - p)^gamma log p, where p = sigmoid(z) for targets 1, else 1 - sigmoid(z).

    Parameters:
        z: (N, 1) or (N, M) logits
        targets: the same shape, 0 or 1
        out: the same shape, receives the gradient
        gamma: how much less an element counts that is right already
        weights: (N,) of the rows; None: all alike
    """
    signs = 2 * targets - 1
    away = -signs * z
    positive = away.real > 0
    e = np.exp(np.where(positive, -away, away))
    log_p = -(np.where(positive, away, 0) + np.log1p(e))
    q = np.where(positive, 1, e) / (1 + e)
    terms, factor = _focus(log_p, q, gamma)
    return _mean(terms, -signs * q * factor, out, weights)


def _focus(log_p: Array, q: Array, gamma: float) -> tuple[Array, Array]:
    """-q^gamma log p, and what the gradient of -log p is multiplied by: q^gamma (1 - gamma p log p / q); q = 1 - p.

    Where q is 0, -log p / q is 1.
    """
    open_ = q.real > 0
    ratio = np.where(open_, -log_p / np.where(open_, q, 1), 1)
    power = np.where(open_, np.where(open_, q, 1) ** gamma, 1.0 if gamma == 0 else 0.0)
    return -power * log_p, power * (1 + gamma * np.exp(log_p) * ratio)


def _mean(terms: Array, gradient: Array, out: Array, weights: Array | None) -> Any:
    """The (weighted) mean of the terms (N, M); `out` receives the gradient (N, K) by the number of terms."""
    wide = np.result_type(terms.dtype, np.float64)
    if weights is None:
        count = max(terms.size, 1)
        out[...] = gradient / count
        return (terms.sum(dtype=wide) / count).item()
    shares = weights.astype(np.float64) / (max(weights.sum(dtype=np.float64), 1e-300) * terms.shape[1])
    out[...] = gradient * shares[:, None].astype(gradient.real.dtype)
    return (terms * shares[:, None]).sum(dtype=wide).item()
