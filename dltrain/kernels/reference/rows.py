"""Work along the last axis, each row by itself: layer norm, L2 normalization, logarithm of the softmax."""

from __future__ import annotations

import numpy as np

from dltrain.kernels.arrays import Array, Empty, give, rows_of


@np.errstate(invalid="ignore", over="ignore")
def layer_norm(
    x: Array, gamma: Array | None, beta: Array | None, epsilon: float, out: Array, mean: Array, inv_std: Array
) -> Array:
    """out = gamma (x - mean) inv_std + beta; fills mean and inv_std = 1/√(variance + epsilon) of every row.

    The statistics take two passes in float64; the variance is divided by the length of the row.

    Parameters:
        x: (…, C); all axes but the last are rows
        gamma: (C,), or None for 1
        beta: (C,), or None for 0
        epsilon: added to the variance
        out: the shape of x
        mean: (rows,), receives the means
        inv_std: (rows,), receives 1/√(variance + epsilon)

    Source: Ba, Kiros and Hinton 2016, Layer normalization.
    """
    rows = rows_of(x)
    wide, count = np.result_type(x.dtype, np.float64), max(x.shape[-1], 1)
    m = rows.sum(1, dtype=wide) / count
    centred = rows - m[:, None]
    s = 1 / np.sqrt((centred * centred).sum(1) / count + epsilon)
    mean[...], inv_std[...] = m, s
    h = centred * s[:, None]
    h = h if gamma is None else h * gamma
    out[...] = (h if beta is None else h + beta).reshape(x.shape)
    return out


@np.errstate(invalid="ignore", over="ignore")
def layer_norm_backward(
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
    """With h = (x - mean) inv_std and g = gamma dy: dgamma (+)= Σ dy h and dbeta (+)= Σ dy over the rows;
    dx = inv_std (g - (h Σ g h + Σ g)/C) with sums over a row; returns dx.

    Parameters:
        x: input of the forward pass
        dy: gradient with respect to its output
        gamma: (C,), or None for 1
        mean: (rows,), from the forward pass
        inv_std: (rows,), from the forward pass
        dgamma: (C,), receives the gradient, or None
        dbeta: (C,), receives the gradient, or None
        dx: the shape of x, receives the gradient, or None
        add: add to dgamma and dbeta, instead of storing into them
        empty: scratch memory
    """
    wide, count = np.result_type(x.dtype, np.float64), max(x.shape[-1], 1)
    s = inv_std.astype(wide)[:, None]
    h, g = (rows_of(x) - mean.astype(wide)[:, None]) * s, rows_of(dy).astype(wide)
    if dgamma is not None:
        give(dgamma, (g * h).sum(0).astype(dgamma.dtype), add)
    if dbeta is not None:
        give(dbeta, g.sum(0).astype(dbeta.dtype), add)
    if dx is not None:
        g = g if gamma is None else g * gamma
        slope, offset = (g * h).sum(1, keepdims=True) / count, g.sum(1, keepdims=True) / count
        dx[...] = (s * (g - h * slope - offset)).reshape(x.shape)
    return dx


@np.errstate(invalid="ignore", over="ignore")
def l2_normalize(x: Array, epsilon: float, out: Array) -> Array:
    """out = x / √max(Σ x², epsilon) over the last axis; the sum is taken in float64.

    Parameters:
        x: (…, C)
        epsilon: the least sum of squares; shorter rows keep a length below 1
        out: the shape of x
    """
    out[...] = x * _inverse_length(x, epsilon)[0]
    return out


@np.errstate(invalid="ignore", over="ignore")
def l2_normalize_backward(x: Array, dy: Array, epsilon: float, out: Array) -> Array:
    """out = (dy - y Σ y dy)/|x| over the last axis, y = x/|x|; dy/√epsilon for rows whose Σ x² is below epsilon.

    Parameters:
        x: (…, C), input of the forward pass
        dy: (…, C)
        epsilon: as in the forward pass
        out: the shape of x
    """
    inverse, short = _inverse_length(x, epsilon)
    y = x * inverse
    along = np.where(short, 0, (y * dy).sum(-1, keepdims=True))
    out[...] = (dy - y * along) * inverse
    return out


def _inverse_length(x: Array, epsilon: float) -> tuple[Array, Array]:
    """1/√max(Σ x², epsilon) of every row, and which rows are shorter."""
    wide = x.astype(np.result_type(x.dtype, np.float64))
    square = (wide * wide).sum(-1, keepdims=True)
    short = square.real < epsilon
    return 1 / np.sqrt(np.where(short, epsilon, square)), short


@np.errstate(invalid="ignore", over="ignore")
def log_softmax(x: Array, out: Array) -> Array:
    """out = x - log Σ exp(x) over the last axis, shifted by the largest x.

    Parameters:
        x: (…, K)
        out: (…, K)
    """
    shifted = x - x.real.max(-1, keepdims=True, initial=-np.inf)
    out[...] = shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))
    return out


@np.errstate(invalid="ignore", over="ignore")
def log_softmax_backward(y: Array, dy: Array, out: Array) -> Array:
    """out = dy - exp(y) Σ dy over the last axis.

    Parameters:
        y: (…, K), what log_softmax returned
        dy: (…, K)
        out: (…, K)
    """
    out[...] = dy - np.exp(y) * dy.sum(-1, keepdims=True)
    return out
