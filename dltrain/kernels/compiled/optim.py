"""Whole optimizer steps as one pass over the vectors, compiled.

Each is one loop over the elements.  Small vectors take it in one go; large ones in blocks, shared between
threads.  Elements do not depend on each other and sums are made per block, so the number of threads changes no bit.
A block is a slice, because a loop from `start` to `stop` may not be vectorised.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit, prange

from dltrain.kernels.arrays import Array

PARALLEL = 20_000  # elements; below, starting the threads costs more than they save
BLOCK = 4096  # elements of a block: 16 KiB of each vector
OPTIONS: dict[str, Any] = {
    "cache": True,
    "nogil": True,
    "error_model": "numpy",  # a check for division by zero would keep the loops from being vectorised
    "fastmath": {"nsz", "arcp", "contract", "afn", "reassoc"},  # not nnan, ninf: a NaN must stay visible
}
f4 = np.float32


@njit(**OPTIONS)
def _descend(value, grad, factor, rate, decay):  # type: ignore[no-untyped-def]
    step, shrink = f4(factor * rate), f4(rate * decay)
    for i in range(value.size):
        w = value[i]
        value[i] = w - shrink * w - step * grad[i]


@njit(parallel=True, **OPTIONS)
def _descend_blocks(value, grad, factor, rate, decay):  # type: ignore[no-untyped-def]
    n = value.size
    for block in prange((n + BLOCK - 1) // BLOCK):
        part = slice(block * BLOCK, min(n, (block + 1) * BLOCK))
        _descend(value[part], grad[part], factor, rate, decay)


def descend(value: Array, grad: Array, factor: float, rate: float, decay: float) -> Array:
    """value = value - rate · (factor · grad + decay · value)."""
    run = _descend if value.size < PARALLEL else _descend_blocks
    run(value, grad, factor, rate, decay)
    return value


@njit(**OPTIONS)
def _momentum(value, grad, velocity, factor, rate, decay, keep, learn, ahead, direct):  # type: ignore[no-untyped-def]
    scale, shrink, kept, new = f4(factor), f4(rate * decay), f4(keep), f4(learn)
    along, straight = f4(rate * ahead), f4(rate * direct)
    for i in range(value.size):
        g = scale * grad[i]
        v = kept * velocity[i] + new * g
        velocity[i] = v
        w = value[i]
        value[i] = w - shrink * w - (along * v + straight * g)


@njit(parallel=True, **OPTIONS)
def _momentum_blocks(value, grad, velocity, factor, rate, decay, keep, learn, ahead, direct):  # type: ignore[no-untyped-def]
    n = value.size
    for block in prange((n + BLOCK - 1) // BLOCK):
        part = slice(block * BLOCK, min(n, (block + 1) * BLOCK))
        _momentum(value[part], grad[part], velocity[part], factor, rate, decay, keep, learn, ahead, direct)


def descend_momentum(
    value: Array,
    grad: Array,
    velocity: Array,
    factor: float,
    rate: float,
    decay: float,
    keep: float,
    learn: float,
    ahead: float,
    direct: float,
) -> Array:
    """One step with momentum along factor · grad; the last numbers as in the reference's `accumulate_momentum`."""
    run = _momentum if value.size < PARALLEL else _momentum_blocks
    run(value, grad, velocity, factor, rate, decay, keep, learn, ahead, direct)
    return value


@njit(**OPTIONS)
def _rms(value, grad, mean_square, factor, rate, decay, keep, learn, epsilon):  # type: ignore[no-untyped-def]
    scale, step, shrink, kept, new, small = f4(factor), f4(rate), f4(rate * decay), f4(keep), f4(learn), f4(epsilon)
    for i in range(value.size):
        g = scale * grad[i]
        s = kept * mean_square[i] + new * g * g
        mean_square[i] = s
        w = value[i]
        value[i] = w - shrink * w - step * g / (np.sqrt(s) + small)


@njit(parallel=True, **OPTIONS)
def _rms_blocks(value, grad, mean_square, factor, rate, decay, keep, learn, epsilon):  # type: ignore[no-untyped-def]
    n = value.size
    for block in prange((n + BLOCK - 1) // BLOCK):
        part = slice(block * BLOCK, min(n, (block + 1) * BLOCK))
        _rms(value[part], grad[part], mean_square[part], factor, rate, decay, keep, learn, epsilon)


def descend_rms(
    value: Array,
    grad: Array,
    mean_square: Array,
    factor: float,
    rate: float,
    decay: float,
    keep: float,
    learn: float,
    epsilon: float,
) -> Array:
    """One step over the root of the sum of squares along factor · grad."""
    run = _rms if value.size < PARALLEL else _rms_blocks
    run(value, grad, mean_square, factor, rate, decay, keep, learn, epsilon)
    return value


@njit(**OPTIONS)
def _adam(value, grad, first, second, factor, rate, decay, b1, b2, ahead, direct, root, epsilon):  # type: ignore[no-untyped-def]
    scale, keep_1, keep_2, learn_1, learn_2 = f4(factor), f4(b1), f4(b2), f4(1 - b1), f4(1 - b2)
    along, straight, stretch = f4(rate * ahead), f4(rate * direct), f4(root)
    small, shrink = f4(epsilon), f4(rate * decay)
    for i in range(value.size):
        g = scale * grad[i]
        m = keep_1 * first[i] + learn_1 * g
        v = keep_2 * second[i] + learn_2 * g * g
        first[i] = m
        second[i] = v
        w = value[i]
        value[i] = w - shrink * w - (along * m + straight * g) / (np.sqrt(v) * stretch + small)


@njit(parallel=True, **OPTIONS)
def _adam_blocks(value, grad, first, second, factor, rate, decay, b1, b2, ahead, direct, root, epsilon):  # type: ignore[no-untyped-def]
    n = value.size
    for block in prange((n + BLOCK - 1) // BLOCK):
        part = slice(block * BLOCK, min(n, (block + 1) * BLOCK))
        w, g, m, v = value[part], grad[part], first[part], second[part]
        _adam(w, g, m, v, factor, rate, decay, b1, b2, ahead, direct, root, epsilon)


def descend_adam(
    value: Array,
    grad: Array,
    first: Array,
    second: Array,
    factor: float,
    rate: float,
    decay: float,
    beta_1: float,
    beta_2: float,
    ahead: float,
    direct: float,
    root: float,
    epsilon: float,
) -> Array:
    """One step of Adam's family along factor · grad; the last numbers as in the reference's `scale_by_adam`."""
    run = _adam if value.size < PARALLEL else _adam_blocks
    run(value, grad, first, second, factor, rate, decay, beta_1, beta_2, ahead, direct, root, epsilon)
    return value


@njit(**OPTIONS)
def _lion(value, grad, first, factor, rate, decay, b1, b2):  # type: ignore[no-untyped-def]
    scale, keep_1, keep_2, learn_1, learn_2 = f4(factor), f4(b1), f4(b2), f4(1 - b1), f4(1 - b2)
    step, shrink, one, zero = f4(rate), f4(rate * decay), f4(1), f4(0)
    for i in range(value.size):
        g, m = scale * grad[i], first[i]
        ahead = keep_1 * m + learn_1 * g
        sign = one if ahead > zero else (-one if ahead < zero else ahead)  # a NaN stays one
        first[i] = keep_2 * m + learn_2 * g
        w = value[i]
        value[i] = w - shrink * w - step * sign


@njit(parallel=True, **OPTIONS)
def _lion_blocks(value, grad, first, factor, rate, decay, b1, b2):  # type: ignore[no-untyped-def]
    n = value.size
    for block in prange((n + BLOCK - 1) // BLOCK):
        part = slice(block * BLOCK, min(n, (block + 1) * BLOCK))
        _lion(value[part], grad[part], first[part], factor, rate, decay, b1, b2)


def descend_lion(
    value: Array, grad: Array, first: Array, factor: float, rate: float, decay: float, beta_1: float, beta_2: float
) -> Array:
    """One step of Lion along factor · grad."""
    run = _lion if value.size < PARALLEL else _lion_blocks
    run(value, grad, first, factor, rate, decay, beta_1, beta_2)
    return value


@njit(**OPTIONS)
def _penalty(value, grad, l1, l2):  # type: ignore[no-untyped-def]
    size, slope, one, zero = f4(l1), f4(2 * l2), f4(1), f4(0)
    absolute, squares = 0.0, 0.0
    for i in range(value.size):
        w = value[i]
        sign = (one if w > zero else zero) - (one if w < zero else zero)
        grad[i] += size * sign + slope * w
        absolute += abs(w)
        squares += np.float64(w) * np.float64(w)
    return l1 * absolute + l2 * squares


@njit(parallel=True, **OPTIONS)
def _penalty_blocks(value, grad, l1, l2):  # type: ignore[no-untyped-def]
    n = value.size
    parts = np.zeros((n + BLOCK - 1) // BLOCK)
    for block in prange(parts.size):
        part = slice(block * BLOCK, min(n, (block + 1) * BLOCK))
        parts[block] = _penalty(value[part], grad[part], l1, l2)
    total = 0.0
    for block in range(parts.size):
        total += parts[block]
    return total


def penalty(value: Array, grad: Array, l1: float, l2: float) -> float:
    """Σ (l1 |w| + l2 w²), summed in float64; its gradient l1 sign(w) + 2 l2 w is added to grad."""
    run = _penalty if value.size < PARALLEL else _penalty_blocks
    return float(run(value, grad, l1, l2))
