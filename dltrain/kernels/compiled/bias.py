# mypy: disallow-untyped-defs=False, disallow-incomplete-defs=False
"""A bias and its gradient, for what no product has added it to."""

from __future__ import annotations

import numpy as np
from numba import njit, prange

from dltrain.kernels.arrays import Array
from dltrain.kernels.compiled.channels import part_of, repeated, rows_at_once
from dltrain.kernels.compiled.jit import FLOAT32, INNER, PARALLEL, PLAIN, compiled, kernel, parts
from dltrain.kernels.compiled.lines import IMAGE, has_lines, in_common
from dltrain.kernels.compiled.moments import add_rows, rows_of_image, total_of, zeros
from dltrain.kernels.compiled.pointwise import F
from dltrain.kernels.reference import bias as reference


@njit(**INNER, **PLAIN)
def add_to_rows(x, b, r0, r1):
    """x += b for some rows, in place: two arrays that may be one would keep LLVM from using vectors."""
    W, C = x.shape[3:]
    pattern = repeated(b, rows_at_once(W, C))
    for i in range(r0 // W, -(-r1 // W)):
        line = part_of(x, i, r0, r1)
        for first in range(0, line.size, pattern.size):
            piece = line[first : first + pattern.size]
            for j in range(piece.size):
                piece[j] += pattern[j]


@kernel(f"{IMAGE} f1 int", **PARALLEL)
def add_to_all(x, b, threads):
    """x += b for all rows of an image."""
    N = rows_of_image(x)
    if threads == 1:
        add_to_rows(x, b, 0, N)
    else:
        for t in prange(threads):
            add_to_rows(x, b, t * N // threads, (t + 1) * N // threads)


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
    if not (has_lines(out) and x.dtype == out.dtype == FLOAT32):
        return reference.add_bias(x, b, out)
    if out is not x:
        np.copyto(out, x)
    try:
        compiled.add_to_all(*in_common(out), b, parts(out.size))
    except TypeError:
        return reference.add_bias(out, b, out)
    return out


def bias_gradient(dy: Array, db: Array, add: bool) -> Array:
    """See the reference."""
    try:
        compiled.sum_rows(*in_common(dy), db, add, parts(dy.size))
    except TypeError:
        return reference.bias_gradient(dy, db, add)
    return db
