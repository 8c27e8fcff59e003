"""Updates of flat parameter vectors: what each gradient transform does, and whole optimizer steps in one call.

The specification, in NumPy: every vector is 1-D, of the same size and dtype; vectors named first are changed
in place.  Numbers are Python floats, which take the dtype of the vectors.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from dltrain.kernels.arrays import Array


def accumulate_momentum(update: Array, velocity: Array, momentum: float, nesterov: bool) -> Array:
    """velocity = momentum · velocity + update;  update = velocity, with Nesterov update + momentum · velocity."""
    velocity *= momentum
    velocity += update
    if nesterov:
        update += momentum * velocity
    else:
        update[:] = velocity
    return update


def scale_by_rms(update: Array, mean_square: Array, rho: float, epsilon: float) -> Array:
    """s = rho · s + (1 - rho) · update²;  update = update / (√s + epsilon)."""
    mean_square *= rho
    mean_square += (1 - rho) * update * update
    update /= np.sqrt(mean_square) + epsilon
    return update


def scale_by_adam(
    update: Array,
    first: Array,
    second: Array,
    beta_1: float,
    beta_2: float,
    correction_1: float,
    correction_2: float,
    epsilon: float,
) -> Array:
    """m = β₁ m + (1 - β₁) update;  v = β₂ v + (1 - β₂) update²;  update = (m / c₁) / (√v / c₂ + epsilon).

    Parameters:
        update: (n,), replaced
        first: (n,), m
        second: (n,), v
        beta_1: β₁
        beta_2: β₂
        correction_1: c₁ = 1 - β₁^t
        correction_2: c₂ = √(1 - β₂^t)
        epsilon: added to the root
    """
    first *= beta_1
    first += (1 - beta_1) * update
    second *= beta_2
    second += (1 - beta_2) * update * update
    np.divide(first, correction_1, out=update)
    update /= np.sqrt(second) / correction_2 + epsilon
    return update


def add_decay(update: Array, value: Array, decay: float, decayed: int) -> Array:
    """update = update + decay · value, in the first `decayed` elements."""
    update[:decayed] += decay * value[:decayed]
    return update


def descend(value: Array, grad: Array, factor: float, rate: float) -> Array:
    """value = value - rate · factor · grad."""
    value -= factor * rate * grad
    return value


def descend_momentum(
    value: Array, grad: Array, velocity: Array, factor: float, rate: float, momentum: float, nesterov: bool
) -> Array:
    """One step with momentum along factor · grad."""
    return descend(value, accumulate_momentum(factor * grad, velocity, momentum, nesterov), 1.0, rate)


def descend_rms(
    value: Array, grad: Array, mean_square: Array, factor: float, rate: float, rho: float, epsilon: float
) -> Array:
    """One step of RMSprop along factor · grad."""
    return descend(value, scale_by_rms(factor * grad, mean_square, rho, epsilon), 1.0, rate)


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
    """One step of Adam along factor · grad; the numbers as in `scale_by_adam`."""
    update = scale_by_adam(factor * grad, first, second, beta_1, beta_2, correction_1, correction_2, epsilon)
    return descend(value, update, 1.0, rate)


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
    update = scale_by_adam(factor * grad, first, second, beta_1, beta_2, correction_1, correction_2, epsilon)
    return descend(value, add_decay(update, value, decay, decayed), 1.0, rate)


def penalty(value: Array, grad: Array, l1: float, l2: float) -> Any:
    """Σ (l1 |w| + l2 w²), summed in float64; its gradient l1 sign(w) + 2 l2 w is added to grad (value stays).

    For complex values (the complex step) |w| is w by the sign of its real part, so that derivatives stay right.
    """
    sign = np.sign(value.real)
    grad += l1 * sign + 2 * l2 * value
    wide = value.astype(np.result_type(value, np.float64))
    return (l1 * (sign * wide).sum() + l2 * (wide * wide).sum()).item()
