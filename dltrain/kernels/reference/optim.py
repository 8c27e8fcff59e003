"""Updates of flat parameter vectors: what each gradient transform does, and whole optimizer steps in one call.

The specification, in NumPy: every vector is 1-D, of the same size and dtype; vectors named first are changed
in place.  Numbers are Python floats, which take the dtype of the vectors.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from dltrain.kernels.arrays import Array


def accumulate_momentum(
    update: Array, velocity: Array, keep: float, learn: float, ahead: float, direct: float
) -> Array:
    """velocity = keep · velocity + learn · update;  update = ahead · velocity + direct · update."""
    velocity *= keep
    velocity += learn * update
    if direct:
        update *= direct
        update += ahead * velocity
    else:
        np.multiply(velocity, ahead, out=update)
    return update


def scale_by_rms(update: Array, mean_square: Array, keep: float, learn: float, epsilon: float) -> Array:
    """s = keep · s + learn · update²;  update = update / (√s + epsilon)."""
    mean_square *= keep
    mean_square += learn * update * update
    update /= np.sqrt(mean_square) + epsilon
    return update


def scale_by_adam(
    update: Array,
    first: Array,
    second: Array,
    beta_1: float,
    beta_2: float,
    ahead: float,
    direct: float,
    root: float,
    epsilon: float,
) -> Array:
    """m = β₁ m + (1 - β₁) g;  v = β₂ v + (1 - β₂) g²;  update = (ahead · m + direct · g) / (root · √v + epsilon).

    The four numbers make the members of the family: Adam has ahead = 1 / (1 - β₁^t), direct = 0 and
    root = 1 / √(1 - β₂^t).

    Parameters:
        update: (n,), g, replaced
        first: (n,), m
        second: (n,), v
        beta_1: β₁
        beta_2: β₂
        ahead: share of the mean in the numerator
        direct: share of the gradient itself in the numerator
        root: factor of the root
        epsilon: added to the root
    """
    _moments(update, first, second, beta_1, beta_2)
    return _over_root(update, first, second, ahead, direct, root, epsilon)


def scale_by_amsgrad(
    update: Array,
    first: Array,
    second: Array,
    largest: Array,
    beta_1: float,
    beta_2: float,
    ahead: float,
    direct: float,
    root: float,
    epsilon: float,
) -> Array:
    """As `scale_by_adam`, with the largest v so far under the root."""
    _moments(update, first, second, beta_1, beta_2)
    np.maximum(largest, second, out=largest)
    return _over_root(update, first, largest, ahead, direct, root, epsilon)


def _moments(update: Array, first: Array, second: Array, beta_1: float, beta_2: float) -> None:
    first *= beta_1
    first += (1 - beta_1) * update
    second *= beta_2
    second += (1 - beta_2) * update * update


def _over_root(
    update: Array, first: Array, second: Array, ahead: float, direct: float, root: float, epsilon: float
) -> Array:
    if direct:
        update *= direct
        update += ahead * first
    else:
        np.multiply(first, ahead, out=update)
    update /= np.sqrt(second) * root + epsilon
    return update


def scale_by_adamax(
    update: Array, first: Array, largest: Array, beta_1: float, beta_2: float, ahead: float, epsilon: float
) -> Array:
    """m = β₁ m + (1 - β₁) update;  u = max(β₂ u, |update| + epsilon);  update = ahead · m / u."""
    first *= beta_1
    first += (1 - beta_1) * update
    largest *= beta_2
    np.maximum(largest, np.abs(update) + epsilon, out=largest)
    np.divide(ahead * first, largest, out=update)
    return update


def scale_by_adadelta(update: Array, mean_square: Array, mean_step: Array, rho: float, epsilon: float) -> Array:
    """s = ρ s + (1 - ρ) g²;  update = √(d + ε) / √(s + ε) · g;  d = ρ d + (1 - ρ) update²."""
    mean_square *= rho
    mean_square += (1 - rho) * update * update
    update *= np.sqrt(mean_step + epsilon) / np.sqrt(mean_square + epsilon)
    mean_step *= rho
    mean_step += (1 - rho) * update * update
    return update


def scale_by_lion(update: Array, first: Array, beta_1: float, beta_2: float) -> Array:
    """update = sign(β₁ m + (1 - β₁) g);  m = β₂ m + (1 - β₂) g."""
    ahead = beta_1 * first + (1 - beta_1) * update
    first *= beta_2
    first += (1 - beta_2) * update
    np.sign(ahead, out=update)
    return update


def descend(value: Array, grad: Array, factor: float, rate: float, decay: float) -> Array:
    """value = value - rate · (factor · grad + decay · value)."""
    step = factor * rate * grad
    if decay:
        step += rate * decay * value
    value -= step
    return value


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
    """One step with momentum along factor · grad; the last numbers as in `accumulate_momentum`."""
    return descend(value, accumulate_momentum(factor * grad, velocity, keep, learn, ahead, direct), 1.0, rate, decay)


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
    """One step over the root of the sum of squares along factor · grad; the numbers as in `scale_by_rms`."""
    return descend(value, scale_by_rms(factor * grad, mean_square, keep, learn, epsilon), 1.0, rate, decay)


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
    """One step of Adam's family along factor · grad; the last numbers as in `scale_by_adam`."""
    update = scale_by_adam(factor * grad, first, second, beta_1, beta_2, ahead, direct, root, epsilon)
    return descend(value, update, 1.0, rate, decay)


def descend_lion(
    value: Array, grad: Array, first: Array, factor: float, rate: float, decay: float, beta_1: float, beta_2: float
) -> Array:
    """One step of Lion along factor · grad."""
    return descend(value, scale_by_lion(factor * grad, first, beta_1, beta_2), 1.0, rate, decay)


def penalty(value: Array, grad: Array, l1: float, l2: float) -> Any:
    """Σ (l1 |w| + l2 w²), summed in float64; its gradient l1 sign(w) + 2 l2 w is added to grad (value stays).

    For complex values (the complex step) |w| is w by the sign of its real part, so that derivatives stay right.
    """
    sign = np.sign(value.real)
    grad += l1 * sign + 2 * l2 * value
    wide = value.astype(np.result_type(value, np.float64))
    return (l1 * (sign * wide).sum() + l2 * (wide * wide).sum()).item()
