"""What is done to weights beside the optimizer: running averages, and limits of their norms."""

from __future__ import annotations

import numpy as np

from dltrain.kernels.arrays import Array


def blend(average: Array, value: Array, share: float) -> Array:
    """average = average + share · (value - average), in place.

    Parameters:
        average: (n,), changed
        value: (n,)
        share: how much the value counts, from 0 to 1
    """
    if share == 1:  # else rounding would leave a trace of what the average was before
        average[...] = value
    else:
        average += share * (value - average)
    return average


def limit_norms(kernel: Array, lowest: float, highest: float) -> Array:
    """Scale the last axis' columns, in place, so that their norms lie between two numbers; zeros stay.

    w = w · min(max(‖w‖, lowest), highest) / ‖w‖  for each column w; where all norms are right, nothing is written.

    Parameters:
        kernel: (…, O)
        lowest: the smallest norm
        highest: the largest norm
    """
    columns = kernel.reshape(-1, kernel.shape[-1])
    wide = columns.astype(np.float64)  # the square of 1e20 is no float32
    norms = np.sqrt(np.einsum("io,io->o", wide, wide))
    wrong = ((norms < lowest) | (norms > highest)) & (norms > 0)
    if wrong.any():
        factors = np.ones_like(norms)
        np.divide(norms.clip(lowest, highest), norms, out=factors, where=wrong)
        kernel[...] = kernel * factors
    return kernel
