"""Convolution and its two backwards, each by the algorithm that suits it."""

from __future__ import annotations

from types import ModuleType
from typing import Any

from dltrain.kernels.arrays import Array, Derived, Empty
from dltrain.kernels.compiled import (
    convolution_dense,
    convolution_depthwise,
    convolution_direct,
    convolution_planar,
    convolution_winograd,
)
from dltrain.kernels.compiled.convolution_job import Job, Shape, job, tidy
from dltrain.kernels.compiled.dense import CODES, NONE
from dltrain.kernels.compiled.jit import FLOAT32, compiled, fits
from dltrain.kernels.reference import convolution as reference
from dltrain.kernels.window import Window


def algorithm(of: Job, image: Shape) -> ModuleType:
    """The module whose four functions do the work: by channel, dense, planar, Winograd's, or the sum over the points.

    It is chosen by the shapes alone, and not by the batch: a sample's result does not depend on how many there are.

    Parameters:
        of: the convolution
        image: shape of what is made, or for the gradient of the weights of what it is made from: of.x or of.out
    """
    if 1 < of.groups == of.x[4] == of.out[4]:
        return convolution_depthwise
    if convolution_dense.suits(of):
        return convolution_dense
    if convolution_planar.suits(of, image):
        return convolution_planar
    return convolution_winograd if convolution_winograd.suits(of) else convolution_direct


def convolution(
    x: Array, W: Array, b: Array | None, activation: str, window: Window, out: Array, empty: Empty
) -> Array:
    """See the reference."""
    if not (fits(W, b, out) and x.dtype == FLOAT32 and x.size):
        return reference.convolution(x, W, b, activation, window, out, empty)
    of = job(x.shape, W.shape, out.shape, window, compiled.threads)
    algorithm(of, of.out).forward(
        of, tidy(x).reshape(of.x), W.reshape(of.W), NONE if b is None else b, CODES[activation], out.reshape(of.out),
        empty,
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
    algorithm(of, of.out).inference(
        of, tidy(x).reshape(of.x), weights.reshape(of.W), NONE if b is None else b, CODES[activation],
        out.reshape(of.out), empty, derived,
    )  # fmt: skip
    return out


def convolution_weights(
    x: Array, y: Array, dy: Array, dW: Array, db: Array | None, activation: str, window: Window, add: bool, empty: Empty
) -> Array:
    """See the reference."""
    if not (fits(dW, db) and x.dtype == y.dtype == dy.dtype == FLOAT32 and x.size):
        return reference.convolution_weights(x, y, dy, dW, db, activation, window, add, empty)
    of = job(x.shape, dW.shape, dy.shape, window, compiled.threads)
    algorithm(of, of.out).weights(
        of, tidy(x).reshape(of.x), tidy(y).reshape(of.out), tidy(dy).reshape(of.out), dW.reshape(of.W),
        NONE if db is None else db, CODES[activation], add, empty,
    )  # fmt: skip
    return dW


def convolution_inputs(
    W: Array, y: Array, dy: Array, dx: Array, activation: str, window: Window, empty: Empty
) -> Array:
    """See the reference."""
    if not (fits(W, dx) and y.dtype == dy.dtype == FLOAT32 and dx.size):
        return reference.convolution_inputs(W, y, dy, dx, activation, window, empty)
    of = job(dx.shape, W.shape, dy.shape, window, compiled.threads)
    algorithm(of, of.x).inputs(
        of, W.reshape(of.W), tidy(y).reshape(of.out), tidy(dy).reshape(of.out), dx.reshape(of.x), CODES[activation],
        empty,
    )  # fmt: skip
    return dx
