"""Metrics, and the collectors that gather what they need batch by batch.

A collector adds up counts or sums; a metric is computed from them once, at the end.  So it is a metric of all
samples, never a mean of the batches' metrics, and parts of a data set can be added up in any grouping.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np

from dltrain.errors import UsageError
from dltrain.kernels.arrays import Array
from dltrain.registry import register

Average = Literal["auto", "binary", "macro", "micro", "weighted"]
Kernels = Any  # the namespace that `dltrain.kernels.select` chooses for the outputs


class Confusion:
    """Counts how often each class was taken for which: counts[label, predicted].

    Parameters:
        classes: number of classes

    Example:
        >>> from dltrain.kernels import select
        >>> confusion = Confusion(2)
        >>> outputs = np.array([[0.1, 0.9], [0.8, 0.2]])
        >>> confusion.update(outputs, np.array([1, 1]), select("reference")(outputs))
        >>> confusion.arrays["counts"].tolist()
        [[0, 0], [1, 1]]
    """

    def __init__(self, classes: int) -> None:
        self.arrays = {"counts": np.zeros((classes, classes), np.int64)}

    def update(self, outputs: Array, targets: Array, kernels: Kernels) -> None:
        """Count one batch: scores (N, K) and labels (N,)."""
        kernels.count_confusion(outputs, targets, self.arrays["counts"])

    def reset(self) -> None:
        """Start anew."""
        self.arrays["counts"][:] = 0


class BinaryConfusion:
    """Counts yes and no, with yes predicted where the logit is above 0: counts[label, predicted]."""

    def __init__(self) -> None:
        self.arrays = {"counts": np.zeros((2, 2), np.int64)}

    def update(self, outputs: Array, targets: Array, kernels: Kernels) -> None:
        """Count one batch: logits (N, 1) and targets of the same shape, 0 or 1."""
        kernels.count_binary(outputs, targets, self.arrays["counts"])

    def reset(self) -> None:
        """Start anew."""
        self.arrays["counts"][:] = 0


class Moments:
    """Sums, for each output column: number, t, t², (y - t)², |y - t|.

    Parameters:
        columns: number of output columns
    """

    def __init__(self, columns: int) -> None:
        self.arrays = {"sums": np.zeros((5, columns))}

    def update(self, outputs: Array, targets: Array, kernels: Kernels) -> None:
        """Add one batch: predictions and targets (N, columns)."""
        kernels.add_moments(outputs, targets, self.arrays["sums"])

    def reset(self) -> None:
        """Start anew."""
        self.arrays["sums"][:] = 0


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


@register("metric", "accuracy")
class Accuracy:
    """Share of the samples whose class is predicted right.

    Example:
        >>> Accuracy()({"counts": np.array([[3, 1], [0, 4]])})
        0.875
    """

    statistic, higher_is_better = "confusion", True

    def __call__(self, arrays: Mapping[str, Array]) -> float:
        """From a confusion matrix."""
        counts = arrays["counts"]
        return float(_divide(np.trace(counts), counts.sum()))


@register("metric", "precision")
class Precision:
    """Of the samples predicted as a class, the share that is of this class; 0 when none is predicted.

    Parameters:
        average: binary takes the second class; macro the mean over the classes that occur or are predicted;
            weighted the same mean by how often they occur; micro all decisions together; auto is binary for two
            classes and macro for more

    Example:
        >>> Precision()({"counts": np.array([[3, 1], [1, 3]])})
        0.75
    """

    statistic, higher_is_better = "confusion", True

    def __init__(self, average: Average = "auto") -> None:
        self.average = average

    def __call__(self, arrays: Mapping[str, Array]) -> float:
        """From a confusion matrix."""
        counts = arrays["counts"]
        return _averaged(counts.diagonal(), counts.sum(0), counts, self.average)


@register("metric", "recall")
class Recall:
    """Of the samples of a class, the share that is predicted as this class; 0 when there is none.

    Parameters:
        average: binary takes the second class; macro the mean over the classes that occur or are predicted;
            weighted the same mean by how often they occur; micro all decisions together; auto is binary for two
            classes and macro for more

    Example:
        >>> Recall("macro")({"counts": np.array([[4, 0], [2, 2]])})
        0.75
    """

    statistic, higher_is_better = "confusion", True

    def __init__(self, average: Average = "auto") -> None:
        self.average = average

    def __call__(self, arrays: Mapping[str, Array]) -> float:
        """From a confusion matrix."""
        counts = arrays["counts"]
        return _averaged(counts.diagonal(), counts.sum(1), counts, self.average)


@register("metric", "f1")
class F1:
    """Harmonic mean of precision and recall, 2 TP / (2 TP + FP + FN); 0 when a class is neither there nor predicted.

    Parameters:
        average: binary takes the second class; macro the mean over the classes that occur or are predicted;
            weighted the same mean by how often they occur; micro all decisions together; auto is binary for two
            classes and macro for more

    Example:
        >>> F1()({"counts": np.array([[5, 1], [1, 1]])})
        0.5

    Source: van Rijsbergen, Information retrieval, 1979.
    """

    statistic, higher_is_better = "confusion", True

    def __init__(self, average: Average = "auto") -> None:
        self.average = average

    def __call__(self, arrays: Mapping[str, Array]) -> float:
        """From a confusion matrix."""
        counts = arrays["counts"]
        return _averaged(2 * counts.diagonal(), counts.sum(0) + counts.sum(1), counts, self.average)


@register("metric", "r2")
class R2:
    """1 - Σ(y - t)² / Σ(t - mean t)², the share of the targets' variance that is explained; mean over the columns.

    A column whose targets are all equal counts 1 when it is predicted exactly and else 0.

    Example:
        >>> from dltrain.kernels import select
        >>> moments = Moments(1)
        >>> outputs, targets = np.array([[1.0], [2.0], [3.0]]), np.array([[1.0], [2.0], [4.0]])
        >>> moments.update(outputs, targets, select("reference")(outputs))
        >>> round(R2()(moments.arrays), 4)
        0.7857
    """

    statistic, higher_is_better = "moments", True

    def __call__(self, arrays: Mapping[str, Array]) -> float:
        """From the sums of `Moments`."""
        count, total, squares, errors, _ = arrays["sums"]
        spread = squares - _divide(total * total, count)
        # The difference of two sums is rounding alone when it is this small beside them.
        constant = spread <= 1e-12 * squares
        explained = 1 - _divide(errors, np.where(constant, 1, spread))
        return float(np.where(constant, errors == 0, explained).mean())


@register("metric", "mean_squared_error")
class MeanSquaredErrorMetric:
    """Mean over samples and columns of (y - t)².

    Example:
        >>> MeanSquaredErrorMetric()({"sums": np.array([[2.0], [0], [0], [5], [3]])})
        2.5
    """

    statistic, higher_is_better = "moments", False

    def __call__(self, arrays: Mapping[str, Array]) -> float:
        """From the sums of `Moments`."""
        return float(_divide(arrays["sums"][3].sum(), arrays["sums"][0].sum()))


@register("metric", "mean_absolute_error")
class MeanAbsoluteError:
    """Mean over samples and columns of |y - t|.

    Example:
        >>> MeanAbsoluteError()({"sums": np.array([[2.0], [0], [0], [5], [3]])})
        1.5
    """

    statistic, higher_is_better = "moments", False

    def __call__(self, arrays: Mapping[str, Array]) -> float:
        """From the sums of `Moments`."""
        return float(_divide(arrays["sums"][4].sum(), arrays["sums"][0].sum()))


def per_class(counts: Array, classes: Sequence[str]) -> list[dict[str, Any]]:
    """Precision, recall, F1 and support (number of samples) of every class.

    Parameters:
        counts: (K, K) confusion matrix, rows are the true classes
        classes: their K names

    Example:
        >>> per_class(np.array([[3, 1], [0, 4]]), ["no", "yes"])[1]
        {'label': 'yes', 'precision': 0.8, 'recall': 1.0, 'f1': 0.8888888888888888, 'support': 4}
    """
    right, predicted, actual = counts.diagonal(), counts.sum(0), counts.sum(1)
    columns = (_divide(right, predicted), _divide(right, actual), _divide(2 * right, predicted + actual))
    return [
        {"label": label, "precision": float(p), "recall": float(r), "f1": float(f), "support": int(n)}
        for label, p, r, f, n in zip(classes, *columns, actual, strict=True)
    ]


def _averaged(numerator: Array, denominator: Array, counts: Array, average: Average) -> float:
    """The mean over the classes of numerator / denominator."""
    if average == "micro":
        return float(_divide(numerator.sum(), denominator.sum()))
    scores = _divide(numerator, denominator)
    if average == "binary" or (average == "auto" and len(counts) == 2):
        if len(counts) != 2:
            hint = "take macro, micro or weighted"
            raise UsageError("average binary needs two classes", where="metrics", got=f"{len(counts)}", hint=hint)
        return float(scores[1])
    actual = counts.sum(1)
    weights = actual if average == "weighted" else (actual + counts.sum(0) > 0).astype(np.int64)
    return float(_divide((scores * weights).sum(), weights.sum()))


def _divide(numerator: Any, denominator: Any) -> Any:
    """The quotient, and 0 where the denominator is 0."""
    numerator, denominator = np.asarray(numerator, np.float64), np.asarray(denominator, np.float64)
    return np.divide(numerator, denominator, out=np.zeros_like(numerator), where=denominator != 0)
