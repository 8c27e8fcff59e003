"""Metrics of probabilities: how sure a model is, and whether rightly so."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from dltrain.kernels.arrays import Array
from dltrain.metrics.counts import divide
from dltrain.registry import register
from dltrain.types import PositiveInt


@register("metric", "top_k_accuracy")
class TopKAccuracy:
    """Share of the samples whose class is among the k likeliest; equal ones come in the order of their numbers.

    Parameters:
        k: how many guesses are allowed

    Example:
        >>> TopKAccuracy(k=2)({"ranks": np.array([5, 2, 1])})
        0.875

    Source: Russakovsky et al., ImageNet large scale visual recognition challenge, 2015.
    """

    statistic, higher_is_better = "certainty", True

    def __init__(self, k: PositiveInt = 5) -> None:
        self.k = k

    def __call__(self, arrays: Mapping[str, Array]) -> float:
        """From the ranks of `Certainty`."""
        ranks = arrays["ranks"]
        return float(divide(ranks[: self.k].sum(), ranks.sum()))


@register("metric", "log_loss")
class LogLoss:
    """Mean of minus the logarithm of the right class' probability, whatever loss is minimized.

    Probabilities count as at least 2.2e-16.

    Example:
        >>> LogLoss()({"sums": np.array([4.0, 2.0, 1.0])})
        0.5

    Source: Good, Rational decisions, 1952.
    """

    statistic, higher_is_better = "certainty", False

    def __call__(self, arrays: Mapping[str, Array]) -> float:
        """From the sums of `Certainty`."""
        return float(divide(arrays["sums"][1], arrays["sums"][0]))


@register("metric", "brier_score")
class BrierScore:
    """Mean over the samples of Σ_k (p_k - t_k)², t being 1 for the right class; of two classes, half of it: (p - t)².

    Example:
        >>> BrierScore()({"sums": np.array([4.0, 2.0, 1.0])})
        0.25

    Source: Brier, Verification of forecasts expressed in terms of probability, 1950.
    """

    statistic, higher_is_better = "certainty", False

    def __call__(self, arrays: Mapping[str, Array]) -> float:
        """From the sums of `Certainty`."""
        return float(divide(arrays["sums"][2], arrays["sums"][0]))


@register("metric", "calibration_error")
class CalibrationError:
    """Expected calibration error: Σ over 15 bins of (samples in it / N) |share of right ones - mean confidence|.

    Confidence is the probability of the predicted class; bin i holds those in (i/15, (i + 1)/15].

    Example:
        >>> bins = np.zeros((3, 15))
        >>> bins[:, 14] = 10, 9.8, 9  # ten samples, 98 % sure, of which nine are right
        >>> round(CalibrationError()({"bins": bins}), 6)
        0.08

    Source: Guo et al., On calibration of modern neural networks, 2017.
    """

    statistic, higher_is_better = "certainty", False

    def __call__(self, arrays: Mapping[str, Array]) -> float:
        """From the bins of `Certainty`."""
        counts, confidence, right = arrays["bins"]
        return float(divide(np.abs(right - confidence).sum(), counts.sum()))
