# mypy: disallow-untyped-defs=False, disallow-incomplete-defs=False
"""Depthwise convolution, one filter for each channel: no matrix products, but sums of rows, channels side by side."""

from __future__ import annotations

import numpy as np
from numba import njit, prange

from dltrain.kernels.arrays import Array, Derived, Empty
from dltrain.kernels.compiled.convolution_backward import collect_share, damp
from dltrain.kernels.compiled.convolution_job import Job
from dltrain.kernels.compiled.gemm import ceil
from dltrain.kernels.compiled.jit import FLOAT32, INNER, PARALLEL, PLAIN, compiled, kernel
from dltrain.kernels.compiled.pointwise import activate
from dltrain.kernels.compiled.tile import LINEAR, RELU


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


@njit(**INNER, **PLAIN)
def add_sums(sums, a, a_step, dz, count):
    """sums += a[i] · dz[i] over `count` pixels."""
    C = sums.size
    for i in range(count):
        left, right = a[i * a_step : i * a_step + C], dz[i * C : i * C + C]
        for c in range(C):
            sums[c] += left[c] * right[c]


@njit(**INNER)
def source_row(plane, h, tap, x, out, strides, dilation, before):
    """The row of x, counted through all planes, that a row of the kernel meets from one of the output; -1 for none."""
    d = plane % out[1] * strides[0] - before[0] + tap[0] * dilation[0]
    i = h * strides[1] - before[1] + tap[1] * dilation[1]
    if d < 0 or d >= x[1] or i < 0 or i >= x[2]:
        return -1
    return (plane // out[1] * x[1] + d) * x[2] + i


@njit(**INNER, **PLAIN)
def depthwise_share(t, threads, x, W, b, out, strides, dilation, before, activation):
    """The part of one thread of out = f(x * W + b): some rows of the output."""
    N, OD, OH, OW, C = out.shape
    KD, KH, KW = W.shape[:3]
    X = x.shape[3]
    source, target, points = x.reshape(-1), out.reshape((N * OD * OH * OW, C)), W.reshape((KD * KH * KW, C))
    flat, lines = out.reshape(-1), N * OD * OH
    for line in range(t * lines // threads, (t + 1) * lines // threads):
        for w in range(line * OW, (line + 1) * OW):
            if b.size:
                target[w] = b
            else:
                target[w] = 0
        for k in range(KD * KH):
            row = source_row(line // OH, line % OH, (k // KH, k % KH), x.shape, out.shape, strides, dilation, before)
            for l in range(KW if row >= 0 else 0):
                low, high = within(l, dilation[2], before[2], strides[2], X, OW)
                at = (row * X + low * strides[2] - before[2] + l * dilation[2]) * C
                add_products(
                    flat[(line * OW + low) * C :], C, source[at:], strides[2] * C, points[k * KW + l], high - low
                )
        if activation == RELU:
            mine = flat[line * OW * C : (line + 1) * OW * C]
            for i in range(mine.size):
                mine[i] = np.float32(0) if mine[i] < 0 else mine[i]
        activate(target, line * OW, (line + 1) * OW, 0, C, activation)


@njit(**INNER)
def gradient_row(y, dy, line, activation, to):
    """to (OW, C) = dy f'(y) for a row of the output."""
    size = to.size
    to[:] = dy.reshape(-1)[line * size : (line + 1) * size]
    if activation != LINEAR:
        damp(to, y.reshape(-1)[line * size : (line + 1) * size], activation)


@njit(**INNER)
def depthwise_weights_share(t, threads, x, y, dy, sizes, strides, dilation, before, activation, part, sums, scratch):
    """The part of one thread: part[t] = Σ x dz and sums[t] = Σ dz over its rows of the output."""
    N, OD, OH, OW, C = dy.shape
    KD, KH, KW = sizes
    X, source = x.shape[3], x.reshape(-1)
    dz, points, total = scratch[t], part[t].reshape((KD * KH * KW, C)), np.empty(C, np.float32)
    part[t] = 0
    sums[t] = 0
    lines = N * OD * OH
    for line in range(t * lines // threads, (t + 1) * lines // threads):
        gradient_row(y, dy, line, activation, dz)
        total[:] = 0
        for w in range(OW):
            for c in range(C):
                total[c] += dz[w * C + c]
        for c in range(C):
            sums[t, c] += total[c]
        for k in range(KD * KH):
            row = source_row(line // OH, line % OH, (k // KH, k % KH), x.shape, dy.shape, strides, dilation, before)
            for l in range(KW if row >= 0 else 0):
                low, high = within(l, dilation[2], before[2], strides[2], X, OW)
                at = (row * X + low * strides[2] - before[2] + l * dilation[2]) * C
                add_sums(points[k * KW + l], source[at:], strides[2] * C, dz[low * C :], high - low)


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


@kernel("f5 f5 f1 f5 axes axes axes int int", **PARALLEL)
def depthwise(x, W, b, out, strides, dilation, before, activation, threads):
    """out = f(x * W + b), a filter for each channel."""
    if threads == 1:
        depthwise_share(0, 1, x, W, b, out, strides, dilation, before, activation)
    else:
        for t in prange(threads):
            depthwise_share(t, threads, x, W, b, out, strides, dilation, before, activation)


@kernel("f5 f5 f5 f5 f1 axes axes axes int bool f2 d2 f2 int", **PARALLEL)
def depthwise_weights(x, y, dy, dW, db, strides, dilation, before, activation, add, part, sums, scratch, threads):
    """dW (+)= Σ x dz, db (+)= Σ dz, where db is not empty."""
    if threads == 1:
        depthwise_weights_share(
            0, 1, x, y, dy, dW.shape[:3], strides, dilation, before, activation, part, sums, scratch
        )
    else:
        for t in prange(threads):
            depthwise_weights_share(
                t, threads, x, y, dy, dW.shape[:3], strides, dilation, before, activation, part, sums, scratch
            )
    collect_share(0, 1, part, sums, dW, db, add)


@kernel("f5 f5 f5 f5 axes axes axes int f2 int", **PARALLEL)
def depthwise_inputs(W, y, dy, dx, strides, dilation, before, activation, scratch, threads):
    """dx = Σ dz W."""
    if threads == 1:
        depthwise_inputs_share(0, 1, W, y, dy, dx, strides, dilation, before, activation, scratch)
    else:
        for t in prange(threads):
            depthwise_inputs_share(t, threads, W, y, dy, dx, strides, dilation, before, activation, scratch)


def forward(of: Job, x: Array, W: Array, b: Array, activation: int, out: Array, empty: Empty) -> None:
    """out = f(x * W + b); b may be empty."""
    compiled.depthwise(x, W, b, out, *of.window[:3], activation, of.threads)


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
    compiled.depthwise_weights(
        x, y, dy, dW, db, *of.window[:3], activation, add, empty((of.threads, dW.size), FLOAT32),
        empty((of.threads, filters), np.dtype(np.float64)), empty((of.threads, columns * filters), FLOAT32), of.threads,
    )  # fmt: skip


def inputs(of: Job, W: Array, y: Array, dy: Array, dx: Array, activation: int, empty: Empty) -> None:
    """dx = Σ dz W, dz = dy f'(y)."""
    columns, filters = of.out[3:]
    compiled.depthwise_inputs(
        W, y, dy, dx, *of.window[:3], activation, empty((of.threads, columns * filters), FLOAT32), of.threads
    )
