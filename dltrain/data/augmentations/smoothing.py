"""Smoothing by a Gaussian, as a product with a matrix for the rows and one for the columns."""

from __future__ import annotations

import numpy as np

from dltrain.data.examples import Array

TRUNCATE = 4.0  # widths of the Gaussian after which it counts as 0


def weights_of(size: int, sigmas: Array) -> Array:
    """Matrices (N, size, size) that smooth a line of pixels, which goes on as its mirror image beside its ends.

    Parameters:
        size: pixels
        sigmas: (N,) widths of the Gaussians in pixels

    Example:
        >>> weights_of(3, np.array([0.5]))[0].sum(1).round(9).tolist()
        [1.0, 1.0, 1.0]
    """
    reach = int(TRUNCATE * float(sigmas.max()) + 0.5)
    steps = np.arange(-reach, reach + 1)
    limits = np.floor(TRUNCATE * sigmas + 0.5)[:, None]
    shares = np.where(np.abs(steps) <= limits, np.exp(-0.5 * (steps / sigmas[:, None]) ** 2), 0.0)
    shares /= shares.sum(1, keepdims=True)
    found, places = np.zeros((len(sigmas), size, size)), np.arange(size)
    for step, share in zip(steps, shares.T, strict=True):
        mirrored = (places + step) % (2 * size)
        found[:, places, np.minimum(mirrored, 2 * size - 1 - mirrored)] += share[:, None]
    return found


def smoothed(x: Array, rows: Array, columns: Array) -> Array:
    """Pictures (N, H, W, C) smoothed by matrices (N, H, H) and (N, W, W), or one of each for all."""
    return turned(along_columns(turned(along_columns(x, rows)), columns))


def turned(x: Array) -> Array:
    """(N, H, W, C) -> (N, W, H, C)."""
    return np.ascontiguousarray(x.transpose(0, 2, 1, 3))


def along_columns(x: Array, matrices: Array) -> Array:
    """Each column of each picture times a matrix."""
    N, H, W, C = x.shape
    return np.matmul(matrices.astype(x.dtype), x.reshape(N, H, W * C)).reshape(x.shape)
