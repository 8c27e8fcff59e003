"""Running averages of weights, compiled; see `optim` for how the loops are cut."""

from __future__ import annotations

from numba import njit, prange

from dltrain.kernels.arrays import Array
from dltrain.kernels.compiled.optim import BLOCK, OPTIONS, PARALLEL, f4


@njit(**OPTIONS)
def _blend(average, value, share):  # type: ignore[no-untyped-def]
    part = f4(share)
    if part == f4(1):
        for i in range(value.size):
            average[i] = value[i]
    else:
        for i in range(value.size):
            average[i] += part * (value[i] - average[i])


@njit(parallel=True, **OPTIONS)
def _blend_blocks(average, value, share):  # type: ignore[no-untyped-def]
    n = value.size
    for block in prange((n + BLOCK - 1) // BLOCK):
        part = slice(block * BLOCK, min(n, (block + 1) * BLOCK))
        _blend(average[part], value[part], share)


def blend(average: Array, value: Array, share: float) -> Array:
    """average = average + share · (value - average)."""
    run = _blend if value.size < PARALLEL else _blend_blocks
    run(average, value, share)
    return average
