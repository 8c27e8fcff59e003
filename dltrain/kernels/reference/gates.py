"""One factor for each channel of each example, and the sums that its gradient takes."""

from __future__ import annotations

import numpy as np

from dltrain.kernels.arrays import Array


@np.errstate(invalid="ignore", over="ignore")
def scale_channels(x: Array, s: Array, out: Array) -> Array:
    """out = x s, where s has no axes between the first and the last.

    Parameters:
        x: (N, …, C)
        s: (N, C)
        out: the shape of x

    Source: Hu, Shen and Sun 2018, Squeeze-and-excitation networks.
    """
    out[...] = x * s.reshape(len(s), *(1,) * (x.ndim - 2), s.shape[1])
    return out


@np.errstate(invalid="ignore", over="ignore")
def channel_products(x: Array, y: Array, out: Array) -> Array:
    """out = Σ x y over all axes but the first and the last.

    Parameters:
        x: (N, …, C)
        y: the shape of x
        out: (N, C)
    """
    wide = np.result_type(x.dtype, np.float64)
    out[...] = (x * y).sum(tuple(range(1, x.ndim - 1)), dtype=wide)
    return out
