"""How windows lie on an image: what all kernels of pooling are told beside their arrays."""

from __future__ import annotations

from typing import NamedTuple


class Pool(NamedTuple):
    """One number for each axis of the image (or sequence, or volume).

    Parameters:
        sizes: K, points of a window
        strides: s, steps between two windows
        before: p, points of the first window that lie before the image; window o has the points o·s - p + k
    """

    sizes: tuple[int, ...]
    strides: tuple[int, ...]
    before: tuple[int, ...]
