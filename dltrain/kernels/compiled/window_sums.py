# mypy: disallow-untyped-defs=False, disallow-incomplete-defs=False
"""Sums over windows, for average and Lᵖ pooling: down all columns of the windows in one line, then across that line."""

from __future__ import annotations

import numpy as np
from numba import njit, prange

from dltrain.kernels.compiled.across import collect
from dltrain.kernels.compiled.jit import INNER, PARALLEL, PLAIN, kernel
from dltrain.kernels.compiled.lines import IMAGE, line
from dltrain.kernels.compiled.pointwise import F
from dltrain.kernels.compiled.tile import LANES
from dltrain.kernels.compiled.windows import SMALL, WINDOW, add_line, around, copy_line, inside, scale_line


@njit(**INNER, **PLAIN)
def add_wide(v, out):
    """out += v, out being float64."""
    for c in range(out.size):
        out[c] += v[c]


@njit(**INNER, **PLAIN)
def wide_sums(x, out, ad, ah, aw, window, r0, r1):
    """`sum_lines` for large windows, whose sums are taken in float64."""
    KD, KH, KW, sd, sh, sw, pd, ph, pw = window
    _, D, H, W, C = x.shape
    _, OD, OH, OW, _ = out.shape
    total = np.empty(OW * C, np.float64)
    for r in range(r0, r1):
        n, od, oh = r // (OD * OH), r // OH % OD, r % OH
        total[:] = 0.0
        d0, d1 = inside(od, KD, sd, pd, D)
        h0, h1 = inside(oh, KH, sh, ph, H)
        for kd in range(d0, d1):
            for kh in range(h0, h1):
                row = line(x, n, od * sd - pd + kd, oh * sh - ph + kh)
                for ow in range(OW):
                    w0, w1 = inside(ow, KW, sw, pw, W)
                    for w in range(ow * sw - pw + w0, ow * sw - pw + w1):
                        add_wide(row[w * C : (w + 1) * C], total[ow * C : (ow + 1) * C])
        y = line(out, n, od, oh)
        for ow in range(OW):
            scale = ad[od] * ah[oh] * aw[ow]
            for j in range(ow * C, (ow + 1) * C):
                y[j] = F(total[j]) * scale


@njit(**INNER)
def sum_lines(table, x, out, ad, ah, aw, window, r0, r1):
    """Some rows of `sum_image`."""
    KD, KH, KW, sd, sh, sw, pd, ph, pw = window
    if KD * KH * KW > SMALL:
        wide_sums(x, out, ad, ah, aw, window, r0, r1)
        return
    _, D, H, W, C = x.shape
    _, OD, OH, OW, _ = out.shape
    down = np.zeros(max(pw + W, (OW - 1) * sw + KW) * C + LANES, np.float32)
    y = np.empty(OW * C + LANES, np.float32)
    inner = down[pw * C : (pw + W) * C]
    for r in range(r0, r1):
        n, od, oh = r // (OD * OH), r // OH % OD, r % OH
        d0, d1 = inside(od, KD, sd, pd, D)
        h0, h1 = inside(oh, KH, sh, ph, H)
        if d0 >= d1 or h0 >= h1:
            inner[:] = F(0)
        for kd in range(d0, d1):
            for kh in range(h0, h1):
                row, scale = line(x, n, od * sd - pd + kd, oh * sh - ph + kh), ad[od] * ah[oh]
                if kd == d0 and kh == h0:
                    scale_line(row, scale, inner)
                else:
                    add_line(row, scale, inner)
        collect(table, OW, down.ctypes.data, sw, KW, C, aw.ctypes.data, y.ctypes.data)
        copy_line(y, line(out, n, od, oh))


@kernel(f"int {IMAGE} {IMAGE} f1 f1 f1 {WINDOW} int", **PARALLEL)
def sum_image(table, x, out, ad, ah, aw, window, threads):
    """See `reference.sum_pool`, for images (N, D, H, W, C) and a vector of scales for each axis."""
    rows = out.shape[0] * out.shape[1] * out.shape[2]
    if threads == 1:
        sum_lines(table, x, out, ad, ah, aw, window, 0, rows)
    else:
        for t in prange(threads):
            sum_lines(table, x, out, ad, ah, aw, window, t * rows // threads, (t + 1) * rows // threads)


@njit(**INNER, **PLAIN)
def add_scaled(v, scale, out):
    """out += scale v."""
    for c in range(out.size):
        out[c] += scale * v[c]


@njit(**INNER, **PLAIN)
def spread_lines(dy, dx, ad, ah, aw, window, r0, r1):
    """Some rows of `sum_gradient`."""
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
                g = line(dy, n, od, oh)
                for ow in range(OW):
                    w0, w1 = inside(ow, KW, sw, pw, W)
                    scale = ad[od] * ah[oh] * aw[ow]
                    for w in range(ow * sw - pw + w0, ow * sw - pw + w1):
                        add_scaled(g[ow * C : (ow + 1) * C], scale, x[w * C : (w + 1) * C])


@kernel(f"{IMAGE} {IMAGE} f1 f1 f1 {WINDOW} int", **PARALLEL)
def sum_gradient(dy, dx, ad, ah, aw, window, threads):
    """See `reference.sum_pool_backward`, for images (N, D, H, W, C) and a vector of scales for each axis."""
    rows = dx.shape[0] * dx.shape[1] * dx.shape[2]
    if threads == 1:
        spread_lines(dy, dx, ad, ah, aw, window, 0, rows)
    else:
        for t in prange(threads):
            spread_lines(dy, dx, ad, ah, aw, window, t * rows // threads, (t + 1) * rows // threads)
