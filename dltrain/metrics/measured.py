"""Metrics that are not computed from outputs and targets: the loss, and the time it takes."""

from __future__ import annotations

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
