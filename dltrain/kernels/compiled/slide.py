# mypy: disallow-untyped-defs=False, disallow-incomplete-defs=False
"""A filter for each channel that slides along a line of pixels, channels side by side, written as LLVM functions.

Where a tap of the kernel lies, seen from the line's first pixel, is looked up in a table of bytes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import cfunc, types
from numba.extending import intrinsic

from dltrain.kernels.compiled.emit import Writer, calling, integer, routine, writing
from dltrain.kernels.compiled.jit import compiled
from dltrain.kernels.compiled.planar import offset
from dltrain.kernels.compiled.tile import LANES

PIXELS = 8  # whose sums are made at once
TAPS = 9  # whose gradients are made at once: all of a kernel of 3 × 3


def each_vector(w: Writer, channels: Any, body: Callable[[Any, Any], None]) -> None:
    """Write body(first channel, mask) for all channels."""
    with w.repeat(w.builder.sdiv(channels, integer(LANES))) as vector:
        body(w.builder.mul(vector, integer(LANES)), None)
    left = w.builder.srem(channels, integer(LANES))
    with w.builder.if_then(w.builder.icmp_signed("!=", left, integer(0))):
        body(w.builder.sub(channels, left), w.mask(0, left))


def write_slide(
    w: Writer, count: Any, x: Any, step: Any, offsets: Any, taps: Any, weights: Any, channels: Any, start: Any, out: Any
) -> None:
    """Write out[o, c] = start[c] + Σ_k W[k, c] · x[o·step + offset_k + c]."""

    def body(c: Any, mask: Any) -> None:
        begin = w.load(w.element(start, c), mask)

        def some(first: Any, pixels: int) -> None:
            sums = [w.slot(w.zero) for _ in range(pixels)]
            for place in sums:
                w.builder.store(begin, place)
            base = w.element(x, w.builder.mul(first, step), c)
            with w.repeat(taps) as k:
                weight = w.load(w.element(weights, w.builder.mul(k, channels), c), mask)
                at = w.builder.add(base, offset(w, offsets, k))
                for p, place in enumerate(sums):
                    seen = w.load(w.element(at, w.builder.mul(step, integer(p))), mask)
                    w.builder.store(w.multiply_add(weight, seen, w.builder.load(place)), place)
            to = w.element(out, w.builder.mul(first, channels), c)
            for p, place in enumerate(sums):
                w.store(w.builder.load(place), w.element(to, w.builder.mul(channels, integer(p))), mask)

        blocks = w.builder.sdiv(count, integer(PIXELS))
        with w.repeat(blocks) as block:
            some(w.builder.mul(block, integer(PIXELS)), PIXELS)
        with w.repeat(w.builder.srem(count, integer(PIXELS))) as pixel:
            some(w.builder.add(w.builder.mul(blocks, integer(PIXELS)), pixel), 1)

    each_vector(w, channels, body)


def write_gather(
    w: Writer, count: Any, x: Any, step: Any, offsets: Any, groups: Any, dz: Any, channels: Any, sums: Any
) -> None:
    """Write S[k, c] += Σ_o x[o·step + offset_k + c] · dz[o, c]."""

    def body(c: Any, mask: Any) -> None:
        with w.repeat(groups) as group:
            k0 = w.builder.mul(group, integer(TAPS))
            taps = [w.builder.add(k0, integer(k)) for k in range(TAPS)]
            to = [w.element(sums, w.builder.mul(k, channels), c) for k in taps]
            seen = [w.element(w.builder.add(x, offset(w, offsets, k)), c) for k in taps]
            places = [w.slot(w.zero) for _ in taps]
            for place, address in zip(places, to, strict=True):
                w.builder.store(w.load(address, mask), place)
            with w.repeat(count) as o:
                gradient = w.load(w.element(dz, w.builder.mul(o, channels), c), mask)
                at = w.builder.mul(o, step)
                for place, base in zip(places, seen, strict=True):
                    pixel = w.load(w.element(base, at), mask)
                    w.builder.store(w.multiply_add(pixel, gradient, w.builder.load(place)), place)
            for place, address in zip(places, to, strict=True):
                w.store(w.builder.load(place), address, mask)

    each_vector(w, channels, body)


SLIDE = routine("dltrain_slide", 9, LANES, write_slide)
GATHER = routine("dltrain_slide_gather", 8, LANES, write_gather)


@intrinsic
def _slide(_, count, x, step, offsets, taps, weights, channels, start, out):
    return writing(SLIDE, count, x, step, offsets, taps, weights, channels, start, out)


def slide_routine(count, x, step, offsets, taps, weights, channels, start, out):
    """The body of the C function that `slide` calls."""
    _slide(count, x, step, offsets, taps, weights, channels, start, out)


@intrinsic
def slide(_, table, count, x, step, offsets, taps, weights, channels, start, out):
    """out[o, c] = start[c] + Σ_k W[k, c] · x[o·step + offset_k + c] for `count` pixels; addresses in bytes."""
    return calling(0, table, count, x, step, offsets, taps, weights, channels, start, out)


@intrinsic
def _gather(_, count, x, step, offsets, groups, dz, channels, sums):
    return writing(GATHER, count, x, step, offsets, groups, dz, channels, sums)


def gather_routine(count, x, step, offsets, groups, dz, channels, sums):
    """The body of the C function that `slide_weights` calls."""
    _gather(count, x, step, offsets, groups, dz, channels, sums)


@intrinsic
def slide_weights(_, table, count, x, step, offsets, groups, dz, channels, sums):
    """S[k, c] += Σ_o x[o·step + offset_k + c] · dz[o, c] over `count` pixels, for `groups` of TAPS taps."""
    return calling(1, table, count, x, step, offsets, groups, dz, channels, sums)


ROUTINES = {slide_routine: 9, gather_routine: 8}


def compile_routines() -> list[Any]:
    """The routines as C functions, in the order of their slots."""
    return [cfunc(types.void(*[types.int64] * count), cache=True)(routine) for routine, count in ROUTINES.items()]


compiled.known["slide_routines"] = compile_routines
compiled.known["slide_table"] = lambda: np.array([made.address for made in compiled.slide_routines], np.int64)
compiled.known["slides"] = lambda: compiled.slide_table.ctypes.data
