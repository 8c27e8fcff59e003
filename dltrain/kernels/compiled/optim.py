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
def _descend(value, grad, factor, rate):  # type: ignore[no-untyped-def]
    step = f4(factor * rate)
    for i in range(value.size):
        value[i] -= step * grad[i]


@njit(parallel=True, **OPTIONS)
def _descend_blocks(value, grad, factor, rate):  # type: ignore[no-untyped-def]
    n = value.size
    for block in prange((n + BLOCK - 1) // BLOCK):
        part = slice(block * BLOCK, min(n, (block + 1) * BLOCK))
        _descend(value[part], grad[part], factor, rate)


def descend(value: Array, grad: Array, factor: float, rate: float) -> Array:
    """value = value - rate · factor · grad."""
    run = _descend if value.size < PARALLEL else _descend_blocks
    run(value, grad, factor, rate)
    return value


@njit(**OPTIONS)
def _momentum(value, grad, velocity, factor, rate, momentum, nesterov):  # type: ignore[no-untyped-def]
    scale, step, keep = f4(factor), f4(rate), f4(momentum)
    ahead = keep if nesterov else f4(1)  # the update is ahead · velocity + direct · gradient
    direct = f4(1) if nesterov else f4(0)
    for i in range(value.size):
        g = scale * grad[i]
        v = keep * velocity[i] + g
        velocity[i] = v
        value[i] -= step * (ahead * v + direct * g)


@njit(parallel=True, **OPTIONS)
def _momentum_blocks(value, grad, velocity, factor, rate, momentum, nesterov):  # type: ignore[no-untyped-def]
    n = value.size
    for block in prange((n + BLOCK - 1) // BLOCK):
        part = slice(block * BLOCK, min(n, (block + 1) * BLOCK))
        _momentum(value[part], grad[part], velocity[part], factor, rate, momentum, nesterov)


def descend_momentum(
    value: Array, grad: Array, velocity: Array, factor: float, rate: float, momentum: float, nesterov: bool
) -> Array:
    """One step with momentum along factor · grad."""
    run = _momentum if value.size < PARALLEL else _momentum_blocks
    run(value, grad, velocity, factor, rate, momentum, nesterov)
    return value


@njit(**OPTIONS)
def _rms(value, grad, mean_square, factor, rate, rho, epsilon):  # type: ignore[no-untyped-def]
    scale, step, keep, learn, small = f4(factor), f4(rate), f4(rho), f4(1 - rho), f4(epsilon)
    for i in range(value.size):
        g = scale * grad[i]
        s = keep * mean_square[i] + learn * g * g
        mean_square[i] = s
        value[i] -= step * g / (np.sqrt(s) + small)


@njit(parallel=True, **OPTIONS)
def _rms_blocks(value, grad, mean_square, factor, rate, rho, epsilon):  # type: ignore[no-untyped-def]
    n = value.size
    for block in prange((n + BLOCK - 1) // BLOCK):
        part = slice(block * BLOCK, min(n, (block + 1) * BLOCK))
        _rms(value[part], grad[part], mean_square[part], factor, rate, rho, epsilon)


def descend_rms(
    value: Array, grad: Array, mean_square: Array, factor: float, rate: float, rho: float, epsilon: float
) -> Array:
    """One step of RMSprop along factor · grad."""
    run = _rms if value.size < PARALLEL else _rms_blocks
    run(value, grad, mean_square, factor, rate, rho, epsilon)
    return value


@njit(**OPTIONS)
def _adam(value, grad, first, second, factor, rate, b1, b2, c1, c2, epsilon, decay):  # type: ignore[no-untyped-def]
    scale, keep_1, keep_2, learn_1, learn_2 = f4(factor), f4(b1), f4(b2), f4(1 - b1), f4(1 - b2)
    step, root, small, shrink = f4(rate / c1), f4(1 / c2), f4(epsilon), f4(rate * decay)
    for i in range(value.size):
        g = scale * grad[i]
        m = keep_1 * first[i] + learn_1 * g
        v = keep_2 * second[i] + learn_2 * g * g
        first[i] = m
        second[i] = v
        w = value[i]
        value[i] = w - shrink * w - step * m / (np.sqrt(v) * root + small)


@njit(**OPTIONS)
def _adamw(value, grad, first, second, factor, rate, b1, b2, c1, c2, epsilon, decay, decayed):  # type: ignore[no-untyped-def]
    n = min(max(decayed, 0), value.size)  # decay up to here
    if n > 0:
        _adam(value[:n], grad[:n], first[:n], second[:n], factor, rate, b1, b2, c1, c2, epsilon, decay)
    if n < value.size:
        _adam(value[n:], grad[n:], first[n:], second[n:], factor, rate, b1, b2, c1, c2, epsilon, 0.0)


@njit(parallel=True, **OPTIONS)
def _adamw_blocks(value, grad, first, second, factor, rate, b1, b2, c1, c2, epsilon, decay, decayed):  # type: ignore[no-untyped-def]
    n = value.size
    for block in prange((n + BLOCK - 1) // BLOCK):
        start, stop = block * BLOCK, min(n, (block + 1) * BLOCK)
        w, g, m, v = value[start:stop], grad[start:stop], first[start:stop], second[start:stop]
        _adamw(w, g, m, v, factor, rate, b1, b2, c1, c2, epsilon, decay, decayed - start)


def descend_adam(
    value: Array,
    grad: Array,
    first: Array,
    second: Array,
    factor: float,
    rate: float,
    beta_1: float,
    beta_2: float,
    correction_1: float,
    correction_2: float,
    epsilon: float,
) -> Array:
    """One step of Adam along factor · grad; the numbers as in the reference's `scale_by_adam`."""
    run = _adamw if value.size < PARALLEL else _adamw_blocks
    run(value, grad, first, second, factor, rate, beta_1, beta_2, correction_1, correction_2, epsilon, 0.0, 0)
    return value


def descend_adamw(
    value: Array,
    grad: Array,
    first: Array,
    second: Array,
    factor: float,
    rate: float,
    beta_1: float,
    beta_2: float,
    correction_1: float,
    correction_2: float,
    epsilon: float,
    decay: float,
    decayed: int,
) -> Array:
    """One step of Adam along factor · grad, and decay of the first `decayed` values."""
    run = _adamw if value.size < PARALLEL else _adamw_blocks
    run(value, grad, first, second, factor, rate, beta_1, beta_2, correction_1, correction_2, epsilon, decay, decayed)
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
