"""The matrix product with bias and activation, and its backward, on the register tile."""

from __future__ import annotations

from collections.abc import Iterator
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
NEAR = 2**19  # float32 numbers, 2 MiB: what a thread reads again for every panel should fit its second-level cache
MANY = 512  # rows that are worth the packing of W
FEW = 16  # rows so few that several panels at once are better than one that stays in the cache


def blocks(rows: int, width: int) -> Iterator[slice]:
    """Rows of so many numbers, in parts that stay in the second-level cache from one panel to the next."""
    count = max(1, min(rows // MANY, rows * width // NEAR))
    for part in range(count):
        yield slice(rows * part // count, rows * (part + 1) // count)


def product(x: Array, W: Array, b: Array, activation: int, out: Array, empty: Empty) -> None:
    """out = f(x W + b), b empty where there is none; arrays the kernels refuse raise TypeError."""
    rows, (I, O) = len(x), W.shape
    group = 4 if rows < FEW or O >= MANY_PANELS * WIDTH else 1
    if rows * W.size < SERIAL:
        compiled.affine(compiled.tile, x, W, b, out, activation, group, NO_2D, 1)
        return
    scratch = empty((compiled.threads, group * I * WIDTH), FLOAT32)
    for part in blocks(rows, I + O):
        compiled.affine(compiled.tile, x[part], W, b, out[part], activation, group, scratch, compiled.threads)


def affine(x: Array, W: Array, b: Array | None, activation: str, out: Array, empty: Empty) -> Array:
    """See the reference."""
    try:
        product(x, W, NONE if b is None else b, CODES[activation], out, empty)
    except TypeError:
        return _elsewhere(x, W, b, activation, out, empty)
    return out


def _elsewhere(x: Array, W: Array, b: Array | None, activation: str, out: Array, empty: Empty) -> Array:
    """Bring what the kernels refuse into shape: more axes of rows, read-only or strided x; else the reference."""
    if x.dtype == FLOAT32 and x.size and fits(W, b, out) and (x.ndim > 2 or not fits(x)):
        affine(rows_of(np.array(x, order="C")), W, b, activation, rows_of(out), empty)
        return out
    return reference.affine(x, W, b, activation, out, empty)


def product_backward(
    x: Array, W: Array, y: Array, dy: Array, dW: Array, db: Array, dx: Array, activation: int, add: bool, empty: Empty
) -> None:
    """dW (+)= xᵀ dz, db (+)= Σ dz and dx = dz Wᵀ of dz = dy f'(y), where they are not empty."""
    rows, (I, O) = len(x), W.shape
    if rows * W.size < SERIAL:
        compiled.backward(compiled.tile, x, W, y, dy, dW, db, dx, activation, add, NO_3D, NO_3D, NO_2D, 1)
        return
    panels, count = -(-O // WIDTH), compiled.threads
    scratch = empty((count, panels * WIDTH * WIDTH), FLOAT32)
    for part in blocks(rows, I + 3 * O):  # dy, y and dz
        many = part.stop - part.start
        dz = empty((panels, many, WIDTH), FLOAT32)
        turn = dW.size and many >= MANY_ROWS and panels >= MANY_PANELS
        turned = empty((-(-I // ROWS), many, ROWS), FLOAT32) if turn else NO_3D
        compiled.backward(
            compiled.tile, x[part], W, y[part], dy[part], dW, db, dx[part], activation, add or part.start > 0,
            dz, turned, scratch, count,
        )  # fmt: skip


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
    bias, back = NONE if db is None else db, NO_2D if dx is None else dx
    try:
        product_backward(x, W, y, dy, dW, bias, back, CODES[activation], add, empty)
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


def product_packed(x: Array, W: Array, b: Array, activation: int, out: Array, derived: Derived) -> None:
    """`product` with weights that stay as they are over many calls, and are packed once."""
    I, O = W.shape
    panels = derived("panels", (-(-O // WIDTH), I, WIDTH), lambda into: compiled.pack_weights(compiled.tile, W, into))
    threads = 1 if len(x) * W.size < SERIAL else compiled.threads
    for part in blocks(len(x), I + O):
        compiled.packed(compiled.tile, x[part], panels, b, out[part], activation, threads)


def affine_inference(
    x: Array, W: Any, b: Array | None, activation: str, out: Array, empty: Empty, derived: Derived
) -> Array:
    """See the reference."""
    weights = W.value
    try:
        product_packed(x, weights, NONE if b is None else b, CODES[activation], out, derived)
    except TypeError:
        return _elsewhere(x, weights, b, activation, out, empty)
    return out
