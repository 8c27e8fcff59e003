# mypy: disallow-untyped-defs=False, disallow-incomplete-defs=False
"""Activations, softmax, sums of wires and dropout, over flat vectors cut into one part a thread."""

from __future__ import annotations

import numpy as np
from numba import njit, prange

from dltrain.kernels.arrays import Array, rows_of
from dltrain.kernels.compiled.activations import CODES, apply, apply_backward
from dltrain.kernels.compiled.jit import INNER, OPTIONS, PARALLEL, PLAIN, SUMS, compiled, kernel, parts
from dltrain.kernels.compiled.noise import draw
from dltrain.kernels.compiled.pointwise import F, exp
from dltrain.kernels.random import halves, threshold
from dltrain.kernels.reference import elementwise as reference


@kernel("f1 int float f1 int", **PARALLEL)
def map_flat(x, code, alpha, out, threads):
    """out = f(x) for flat vectors (n,), in one part a thread; see `apply`."""
    if threads == 1:
        apply(x, code, F(alpha), out)
    else:
        for t in prange(threads):
            lo, hi = t * x.size // threads, (t + 1) * x.size // threads
            apply(x[lo:hi], code, F(alpha), out[lo:hi])


@kernel("f1 f1 f1 int float f1 int", **PARALLEL)
def map_backward(x, y, dy, code, alpha, out, threads):
    """out = dy f'(x) for flat vectors (n,), in one part a thread; see `apply_backward`."""
    if threads == 1:
        apply_backward(x, y, dy, code, F(alpha), out)
    else:
        for t in prange(threads):
            lo, hi = t * y.size // threads, (t + 1) * y.size // threads
            apply_backward(x[lo:hi], y[lo:hi], dy[lo:hi], code, F(alpha), out[lo:hi])


@njit(**INNER, **PLAIN)
def drop(x, low, high, least, scale, out, first):
    """Elements `first` and on of the dropout; see `reference.bits`."""
    for i in range(x.size):
        out[i] = x[i] * scale if draw(first + i, low, high) >= least else F(0)


@kernel("f1 int int int float f1 int", **PARALLEL)
def drop_flat(x, low, high, least, scale, out, threads):
    """out = x scale where the bits of an element are at least `least`, else 0; low and high are halves of the key."""
    if threads == 1:
        drop(x, np.uint32(low), np.uint32(high), np.uint32(least), F(scale), out, 0)
    else:
        for t in prange(threads):
            lo, hi = t * x.size // threads, (t + 1) * x.size // threads
            drop(x[lo:hi], np.uint32(low), np.uint32(high), np.uint32(least), F(scale), out[lo:hi], lo)


@njit(**INNER, **PLAIN)
def join_two(a, b, product, out):
    """out = a b or a + b, which may be the same array as a."""
    if product:
        for i in range(a.size):
            out[i] = a[i] * b[i]
    else:
        for i in range(a.size):
            out[i] = a[i] + b[i]


@kernel("f1 f1 bool f1 int", **PARALLEL)
def join_flat(a, b, product, out, threads):
    """out = a b or a + b for flat vectors (n,), in one part a thread; out may be the same array as a."""
    if threads == 1:
        join_two(a, b, product, out)
    else:
        for t in prange(threads):
            lo, hi = t * a.size // threads, (t + 1) * a.size // threads
            join_two(a[lo:hi], b[lo:hi], product, out[lo:hi])


@njit(**INNER, **SUMS)
def softmax_rows(x, out, r0, r1):
    """out[r0:r1] = exp(x - max) / Σ; the exponentials of all rows together, so that short rows use full vectors."""
    shift_rows(x, out, r0, r1)
    exp_all(out[r0:r1])
    for i in range(r0, r1):
        row = out[i]
        total = 0.0
        for j in range(row.size):
            total += row[j]
        scale = F(1.0 / total)
        for j in range(row.size):
            row[j] *= scale


@njit(**INNER, **PLAIN)
def shift_rows(x, out, r0, r1):
    """out = x - the largest of the row."""
    for i in range(r0, r1):
        row, to = x[i], out[i]
        top = F(-np.inf)
        for j in range(row.size):
            top = row[j] if row[j] > top else top
        for j in range(row.size):
            to[j] = row[j] - top


@njit(**INNER, **PLAIN)
def exp_all(x):
    """x = exp(x), in place."""
    flat = x.reshape(x.size)
    for i in range(flat.size):
        flat[i] = exp(flat[i])


@kernel("f2 f2 int", **PARALLEL)
def softmax_all(x, out, threads):
    """out = softmax(x) of each row of x (N, K), in one part of the rows a thread."""
    if threads == 1:
        softmax_rows(x, out, 0, len(x))
    else:
        for t in prange(threads):
            softmax_rows(x, out, t * len(x) // threads, (t + 1) * len(x) // threads)


@kernel("f2 f2 f2", **OPTIONS, **SUMS)
def softmax_gradient(y, dy, out):
    """out = y (dy - Σ_j y_j dy_j) for each row of y = softmax(x) (N, K)."""
    for i in range(len(y)):
        a, g, o = y[i], dy[i], out[i]
        total = 0.0
        for j in range(a.size):
            total += a[j] * g[j]
        for j in range(a.size):
            o[j] = a[j] * (g[j] - F(total))


def activation(x: Array, name: str, alpha: float, out: Array) -> Array:
    """See the reference."""
    if not out.flags.c_contiguous:
        return reference.activation(x, name, alpha, out)
    try:
        compiled.map_flat(x.reshape(-1), CODES[name], alpha, out.reshape(-1), parts(out.size))
    except TypeError:
        return reference.activation(x, name, alpha, out)
    return out


def activation_backward(x: Array, y: Array, dy: Array, name: str, alpha: float, out: Array) -> Array:
    """See the reference."""
    if not out.flags.c_contiguous:
        return reference.activation_backward(x, y, dy, name, alpha, out)
    try:
        flat = x.reshape(-1), y.reshape(-1), dy.reshape(-1)
        compiled.map_backward(*flat, CODES[name], alpha, out.reshape(-1), parts(out.size))
    except TypeError:
        return reference.activation_backward(x, y, dy, name, alpha, out)
    return out


def softmax(x: Array, out: Array) -> Array:
    """See the reference."""
    if not out.flags.c_contiguous:
        return reference.softmax(x, out)
    try:
        compiled.softmax_all(rows_of(x), rows_of(out), parts(out.size))
    except TypeError:
        return reference.softmax(x, out)
    return out


def softmax_backward(y: Array, dy: Array, out: Array) -> Array:
    """See the reference."""
    if not out.flags.c_contiguous:
        return reference.softmax_backward(y, dy, out)
    try:
        compiled.softmax_gradient(rows_of(y), rows_of(dy), rows_of(out))
    except TypeError:
        return reference.softmax_backward(y, dy, out)
    return out


def add(inputs: tuple[Array, ...], out: Array) -> Array:
    """See the reference."""
    return out if _join(inputs, False, out) else reference.add(inputs, out)


def multiply(inputs: tuple[Array, ...], out: Array) -> Array:
    """See the reference."""
    return out if _join(inputs, True, out) else reference.multiply(inputs, out)


def _join(inputs: tuple[Array, ...], product: bool, out: Array) -> bool:
    """Run the kernel over the inputs, from left to right; False where it does not take them."""
    if len(inputs) < 2 or not out.flags.c_contiguous:
        return False
    flat = out.reshape(-1)
    total = inputs[0].reshape(-1)
    try:
        for other in inputs[1:]:
            compiled.join_flat(total, other.reshape(-1), product, flat, parts(out.size))
            total = flat
    except TypeError:
        return False
    return True


def dropout(x: Array, key: int, rate: float, out: Array) -> Array:
    """See the reference."""
    if not out.flags.c_contiguous:
        return reference.dropout(x, key, rate, out)
    low, high = halves(key)
    least, scale = threshold(rate), 1 / (1 - rate)
    try:
        compiled.drop_flat(x.reshape(-1), low, high, least, scale, out.reshape(-1), parts(2 * out.size))
    except TypeError:
        return reference.dropout(x, key, rate, out)
    return out
