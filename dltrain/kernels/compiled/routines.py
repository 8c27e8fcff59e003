# mypy: disallow-untyped-defs=False, disallow-incomplete-defs=False
"""The routines of the register tile, as Numba functions see them.

They are compiled once, as C functions, and kernels call them through a table of addresses: had every kernel
a copy of its own, compiling would take three times as long.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import cfunc, types
from numba.extending import intrinsic

from dltrain.kernels.compiled import tile as written
from dltrain.kernels.compiled.emit import calling, writing
from dltrain.kernels.compiled.jit import compiled


@intrinsic
def _multiply(_, rows, panels, count, ar, a, ai, ak, ao, b, bk, bo, bp, start, si, c, ci, inner, outer, columns, relu):
    return writing(
        written.CHOICE,
        rows,
        panels,
        count,
        ar,
        a,
        ai,
        ak,
        ao,
        b,
        bk,
        bo,
        bp,
        start,
        si,
        c,
        ci,
        inner,
        outer,
        columns,
        relu,
    )


def multiply_routine(
    rows, panels, count, ar, a, ai, ak, ao, b, bk, bo, bp, start, si, c, ci, inner, outer, columns, relu
):
    """The body of the C function that `multiply` calls."""
    _multiply(rows, panels, count, ar, a, ai, ak, ao, b, bk, bo, bp, start, si, c, ci, inner, outer, columns, relu)


@intrinsic
def multiply(
    _, tile, rows, panels, count, ar, a, ai, ak, ao, b, bk, bo, bp, start, si, c, ci, inner, outer, columns, relu
):
    """Tiles below each other: C = start + A B for `count` × `rows` rows of C and 1 or AT_ONCE[rows] panels of B.

    With 0 panels only the first vector of one panel is read, which is enough for results of at most LANES columns.

    Parameters:
        tile: `compiled.tile`
        rows: rows of a tile, 1 to ROWS
        panels: panels of B, `bp` elements apart
        count, ar: number of tiles, and how far each lies down A from the one before
        a, ai, ak, ao: address of A, and its strides along rows, inner and outer terms of the sum
        b, bk, bo, bp: address of B, and its strides along inner and outer terms and panels
        start, si: address of what is added to the sums (C itself; a bias with row stride 0), or 0
        c, ci: address of C and its row stride
        inner, outer: numbers of terms
        columns: how many columns of C there are from here on
        relu: 1 to store max(0, sum)
    """
    return calling(
        0, tile, rows, panels, count, ar, a, ai, ak, ao, b, bk, bo, bp, start, si, c, ci, inner, outer, columns, relu
    )


@intrinsic
def _pack_rows(_, source, stride, rows, columns, panel):
    return writing(written.PACK_ROWS, source, stride, rows, columns, panel)


def pack_rows_routine(source, stride, rows, columns, panel):
    """The body of the C function that `pack_rows` calls."""
    _pack_rows(source, stride, rows, columns, panel)


@intrinsic
def pack_rows(_, tile, source, stride, rows, columns, panel):
    """panel[k, j] = source[k, j] for k < rows; 0 where j ≥ columns."""
    return calling(1, tile, source, stride, rows, columns, panel)


@intrinsic
def _pack_columns(_, source, stride, rows, columns, panel):
    return writing(written.PACK_COLUMNS, source, stride, rows, columns, panel)


def pack_columns_routine(source, stride, rows, columns, panel):
    """The body of the C function that `pack_columns` calls."""
    _pack_columns(source, stride, rows, columns, panel)


@intrinsic
def pack_columns(_, tile, source, stride, rows, columns, panel):
    """panel[k, j] = source[j, k] for k < rows; 0 where j ≥ columns, and up to a multiple of WIDTH rows."""
    return calling(2, tile, source, stride, rows, columns, panel)


@intrinsic
def _pack_gradient(_, dy, y, stride, rows, columns, activation, panel, sums):
    return writing(written.PACK_GRADIENT, dy, y, stride, rows, columns, activation, panel, sums)


def pack_gradient_routine(dy, y, stride, rows, columns, activation, panel, sums):
    """The body of the C function that `pack_gradient` calls."""
    _pack_gradient(dy, y, stride, rows, columns, activation, panel, sums)


@intrinsic
def pack_gradient(_, tile, dy, y, stride, rows, columns, activation, panel, sums):
    """panel[k, j] = dy[k, j] f'(y[k, j]) and sums[j] = Σ_k panel[k, j]; 0 where j ≥ columns."""
    return calling(3, tile, dy, y, stride, rows, columns, activation, panel, sums)


ROUTINES = {multiply_routine: 20, pack_rows_routine: 5, pack_columns_routine: 5, pack_gradient_routine: 8}


def compile_routines() -> list[Any]:
    """The routines as C functions, in the order of their slots."""
    return [cfunc(types.void(*[types.int64] * count), cache=True)(routine) for routine, count in ROUTINES.items()]


compiled.known["routines"] = compile_routines
compiled.known["table"] = lambda: np.array([routine.address for routine in compiled.routines], np.int64)
compiled.known["tile"] = lambda: compiled.table.ctypes.data
