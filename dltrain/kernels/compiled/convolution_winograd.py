"""Winograd's convolution F(4 × 4, 3 × 3): a quarter of the products of a kernel of 3 × 3 points."""

from __future__ import annotations

import numpy as np

from dltrain.kernels.arrays import Array, Derived, Empty
from dltrain.kernels.compiled import winograd_passes  # noqa: F401  (registers the kernels)
from dltrain.kernels.compiled.convolution_job import Job, Shape
from dltrain.kernels.compiled.dense import NONE
from dltrain.kernels.compiled.jit import FLOAT32, compiled
from dltrain.kernels.compiled.tile import LINE, LINEAR, WIDTH
from dltrain.kernels.compiled.winograd import TAPS, TILE, VALUES

LEAST = 24  # channels and filters from which on the products saved are more than the transforms cost
TILES = (
    32  # multiplied with a panel while it is in the cache; their values at the points stay in the second-level cache
)


def suits(of: Job) -> bool:
    """Whether a convolution has 3 × 3 points side by side, enough channels, and fills the tiles at least by half."""
    (_, deep, rows, columns, _), (first, *sizes, channels, filters) = of.out, of.W
    plain = of.x[1] == deep == first == of.groups == 1 and sizes == [TAPS, TAPS]
    dense = of.strides[1:] == of.dilation[1:] == (1, 1) and not of.before[0]
    return plain and dense and min(channels, filters) >= LEAST and 2 * rows * columns >= pixels(of.out)


def pixels(image: Shape) -> int:
    """How many pixels the tiles of an image cover."""
    return -(-image[2] // TILE) * -(-image[3] // TILE) * TILE * TILE


def filters(of: Job, W: Array, turned: bool, into: Array) -> None:
    """into = the filters at Winograd's points, in panels; turned over for the way back."""
    taps = W.reshape(TAPS * TAPS, *W.shape[3:])
    compiled.winograd_filters(compiled.tile, compiled.transforms, taps, turned, into, of.threads)


def panels(terms: int, columns: int) -> Shape:
    """Shape of the filters in panels."""
    return -(-columns // WIDTH), VALUES, terms, WIDTH


def scratch(of: Job, image: Shape, channels: int, empty: Empty) -> tuple[int, list[Array]]:
    """How many lines of tiles are done at once; each thread's memory for what it sees, and for the values of its
    channels and of a panel at the points.

    One more line of the cache lies between two points: at a distance of a power of two they would share few sets.
    """
    high, wide = -(-image[2] // TILE), -(-image[3] // TILE)
    lines = max(1, min(TILES // wide, -(-image[0] * high // of.threads)))
    seen = (TILE + TAPS - 1) * (wide * TILE + TAPS - 1) * channels
    values, products = (VALUES * (lines * wide * each + LINE) for each in (channels, WIDTH))
    return lines, [empty((of.threads, size), FLOAT32) for size in (seen, values, products)]


def correlate(
    of: Job, x: Array, y: Array, damping: int, panels: Array, b: Array, before: Shape, activation: int, out: Array,
    empty: Empty,
) -> None:  # fmt: skip
    """out = f(x f'(y) * W + b) for filters in panels."""
    lines, memory = scratch(of, out.shape, x.shape[4], empty)
    compiled.winograd_correlate(
        compiled.tile, compiled.transforms, x, y, damping, panels, b, out, before, activation, lines, *memory,
        of.threads,
    )  # fmt: skip


def forward(of: Job, x: Array, W: Array, b: Array, activation: int, out: Array, empty: Empty) -> None:
    """out = f(x * W + b); b may be empty."""
    made = empty(panels(*of.W[3:]), FLOAT32)
    filters(of, W, False, made)
    correlate(of, x, x, LINEAR, made, b, of.before, activation, out, empty)


def inference(
    of: Job, x: Array, W: Array, b: Array, activation: int, out: Array, empty: Empty, derived: Derived
) -> None:
    """The same, for weights that stay as they are over many calls."""
    made = derived("winograd", panels(*of.W[3:]), lambda into: filters(of, W, False, into))
    correlate(of, x, x, LINEAR, made, b, of.before, activation, out, empty)


def inputs(of: Job, W: Array, y: Array, dy: Array, dx: Array, activation: int, empty: Empty) -> None:
    """dx = Σ dz Wᵀ, dz = dy f'(y): dz meets the filters turned over."""
    _, _, _, channels, count = of.W
    made = empty(panels(count, channels), FLOAT32)
    filters(of, W, True, made)
    before = (0, TAPS - 1 - of.before[1], TAPS - 1 - of.before[2])
    correlate(of, dy, y, activation, made, NONE, before, LINEAR, dx, empty)


def weights(
    of: Job, x: Array, y: Array, dy: Array, dW: Array, db: Array, activation: int, add: bool, empty: Empty
) -> None:
    """dW (+)= Σ xᵀ dz, db (+)= Σ dz where it is not empty, dz = dy f'(y)."""
    _, _, _, channels, count = of.W
    lines, memory = scratch(of, of.out, channels, empty)
    wide = -(-of.out[3] // TILE)
    compiled.winograd_weights(
        compiled.tile, compiled.transforms, x, y, dy, dW.reshape(TAPS * TAPS, channels, count), db, of.before,
        activation, add, lines, empty((of.threads, *panels(channels, count)), FLOAT32),
        empty((of.threads, count), np.dtype(np.float64)), *memory,
        empty((of.threads, lines, TILE * TILE * wide * count), FLOAT32), of.threads,
    )  # fmt: skip
