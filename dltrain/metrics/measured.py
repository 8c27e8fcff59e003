"""Metrics that are not computed from outputs and targets: the loss, and the time it takes."""

from __future__ import annotations

import math
from collections.abc import Mapping

from dltrain.kernels.arrays import Array
from dltrain.metrics.counts import divide
from dltrain.registry import register


@register("metric", "loss")
class Loss:
    """The loss, mean over all samples; every run has it whether it is named or not.

    It is added up beside the steps, so nothing is computed here; a smaller one is better.

    Example:
        >>> from dltrain.registry import create
        >>> metric = create("metric", "loss")
        >>> metric.statistic, metric.higher_is_better
        ('loss', False)
    """

    statistic, higher_is_better = "loss", False


@register("metric", "milliseconds_per_sample")
class MillisecondsPerSample:
    """Time of the model's forward pass in an evaluation, in batches of 512, by the number of samples.

    It is measured on this machine, while whatever else runs: a run that names it is not the same on another machine, or
    twice.  Training batches are not timed.

    Example:
        >>> import numpy as np
        >>> MillisecondsPerSample()({"timing": np.array([0.5, 1000.0])})  # half a second for a thousand samples
        0.5
    """

    statistic, higher_is_better = "timing", False

    def __call__(self, arrays: Mapping[str, Array]) -> float:
        """From seconds and number of samples."""
        seconds, count = arrays["timing"]
        return float(divide(1000 * seconds, count))


@register("metric", "perplexity")
class Perplexity:
    """exp of the mean cross-entropy of a token: among how many equally likely ones a model seems to choose.

    It is that of the loss: with `label_smoothing` the smoothed one's.

    Example:
        >>> import numpy as np
        >>> round(Perplexity()({"loss": np.array([10 * np.log(4), 10])}), 6)  # ten tokens, each one of four
        4.0

    Source: Jelinek et al.: Perplexity, a measure of the difficulty of speech recognition tasks, 1977.
    """

    statistic, higher_is_better = "loss", False

    def __call__(self, arrays: Mapping[str, Array]) -> float:
        """From the sum of the loss and its weight; of a loss beyond 700, where exp ends, that of 700."""
        total, weight = arrays["loss"]
        return math.exp(min(float(divide(total, weight)), 700.0))


@register("metric", "token_accuracy")
class TokenAccuracy:
    """Share of the tokens that are said right, where those before them are given.

    Example:
        >>> import numpy as np
        >>> TokenAccuracy()({"hits": np.array([8, 6])})
        0.75

    Source: Vaswani et al.: Tensor2Tensor for neural machine translation, 2018.
    """

    statistic, higher_is_better = "hits", True

    def __call__(self, arrays: Mapping[str, Array]) -> float:
        """From the counts of `Hits`."""
        count, right = arrays["hits"]
        return float(divide(right, count))


@register("metric", "bits_per_character")
class BitsPerCharacter:
    """The mean cross-entropy of a character in bits, its loss by log 2: what a text takes when the model packs it.

    It is that of the loss: with `label_smoothing` the smoothed one's.

    Example:
        >>> import numpy as np
        >>> round(BitsPerCharacter()({"loss": np.array([10 * np.log(4), 10])}), 6)
        2.0

    Source: Shannon: Prediction and entropy of printed English, 1951.
    """

    statistic, higher_is_better = "loss", False

    def __call__(self, arrays: Mapping[str, Array]) -> float:
        """From the sum of the loss and its weight."""
        total, weight = arrays["loss"]
        return float(divide(total, weight)) / math.log(2)
