"""What a compiled convolution is told of its work: sequences and images are volumes of one row, of one plane."""

from __future__ import annotations

from functools import lru_cache
from math import prod
from typing import NamedTuple

import numpy as np

from dltrain.kernels.arrays import Array
from dltrain.kernels.compiled.dense import SERIAL
from dltrain.kernels.compiled.gemm import copies
from dltrain.kernels.compiled.tile import WIDTH
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


def tidy(x: Array) -> Array:
    """x itself, or a copy where it lies in another order or may not be written to, which the kernels refuse."""
    return x if x.flags.carray else np.array(x, order="C")
