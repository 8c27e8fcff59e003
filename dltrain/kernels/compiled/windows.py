# mypy: disallow-untyped-defs=False, disallow-incomplete-defs=False
"""The loops of pooling: every row of pixels of a result is made while it is in the cache, the rows are dealt out.

So the backward passes gather: a row of dx asks all windows that touch it, and no two threads write one number.
"""

from __future__ import annotations

import numpy as np
from numba import njit, prange

from dltrain.kernels.compiled.across import chosen
from dltrain.kernels.compiled.gemm import ceil
from dltrain.kernels.compiled.jit import INNER, PARALLEL, PLAIN, kernel
from dltrain.kernels.compiled.lines import IMAGE, PLACES, line
from dltrain.kernels.compiled.pointwise import F
from dltrain.kernels.compiled.tile import LANES

SMALL = 64  # points of a window whose sum in float32 is exact to a few millionths
WINDOW = "UniTuple(int64,9)"  # sizes, strides and points before the image, of three axes


@njit(inline="always")
def inside(o, size, stride, before, extent):
    """(first, past the last) of the points of window o that lie in the image."""
    start = o * stride - before
    return max(0, -start), min(size, extent - start)


@njit(inline="always")
def around(h, size, stride, before, count):
    """(first, past the last) of the windows that a point lies in."""
    return max(0, (h + before - size + stride) // stride), min(count, (h + before) // stride + 1)


@njit(**INNER, **PLAIN)
def take_first(v, out):
    """out = v."""
    for c in range(out.size):
        out[c] = v[c]


@njit(**INNER, **PLAIN)
def take_larger(v, point, out, number):
    """out = max(out, v), and the number of the point where v is larger."""
    for c in range(out.size):
        takes = (v[c] > out[c]) | ((v[c] != v[c]) & (out[c] == out[c]))
        out[c] = v[c] if takes else out[c]
        number[c] = point if takes else number[c]


@njit(**INNER, **PLAIN)
def take_larger_only(v, out):
    """out = max(out, v)."""
    for c in range(out.size):
        takes = (v[c] > out[c]) | ((v[c] != v[c]) & (out[c] == out[c]))
        out[c] = v[c] if takes else out[c]


@njit(**INNER, **PLAIN)
def max_lines(x, out, index, window, r0, r1):
    """Some rows of `max_image`."""
    KD, KH, KW, sd, sh, sw, pd, ph, pw = window
    _, D, H, W, C = x.shape
    _, OD, OH, OW, _ = out.shape
    for r in range(r0, r1):
        n, od, oh = r // (OD * OH), r // OH % OD, r % OH
        y = line(out, n, od, oh)
        number = line(index, n, od, oh) if index.size else np.empty(0, np.int32)
        d0, d1 = inside(od, KD, sd, pd, D)
        h0, h1 = inside(oh, KH, sh, ph, H)
        for kd in range(d0, d1):
            for kh in range(h0, h1):
                row = line(x, n, od * sd - pd + kd, oh * sh - ph + kh)
                for ow in range(OW):
                    w0, w1 = inside(ow, KW, sw, pw, W)
                    o = y[ow * C : (ow + 1) * C]
                    for kw in range(w0, w1):
                        w = ow * sw - pw + kw
                        v = row[w * C : (w + 1) * C]
                        point = np.int32((kd * KH + kh) * KW + kw)
                        if kd == d0 and kh == h0 and kw == w0:
                            take_first(v, o)
                            if index.size:
                                number[ow * C : (ow + 1) * C] = point
                        elif index.size:
                            take_larger(v, point, o, number[ow * C : (ow + 1) * C])
                        else:
                            take_larger_only(v, o)


@kernel(f"{IMAGE} {IMAGE} {PLACES} {WINDOW} int", **PARALLEL)
def max_image(x, out, index, window, threads):
    """See `reference.max_pool`, for images (N, D, H, W, C); index may be empty."""
    rows = out.shape[0] * out.shape[1] * out.shape[2]
    if threads == 1:
        max_lines(x, out, index, window, 0, rows)
    else:
        for t in prange(threads):
            max_lines(x, out, index, window, t * rows // threads, (t + 1) * rows // threads)


@njit(**INNER, **PLAIN)
def copy_line(v, out):
    """out = v."""
    for c in range(out.size):
        out[c] = v[c]


@njit(**INNER, **PLAIN)
def scale_line(v, scale, out):
    """out = scale v."""
    for c in range(out.size):
        out[c] = scale * v[c]


@njit(**INNER, **PLAIN)
def add_line(v, scale, out):
    """out += scale v."""
    for c in range(out.size):
        out[c] += scale * v[c]


@njit(**INNER)
def chosen_lines(table, dy, index, dx, window, r0, r1):
    """Some rows of `max_gradient`, for channels that do not fill a vector."""
    KD, KH, KW, sd, sh, sw, pd, ph, pw = window
    _, D, H, W, C = dx.shape
    _, OD, OH, OW, _ = dy.shape
    count, lead = ceil(W + pw, sw), ceil(KW, sw) * C
    size = lead + max(OW, count) * C + LANES
    g, number = np.zeros(size, np.float32), np.full(size, -1, np.int32)
    x = np.empty(count * sw * C + LANES, np.float32)
    for r in range(r0, r1):
        n, d, h = r // (D * H), r // H % D, r % H
        to = line(dx, n, d, h)
        d0, d1 = around(d, KD, sd, pd, OD)
        h0, h1 = around(h, KH, sh, ph, OH)
        if (d1 - d0) * (h1 - h0) != 1:
            to[:] = F(0)
        for od in range(d0, d1):
            for oh in range(h0, h1):
                copy_line(line(dy, n, od, oh), g[lead : lead + OW * C])
                copy_line(line(index, n, od, oh), number[lead : lead + OW * C])
                first = ((d - od * sd + pd) * KH + (h - oh * sh + ph)) * KW
                chosen(
                    table, count, g.ctypes.data + 4 * lead, number.ctypes.data + 4 * lead, first, sw, KW, C,
                    x.ctypes.data,
                )  # fmt: skip
                if (d1 - d0) * (h1 - h0) == 1:
                    copy_line(x[pw * C :], to)
                else:
                    add_line(x[pw * C :], F(1), to)


@njit(**INNER, **PLAIN)
def add_chosen(g, number, point, out):
    """out += g where this point was chosen."""
    for c in range(out.size):
        out[c] += g[c] if number[c] == point else F(0)


@njit(**INNER, **PLAIN)
def scatter_lines(dy, index, dx, window, r0, r1):
    """Some rows of `max_gradient`."""
    KD, KH, KW, sd, sh, sw, pd, ph, pw = window
    _, D, H, W, C = dx.shape
    _, OD, OH, OW, _ = dy.shape
    for r in range(r0, r1):
        n, d, h = r // (D * H), r // H % D, r % H
        x = line(dx, n, d, h)
        x[:] = F(0)
        d0, d1 = around(d, KD, sd, pd, OD)
        h0, h1 = around(h, KH, sh, ph, OH)
        for od in range(d0, d1):
            for oh in range(h0, h1):
                g, number = line(dy, n, od, oh), line(index, n, od, oh)
                first = ((d - od * sd + pd) * KH + (h - oh * sh + ph)) * KW
                for ow in range(OW):
                    w0, w1 = inside(ow, KW, sw, pw, W)
                    for kw in range(w0, w1):
                        w, o = ow * sw - pw + kw, slice(ow * C, (ow + 1) * C)
                        add_chosen(g[o], number[o], np.int32(first + kw), x[w * C : (w + 1) * C])


@njit(**INNER)
def gradient_lines(table, dy, index, dx, window, r0, r1):
    """Some rows of `max_gradient`, by what suits the channels."""
    if dx.shape[4] < LANES:
        chosen_lines(table, dy, index, dx, window, r0, r1)
    else:
        scatter_lines(dy, index, dx, window, r0, r1)


@kernel(f"int {IMAGE} {PLACES} {IMAGE} {WINDOW} int", **PARALLEL)
def max_gradient(table, dy, index, dx, window, threads):
    """See `reference.max_pool_backward`, for images (N, D, H, W, C)."""
    rows = dx.shape[0] * dx.shape[1] * dx.shape[2]
    if threads == 1:
        gradient_lines(table, dy, index, dx, window, 0, rows)
    else:
        for t in prange(threads):
            gradient_lines(table, dy, index, dx, window, t * rows // threads, (t + 1) * rows // threads)


@njit(**INNER, **PLAIN)
def take_chosen(v, number, point, out):
    """out = v where this point was chosen."""
    for c in range(out.size):
        out[c] = v[c] if number[c] == point else out[c]


@njit(**INNER, **PLAIN)
def pick_lines(x, index, out, window, r0, r1):
    """Some rows of `pick_image`."""
    KD, KH, KW, sd, sh, sw, pd, ph, pw = window
    _, D, H, W, C = x.shape
    _, OD, OH, OW, _ = out.shape
    for r in range(r0, r1):
        n, od, oh = r // (OD * OH), r // OH % OD, r % OH
        y, number = line(out, n, od, oh), line(index, n, od, oh)
        y[:] = F(0)
        d0, d1 = inside(od, KD, sd, pd, D)
        h0, h1 = inside(oh, KH, sh, ph, H)
        for kd in range(d0, d1):
            for kh in range(h0, h1):
                row = line(x, n, od * sd - pd + kd, oh * sh - ph + kh)
                for ow in range(OW):
                    w0, w1 = inside(ow, KW, sw, pw, W)
                    for kw in range(w0, w1):
                        w, o = ow * sw - pw + kw, slice(ow * C, (ow + 1) * C)
                        point = np.int32((kd * KH + kh) * KW + kw)
                        take_chosen(row[w * C : (w + 1) * C], number[o], point, y[o])


@kernel(f"{IMAGE} {PLACES} {IMAGE} {WINDOW} int", **PARALLEL)
def pick_image(x, index, out, window, threads):
    """See `reference.pick`, for images (N, D, H, W, C)."""
    rows = out.shape[0] * out.shape[1] * out.shape[2]
    if threads == 1:
        pick_lines(x, index, out, window, 0, rows)
    else:
        for t in prange(threads):
            pick_lines(x, index, out, window, t * rows // threads, (t + 1) * rows // threads)
