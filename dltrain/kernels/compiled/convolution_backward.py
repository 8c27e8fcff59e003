# mypy: disallow-untyped-defs=False, disallow-incomplete-defs=False
"""The backward passes of a convolution on the register tile: to the weights and to the data."""

from __future__ import annotations

import numpy as np
from numba import njit, prange

from dltrain.kernels.compiled.convolution_tiles import Extent, Pixels, Taps, collect_sums, correlate, gather, run
from dltrain.kernels.compiled.gemm import ceil
from dltrain.kernels.compiled.jit import INNER, PARALLEL, PLAIN, kernel
from dltrain.kernels.compiled.routines import pack_columns, pack_gradient
from dltrain.kernels.compiled.tile import LINEAR, RELU, TANH, WIDTH


@njit(**INNER)
def gather_lines(x, out, line, count, strides, before, tap, left, channel, to, columns, channels):
    """The rows of x that one row of the kernel meets from some rows of the output, counted through all its planes."""
    OD, OH = out[1], out[2]
    done = 0
    while done < count:
        plane, h = (line + done) // OH, (line + done) % OH
        rows = min(OH - h, count - done)
        gather(
            x, plane // OD, plane % OD * strides[0] - before[0] + tap[0], h * strides[1] - before[1] + tap[1],
            strides[1], left, channel, to[done * columns * channels :], rows, columns, channels,
        )  # fmt: skip
        done += rows


@njit(**INNER)
def weights_share(
    tile, t, threads, x, y, dy, sizes, strides, dilation, before, groups, activation, lines, part, sums, seen, dz
):
    """The part of one thread: part[t] = Σ xᵀ dz and sums[t] = Σ dz, dz = dy f'(y), over its rows of the output."""
    N, OD, OH, OW, O = dy.shape
    KD, KH, KW = sizes
    channels, filters = x.shape[4] // groups, O // groups
    columns = (OW - 1) * strides[2] + (KW - 1) * dilation[2] + 1
    near = dilation[2] == 1 or KW == 1
    wide, apart = (1, KW * channels) if near else (KW, channels)
    own, panel, total = seen[t], dz[t].ctypes.data, np.empty(WIDTH, np.float32)
    part[t] = 0
    sums[t] = 0
    chunks = ceil(N * OD * OH, lines)
    for chunk in range(t * chunks // threads, (t + 1) * chunks // threads):
        line = chunk * lines
        rows = min(lines, N * OD * OH - line)
        for g in range(groups):
            for j in range(0, filters, WIDTH):
                at = 4 * (line * OW * O + g * filters + j)
                pack_gradient(
                    tile, dy.ctypes.data + at, y.ctypes.data + at, O, rows * OW, filters - j, activation,
                    panel + 4 * j * lines * OW, total.ctypes.data,
                )  # fmt: skip
                for i in range(min(WIDTH, filters - j)):
                    sums[t, g * filters + j + i] += total[i]
            for tap in range(KD * KH):
                k = (tap // KH * dilation[0], tap % KH * dilation[1])
                gather_lines(
                    x, dy.shape, line, rows, strides, before, k, -before[2], g * channels, own, columns, channels
                )
                for w in range(wide):
                    c = part[t].ctypes.data + 4 * ((tap * KW + w) * channels * O + g * filters)
                    run(
                        tile, own.ctypes.data + 4 * w * dilation[2] * channels, 1, strides[2] * channels,
                        columns * channels, panel, WIDTH, OW * WIDTH, lines * OW * WIDTH, ceil(filters, WIDTH),
                        c, O, c, O, apart, OW, rows, filters, 0,
                    )  # fmt: skip


@njit(**INNER, **PLAIN)
def collect_share(t, threads, part, sums, dW, db, add):
    """The part of one thread of dW (+)= Σ part and db (+)= Σ sums."""
    into = dW.reshape(-1)
    low, high = t * into.size // threads, (t + 1) * into.size // threads
    mine = into[low:high]
    if not add:
        mine[:] = part[0, low:high]
    for other in range(0 if add else 1, len(part)):
        from_ = part[other, low:high]
        for i in range(mine.size):
            mine[i] += from_[i]
    if t == 0:
        collect_sums(sums, db, add)


@kernel("int f5 f5 f5 f5 f1 axes axes axes int int bool int f2 d2 f2 f2 int", **PARALLEL)
def convolve_weights(
    tile, x, y, dy, dW, db, strides, dilation, before, groups, activation, add, lines, part, sums, seen, dz, threads
):
    """dW (+)= Σ xᵀ dz, db (+)= Σ dz, where db is not empty; `lines` rows of the output at once."""
    if threads == 1:
        weights_share(
            tile,
            0,
            1,
            x,
            y,
            dy,
            dW.shape[:3],
            strides,
            dilation,
            before,
            groups,
            activation,
            lines,
            part,
            sums,
            seen,
            dz,
        )
        collect_share(0, 1, part, sums, dW, db, add)
    else:
        for t in prange(threads):
            weights_share(
                tile, t, threads, x, y, dy, dW.shape[:3], strides, dilation, before, groups, activation, lines, part,
                sums, seen, dz,
            )  # fmt: skip
        for t in prange(threads):
            collect_share(t, threads, part, sums, dW, db, add)


@njit(**INNER)
def phase(r, stride, dilation, before, taps):
    """The points of the kernel that reach the image's points r, r + stride, … along one axis.

    They are (count, last, by, first, apart): number m of them is last - m · by, and meets dy at t + first + m · apart
    for the image's point r + t · stride.
    """
    count, low, high = 0, 0, 0
    for i in range(taps):
        if (r + before - i * dilation) % stride == 0:
            low, high = (i if count == 0 else low), i
            count += 1
    by = (high - low) // (count - 1) if count > 1 else 1
    return count, high, by, (r + before - high * dilation) // stride, by * dilation // stride


@njit(**INNER)
def pack_turned_share(tile, t, threads, W, strides, dilation, before, groups, panels):
    """The part of one thread of W, turned over, in panels: (groups · ⌈C/WIDTH⌉, KD·KH·KW·O/groups + WIDTH, WIDTH).

    For each pair of phases the points that belong to it lie one below the other, each with its filters.
    """
    KD, KH, KW, channels, O = W.shape
    filters, each = O // groups, ceil(channels, WIDTH)
    for q in range(t * len(panels) // threads, (t + 1) * len(panels) // threads):
        j, to = q % each * WIDTH, panels[q].ctypes.data
        for d in range(KD):
            for r in range(strides[1] * strides[2]):
                m, last_h, by_h, _, _ = phase(r // strides[2], strides[1], dilation[1], before[1], KH)
                n, last_w, by_w, _, _ = phase(r % strides[2], strides[2], dilation[2], before[2], KW)
                for point in range(m * n):
                    k, l = last_h - point // n * by_h, last_w - point % n * by_w
                    at = (((d * KH + k) * KW + l) * channels + j) * O + q // each * filters
                    pack_columns(tile, W.ctypes.data + 4 * at, O, filters, channels - j, to)
                    to += 4 * filters * WIDTH


@njit(**INNER, **PLAIN)
def damp(z, y, activation):
    """z = z f'(y)."""
    if activation == RELU:
        for i in range(z.size):
            z[i] = np.float32(0) if y[i] <= 0 else z[i]
    elif activation == TANH:
        for i in range(z.size):
            z[i] *= np.float32(1) - y[i] * y[i]
    else:
        for i in range(z.size):
            z[i] *= y[i] * (np.float32(1) - y[i])


@njit(**INNER)
def damp_gathered(y, n, d, first, left, channel, to, rows, columns, channels, activation):
    """to (rows, columns, channels), gathered from dy, times f'(y)."""
    D, H, W, C = y.shape[1:]
    source = y.reshape(-1)
    w0 = min(columns, max(0, -left))
    w1 = max(w0, min(columns, W - left))
    for i in range(max(0, -first), min(rows, H - first)):
        at = (((n * D + d) * H + first + i) * W + left + w0) * C + channel
        start = (i * columns + w0) * channels
        if channels == C:
            size = (w1 - w0) * C
            damp(to[start : start + size], source[at : at + size], activation)
        else:
            for w in range(w1 - w0):
                to_w, at_w = start + w * channels, at + w * C
                damp(to[to_w : to_w + channels], source[at_w : at_w + channels], activation)


@njit(**INNER)
def clear(dx, plane, r0, step_h, r1, w0, step_w, channel, channels):
    """dx = 0 at some rows and columns of a plane."""
    W, C = dx.shape[3:]
    into = dx.reshape(-1)
    for h in range(r0, r1, step_h):
        for w in range(w0, W, step_w):
            at = ((plane * dx.shape[2] + h) * W + w) * C + channel
            into[at : at + channels] = 0


@njit(**INNER)
def inputs_share(
    tile, t, threads, sizes, y, dy, panels, dx, strides, dilation, before, groups, activation, blocks, bunch, scratch
):
    """The part of one thread of dx = Σ dz Wᵀ, dz = dy f'(y): some blocks of a plane of dx, or some small planes."""
    N, D, H, W, C = dx.shape
    OD = dy.shape[1]
    (KD, KH, KW), (_, sh, sw) = sizes, strides
    channels, filters = C // groups, dy.shape[4] // groups
    each, own = len(panels) // groups, scratch[t]
    left = (before[2] - (KW - 1) * dilation[2]) // sw
    columns = (W - 1 + before[2]) // sw - left + 1
    bunches = ceil(N * D, bunch)
    for task in range(t * bunches * blocks // threads, (t + 1) * bunches * blocks // threads):
        plane, block = task // blocks * bunch, task % blocks
        r0, r1 = H * block // blocks, H * (block + 1) // blocks
        count = min(bunch, N * D - plane) if r0 < r1 else 0
        first = (r0 + before[1] - (KH - 1) * dilation[1]) // sh
        rows = (r1 - 1 + before[1]) // sh - first + 1
        skip, begun = rows * columns * filters, False
        for k in range(KD if count else 0):
            z = plane % D + before[0] - k * dilation[0]
            if bunch == 1 and (z % strides[0] or not 0 <= z // strides[0] < OD):
                continue
            for g in range(groups):
                for i in range(count):
                    n, d = (plane + i) // D, ((plane + i) % D + before[0] - k * dilation[0]) // strides[0]
                    to = own[i * skip :]
                    gather(dy, n, d, first, 1, left, g * filters, to, rows, columns, filters)
                    if activation != LINEAR:
                        damp_gathered(y, n, d, first, left, g * filters, to, rows, columns, filters, activation)
                terms = k * KH * KW * filters
                for r in range(sh * sw):
                    rh, rw = r // sw, r % sw
                    high, _, _, at_h, apart_h = phase(rh, sh, dilation[1], before[1], KH)
                    wide, _, _, at_w, apart_w = phase(rw, sw, dilation[2], before[2], KW)
                    t0 = ceil(r0 - rh, sh)
                    extent = Extent(count, ceil(r1 - rh, sh) - t0, ceil(W - rw, sw))
                    h = rh + t0 * sh
                    if extent.rows > 0 and extent.length > 0 and high * wide > 0:
                        at = ((plane * H + h) * W + rw) * C + g * channels
                        c = Pixels(dx.ctypes.data + 4 * at, sw * C, sh * W * C, H * W * C)
                        at = ((t0 + at_h - first) * columns + at_w - left) * filters
                        correlate(
                            tile, Pixels(own.ctypes.data + 4 * at, filters, columns * filters, skip), extent,
                            Taps(high, wide, apart_h * columns * filters, apart_w * filters, filters),
                            panels[g * each].ctypes.data + 4 * terms * WIDTH, panels.shape[1] * WIDTH, each,
                            c if begun else Pixels(0, 0, 0, 0), c, channels, 0,
                        )  # fmt: skip
                    elif extent.rows > 0 and not begun:
                        for i in range(count):
                            clear(dx, plane + i, h, sh, r1, rw, sw, g * channels, channels)
                    terms += high * wide * filters
            begun = True
        if not begun:
            for i in range(count):
                clear(dx, plane + i, r0, 1, r1, 0, 1, 0, C)


@kernel("int f5 f5 f5 f3 f5 axes axes axes int int int int f2 int", **PARALLEL)
def convolve_inputs(
    tile, W, y, dy, panels, dx, strides, dilation, before, groups, activation, blocks, bunch, scratch, threads
):
    """dx = Σ dz Wᵀ, each plane of dx in `blocks` or `bunch` at once; panels and scratch are filled."""
    if threads == 1:
        pack_turned_share(tile, 0, 1, W, strides, dilation, before, groups, panels)
        inputs_share(
            tile,
            0,
            1,
            W.shape[:3],
            y,
            dy,
            panels,
            dx,
            strides,
            dilation,
            before,
            groups,
            activation,
            blocks,
            bunch,
            scratch,
        )
    else:
        for t in prange(threads):
            pack_turned_share(tile, t, threads, W, strides, dilation, before, groups, panels)
        for t in prange(threads):
            inputs_share(
                tile, t, threads, W.shape[:3], y, dy, panels, dx, strides, dilation, before, groups, activation, blocks,
                bunch, scratch,
            )  # fmt: skip
