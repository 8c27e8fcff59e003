"""Metrics of overlap: how well the pixels (or samples) predicted as a class cover those that are of it."""

from __future__ import annotations

from collections.abc import Mapping

from dltrain.kernels.arrays import Array
from dltrain.metrics.counts import averaged, rates
from dltrain.registry import register


@register("metric", "mean_iou")
class MeanIoU:
    """Intersection over union, the Jaccard index, TP / (TP + FP + FN): its mean over the classes.

    Classes that neither occur nor are predicted do not count.

    Example:
        >>> import numpy as np
        >>> MeanIoU()({"counts": np.array([[4, 2], [0, 2]])})  # (4/6 + 2/4) / 2
        0.5833333333333333

    Source: Jaccard: The distribution of the flora in the alpine zone, 1912; Everingham et al.: The PASCAL visual object
        classes challenge, 2010.
    """

    statistic, higher_is_better = "confusion", True

    def __call__(self, arrays: Mapping[str, Array]) -> float:
        """From a confusion matrix."""
        counts = arrays["counts"]
        right, predicted, actual = rates(counts)
        return averaged(right, predicted + actual - right, counts, "macro")


@register("metric", "dice")
class Dice:
    """Dice coefficient, 2 TP / (2 TP + FP + FN): its mean over the classes; the same number as a macro F1.

    Classes that neither occur nor are predicted do not count.

    Example:
        >>> import numpy as np
        >>> Dice()({"counts": np.array([[4, 2], [0, 2]])})  # (8/10 + 4/6) / 2
        0.7333333333333334

    Source: Dice: Measures of the amount of ecologic association between species, 1945.
    """

    statistic, higher_is_better = "confusion", True

    def __call__(self, arrays: Mapping[str, Array]) -> float:
        """From a confusion matrix."""
        counts = arrays["counts"]
        right, predicted, actual = rates(counts)
        return averaged(2 * right, predicted + actual, counts, "macro")
