"""Augmentations that mix two pictures and their targets: the loss then counts both, each by its share."""

from __future__ import annotations

import numpy as np

from dltrain.data.augmentations.draws import Draws
from dltrain.data.augmentations.pixels import boxes
from dltrain.data.examples import Array
from dltrain.registry import register
from dltrain.types import Fraction, PositiveFloat


def shares_of(draws: Draws, alpha: float, probability: float) -> Array:
    """(N,) shares from Beta(alpha, alpha); 1 where nothing is mixed."""
    from scipy.special import betaincinv  # takes a tenth of a second

    drawn = betaincinv(alpha, alpha, draws.uniform())
    return np.where(draws.chance(probability), drawn, 1.0)


@register("augmentation", "mix_up")
class MixUp:
    """Mix a picture with another one and its target with that one's:  x' = s x + (1 - s) x₂.

    The loss is s · loss(target) + (1 - s) · loss(target₂), s from Beta(alpha, alpha).  Metrics count the target with
    the larger share.

    Parameters:
        alpha: of the beta distribution: near 0 one of the pictures prevails, at 1 all shares are as likely
        probability: with which a picture is mixed

    Example:
        >>> x = np.zeros((2, 1, 1, 1))
        >>> found, share = MixUp(1.0).mix(x, x + 1, Draws.at(0, "", 0, np.arange(2)))
        >>> bool(np.allclose(found.reshape(2), 1 - share))
        True

    Source: Zhang, Cisse, Dauphin, Lopez-Paz: mixup: beyond empirical risk minimization, 2018.
    """

    acts_on = "pairs"

    def __init__(self, alpha: PositiveFloat = 0.2, probability: Fraction = 1.0) -> None:
        self.alpha, self.probability = alpha, probability

    def mix(self, x: Array, others: Array, draws: Draws) -> tuple[Array, Array]:
        """Mixed pictures (N, H, W, C), and the shares (N,) of the first ones."""
        share = shares_of(draws, self.alpha, self.probability)
        s = share.astype(x.dtype)[:, None, None, None]
        return s * x + (1 - s) * others, share


@register("augmentation", "cut_mix")
class CutMix:
    """Paste a rectangle of another picture into a picture; the target's share is that of the pixels that are left.

    The loss is s · loss(target) + (1 - s) · loss(target₂); the rectangle has a share from Beta(alpha, alpha), to whole
    pixels.  Metrics count the target with the larger share.

    Parameters:
        alpha: of the beta distribution: at 1 all shares are as likely
        probability: with which a picture is mixed

    Example:
        >>> x = np.zeros((2, 8, 8, 1))
        >>> found, share = CutMix().mix(x, x + 1, Draws.at(0, "", 0, np.arange(2)))
        >>> bool(np.allclose(found.mean(axis=(1, 2, 3)), 1 - share))
        True

    Source: Yun et al.: CutMix: regularization strategy to train strong classifiers with localizable features, 2019.
    """

    acts_on = "pairs"

    def __init__(self, alpha: PositiveFloat = 1.0, probability: Fraction = 1.0) -> None:
        self.alpha, self.probability = alpha, probability

    def mix(self, x: Array, others: Array, draws: Draws) -> tuple[Array, Array]:
        """Mixed pictures (N, H, W, C), and the shares (N,) of the first ones."""
        _, H, W, _ = x.shape
        share = shares_of(draws, self.alpha, self.probability)
        side = np.sqrt(1 - share)
        out, left_over = x.copy(), np.ones(len(x))
        for n, top, bottom, left, right in boxes(draws, H, W, side, side, share < 1):
            out[n, top:bottom, left:right] = others[n, top:bottom, left:right]
            left_over[n] = 1 - (bottom - top) * (right - left) / (H * W)
        return out, left_over
