"""Augmentations that move pixels: each is a matrix from places in the new picture to places in the old one."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import numpy as np
from annotated_types import Ge, Gt, Le, Lt

from dltrain.data.augmentations.draws import Draws
from dltrain.data.augmentations.smoothing import smoothed, weights_of
from dltrain.data.examples import Array
from dltrain.registry import register
from dltrain.types import Fraction, NonNegativeFloat, PositiveFloat, PositiveInt

Border = Literal["reflect", "nearest", "zero"]
Angle = Annotated[float, Ge(0), Le(180)]
Slant = Annotated[float, Ge(0), Lt(90)]


def around_centre(height: int, width: int, linear: Array, shift: Any = 0.0) -> Array:
    """Matrices (N, 3, 3): p -> L (p - centre) + centre + shift, for places p = (row, column, 1).

    Parameters:
        height: of the pictures
        width: of the pictures
        linear: (N, 2, 2)
        shift: (N, 2)

    Example:
        >>> (around_centre(3, 5, -np.eye(2)[None]) @ [0, 0, 1]).tolist()  # turned half around
        [[2.0, 4.0, 1.0]]
    """
    centre = np.array([(height - 1) / 2, (width - 1) / 2])
    A = np.zeros((len(linear), 3, 3))
    A[:, :2, :2], A[:, 2, 2] = linear, 1
    A[:, :2, 2] = centre - linear @ centre + shift
    return A


def linear(a: Any, b: Any, c: Any, d: Any) -> Array:
    """Matrices (N, 2, 2) from their entries, each (N,) or a number."""
    entries = np.broadcast_arrays(a, b, c, d)
    return np.stack(entries, -1).reshape(-1, 2, 2).astype(np.float64)


def symmetric(draws: Draws, most: float) -> Array:
    """(N,) numbers from -most to most."""
    return draws.uniform(-most, most)


@register("augmentation", "horizontal_flip")
class HorizontalFlip:
    """Turn a picture over, left to right:  x'[i, j] = x[i, W - 1 - j].

    Parameters:
        probability: with which it happens

    Example:
        >>> HorizontalFlip(1.0).matrices(Draws.at(0, "", 0, np.arange(1)), 3, 5)[0, 1].tolist()
        [0.0, -1.0, 4.0]

    Source: Krizhevsky, Sutskever, Hinton: ImageNet classification with deep convolutional neural networks, 2012.
    """

    acts_on, border = "places", None

    def __init__(self, probability: Fraction = 0.5) -> None:
        self.probability = probability

    def matrices(self, draws: Draws, height: int, width: int) -> Array:
        """(N, 3, 3)."""
        return around_centre(height, width, linear(1, 0, 0, np.where(draws.chance(self.probability), -1, 1)))


@register("augmentation", "vertical_flip")
class VerticalFlip:
    """Turn a picture over, top to bottom:  x'[i, j] = x[H - 1 - i, j].

    Parameters:
        probability: with which it happens

    Example:
        >>> VerticalFlip(1.0).matrices(Draws.at(0, "", 0, np.arange(1)), 3, 5)[0, 0].tolist()
        [-1.0, 0.0, 2.0]

    Source: Shorten, Khoshgoftaar: A survey on image data augmentation for deep learning, 2019.
    """

    acts_on, border = "places", None

    def __init__(self, probability: Fraction = 0.5) -> None:
        self.probability = probability

    def matrices(self, draws: Draws, height: int, width: int) -> Array:
        """(N, 3, 3)."""
        return around_centre(height, width, linear(np.where(draws.chance(self.probability), -1, 1), 0, 0, 1))


@register("augmentation", "shift")
class Shift:
    """Move a picture by whole pixels, up to shares of its height and width:  x'[i, j] = x[i - s, j - t].

    Parameters:
        height: the largest move up or down, as a share of the height
        width: the largest move to a side, as a share of the width; left out: that of `height`
        border: what comes in from outside: reflect (the picture in a mirror), nearest (its outermost pixels) or zero

    Example:
        >>> A = Shift(0.5).matrices(Draws.at(0, "", 0, np.arange(100)), 4, 8)
        >>> np.unique(A[:, 0, 2]).tolist(), np.unique(A[:, 1, 2]).tolist()
        ([-2.0, -1.0, 0.0, 1.0, 2.0], [-4.0, -3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0, 4.0])

    Source: Simard, Steinkraus, Platt: Best practices for convolutional neural networks, 2003.
    """

    acts_on = "places"

    def __init__(self, height: Fraction = 0.1, width: Fraction | None = None, border: Border = "reflect") -> None:
        self.height, self.width, self.border = height, width, border

    def matrices(self, draws: Draws, height: int, width: int) -> Array:
        """(N, 3, 3)."""
        shares = (self.height, self.height if self.width is None else self.width)
        most = [int(share * size) for share, size in zip(shares, (height, width), strict=True)]
        moves = np.stack([np.floor(draws.uniform(-m, m + 1)) for m in most], 1)
        return around_centre(height, width, linear(np.ones(len(draws)), 0, 0, 1), moves)


@register("augmentation", "random_crop")
class RandomCrop:
    """Put a border around a picture and cut its size out anywhere: a move by up to so many pixels.

    Parameters:
        padding: the width of the border in pixels
        border: what it holds: zero, reflect (the picture in a mirror) or nearest (its outermost pixels)

    Example:
        >>> A = RandomCrop(2).matrices(Draws.at(0, "", 0, np.arange(100)), 8, 8)
        >>> np.unique(A[:, :2, 2]).tolist()
        [-2.0, -1.0, 0.0, 1.0, 2.0]

    Source: He, Zhang, Ren, Sun: Deep residual learning for image recognition, 2016, section 4.2.
    """

    acts_on = "places"

    def __init__(self, padding: PositiveInt = 4, border: Border = "zero") -> None:
        self.padding, self.border = padding, border

    def matrices(self, draws: Draws, height: int, width: int) -> Array:
        """(N, 3, 3)."""
        moves = np.stack([np.floor(draws.uniform(-self.padding, self.padding + 1)) for _ in range(2)], 1)
        return around_centre(height, width, linear(np.ones(len(draws)), 0, 0, 1), moves)


@register("augmentation", "resized_crop")
class ResizedCrop:
    """Cut a piece of random area and shape out and stretch it over the picture.

    Parameters:
        area: the smallest share of the area that is cut out; the largest is all
        ratio: how much wider than high, or higher than wide, a piece may be in the picture's own shape, at most

    Example:
        >>> A = ResizedCrop(area=0.25, ratio=1.0).matrices(Draws.at(0, "", 0, np.arange(1000)), 8, 8)
        >>> sides = A[:, 0, 0]  # as shares of the height
        >>> bool((sides == A[:, 1, 1]).all()), sides.min().round(2).item(), sides.max().round(2).item()
        (True, 0.5, 1.0)

    Source: Szegedy et al.: Going deeper with convolutions, 2015, section 6.
    """

    acts_on, border = "places", "nearest"

    def __init__(self, area: Annotated[float, Gt(0), Le(1)] = 0.3, ratio: Annotated[float, Ge(1)] = 4 / 3) -> None:
        self.area, self.ratio = area, ratio

    def matrices(self, draws: Draws, height: int, width: int) -> Array:
        """(N, 3, 3)."""
        side = np.sqrt(draws.uniform(self.area, 1))
        shape = np.exp(symmetric(draws, np.log(self.ratio) / 2))
        a, d = np.minimum(side * shape, 1), np.minimum(side / shape, 1)
        rows, columns = ((1 - s) * symmetric(draws, size / 2) for s, size in ((a, height), (d, width)))
        return around_centre(height, width, linear(a, 0, 0, d), np.stack([rows, columns], 1))


@register("augmentation", "rotation")
class Rotation:
    """Turn a picture about its centre by an angle from -degrees to degrees.

    Parameters:
        degrees: the largest angle
        border: what comes in from outside: reflect (the picture in a mirror), nearest (its outermost pixels) or zero

    Example:
        >>> A = Rotation(90).matrices(Draws.at(0, "", 0, np.arange(1)), 8, 8)[0, :2, :2]
        >>> bool(np.allclose(A @ A.T, np.eye(2)))
        True

    Source: Shorten, Khoshgoftaar: A survey on image data augmentation for deep learning, 2019.
    """

    acts_on = "places"

    def __init__(self, degrees: Angle = 15.0, border: Border = "reflect") -> None:
        self.degrees, self.border = degrees, border

    def matrices(self, draws: Draws, height: int, width: int) -> Array:
        """(N, 3, 3)."""
        angle = np.radians(symmetric(draws, self.degrees))
        cosine, sine = np.cos(angle), np.sin(angle)
        return around_centre(height, width, linear(cosine, -sine, sine, cosine))


@register("augmentation", "zoom")
class Zoom:
    """Scale a picture about its centre: sizes grow by a factor from 1 / (1 + by) to 1 + by, evenly in its logarithm.

    Parameters:
        by: the largest growth, as a share
        border: what comes in from outside: reflect (the picture in a mirror), nearest (its outermost pixels) or zero

    Example:
        >>> factors = Zoom(1.0).matrices(Draws.at(0, "", 0, np.arange(1000)), 8, 8)[:, 0, 0]
        >>> factors.min().round(2).item(), factors.max().round(2).item()
        (0.5, 2.0)

    Source: Shorten, Khoshgoftaar: A survey on image data augmentation for deep learning, 2019.
    """

    acts_on = "places"

    def __init__(self, by: NonNegativeFloat = 0.1, border: Border = "reflect") -> None:
        self.by, self.border = by, border

    def matrices(self, draws: Draws, height: int, width: int) -> Array:
        """(N, 3, 3)."""
        factor = np.exp(symmetric(draws, np.log1p(self.by)))
        return around_centre(height, width, linear(1 / factor, 0, 0, 1 / factor))


@register("augmentation", "shear")
class Shear:
    """Slant a picture: its rows slide to a side, by an angle from -degrees to degrees.

    Parameters:
        degrees: the largest angle
        border: what comes in from outside: reflect (the picture in a mirror), nearest (its outermost pixels) or zero

    Example:
        >>> A = Shear(45).matrices(Draws.at(0, "", 0, np.arange(1000)), 8, 8)
        >>> np.abs(A[:, 1, 0]).max().round(2).item(), A[:, 0, 1].any().item()
        (1.0, False)

    Source: Shorten, Khoshgoftaar: A survey on image data augmentation for deep learning, 2019.
    """

    acts_on = "places"

    def __init__(self, degrees: Slant = 10.0, border: Border = "reflect") -> None:
        self.degrees, self.border = degrees, border

    def matrices(self, draws: Draws, height: int, width: int) -> Array:
        """(N, 3, 3)."""
        slope = np.tan(np.radians(symmetric(draws, self.degrees)))
        return around_centre(height, width, linear(1, 0, slope, 1))


@register("augmentation", "elastic")
class Elastic:
    """Bend a picture: each pixel is read alpha · (noise smoothed by a Gaussian of width sigma) pixels away.

    The noise has variance 1/3, as numbers from -1 to 1 have.

    Parameters:
        alpha: how far pixels are moved; the standard deviation is about alpha / (6 sigma) pixels
        sigma: width of the Gaussian in pixels: how far neighbours move together
        border: what comes in from outside: reflect (the picture in a mirror), nearest (its outermost pixels) or zero

    Example:
        >>> from dltrain.kernels import namespace
        >>> found = Elastic().offsets(Draws.at(0, "", 0, np.arange(9)), 28, 28, namespace("reference"), "float64")
        >>> found.shape, bool(1 < found.std() < 2)
        ((9, 28, 28, 2), True)

    Source: Simard, Steinkraus, Platt: Best practices for convolutional neural networks, 2003.
    """

    acts_on = "places"

    def __init__(self, alpha: NonNegativeFloat = 34.0, sigma: PositiveFloat = 4.0, border: Border = "reflect") -> None:
        self.alpha, self.sigma, self.border = alpha, sigma, border

    def offsets(self, draws: Draws, height: int, width: int, kernels: Any, dtype: Any) -> Array:
        """(N, H, W, 2) rows and columns that places are moved by."""
        noise = np.empty((len(draws), height, width, 2), dtype)
        kernels.gaussian_noise_each(draws.bits(), self.alpha / 3**0.5, noise)
        sigmas = np.array([self.sigma])
        return smoothed(noise, weights_of(height, sigmas), weights_of(width, sigmas))
