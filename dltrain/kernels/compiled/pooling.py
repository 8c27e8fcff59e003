"""Pooling, for images (N, D, H, W, C) that may lie inside a border."""

from __future__ import annotations

from typing import Any

import numpy as np

import dltrain.kernels.compiled.window_sums
import dltrain.kernels.compiled.windows  # noqa: F401 - registers the kernels
from dltrain.kernels.arrays import Array
from dltrain.kernels.compiled.jit import compiled, parts
from dltrain.kernels.compiled.lines import AXES, as_image, has_lines
from dltrain.kernels.pool import Pool
from dltrain.kernels.reference import pooling as reference

NO_INDEX = np.empty((0,) * (AXES + 2), np.int32)
ONE = np.ones(1, np.float32)


def _window(pool: Pool) -> tuple[int, ...]:
    """Sizes, strides and points before the image, of three axes."""
    missing = AXES - len(pool.sizes)
    return (*(1,) * missing, *pool.sizes, *(1,) * missing, *pool.strides, *(0,) * missing, *pool.before)


def _scales(scales: tuple[Array, ...]) -> tuple[Any, ...]:
    """A vector for each of three axes."""
    return (*(ONE,) * (AXES - len(scales)), *scales)


def max_pool(x: Array, pool: Pool, out: Array, index: Array | None) -> Array:
    """See the reference."""
    try:
        if not has_lines(out) or (index is not None and not has_lines(index)):
            raise TypeError
        places = NO_INDEX if index is None else as_image(index)
        compiled.max_image(as_image(x), as_image(out), places, _window(pool), parts(x.size))
    except TypeError:
        return reference.max_pool(x, pool, out, index)
    return out


def max_pool_backward(dy: Array, index: Array, pool: Pool, dx: Array) -> Array:
    """See the reference."""
    try:
        if not has_lines(dx):
            raise TypeError
        compiled.max_gradient(
            compiled.across, as_image(dy), as_image(index), as_image(dx), _window(pool), parts(dx.size)
        )
    except TypeError:
        return reference.max_pool_backward(dy, index, pool, dx)
    return dx


def pick(x: Array, index: Array, pool: Pool, out: Array) -> Array:
    """See the reference."""
    try:
        if not has_lines(out):
            raise TypeError
        compiled.pick_image(as_image(x), as_image(index), as_image(out), _window(pool), parts(x.size))
    except TypeError:
        return reference.pick(x, index, pool, out)
    return out


def sum_pool(x: Array, pool: Pool, scales: tuple[Array, ...], out: Array) -> Array:
    """See the reference."""
    try:
        if not has_lines(out):
            raise TypeError
        compiled.sum_image(compiled.across, as_image(x), as_image(out), *_scales(scales), _window(pool), parts(x.size))
    except TypeError:
        return reference.sum_pool(x, pool, scales, out)
    return out


def sum_pool_backward(dy: Array, pool: Pool, scales: tuple[Array, ...], dx: Array) -> Array:
    """See the reference."""
    try:
        if not has_lines(dx):
            raise TypeError
        compiled.sum_gradient(as_image(dy), as_image(dx), *_scales(scales), _window(pool), parts(dx.size))
    except TypeError:
        return reference.sum_pool_backward(dy, pool, scales, dx)
    return dx
