"""Metrics of numbers: functions of sums."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from dltrain.kernels.arrays import Array
from dltrain.metrics.counts import divide
from dltrain.registry import register


@register("metric", "r2")
class R2:
    """1 - Σ(y - t)² / Σ(t - mean t)², the share of the targets' variance that is explained; mean over the columns.

    A column whose targets are all equal counts 1 when it is predicted exactly and else 0.

    Example:
        >>> from dltrain.kernels import select
        >>> from dltrain.metrics import Moments
        >>> moments = Moments(1)
        >>> outputs, targets = np.array([[1.0], [2.0], [3.0]]), np.array([[1.0], [2.0], [4.0]])
        >>> moments.update(outputs, targets, select("reference")(outputs))
        >>> round(R2()(moments.arrays), 4)
        0.7857

    Source: Wright, Correlation and causation, 1921.
    """

    statistic, higher_is_better = "moments", True

    def __call__(self, arrays: Mapping[str, Array]) -> float:
        """From the sums of `Moments`."""
        count, total, squares, errors, _ = arrays["sums"]
        spread = squares - divide(total * total, count)
        # The difference of two sums is rounding alone when it is this small beside them.
        constant = spread <= 1e-12 * squares
        explained = 1 - divide(errors, np.where(constant, 1, spread))
        return float(np.where(constant, errors == 0, explained).mean())


@register("metric", "mean_squared_error")
class MeanSquaredErrorMetric:
    """Mean over samples and columns of (y - t)².

    Example:
        >>> MeanSquaredErrorMetric()({"sums": np.array([[2.0], [0], [0], [5], [3]])})
        2.5

    Source: Gauss, Theoria combinationis observationum, 1821.
    """

    statistic, higher_is_better = "moments", False

    def __call__(self, arrays: Mapping[str, Array]) -> float:
        """From the sums of `Moments`."""
        return float(divide(arrays["sums"][3].sum(), arrays["sums"][0].sum()))


@register("metric", "mean_absolute_error")
class MeanAbsoluteError:
    """Mean over samples and columns of |y - t|.

    Example:
        >>> MeanAbsoluteError()({"sums": np.array([[2.0], [0], [0], [5], [3]])})
        1.5

    Source: Willmott and Matsuura, Advantages of the mean absolute error over the root mean square error, 2005.
    """

    statistic, higher_is_better = "moments", False

    def __call__(self, arrays: Mapping[str, Array]) -> float:
        """From the sums of `Moments`."""
        return float(divide(arrays["sums"][4].sum(), arrays["sums"][0].sum()))


@register("metric", "root_mean_squared_error")
class RootMeanSquaredError:
    """Root of the mean over samples of (y - t)², in the targets' own unit; mean over the columns.

    Example:
        >>> RootMeanSquaredError()({"sums": np.array([[2.0], [0], [0], [8], [3]])})
        2.0

    Source: Willmott and Matsuura, Advantages of the mean absolute error over the root mean square error, 2005.
    """

    statistic, higher_is_better = "moments", False

    def __call__(self, arrays: Mapping[str, Array]) -> float:
        """From the sums of `Moments`."""
        return float(np.sqrt(divide(arrays["sums"][3], arrays["sums"][0])).mean())
