"""Functions that are not the same for every unit: slopes that are learned, and the largest of a unit's pieces."""

from __future__ import annotations

import numpy as np

from dltrain.kernels.arrays import Array, Empty, give, rows_of


@np.errstate(invalid="ignore", over="ignore")
def prelu(x: Array, alpha: Array, out: Array) -> Array:
    """out = x where x > 0, else alpha x.

    Parameters:
        x: (…, C)
        alpha: (C,)
        out: the shape of x

    Source: He, Zhang, Ren and Sun 2015, Delving deep into rectifiers.
    """
    out[...] = np.where(x.real < 0, x * alpha, x)
    return out


@np.errstate(invalid="ignore", over="ignore")
def prelu_backward(
    x: Array, dy: Array, alpha: Array, dalpha: Array, dx: Array | None, add: bool, empty: Empty
) -> Array | None:
    """dalpha (+)= Σ dy x where x < 0; dx = dy where x > 0, else alpha dy; returns dx.

    Parameters:
        x: input of the forward pass
        dy: gradient with respect to its output
        alpha: (C,)
        dalpha: (C,), receives the gradient
        dx: the shape of x, receives the gradient, or None
        add: add to dalpha, instead of storing into it
        empty: scratch memory
    """
    below = x.real < 0
    wide = np.result_type(x.dtype, np.float64)
    give(dalpha, rows_of(np.where(below, dy * x, 0)).sum(0, dtype=wide).astype(dalpha.dtype), add)
    if dx is not None:
        dx[...] = np.where(below, dy * alpha, dy)
    return dx


@np.errstate(invalid="ignore")
def largest(x: Array, pieces: int, out: Array) -> Array:
    """out = the largest of every `pieces` neighbours along the last axis; the first of equal ones, NaN if one is.

    Parameters:
        x: (…, C·pieces)
        pieces: how many compete
        out: (…, C)

    Source: Goodfellow et al. 2013, Maxout networks.
    """
    groups, winner = _groups(x, pieces)
    out[...] = np.take_along_axis(groups, winner, -1)[..., 0]
    return out


def largest_backward(x: Array, dy: Array, pieces: int, out: Array) -> Array:
    """out = dy where x was the largest of its neighbours, else 0.

    Parameters:
        x: (…, C·pieces), input of the forward pass
        dy: (…, C)
        pieces: as in the forward pass
        out: the shape of x
    """
    groups, winner = _groups(x, pieces)
    chosen = np.zeros(groups.shape, out.dtype)
    np.put_along_axis(chosen, winner, dy[..., None].astype(out.dtype), -1)
    out[...] = chosen.reshape(out.shape)
    return out


def _groups(x: Array, pieces: int) -> tuple[Array, Array]:
    """(…, C, pieces), and the place of the largest in each group."""
    groups = x.reshape(*x.shape[:-1], x.shape[-1] // pieces, pieces)
    return groups, groups.real.argmax(-1)[..., None]
