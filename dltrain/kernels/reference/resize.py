"""Images made larger along one axis: by values in between, or by a mirror at both ends."""

from __future__ import annotations

from typing import Any

import numpy as np

from dltrain.kernels.arrays import Array

Phases = tuple[tuple[int, float], ...]


@np.errstate(invalid="ignore", over="ignore")
def stretch(x: Array, axis: int, phases: Phases, out: Array) -> Array:
    """out[i·s + r] = (1 - fᵣ) x[i + oᵣ] + fᵣ x[i + oᵣ + 1] along an axis; x goes on beyond its ends as it ends.

    Parameters:
        x: (N, …, L, …)
        axis: the axis of L
        phases: (o, f) for each of the s points that lie around one of x; o is -1 or 0
        out: (N, …, L·s, …)
    """
    edges = [(0, 0)] * x.ndim
    edges[axis] = (1, 1)
    wide, length = np.pad(x, edges, mode="edge"), x.shape[axis]
    for r, (offset, f) in enumerate(phases):
        near, far = (wide[_along(x.ndim, axis, offset + k, offset + k + length)] for k in (1, 2))
        out[_along(x.ndim, axis, r, None, len(phases))] = near if f == 0 else (1 - f) * near + f * far
    return out


@np.errstate(invalid="ignore", over="ignore")
def stretch_backward(dy: Array, axis: int, phases: Phases, dx: Array) -> Array:
    """dx = what all points that were made of a point of x give back to it.

    Parameters:
        dy: (N, …, L·s, …)
        axis: the axis of L
        phases: as in the forward pass
        dx: (N, …, L, …)
    """
    n, length = dx.ndim, dx.shape[axis]
    shape = list(dx.shape)
    shape[axis] += 2
    wide = np.zeros(shape, dy.dtype)
    for r, (offset, f) in enumerate(phases):
        g = dy[_along(n, axis, r, None, len(phases))]
        wide[_along(n, axis, offset + 1, offset + 1 + length)] += (1 - f) * g
        wide[_along(n, axis, offset + 2, offset + 2 + length)] += f * g
    dx[...] = wide[_along(n, axis, 1, 1 + length)]
    dx[_along(n, axis, 0, 1)] += wide[_along(n, axis, 0, 1)]
    dx[_along(n, axis, length - 1, length)] += wide[_along(n, axis, length + 1, length + 2)]
    return dx


def reflect(x: Array, axis: int, before: int, after: int, out: Array) -> Array:
    """out = x with its mirror image at both ends of an axis; the end points themselves are not repeated.

    Parameters:
        x: (N, …, L, …)
        axis: the axis of L
        before: points of the mirror image before x, fewer than L
        after: points of the mirror image behind x, fewer than L
        out: (N, …, before + L + after, …)
    """
    edges = [(0, 0)] * x.ndim
    edges[axis] = (before, after)
    out[...] = np.pad(x, edges, mode="reflect")
    return out


@np.errstate(invalid="ignore", over="ignore")
def reflect_backward(dy: Array, axis: int, before: int, after: int, dx: Array) -> Array:
    """dx = the sum of the dy of a point and of its mirror images.

    Parameters:
        dy: (N, …, before + L + after, …)
        axis: the axis of L
        before: as in the forward pass
        after: as in the forward pass
        dx: (N, …, L, …)
    """
    n, length = dx.ndim, dx.shape[axis]
    dx[...] = dy[_along(n, axis, before, before + length)]
    dx[_along(n, axis, 1, 1 + before)] += np.flip(dy[_along(n, axis, 0, before)], axis)
    last = _along(n, axis, before + length, before + length + after)
    dx[_along(n, axis, length - 1 - after, length - 1)] += np.flip(dy[last], axis)
    return dx


def _along(axes: int, axis: int, start: int, stop: int | None, step: int = 1) -> Any:
    """The index of a range along one of the axes."""
    return (*(slice(None),) * axis, slice(start, stop, step), *(slice(None),) * (axes - axis - 1))
