"""Pooling over any number of axes: one pass for each point k of the window, over all windows at once.

    window o = { x[o·s - p + k] : 0 ≤ k < K }  for every axis

Points outside the image belong to no window.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from math import prod
from typing import Any

import numpy as np

from dltrain.kernels.arrays import Array
from dltrain.kernels.pool import Pool


@np.errstate(invalid="ignore")
def max_pool(x: Array, pool: Pool, out: Array, index: Array | None) -> Array:
    """out = the largest of each window, the first of equal ones, NaN if one is; index says which point it was.

    Parameters:
        x: (N, *S, C), S the axes of the image
        pool: sizes, strides and places of the windows, each of which has a point in the image
        out: (N, *S', C)
        index: (N, *S', C) of int32, receives the number of the point in its window, row by row, or None

    Source: Ranzato et al. 2007, Unsupervised learning of invariant feature hierarchies.
    """
    best, number = np.zeros(out.shape, x.dtype), np.full(out.shape, -1, np.int32)
    for point, windows, points in _places(x.shape, out.shape, pool):
        v, m, first = x[points], best[windows], number[windows] < 0
        takes = first | (v.real > m.real) | (np.isnan(v.real) & ~np.isnan(m.real))
        best[windows] = np.where(takes, v, m)
        number[windows] = np.where(takes, point, number[windows])
    out[...] = best
    if index is not None:
        index[...] = number
    return out


def max_pool_backward(dy: Array, index: Array, pool: Pool, dx: Array) -> Array:
    """dx = the sum of the dy of those windows whose chosen point it is.

    Parameters:
        dy: (N, *S', C)
        index: (N, *S', C), which point of its window each dy belongs to
        pool: as in the forward pass
        dx: (N, *S, C)
    """
    total = np.zeros(dx.shape, dy.dtype)
    for point, windows, points in _places(dx.shape, dy.shape, pool):
        total[points] += np.where(index[windows] == point, dy[windows], 0)
    dx[...] = total
    return dx


def pick(x: Array, index: Array, pool: Pool, out: Array) -> Array:
    """out = the chosen point of each window.

    Parameters:
        x: (N, *S, C)
        index: (N, *S', C), the number of the point in its window
        pool: sizes, strides and places of the windows
        out: (N, *S', C)
    """
    found = np.zeros(out.shape, x.dtype)
    for point, windows, points in _places(x.shape, out.shape, pool):
        found[windows] = np.where(index[windows] == point, x[points], found[windows])
    out[...] = found
    return out


@np.errstate(invalid="ignore", over="ignore")
def sum_pool(x: Array, pool: Pool, scales: tuple[Array, ...], out: Array) -> Array:
    """out[o] = Σ of window o, times the scales of its place along each axis; the sum is taken in float64.

    Parameters:
        x: (N, *S, C)
        pool: sizes, strides and places of the windows
        scales: (S'ᵢ,) for each axis i: 1 / number of points for a mean, 1 for a sum
        out: (N, *S', C)
    """
    total = np.zeros(out.shape, np.result_type(x.dtype, np.float64))
    for _, windows, points in _places(x.shape, out.shape, pool):
        total[windows] += x[points]
    out[...] = total * _grid(scales)
    return out


@np.errstate(invalid="ignore", over="ignore")
def sum_pool_backward(dy: Array, pool: Pool, scales: tuple[Array, ...], dx: Array) -> Array:
    """dx = the sum of the scaled dy of all windows that a point lies in.

    Parameters:
        dy: (N, *S', C)
        pool: as in the forward pass
        scales: as in the forward pass
        dx: (N, *S, C)
    """
    share = dy * _grid(scales)
    total = np.zeros(dx.shape, share.dtype)
    for _, windows, points in _places(dx.shape, dy.shape, pool):
        total[points] += share[windows]
    dx[...] = total
    return dx


@np.errstate(invalid="ignore", over="ignore", under="ignore")
def power_pool(x: Array, pool: Pool, power: float, out: Array) -> Array:
    """out = (Σ |x|^p)^(1/p) of each window, with its largest |x| taken out, so that no power overflows.

    Parameters:
        x: (N, *S, C)
        pool: sizes, strides and places of the windows
        power: p, 1 or more
        out: (N, *S', C)
    """
    size = _size(x)
    largest, total = np.zeros(out.shape, size.dtype), np.zeros(out.shape, np.result_type(x.dtype, np.float64))
    for _, windows, points in _places(x.shape, out.shape, pool):
        v, m = size[points], largest[windows]
        largest[windows] = np.where((v.real > m.real) | np.isnan(v.real), v, m)
    scale = np.where(largest.real == 0, 1, largest)
    for _, windows, points in _places(x.shape, out.shape, pool):
        total[windows] += (size[points] / scale[windows]) ** power
    out[...] = largest * total ** (1 / power)
    return out


@np.errstate(invalid="ignore", over="ignore", under="ignore")
def power_pool_backward(x: Array, y: Array, dy: Array, pool: Pool, power: float, dx: Array) -> Array:
    """dx = Σ dy sign(x) (|x| / y)^(p - 1) over all windows that a point lies in; 0 from windows of zeros.

    Parameters:
        x: (N, *S, C), input of the forward pass
        y: (N, *S', C), its result
        dy: (N, *S', C)
        pool: as in the forward pass
        power: as in the forward pass
        dx: (N, *S, C)
    """
    size, total = _size(x), np.zeros(dx.shape, np.result_type(x.dtype, dy.dtype))
    norm, share = np.where(y.real == 0, 1, y), np.where(y.real == 0, 0, dy)
    for _, windows, points in _places(dx.shape, dy.shape, pool):
        total[points] += share[windows] * (size[points] / norm[windows]) ** (power - 1)
    dx[...] = total * np.sign(x.real)
    return dx


def _size(x: Array) -> Array:
    """|x|, whose derivative is that of the real part."""
    return x * np.sign(x.real)


def _places(image: tuple[int, ...], out: tuple[int, ...], pool: Pool) -> Iterator[tuple[int, Any, Any]]:
    """(number, windows that have it in the image, where it lies there) for each point of a window, row by row."""
    axes = [
        [(k, *_place(k, extent, count, s, p)) for k in range(size)]
        for extent, count, size, s, p in zip(image[1:-1], out[1:-1], pool.sizes, pool.strides, pool.before, strict=True)
    ]
    for number, ways in enumerate(product(*axes)):
        windows, points = tuple(way[1] for way in ways), tuple(way[2] for way in ways)
        yield number, (slice(None), *windows), (slice(None), *points)


def _place(k: int, extent: int, count: int, s: int, p: int) -> tuple[slice, slice]:
    """(windows o, points o·s - p + k) along one axis, of those windows whose point k lies in the image."""
    first = max(0, -(-(p - k) // s))
    last = min(count - 1, (extent - 1 + p - k) // s)
    if last < first:
        return slice(0, 0), slice(0, 0)
    start = first * s - p + k
    return slice(first, last + 1), slice(start, start + (last - first) * s + 1, s)


def _grid(scales: tuple[Array, ...]) -> Array:
    """The products of the scales of all axes: (*S', 1)."""
    whole = np.ones(1, scales[0].dtype)
    for scale in reversed(scales):
        whole = scale.reshape(-1, *[1] * whole.ndim) * whole
    assert whole.size == prod(len(scale) for scale in scales)
    return whole
