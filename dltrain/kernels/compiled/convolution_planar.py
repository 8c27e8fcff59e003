# mypy: disallow-untyped-defs=False, disallow-incomplete-defs=False
"""The convolution of few results a pixel: neighbouring pixels side by side in a vector, see `planar`.

A thread takes some rows of an image.  It copies what these meet into memory of its own, with zeros where the kernel
reaches beyond, and splits it into planes; there all rows of a plane are one line, in which the kernel meets neighbours.
The pixels at the end of a row that reach into the next are made too, and dropped.
"""

from __future__ import annotations

import numpy as np
from numba import njit, prange

from dltrain.kernels.arrays import Array, Derived, Empty
from dltrain.kernels.compiled.convolution_backward import damp_gathered
from dltrain.kernels.compiled.convolution_job import Job, Shape
from dltrain.kernels.compiled.convolution_tiles import collect_sums, gather
from dltrain.kernels.compiled.dense import NONE
from dltrain.kernels.compiled.gemm import ceil
from dltrain.kernels.compiled.jit import FLOAT32, INNER, PARALLEL, PLAIN, SUMS, compiled, kernel
from dltrain.kernels.compiled.planar import ACROSS, MOST, PAD, correlate, join, reduce, split
from dltrain.kernels.compiled.pointwise import activate
from dltrain.kernels.compiled.tile import LANES, LINEAR, RELU, ROWS

MOST_RESULTS = LANES // 2  # of a pixel, up to which more lanes are filled by pixels than by results


def suits(of: Job, image: Shape) -> bool:
    """Whether a convolution of an image has few results a pixel, several points, no strides, and few pixels to drop."""
    (_, deep, _, _, _), (first, high, wide, _, _) = of.x, of.W
    plain = deep == first == of.groups == 1 and of.strides == (1, 1, 1) and not of.before[0] and high * wide > 1
    return plain and image[4] <= MOST_RESULTS and 3 * made(of, image) <= 4 * image[2] * image[3]


def made(of: Job, image: Shape) -> int:
    """How many pixels are made, with those that are dropped."""
    return -(-image[2] * columns(of, image) // (4 * LANES)) * 4 * LANES


def columns(of: Job, image: Shape) -> int:
    """How many columns the kernel meets where it makes an image."""
    return image[3] + (of.W[2] - 1) * of.dilation[2]


@njit(**INNER)
def offset_table(sizes, channels, dilation, columns, plane):
    """How many bytes behind a pixel each point and channel lies; some more, which are 0."""
    KH, KW = sizes
    table = np.zeros(KH * KW * channels + MOST, np.int64)
    for k in range(KH * KW):
        for c in range(channels):
            at = c * plane + k // KW * dilation[1] * columns + k % KW * dilation[2]
            table[k * channels + c] = 4 * at
    return table


@njit(**INNER)
def split_rows(table, x, y, damping, n, first, left, rows, columns, near, planes):
    """planes (C, …) = some rows of an image times f'(y), zero beyond the image and for LANES numbers past the end."""
    C, pixels = x.shape[4], rows * columns
    alone = C == 1
    to = planes.reshape(-1) if alone else near
    gather(x, n, 0, first, 1, left, 0, to, rows, columns, C)
    if damping != LINEAR:
        damp_gathered(y, n, 0, first, left, 0, to, rows, columns, C, damping)
    if not alone:
        split(table, pixels, near.ctypes.data, C, planes.ctypes.data, planes.shape[1])
    planes[:, pixels : pixels + LANES] = 0


@njit(**INNER, **PLAIN)
def finish(results, pixels, activation):
    """results = f(results)."""
    for i in range(len(results)):
        if activation == RELU:
            row = results[i, :pixels]
            for p in range(pixels):
                row[p] = np.float32(0) if row[p] < 0 else row[p]
    activate(results, 0, len(results), 0, pixels, activation)


@njit(**INNER)
def correlate_share(
    table, t, threads, x, y, damping, A, sizes, b, out, dilation, before, activation, blocks, near, planes, results
):
    """The part of one thread of out = f(x f'(y) * A + b): some blocks of rows of an image."""
    N, _, H, W, O = out.shape
    C, (KH, KW) = x.shape[4], sizes
    columns = W + (KW - 1) * dilation[2]
    mine, own = planes[t], results[t]
    offsets = offset_table(sizes, C, dilation, columns, mine.shape[1])
    begin = b if b.size else np.zeros(O, np.float32)
    parts = ceil(O, ROWS)
    for task in range(t * N * blocks // threads, (t + 1) * N * blocks // threads):
        n, block = task // blocks, task % blocks
        r0, r1 = H * block // blocks, H * (block + 1) // blocks
        rows = r1 - r0 + (KH - 1) * dilation[1]
        split_rows(table, x, y, damping, n, r0 - before[1], -before[2], rows, columns, near[t], mine)
        pixels = (r1 - r0 - 1) * columns + W
        for part in range(parts):
            o = O * part // parts
            count = O * (part + 1) // parts - o
            correlate(
                table, count, ceil(pixels, ACROSS[count] * LANES), A.ctypes.data + 4 * o, O, mine.ctypes.data,
                offsets.ctypes.data, len(A), begin.ctypes.data + 4 * o, own[o].ctypes.data, own.shape[1],
            )  # fmt: skip
        finish(own, pixels, activation)
        for r in range(r0, r1):
            from_ = own.ctypes.data + 4 * (r - r0) * columns
            join(table, W, from_, own.shape[1], O, out.ctypes.data + 4 * ((n * H + r) * W) * O)


@kernel("int f5 f5 int f2 axes f1 f5 axes axes int int f2 f3 f3 int", **PARALLEL)
def planar_correlate(
    table, x, y, damping, A, sizes, b, out, dilation, before, activation, blocks, near, planes, results, threads
):
    """out = f(x f'(y) * A + b), A (KH·KW·C, O); `blocks` of rows an image, the last arrays are filled."""
    if threads == 1:
        correlate_share(
            table, 0, 1, x, y, damping, A, sizes[1:], b, out, dilation, before, activation, blocks, near, planes,
            results,
        )  # fmt: skip
    else:
        for t in prange(threads):
            correlate_share(
                table, t, threads, x, y, damping, A, sizes[1:], b, out, dilation, before, activation, blocks, near,
                planes, results,
            )  # fmt: skip


@njit(**INNER, **SUMS)
def total(values):
    """Σ values."""
    made = np.float32(0)
    for i in range(values.size):
        made += values[i]
    return made


@njit(**INNER)
def weights_share(
    table, t, threads, x, y, dy, sizes, dilation, before, activation, blocks, part, sums, near, planes, gradients
):
    """The part of one thread: part[t] = Σ xᵀ dz, a vector for each sum, and sums[t] = Σ dz."""
    N, _, H, W, O = dy.shape
    C, (KH, KW) = x.shape[4], sizes
    columns = W + (KW - 1) * dilation[2]
    mine, dz, into = planes[t], gradients[t], part[t]
    offsets = offset_table(sizes, C, dilation, columns, mine.shape[1])
    parts = ceil(O, ROWS)
    into[:] = 0
    sums[t] = 0
    for task in range(t * N * blocks // threads, (t + 1) * N * blocks // threads):
        n, block = task // blocks, task % blocks
        r0, r1 = H * block // blocks, H * (block + 1) // blocks
        rows = r1 - r0 + (KH - 1) * dilation[1]
        split_rows(table, x, x, LINEAR, n, r0 - before[1], -before[2], rows, columns, near[t], mine)
        split_rows(table, dy, y, activation, n, r0, 0, r1 - r0, columns, near[t], dz)
        pixels = (r1 - r0 - 1) * columns + W
        for o in range(O):
            sums[t, o] += total(dz[o, :pixels])
        for q in range(parts):
            o = O * q // parts
            count = O * (q + 1) // parts - o
            reduce(
                table, count, ceil(pixels, LANES), dz[o].ctypes.data, dz.shape[1], mine.ctypes.data,
                offsets.ctypes.data, ceil(KH * KW * C, ACROSS[count]), into.ctypes.data + 4 * o * LANES, into.shape[1],
            )  # fmt: skip


@njit(**INNER)
def collect(part, sums, dW, db, add):
    """dW (+)= Σ part over threads and lanes, dW (KH·KW·C, O), and db (+)= Σ sums."""
    K, O = dW.shape
    for k in range(K):
        for o in range(O):
            value = dW[k, o] if add else np.float32(0)
            for t in range(len(part)):
                value += total(part[t, k, o * LANES : (o + 1) * LANES])
            dW[k, o] = value
    collect_sums(sums, db, add)


@kernel("int f5 f5 f5 f2 axes f1 axes axes int bool int f3 d2 f2 f3 f3 int", **PARALLEL)
def planar_weights(
    table, x, y, dy, dW, sizes, db, dilation, before, activation, add, blocks, part, sums, near, planes, gradients,
    threads,
):  # fmt: skip
    """dW (+)= Σ xᵀ dz, db (+)= Σ dz where db is not empty, dz = dy f'(y), dW (KH·KW·C, O)."""
    if threads == 1:
        weights_share(
            table, 0, 1, x, y, dy, sizes[1:], dilation, before, activation, blocks, part, sums, near, planes, gradients
        )
    else:
        for t in prange(threads):
            weights_share(
                table, t, threads, x, y, dy, sizes[1:], dilation, before, activation, blocks, part, sums, near, planes,
                gradients,
            )  # fmt: skip
    collect(part, sums, dW, db, add)


def scratch(of: Job, image: Shape, split: int, results: int, empty: Empty) -> tuple[int, list[Array]]:
    """Into how many blocks the rows of an image are cut; each thread's memory for rows, their planes, and results.

    Beyond the end of a plane there is memory for what is read or written in whole vectors.
    """
    wide = columns(of, image)
    blocks = of.blocks(image[2], wide * (2 * split + results))
    rows = -(-image[2] // blocks)
    seen = (rows + (of.W[1] - 1) * of.dilation[1]) * wide
    most = max(split, results)
    shapes = (seen * most + LANES * (most + 1),), (split, seen + PAD), (results, rows * wide + PAD)
    return blocks, [empty((of.threads, *shape), FLOAT32) for shape in shapes]


def run(
    of: Job, x: Array, y: Array, damping: int, A: Array, b: Array, before: Shape, activation: int, out: Array,
    empty: Empty,
) -> None:  # fmt: skip
    """out = f(x f'(y) * A + b)."""
    blocks, memory = scratch(of, out.shape, x.shape[4], out.shape[4], empty)
    compiled.planar_correlate(
        compiled.planes, x, y, damping, A, of.W[:3], b, out, of.dilation, before, activation, blocks, *memory,
        of.threads,
    )  # fmt: skip


def forward(of: Job, x: Array, W: Array, b: Array, activation: int, out: Array, empty: Empty) -> None:
    """out = f(x * W + b); b may be empty."""
    run(of, x, x, LINEAR, W.reshape(-1, of.W[4]), b, of.before, activation, out, empty)


def inference(
    of: Job, x: Array, W: Array, b: Array, activation: int, out: Array, empty: Empty, derived: Derived
) -> None:
    """The same: the weights lie as they are needed."""
    forward(of, x, W, b, activation, out, empty)


def inputs(of: Job, W: Array, y: Array, dy: Array, dx: Array, activation: int, empty: Empty) -> None:
    """dx = Σ dz Wᵀ, dz = dy f'(y): dz meets the filters turned over."""
    _, high, wide, channels, filters = of.W
    turned = empty((high * wide, filters, channels), FLOAT32)
    turned[...] = W.reshape(high * wide, channels, filters)[::-1].swapaxes(1, 2)
    reach = ((n - 1) * d - p for n, d, p in zip(of.W[:3], of.dilation, of.before, strict=True))
    run(of, dy, y, activation, turned.reshape(-1, channels), NONE, tuple(reach), LINEAR, dx, empty)


def weights(
    of: Job, x: Array, y: Array, dy: Array, dW: Array, db: Array, activation: int, add: bool, empty: Empty
) -> None:
    """dW (+)= Σ xᵀ dz, db (+)= Σ dz where it is not empty, dz = dy f'(y)."""
    channels, filters = of.W[3:]
    blocks, memory = scratch(of, of.out, channels, filters, empty)
    into = dW.reshape(-1, filters)
    compiled.planar_weights(
        compiled.planes, x, y, dy, into, of.W[:3], db, of.dilation, of.before, activation, add, blocks,
        empty((of.threads, len(into) + MOST, filters * LANES), FLOAT32),
        empty((of.threads, filters), np.dtype(np.float64)), *memory, of.threads,
    )  # fmt: skip
