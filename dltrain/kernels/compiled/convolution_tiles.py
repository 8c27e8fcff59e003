# mypy: disallow-untyped-defs=False, disallow-incomplete-defs=False
"""What the three passes of a convolution share: the part of an image they work on, and its product with panels.

A thread takes some rows of one plane of the output.  It copies the rows of the image that these meet into memory of its
own, with zeros where the kernel reaches beyond the image; there, everything lies in the second-level cache, a row of
the kernel meets neighbouring numbers, and a tile's rows are neighbouring pixels.  Nothing larger is ever unrolled.
"""

from __future__ import annotations

from typing import NamedTuple

from numba import njit

from dltrain.kernels.compiled.gemm import DEPTH, ceil
from dltrain.kernels.compiled.jit import INNER
from dltrain.kernels.compiled.routines import multiply
from dltrain.kernels.compiled.tile import AT_ONCE, LANES, ROWS, WIDTH


@njit(**INNER)
def gather(x, n, d, first, step, left, channel, to, rows, columns, channels):
    """to (rows, columns, channels) = some rows of a plane of x, `step` apart, from column `left` on; zero outside."""
    D, H, W, C = x.shape[1:]
    source, to = x.reshape(-1), to.reshape(-1)
    w0 = min(columns, max(0, -left))
    w1 = max(w0, min(columns, W - left))
    for i in range(rows):
        h = first + i * step
        start = i * columns * channels
        if h < 0 or h >= H or d < 0 or d >= D:
            to[start : start + columns * channels] = 0
            continue
        to[start : start + w0 * channels] = 0
        to[start + w1 * channels : start + columns * channels] = 0
        at = (((n * D + d) * H + h) * W + left + w0) * C + channel
        if channels == C:
            to[start + w0 * C : start + w1 * C] = source[at : at + (w1 - w0) * C]
        else:
            for w in range(w0, w1):
                for c in range(channels):
                    to[start + w * channels + c] = source[at + (w - w0) * C + c]


@njit(**INNER)
def collect_sums(sums, db, add):
    """db (+)= Σ sums, which the threads have made."""
    for i in range(db.size):
        total = db[i] if add else 0.0
        for other in range(len(sums)):
            total += sums[other, i]
        db[i] = total


@njit(**INNER)
def run(tile, a, across, ak, ao, b, bk, bo, bp, panels, start, si, c, ci, length, inner, outer, columns, relu):
    """C[i, j] = start[i, j] + A B for neighbouring rows of C, in tiles of nearly one size; see `multiply`."""
    count = ceil(length, ROWS)
    size = length // count
    larger = length - size * count  # so many tiles have one row more
    p = 0
    while p < panels:
        left = columns - p * WIDTH
        together = AT_ONCE[size] if larger == 0 and p + AT_ONCE[size] <= panels else 1
        kind = 0 if left <= LANES else together
        s = start + 4 * p * WIDTH if start else 0
        at_b, at_c = b + 4 * p * bp, c + 4 * p * WIDTH
        if larger:
            multiply(
                tile, size + 1, kind, larger, (size + 1) * across, a, across, ak, ao, at_b, bk, bo, bp,
                s, si, at_c, ci, inner, outer, left, relu,
            )  # fmt: skip
        past = larger * (size + 1)
        multiply(
            tile, size, kind, count - larger, size * across, a + 4 * past * across, across, ak, ao, at_b, bk, bo, bp,
            s + 4 * past * si if s else 0, si, at_c + 4 * past * ci, ci, inner, outer, left, relu,
        )  # fmt: skip
        p += together


class Pixels(NamedTuple):
    """Where the pixels of some planes lie in memory, or 0 for nowhere.

    Parameters:
        at: address of the first
        across: numbers from a pixel to its neighbour
        down: numbers from a row to the next
        skip: numbers from a plane to the next
    """

    at: int
    across: int
    down: int
    skip: int


class Extent(NamedTuple):
    """How many pixels a product makes: planes × rows × length."""

    planes: int
    rows: int
    length: int


class Taps(NamedTuple):
    """Which pixels of A make one of C: high × wide points, each a sum over channels."""

    high: int
    wide: int
    down: int
    across: int
    channels: int


@njit(**INNER)
def moved(pixels, by):
    """The same pixels, some numbers further on."""
    return Pixels(pixels.at + 4 * by if pixels.at else 0, pixels.across, pixels.down, pixels.skip)


@njit(**INNER)
def all_pixels(tile, A, extent, ak, ao, b, bo, bp, panels, start, C, inner, outer, columns, relu):
    """`run` for all rows of pixels, which all meet a panel while it is in the cache."""
    count = ceil(extent.length, ROWS)
    together = AT_ONCE[extent.length // count] if extent.length % count == 0 else 1
    for p in range(0, panels, together):
        j = p * WIDTH
        for plane in range(extent.planes):
            for i in range(extent.rows):
                a, s = moved(A, plane * A.skip + i * A.down), moved(start, plane * start.skip + i * start.down + j)
                c = moved(C, plane * C.skip + i * C.down + j)
                run(
                    tile, a.at, A.across, ak, ao, b + 4 * p * bp, WIDTH, bo, bp, min(together, panels - p),
                    s.at, s.across, c.at, c.across, extent.length, inner, outer, columns - j, relu,
                )  # fmt: skip


@njit(**INNER)
def correlate(tile, A, extent, taps, b, bp, panels, start, C, columns, relu):
    """C = start + Σ_k Σ_l A[k taps.down + l taps.across] · B[k, l], at all pixels; panels of B hold (k, l, channel).

    The sum is made in parts, each added to C, of whole rows of the kernel where they are short, else of some of its
    points or of some channels.
    """
    high, wide, channels = taps.high, taps.wide, taps.channels
    near = taps.across == channels or wide == 1
    several = DEPTH // (wide * channels) if near else 0
    if several:
        inner = wide * channels
        parts = ceil(high, several)
        for part in range(parts):
            k0, k1 = high * part // parts, high * (part + 1) // parts
            all_pixels(
                tile, moved(A, k0 * taps.down), extent, 1, taps.down, b + 4 * k0 * inner * WIDTH, inner * WIDTH, bp,
                panels, C if part else start, C, inner, k1 - k0, columns, relu if part == parts - 1 else 0,
            )  # fmt: skip
        return
    pieces = ceil(channels, DEPTH)
    parts = ceil(wide, max(1, DEPTH // channels))
    for k in range(high):
        for part in range(parts):
            l0, l1 = wide * part // parts, wide * (part + 1) // parts
            for piece in range(pieces):
                q0, q1 = channels * piece // pieces, channels * (piece + 1) // pieces
                ends = k == high - 1 and part == parts - 1 and piece == pieces - 1
                all_pixels(
                    tile, moved(A, k * taps.down + l0 * taps.across + q0), extent, 1, taps.across,
                    b + 4 * ((k * wide + l0) * channels + q0) * WIDTH, channels * WIDTH, bp,
                    panels, C if k + part + piece else start, C, q1 - q0, l1 - l0, columns, relu if ends else 0,
                )  # fmt: skip
