# mypy: disallow-untyped-defs=False, disallow-incomplete-defs=False
"""Depthwise convolution, one filter for each channel: no products of matrices, but filters that slide along rows.

A thread takes some rows of the output and copies those of the image that they meet into memory of its own, with zeros
where the kernel reaches beyond: all places of the kernel are alike.  Backward to the data it is the same over dy, with
the filters turned over; with strides each row of dy is added to the rows it came from.
"""

from __future__ import annotations

import numpy as np
from numba import njit, prange

from dltrain.kernels.arrays import Array, Derived, Empty
from dltrain.kernels.compiled.convolution_backward import collect_share, damp, damp_gathered
from dltrain.kernels.compiled.convolution_job import Job, Shape
from dltrain.kernels.compiled.convolution_tiles import gather
from dltrain.kernels.compiled.dense import NONE
from dltrain.kernels.compiled.gemm import ceil
from dltrain.kernels.compiled.jit import FLOAT32, INNER, PARALLEL, PLAIN, compiled, kernel
from dltrain.kernels.compiled.pointwise import activate
from dltrain.kernels.compiled.slide import TAPS, slide, slide_weights
from dltrain.kernels.compiled.tile import LINEAR, RELU


@njit(**INNER)
def offset_table(sizes, dilation, rows, columns, C):
    """How many bytes behind the first pixel each point of the kernel lies; some more, which are 0."""
    KD, KH, KW = sizes
    table = np.zeros(KD * KH * KW + TAPS, np.int64)
    for k in range(KD * KH * KW):
        d, h, w = k // (KH * KW), k // KW % KH, k % KW
        table[k] = 4 * C * ((d * rows + h * dilation[1]) * columns + w * dilation[2])
    return table


@njit(**INNER)
def see(x, y, damping, plane, planes, r0, rows, columns, sizes, strides, dilation, before, own):
    """own (KD, rows, columns, C) = what the kernel meets of x f'(y) from some rows of a plane of the output."""
    C = x.shape[4]
    n, d = plane // planes, plane % planes * strides[0] - before[0]
    first = r0 * strides[1] - before[1]
    for k in range(sizes[0]):
        to, at = own[k * rows * columns * C :], d + k * dilation[0]
        gather(x, n, at, first, 1, -before[2], 0, to, rows, columns, C)
        if damping != LINEAR and 0 <= at < x.shape[1]:
            damp_gathered(y, n, at, first, -before[2], 0, to, rows, columns, C, damping)


@njit(**INNER, **PLAIN)
def rectify(values):
    """values = max(0, values); NaN stays NaN."""
    for i in range(values.size):
        values[i] = np.float32(0) if values[i] < 0 else values[i]


@njit(**INNER)
def depthwise_share(
    table, t, threads, x, y, damping, W, b, out, strides, dilation, before, activation, blocks, scratch
):  # fmt: skip
    """The part of one thread of out = f(x f'(y) * W + b): some blocks of rows of the output."""
    N, OD, OH, OW, C = out.shape
    sizes, own = W.shape[:3], scratch[t]
    columns = (OW - 1) * strides[2] + (sizes[2] - 1) * dilation[2] + 1
    flat, begin = out.reshape(-1), b if b.size else np.zeros(C, np.float32)
    for task in range(t * N * OD * blocks // threads, (t + 1) * N * OD * blocks // threads):
        plane, block = task // blocks, task % blocks
        r0, r1 = OH * block // blocks, OH * (block + 1) // blocks
        rows = (r1 - r0 - 1) * strides[1] + (sizes[1] - 1) * dilation[1] + 1
        see(x, y, damping, plane, OD, r0, rows, columns, sizes, strides, dilation, before, own)
        offsets = offset_table(sizes, dilation, rows, columns, C)
        for r in range(r0, r1):
            line = (plane * OH + r) * OW * C
            slide(
                table, OW, own.ctypes.data + 4 * (r - r0) * strides[1] * columns * C, strides[2] * C,
                offsets.ctypes.data, sizes[0] * sizes[1] * sizes[2], W.ctypes.data, C, begin.ctypes.data,
                out.ctypes.data + 4 * line,
            )  # fmt: skip
            if activation == RELU:
                rectify(flat[line : line + OW * C])
            activate(flat.reshape((1, flat.size)), 0, 1, line, line + OW * C, activation)


@njit(**INNER)
def gradient_row(y, dy, line, activation, to):
    """to (OW, C) = dy f'(y) for a row of the output."""
    size = to.size
    to[:] = dy.reshape(-1)[line * size : (line + 1) * size]
    if activation != LINEAR:
        damp(to, y.reshape(-1)[line * size : (line + 1) * size], activation)


@njit(**INNER, **PLAIN)
def add_row(values, sums):
    """sums += Σ values (OW, C)."""
    C = sums.size
    for w in range(values.size // C):
        pixel = values[w * C : (w + 1) * C]
        for c in range(C):
            sums[c] += pixel[c]


@njit(**INNER)
def depthwise_weights_share(
    table, t, threads, x, y, dy, sizes, strides, dilation, before, activation, blocks, part, sums, gradients, scratch
):
    """The part of one thread: part[t] = Σ x dz and sums[t] = Σ dz over its blocks of rows of the output."""
    N, OD, OH, OW, C = dy.shape
    dz, own, total = gradients[t], scratch[t], np.empty(C, np.float32)
    columns = (OW - 1) * strides[2] + (sizes[2] - 1) * dilation[2] + 1
    points = sizes[0] * sizes[1] * sizes[2]
    part[t] = 0
    sums[t] = 0
    for task in range(t * N * OD * blocks // threads, (t + 1) * N * OD * blocks // threads):
        plane, block = task // blocks, task % blocks
        r0, r1 = OH * block // blocks, OH * (block + 1) // blocks
        rows = (r1 - r0 - 1) * strides[1] + (sizes[1] - 1) * dilation[1] + 1
        see(x, x, LINEAR, plane, OD, r0, rows, columns, sizes, strides, dilation, before, own)
        offsets = offset_table(sizes, dilation, rows, columns, C)
        for r in range(r0, r1):
            gradient_row(y, dy, plane * OH + r, activation, dz)
            total[:] = 0
            add_row(dz, total)
            for c in range(C):
                sums[t, c] += total[c]
            slide_weights(
                table, OW, own.ctypes.data + 4 * (r - r0) * strides[1] * columns * C, strides[2] * C,
                offsets.ctypes.data, ceil(points, TAPS), dz.ctypes.data, C, part[t].ctypes.data,
            )  # fmt: skip


@njit(**INNER)
def within(tap, dilation, before, stride, extent, places):
    """The places (from, to) along an axis from which a point of the kernel lies on the image."""
    first = tap * dilation - before
    low = max(0, ceil(-first, stride))
    return low, max(low, min(places, ceil(extent - first, stride)))


@njit(**INNER, **PLAIN)
def add_products(to, to_step, a, a_step, weights, count):
    """to[i] += a[i] · weights for `count` pixels, some numbers apart."""
    C = weights.size
    for i in range(count):
        target, source = to[i * to_step : i * to_step + C], a[i * a_step : i * a_step + C]
        for c in range(C):
            target[c] += source[c] * weights[c]


@njit(**INNER)
def source_row(plane, h, tap, x, out, strides, dilation, before):
    """The row of x, counted through all planes, that a row of the kernel meets from one of the output; -1 for none."""
    d = plane % out[1] * strides[0] - before[0] + tap[0] * dilation[0]
    i = h * strides[1] - before[1] + tap[1] * dilation[1]
    if d < 0 or d >= x[1] or i < 0 or i >= x[2]:
        return -1
    return (plane // out[1] * x[1] + d) * x[2] + i


@njit(**INNER)
def depthwise_inputs_share(t, threads, W, y, dy, dx, strides, dilation, before, activation, scratch):
    """The part of one thread of dx = Σ dz W: some examples, so that no two threads write the same row."""
    N, OD, OH, OW, C = dy.shape
    KD, KH, KW = W.shape[:3]
    X, dz = dx.shape[3], scratch[t]
    target, points = dx.reshape(-1), W.reshape((KD * KH * KW, C))
    first, last = t * N // threads, (t + 1) * N // threads
    dx[first:last] = 0
    for line in range(first * OD * OH, last * OD * OH):
        gradient_row(y, dy, line, activation, dz)
        for k in range(KD * KH):
            row = source_row(line // OH, line % OH, (k // KH, k % KH), dx.shape, dy.shape, strides, dilation, before)
            for l in range(KW if row >= 0 else 0):
                low, high = within(l, dilation[2], before[2], strides[2], X, OW)
                at = (row * X + low * strides[2] - before[2] + l * dilation[2]) * C
                add_products(target[at:], strides[2] * C, dz[low * C :], C, points[k * KW + l], high - low)


@kernel("int f5 f5 int f5 f1 f5 axes axes axes int int f2 int", **PARALLEL)
def depthwise(table, x, y, damping, W, b, out, strides, dilation, before, activation, blocks, scratch, threads):
    """out = f(x f'(y) * W + b), a filter for each channel."""
    if threads == 1:
        depthwise_share(
            table, 0, 1, x, y, damping, W, b, out, strides, dilation, before, activation, blocks, scratch
        )  # fmt: skip
    else:
        for t in prange(threads):
            depthwise_share(
                table, t, threads, x, y, damping, W, b, out, strides, dilation, before, activation, blocks, scratch
            )


@kernel("int f5 f5 f5 f5 f1 axes axes axes int bool int f2 d2 f2 f2 int", **PARALLEL)
def depthwise_weights(
    table, x, y, dy, dW, db, strides, dilation, before, activation, add, blocks, part, sums, gradients, scratch, threads
):
    """dW (+)= Σ x dz, db (+)= Σ dz, where db is not empty."""
    if threads == 1:
        depthwise_weights_share(
            table, 0, 1, x, y, dy, dW.shape[:3], strides, dilation, before, activation, blocks, part, sums, gradients,
            scratch,
        )  # fmt: skip
    else:
        for t in prange(threads):
            depthwise_weights_share(
                table, t, threads, x, y, dy, dW.shape[:3], strides, dilation, before, activation, blocks, part, sums,
                gradients, scratch,
            )  # fmt: skip
    collect_share(0, 1, part, sums, dW, db, add)


@kernel("f5 f5 f5 f5 axes axes axes int f2 int", **PARALLEL)
def depthwise_inputs(W, y, dy, dx, strides, dilation, before, activation, scratch, threads):
    """dx = Σ dz W."""
    if threads == 1:
        depthwise_inputs_share(0, 1, W, y, dy, dx, strides, dilation, before, activation, scratch)
    else:
        for t in prange(threads):
            depthwise_inputs_share(t, threads, W, y, dy, dx, strides, dilation, before, activation, scratch)


def seen(of: Job, image: Shape, strides: Shape, empty: Empty) -> tuple[int, Array]:
    """Into how many blocks the rows of an image are cut that is made, and each thread's memory for what they meet."""
    deep, high, wide, _, channels = of.W
    row = ((image[3] - 1) * strides[2] + (wide - 1) * of.dilation[2] + 1) * channels
    blocks = of.blocks(image[2], deep * row * strides[1])
    rows = (-(-image[2] // blocks) - 1) * strides[1] + (high - 1) * of.dilation[1] + 1
    return blocks, empty((of.threads, deep * rows * row), FLOAT32)


def forward(of: Job, x: Array, W: Array, b: Array, activation: int, out: Array, empty: Empty) -> None:
    """out = f(x * W + b); b may be empty."""
    blocks, scratch = seen(of, of.out, of.strides, empty)
    compiled.depthwise(
        compiled.slides, x, x, LINEAR, W, b, out, *of.window[:3], activation, blocks, scratch, of.threads
    )  # fmt: skip


def inference(
    of: Job, x: Array, W: Array, b: Array, activation: int, out: Array, empty: Empty, derived: Derived
) -> None:
    """The same: the weights lie as they are needed."""
    forward(of, x, W, b, activation, out, empty)


def weights(
    of: Job, x: Array, y: Array, dy: Array, dW: Array, db: Array, activation: int, add: bool, empty: Empty
) -> None:
    """dW (+)= Σ x dz, db (+)= Σ dz where it is not empty, dz = dy f'(y)."""
    columns, filters = of.out[3:]
    blocks, scratch = seen(of, of.out, of.strides, empty)
    compiled.depthwise_weights(
        compiled.slides, x, y, dy, dW, db, *of.window[:3], activation, add, blocks,
        empty((of.threads, dW.size + TAPS * filters), FLOAT32), empty((of.threads, filters), np.dtype(np.float64)),
        empty((of.threads, columns * filters), FLOAT32), scratch, of.threads,
    )  # fmt: skip


def inputs(of: Job, W: Array, y: Array, dy: Array, dx: Array, activation: int, empty: Empty) -> None:
    """dx = Σ dz W, dz = dy f'(y): without strides dz meets the filters turned over."""
    if of.strides != (1, 1, 1):
        columns, filters = of.out[3:]
        compiled.depthwise_inputs(
            W, y, dy, dx, *of.window[:3], activation, empty((of.threads, columns * filters), FLOAT32), of.threads
        )
        return
    blocks, scratch = seen(of, of.x, of.strides, empty)
    turned = empty(of.W, FLOAT32)
    turned[...] = W[::-1, ::-1, ::-1]
    reach = tuple((n - 1) * d - p for n, d, p in zip(of.W[:3], of.dilation, of.before, strict=True))
    compiled.depthwise(
        compiled.slides, dy, y, activation, turned, NONE, dx, of.strides, of.dilation, reach, LINEAR, blocks, scratch,
        of.threads,
    )  # fmt: skip
