# mypy: disallow-untyped-defs=False, disallow-incomplete-defs=False
"""Bilinear resampling, a picture after the other; those that are only flipped or moved by whole pixels are copied."""

from __future__ import annotations

import numpy as np
from numba import njit, prange

from dltrain.kernels.arrays import Array
from dltrain.kernels.compiled.jit import INNER, PARALLEL, PLAIN, compiled, kernel, parts
from dltrain.kernels.compiled.pointwise import F
from dltrain.kernels.reference import resampling as reference
from dltrain.kernels.reference.resampling import BORDERS

NONE = np.empty((1, 0, 0, 2), np.float32)
COST = 4  # of an element, in those of an element-wise kernel


@njit(inline="always")
def place(index, size, border):
    """The pixel that stands for one beside the picture, -1 for none; see the reference."""
    if 0 <= index < size:
        return index
    if border == 2:
        return -1
    if border == 1:
        return 0 if index < 0 else size - 1
    index = -1 - index if index < 0 else index
    if index >= 2 * size:  # rarely: a division takes long
        index = index % (2 * size)
    return index if index < size else 2 * size - 1 - index


@njit(**INNER)
def whole(A):
    """Whether a matrix only flips, and moves by whole pixels."""
    straight = A[0, 1] == 0 and A[1, 0] == 0 and abs(A[0, 0]) == 1 and abs(A[1, 1]) == 1
    return straight and A[0, 2] == np.floor(A[0, 2]) and A[1, 2] == np.floor(A[1, 2])


@njit(**INNER)
def copy_picture(x, A, border, out):
    """out = x, flipped and moved."""
    H, W, C = x.shape
    columns = np.empty(W, np.int64)
    for j in range(W):
        columns[j] = place(int(A[1, 1] * j + A[1, 2]), W, border)
    for i in range(H):
        r = place(int(A[0, 0] * i + A[0, 2]), H, border)
        for j in range(W):
            c = columns[j]
            if r < 0 or c < 0:
                for k in range(C):
                    out[i, j, k] = F(0)
            else:
                for k in range(C):
                    out[i, j, k] = x[r, c, k]


@njit(**INNER, **PLAIN)
def blend(x, row, column, border, out):
    """One pixel at a place anywhere, of the four around it."""
    H, W, C = x.shape
    low, left = np.floor(row), np.floor(column)
    fr, fc = F(row - low), F(column - left)
    r, c = place(int(low), H, border), place(int(left), W, border)
    r1, c1 = place(int(low) + 1, H, border), place(int(left) + 1, W, border)
    for k in range(C):
        a = x[r, c, k] if r >= 0 and c >= 0 else F(0)
        b = x[r, c1, k] if r >= 0 and c1 >= 0 else F(0)
        d = x[r1, c, k] if r1 >= 0 and c >= 0 else F(0)
        e = x[r1, c1, k] if r1 >= 0 and c1 >= 0 else F(0)
        upper, lower = a + fc * (b - a), d + fc * (e - d)
        out[k] = upper + fr * (lower - upper)


@njit(**INNER)
def within(start, slope, size, low, high):
    """The part of low … high - 1 whose places start + slope j have a pixel of 0 … size - 1 on both sides."""
    for _ in range(2):  # the second time for what rounding may have let in
        while low < high and not 0 <= F(start + slope * low) < size - 1:
            low += 1
        while low < high and not 0 <= F(start + slope * (high - 1)) < size - 1:
            high -= 1
    return low, high


@njit(**INNER, **PLAIN)
def blend_row(flat, W, C, row, down, column, across, low, high, out):
    """The pixels low … high - 1 of a row, all of whose places lie within the picture."""
    row, down, column, across = F(row), F(down), F(column), F(across)
    if C == 1:
        width = np.uint32(W)
        for j in range(low, high):
            y, z = row + down * F(j), column + across * F(j)
            r, c = np.int32(y), np.int32(z)
            fr, fc = y - F(r), z - F(c)
            at = np.uint32(r) * width + np.uint32(c)
            a, b, d, e = flat[at], flat[at + np.uint32(1)], flat[at + width], flat[at + width + np.uint32(1)]
            upper, lower = a + fc * (b - a), d + fc * (e - d)
            out[j, 0] = upper + fr * (lower - upper)
    else:
        step, width = np.uint32(W * C), np.uint32(C)
        for j in range(low, high):
            y, z = row + down * F(j), column + across * F(j)
            r, c = np.int32(y), np.int32(z)
            fr, fc = y - F(r), z - F(c)
            at = np.uint32(r) * step + np.uint32(c) * width
            for k in range(width):
                a, b, d, e = flat[at + k], flat[at + width + k], flat[at + step + k], flat[at + step + width + k]
                upper, lower = a + fc * (b - a), d + fc * (e - d)
                out[j, k] = upper + fr * (lower - upper)


@njit(**INNER)
def straight_picture(x, A, border, out):
    """One picture without offsets; see `reference.resample`."""
    H, W, C = x.shape
    flat = x.reshape(-1)
    for i in range(H):
        row, column = A[0, 0] * i + A[0, 2], A[1, 0] * i + A[1, 2]
        low, high = within(row, A[0, 1], H, 0, W)
        low, high = within(column, A[1, 1], W, low, high)
        for j in range(low):
            blend(x, row + A[0, 1] * j, column + A[1, 1] * j, border, out[i, j])
        blend_row(flat, W, C, row, A[0, 1], column, A[1, 1], low, high, out[i])
        for j in range(high, W):
            blend(x, row + A[0, 1] * j, column + A[1, 1] * j, border, out[i, j])


@njit(**INNER)
def bent_picture(x, A, offsets, border, out):
    """One picture with offsets; see `reference.resample`."""
    H, W, C = x.shape
    flat, down, across = x.reshape(-1), np.uint32(W * C), np.uint32(C)
    for i in range(H):
        for j in range(W):
            y, z = i + offsets[i, j, 0], j + offsets[i, j, 1]
            row, column = A[0, 0] * y + A[0, 1] * z + A[0, 2], A[1, 0] * y + A[1, 1] * z + A[1, 2]
            if not (0 <= row < H - 1 and 0 <= column < W - 1):
                blend(x, row, column, border, out[i, j])
                continue
            r, c = np.int32(row), np.int32(column)
            fr, fc = F(row - r), F(column - c)
            at = np.uint32(r) * down + np.uint32(c) * across
            for k in range(across):
                a, b, d, e = flat[at + k], flat[at + across + k], flat[at + down + k], flat[at + down + across + k]
                upper, lower = a + fc * (b - a), d + fc * (e - d)
                out[i, j, k] = upper + fr * (lower - upper)


@njit(**INNER)
def resample_some(x, matrices, offsets, border, out, first, last):
    """Some pictures of `resample_all`."""
    for n in range(first, last):
        own = offsets[min(n, len(offsets) - 1)]
        if own.size == 0 and whole(matrices[n]):
            copy_picture(x[n], matrices[n], border, out[n])
        elif own.size == 0:
            straight_picture(x[n], matrices[n], border, out[n])
        else:
            bent_picture(x[n], matrices[n], own, border, out[n])


@kernel("f4 float64[:,:,::1] f4 int f4 int", **PARALLEL)
def resample_all(x, matrices, offsets, border, out, threads):
    """See `reference.resample`; without offsets these are one empty array."""
    if threads == 1:
        resample_some(x, matrices, offsets, border, out, 0, len(x))
    else:
        for t in prange(threads):
            resample_some(x, matrices, offsets, border, out, t * len(x) // threads, (t + 1) * len(x) // threads)


def resample(x: Array, matrices: Array, offsets: Array | None, border: str, out: Array) -> Array:
    """See the reference."""
    given = NONE if offsets is None else offsets
    try:
        compiled.resample_all(x, matrices, given, BORDERS.index(border), out, parts(COST * out.size))
    except TypeError:
        return reference.resample(x, matrices, offsets, border, out)
    return out


@njit(**INNER)
def labels_of_picture(y, A, offsets, border, outside, out):
    """One mask; see `reference.resample_labels`."""
    H, W = y.shape
    for i in range(H):
        for j in range(W):
            down, right = float(i), float(j)
            if offsets.size:
                down, right = i + offsets[i, j, 0], j + offsets[i, j, 1]
            row, column = A[0, 0] * down + A[0, 1] * right + A[0, 2], A[1, 0] * down + A[1, 1] * right + A[1, 2]
            r, c = place(int(np.floor(row + 0.5)), H, border), place(int(np.floor(column + 0.5)), W, border)
            out[i, j] = y[r, c] if r >= 0 and c >= 0 else outside


@njit(**INNER)
def resample_some_labels(y, matrices, offsets, border, outside, out, first, last):
    """Some masks of `resample_all_labels`."""
    for n in range(first, last):
        labels_of_picture(y[n], matrices[n], offsets[min(n, len(offsets) - 1)], border, outside, out[n])


@kernel("int32[:,:,::1] float64[:,:,::1] f4 int int int32[:,:,::1] int", **PARALLEL)
def resample_all_labels(y, matrices, offsets, border, outside, out, threads):
    """See `reference.resample_labels`; without offsets these are one empty array."""
    if threads == 1:
        resample_some_labels(y, matrices, offsets, border, outside, out, 0, len(y))
    else:
        for t in prange(threads):
            first, last = t * len(y) // threads, (t + 1) * len(y) // threads
            resample_some_labels(y, matrices, offsets, border, outside, out, first, last)


def resample_labels(y: Array, matrices: Array, offsets: Array | None, border: str, outside: int, out: Array) -> Array:
    """See the reference."""
    given, threads = NONE if offsets is None else offsets, parts(COST * out.size)
    try:
        compiled.resample_all_labels(y, matrices, given, BORDERS.index(border), outside, out, threads)
    except TypeError:
        return reference.resample_labels(y, matrices, offsets, border, outside, out)
    return out
