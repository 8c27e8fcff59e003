# mypy: disallow-untyped-defs=False, disallow-incomplete-defs=False
"""Windows across a line of pixels, written as LLVM functions.

A pixel is done in whole vectors of channels, from the first of a line to the last: what a vector writes beyond its
pixel is written over by the next one.  So few channels cost no more than one vector.  Lines begin and end with as many
zeros as windows reach beyond them, and `LANES` numbers more at their end.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import cfunc, types
from numba.extending import intrinsic

from dltrain.kernels.compiled.emit import I32, I64, Writer, calling, integer, routine, writing
from dltrain.kernels.compiled.jit import compiled
from dltrain.kernels.compiled.tile import LANES


def sums(w: Writer, channels: Any, taps: Any, term: Callable[[Any, Any], Any], to: Any, scale: Any = None) -> None:
    """Write to[c] = scale Σ_k term(k, c) for all channels of a pixel."""
    with w.repeat(w.builder.sdiv(w.builder.add(channels, integer(LANES - 1)), integer(LANES))) as vector:
        c = w.builder.mul(vector, integer(LANES))
        total = w.slot(w.zero)
        w.builder.store(w.zero, total)
        with w.repeat(taps) as k:
            w.builder.store(w.builder.fadd(w.builder.load(total), term(k, c)), total)
        value = w.builder.load(total)
        w.store(value if scale is None else w.builder.fmul(scale, value), w.element(to, c))


def write_collect(
    w: Writer, count: Any, v: Any, stride: Any, taps: Any, channels: Any, scales: Any, out: Any
) -> None:  # fmt: skip
    """Write out[o] = scales[o] Σ_k v[o·stride + k]."""
    with w.repeat(count) as o:
        first = w.builder.mul(o, stride)

        def term(k: Any, c: Any, first: Any = first) -> Any:
            return w.load(w.element(v, w.builder.mul(w.builder.add(first, k), channels), c))

        to = w.element(out, w.builder.mul(o, channels))
        sums(w, channels, taps, term, to, w.number(w.element(scales, o)))


def write_chosen(
    w: Writer, count: Any, g: Any, number: Any, first: Any, stride: Any, taps: Any, channels: Any, out: Any
) -> None:
    """Write out[o·stride + r] = Σ_m g[o - m] where number[o - m] = first + r + m·stride, r + m·stride < taps."""
    numbers = ir.VectorType(I32, LANES)
    least, more = w.builder.sdiv(taps, stride), w.builder.srem(taps, stride)
    with w.repeat(count) as o, w.repeat(stride) as r:
        windows = w.builder.add(least, w.builder.zext(w.builder.icmp_signed("<", r, more), I64))

        def term(m: Any, c: Any, o: Any = o, r: Any = r) -> Any:
            window = w.builder.mul(w.builder.sub(o, m), channels)
            point = w.builder.add(w.builder.add(first, r), w.builder.mul(m, stride))
            seen = w.builder.bitcast(w.load(w.element(number, window, c)), numbers)
            here = w.builder.icmp_signed("==", seen, w.spread(w.builder.trunc(point, I32)))
            return w.builder.select(here, w.load(w.element(g, window, c)), w.zero)

        pixel = w.builder.add(w.builder.mul(o, stride), r)
        sums(w, channels, windows, term, w.element(out, w.builder.mul(pixel, channels)))


COLLECT = routine("dltrain_across_collect", 7, LANES, write_collect)
CHOSEN = routine("dltrain_across_chosen", 8, LANES, write_chosen)


@intrinsic
def _collect(_, count, v, stride, taps, channels, scales, out):
    return writing(COLLECT, count, v, stride, taps, channels, scales, out)


def collect_routine(count, v, stride, taps, channels, scales, out):
    """The body of the C function that `collect` calls."""
    _collect(count, v, stride, taps, channels, scales, out)


@intrinsic
def collect(_, table, count, v, stride, taps, channels, scales, out):
    """out[o] = scales[o] Σ_k v[o·stride + k] for `count` windows of so many taps; addresses in bytes."""
    return calling(0, table, count, v, stride, taps, channels, scales, out)


@intrinsic
def _chosen(_, count, g, number, first, stride, taps, channels, out):
    return writing(CHOSEN, count, g, number, first, stride, taps, channels, out)


def chosen_routine(count, g, number, first, stride, taps, channels, out):
    """The body of the C function that `chosen` calls."""
    _chosen(count, g, number, first, stride, taps, channels, out)


@intrinsic
def chosen(_, table, count, g, number, first, stride, taps, channels, out):
    """out[o·stride + r] = Σ_m g[o - m] where `number` (int32) is first + r + m·stride, for o < count and m ≥ 0."""
    return calling(1, table, count, g, number, first, stride, taps, channels, out)


ROUTINES = {collect_routine: 7, chosen_routine: 8}


def compile_routines() -> list[Any]:
    """The routines as C functions, in the order of their slots."""
    return [cfunc(types.void(*[types.int64] * count), cache=True)(routine) for routine, count in ROUTINES.items()]


compiled.known["across_routines"] = compile_routines
compiled.known["across_table"] = lambda: np.array([made.address for made in compiled.across_routines], np.int64)
compiled.known["across"] = lambda: compiled.across_table.ctypes.data
