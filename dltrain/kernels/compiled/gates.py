# mypy: disallow-untyped-defs=False, disallow-incomplete-defs=False
"""One factor for each channel of each example; the examples are dealt out to the threads."""

from __future__ import annotations

from numba import njit, prange

from dltrain.kernels.arrays import Array
from dltrain.kernels.compiled.channels import part_of, repeated, rows_at_once
from dltrain.kernels.compiled.jit import INNER, PARALLEL, PLAIN, compiled, kernel, parts
from dltrain.kernels.compiled.lines import IMAGE, has_lines, in_common
from dltrain.kernels.compiled.moments import fold, rows_of_image, zeros
from dltrain.kernels.reference import gates as reference


@njit(**INNER, **PLAIN)
def scale_line(x, s, out):
    """out = x s for a line, of which s covers a vector."""
    for i in range(0, x.size, s.size):
        a, o = x[i : i + s.size], out[i : i + s.size]
        for j in range(a.size):
            o[j] = a[j] * s[j]


@njit(**INNER, **PLAIN)
def multiply_line(x, y, total):
    """total += Σ x y over the vectors of a line."""
    for i in range(0, x.size, total.size):
        a, b = x[i : i + total.size], y[i : i + total.size]
        for j in range(a.size):
            total[j] += a[j] * b[j]


@njit(**INNER)
def scale_examples(x, s, out, n0, n1):
    """Some examples of `scale_images`."""
    rows, W, C = rows_of_image(x) // max(len(s), 1), x.shape[3], x.shape[4]
    for n in range(n0, n1):
        factors = repeated(s[n], rows_at_once(min(W, rows), C))
        r0, r1 = n * rows, (n + 1) * rows
        for i in range(r0 // W, -(-r1 // W)):
            scale_line(part_of(x, i, r0, r1), factors, part_of(out, i, r0, r1))


@kernel(f"{IMAGE} f2 {IMAGE} int", **PARALLEL)
def scale_images(x, s, out, threads):
    """See `reference.scale_channels`."""
    if threads == 1:
        scale_examples(x, s, out, 0, len(s))
    else:
        for t in prange(threads):
            scale_examples(x, s, out, t * len(s) // threads, (t + 1) * len(s) // threads)


@njit(**INNER)
def multiply_examples(x, y, out, n0, n1):
    """Some examples of `multiply_images`."""
    rows, W, C = rows_of_image(x) // max(len(out), 1), x.shape[3], x.shape[4]
    for n in range(n0, n1):
        sums, total = zeros(rows_at_once(min(W, rows), C) * C), zeros(C)
        r0, r1 = n * rows, (n + 1) * rows
        for i in range(r0 // W, -(-r1 // W)):
            multiply_line(part_of(x, i, r0, r1), part_of(y, i, r0, r1), sums)
        fold(sums, total)
        for c in range(C):
            out[n, c] = total[c]


@kernel(f"{IMAGE} {IMAGE} f2 int", **PARALLEL)
def multiply_images(x, y, out, threads):
    """See `reference.channel_products`."""
    if threads == 1:
        multiply_examples(x, y, out, 0, len(out))
    else:
        for t in prange(threads):
            multiply_examples(x, y, out, t * len(out) // threads, (t + 1) * len(out) // threads)


def scale_channels(x: Array, s: Array, out: Array) -> Array:
    """See the reference."""
    try:
        if not has_lines(out) or not x.size:
            raise TypeError
        image, result = in_common(x, out)
        compiled.scale_images(image, s, result, parts(x.size))
    except TypeError:
        return reference.scale_channels(x, s, out)
    return out


def channel_products(x: Array, y: Array, out: Array) -> Array:
    """See the reference."""
    try:
        if not x.size:
            raise TypeError
        compiled.multiply_images(*in_common(x, y), out, parts(x.size))
    except TypeError:
        return reference.channel_products(x, y, out)
    return out
