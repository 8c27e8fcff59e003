# mypy: disallow-untyped-defs=False, disallow-incomplete-defs=False
"""Matrix products of a batch on the register tile, in Numba's own threads: no BLAS in a training step.

The columns of a result are dealt out to the threads by panels (and its rows, where panels do not divide
evenly); a thread packs a panel and multiplies with it while it is in the cache.
"""

from __future__ import annotations

import numpy as np
from numba import njit, prange

from dltrain.kernels.compiled.jit import INNER, OPTIONS, PARALLEL, kernel
from dltrain.kernels.compiled.pointwise import activate
from dltrain.kernels.compiled.routines import multiply, pack_columns, pack_gradient, pack_rows
from dltrain.kernels.compiled.tile import AT_ONCE, LANES, RELU, ROWS, WIDTH

DEPTH = 256  # terms of a sum made in one go: a panel of so many rows takes 32 KiB, of an L1 cache of 48
BLOCK = 64  # rows packed in one go; also those whose sum is kept in float32 before it goes into a float64 one


@njit(**INNER)
def ceil(count, size):
    """How many parts of a size hold a count: ⌈count / size⌉."""
    return (count + size - 1) // size


def copies(panels, threads):
    """Into how many blocks the rows are cut, so that blocks × panels can be dealt out evenly."""
    return 1 if panels % threads == 0 or panels >= 8 * threads else threads


row_blocks = njit(**INNER)(copies)


@njit(**INNER)
def rows_times_panels(
    tile, a, ar, ai, ak, ao, b, bo, bp, panels, start, si, c, ci, r0, r1, inner, outer, columns, relu
):
    """C[r0:r1] = start + A[r0:r1] B for some panels of B; addresses in bytes, strides in elements.

    The rows of a tile are `ai` apart, and a tile that begins with row i lies at i · `ar`.  Long sums are made in
    parts of DEPTH terms, each added to C, so that the part of a panel that all rows meet stays in the L1 cache.
    """
    deep = outer == 1
    parts = max(1, ceil(inner if deep else outer, DEPTH if deep else max(1, DEPTH // inner)))
    for part in range(parts):
        i0, i1 = (inner * part // parts, inner * (part + 1) // parts) if deep else (0, inner)
        o0, o1 = (0, 1) if deep else (outer * part // parts, outer * (part + 1) // parts)
        last = relu if part == parts - 1 else 0
        at_a, at_b = a + 4 * (i0 * ak + o0 * ao), b + 4 * (i0 * WIDTH + o0 * bo)
        if part:
            start, si = c, ci
        tiles(
            tile, at_a, ar, ai, ak, ao, at_b, bo, bp, panels, start, si, c, ci, r0, r1, i1 - i0, o1 - o0, columns, last
        )  # fmt: skip


@njit(**INNER)
def tiles(tile, a, ar, ai, ak, ao, b, bo, bp, panels, start, si, c, ci, r0, r1, inner, outer, columns, relu):
    """One part of `rows_times_panels`: all its tiles, half as wide where no more columns are left."""
    rest = (r1 - r0) % ROWS
    end = r1 - rest
    for p in range(panels):
        s, left = start + 4 * (r0 * si + p * WIDTH) if start else 0, columns - p * WIDTH
        multiply(
            tile, ROWS, 0 if left <= LANES else 1, (end - r0) // ROWS, ROWS * ar, a + 4 * r0 * ar, ai, ak, ao,
            b + 4 * p * bp, WIDTH, bo, bp, s, si, c + 4 * (r0 * ci + p * WIDTH), ci, inner, outer, left, relu,
        )  # fmt: skip
    p = 0
    while rest and p < panels:
        count = AT_ONCE[rest] if p + AT_ONCE[rest] <= panels else 1
        s, left = start + 4 * (end * si + p * WIDTH) if start else 0, columns - p * WIDTH
        multiply(
            tile, rest, 0 if left <= LANES else count, 1, 0, a + 4 * end * ar, ai, ak, ao,
            b + 4 * p * bp, WIDTH, bo, bp, s, si, c + 4 * (end * ci + p * WIDTH), ci, inner, outer, left, relu,
        )  # fmt: skip
        p += count


@njit(**INNER)
def pack_group(tile, W, j, panels, to):
    """Some neighbouring panels of W, from column j on, to an address; side by side, since they share W's lines."""
    I, O = W.shape
    for k in range(0, I, BLOCK):
        for p in range(panels):
            first = j + p * WIDTH
            source = W.ctypes.data + 4 * (k * O + first)
            pack_rows(tile, source, O, min(BLOCK, I - k), O - first, to + 4 * (p * I + k) * WIDTH)


@njit(**INNER)
def affine_share(tile, t, threads, x, W, b, out, activation, scratch):
    """The part of one thread of out = f(x W + b); scratch (threads, group · I · WIDTH)."""
    N, I = x.shape
    O = W.shape[1]
    group = scratch.shape[1] // (I * WIDTH) if I else 1
    groups = ceil(ceil(O, WIDTH), group)
    blocks = row_blocks(groups, threads)
    size = ceil(ceil(N, blocks), ROWS) * ROWS
    panel = scratch[t].ctypes.data
    start = b.ctypes.data if b.size else 0
    packed = -1
    for task in range(t * groups * blocks // threads, (t + 1) * groups * blocks // threads):
        g = task // blocks
        j = g * group * WIDTH
        panels = min(group, ceil(O - j, WIDTH))
        if g != packed:
            pack_group(tile, W, j, panels, panel)
            packed = g
        r0 = task % blocks * size
        r1 = min(N, r0 + size)
        if r0 < r1:
            rows_times_panels(
                tile, x.ctypes.data, I, I, 1, 0, panel, 0, I * WIDTH, panels, start + 4 * j if start else 0, 0,
                out.ctypes.data + 4 * j, O, r0, r1, I, 1, O - j, activation == RELU,
            )  # fmt: skip
            activate(out, r0, r1, j, min(O, j + panels * WIDTH), activation)


@kernel("int f2 f2 f1 f2 int int f2 int", **PARALLEL)
def affine(tile, x, W, b, out, activation, group, scratch, threads):
    """out = f(x W + b), b empty where there is none; scratch (threads, group · I · WIDTH)."""
    if threads == 1:
        own = np.empty((1, group * len(W) * WIDTH), np.float32)
        affine_share(tile, 0, 1, x, W, b, out, activation, own)
    else:
        for t in prange(threads):
            affine_share(tile, t, threads, x, W, b, out, activation, scratch)


@kernel("int f2 f3", **OPTIONS)
def pack_weights(tile, W, panels):
    """panels (⌈O/WIDTH⌉, I, WIDTH) = W (I, O), zero beyond the edge."""
    I, O = W.shape
    for p in range(len(panels)):
        j = p * WIDTH
        pack_rows(tile, W.ctypes.data + 4 * j, O, I, O - j, panels.ctypes.data + 4 * j * I)


@njit(**INNER)
def packed_share(tile, t, threads, x, panels, b, out, activation):
    """The part of one thread of out = f(x W + b), W in panels."""
    N, I = x.shape
    O = out.shape[1]
    count = len(panels)
    blocks = row_blocks(count, threads) if N >= 2 * ROWS else 1
    size = ceil(ceil(N, blocks), ROWS) * ROWS
    start = b.ctypes.data if b.size else 0
    first, last = t * count * blocks // threads, (t + 1) * count * blocks // threads
    while first < last:
        # all panels of one block of rows, so that few rows meet several panels at once
        r, p = first // count, first % count
        until = min(last, (r + 1) * count)
        r0, r1, j = r * size, min(N, (r + 1) * size), p * WIDTH
        if r0 < r1:
            rows_times_panels(
                tile, x.ctypes.data, I, I, 1, 0, panels.ctypes.data + 4 * j * I, 0, I * WIDTH, until - first,
                start + 4 * j if start else 0, 0, out.ctypes.data + 4 * j, O, r0, r1, I, 1, O - j, activation == RELU,
            )  # fmt: skip
            activate(out, r0, r1, j, min(O, j + (until - first) * WIDTH), activation)
        first = until


@kernel("int f2 f3 f1 f2 int int", **PARALLEL)
def packed(tile, x, panels, b, out, activation, threads):
    """out = f(x W + b), W in panels (⌈O/WIDTH⌉, I, WIDTH)."""
    if threads == 1:
        packed_share(tile, 0, 1, x, panels, b, out, activation)
    else:
        for t in prange(threads):
            packed_share(tile, t, threads, x, panels, b, out, activation)


@njit(**INNER)
def pack_dz(tile, dy, y, j, activation, panel, db, add):
    """panel (N, WIDTH) = dy f'(y) for the columns from j on; db (+)= its column sums, in float64."""
    N, O = dy.shape
    columns = min(WIDTH, O - j)
    total = np.empty(WIDTH, np.float64)
    part = np.empty(WIDTH, np.float32)
    for i in range(WIDTH):
        total[i] = 0.0
    for k in range(0, N, BLOCK):
        at = 4 * (k * O + j)
        rows = min(BLOCK, N - k)
        pack_gradient(
            tile, dy.ctypes.data + at, y.ctypes.data + at, O, rows, O - j, activation,
            panel + 4 * k * WIDTH, part.ctypes.data,
        )  # fmt: skip
        for i in range(WIDTH):
            total[i] += part[i]
    if db.size:
        for i in range(columns):
            db[j + i] = db[j + i] + total[i] if add else total[i]


@njit(**INNER)
def pack_turned(x, first, last, turned):
    """turned (⌈I/ROWS⌉, N, ROWS) = xᵀ in tiles of ROWS rows, for the tiles from `first` to `last`.

    Read down a column, x would lie in few lines of the cache where its width is a power of two.
    """
    N, I = x.shape
    source, to = x.reshape(-1), turned.reshape(-1)
    for block in range(first, last):
        i = block * ROWS
        start = block * N * ROWS
        if i + ROWS <= I:
            for k in range(N):
                for j in range(ROWS):  # a constant count: unrolled
                    to[start + k * ROWS + j] = source[k * I + i + j]
        else:
            for k in range(N):
                for j in range(I - i):
                    to[start + k * ROWS + j] = source[k * I + i + j]


@njit(**INNER)
def prepare_share(tile, t, threads, x, y, dy, db, activation, add, dz, turned):
    """The part of one thread of what all threads then read: dz = dy f'(y) in panels, db (+)= Σ dz, and xᵀ in tiles.

    dz (panels, N, WIDTH); turned (⌈I/ROWS⌉, N, ROWS), or empty where x is read as it lies.
    """
    panels, blocks = len(dz), len(turned)
    for p in range(t * panels // threads, (t + 1) * panels // threads):
        pack_dz(tile, dy, y, p * WIDTH, activation, dz[p].ctypes.data, db, add)
    pack_turned(x, t * blocks // threads, (t + 1) * blocks // threads, turned)


@njit(**INNER)
def weights_share(tile, t, threads, x, dW, add, dz, turned):
    """The part of one thread of dW (+)= xᵀ dz: rows of dW, as an optimizer's threads share the flat gradient."""
    N, I = x.shape
    O = dW.shape[1]
    a, ar, ai, ak = x.ctypes.data, 1, 1, I
    if turned.size:
        a, ar, ai, ak = turned.ctypes.data, N, 1, ROWS
    tiles_ = ceil(I, ROWS)
    r0, r1 = t * tiles_ // threads * ROWS, min(I, (t + 1) * tiles_ // threads * ROWS)
    for p in range(len(dz)):
        j = p * WIDTH
        to = dW.ctypes.data + 4 * j
        start = to if add else 0
        rows_times_panels(
            tile, a, ar, ai, ak, 0, dz[p].ctypes.data, 0, 0, 1, start, O, to, O, r0, r1, N, 1, O - j, 0
        )  # fmt: skip


@njit(**INNER)
def inputs_share(tile, t, threads, W, dx, dz, scratch):
    """The part of one thread of dx = dz Wᵀ; scratch (threads, ≥ panels · WIDTH · WIDTH)."""
    I, O = W.shape
    N = dx.shape[0]
    panels = len(dz)
    targets = ceil(I, WIDTH)
    blocks = row_blocks(targets, threads)
    size = ceil(ceil(N, blocks), ROWS) * ROWS
    packed = -1
    panel = scratch[t].ctypes.data
    for task in range(t * targets * blocks // threads, (t + 1) * targets * blocks // threads):
        p, r = task // blocks, task % blocks
        j = p * WIDTH
        if p != packed:
            pack_columns(tile, W.ctypes.data + 4 * j * O, O, O, I - j, panel)
            packed = p
        r0 = r * size
        r1 = min(N, r0 + size)
        if r0 < r1:
            rows_times_panels(
                tile, dz.ctypes.data, WIDTH, WIDTH, 1, N * WIDTH, panel, WIDTH * WIDTH, 0, 1, 0, 0,
                dx.ctypes.data + 4 * j, I, r0, r1, WIDTH, panels, I - j, 0,
            )  # fmt: skip


@kernel("int f2 f2 f2 f2 f2 f1 f2 int bool f3 f3 f2 int", **PARALLEL)
def backward(tile, x, W, y, dy, dW, db, dx, activation, add, dz, turned, scratch, threads):
    """dz = dy f'(y); dW (+)= xᵀ dz; db (+)= Σ dz; dx = dz Wᵀ, where they are not empty.

    dz (panels, N, WIDTH), turned (⌈I/ROWS⌉, N, ROWS) or empty, scratch (threads, panels · WIDTH · WIDTH).
    """
    if threads == 1:
        panels = ceil(W.shape[1], WIDTH)
        own_dz = np.empty((panels, len(x), WIDTH), np.float32)
        prepare_share(tile, 0, 1, x, y, dy, db, activation, add, own_dz, turned)
        if dW.size:
            weights_share(tile, 0, 1, x, dW, add, own_dz, turned)
        if dx.size:
            inputs_share(tile, 0, 1, W, dx, own_dz, np.empty((1, panels * WIDTH * WIDTH), np.float32))
    else:
        for t in prange(threads):
            prepare_share(tile, t, threads, x, y, dy, db, activation, add, dz, turned)
        for t in prange(threads):
            if dW.size:
                weights_share(tile, t, threads, x, dW, add, dz, turned)
            if dx.size:
                inputs_share(tile, t, threads, W, dx, dz, scratch)
