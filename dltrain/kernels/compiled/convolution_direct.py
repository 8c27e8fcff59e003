"""The convolution that sums over the points of its kernel, on the register tile: every one that has no better way."""

from __future__ import annotations

import numpy as np

from dltrain.kernels.arrays import Array, Derived, Empty
from dltrain.kernels.compiled import convolution_backward, convolution_forward  # noqa: F401  (registers the kernels)
from dltrain.kernels.compiled.convolution_job import Job
from dltrain.kernels.compiled.gemm import DEPTH
from dltrain.kernels.compiled.jit import FLOAT32, compiled
from dltrain.kernels.compiled.tile import WIDTH


def forward(of: Job, x: Array, W: Array, b: Array, activation: int, out: Array, empty: Empty) -> None:
    """out = f(x * W + b); b may be empty."""
    blocks, bunch, scratch = block(of, empty)
    compiled.convolve(
        compiled.tile, x, W, empty(of.panels, FLOAT32), b, out, *of.window, activation, blocks, bunch, scratch,
        of.threads,
    )  # fmt: skip


def inference(
    of: Job, x: Array, W: Array, b: Array, activation: int, out: Array, empty: Empty, derived: Derived
) -> None:
    """The same, for weights that stay as they are over many calls."""
    blocks, bunch, scratch = block(of, empty)
    panels = derived("panels", of.panels, lambda into: compiled.pack_kernel(compiled.tile, W, of.groups, into))
    compiled.convolve_packed(
        compiled.tile, x, of.W[:3], panels, b, out, *of.window, activation, blocks, bunch, scratch, of.threads
    )


def weights(
    of: Job, x: Array, y: Array, dy: Array, dW: Array, db: Array, activation: int, add: bool, empty: Empty
) -> None:
    """dW (+)= Σ xᵀ dz, db (+)= Σ dz where it is not empty, dz = dy f'(y)."""
    (_, _, _, columns, filters), (_, _, wide, channels, _) = of.out, of.W
    lines = max(1, DEPTH // columns)
    row = ((columns - 1) * of.strides[2] + (wide - 1) * of.dilation[2] + 1) * channels
    panel = -(-filters // of.groups // WIDTH) * WIDTH * lines * columns
    compiled.convolve_weights(
        compiled.tile, x, y, dy, dW, db, *of.window, activation, add, lines, empty((of.threads, dW.size), FLOAT32),
        empty((of.threads, filters), np.dtype(np.float64)), empty((of.threads, lines * row), FLOAT32),
        empty((of.threads, panel), FLOAT32), of.threads,
    )  # fmt: skip


def inputs(of: Job, W: Array, y: Array, dy: Array, dx: Array, activation: int, empty: Empty) -> None:
    """dx = Σ dz Wᵀ, dz = dy f'(y)."""
    _, high, wide, channels, filters = of.W
    (_, _, rows, columns, _), (_, down, across), filters = of.x, of.strides, filters // of.groups
    row = ((columns - 1) // across + (wide - 1) * of.dilation[2] // across + 3) * filters
    blocks = of.blocks(rows, row // down)
    seen = (-(-rows // blocks) - 1) // down + (high - 1) * of.dilation[1] // down + 3
    bunch = of.bunch(rows * columns, seen * row) if blocks == 1 else 1
    panels = (of.groups * -(-channels // WIDTH), W.size // channels // of.groups + WIDTH, WIDTH)
    compiled.convolve_inputs(
        compiled.tile, W, y, dy, empty(panels, FLOAT32), dx, *of.window, activation, blocks, bunch,
        empty((of.threads, bunch * seen * row), FLOAT32), of.threads,
    )  # fmt: skip


def block(of: Job, empty: Empty) -> tuple[int, int, Array]:
    """Into how many blocks a plane of the output is cut or how many are one, and memory for what each thread sees."""
    (_, _, rows, columns, _), (_, high, wide, channels, _) = of.out, of.W
    (_, down, across), (_, tall, broad) = of.strides, of.dilation
    row = ((columns - 1) * across + (wide - 1) * broad + 1) * channels
    blocks = of.blocks(rows, row * down)
    seen = (-(-rows // blocks) - 1) * down + (high - 1) * tall + 1
    bunch = of.bunch(rows * columns, seen * row) if blocks == 1 else 1
    return blocks, bunch, empty((of.threads, bunch * seen * row), FLOAT32)
