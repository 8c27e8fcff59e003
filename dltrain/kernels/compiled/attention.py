# mypy: disallow-untyped-defs=False, disallow-incomplete-defs=False
"""Attention, head by head: a strip of scores of some steps for all others stays in the thread's second-level cache."""

from __future__ import annotations

import numpy as np
from numba import njit, prange

from dltrain.kernels.arrays import Array, Empty
from dltrain.kernels.compiled.gemm import ceil, rows_times_panels
from dltrain.kernels.compiled.jit import INNER, PARALLEL, PLAIN, SUMS, compiled, fits, kernel, parts, plain
from dltrain.kernels.compiled.pointwise import F, exp, tanh
from dltrain.kernels.compiled.routines import pack_columns, pack_rows
from dltrain.kernels.compiled.tile import WIDTH
from dltrain.kernels.reference import attention as reference

STRIP = 64  # steps whose scores are made in one go
NO_1D = np.empty(0, np.float32)


@njit(**INNER)
def panels_of(tile, address, stride, rows, columns):
    """A matrix (rows, columns) whose rows are `stride` apart, in panels (⌈columns/WIDTH⌉, rows, WIDTH)."""
    panels = np.empty((ceil(columns, WIDTH), rows, WIDTH), np.float32)
    for p in range(len(panels)):
        j = p * WIDTH
        pack_rows(tile, address + 4 * j, stride, rows, columns - j, panels[p].ctypes.data)
    return panels


@njit(**INNER)
def panels_turned(tile, address, stride, rows, columns):
    """The same of the matrix turned: (⌈rows/WIDTH⌉, columns rounded up, WIDTH)."""
    panels = np.empty((ceil(rows, WIDTH), ceil(columns, WIDTH) * WIDTH, WIDTH), np.float32)
    for p in range(len(panels)):
        j = p * WIDTH
        pack_columns(tile, address + 4 * j * stride, stride, columns, rows - j, panels[p].ctypes.data)
    return panels


@njit(**INNER)
def product(tile, a, ai, ak, panels, c, ci, rows, inner, columns, add):
    """C (+)= A B, B in panels; A's rows are `ai` apart and its columns `ak`, C's rows `ci`."""
    rows_times_panels(
        tile, a, ai, ai, ak, 0, panels.ctypes.data, 0, panels.shape[1] * WIDTH, len(panels),
        c if add else 0, ci, c, ci, 0, rows, inner, 1, columns, 0,
    )  # fmt: skip


@njit(**INNER, **SUMS)
def add_scores(q, k, w, strip):
    """strip[i, s] = Σ w tanh(q[i] + k[s])."""
    for i in range(len(q)):
        a, out = q[i], strip[i]
        for s in range(len(k)):
            b, total = k[s], F(0)
            for j in range(w.size):
                total += w[j] * tanh(a[j] + b[j])
            out[s] = total


@njit(**INNER, **PLAIN)
def add_scores_back(q, k, w, slopes, dq, dk, dw):
    """The gradients of `add_scores`; dk grows, and dw in float64: it is a sum over all pairs of steps."""
    part = np.empty(w.size, np.float32)
    for i in range(len(q)):
        a, da, row = q[i], dq[i], slopes[i]
        da[:], part[:] = 0, 0
        for s in range(len(k)):
            b, db, d = k[s], dk[s], row[s]
            for j in range(w.size):
                y = tanh(a[j] + b[j])
                inner = d * w[j] * (F(1) - y * y)
                part[j] += d * y
                da[j] += inner
                db[j] += inner
        for j in range(w.size):
            dw[j] += part[j]


@njit(**INNER)
def visible(row, scale, mask, last):
    """Scale a row of scores; -inf where the mask is 0, and from `last` on."""
    for s in range(last):
        row[s] *= scale
    if mask.size:
        for s in range(last):
            if not mask[s] > F(0.5):
                row[s] = -np.inf
    row[last:] = -np.inf


@njit(**INNER, **PLAIN)
def powers(row, top, factor):
    """row = exp(row - top) factor."""
    for s in range(row.size):
        row[s] = exp(row[s] - top) * factor


@njit(**INNER)
def softmax_row(row):
    """Make a row of scores one of weights; returns its largest score, and 1 over the sum of the exponentials."""
    top = F(-np.inf)
    for s in range(row.size):
        top = max(top, row[s])
    if top == F(-np.inf):
        for s in range(row.size):
            if row[s] == F(-np.inf):  # nothing may be seen; NaN stays NaN
                row[s] = 0
        return F(0), F(0)
    powers(row, top, F(1))
    total = 0.0
    for s in range(row.size):
        total += row[s]
    inverse = F(1 / total)
    for s in range(row.size):
        row[s] *= inverse
    return top, inverse


@njit(**INNER)
def scores(tile, q, k, w, keys, t0, count, c0, c1, strip):
    """The scores of `count` steps from t0 on, for the columns c0 to c1 of one head; q (T, A), k (S, A)."""
    if w.size:
        add_scores(q[t0 : t0 + count, c0:c1], k[:, c0:c1], w[c0:c1], strip)
    else:
        A, S = q.shape[1], len(k)
        address = q.ctypes.data + 4 * (t0 * A + c0)
        product(tile, address, A, 1, keys, strip.ctypes.data, S, count, c1 - c0, S, False)


@njit(**INNER)
def last_seen(causal, t, steps, others):
    """How many steps a step may see at most."""
    return max(0, min(others, t + 1 + others - steps)) if causal else others


@njit(**INNER)
def head_forward(tile, q, k, v, w, mask, c0, c1, b0, b1, causal, scale, out, rows):
    """One head of one example; rows (2, T)."""
    T, S, A, B = len(q), len(k), q.shape[1], v.shape[1]
    keys = panels_turned(tile, k.ctypes.data + 4 * c0, A, S, c1 - c0)
    values = panels_of(tile, v.ctypes.data + 4 * b0, B, S, b1 - b0)
    strip = np.empty((min(STRIP, T), S), np.float32)
    for t0 in range(0, T, STRIP):
        count = min(STRIP, T - t0)
        scores(tile, q, k, w, keys, t0, count, c0, c1, strip)
        for i in range(count):
            t = t0 + i
            visible(strip[i], scale, mask, last_seen(causal, t, T, S))
            rows[0, t], rows[1, t] = softmax_row(strip[i])
        address = out.ctypes.data + 4 * (t0 * B + b0)
        product(tile, strip.ctypes.data, S, 1, values, address, B, count, S, b1 - b0, False)


@njit(**INNER, **SUMS)
def slopes_row(weights, slopes, y, dy, scale):
    """slopes = scale P (slopes - Σ dy y), the gradient of a row of scores."""
    total = F(0)
    for j in range(y.size):
        total += y[j] * dy[j]
    for s in range(weights.size):
        slopes[s] = scale * weights[s] * (slopes[s] - total)


@njit(**INNER)
def head_backward(tile, q, k, v, w, mask, c0, c1, b0, b1, causal, scale, out, rows, dy, dq, dk, dv, dw):
    """One head of one example back; dw grows."""
    T, S, A, B, a, b = len(q), len(k), q.shape[1], v.shape[1], c1 - c0, b1 - b0
    turned = panels_turned(tile, k.ctypes.data + 4 * c0, A, S, a)
    keys = panels_of(tile, k.ctypes.data + 4 * c0, A, S, a)
    values = panels_turned(tile, v.ctypes.data + 4 * b0, B, S, b)
    strip, slopes = np.empty((min(STRIP, T), S), np.float32), np.empty((min(STRIP, T), S), np.float32)
    dk[:, c0:c1] = 0
    for t0 in range(0, T, STRIP):
        count, t1 = min(STRIP, T - t0), min(T, t0 + STRIP)
        scores(tile, q, k, w, turned, t0, count, c0, c1, strip)
        product(tile, dy.ctypes.data + 4 * (t0 * B + b0), B, 1, values, slopes.ctypes.data, S, count, b, S, False)
        for i in range(count):
            t = t0 + i
            visible(strip[i], scale, mask, last_seen(causal, t, T, S))
            powers(strip[i], rows[0, t], rows[1, t])
            slopes_row(strip[i], slopes[i], out[t, b0:b1], dy[t, b0:b1], scale)
        asked = panels_of(tile, dy.ctypes.data + 4 * (t0 * B + b0), B, count, b)
        product(tile, strip.ctypes.data, 1, S, asked, dv.ctypes.data + 4 * b0, B, S, count, b, t0 > 0)
        if w.size:
            add_scores_back(
                q[t0:t1, c0:c1], k[:, c0:c1], w[c0:c1], slopes[:count], dq[t0:t1, c0:c1], dk[:, c0:c1], dw[c0:c1]
            )
        else:
            product(tile, slopes.ctypes.data, S, 1, keys, dq.ctypes.data + 4 * (t0 * A + c0), A, count, S, a, False)
            asking = panels_of(tile, q.ctypes.data + 4 * (t0 * A + c0), A, count, a)
            product(tile, slopes.ctypes.data, 1, S, asking, dk.ctypes.data + 4 * c0, A, S, count, a, t0 > 0)


@kernel("int f3 f3 f3 f1 f2 int bool float f3 f4 int", **PARALLEL)
def attention_heads(tile, q, k, v, w, mask, heads, causal, scale, out, rows, threads):
    """See `reference.attention`; w and mask may be empty."""
    tasks, a, b = len(q) * heads, q.shape[2] // heads, v.shape[2] // heads
    for part in prange(threads):
        for task in range(part * tasks // threads, (part + 1) * tasks // threads):
            n, h = task // heads, task % heads
            valid = mask[n] if mask.size else mask.reshape(-1)
            head_forward(
                tile, q[n], k[n], v[n], w, valid, h * a, (h + 1) * a, h * b, (h + 1) * b, causal, F(scale), out[n],
                rows[:, n, h],
            )  # fmt: skip


@kernel("int f3 f3 f3 f1 f2 int bool float f3 f4 f3 f3 f3 f3 f1 bool int", **PARALLEL)
def attention_heads_back(tile, q, k, v, w, mask, heads, causal, scale, out, rows, dy, dq, dk, dv, dw, add, threads):
    """See `reference.attention_backward`; w, mask and dw may be empty."""
    tasks, a, b = len(q) * heads, q.shape[2] // heads, v.shape[2] // heads
    sums = np.zeros((len(q) * heads, w.size), np.float64)
    for part in prange(threads):
        for task in range(part * tasks // threads, (part + 1) * tasks // threads):
            n, h = task // heads, task % heads
            valid = mask[n] if mask.size else mask.reshape(-1)
            head_backward(
                tile, q[n], k[n], v[n], w, valid, h * a, (h + 1) * a, h * b, (h + 1) * b, causal, F(scale), out[n],
                rows[:, n, h], dy[n], dq[n], dk[n], dv[n], sums[task],
            )  # fmt: skip
    for j in range(dw.size):
        total = 0.0
        for n in range(len(sums)):
            total += sums[n, j]
        dw[j] = total + dw[j] if add else total


def attention(
    q: Array,
    k: Array,
    v: Array,
    w: Array | None,
    mask: Array | None,
    heads: int,
    causal: bool,
    scale: float,
    out: Array,
    rows: Array,
    empty: Empty,
) -> Array:
    """See the reference."""
    if not out.size or not k.size or not q.size or not fits(out, rows, w):
        return reference.attention(q, k, v, w, mask, heads, causal, scale, out, rows, empty)
    compiled.attention_heads(
        compiled.tile, plain(q), plain(k), plain(v), NO_1D if w is None else w, plain(mask), heads, causal, scale,
        out, rows, parts(rows[0].size * k.shape[1]),
    )  # fmt: skip
    return out


def attention_backward(
    q: Array,
    k: Array,
    v: Array,
    w: Array | None,
    mask: Array | None,
    heads: int,
    causal: bool,
    scale: float,
    out: Array,
    rows: Array,
    dy: Array,
    dq: Array,
    dk: Array,
    dv: Array,
    dw: Array | None,
    add: bool,
    empty: Empty,
) -> Array:
    """See the reference."""
    if not out.size or not k.size or not q.size or not fits(out, rows, w, dq, dk, dv, dw):
        return reference.attention_backward(
            q, k, v, w, mask, heads, causal, scale, out, rows, dy, dq, dk, dv, dw, add, empty
        )
    compiled.attention_heads_back(
        compiled.tile, plain(q), plain(k), plain(v), NO_1D if w is None else w, plain(mask), heads, causal, scale,
        out, rows, plain(dy), dq, dk, dv, NO_1D if dw is None else dw, add, parts(rows[0].size * k.shape[1]),
    )  # fmt: skip
    return dq
