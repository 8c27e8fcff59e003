# mypy: disallow-untyped-defs=False, disallow-incomplete-defs=False
"""The forward pass of a convolution on the register tile, in one parallel region for panels and one for pixels."""

from __future__ import annotations

from numba import njit, prange

from dltrain.kernels.compiled.convolution_tiles import correlate, gather
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
    tile, t, threads, x, sizes, panels, b, out, strides, dilation, before, groups, activation, blocks, scratch
):
    """The part of one thread of out = f(x * W + b)."""
    N, OD, OH, OW, O = out.shape
    KD, KH, KW = sizes
    channels, filters = x.shape[4] // groups, O // groups
    terms, each = KH * KW * channels, len(panels) // groups
    columns = (OW - 1) * strides[2] + (KW - 1) * dilation[2] + 1
    pixels, own = out.reshape((N * OD * OH * OW, O)), scratch[t]
    bias = b.ctypes.data if b.size else 0
    for task in range(t * N * OD * blocks // threads, (t + 1) * N * OD * blocks // threads):
        plane, block = task // blocks, task % blocks
        r0, r1 = OH * block // blocks, OH * (block + 1) // blocks
        n, d = plane // OD, plane % OD * strides[0] - before[0]
        pixel = (plane * OH + r0) * OW
        rows = (r1 - r0 - 1) * strides[1] + (KH - 1) * dilation[1] + 1
        low, high = planes(d, dilation[0], x.shape[1], KD)
        for g in range(groups if r0 < r1 else 0):
            c = out.ctypes.data + 4 * (pixel * O + g * filters)
            for k in range(low, high):
                gather(
                    x, n, d + k * dilation[0], r0 * strides[1] - before[1], 1, -before[2], g * channels, own,
                    rows, columns, channels,
                )  # fmt: skip
                start = (bias + 4 * g * filters if bias else 0) if k == low else c
                correlate(
                    tile, own.ctypes.data, strides[2] * channels, strides[1] * columns * channels,
                    panels[g * each].ctypes.data + 4 * k * terms * WIDTH, KD * terms * WIDTH, each,
                    start, 0 if k == low else O, 0 if k == low else OW * O, c, O, OW * O, r1 - r0, OW,
                    KH, KW, dilation[1] * columns * channels, dilation[2] * channels, channels,
                    filters, activation == RELU and k == high - 1,
                )  # fmt: skip
        activate(pixels, pixel, pixel + (r1 - r0) * OW, 0, O, activation)


@kernel("int f5 f5 f3 f1 f5 axes axes axes int int int f2 int", **PARALLEL)
def convolve(tile, x, W, panels, b, out, strides, dilation, before, groups, activation, blocks, scratch, threads):
    """out = f(x * W + b), each plane of out in `blocks`; panels and scratch are filled."""
    if threads == 1:
        pack_share(tile, 0, 1, W, groups, panels)
        forward_share(
            tile, 0, 1, x, W.shape[:3], panels, b, out, strides, dilation, before, groups, activation, blocks, scratch
        )
    else:
        for t in prange(threads):
            pack_share(tile, t, threads, W, groups, panels)
        for t in prange(threads):
            forward_share(
                tile, t, threads, x, W.shape[:3], panels, b, out, strides, dilation, before, groups, activation, blocks,
                scratch,
            )  # fmt: skip


@kernel("int f5 int f3", **OPTIONS)
def pack_kernel(tile, W, groups, panels):
    """panels = W, as `convolve_packed` takes them."""
    pack_share(tile, 0, 1, W, groups, panels)


@kernel("int f5 axes f3 f1 f5 axes axes axes int int int f2 int", **PARALLEL)
def convolve_packed(
    tile, x, sizes, panels, b, out, strides, dilation, before, groups, activation, blocks, scratch, threads
):
    """out = f(x * W + b) for a W that is packed already."""
    if threads == 1:
        forward_share(
            tile, 0, 1, x, sizes, panels, b, out, strides, dilation, before, groups, activation, blocks, scratch
        )
    else:
        for t in prange(threads):
            forward_share(
                tile,
                t,
                threads,
                x,
                sizes,
                panels,
                b,
                out,
                strides,
                dilation,
                before,
                groups,
                activation,
                blocks,
                scratch,
            )
