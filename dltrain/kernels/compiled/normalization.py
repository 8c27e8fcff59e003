"""Batch normalization fused with relu: two passes for the statistics, one for the output."""

from __future__ import annotations

import math

import numpy as np

import dltrain.kernels.compiled.moments  # noqa: F401 - registers the kernels
from dltrain.kernels.arrays import Array, Empty
from dltrain.kernels.compiled.jit import FLOAT32, compiled, parts
from dltrain.kernels.compiled.lines import AXES, has_lines, in_common
from dltrain.kernels.reference import normalization as reference

NONE = np.empty(0, np.float32)
NO_DX = np.empty((0,) * (AXES + 2), np.float32)
FLOORS = {"linear": -math.inf, "relu": 0.0}


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
    """See the reference."""
    g, b = NONE if gamma is None else gamma, NONE if beta is None else beta
    try:
        if not has_lines(out):
            raise TypeError
        rows, results = in_common(x, out)
        compiled.normalize(rows, g, b, epsilon, FLOORS[activation], results, mean, inv_std, parts(x.size))
    except TypeError:
        return reference.batch_norm(x, gamma, beta, epsilon, activation, out, mean, inv_std, empty)
    return out


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
    """See the reference."""
    if _backward(
        x, y, dy, gamma, mean, inv_std, dgamma, dbeta, dx, activation, add, float(x.size // max(x.shape[-1], 1))
    ):
        return dx
    return reference.batch_norm_backward(
        x, y, dy, gamma, mean, inv_std, dgamma, dbeta, dx, activation, add, empty
    )  # fmt: skip


def _backward(
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
    count: float,
) -> bool:
    """Run the kernel; False where it does not take these arguments."""
    g = NONE if gamma is None else gamma
    to_gamma, to_beta = NONE if dgamma is None else dgamma, NONE if dbeta is None else dbeta
    floor = FLOORS[activation]
    signs = dy if floor == -math.inf else y  # every dy is above -∞: y need not be read
    try:
        if dx is not None and not has_lines(dx):
            return False
        images = (*in_common(x, signs, dy), NO_DX) if dx is None else in_common(x, signs, dy, dx)
        arguments = *images[:3], g, mean, inv_std, to_gamma, to_beta, images[3]
        compiled.normalize_backward(*arguments, floor, add, count, parts(x.size))
    except TypeError:
        return False
    return True


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
    """See the reference."""
    g, b = NONE if gamma is None else gamma, NONE if beta is None else beta
    try:
        inv_std = _inverse_deviation(variance, epsilon)
        if not has_lines(out):
            raise TypeError
        rows, results = in_common(x, out)
        compiled.transform_all(rows, g, b, mean, inv_std, FLOORS[activation], results, parts(x.size))
    except TypeError:
        return reference.batch_norm_inference(x, gamma, beta, mean, variance, epsilon, activation, out)
    return out


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
    """See the reference."""
    if variance.dtype == FLOAT32:
        inv_std = _inverse_deviation(variance, epsilon)
        if _backward(x, y, dy, gamma, mean, inv_std, dgamma, dbeta, dx, activation, add, math.inf):
            return dx
    return reference.batch_norm_inference_backward(
        x, y, dy, gamma, mean, variance, epsilon, dgamma, dbeta, dx, activation, add, empty
    )


def _inverse_deviation(variance: Array, epsilon: float) -> Array:
    """1/√(variance + epsilon) in float32, computed in float64.

    Raises:
        TypeError: when the variance is not float32.
    """
    if variance.dtype != FLOAT32:
        raise TypeError(variance.dtype)
    return (1 / np.sqrt(variance.astype(np.float64) + epsilon)).astype(FLOAT32)
