"""The matrix product with bias and activation, and its backward, on the register tile."""

from __future__ import annotations

from typing import Any

import numpy as np

from dltrain.kernels.arrays import Array, Derived, Empty, rows_of
from dltrain.kernels.compiled import gemm  # noqa: F401  (registers the kernels)
from dltrain.kernels.compiled.jit import FLOAT32, compiled, fits
from dltrain.kernels.compiled.tile import LANES, LINEAR, RELU, ROWS, SIGMOID, TANH, WIDTH
from dltrain.kernels.reference import dense as reference

NONE = np.empty(0, np.float32)
NO_2D = np.empty((0, 0), np.float32)
NO_3D = np.empty((0, 0, 0), np.float32)
CODES = {"linear": LINEAR, "relu": RELU, "tanh": TANH, "sigmoid": SIGMOID}
SERIAL = 40_000 * LANES  # multiply-adds, some 5 µs, below which starting the threads costs more than they save
MANY_ROWS, MANY_PANELS = 192, 16  # from here on a panel and a column of x crowd the L1 cache: x is turned over first
FEW = 16  # rows so few that several panels at once are better than one that stays in the cache


def affine(x: Array, W: Array, b: Array | None, activation: str, out: Array, empty: Empty) -> Array:
    """See the reference."""
    rows = len(x)
    group = 4 if rows < FEW or W.shape[1] >= MANY_PANELS * WIDTH else 1
    bias = NONE if b is None else b
    try:
        if rows * W.size < SERIAL:
            compiled.affine(compiled.tile, x, W, bias, out, CODES[activation], group, NO_2D, 1)
        else:
            scratch = empty((compiled.threads, group * len(W) * WIDTH), FLOAT32)
            compiled.affine(compiled.tile, x, W, bias, out, CODES[activation], group, scratch, compiled.threads)
    except TypeError:
        return _elsewhere(x, W, b, activation, out, empty)
    return out


def _elsewhere(x: Array, W: Array, b: Array | None, activation: str, out: Array, empty: Empty) -> Array:
    """Bring what the kernels refuse into shape: more axes of rows, read-only or strided x; else the reference."""
    if x.dtype == FLOAT32 and x.size and fits(W, b, out) and (x.ndim > 2 or not fits(x)):
        affine(rows_of(np.array(x, order="C")), W, b, activation, rows_of(out), empty)
        return out
    return reference.affine(x, W, b, activation, out, empty)


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
    """See the reference."""
    rows = len(x)
    bias, back = NONE if db is None else db, NO_2D if dx is None else dx
    try:
        if rows * W.size < SERIAL:
            compiled.backward(
                compiled.tile, x, W, y, dy, dW, bias, back, CODES[activation], add, NO_3D, NO_3D, NO_2D, 1
            )
        else:
            panels, count = -(-W.shape[1] // WIDTH), compiled.threads
            dz = empty((panels, rows, WIDTH), FLOAT32)
            turn = rows >= MANY_ROWS and panels >= MANY_PANELS
            turned = empty((-(-len(W) // ROWS), rows, ROWS), FLOAT32) if turn else NO_3D
            scratch = empty((count, panels * WIDTH * WIDTH), FLOAT32)
            compiled.backward(
                compiled.tile, x, W, y, dy, dW, bias, back, CODES[activation], add, dz, turned, scratch, count
            )  # fmt: skip
    except TypeError:
        return _backward_elsewhere(x, W, y, dy, dW, db, dx, activation, add, empty)
    return dx


def _backward_elsewhere(
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
    """Bring what the kernels refuse into shape: more axes of rows, read-only or strided x; else the reference."""
    float32 = x.dtype == y.dtype == dy.dtype == FLOAT32
    if float32 and x.size and fits(W, dW, db, dx) and (x.ndim > 2 or not fits(x, y, dy)):
        rows = (rows_of(np.array(a, order="C")) for a in (x, y, dy))
        x, y, dy = rows
        affine_backward(x, W, y, dy, dW, db, None if dx is None else rows_of(dx), activation, add, empty)
        return dx
    return reference.affine_backward(x, W, y, dy, dW, db, dx, activation, add, empty)


def affine_inference(
    x: Array, W: Any, b: Array | None, activation: str, out: Array, empty: Empty, derived: Derived
) -> Array:
    """See the reference."""
    weights = W.value
    I, O = weights.shape
    bias = NONE if b is None else b
    try:
        panels = derived(
            "panels", (-(-O // WIDTH), I, WIDTH), lambda into: compiled.pack_weights(compiled.tile, weights, into)
        )
        threads = 1 if len(x) * weights.size < SERIAL else compiled.threads
        compiled.packed(compiled.tile, x, panels, bias, out, CODES[activation], threads)
    except TypeError:
        return _elsewhere(x, weights, b, activation, out, empty)
    return out
