"""Metrics of decisions: functions of a confusion matrix."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from dltrain.kernels.arrays import Array
from dltrain.metrics.counts import Average, averaged, divide, over_labels, rates
from dltrain.registry import register


@register("metric", "accuracy")
class Accuracy:
    """Share of the samples whose class is predicted right; with labels, share of all single decisions.

    Example:
        >>> Accuracy()({"counts": np.array([[3, 1], [0, 4]])})
        0.875

    Source: Hastie, Tibshirani and Friedman, The elements of statistical learning, 2009 (misclassification error).
    """

    statistic, higher_is_better = "confusion", True

    def __call__(self, arrays: Mapping[str, Array]) -> float:
        """From a confusion matrix."""
        counts = arrays["counts"]
        return float(divide(np.trace(counts, axis1=-2, axis2=-1).sum(), counts.sum()))


class Averaged:
    """A metric of single classes, of which a mean is taken.

    Parameters:
        average: of which classes
    """

    statistic, higher_is_better = "confusion", True

    def __init__(self, average: Average = "auto") -> None:
        self.average = average


@register("metric", "precision")
class Precision(Averaged):
    """Of the samples predicted as a class, the share that is of this class; 0 when none is predicted.

    Parameters:
        average: binary takes the second class; macro the mean over the classes that occur or are predicted;
            weighted the same mean by how often they occur; micro all decisions together; auto is binary for two
            classes and macro for more

    Example:
        >>> Precision()({"counts": np.array([[3, 1], [1, 3]])})
        0.75

    Source: Kent et al., Machine literature searching VIII, 1955.
    """

    def __call__(self, arrays: Mapping[str, Array]) -> float:
        """From a confusion matrix."""
        counts = arrays["counts"]
        right, predicted, _ = rates(counts)
        return averaged(right, predicted, counts, self.average)


@register("metric", "recall")
class Recall(Averaged):
    """Of the samples of a class, the share that is predicted as this class; 0 when there is none.

    Parameters:
        average: binary takes the second class; macro the mean over the classes that occur or are predicted;
            weighted the same mean by how often they occur; micro all decisions together; auto is binary for two
            classes and macro for more

    Example:
        >>> Recall("macro")({"counts": np.array([[4, 0], [2, 2]])})
        0.75

    Source: Kent et al., Machine literature searching VIII, 1955.
    """

    def __call__(self, arrays: Mapping[str, Array]) -> float:
        """From a confusion matrix."""
        counts = arrays["counts"]
        right, _, actual = rates(counts)
        return averaged(right, actual, counts, self.average)


@register("metric", "f1")
class F1(Averaged):
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

    def __call__(self, arrays: Mapping[str, Array]) -> float:
        """From a confusion matrix."""
        counts = arrays["counts"]
        right, predicted, actual = rates(counts)
        return averaged(2 * right, predicted + actual, counts, self.average)


@register("metric", "specificity")
class Specificity:
    """Of the samples that are not of a class, the share that is not predicted as it; of two classes the second.

    With more classes, and with labels, it is the mean over them.

    Example:
        >>> Specificity()({"counts": np.array([[3, 1], [2, 2]])})
        0.75

    Source: Yerushalmy, Statistical problems in assessing methods of medical diagnosis, 1947.
    """

    statistic, higher_is_better = "confusion", True

    def __call__(self, arrays: Mapping[str, Array]) -> float:
        """From a confusion matrix."""
        counts = arrays["counts"]
        right, predicted, actual = rates(counts)
        total = counts.sum() / len(counts) if counts.ndim == 3 else counts.sum()
        others = total - actual
        shares = divide(others - (predicted - right), others)
        return float(shares[1] if counts.shape == (2, 2) else shares.mean())


@register("metric", "balanced_accuracy")
class BalancedAccuracy:
    """Mean over the classes that occur of their recall: every class counts alike, however rare; labels by themselves.

    Example:
        >>> BalancedAccuracy()({"counts": np.array([[4, 0], [2, 2]])})
        0.75

    Source: Brodersen et al., The balanced accuracy and its posterior distribution, 2010.
    """

    statistic, higher_is_better = "confusion", True

    def __call__(self, arrays: Mapping[str, Array]) -> float:
        """From a confusion matrix."""
        return over_labels(self._of, arrays["counts"])

    @staticmethod
    def _of(counts: Array) -> float:
        actual = counts.sum(1)
        return float(divide(divide(counts.diagonal(), actual).sum(), (actual > 0).sum()))


@register("metric", "matthews_correlation")
class MatthewsCorrelation:
    """Correlation of true and predicted classes, from -1 to 1; 0 where one of the two never changes.

    With labels it is the mean over them.

    Example:
        >>> round(MatthewsCorrelation()({"counts": np.array([[3, 1], [0, 4]])}), 6)
        0.774597

    Source: Matthews, Comparison of the predicted and observed secondary structure of T4 phage lysozyme, 1975; Gorodkin,
    Comparing two K-category assignments by a K-category correlation coefficient, 2004.
    """

    statistic, higher_is_better = "confusion", True

    def __call__(self, arrays: Mapping[str, Array]) -> float:
        """From a confusion matrix."""
        return over_labels(self._of, arrays["counts"])

    @staticmethod
    def _of(counts: Array) -> float:
        wide = counts.astype(np.float64)
        total, predicted, actual = wide.sum(), wide.sum(0), wide.sum(1)
        covariance = np.trace(wide) * total - predicted @ actual
        spread = np.sqrt(total**2 - predicted @ predicted) * np.sqrt(total**2 - actual @ actual)
        return float(divide(covariance, spread))


@register("metric", "cohen_kappa")
class CohenKappa:
    """(share of right ones - share expected by chance) / (1 - share expected by chance); 0 where chance is sure.

    With labels it is the mean over them.

    Example:
        >>> CohenKappa()({"counts": np.array([[3, 1], [0, 4]])})
        0.75

    Source: Cohen, A coefficient of agreement for nominal scales, 1960.
    """

    statistic, higher_is_better = "confusion", True

    def __call__(self, arrays: Mapping[str, Array]) -> float:
        """From a confusion matrix."""
        return over_labels(self._of, arrays["counts"])

    @staticmethod
    def _of(counts: Array) -> float:
        wide = counts.astype(np.float64)
        total, chance = wide.sum(), wide.sum(0) @ wide.sum(1)
        return float(divide(np.trace(wide) * total - chance, total**2 - chance))


@register("metric", "hamming_loss")
class HammingLoss:
    """Share of the decisions that are wrong: one a sample for classes, one a sample and label for labels.

    Example:
        >>> HammingLoss()({"counts": np.array([[[3, 1], [0, 4]], [[4, 0], [0, 4]]])})
        0.0625

    Source: Schapire, Singer, Improved boosting algorithms using confidence-rated predictions, 1999.
    """

    statistic, higher_is_better = "confusion", False

    def __call__(self, arrays: Mapping[str, Array]) -> float:
        """From a confusion matrix, or one for each label."""
        counts = arrays["counts"]
        return float(divide(counts.sum() - np.trace(counts, axis1=-2, axis2=-1).sum(), counts.sum()))


@register("metric", "subset_accuracy")
class SubsetAccuracy:
    """Share of the samples whose labels are all right, none missing and none too many.

    Example:
        >>> SubsetAccuracy()({"sets": np.array([4, 3])})
        0.75

    Source: Zhu, Ji, Xu and Gong, Multi-labelled classification using maximum entropy method, 2005.
    """

    statistic, higher_is_better = "label_sets", True

    def __call__(self, arrays: Mapping[str, Array]) -> float:
        """From the counts of `LabelSets`."""
        count, right = arrays["sets"]
        return float(divide(right, count))


def per_class(counts: Array, classes: Sequence[str]) -> list[dict[str, Any]]:
    """Precision, recall, F1 and support (number of samples) of every class.

    Parameters:
        counts: (K, K) confusion matrix, rows are the true classes; or (K, 2, 2), one for each label
        classes: their K names

    Example:
        >>> per_class(np.array([[3, 1], [0, 4]]), ["no", "yes"])[1]
        {'label': 'yes', 'precision': 0.8, 'recall': 1.0, 'f1': 0.8888888888888888, 'support': 4}
    """
    right, predicted, actual = rates(counts)
    columns = (divide(right, predicted), divide(right, actual), divide(2 * right, predicted + actual))
    return [
        {"label": label, "precision": float(p), "recall": float(r), "f1": float(f), "support": int(n)}
        for label, p, r, f, n in zip(classes, *columns, actual, strict=True)
    ]
