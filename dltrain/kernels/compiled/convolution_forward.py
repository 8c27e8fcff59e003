# mypy: disallow-untyped-defs=False, disallow-incomplete-defs=False
"""The forward pass of a convolution on the register tile, in one parallel region for panels and one for pixels."""

from __future__ import annotations

import numpy as np
from numba import njit, prange

from dltrain.kernels.compiled.convolution_tiles import Extent, Pixels, Taps, correlate, gather
from dltrain.kernels.compiled.gemm import ceil
from dltrain.kernels.compiled.jit import INNER, OPTIONS, PARALLEL, kernel
from dltrain.kernels.compiled.pointwise import activate
from dltrain.kernels.compiled.routines import pack_rows
from dltrain.kernels.compiled.tile import RELU, WIDTH


@njit(**INNER)
def planes(first, step, extent, taps):
    """The taps (from, to) along the first axis that meet the image; at least one, which may lie outside."""
    low = max(0, ceil(-first, step))
    high = min(taps, (extent - 1 - first) // step + 1)
    return (low, high) if low < high else (0, 1)


@njit(**INNER)
def pack_share(tile, t, threads, W, groups, panels):
    """The part of one thread of panels (groups · ⌈O/groups/WIDTH⌉, KD·KH·KW·C, WIDTH) = W."""
    O = W.shape[4]
    terms, filters = panels.shape[1], O // groups
    each = ceil(filters, WIDTH)
    for q in range(t * len(panels) // threads, (t + 1) * len(panels) // threads):
        j = q % each * WIDTH
        source = W.ctypes.data + 4 * (q // each * filters + j)
        pack_rows(tile, source, O, terms, filters - j, panels[q].ctypes.data)


@njit(**INNER)
def forward_share(
    tile, t, threads, x, sizes, panels, b, out, strides, dilation, before, groups, activation, blocks, bunch, scratch
):
    """The part of one thread of out = f(x * W + b): some blocks of rows of a plane, or some whole small planes."""
    N, OD, OH, OW, O = out.shape
    KD, KH, KW = sizes
    H, W, C = x.shape[2:]
    channels, filters = C // groups, O // groups
    terms, each = KH * KW * channels, len(panels) // groups
    columns = (OW - 1) * strides[2] + (KW - 1) * dilation[2] + 1
    pixels, own = out.reshape((N * OD * OH * OW, O)), scratch[t]
    bias = np.int64(b.ctypes.data) if b.size else 0  # a signed number, as addresses are computed with
    bunches = ceil(N * OD, bunch)
    for task in range(t * bunches * blocks // threads, (t + 1) * bunches * blocks // threads):
        plane, block = task // blocks * bunch, task % blocks
        r0, r1 = OH * block // blocks, OH * (block + 1) // blocks
        extent = Extent(min(bunch, N * OD - plane), r1 - r0, OW)
        pixel = (plane * OH + r0) * OW
        first = r0 * strides[1] - before[1]
        rows = (r1 - r0 - 1) * strides[1] + (KH - 1) * dilation[1] + 1
        inside = groups == 1 and before[2] == 0 and columns <= W and first >= 0 and first + rows <= H and KD == 1
        low, high = planes(plane % OD * strides[0] - before[0], dilation[0], x.shape[1], KD)
        for g in range(groups if r0 < r1 else 0):
            c = Pixels(out.ctypes.data + 4 * (pixel * O + g * filters), O, OW * O, OH * OW * O)
            for k in range(low, high):
                if inside and bunch == 1:  # nothing reaches beyond the image: it is read where it lies
                    d = plane // OD * x.shape[1] + plane % OD * strides[0]
                    at, line, skip = x.ctypes.data + 4 * (d * H + first) * W * C, W * C, 0
                else:
                    at, line, skip = own.ctypes.data, columns * channels, rows * columns * channels
                    for i in range(extent.planes):
                        n, d = (plane + i) // OD, (plane + i) % OD * strides[0] - before[0] + k * dilation[0]
                        gather(x, n, d, first, 1, -before[2], g * channels, own[i * skip :], rows, columns, channels)
                a = Pixels(at, strides[2] * channels, strides[1] * line, skip)
                begin = Pixels(bias + 4 * g * filters if bias else 0, 0, 0, 0)
                correlate(
                    tile, a, extent, Taps(KH, KW, dilation[1] * line, dilation[2] * channels, channels),
                    panels[g * each].ctypes.data + 4 * k * terms * WIDTH, KD * terms * WIDTH, each,
                    begin if k == low else c, c, filters, activation == RELU and k == high - 1,
                )  # fmt: skip
        activate(pixels, pixel, pixel + extent.planes * (r1 - r0) * OW, 0, O, activation)


@kernel("int f5 f5 f3 f1 f5 axes axes axes int int int int f2 int", **PARALLEL)
def convolve(
    tile, x, W, panels, b, out, strides, dilation, before, groups, activation, blocks, bunch, scratch, threads
):
    """out = f(x * W + b), each plane of out in `blocks` or `bunch` planes at once; panels and scratch are filled."""
    if threads == 1:
        pack_share(tile, 0, 1, W, groups, panels)
        forward_share(
            tile,
            0,
            1,
            x,
            W.shape[:3],
            panels,
            b,
            out,
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
            pack_share(tile, t, threads, W, groups, panels)
        for t in prange(threads):
            forward_share(
                tile, t, threads, x, W.shape[:3], panels, b, out, strides, dilation, before, groups, activation, blocks,
                bunch, scratch,
            )  # fmt: skip


@kernel("int f5 int f3", **OPTIONS)
def pack_kernel(tile, W, groups, panels):
    """panels = W, as `convolve_packed` takes them."""
    pack_share(tile, 0, 1, W, groups, panels)


@kernel("int f5 axes f3 f1 f5 axes axes axes int int int int f2 int", **PARALLEL)
def convolve_packed(
    tile, x, sizes, panels, b, out, strides, dilation, before, groups, activation, blocks, bunch, scratch, threads
):
    """out = f(x * W + b) for a W that is packed already."""
    if threads == 1:
        forward_share(
            tile, 0, 1, x, sizes, panels, b, out, strides, dilation, before, groups, activation, blocks, bunch, scratch
        )
    else:
        for t in prange(threads):
            forward_share(
                tile, t, threads, x, sizes, panels, b, out, strides, dilation, before, groups, activation, blocks,
                bunch, scratch,
            )  # fmt: skip
