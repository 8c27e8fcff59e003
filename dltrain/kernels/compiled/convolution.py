"""Convolution and its two backwards on the register tile: sequences and images are volumes of one row, of one plane."""

from __future__ import annotations

from functools import lru_cache
from math import prod
from typing import Any, NamedTuple

import numpy as np

from dltrain.kernels.arrays import Array, Derived, Empty
from dltrain.kernels.compiled import (  # noqa: F401  (registers the kernels)
    convolution_backward,
    convolution_depthwise,
    convolution_forward,
)
from dltrain.kernels.compiled.dense import CODES, NONE, SERIAL
from dltrain.kernels.compiled.gemm import DEPTH, copies
from dltrain.kernels.compiled.jit import FLOAT32, compiled, fits
from dltrain.kernels.compiled.tile import WIDTH
from dltrain.kernels.reference import convolution as reference
from dltrain.kernels.window import Window

NEAR = 96 * 1024  # float32 numbers of an image that a thread copies at once: they stay in the second-level cache
PIXELS = 128  # of small images that are multiplied together, since each panel must come from far

Shape = tuple[int, ...]


class Job(NamedTuple):
    """A convolution as the kernels are told it: everything of three axes.

    Parameters:
        x: shape of x, (N, D, H, W, C)
        W: shape of W, (KD, KH, KW, C / groups, O)
        out: shape of the output, (N, D', H', W', O)
        strides: of the three axes
        dilation: of the three axes
        before: zeros before each axis
        groups: of the channels
        threads: how many share the work
    """

    x: Shape
    W: Shape
    out: Shape
    strides: Shape
    dilation: Shape
    before: Shape
    groups: int
    threads: int

    @property
    def window(self) -> tuple[Shape, Shape, Shape, int]:
        """How the kernel moves."""
        return self.strides, self.dilation, self.before, self.groups

    @property
    def depthwise(self) -> bool:
        """Whether each channel has one filter of its own."""
        return 1 < self.groups == self.x[4] == self.out[4]

    @property
    def panels(self) -> Shape:
        """Shape of W in panels."""
        filters = self.W[4] // self.groups
        return self.groups * -(-filters // WIDTH), prod(self.W[:4]), WIDTH

    def blocks(self, rows: int, row: int) -> int:
        """Into how many blocks the rows of a plane are cut, each of so many numbers: small, and enough for all."""
        planes = self.x[0] * self.x[1]
        return min(rows, max(copies(planes, self.threads), -(-rows * row // NEAR)))

    def bunch(self, plane: int, seen: int) -> int:
        """How many planes, each of so many pixels that see so many numbers, a thread takes at once to use a panel well.

        The planes of a volume differ in which taps they meet, and are taken one by one.
        """
        few = min(PIXELS // plane, NEAR // seen, -(-self.x[0] // self.threads)) if self.W[0] == self.x[1] == 1 else 1
        return max(1, few)


@lru_cache(maxsize=4096)
def job(x: Shape, W: Shape, out: Shape, window: Window, threads: int) -> Job:
    """What is to be done, as a volume; a kernel of one point takes the whole image as one row."""
    missing = 3 - len(window.strides)
    if prod(W[:-2]) == 1 and x[1:-1] == out[1:-1] and not any(window.before):
        x, out = (x[0], 1, 1, prod(x[1:-1]), x[-1]), (out[0], 1, 1, prod(out[1:-1]), out[-1])
        W, window, missing = (1, 1, 1, *W[-2:]), Window((1,) * 3, (1,) * 3, (0,) * 3, window.groups), 0
    ones, zeros = (1,) * missing, (0,) * missing
    if prod(out) * prod(W[:-1]) < SERIAL:
        threads = 1
    return Job(
        (x[0], *ones, *x[1:]), (*ones, *W), (out[0], *ones, *out[1:]),
        (*ones, *window.strides), (*ones, *window.dilation), (*zeros, *window.before), window.groups, threads,
    )  # fmt: skip


def convolution(
    x: Array, W: Array, b: Array | None, activation: str, window: Window, out: Array, empty: Empty
) -> Array:
    """See the reference."""
    if not (fits(W, b, out) and x.dtype == FLOAT32 and x.size):
        return reference.convolution(x, W, b, activation, window, out, empty)
    of = job(x.shape, W.shape, out.shape, window, compiled.threads)
    if of.depthwise:
        return depthwise(of, x, W, b, activation, out)
    blocks, bunch, scratch = block(of, empty)
    compiled.convolve(
        compiled.tile, tidy(x).reshape(of.x), W.reshape(of.W), empty(of.panels, FLOAT32), NONE if b is None else b,
        out.reshape(of.out), *of.window, CODES[activation], blocks, bunch, scratch, of.threads,
    )  # fmt: skip
    return out


def convolution_inference(
    x: Array, W: Any, b: Array | None, activation: str, window: Window, out: Array, empty: Empty, derived: Derived
) -> Array:
    """See the reference."""
    weights = W.value
    if not (fits(weights, b, out) and x.dtype == FLOAT32 and x.size):
        return reference.convolution(x, weights, b, activation, window, out, empty)
    of = job(x.shape, weights.shape, out.shape, window, compiled.threads)
    if of.depthwise:
        return depthwise(of, x, weights, b, activation, out)
    blocks, bunch, scratch = block(of, empty)
    panels = derived(
        "panels", of.panels, lambda into: compiled.pack_kernel(compiled.tile, weights.reshape(of.W), of.groups, into)
    )
    compiled.convolve_packed(
        compiled.tile, tidy(x).reshape(of.x), of.W[:3], panels, NONE if b is None else b, out.reshape(of.out),
        *of.window, CODES[activation], blocks, bunch, scratch, of.threads,
    )  # fmt: skip
    return out


def depthwise(of: Job, x: Array, W: Array, b: Array | None, activation: str, out: Array) -> Array:
    """out = f(x * W + b) with one filter for each channel; weights lie as they are needed."""
    compiled.depthwise(
        tidy(x).reshape(of.x), W.reshape(of.W), NONE if b is None else b, out.reshape(of.out), *of.window[:3],
        CODES[activation], of.threads,
    )  # fmt: skip
    return out


def convolution_weights(
    x: Array, y: Array, dy: Array, dW: Array, db: Array | None, activation: str, window: Window, add: bool, empty: Empty
) -> Array:
    """See the reference."""
    if not (fits(dW, db) and x.dtype == y.dtype == dy.dtype == FLOAT32 and x.size):
        return reference.convolution_weights(x, y, dy, dW, db, activation, window, add, empty)
    of = job(x.shape, dW.shape, dy.shape, window, compiled.threads)
    (_, _, _, columns, filters), (_, _, wide, channels, _) = of.out, of.W
    part, sums = empty((of.threads, dW.size), FLOAT32), empty((of.threads, filters), np.dtype(np.float64))
    if of.depthwise:
        compiled.depthwise_weights(
            tidy(x).reshape(of.x), tidy(y).reshape(of.out), tidy(dy).reshape(of.out), dW.reshape(of.W),
            NONE if db is None else db, *of.window[:3], CODES[activation], add, part, sums,
            empty((of.threads, columns * filters), FLOAT32), of.threads,
        )  # fmt: skip
        return dW
    lines = max(1, DEPTH // columns)
    row = ((columns - 1) * of.strides[2] + (wide - 1) * of.dilation[2] + 1) * channels
    panel = -(-filters // of.groups // WIDTH) * WIDTH * lines * columns
    compiled.convolve_weights(
        compiled.tile, tidy(x).reshape(of.x), tidy(y).reshape(of.out), tidy(dy).reshape(of.out), dW.reshape(of.W),
        NONE if db is None else db, *of.window, CODES[activation], add, lines, part, sums,
        empty((of.threads, lines * row), FLOAT32), empty((of.threads, panel), FLOAT32), of.threads,
    )  # fmt: skip
    return dW


def convolution_inputs(
    W: Array, y: Array, dy: Array, dx: Array, activation: str, window: Window, empty: Empty
) -> Array:
    """See the reference."""
    if not (fits(W, dx) and y.dtype == dy.dtype == FLOAT32 and dx.size):
        return reference.convolution_inputs(W, y, dy, dx, activation, window, empty)
    of = job(dx.shape, W.shape, dy.shape, window, compiled.threads)
    if of.depthwise:
        compiled.depthwise_inputs(
            W.reshape(of.W), tidy(y).reshape(of.out), tidy(dy).reshape(of.out), dx.reshape(of.x), *of.window[:3],
            CODES[activation], empty((of.threads, of.out[3] * of.out[4]), FLOAT32), of.threads,
        )  # fmt: skip
        return dx
    _, high, wide, channels, filters = of.W
    (_, _, rows, columns, _), (_, down, across), filters = of.x, of.strides, filters // of.groups
    row = ((columns - 1) // across + (wide - 1) * of.dilation[2] // across + 3) * filters
    blocks = of.blocks(rows, row // down)
    seen = (-(-rows // blocks) - 1) // down + (high - 1) * of.dilation[1] // down + 3
    bunch = of.bunch(rows * columns, seen * row) if blocks == 1 else 1
    panels = (of.groups * -(-channels // WIDTH), W.size // channels // of.groups + WIDTH, WIDTH)
    compiled.convolve_inputs(
        compiled.tile, W.reshape(of.W), tidy(y).reshape(of.out), tidy(dy).reshape(of.out), empty(panels, FLOAT32),
        dx.reshape(of.x), *of.window, CODES[activation], blocks, bunch,
        empty((of.threads, bunch * seen * row), FLOAT32), of.threads,
    )  # fmt: skip
    return dx


def tidy(x: Array) -> Array:
    """x itself, or a copy where it lies in another order or may not be written to, which the kernels refuse."""
    return x if x.flags.carray else np.array(x, order="C")


def block(of: Job, empty: Empty) -> tuple[int, int, Array]:
    """Into how many blocks a plane of the output is cut or how many are one, and memory for what each thread sees."""
    (_, _, rows, columns, _), (_, high, wide, channels, _) = of.out, of.W
    (_, down, across), (_, tall, broad) = of.strides, of.dilation
    row = ((columns - 1) * across + (wide - 1) * broad + 1) * channels
    blocks = of.blocks(rows, row * down)
    seen = (-(-rows // blocks) - 1) * down + (high - 1) * tall + 1
    bunch = of.bunch(rows * columns, seen * row) if blocks == 1 else 1
    return blocks, bunch, empty((of.threads, bunch * seen * row), FLOAT32)
