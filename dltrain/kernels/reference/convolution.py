"""Convolution over any number of axes, and its two backwards: one matrix product for each point of the kernel.

As everywhere in the field, "convolution" does not turn the kernel over:

    y[o] = Σ_k x[o·s - p + k·d] W[k] + b

for every axis, with x = 0 outside the image.  Its backward to the data is the same sum read from the other side.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from dltrain.kernels.arrays import Array, Derived, Empty, give, rows_of
from dltrain.kernels.reference.activations import ACTIVATIONS
from dltrain.kernels.window import Window, by_group, frame, framed, kernel_by_group, overlap, places


@np.errstate(invalid="ignore", over="ignore")
def convolution(
    x: Array, W: Array, b: Array | None, activation: str, window: Window, out: Array, empty: Empty
) -> Array:
    """out = f(x * W + b).

    Parameters:
        x: (N, *S, C), S the axes of the image
        W: (*K, C / groups, O)
        b: (O,), or None
        activation: f, one of linear, relu, tanh, sigmoid
        window: strides, dilation, zeros before the image, groups
        out: (N, *S', O); where it ends says how many zeros follow the image
        empty: scratch memory
    """
    whole = framed(x, W, out.shape, window)
    z = np.zeros((window.groups, prod(out.shape[:-1]), W.shape[-1] // window.groups), x.dtype)  # (G, N·S', O/G)
    for point, place in places(W, out.shape, window):
        z += by_group(whole[place], window.groups) @ kernel_by_group(W[point], window.groups)
    y = z.swapaxes(0, 1).reshape(out.shape)  # (N, *S', O)
    if b is not None:
        y = y + b
    out[...] = ACTIVATIONS[activation][0](y, 0.0)
    return out


def convolution_inference(
    x: Array, W: Any, b: Array | None, activation: str, window: Window, out: Array, empty: Empty, derived: Derived
) -> Array:
    """The same as `convolution`, for weights that stay as they are over many calls.

    Parameters:
        x: (N, *S, C)
        W: the weights' Parameter; its value is (*K, C / groups, O)
        b: (O,), or None
        activation: f, one of linear, relu, tanh, sigmoid
        window: as in `convolution`
        out: (N, *S', O)
        empty: scratch memory
        derived: keeps another form of the weights until they change
    """
    return convolution(x, W.value, b, activation, window, out, empty)


@np.errstate(invalid="ignore", over="ignore")
def convolution_weights(
    x: Array, y: Array, dy: Array, dW: Array, db: Array | None, activation: str, window: Window, add: bool, empty: Empty
) -> Array:
    """dz = dy f'(y); dW[k] (+)= Σ x[o·s - p + k·d]ᵀ dz[o]; db (+)= Σ dz; returns dW.

    Parameters:
        x: (N, *S, C), as in the forward pass
        y: (N, *S', O), what the forward pass returned
        dy: (N, *S', O), the gradient with respect to y
        dW: (*K, C / groups, O), receives the gradient
        db: (O,), receives the gradient, or None
        activation: as in the forward pass
        window: as in the forward pass
        add: add to dW and db, instead of storing into them
        empty: scratch memory
    """
    dz = ACTIVATIONS[activation][1](y, y, dy, 0.0)
    if db is not None:
        give(db, rows_of(dz).sum(0, dtype=np.result_type(dz.dtype, np.float64)), add)
    whole, grouped = framed(x, dW, dy.shape, window), by_group(dz, window.groups)
    for point, place in places(dW, dy.shape, window):
        gradient = by_group(whole[place], window.groups).swapaxes(1, 2) @ grouped  # (G, C/G, O/G)
        give(dW[point], gradient.swapaxes(0, 1).reshape(dW[point].shape), add)
    return dW


@np.errstate(invalid="ignore", over="ignore")
def convolution_inputs(
    W: Array, y: Array, dy: Array, dx: Array, activation: str, window: Window, empty: Empty
) -> Array:
    """dz = dy f'(y); dx[o·s - p + k·d] = Σ dz[o] W[k]ᵀ; returns dx.

    Parameters:
        W: (*K, C / groups, O)
        y: (N, *S', O), what the forward pass returned
        dy: (N, *S', O), the gradient with respect to y
        dx: (N, *S, C), receives the gradient
        activation: as in the forward pass
        window: as in the forward pass
        empty: scratch memory
    """
    dz = by_group(ACTIVATIONS[activation][1](y, y, dy, 0.0), window.groups)
    whole = np.zeros((len(dx), *frame(W, dy.shape, window), dx.shape[-1]), dx.dtype)
    for point, place in places(W, dy.shape, window):
        share = dz @ kernel_by_group(W[point], window.groups).swapaxes(1, 2)  # (G, N·S', C/G)
        whole[place] += share.swapaxes(0, 1).reshape(whole[place].shape)
    inside, covered = overlap(dx.shape, whole.shape, window)
    dx[...] = 0
    dx[covered] = whole[inside]
    return dx
