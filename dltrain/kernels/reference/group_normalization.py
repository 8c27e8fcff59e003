"""Group normalization: every example by itself, over its points and the channels of a group."""

from __future__ import annotations

from math import prod

import numpy as np

from dltrain.kernels.arrays import Array, Empty, give, rows_of


@np.errstate(invalid="ignore", over="ignore")
def group_norm(
    x: Array, gamma: Array | None, beta: Array | None, epsilon: float, out: Array, mean: Array, inv_std: Array
) -> Array:
    """out = gamma (x - mean) inv_std + beta; fills mean and inv_std = 1/√(variance + epsilon) of every group.

    A group is the same C/G channels at all points of an example.  The statistics take two passes in float64; the
    variance is divided by the number of values.

    Parameters:
        x: (N, …, C); all axes between are points
        gamma: (C,), or None for 1
        beta: (C,), or None for 0
        epsilon: added to the variance
        out: the shape of x
        mean: (N, G), receives the means; G divides C
        inv_std: (N, G), receives 1/√(variance + epsilon)

    Source: Wu and He 2018, Group normalization.
    """
    groups = _by_group(x, mean.shape[1])
    wide, count = np.result_type(x.dtype, np.float64), max(groups.shape[1] * groups.shape[3], 1)
    m = groups.sum((1, 3), dtype=wide) / count  # (N, G)
    centred = groups - m[:, None, :, None]
    s = 1 / np.sqrt((centred * centred).sum((1, 3)) / count + epsilon)
    mean[...], inv_std[...] = m, s
    h = (centred * s[:, None, :, None]).reshape(x.shape)
    h = h if gamma is None else h * gamma
    out[...] = h if beta is None else h + beta
    return out


@np.errstate(invalid="ignore", over="ignore")
def group_norm_backward(
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
    """With h = (x - mean) inv_std and g = gamma dy: dgamma (+)= Σ dy h and dbeta (+)= Σ dy over examples and points;
    dx = inv_std (g - (h Σ g h + Σ g)/count) with sums over the count values of a group; returns dx.

    Parameters:
        x: input of the forward pass
        dy: gradient with respect to its output
        gamma: (C,), or None for 1
        mean: (N, G), from the forward pass
        inv_std: (N, G), from the forward pass
        dgamma: (C,), receives the gradient, or None
        dbeta: (C,), receives the gradient, or None
        dx: the shape of x, receives the gradient, or None
        add: add to dgamma and dbeta, instead of storing into them
        empty: scratch memory
    """
    wide = np.result_type(x.dtype, np.float64)
    m, s = (values.astype(wide)[:, None, :, None] for values in (mean, inv_std))
    h = (_by_group(x, mean.shape[1]) - m) * s  # (N, S, G, C/G)
    g = dy.astype(wide)
    if dgamma is not None:
        give(dgamma, rows_of(g * h.reshape(x.shape)).sum(0).astype(dgamma.dtype), add)
    if dbeta is not None:
        give(dbeta, rows_of(g).sum(0).astype(dbeta.dtype), add)
    if dx is not None:
        g = _by_group(g if gamma is None else g * gamma, mean.shape[1])
        count = max(g.shape[1] * g.shape[3], 1)
        slope, offset = (part.sum((1, 3), keepdims=True) / count for part in (g * h, g))
        dx[...] = (s * (g - h * slope - offset)).reshape(x.shape)
    return dx


def _by_group(x: Array, groups: int) -> Array:
    """(N, …, C) -> (N, points, groups, C / groups)"""
    return x.reshape(len(x), prod(x.shape[1:-1]), groups, x.shape[-1] // groups)
