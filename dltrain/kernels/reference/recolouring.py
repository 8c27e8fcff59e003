"""Pictures with other colours: what brightness, contrast, saturation and hue have in common."""

from __future__ import annotations

import numpy as np

from dltrain.kernels.arrays import Array


def recolour(x: Array, matrices: Array, moves: Array, low: Array, high: Array, out: Array) -> Array:
    """out[n, i, j] = A_n x[n, i, j] + b_n, cut to low … high.

    Parameters:
        x: (N, H, W, C)
        matrices: (N, C, C) float64: A of each picture
        moves: (N, C) float64: b of each picture
        low: (C,) float64: the least value of each channel
        high: (C,) float64: the largest
        out: (N, H, W, C)
    """
    found = np.einsum("nkc,nijc->nijk", matrices, x) + moves[:, None, None]
    out[...] = np.clip(found, low, high)
    return out
