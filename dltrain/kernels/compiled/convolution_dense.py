"""A convolution of one point, without strides: one matrix product of all pixels with the kernel."""

from __future__ import annotations

from dltrain.kernels.arrays import Array, Derived, Empty
from dltrain.kernels.compiled.convolution_job import Job
from dltrain.kernels.compiled.dense import NO_2D, NONE, product, product_backward, product_packed


def suits(of: Job) -> bool:
    """Whether each pixel of the output comes from the one pixel of x at its place."""
    return of.W[:3] == of.strides == (1, 1, 1) and of.x[:4] == of.out[:4] and not any(of.before) and of.groups == 1


def forward(of: Job, x: Array, W: Array, b: Array, activation: int, out: Array, empty: Empty) -> None:
    """out = f(x W + b); b may be empty."""
    product(pixels(x), W[0, 0, 0], b, activation, pixels(out), empty)


def inference(
    of: Job, x: Array, W: Array, b: Array, activation: int, out: Array, empty: Empty, derived: Derived
) -> None:
    """The same, for weights that stay as they are over many calls."""
    product_packed(pixels(x), W[0, 0, 0], b, activation, pixels(out), derived)


def weights(
    of: Job, x: Array, y: Array, dy: Array, dW: Array, db: Array, activation: int, add: bool, empty: Empty
) -> None:
    """dW (+)= xᵀ dz, db (+)= Σ dz where it is not empty, dz = dy f'(y)."""
    into = dW[0, 0, 0]
    product_backward(pixels(x), into, pixels(y), pixels(dy), into, db, NO_2D, activation, add, empty)


def inputs(of: Job, W: Array, y: Array, dy: Array, dx: Array, activation: int, empty: Empty) -> None:
    """dx = dz Wᵀ, dz = dy f'(y)."""
    to = pixels(dx)
    product_backward(to, W[0, 0, 0], pixels(y), pixels(dy), NO_2D, NONE, to, activation, False, empty)


def pixels(image: Array) -> Array:
    """(N, D, H, W, C) as the rows of a matrix."""
    return image.reshape(-1, image.shape[-1])
