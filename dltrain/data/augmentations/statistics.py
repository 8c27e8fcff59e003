"""What augmentations of colours must know of the training pictures: their range, and how their colours vary."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from dltrain.data.examples import Array, chunks


class Statistics:
    """Range and covariance of the prepared training pictures, computed when they are first asked for.

    Parameters:
        x: (N, H, W, C)

    Example:
        >>> Statistics(np.array([0.0, 2.0, 4.0]).reshape(3, 1, 1, 1)).span.tolist()
        [4.0]
    """

    def __init__(self, x: Array) -> None:
        self.x = x

    @cached_property
    def low(self) -> Array:
        """(C,) the smallest value of each channel: black."""
        return self.x.min(axis=(0, 1, 2)).astype(np.float64)

    @cached_property
    def span(self) -> Array:
        """(C,) from the smallest to the largest value; 1 where they are equal."""
        span = self.x.max(axis=(0, 1, 2)).astype(np.float64) - self.low
        return np.where(span > 0, span, 1)

    @cached_property
    def axes(self) -> Array:
        """(C, C) the principal axes of the colours from 0 to 1, in columns, each as long as its variance."""
        C = self.x.shape[-1]
        count = self.x.size // C
        total, squares = np.zeros(C), np.zeros((C, C))
        for rows in chunks(self.x):
            colours = (self.x[rows].reshape(-1, C) - self.low) / self.span
            total += colours.sum(0)
            squares += colours.T @ colours
        variances, axes = np.linalg.eigh(squares / count - np.outer(total, total) / count**2)
        return np.asarray(axes * np.maximum(variances, 0))

    def means(self, x: Array) -> Array:
        """(N, C) the mean colours of pictures, from 0 to 1."""
        N, H, W, C = x.shape
        sums = np.ones((1, H * W), x.dtype) @ x.reshape(N, H * W, C)  # a product is several times faster than a mean
        return np.asarray((sums[:, 0] / (H * W) - self.low) / self.span)

    @staticmethod
    def row(values: Array, like: Array) -> Array:
        """Values (C,) as a row (W, C) of pictures: NumPy is slow where the innermost loop has three rounds."""
        return np.ascontiguousarray(np.broadcast_to(values.astype(like.dtype), like.shape[2:]))
