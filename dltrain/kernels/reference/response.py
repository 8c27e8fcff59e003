"""Local response normalization: every channel is held down by its neighbours."""

from __future__ import annotations

import numpy as np

from dltrain.kernels.arrays import Array

Response = tuple[int, float, float, float]  # size of the window, alpha, beta, bias


@np.errstate(invalid="ignore", over="ignore")
def local_response(x: Array, response: Response, out: Array) -> Array:
    """out = x / (bias + alpha/size Σ x²)^beta, the sum over a window of channels around each.

    Parameters:
        x: (…, C)
        response: (size, alpha, beta, bias)
        out: the shape of x
    """
    out[...] = x * _scale(x, response) ** -response[2]
    return out


@np.errstate(invalid="ignore", over="ignore")
def local_response_backward(x: Array, dy: Array, response: Response, out: Array) -> Array:
    """out = dy d^-beta - 2 beta alpha/size x Σ dy x d^(-beta - 1), the sum over the windows that a channel is in.

    Parameters:
        x: (…, C), input of the forward pass
        dy: (…, C)
        response: as in the forward pass
        out: the shape of x
    """
    size, alpha, beta, _ = response
    d = _scale(x, response)
    power = d**-beta
    around = _window_sum(dy * x * power / d, (size - 1) // 2, size // 2)
    out[...] = dy * power - (2 * beta * alpha / size) * x * around
    return out


def _scale(x: Array, response: Response) -> Array:
    size, alpha, _, bias = response
    return bias + (alpha / size) * _window_sum(x * x, size // 2, (size - 1) // 2)


def _window_sum(values: Array, before: int, after: int) -> Array:
    """At each channel c the sum of the values from c - before to c + after."""
    channels, total = values.shape[-1], np.zeros_like(values)
    for shift in range(-min(before, channels - 1), min(after, channels - 1) + 1):
        start, stop = max(0, -shift), channels - max(0, shift)
        total[..., start:stop] += values[..., start + shift : stop + shift]
    return total
