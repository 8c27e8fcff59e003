"""How a convolution's kernel moves over an image, and which part of the image each of its points meets."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from math import prod
from typing import NamedTuple

import numpy as np

from dltrain.kernels.arrays import Array


class Window(NamedTuple):
    """One number for each axis of the image (or sequence, or volume), and the number of groups.

    Parameters:
        strides: s, steps between two places of the kernel
        dilation: d, steps between two points of the kernel
        before: p, zeros before the image's first point; place o of the kernel covers the points o·s - p + k·d
        groups: into how many parts the channels are cut, each of which is convolved by itself
    """

    strides: tuple[int, ...]
    dilation: tuple[int, ...]
    before: tuple[int, ...]
    groups: int = 1


def places(W: Array, out: tuple[int, ...], window: Window) -> Iterator[tuple[tuple[int, ...], tuple[slice, ...]]]:
    """Each point k of the kernel, with the slices of a framed image that it meets from all places."""
    for point in product(*(range(size) for size in W.shape[:-2])):
        axes = zip(point, out[1:-1], window.strides, window.dilation, strict=True)
        yield point, (slice(None), *(slice(k * d, k * d + (n - 1) * s + 1, s) for k, n, s, d in axes))


def frame(W: Array, out: tuple[int, ...], window: Window) -> tuple[int, ...]:
    """How many points of each axis the kernel covers from all places together."""
    axes = zip(W.shape[:-2], out[1:-1], window.strides, window.dilation, strict=True)
    return tuple((n - 1) * s + (size - 1) * d + 1 for size, n, s, d in axes)


def framed(x: Array, W: Array, out: tuple[int, ...], window: Window) -> Array:
    """The part of an image that the kernel covers, zero where it reaches beyond."""
    whole = np.zeros((len(x), *frame(W, out, window), x.shape[-1]), x.dtype)
    inside, covered = overlap(x.shape, whole.shape, window)
    whole[inside] = x[covered]
    return whole


def overlap(
    image: tuple[int, ...], frame: tuple[int, ...], window: Window
) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    """Where the image lies in its frame, and which part of the image that is."""
    axes = list(zip(image[1:-1], frame[1:-1], window.before, strict=True))
    inside = tuple(slice(p, min(p + n, size)) for n, size, p in axes)
    covered = tuple(slice(0, max(0, min(n, size - p))) for n, size, p in axes)
    return (slice(None), *inside), (slice(None), *covered)


def by_group(x: Array, groups: int) -> Array:
    """(N, *S, C) -> (groups, N·S, C / groups)"""
    return x.reshape(prod(x.shape[:-1]), groups, x.shape[-1] // groups).swapaxes(0, 1)


def kernel_by_group(W: Array, groups: int) -> Array:
    """(C / groups, O) -> (groups, C / groups, O / groups)"""
    return W.reshape(len(W), groups, W.shape[1] // groups).swapaxes(0, 1)
