# mypy: disallow-untyped-defs=False, disallow-incomplete-defs=False
"""Winograd's convolution on the register tile: 36 small products in place of nine, over a sixteenth of the pixels.

A thread takes some lines of tiles, 4 rows of the output high.  It copies the rows of the image that a line meets into
memory of its own, transforms them, multiplies each of the 36 values of all tiles with its panel, and transforms
the products back, one panel of filters after the other: all of it stays in the second-level cache.
"""

from __future__ import annotations

import numpy as np
from numba import njit, prange

from dltrain.kernels.compiled.convolution_backward import damp_gathered
from dltrain.kernels.compiled.convolution_tiles import collect_sums, gather
from dltrain.kernels.compiled.gemm import ceil, rows_times_panels
from dltrain.kernels.compiled.jit import INNER, PARALLEL, PLAIN, kernel
from dltrain.kernels.compiled.pointwise import activate
from dltrain.kernels.compiled.routines import pack_columns, pack_rows
from dltrain.kernels.compiled.tile import LINEAR, RELU, WIDTH
from dltrain.kernels.compiled.winograd import (
    DATA,
    FILTER,
    FILTER_BACKWARD,
    ONE,
    POINTS,
    RESULT,
    RESULT_BACKWARD,
    TAPS,
    TILE,
    VALUES,
    transform,
)


@njit(**INNER)
def filters_share(tile, transforms, t, threads, W, turned, panels):
    """The part of one thread of panels (⌈O/WIDTH⌉, 36, C, WIDTH) = G W Gᵀ.

    Turned over, for the way back, it is (⌈C/WIDTH⌉, 36, O, WIDTH), with the last tap first.
    """
    C, O = W.shape[1:]
    terms, columns = panels.shape[2], C if turned else O
    block = np.empty((TAPS * TAPS, WIDTH, WIDTH), np.float32)
    across = -WIDTH * WIDTH if turned else WIDTH * WIDTH
    first = block[-1 if turned else 0].ctypes.data
    parts = ceil(terms, WIDTH)
    for task in range(t * len(panels) * parts // threads, (t + 1) * len(panels) * parts // threads):
        p, k = task // parts, task % parts * WIDTH
        rows, j = min(WIDTH, terms - k), p * WIDTH
        for tap in range(TAPS * TAPS):
            to = block[tap].ctypes.data
            if turned:
                pack_columns(tile, W[tap].ctypes.data + 4 * (j * O + k), O, rows, columns - j, to)
            else:
                pack_rows(tile, W[tap].ctypes.data + 4 * (k * O + j), O, rows, columns - j, to)
        for i in range(rows):
            transform(
                transforms, FILTER, first + 4 * i * WIDTH, TAPS * across, across,
                panels[p, 0, k + i].ctypes.data, POINTS * terms * WIDTH, terms * WIDTH, WIDTH, 0, 0, 0,
            )  # fmt: skip


@kernel("int int f3 bool f4 int", **PARALLEL)
def winograd_filters(tile, transforms, W, turned, panels, threads):
    """panels = G W Gᵀ, W (9, C, O), as `winograd_correlate` takes them."""
    if threads == 1:
        filters_share(tile, transforms, 0, 1, W, turned, panels)
    else:
        for t in prange(threads):
            filters_share(tile, transforms, t, threads, W, turned, panels)


@njit(**INNER)
def strip(x, y, damping, n, h, left, rows, columns, to):
    """to (rows, columns, channels) = x f'(y) at some rows of image n, zero outside."""
    gather(x, n, 0, h, 1, left, 0, to, rows, columns, x.shape[4])
    if damping != LINEAR:
        damp_gathered(y, n, 0, h, left, 0, to, rows, columns, x.shape[4], damping)


@njit(**INNER)
def values_of(transforms, x, y, damping, lines, high, wide, before, own, to, plane):
    """The values at the points, to (36, tiles, C), of what lines (from, to) of tiles meet of x, or of x f'(y)."""
    C = x.shape[4]
    columns = wide * TILE + TAPS - 1
    first, last = lines
    for line in range(first, last):
        strip(x, y, damping, line // high, line % high * TILE - before[1], -before[2], POINTS, columns, own)
        for w in range(wide):
            transform(
                transforms, DATA, own.ctypes.data + 4 * w * TILE * C, columns * C, C,
                to + 4 * ((line - first) * wide + w) * C, POINTS * plane, plane, C, 0, 0, 0,
            )  # fmt: skip


@njit(**INNER)
def correlate_share(
    tile, transforms, t, threads, x, y, damping, panels, b, out, before, activation, lines, seen, data, products
):
    """The part of one thread of out = f(x * W + b), x times f'(y) where there is damping: some lines of tiles."""
    N, _, H, W, O = out.shape
    C = x.shape[4]
    high, wide = ceil(H, TILE), ceil(W, TILE)
    plane, made = data.shape[1] // VALUES, products.shape[1] // VALUES
    own, values, sums = seen[t], data[t].ctypes.data, products[t].ctypes.data
    pixels = out.reshape((N * H * W, O))
    last = (t + 1) * N * high // threads
    for first in range(t * N * high // threads, last, lines):
        count = min(lines, last - first)
        values_of(transforms, x, y, damping, (first, first + count), high, wide, before, own, values, plane)
        for p in range(len(panels)):
            j = p * WIDTH
            for v in range(VALUES):
                bias = np.int64(b.ctypes.data) + 4 * j if b.size and v == ONE else 0
                rows_times_panels(
                    tile, values + 4 * v * plane, C, C, 1, 0, panels[p, v].ctypes.data, 0, 0, 1, bias, 0,
                    sums + 4 * v * made, WIDTH, 0, count * wide, C, 1, O - j, 0,
                )  # fmt: skip
            for i in range(count):
                n, h = (first + i) // high, (first + i) % high * TILE
                pixel = (n * H + h) * W
                rows = min(TILE, H - h)
                for w in range(wide):
                    transform(
                        transforms, RESULT, sums + 4 * (i * wide + w) * WIDTH, POINTS * made, made,
                        out.ctypes.data + 4 * ((pixel + w * TILE) * O + j), W * O, O, min(WIDTH, O - j),
                        rows, W - w * TILE, activation == RELU,
                    )  # fmt: skip
                activate(pixels, pixel, pixel + rows * W, j, min(O, j + WIDTH), activation)


@kernel("int int f5 f5 int f4 f1 f5 axes int int f2 f2 f2 int", **PARALLEL)
def winograd_correlate(
    tile, transforms, x, y, damping, panels, b, out, before, activation, lines, seen, data, products, threads
):
    """out = f(x f'(y) * W + b), `lines` lines of tiles at once; b may be empty, y is read where there is damping."""
    if threads == 1:
        correlate_share(
            tile, transforms, 0, 1, x, y, damping, panels, b, out, before, activation, lines, seen, data, products
        )
    else:
        for t in prange(threads):
            correlate_share(
                tile, transforms, t, threads, x, y, damping, panels, b, out, before, activation, lines, seen, data,
                products,
            )  # fmt: skip


@njit(**INNER, **PLAIN)
def add_rows(total, rows):
    """total += Σ rows."""
    for row in rows:
        for j in range(total.size):
            total[j] += row[j]


@njit(**INNER)
def weights_share(
    tile, transforms, t, threads, x, y, dy, before, activation, lines, part, sums, seen, data, gradients, dz
):
    """The part of one thread of the 36 products part[t] (⌈O/WIDTH⌉, 36, C, WIDTH) and sums[t] = Σ dz, dz = dy f'(y)."""
    N, _, H, W, O = dy.shape
    C = x.shape[4]
    high, wide = ceil(H, TILE), ceil(W, TILE)
    plane, made = data.shape[1] // VALUES, gradients.shape[1] // VALUES
    own, values, panel = seen[t], data[t].ctypes.data, gradients[t].ctypes.data
    sums[t] = 0
    begin, last = t * N * high // threads, (t + 1) * N * high // threads
    if begin == last:
        part[t] = 0
    for first in range(begin, last, lines):
        count = min(lines, last - first)
        values_of(transforms, x, x, LINEAR, (first, first + count), high, wide, before, own, values, plane)
        for i in range(count):
            n, h = (first + i) // high, (first + i) % high * TILE
            strip(dy, y, activation, n, h, 0, TILE, wide * TILE, dz[t, i])
        for p in range(part.shape[1]):
            j = p * WIDTH
            filters = min(WIDTH, O - j)
            for i in range(count):
                for w in range(wide):
                    transform(
                        transforms, RESULT_BACKWARD, dz[t, i].ctypes.data + 4 * (w * TILE * O + j), wide * TILE * O, O,
                        panel + 4 * (i * wide + w) * WIDTH, POINTS * made, made, filters, 0, 0, 0,
                    )  # fmt: skip
            tiles = gradients[t, ONE * made : ONE * made + count * wide * WIDTH].reshape((count * wide, WIDTH))
            add_rows(sums[t, j : j + filters], tiles)
            for v in range(VALUES):
                to = part[t, p, v].ctypes.data
                rows_times_panels(
                    tile, values + 4 * v * plane, 1, 1, C, 0, panel + 4 * v * made, 0, 0, 1,
                    0 if first == begin else to, WIDTH, to, WIDTH, 0, C, count * wide, 1, filters, 0,
                )  # fmt: skip


@njit(**INNER, **PLAIN)
def add_into(to, values):
    """to += values."""
    for j in range(to.size):
        to[j] += values[j]


@njit(**INNER)
def collect_share(transforms, t, threads, part, sums, dW, db, add):
    """The part of one thread of dW (+)= Gᵀ Σ part G, dW (9, C, O), and db (+)= Σ sums."""
    C, O = dW.shape[1:]
    count = part.shape[1]
    taps = np.empty((TAPS * TAPS, WIDTH), np.float32)
    for task in range(t * count * C // threads, (t + 1) * count * C // threads):
        p, c = task // C, task % C
        j, filters = p * WIDTH, min(WIDTH, O - p * WIDTH)
        for other in range(1, len(part)):
            for v in range(VALUES):
                add_into(part[0, p, v, c], part[other, p, v, c])
        transform(
            transforms, FILTER_BACKWARD, part[0, p, 0, c].ctypes.data, POINTS * C * WIDTH, C * WIDTH,
            taps.ctypes.data, TAPS * WIDTH, WIDTH, filters, 0, 0, 0,
        )  # fmt: skip
        for tap in range(TAPS * TAPS):
            to = dW[tap, c, j : j + filters]
            if not add:
                to[:] = 0
            add_into(to, taps[tap])
    if t == 0:
        collect_sums(sums, db, add)


@kernel("int int f5 f5 f5 f3 f1 axes int bool int f5 d2 f2 f2 f2 f3 int", **PARALLEL)
def winograd_weights(
    tile, transforms, x, y, dy, dW, db, before, activation, add, lines, part, sums, seen, data, gradients, dz, threads
):
    """dW (+)= the adjoint of `winograd_correlate` in W, db (+)= Σ dz where db is not empty."""
    if threads == 1:
        weights_share(
            tile, transforms, 0, 1, x, y, dy, before, activation, lines, part, sums, seen, data, gradients, dz
        )
        collect_share(transforms, 0, 1, part, sums, dW, db, add)
    else:
        for t in prange(threads):
            weights_share(
                tile, transforms, t, threads, x, y, dy, before, activation, lines, part, sums, seen, data, gradients, dz
            )
        for t in prange(threads):
            collect_share(transforms, t, threads, part, sums, dW, db, add)
