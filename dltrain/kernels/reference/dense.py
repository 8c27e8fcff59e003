"""The matrix product with bias and activation, and its backward."""

from __future__ import annotations

from typing import Any

import numpy as np

from dltrain.kernels.arrays import Array, Derived, Empty, give, rows_of
from dltrain.kernels.reference.activations import ACTIVATIONS


@np.errstate(invalid="ignore", over="ignore")
def affine(x: Array, W: Array, b: Array | None, activation: str, out: Array, empty: Empty) -> Array:
    """out = f(x W + b).

    Parameters:
        x: (N, I)
        W: (I, O)
        b: (O,), or None
        activation: f, one of linear, relu, tanh, sigmoid
        out: (N, O)
        empty: scratch memory
    """
    z = x @ W
    if b is not None:
        z = z + b
    out[...] = ACTIVATIONS[activation][0](z, 0.0)
    return out


@np.errstate(invalid="ignore", over="ignore")
def affine_backward(
    x: Array,
    W: Array,
    y: Array,
    dy: Array,
    dW: Array,
    db: Array | None,
    dx: Array | None,
    activation: str,
    add: bool,
    empty: Empty,
) -> Array | None:
    """dz = dy f'(y); dW (+)= xᵀ dz; db (+)= Σ dz; dx = dz Wᵀ; returns dx.

    Parameters:
        x: (N, I), as in the forward pass
        W: (I, O)
        y: (N, O), what the forward pass returned
        dy: (N, O), the gradient with respect to y
        dW: (I, O), receives the gradient
        db: (O,), receives the gradient, or None
        dx: (N, I), receives the gradient, or None
        activation: as in the forward pass
        add: add to dW and db, instead of storing into them
        empty: scratch memory
    """
    dz = ACTIVATIONS[activation][1](y, y, dy, 0.0)
    rows = rows_of(dz)
    give(dW, rows_of(x).T @ rows, add)
    if db is not None:
        give(db, rows.sum(0, dtype=np.result_type(rows.dtype, np.float64)), add)
    if dx is not None:
        dx[...] = dz @ W.T
    return dx


def affine_inference(
    x: Array, W: Any, b: Array | None, activation: str, out: Array, empty: Empty, derived: Derived
) -> Array:
    """The same as `affine`, for weights that stay as they are over many calls.

    Parameters:
        x: (N, I)
        W: the weights' Parameter; its value is (I, O)
        b: (O,), or None
        activation: f, one of linear, relu, tanh, sigmoid
        out: (N, O)
        empty: scratch memory
        derived: keeps another form of the weights until they change
    """
    return affine(x, W.value, b, activation, out, empty)
