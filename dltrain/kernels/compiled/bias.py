# mypy: disallow-untyped-defs=False, disallow-incomplete-defs=False
"""A bias and its gradient, by the loops of batch normalization: with mean 0 and scale 1 those only add β."""

from __future__ import annotations

import math

import numpy as np
from numba import prange

from dltrain.kernels.arrays import Array
from dltrain.kernels.compiled.jit import FLOAT32, PARALLEL, compiled, kernel, parts
from dltrain.kernels.compiled.lines import IMAGE, has_lines, in_common
from dltrain.kernels.compiled.moments import add_rows, rows_of_image, total_of, zeros
from dltrain.kernels.compiled.normalization import NONE
from dltrain.kernels.compiled.pointwise import F
from dltrain.kernels.reference import bias as reference


@kernel(f"{IMAGE} f1 bool int", **PARALLEL)
def sum_rows(x, total, add, threads):
    """total (+)= Σ x over the rows of an image."""
    N, C = rows_of_image(x), x.shape[4]
    sums = zeros(threads * C).reshape((threads, C))
    if threads == 1:
        add_rows(x, 0, N, sums[0])
    else:
        for t in prange(threads):
            add_rows(x, t * N // threads, (t + 1) * N // threads, sums[t])
    found = total_of(sums)
    for j in range(total.size):
        total[j] = F(found[j]) + (total[j] if add else F(0))


def add_bias(x: Array, b: Array, out: Array) -> Array:
    """See the reference."""
    try:
        if not has_lines(out):
            raise TypeError
        rows, results = in_common(x, out)
        mean, inv_std = np.zeros(b.shape, FLOAT32), np.ones(b.shape, FLOAT32)
        compiled.transform_all(rows, NONE, b, mean, inv_std, -math.inf, results, parts(x.size))
    except TypeError:
        return reference.add_bias(x, b, out)
    return out


def bias_gradient(dy: Array, db: Array, add: bool) -> Array:
    """See the reference."""
    try:
        compiled.sum_rows(*in_common(dy), db, add, parts(dy.size))
    except TypeError:
        return reference.bias_gradient(dy, db, add)
    return db
