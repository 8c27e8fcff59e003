"""Batch normalization of (rows, C), with statistics of the batch or fixed ones, and its backward."""

from __future__ import annotations

import numpy as np

from dltrain.kernels.arrays import Array, Empty, give, rows_of
from dltrain.kernels.reference.activations import ACTIVATIONS


@np.errstate(invalid="ignore", over="ignore")
def batch_norm(
    x: Array,
    gamma: Array | None,
    beta: Array | None,
    epsilon: float,
    activation: str,
    out: Array,
    mean: Array,
    inv_std: Array,
    empty: Empty,
) -> Array:
    """out = f(gamma (x - mean) inv_std + beta); fills mean and inv_std = 1/√(variance + epsilon) of the batch.

    The statistics take two passes in float64; the variance is divided by the number of rows.

    Parameters:
        x: (…, C); all axes but the last are rows
        gamma: (C,), or None for 1
        beta: (C,), or None for 0
        epsilon: added to the variance
        activation: f, linear or relu
        out: the shape of x
        mean: (C,), receives the batch's mean
        inv_std: (C,), receives 1/√(variance + epsilon)
        empty: scratch memory

    Source: Ioffe and Szegedy 2015, Batch normalization.
    """
    rows = rows_of(x)
    wide = np.result_type(x.dtype, np.float64)
    count = max(len(rows), 1)
    m = rows.sum(0, dtype=wide) / count
    centred = rows - m
    mean[...] = m
    inv_std[...] = 1 / np.sqrt((centred * centred).sum(0) / count + epsilon)
    out[...] = ACTIVATIONS[activation][0](_scaled((x - m) * inv_std, gamma, beta), 0.0)
    return out


@np.errstate(invalid="ignore", over="ignore")
def batch_norm_backward(
    x: Array,
    y: Array,
    dy: Array,
    gamma: Array | None,
    mean: Array,
    inv_std: Array,
    dgamma: Array | None,
    dbeta: Array | None,
    dx: Array | None,
    activation: str,
    add: bool,
    empty: Empty,
) -> Array | None:
    """With h = (x - mean) inv_std and dz = dy f'(y): dgamma (+)= Σ dz h; dbeta (+)= Σ dz;
    dx = gamma inv_std (dz - (h Σ dz h + Σ dz)/rows); returns dx.

    Parameters:
        x: input of the forward pass
        y: output of the forward pass
        dy: gradient with respect to y
        gamma: (C,), or None for 1
        mean: (C,), from the forward pass
        inv_std: (C,), from the forward pass
        dgamma: (C,), receives the gradient, or None
        dbeta: (C,), receives the gradient, or None
        dx: the shape of x, receives the gradient, or None
        activation: as in the forward pass
        add: add to dgamma and dbeta, instead of storing into them
        empty: scratch memory
    """
    wide = np.result_type(x.dtype, np.float64)
    h = rows_of((x.astype(wide) - mean) * inv_std)
    dz = rows_of(ACTIVATIONS[activation][1](y, y, dy, 0.0).astype(wide))
    sum_h, sum_1 = (dz * h).sum(0), dz.sum(0)
    if dgamma is not None:
        give(dgamma, sum_h.astype(dgamma.dtype), add)
    if dbeta is not None:
        give(dbeta, sum_1.astype(dbeta.dtype), add)
    if dx is not None:
        scale = inv_std if gamma is None else gamma * inv_std
        dx[...] = (scale * (dz - (h * sum_h + sum_1) / max(len(h), 1))).reshape(x.shape)
    return dx


@np.errstate(invalid="ignore", over="ignore")
def batch_norm_inference(
    x: Array,
    gamma: Array | None,
    beta: Array | None,
    mean: Array,
    variance: Array,
    epsilon: float,
    activation: str,
    out: Array,
) -> Array:
    """out = f(gamma (x - mean)/√(variance + epsilon) + beta), with statistics that are given.

    Parameters:
        x: (…, C)
        gamma: (C,), or None for 1
        beta: (C,), or None for 0
        mean: (C,)
        variance: (C,)
        epsilon: added to the variance
        activation: f, linear or relu
        out: the shape of x
    """
    h = (x - mean) * (1 / np.sqrt(variance + epsilon))
    out[...] = ACTIVATIONS[activation][0](_scaled(h, gamma, beta), 0.0)
    return out


@np.errstate(invalid="ignore", over="ignore")
def batch_norm_inference_backward(
    x: Array,
    y: Array,
    dy: Array,
    gamma: Array | None,
    mean: Array,
    variance: Array,
    epsilon: float,
    dgamma: Array | None,
    dbeta: Array | None,
    dx: Array | None,
    activation: str,
    add: bool,
    empty: Empty,
) -> Array | None:
    """The backward of `batch_norm_inference`: the statistics are constants; returns dx.

    Parameters:
        x: input of the forward pass
        y: output of the forward pass
        dy: gradient with respect to y
        gamma: (C,), or None for 1
        mean: (C,)
        variance: (C,)
        epsilon: added to the variance
        dgamma: (C,), receives the gradient, or None
        dbeta: (C,), receives the gradient, or None
        dx: the shape of x, receives the gradient, or None
        activation: as in the forward pass
        add: add to dgamma and dbeta, instead of storing into them
        empty: scratch memory
    """
    inv_std = 1 / np.sqrt(variance + epsilon)
    dz = ACTIVATIONS[activation][1](y, y, dy, 0.0)
    rows = tuple(range(x.ndim - 1))
    wide = np.result_type(x.dtype, np.float64)
    if dgamma is not None:
        give(dgamma, (dz * ((x - mean) * inv_std)).sum(rows, dtype=wide).astype(dgamma.dtype), add)
    if dbeta is not None:
        give(dbeta, dz.sum(rows, dtype=wide).astype(dbeta.dtype), add)
    if dx is not None:
        dx[...] = dz * (inv_std if gamma is None else gamma * inv_std)
    return dx


def _scaled(h: Array, gamma: Array | None, beta: Array | None) -> Array:
    """gamma h + beta, each where it is given."""
    h = h if gamma is None else h * gamma
    return h if beta is None else h + beta
