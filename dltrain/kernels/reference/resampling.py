"""Pictures read anew at other places: what rotations, shifts and elastic deformations have in common."""

from __future__ import annotations

import numpy as np

from dltrain.kernels.arrays import Array

BORDERS = ("reflect", "nearest", "zero")


def resample(x: Array, matrices: Array, offsets: Array | None, border: str, out: Array) -> Array:
    """out[n, i, j] = x[n] at the place A (i, j, 1) of rows and columns, between pixels by bilinear interpolation.

    Parameters:
        x: (N, H, W, C)
        matrices: (N, 2, 3) float64: A of each picture
        offsets: (N, H, W, 2) added to (i, j) beforehand, or None
        border: what lies beside a row a b c d: reflect (c b a | a b c d | d c b), nearest (a a a | a b c d | d d d)
            or zero
        out: (N, H, W, C)
    """
    N, H, W, _ = x.shape
    rows, columns = _read_at(matrices, offsets, H, W)
    total = np.zeros(x.shape, np.result_type(x.dtype, np.float64))
    for row, row_share in _corners(rows):
        for column, column_share in _corners(columns):
            r, r_there = _place(row, H, border)
            c, c_there = _place(column, W, border)
            share = row_share * column_share * (r_there & c_there)
            total += share[..., None] * x[np.arange(N)[:, None, None], r, c]
    out[...] = total
    return out


def resample_labels(y: Array, matrices: Array, offsets: Array | None, border: str, outside: int, out: Array) -> Array:
    """out[n, i, j] = y[n] at the pixel that is nearest to the place which `resample` reads: numbers that do not blend.

    Parameters:
        y: (N, H, W) whole numbers
        matrices: (N, 2, 3) float64, see `resample`
        offsets: (N, H, W, 2), see `resample`
        border: see `resample`
        outside: what lies there where the border is zero
        out: (N, H, W)
    """
    N, H, W = y.shape
    rows, columns = (np.floor(places + 0.5).astype(np.int64) for places in _read_at(matrices, offsets, H, W))
    r, r_there = _place(rows, H, border)
    c, c_there = _place(columns, W, border)
    out[...] = np.where(r_there & c_there, y[np.arange(N)[:, None, None], r, c], outside)
    return out


def _read_at(matrices: Array, offsets: Array | None, H: int, W: int) -> list[Array]:
    """Rows (N, H, W) and columns (N, H, W) from which each pixel is read."""
    i, j = np.broadcast_arrays(np.arange(H)[:, None], np.arange(W))
    i, j = i[None].astype(np.float64), j[None].astype(np.float64)
    if offsets is not None:
        i, j = i + offsets[..., 0], j + offsets[..., 1]  # (N, H, W)
    A = matrices[:, :, :, None, None]
    return [A[:, k, 0] * i + A[:, k, 1] * j + A[:, k, 2] for k in (0, 1)]


def _corners(places: Array) -> list[tuple[Array, Array]]:
    """The two pixels beside each place, and their shares of it."""
    low = np.floor(places)
    return [(low.astype(np.int64), 1 - (places - low)), (low.astype(np.int64) + 1, places - low)]


def _place(index: Array, size: int, border: str) -> tuple[Array, Array]:
    """The pixel that stands for one beside the picture, and whether it counts."""
    there = (index >= 0) & (index < size) if border == "zero" else np.ones(index.shape, bool)
    if border == "reflect":
        index = index % (2 * size)
        return np.where(index < size, index, 2 * size - 1 - index), there
    return index.clip(0, size - 1), there
