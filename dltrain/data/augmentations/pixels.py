"""Augmentations of single pixels and small regions: noise, blur, erasing."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from annotated_types import Ge, Gt, Le

from dltrain.data.augmentations.draws import Draws
from dltrain.data.augmentations.smoothing import smoothed, weights_of
from dltrain.data.augmentations.statistics import Statistics
from dltrain.data.examples import Array
from dltrain.registry import register
from dltrain.types import Fraction, NonNegativeFloat, PositiveFloat

LEAST_SIGMA = 0.1  # of a blur, in pixels: nothing is seen of it


@register("augmentation", "gaussian_noise")
class GaussianNoise:
    """Add normal noise to every pixel:  x' = x + stddev · range · ε.

    Parameters:
        stddev: standard deviation, as a share of the range of the training pictures

    Example:
        >>> from dltrain.kernels import namespace
        >>> x = np.linspace(0, 1, 3072).reshape(3, 32, 32, 1)
        >>> draws = Draws.at(0, "", 0, np.arange(3))
        >>> found = GaussianNoise(0.1).change(x.copy(), draws, Statistics(x), namespace("reference"))
        >>> (found - x).std().round(2).item()
        0.1

    Source: Bishop: Training with noise is equivalent to Tikhonov regularization, 1995.
    """

    acts_on = "pixels"

    def __init__(self, stddev: NonNegativeFloat = 0.05) -> None:
        self.stddev = stddev

    def change(self, x: Array, draws: Draws, statistics: Statistics, kernels: Any) -> Array:
        """(N, H, W, C)."""
        noise = kernels.gaussian_noise_each(draws.bits(), self.stddev, np.empty_like(x))
        noise *= statistics.row(statistics.span, x)
        noise += x
        return np.asarray(noise)


@register("augmentation", "blur")
class Blur:
    """Smooth a picture by a Gaussian of random width.

    Parameters:
        sigma: the largest width of the Gaussian, in pixels
        probability: with which it happens

    Example:
        >>> x = np.zeros((1, 5, 5, 1)); x[0, 2, 2] = 1
        >>> found = Blur(1.0, 1.0).change(x, Draws.at(0, "", 0, np.arange(1)), Statistics(x), None)
        >>> found.sum().round(6).item(), bool(found[0, 2, 2, 0] < 1)
        (1.0, True)

    Source: Chen, Kornblith, Norouzi, Hinton: A simple framework for contrastive learning, 2020, appendix A.
    """

    acts_on = "pixels"

    def __init__(self, sigma: PositiveFloat = 1.0, probability: Fraction = 0.5) -> None:
        self.sigma, self.probability = sigma, probability

    def change(self, x: Array, draws: Draws, statistics: Statistics, kernels: object) -> Array:
        """(N, H, W, C)."""
        chosen, sigmas = draws.chance(self.probability), draws.uniform(min(LEAST_SIGMA, self.sigma), self.sigma)
        if not chosen.any():
            return x
        rows, columns = (weights_of(size, sigmas[chosen]) for size in x.shape[1:3])
        out = x.copy()
        out[chosen] = smoothed(x[chosen], rows, columns)
        return out


@register("augmentation", "erasing")
class Erasing:
    """Set a rectangle anywhere in the picture to zero (cut-out).

    Parameters:
        probability: with which it happens
        area: the largest share of the picture that is erased; the smallest is a tenth of it
        ratio: how much wider than high, or higher than wide, the rectangle may be, at most

    Example:
        >>> x = np.ones((1, 8, 8, 1))
        >>> found = Erasing(1.0, area=0.25).change(x, Draws.at(0, "", 0, np.arange(1)), Statistics(x), None)
        >>> bool(0 < (found == 0).sum() <= 20)
        True

    Source: Zhong, Zheng, Kang, Li, Yang: Random erasing data augmentation, 2017; DeVries, Taylor: Improved
    regularization of convolutional neural networks with cutout, 2017.
    """

    acts_on = "pixels"

    def __init__(
        self,
        probability: Fraction = 0.5,
        area: Annotated[float, Gt(0), Le(1)] = 0.3,
        ratio: Annotated[float, Ge(1)] = 3.0,
    ) -> None:
        self.probability, self.area, self.ratio = probability, area, ratio

    def change(self, x: Array, draws: Draws, statistics: Statistics, kernels: object) -> Array:
        """(N, H, W, C)."""
        _, H, W, _ = x.shape
        chosen, share = draws.chance(self.probability), draws.uniform(self.area / 10, self.area)
        shape = np.exp(draws.uniform(-0.5, 0.5) * np.log(self.ratio))
        out = x.copy()
        for n, top, bottom, left, right in boxes(draws, H, W, np.sqrt(share) * shape, np.sqrt(share) / shape, chosen):
            out[n, top:bottom, left:right] = 0
        return out


def boxes(draws: Draws, height: int, width: int, down: Array, across: Array, chosen: Array) -> list[list[int]]:
    """[n, top, bottom, left, right] of a rectangle in each chosen picture, of at least a pixel.

    Parameters:
        draws: for the places
        height: of the pictures
        width: of the pictures
        down: (N,) heights of the rectangles as shares
        across: (N,) their widths
        chosen: (N,) whether there is one
    """
    sides = [np.rint(share * size).clip(1, size).astype(np.int64) for share, size in ((down, height), (across, width))]
    starts = [
        np.floor(draws.uniform() * (size - side + 1)).astype(np.int64)
        for side, size in zip(sides, (height, width), strict=True)
    ]
    found = [np.arange(len(draws)), *(e for s, t in zip(starts, sides, strict=True) for e in (s, s + t))]
    return np.stack(found, 1)[chosen].tolist()
