# mypy: disallow-untyped-defs=False, disallow-incomplete-defs=False
"""Loops over planes, with neighbouring pixels side by side in a vector, written as LLVM functions.

The columns of a register tile are filters: where there are few, most of its lanes are empty.  Here they are pixels:
each channel is a plane of its own, a tap of the kernel is the same plane read a little further on, and where it lies
is looked up in a table, so that taps, dilation and channels are one loop:

    correlate   C[i, p] = start[i] + Σ_k A[k, i] · B[p + offset_k]
    reduce      S[k, i, lane] += Σ_p x[p + offset_k] · z[i, p]        p ≡ lane
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from numba import cfunc, types
from numba.extending import intrinsic

from dltrain.kernels.compiled.emit import I64, Body, Writer, calling, integer, routine, writing
from dltrain.kernels.compiled.jit import compiled
from dltrain.kernels.compiled.tile import LANES, ROWS, transposed

SUMS = ROWS * (3 if ROWS == 8 else 2)  # vectors of sums in registers: three quarters of them
MOST = 8  # vectors of one plane at once, where there are few planes
ACROSS = (1, *(min(MOST, SUMS // rows) for rows in range(1, ROWS + 1)))  # by the number of planes
PAD = MOST * LANES  # numbers that are read and written beyond the end of a plane


def offset(w: Writer, table: Any, index: Any) -> Any:
    """A number of bytes from a table."""
    place = w.builder.inttoptr(w.builder.add(table, w.builder.mul(index, integer(8))), I64.as_pointer())
    return w.builder.load(place)


def write_correlate(
    rows: int, w: Writer, count: Any, a: Any, ak: Any, b: Any, offsets: Any, terms: Any, start: Any, c: Any, ci: Any
) -> None:
    """Write the loop over `count` times ACROSS[rows] vectors of pixels, whose sums are made in registers."""
    across = range(ACROSS[rows])
    begin = [w.number(w.element(start, i)) for i in range(rows)]
    with w.repeat(count) as panel:
        pixel = w.builder.mul(panel, integer(len(across) * LANES))
        from_b, to = w.element(b, pixel), w.element(c, pixel)
        sums = [[w.slot(w.zero) for _ in across] for _ in begin]
        for places, value in zip(sums, begin, strict=True):
            for place in places:
                w.builder.store(value, place)
        a_slot = w.slot(a)
        w.builder.store(a, a_slot)
        with w.repeat(terms) as k:
            at = w.builder.add(from_b, offset(w, offsets, k))
            pixels = [w.load(w.element(at, v * LANES)) for v in across]
            at_a = w.builder.load(a_slot)
            for i, places in enumerate(sums):
                weight = w.number(w.element(at_a, i))
                for place, seen in zip(places, pixels, strict=True):
                    w.builder.store(w.multiply_add(weight, seen, w.builder.load(place)), place)
            w.builder.store(w.element(at_a, ak), a_slot)
        for i, places in enumerate(sums):
            row = w.element(to, w.builder.mul(ci, integer(i)))
            for v, place in enumerate(places):
                w.store(w.builder.load(place), w.element(row, v * LANES))


def write_reduce(
    rows: int, w: Writer, count: Any, z: Any, zi: Any, x: Any, offsets: Any, groups: Any, sums: Any, sk: Any
) -> None:
    """Write the loop over groups of ACROSS[rows] taps, each over `count` vectors of pixels."""
    taps = range(ACROSS[rows])
    with w.repeat(groups) as group:
        k0 = w.builder.mul(group, integer(len(taps)))
        to = [w.element(sums, w.builder.mul(w.builder.add(k0, integer(k)), sk)) for k in taps]
        seen = [w.builder.add(x, offset(w, offsets, w.builder.add(k0, integer(k)))) for k in taps]
        places = [[w.slot(w.zero) for _ in range(rows)] for _ in taps]
        for k in taps:
            for i in range(rows):
                w.builder.store(w.load(w.element(to[k], i * LANES)), places[k][i])
        with w.repeat(count) as vector:
            at = w.builder.mul(vector, integer(LANES))
            pixels = [w.load(w.element(base, at)) for base in seen]
            for i in range(rows):
                gradient = w.load(w.element(z, at, w.builder.mul(zi, integer(i))))
                for k in taps:
                    w.builder.store(w.multiply_add(pixels[k], gradient, w.builder.load(places[k][i])), places[k][i])
        for k in taps:
            for i in range(rows):
                w.store(w.builder.load(places[k][i]), w.element(to[k], i * LANES))


def write_split(w: Writer, count: Any, source: Any, channels: Any, to: Any, plane: Any) -> None:
    """Write to[c, p] = source[p, c], by squares turned over in registers."""
    blocks = w.builder.sdiv(w.builder.add(count, integer(LANES - 1)), integer(LANES))
    across = w.builder.sdiv(w.builder.add(channels, integer(LANES - 1)), integer(LANES))
    with w.repeat(blocks) as block, w.repeat(across) as part:
        p, c = w.builder.mul(block, integer(LANES)), w.builder.mul(part, integer(LANES))
        at = w.element(source, w.builder.mul(p, channels), c)
        lines = [w.load(w.element(at, w.builder.mul(channels, integer(i)))) for i in range(LANES)]
        left, into = w.builder.sub(channels, c), w.element(to, w.builder.mul(c, plane), p)
        for i, line in enumerate(transposed(w, lines)):
            with w.builder.if_then(w.builder.icmp_signed(">", left, integer(i))):
                w.store(line, w.element(into, w.builder.mul(plane, integer(i))))


def write_join(w: Writer, count: Any, source: Any, plane: Any, channels: Any, to: Any) -> None:
    """Write to[p, c] = source[c, p], for at most LANES channels."""
    blocks = w.builder.sdiv(w.builder.add(count, integer(LANES - 1)), integer(LANES))
    mask = w.mask(0, channels)
    last = w.builder.sub(channels, integer(1))
    with w.repeat(blocks) as block:
        p = w.builder.mul(block, integer(LANES))
        lines = []
        for i in range(LANES):
            there = w.builder.icmp_signed(">", channels, integer(i))
            lines.append(w.load(w.element(source, w.builder.mul(w.builder.select(there, integer(i), last), plane), p)))
        left, into = w.builder.sub(count, p), w.element(to, w.builder.mul(p, channels))
        for i, line in enumerate(transposed(w, lines)):
            with w.builder.if_then(w.builder.icmp_signed(">", left, integer(i)), likely=True):
                w.store(line, w.element(into, w.builder.mul(channels, integer(i))), mask)


def write_rows(kind: str, w: Writer, rows: Any, *arguments: Any) -> None:
    """Write the jump to the loop of a number of rows that is known only when it runs."""
    end = w.function.append_basic_block("end")
    choice = w.builder.switch(rows, end)
    for count in range(1, ROWS + 1):
        block = w.function.append_basic_block(f"rows_{count}")
        choice.add_case(integer(count), block)
        w.builder.position_at_end(block)
        w.builder.call(LOOPS[kind, count](w.function.module), list(arguments))
        w.builder.branch(end)
    w.builder.position_at_end(end)


WRITERS: dict[str, tuple[Body, int]] = {"correlate": (write_correlate, 9), "reduce": (write_reduce, 8)}
LOOPS = {
    (kind, rows): routine(f"dltrain_planar_{kind}_{rows}", arguments, LANES, partial(write, rows))
    for kind, (write, arguments) in WRITERS.items()
    for rows in range(1, ROWS + 1)
}
CORRELATE = routine("dltrain_planar_correlate", 10, LANES, partial(write_rows, "correlate"))
REDUCE = routine("dltrain_planar_reduce", 9, LANES, partial(write_rows, "reduce"))
SPLIT = routine("dltrain_planar_split", 5, LANES, write_split)
JOIN = routine("dltrain_planar_join", 5, LANES, write_join)


@intrinsic
def _correlate(_, rows, count, a, ak, b, offsets, terms, start, c, ci):
    return writing(CORRELATE, rows, count, a, ak, b, offsets, terms, start, c, ci)


def correlate_routine(rows, count, a, ak, b, offsets, terms, start, c, ci):
    """The body of the C function that `correlate` calls."""
    _correlate(rows, count, a, ak, b, offsets, terms, start, c, ci)


@intrinsic
def correlate(_, table, rows, count, a, ak, b, offsets, terms, start, c, ci):
    """C[i, p] = start[i] + Σ_k A[k, i] · B[p + offset_k] for `count` times ACROSS[rows] vectors of pixels.

    Parameters:
        table: `compiled.planes`
        rows: of C, from 1 to ROWS
        count: of blocks of pixels
        a, ak: address of A, and how many numbers its rows are apart
        b: address of B
        offsets, terms: address of a table of bytes, one for each term of the sums
        start: address of what each row begins with
        c, ci: address of C, and how many numbers its rows are apart
    """
    return calling(0, table, rows, count, a, ak, b, offsets, terms, start, c, ci)


@intrinsic
def _reduce(_, rows, count, z, zi, x, offsets, groups, sums, sk):
    return writing(REDUCE, rows, count, z, zi, x, offsets, groups, sums, sk)


def reduce_routine(rows, count, z, zi, x, offsets, groups, sums, sk):
    """The body of the C function that `reduce` calls."""
    _reduce(rows, count, z, zi, x, offsets, groups, sums, sk)


@intrinsic
def reduce(_, table, rows, count, z, zi, x, offsets, groups, sums, sk):
    """S[k, i, lane] += Σ_p x[p + offset_k] · z[i, p] over `count` vectors of pixels.

    Parameters:
        table: `compiled.planes`
        rows: of z, from 1 to ROWS
        count: of vectors of pixels
        z, zi: address of z, and how many numbers its rows are apart
        x: address of x
        offsets, groups: address of a table of bytes, of so many groups of ACROSS[rows] numbers
        sums, sk: address of S, and how many numbers its rows k are apart
    """
    return calling(1, table, rows, count, z, zi, x, offsets, groups, sums, sk)


@intrinsic
def _split(_, count, source, channels, to, plane):
    return writing(SPLIT, count, source, channels, to, plane)


def split_routine(count, source, channels, to, plane):
    """The body of the C function that `split` calls."""
    _split(count, source, channels, to, plane)


@intrinsic
def split(_, table, count, source, channels, to, plane):
    """to[c, p] = source[p, c] for `count` pixels; up to LANES - 1 pixels more, and as many numbers, are touched."""
    return calling(2, table, count, source, channels, to, plane)


@intrinsic
def _join(_, count, source, plane, channels, to):
    return writing(JOIN, count, source, plane, channels, to)


def join_routine(count, source, plane, channels, to):
    """The body of the C function that `join` calls."""
    _join(count, source, plane, channels, to)


@intrinsic
def join(_, table, count, source, plane, channels, to):
    """to[p, c] = source[c, p] for `count` pixels of at most LANES channels; nothing else is written."""
    return calling(3, table, count, source, plane, channels, to)


ROUTINES = {correlate_routine: 10, reduce_routine: 9, split_routine: 5, join_routine: 5}


def compile_routines() -> list[Any]:
    """The routines as C functions, in the order of their slots."""
    return [cfunc(types.void(*[types.int64] * count), cache=True)(routine) for routine, count in ROUTINES.items()]


compiled.known["planar_routines"] = compile_routines
compiled.known["planar_table"] = lambda: np.array([made.address for made in compiled.planar_routines], np.int64)
compiled.known["planes"] = lambda: compiled.planar_table.ctypes.data
