# mypy: disallow-untyped-defs=False, disallow-incomplete-defs=False
"""Recurrent cells: a thread takes its share of the batch through all steps, so that none waits for another.

The state of some examples and their share of the gates stay in the thread's second-level cache, beside the packed U.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit, prange

from dltrain.kernels.arrays import Array, Derived, Empty
from dltrain.kernels.compiled.gemm import ceil, rows_times_panels
from dltrain.kernels.compiled.jit import FLOAT32, INNER, OPTIONS, PARALLEL, compiled, fits, kernel
from dltrain.kernels.compiled.recurrent_cells import CODES, GRU, LSTM, cell_row, cell_row_back
from dltrain.kernels.compiled.routines import pack_columns
from dltrain.kernels.compiled.tile import WIDTH
from dltrain.kernels.reference import recurrent as reference

ROWS = 64  # examples that a thread takes through the sequence at once
SERIAL = 1_000_000  # multiply-adds below which starting the threads costs more than they save
NO_2D, NO_3D = np.empty((0, 0), np.float32), np.empty((0, 0, 0), np.float32)


@njit(**INNER)
def pack_backward(tile, U, panels):
    """Uᵀ (O, H) in panels (⌈H/WIDTH⌉, ⌈O/WIDTH⌉·WIDTH, WIDTH)."""
    H, O = U.shape
    for p in range(len(panels)):
        j = p * WIDTH
        pack_columns(tile, U.ctypes.data + 4 * j * O, O, O, H - j, panels[p].ctypes.data)


@njit(**INNER)
def times(tile, a, panels, out, rows, inner):
    """out = a B for the first rows, B in panels."""
    columns = out.shape[1]
    rows_times_panels(
        tile, a.ctypes.data, a.shape[1], a.shape[1], 1, 0, panels.ctypes.data, 0, panels.shape[1] * WIDTH, len(panels),
        0, 0, out.ctypes.data, columns, 0, rows, inner, 1, columns, 0,
    )  # fmt: skip


@njit(**INNER)
def block_forward(tile, cell, z, panels, p, mask, keep, first, reverse, out, before, noted, last, n0, n1):
    """Take some examples through the sequence."""
    T, H, O, rows = out.shape[1], out.shape[2], z.shape[2], n1 - n0
    h, c, seen = np.empty((rows, H), np.float32), np.empty((rows, H), np.float32), np.empty((rows, H), np.float32)
    u, spare, old, past = (
        np.empty((rows, O), np.float32),
        np.empty(H, np.float32),
        np.empty(H, np.float32),
        np.empty(H, np.float32),
    )
    h[:], c[:] = first[0, n0:n1], first[1, n0:n1]
    for s in range(T):
        t = T - 1 - s if reverse else s
        for i in range(rows):
            if keep.size:
                a, b, k = h[i], seen[i], keep[n0 + i]
                for j in range(H):
                    b[j] = a[j] * k[j]
            else:
                seen[i] = h[i]
            if before.shape[1]:
                before[n0 + i, t] = seen[i]
        times(tile, seen, panels, u, rows, H)
        for i in range(rows):
            n = n0 + i
            there = mask.size == 0 or mask[n, t] > np.float32(0.5)
            if not there:
                old[:], past[:] = h[i], c[i]
            note = noted[n, t] if noted.shape[1] and cell == GRU else spare
            cell_row(cell, z[n, t], u[i], p, h[i], c[i], note)
            if not there:
                h[i], c[i] = old, past
            out[n, t] = h[i]
            if noted.shape[1] and cell == LSTM:
                noted[n, t] = c[i]
    last[0, n0:n1], last[1, n0:n1] = h, c


@njit(**INNER)
def block_backward(tile, cell, gates, panels, p, mask, keep, first, reverse, out, noted, dy, du, dp, n0, n1):
    """Take some examples back; dp grows."""
    T, H, O, rows = out.shape[1], out.shape[2], gates.shape[2], n1 - n0
    dh, dc = np.zeros((rows, H), np.float32), np.zeros((rows, H), np.float32)
    through, flow = np.empty((rows, H), np.float32), np.empty((rows, O), np.float32)
    each = dy.shape[1] == T
    for s in range(T - 1, -1, -1):
        t = T - 1 - s if reverse else s
        earlier = t + 1 if reverse else t - 1
        for i in range(rows):
            n = n0 + i
            if each or s == T - 1:
                a, b = dh[i], dy[n, t if each else 0]
                for j in range(H):
                    a[j] += b[j]
            if mask.size and not mask[n, t] > np.float32(0.5):
                gates[n, t] = 0
                flow[i] = 0
            else:
                h = out[n, earlier] if s else first[0, n]
                c = (noted[n, earlier] if s else first[1, n]) if cell == LSTM else h
                note = noted[n, t] if noted.shape[1] else h
                cell_row_back(cell, gates[n, t], note, p, h, c, dh[i], dc[i], flow[i], dp)
            du[n, t] = flow[i]
        times(tile, flow, panels, through, rows, O)
        for i in range(rows):
            a, b = dh[i], through[i]
            if keep.size:
                k = keep[n0 + i]
                for j in range(H):
                    a[j] += b[j] * k[j]
            else:
                for j in range(H):
                    a[j] += b[j]


@kernel("int int f3 f3 f2 f2 f2 f3 bool f3 f3 f3 f3 int", **PARALLEL)
def recurrent_forward(tile, cell, z, panels, p, mask, keep, first, reverse, out, before, noted, last, threads):
    """See `reference.recurrence`, with U (H, O) in panels (⌈O/WIDTH⌉, H, WIDTH); mask and keep may be empty."""
    N = len(z)
    blocks = max(ceil(N, ROWS), min(threads, N))
    if blocks == 1:  # waking the threads would take longer than a step of one example
        block_forward(tile, cell, z, panels, p, mask, keep, first, reverse, out, before, noted, last, 0, N)
        return
    for k in prange(blocks):
        block_forward(
            tile, cell, z, panels, p, mask, keep, first, reverse, out, before, noted, last,
            k * N // blocks, (k + 1) * N // blocks,
        )  # fmt: skip


@kernel("int int f3 f2 f2 f2 f2 f3 bool f3 f3 f3 f3 f2 bool f3 int", **PARALLEL)
def recurrent_backward(
    tile, cell, gates, U, p, mask, keep, first, reverse, out, noted, dy, du, dp, add, panels, threads
):
    """See `reference.recurrence_backward`; mask and keep may be empty."""
    N = len(gates)
    pack_backward(tile, U, panels)
    blocks = max(ceil(N, ROWS), min(threads, N))
    sums = np.zeros((blocks, *p.shape), np.float32)
    for k in prange(blocks):
        block_backward(
            tile, cell, gates, panels, p, mask, keep, first, reverse, out, noted, dy, du, sums[k],
            k * N // blocks, (k + 1) * N // blocks,
        )  # fmt: skip
    for i in range(p.shape[0]):
        for j in range(p.shape[1]):
            total = 0.0
            for k in range(blocks):
                total += sums[k, i, j]
            dp[i, j] = total + dp[i, j] if add else total


@kernel("i1 f2 f2", **OPTIONS)
def scatter(index, dy, out):
    """out[index[i]] += dy[i]."""
    for i in range(index.size):
        if index[i] >= 0:
            a, b = out[index[i]], dy[i]
            for j in range(a.size):
                a[j] += b[j]


def recurrence(
    cell: str,
    z: Array,
    U: Array,
    p: Array,
    mask: Array | None,
    keep: Array | None,
    first: Array,
    reverse: bool,
    out: Array,
    before: Array,
    noted: Array,
    last: Array,
    empty: Empty,
) -> Array:
    """See the reference."""
    given = (z, U, p, first, out, before, noted, last)
    if not z.size or not fits(*given):
        return reference.recurrence(cell, z, U, p, mask, keep, first, reverse, out, before, noted, last, empty)
    panels = empty(panels_of(U), FLOAT32)
    compiled.pack_weights(compiled.tile, U, panels)
    compiled.recurrent_forward(
        compiled.tile, CODES[cell], z, panels, p, _plain(mask), _plain(keep), first, reverse, out, before, noted, last,
        _threads(len(z) * z.shape[1] * U.size),
    )  # fmt: skip
    return out


def recurrence_inference(
    cell: str,
    z: Array,
    U: Any,
    p: Array,
    mask: Array | None,
    first: Array,
    reverse: bool,
    out: Array,
    last: Array,
    empty: Empty,
    derived: Derived,
) -> Array:
    """See the reference."""
    weights = U.value
    if not z.size or not fits(z, weights, p, first, out, last):
        return reference.recurrence_inference(cell, z, U, p, mask, first, reverse, out, last, empty, derived)
    panels = derived("panels", panels_of(weights), lambda into: compiled.pack_weights(compiled.tile, weights, into))
    compiled.recurrent_forward(
        compiled.tile, CODES[cell], z, panels, p, _plain(mask), NO_2D, first, reverse, out, NO_3D, NO_3D, last,
        _threads(len(z) * z.shape[1] * weights.size),
    )  # fmt: skip
    return out


def panels_of(U: Array) -> tuple[int, int, int]:
    """The shape of U (H, O) in panels."""
    return -(-U.shape[1] // WIDTH), U.shape[0], WIDTH


def recurrence_backward(
    cell: str,
    gates: Array,
    U: Array,
    p: Array,
    mask: Array | None,
    keep: Array | None,
    first: Array,
    reverse: bool,
    out: Array,
    noted: Array,
    dy: Array,
    du: Array,
    dp: Array,
    add: bool,
    empty: Empty,
) -> Array:
    """See the reference."""
    if not gates.size or dy.dtype != FLOAT32 or not fits(gates, U, p, first, out, noted, du, dp):
        return reference.recurrence_backward(
            cell, gates, U, p, mask, keep, first, reverse, out, noted, dy, du, dp, add, empty
        )
    H, O = U.shape
    panels = empty((-(-H // WIDTH), -(-O // WIDTH) * WIDTH, WIDTH), FLOAT32)
    compiled.recurrent_backward(
        compiled.tile, CODES[cell], gates, U, p, _plain(mask), _plain(keep), first, reverse, out, noted, _plain(dy), du,
        dp, add, panels, _threads(len(gates) * gates.shape[1] * U.size),
    )  # fmt: skip
    return gates


def scatter_rows(index: Array, dy: Array, out: Array, add: bool) -> Array:
    """See the reference."""
    if not fits(out) or dy.dtype != FLOAT32:
        return reference.scatter_rows(index, dy, out, add)
    if not add:
        out[...] = 0
    compiled.scatter(np.array(index, np.int64, order="C"), _plain(dy), out)
    return out


def _plain(array: Array | None) -> Array:
    """As a kernel takes it: in C order and writable, a copy if need be; empty where there is none."""
    if array is None:
        return NO_2D
    return array if fits(array) else np.array(array, FLOAT32, order="C")


def _threads(size: int) -> int:
    """How many threads are worth starting."""
    return 1 if size < SERIAL else int(compiled.threads)
