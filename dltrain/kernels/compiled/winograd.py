# mypy: disallow-untyped-defs=False, disallow-incomplete-defs=False
"""The transforms of Winograd's convolution F(4 × 4, 3 × 3), written as LLVM functions on vectors of channels.

A polynomial of degree 5 is known by its values at six points.  The product of two polynomials has the products of their
values, so the 4 results of 3 taps along a line take 6 products instead of 12, and in the plane 36 instead of 144:

    y = Rᵀ [(G w Gᵀ) ⊙ (D x Dᵀ)] R        w (3, 3), x (6, 6), y (4, 4)

The points are 0, 1, -1, 2, -2 and ∞.  Row i of G and of R holds the powers of point i, scaled in G; D is what remains.
All three have rows in pairs, for a point and its opposite, that differ in the sign of every second number: the even and
the odd half of a sum are made once, added and subtracted.

Source: Winograd: Arithmetic complexity of computations, 1980; Lavin, Gray: Fast algorithms for convolutional neural
networks, 2016.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from llvmlite import ir
from numba import cfunc, types
from numba.extending import intrinsic

from dltrain.kernels.arrays import Array
from dltrain.kernels.compiled.emit import F32, Writer, calling, integer, routine, writing
from dltrain.kernels.compiled.jit import compiled
from dltrain.kernels.compiled.tile import LANES

TILE, TAPS = 4, 3  # results and taps along a line
POINTS = TILE + TAPS - 1
VALUES = POINTS * POINTS
ONE = POINTS + 1  # the product at the points (1, 1): its value is the sum of a tile, and the whole of a constant one
D = np.array(
    [
        [4, 0, -5, 0, 1, 0],
        [0, -4, -4, 1, 1, 0],
        [0, 4, -4, -1, 1, 0],
        [0, -2, -1, 2, 1, 0],
        [0, 2, -1, -2, 1, 0],
        [0, 4, 0, -5, 0, 1],
    ]
)
G = np.array([[6, 0, 0], [-4, -4, -4], [-4, 4, -4], [1, 2, 4], [1, -2, 4], [0, 0, 24]]) / 24
R = np.array([[1, 0, 0, 0], [1, 1, 1, 1], [1, -1, 1, -1], [1, 2, 4, 8], [1, -2, 4, -8], [0, 0, 0, 1]])

Line = Callable[[Writer, list[Any]], list[Any]]  # a transform along a line


def halves(matrix: Array) -> Array:
    """A matrix of a row a point, with the even and the odd half of each pair's row in place of the pair."""
    split = matrix.astype(float)
    for i in (1, 3):
        split[i], split[i + 1] = (matrix[i] + matrix[i + 1]) / 2, (matrix[i] - matrix[i + 1]) / 2
    return split


def pairs(w: Writer, values: list[Any]) -> list[Any]:
    """Sum and difference of each pair of points' values."""
    zero, *between, infinity = values
    both = [
        made
        for a, b in zip(between[::2], between[1::2], strict=True)
        for made in (w.builder.fadd(a, b), w.builder.fsub(a, b))
    ]
    return [zero, *both, infinity]


def weighted(w: Writer, weights: Array, values: list[Any]) -> Any:
    """Σ weights · values, for constant weights of which many are 0, 1 or -1."""
    terms = sorted(((c, v) for c, v in zip(weights, values, strict=True) if c), key=lambda term: term[0] != 1)
    total = None
    for c, value in terms:
        if c == 1:
            total = value if total is None else w.builder.fadd(total, value)
        elif c == -1 and total is not None:
            total = w.builder.fsub(total, value)
        else:
            constant = ir.Constant(w.vector, [float(c)] * w.lanes)
            total = w.builder.fmul(constant, value) if total is None else w.multiply_add(constant, value, total)
    return total


def to_points(matrix: Array, w: Writer, values: list[Any]) -> list[Any]:
    """matrix · values: a line's values at the six points."""
    return pairs(w, [weighted(w, row, values) for row in halves(matrix)])


def from_points(matrix: Array, w: Writer, values: list[Any]) -> list[Any]:
    """matrixᵀ · values: the adjoint of `to_points`."""
    folded = pairs(w, values)
    return [weighted(w, row, folded) for row in halves(matrix).T]


def square(line: Line, seen: int, w: Writer, at: Any, down: Any, across: Any, mask: Any) -> list[list[Any]]:
    """L X Lᵀ of a square X in memory, one line after the other."""
    rows = [w.element(at, w.builder.mul(down, integer(i))) for i in range(seen)]
    x = [[w.load(w.element(row, w.builder.mul(across, integer(j))), mask) for j in range(seen)] for row in rows]
    columns = [line(w, [row[j] for row in x]) for j in range(seen)]
    return [line(w, list(row)) for row in zip(*columns, strict=True)]


def write_transform(
    line: Line, seen: int, clipped: bool, w: Writer, source: Any, down: Any, across: Any, to: Any, to_down: Any,
    to_across: Any, channels: Any, rows: Any, columns: Any, relu: Any,
) -> None:  # fmt: skip
    """Write Y = L X Lᵀ for some channels; where it is clipped, by `rows`, `columns` and `relu`, see `transform`."""
    limit = w.builder.select(
        w.builder.icmp_signed("!=", relu, integer(0)), ir.Constant(F32, 0.0), ir.Constant(F32, float("-inf"))
    )
    floor = w.spread(limit)

    def body(first: Any, mask: Any) -> None:
        y = square(line, seen, w, w.element(source, first), down, across, mask)
        for i, j in np.ndindex(len(y), len(y)):
            place = w.element(to, first, w.builder.mul(to_down, integer(i)), w.builder.mul(to_across, integer(j)))
            if not clipped:
                w.store(y[i][j], place, mask)
                continue
            inside = w.builder.and_(
                w.builder.icmp_signed(">", rows, integer(i)), w.builder.icmp_signed(">", columns, integer(j))
            )
            with w.builder.if_then(inside, likely=True):
                low = w.builder.fcmp_ordered("<", y[i][j], floor)  # NaN stays NaN
                w.store(w.builder.select(low, floor, y[i][j]), place, mask)

    with w.repeat(w.builder.sdiv(channels, integer(LANES))) as vector:
        body(w.builder.mul(vector, integer(LANES)), None)
    left = w.builder.srem(channels, integer(LANES))
    with w.builder.if_then(w.builder.icmp_signed("!=", left, integer(0))):
        body(w.builder.sub(channels, left), w.mask(0, left))


DATA, FILTER, RESULT, RESULT_BACKWARD, FILTER_BACKWARD = range(5)
TRANSFORMS = {
    DATA: (partial(to_points, D), POINTS, False),
    FILTER: (partial(to_points, G), TAPS, False),
    RESULT: (partial(from_points, R), POINTS, True),
    RESULT_BACKWARD: (partial(to_points, R), TILE, False),
    FILTER_BACKWARD: (partial(from_points, G), POINTS, False),
}
ROUTINES = {
    kind: routine(f"dltrain_winograd_{kind}", 10, LANES, partial(write_transform, *how))
    for kind, how in TRANSFORMS.items()
}


def write_choice(w: Writer, kind: Any, *arguments: Any) -> None:
    """Write the jump to one of the transforms."""
    end = w.function.append_basic_block("end")
    choice = w.builder.switch(kind, end)
    for key, get in ROUTINES.items():
        block = w.function.append_basic_block(f"kind_{key}")
        choice.add_case(integer(key), block)
        w.builder.position_at_end(block)
        w.builder.call(get(w.function.module), list(arguments))
        w.builder.branch(end)
    w.builder.position_at_end(end)


CHOICE = routine("dltrain_winograd", 11, LANES, write_choice)


@intrinsic
def _transform(_, kind, source, down, across, to, to_down, to_across, channels, rows, columns, relu):
    return writing(CHOICE, kind, source, down, across, to, to_down, to_across, channels, rows, columns, relu)


def transform_routine(kind, source, down, across, to, to_down, to_across, channels, rows, columns, relu):
    """The body of the C function that `transform` calls."""
    _transform(kind, source, down, across, to, to_down, to_across, channels, rows, columns, relu)


@intrinsic
def transform(_, table, kind, source, down, across, to, to_down, to_across, channels, rows, columns, relu):
    """Y = L X Lᵀ for some channels side by side, L being D, G, Rᵀ, R or Gᵀ.

    Parameters:
        table: `compiled.transforms`
        kind: DATA, FILTER, RESULT, RESULT_BACKWARD, FILTER_BACKWARD
        source, down, across: address of X, and how many numbers its rows and its columns are apart
        to, to_down, to_across: the same of Y
        channels: how many, neighbours in memory; none beyond is touched
        rows, columns: of a result, how many are stored of each axis
        relu: of a result, 1 to store max(0, y)
    """
    return calling(0, table, kind, source, down, across, to, to_down, to_across, channels, rows, columns, relu)


compiled.known["transform_routine"] = lambda: cfunc(types.void(*[types.int64] * 11), cache=True)(transform_routine)
compiled.known["transform_table"] = lambda: np.array([compiled.transform_routine.address], np.int64)
compiled.known["transforms"] = lambda: compiled.transform_table.ctypes.data
