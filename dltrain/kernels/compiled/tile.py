"""The register tile: the inner loops of every matrix product, written as LLVM functions.

`multiply` computes a few rows of a product and keeps them in registers from the first to the last term;
the `pack` routines bring the other factor into panels, `WIDTH` columns side by side, zero beyond the edge.
Six strides make `multiply` serve a product with either factor transposed, and a direct convolution:

    C[i, j] = start[i, j] + Σ_o Σ_k A[i·ai + k·ak + o·ao] · B[k·bk + o·bo + j]

Every element is summed in the order of k, one multiply-add after the other, whatever the tile, the batch and
the number of threads: a row's result does not depend on its neighbours.
"""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

from llvmlite import ir

from dltrain.kernels.compiled.emit import F32, I32, Writer, integer, routine
from dltrain.kernels.compiled.processor import tile

TILE = tile()
ROWS, VECTORS, LANES = TILE
WIDTH = TILE.columns
# Few rows leave registers free: they are multiplied with this many panels at once, to hide the latency.
AT_ONCE = (1, *(max(1, min(4, ROWS // rows)) for rows in range(1, ROWS + 1)))
LINE = 16  # float32 numbers in a cache line
LINEAR, RELU, TANH, SIGMOID = range(4)


class Product(NamedTuple):
    """What `multiply` is told of a product, as values of the routine that is written; see `routines.multiply`."""

    a: Any
    ai: Any
    ak: Any
    ao: Any
    b: Any
    bk: Any
    bo: Any
    bp: Any
    start: Any
    si: Any
    c: Any
    ci: Any
    inner: Any
    outer: Any
    columns: Any
    relu: Any


def write_multiply(rows: int, panels: int, w: Writer, count: Any, ar: Any, *product: Any) -> None:
    """Write the loop over `count` tiles of this many rows and panels, each of them `ar` further down A."""
    of = Product(*product)
    with w.repeat(count) as tile:
        down = w.builder.mul(tile, integer(rows))
        below = w.element(of.start, w.builder.mul(down, of.si))
        a, c = w.element(of.a, w.builder.mul(tile, ar)), w.element(of.c, w.builder.mul(down, of.ci))
        start = w.builder.select(w.absent(of.start), of.start, below)
        write_tile(rows, panels, w, of._replace(a=a, start=start, c=c))


def write_tile(rows: int, panels: int, w: Writer, product: Product) -> None:
    """Write one tile: its sums are made in registers, from the first to the last term; 0 panels are half a one."""
    a, ai, ak, ao, b, bk, bo, bp, start, si, c, ci, inner, outer, columns, relu = product
    lanes = [(v * LANES, v // VECTORS, v % VECTORS) for v in range(panels * VECTORS or 1)]
    places = [(i, *lane) for i in range(rows) for lane in lanes]
    sums = [w.slot(w.zero) for _ in places]
    full = w.builder.icmp_signed(">=", columns, integer(len(lanes) * LANES))

    def at(base: Any, stride: Any, i: int, first: int) -> Any:
        return w.element(base, w.builder.mul(stride, integer(i)), first)

    def load(masked: bool) -> None:
        for place, (i, first, _, _) in zip(sums, places, strict=True):
            w.builder.store(w.load(at(start, si, i, first), w.mask(first, columns) if masked else None), place)

    def store(masked: bool) -> None:
        limit = w.builder.select(w.builder.icmp_signed("!=", relu, integer(0)), zero, minus_infinity)
        floor = w.spread(limit)
        for place, (i, first, _, _) in zip(sums, places, strict=True):
            value = w.builder.load(place)
            value = w.builder.select(w.builder.fcmp_ordered("<", value, floor), floor, value)  # NaN stays NaN
            w.store(value, at(c, ci, i, first), w.mask(first, columns) if masked else None)

    for i in range(rows):  # C is not in the cache; while the sums are made there is time to fetch it
        for first in range(0, len(lanes) * LANES, LINE):
            w.fetch(at(c, ci, i, first))
    zero, minus_infinity = ir.Constant(F32, 0.0), ir.Constant(F32, float("-inf"))
    with w.builder.if_then(w.builder.not_(w.absent(start))):
        w.either(full, lambda: load(False), lambda: load(True))
    with w.repeat(outer) as o:
        # A pointer for every third row: three are reached from it by addressing alone, and the pointers advance
        # side by side instead of one after the other.
        first = w.element(a, w.builder.mul(o, ao))
        a_slots = [w.slot(w.element(first, w.builder.mul(ai, integer(i)))) for i in range(0, rows, 3)]
        b_slot = w.slot(w.element(b, w.builder.mul(o, bo)))
        with w.repeat(inner):
            at_a, at_b = [w.builder.load(slot) for slot in a_slots], w.builder.load(b_slot)

            def from_a(i: int, at_a: list[Any] = at_a) -> Any:
                return w.number(w.element(at_a[i // 3], w.builder.mul(ai, integer(i % 3))))

            def from_b(j: int, at_b: Any = at_b) -> Any:
                _, p, v = lanes[j]
                return w.load(w.element(at_b, w.builder.mul(bp, integer(p)), v * LANES))

            # The shorter side is loaded first and stays; the longer one comes one by one, to need no more registers.
            if rows < len(lanes):
                stay = [from_a(i) for i in range(rows)]
                pairs = ((i, j, stay[i], b_j) for j in range(len(lanes)) for b_j in [from_b(j)] for i in range(rows))
            else:
                stay = [from_b(j) for j in range(len(lanes))]
                pairs = ((i, j, a_i, stay[j]) for i in range(rows) for a_i in [from_a(i)] for j in range(len(lanes)))
            for i, j, a_i, b_j in pairs:
                place = sums[i * len(lanes) + j]
                w.builder.store(w.multiply_add(a_i, b_j, w.builder.load(place)), place)
            for slot, pointer in zip(a_slots, at_a, strict=True):
                w.builder.store(w.element(pointer, ak), slot)
            w.builder.store(w.element(at_b, bk), b_slot)
    w.either(full, lambda: store(False), lambda: store(True))


MULTIPLY = {
    (rows, panels): routine(f"dltrain_multiply_{rows}_{panels}", 18, LANES, partial(write_multiply, rows, panels))
    for rows in range(1, ROWS + 1)
    for panels in {0, 1, AT_ONCE[rows]}
}


def write_choice(w: Writer, rows: Any, panels: Any, *arguments: Any) -> None:
    """Write the jump to the tile of a number of rows and panels that is known only when it runs."""
    key = w.builder.add(w.builder.mul(rows, integer(8)), panels)
    end = w.function.append_basic_block("end")
    choice = w.builder.switch(key, end)
    for (count, wide), get in MULTIPLY.items():
        block = w.function.append_basic_block(f"rows_{count}_{wide}")
        choice.add_case(integer(8 * count + wide), block)
        w.builder.position_at_end(block)
        w.builder.call(get(w.function.module), list(arguments))
        w.builder.branch(end)
    w.builder.position_at_end(end)


CHOICE = routine("dltrain_multiply", 20, LANES, write_choice)


def write_pack_rows(w: Writer, source: Any, stride: Any, rows: Any, columns: Any, panel: Any) -> None:
    """Write panel[k, j] = source[k, j]."""

    def copy(masked: bool) -> None:
        masks = [w.mask(v * LANES, columns) if masked else None for v in range(VECTORS)]
        with w.repeat(rows) as k:
            row, to = w.element(source, w.builder.mul(k, stride)), w.element(panel, w.builder.mul(k, integer(WIDTH)))
            for v, mask in enumerate(masks):
                w.store(w.load(w.element(row, v * LANES), mask), w.element(to, v * LANES))

    full = w.builder.icmp_signed(">=", columns, integer(WIDTH))
    w.either(full, lambda: copy(False), lambda: copy(True))


def write_pack_columns(w: Writer, source: Any, stride: Any, rows: Any, columns: Any, panel: Any) -> None:
    """Write panel[k, j] = source[j, k], blocks of lanes × lanes turned over in registers.

    The rows of the panel are filled up to a multiple of WIDTH, with zeros.
    """
    panels = w.builder.sdiv(w.builder.add(rows, integer(WIDTH - 1)), integer(WIDTH))
    blocks = w.builder.mul(panels, integer(VECTORS))
    with w.repeat(blocks) as block:
        k = w.builder.mul(block, integer(LANES))
        left = w.builder.sub(rows, k)
        whole = w.builder.and_(
            w.builder.icmp_signed(">=", left, integer(LANES)), w.builder.icmp_signed(">=", columns, integer(WIDTH))
        )

        def turn(masked: bool, k: Any = k, left: Any = left) -> None:
            for v in range(VECTORS):
                lines = []
                for j in range(v * LANES, (v + 1) * LANES):
                    mask = None
                    if masked:
                        there = w.builder.icmp_signed(">", columns, integer(j))
                        mask = w.mask(0, w.builder.select(there, left, integer(0)))
                    lines.append(w.load(w.element(source, k, w.builder.mul(stride, integer(j))), mask))
                for i, line in enumerate(transposed(w, lines)):
                    row = w.builder.mul(w.builder.add(k, integer(i)), integer(WIDTH))
                    w.store(line, w.element(panel, row, v * LANES))

        w.either(whole, partial(turn, False), partial(turn, True))


def transposed(w: Writer, lines: list[Any]) -> list[Any]:
    """A square of vectors turned over, in log2(lanes) stages of exchanges between two of them."""
    lines, step = list(lines), LANES // 2
    while step:
        low = [lane if not lane & step else LANES + lane - step for lane in range(LANES)]
        high = [lane + step if not lane & step else LANES + lane for lane in range(LANES)]
        masks = [ir.Constant(ir.VectorType(I32, LANES), order) for order in (low, high)]
        for i in range(LANES):
            if not i & step:
                pair = lines[i], lines[i + step]
                lines[i], lines[i + step] = (w.builder.shuffle_vector(*pair, mask) for mask in masks)
        step //= 2
    return lines


def write_pack_gradient(
    w: Writer, dy: Any, y: Any, stride: Any, rows: Any, columns: Any, activation: Any, panel: Any, sums: Any
) -> None:
    """Write panel[k, j] = dy[k, j] f'(y[k, j]); sums[j] = Σ_k panel[k, j]."""
    end = w.function.append_basic_block("end")
    choice = w.builder.switch(activation, end)
    for code in (LINEAR, RELU, TANH, SIGMOID):
        block = w.function.append_basic_block(f"activation_{code}")
        choice.add_case(integer(code), block)
        w.builder.position_at_end(block)
        masks = [w.mask(v * LANES, columns) for v in range(VECTORS)]
        totals = [w.slot(w.zero) for _ in masks]
        with w.repeat(rows) as k:
            at, to = w.builder.mul(k, stride), w.element(panel, w.builder.mul(k, integer(WIDTH)))
            for v, mask in enumerate(masks):
                gradient = w.load(w.element(dy, at, v * LANES), mask)
                if code != LINEAR:
                    gradient = derivative(w, code, gradient, w.load(w.element(y, at, v * LANES), mask))
                w.store(gradient, w.element(to, v * LANES))
                w.builder.store(w.builder.fadd(w.builder.load(totals[v]), gradient), totals[v])
        for v, total in enumerate(totals):
            w.store(w.builder.load(total), w.element(sums, v * LANES))
        w.builder.branch(end)
    w.builder.position_at_end(end)


def derivative(w: Writer, activation: int, dy: Any, y: Any) -> Any:
    """dy f'(y) for two vectors."""
    if activation == RELU:
        return w.builder.select(w.builder.fcmp_ordered("<=", y, w.zero), w.zero, dy)
    one = ir.Constant(w.vector, [1.0] * LANES)
    if activation == TANH:
        return w.builder.fmul(dy, w.builder.fsub(one, w.builder.fmul(y, y)))
    return w.builder.fmul(dy, w.builder.fmul(y, w.builder.fsub(one, y)))


PACK_ROWS = routine("dltrain_pack_rows", 5, LANES, write_pack_rows)
PACK_COLUMNS = routine("dltrain_pack_columns", 5, LANES, write_pack_columns)
PACK_GRADIENT = routine("dltrain_pack_gradient", 8, LANES, write_pack_gradient)
