"""Augmentations of colours, which count from 0 (black) to 1: the range of the prepared training pictures.

Each is a matrix and a move of the channels of a picture,  x' = A x + b,  so that several are one pass over its pixels.
"""

from __future__ import annotations

import numpy as np

from dltrain.data.augmentations.draws import Draws
from dltrain.data.augmentations.statistics import Statistics
from dltrain.data.examples import Array
from dltrain.registry import register
from dltrain.types import Fraction, NonNegativeFloat

GREY = np.array([0.299, 0.587, 0.114])  # shares of red, green and blue in the brightness
YIQ = np.array([GREY, [0.595716, -0.274453, -0.321263], [0.211456, -0.522591, 0.311135]])
Colours = tuple[Array, Array]  # A (N, C, C) and b (N, C)


def grey(channels: int) -> Array:
    """(C,) shares of the channels in the brightness."""
    return GREY if channels == 3 else np.full(channels, 1 / channels)


def factors(draws: Draws, by: float) -> Array:
    """(N,) factors from 1 - by, or 0, to 1 + by."""
    return draws.uniform(max(0.0, 1 - by), 1 + by)


@register("augmentation", "brightness")
class Brightness:
    """Multiply colours by a factor:  x' = f x.

    Parameters:
        by: the factor lies between 1 - by (not below 0) and 1 + by

    Example:
        >>> A, b = Brightness(0.5).colours(Draws.at(0, "", 0, np.arange(1000)), np.zeros((1000, 1)), None)
        >>> A.min().round(2).item(), A.max().round(2).item(), b.any().item()
        (0.5, 1.5, False)

    Source: Howard: Some improvements on deep convolutional neural network based image classification, 2013.
    """

    acts_on = "colours"

    def __init__(self, by: NonNegativeFloat = 0.2) -> None:
        self.by = by

    def colours(self, draws: Draws, means: Array, statistics: Statistics | None) -> Colours:
        """A (N, C, C) and b (N, C)."""
        return factors(draws, self.by)[:, None, None] * np.eye(means.shape[1]), np.zeros_like(means)


@register("augmentation", "contrast")
class Contrast:
    """Multiply the distance from the picture's mean brightness m by a factor:  x' = m + f (x - m).

    Parameters:
        by: the factor lies between 1 - by (not below 0) and 1 + by

    Example:
        >>> A, b = Contrast(0.5).colours(Draws.at(0, "", 0, np.arange(9)), np.full((9, 1), 0.3), None)
        >>> np.unique((A[:, 0] * 0.3 + b).round(9)).tolist()
        [0.3]

    Source: Howard: Some improvements on deep convolutional neural network based image classification, 2013.
    """

    acts_on = "colours"

    def __init__(self, by: NonNegativeFloat = 0.2) -> None:
        self.by = by

    def colours(self, draws: Draws, means: Array, statistics: Statistics | None) -> Colours:
        """A (N, C, C) and b (N, C)."""
        factor, channels = factors(draws, self.by), means.shape[1]
        m = (1 - factor) * (means @ grey(channels))
        return factor[:, None, None] * np.eye(channels), np.repeat(m[:, None], channels, 1)


@register("augmentation", "saturation")
class Saturation:
    """Multiply the distance of each pixel from its grey g by a factor:  x' = g + f (x - g).

    Parameters:
        by: the factor lies between 1 - by (not below 0) and 1 + by

    Example:
        >>> A, _ = Saturation(0.5).colours(Draws.at(0, "", 0, np.arange(9)), np.zeros((9, 3)), None)
        >>> bool(np.allclose(GREY @ A, GREY))
        True

    Source: Howard: Some improvements on deep convolutional neural network based image classification, 2013.
    """

    acts_on, channels = "colours", 3

    def __init__(self, by: NonNegativeFloat = 0.2) -> None:
        self.by = by

    def colours(self, draws: Draws, means: Array, statistics: Statistics | None) -> Colours:
        """A (N, 3, 3) and b (N, 3)."""
        factor = factors(draws, self.by)[:, None, None]
        return factor * np.eye(3) + (1 - factor) * GREY, np.zeros_like(means)


@register("augmentation", "hue")
class Hue:
    """Turn colours about the axis of greys, by a share of the circle; their brightness stays.

    With (Y, I, Q) the brightness and the two colour differences of the NTSC standard, I and Q are rotated.

    Parameters:
        by: the share lies between -by and by; 0.5 is the opposite colour

    Example:
        >>> A, _ = Hue(0.5).colours(Draws.at(0, "", 0, np.arange(9)), np.zeros((9, 3)), None)
        >>> bool(np.allclose(GREY @ A, GREY, atol=1e-5)), bool(np.allclose(A.sum(2), 1, atol=1e-5))
        (True, True)

    Source: Haeberli: Matrix operations for image processing, 1993.
    """

    acts_on, channels = "colours", 3

    def __init__(self, by: Fraction = 0.05) -> None:
        self.by = by

    def colours(self, draws: Draws, means: Array, statistics: Statistics | None) -> Colours:
        """A (N, 3, 3) and b (N, 3)."""
        angle = 2 * np.pi * draws.uniform(-self.by, self.by)
        turn = np.zeros((len(means), 3, 3))
        turn[:, 0, 0] = 1
        turn[:, 1, 1] = turn[:, 2, 2] = np.cos(angle)
        turn[:, 2, 1] = np.sin(angle)
        turn[:, 1, 2] = -turn[:, 2, 1]
        return np.linalg.inv(YIQ) @ turn @ YIQ, np.zeros_like(means)


@register("augmentation", "channel_shift")
class ChannelShift:
    """Add a number of its own to each channel:  x'[…, c] = x[…, c] + s_c.

    Parameters:
        by: the numbers lie between -by and by

    Example:
        >>> _, b = ChannelShift(0.1).colours(Draws.at(0, "", 0, np.arange(1000)), np.zeros((1000, 3)), None)
        >>> b.shape, np.abs(b).max().round(2).item()
        ((1000, 3), 0.1)

    Source: Shorten, Khoshgoftaar: A survey on image data augmentation for deep learning, 2019.
    """

    acts_on = "colours"

    def __init__(self, by: Fraction = 0.1) -> None:
        self.by = by

    def colours(self, draws: Draws, means: Array, statistics: Statistics | None) -> Colours:
        """A (N, C, C) and b (N, C)."""
        moves = [draws.uniform(-self.by, self.by) for _ in range(means.shape[1])]
        return np.broadcast_to(np.eye(len(moves)), (len(means), len(moves), len(moves))), np.stack(moves, 1)


@register("augmentation", "pca_color")
class PcaColor:
    """Move all pixels along the principal axes p_k of the training colours:  x' = x + Σ_k a_k v_k p_k.

    v_k are the variances along the axes, a_k normal numbers of a picture's own.

    Parameters:
        stddev: standard deviation of the a_k

    Example:
        >>> x = np.linspace(0, 1, 27).reshape(1, 3, 3, 3)  # greys: there is one axis
        >>> _, b = PcaColor(0.1).colours(Draws.at(0, "", 0, np.arange(9)), np.zeros((9, 3)), Statistics(x))
        >>> bool(np.allclose(b, b[:, :1], atol=1e-6)), bool(b.any())
        (True, True)

    Source: Krizhevsky, Sutskever, Hinton: ImageNet classification with deep convolutional neural networks, 2012.
    """

    acts_on, channels = "colours", 3

    def __init__(self, stddev: NonNegativeFloat = 0.1) -> None:
        self.stddev = stddev

    def colours(self, draws: Draws, means: Array, statistics: Statistics) -> Colours:
        """A (N, 3, 3) and b (N, 3)."""
        a = self.stddev * np.stack([draws.normal() for _ in range(3)], 1)  # (N, 3)
        return np.broadcast_to(np.eye(3), (len(a), 3, 3)), a @ statistics.axes.T
