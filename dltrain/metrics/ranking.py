"""Metrics of the order into which scores bring the samples, at every threshold at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

import numpy as np

from dltrain.kernels.arrays import Array
from dltrain.metrics.counts import divide
from dltrain.registry import register

Mean = Literal["macro", "weighted"]


@register("metric", "roc_auc")
class RocAuc:
    """Area under the ROC curve: the share of pairs (one of the class, one not) that the scores order rightly.

    Equal scores count half.  Of two classes the second is meant; of more, each against the rest by its probability,
    and labels by themselves, then the mean over those that have both kinds of samples; 0.5 where none has.  It keeps
    the scores of all samples of an evaluation.

    Parameters:
        average: macro: every class or label counts alike; weighted: by how often it occurs

    Example:
        >>> arrays = {"scores": np.array([[0.1], [0.4], [0.35], [0.8]]), "targets": np.array([[0], [0], [1], [1]])}
        >>> RocAuc()(arrays)
        0.75

    Source: Hanley, McNeil, The meaning and use of the area under a ROC curve, 1982.
    """

    statistic, higher_is_better = "scores", True

    def __init__(self, average: Mean = "macro") -> None:
        self.average = average

    def __call__(self, arrays: Mapping[str, Array]) -> float:
        """From all scores."""
        targets = columns_of(arrays)[1]
        both = (targets > 0).any(0) & (targets == 0).any(0)
        return over_columns(area, arrays, self.average, both) if both.any() else 0.5


@register("metric", "average_precision")
class AveragePrecision:
    """Σ over the thresholds of (recall - recall at the one above) precision: the area under precision and recall.

    Of two classes the second is meant; of more, each against the rest, and labels by themselves, then the mean; 0 for
    one that does not occur.  It keeps the scores of all samples of an evaluation.

    Parameters:
        average: macro: every class or label counts alike; weighted: by how often it occurs

    Example:
        >>> arrays = {"scores": np.array([[0.1], [0.4], [0.35], [0.8]]), "targets": np.array([[0], [0], [1], [1]])}
        >>> round(AveragePrecision()(arrays), 6)
        0.833333

    Source: Zhu, Recall, precision and average precision, 2004.
    """

    statistic, higher_is_better = "scores", True

    def __init__(self, average: Mean = "macro") -> None:
        self.average = average

    def __call__(self, arrays: Mapping[str, Array]) -> float:
        """From all scores."""
        targets = columns_of(arrays)[1]
        return over_columns(precision_area, arrays, self.average, np.ones(targets.shape[1], bool))


def columns_of(arrays: Mapping[str, Array]) -> tuple[Array, Array]:
    """Scores and targets; of two classes only the second's, which says all.

    Parameters:
        arrays: of `Scores`; those of classes have one 1 in each row, which two labels need not have
    """
    scores, targets = arrays["scores"], arrays["targets"]
    if scores.shape[1] == 2 and (targets.sum(1) == 1).all() and np.allclose(scores.sum(1), 1):
        return scores[:, 1:], targets[:, 1:]
    return scores, targets


def over_columns(
    function: Callable[[Array, Array], float], arrays: Mapping[str, Array], average: Mean, of: Array
) -> float:
    """The mean of a function of scores and targets over some columns."""
    scores, targets = columns_of(arrays)
    values = np.array([function(scores[:, k], targets[:, k]) for k in np.flatnonzero(of)])
    weights = targets.sum(0)[of] if average == "weighted" else np.ones(len(values))
    return float(divide((values * weights).sum(), weights.sum()))


def area(scores: Array, targets: Array) -> float:
    """The share of pairs in the right order, equal ones counted half.

    Example:
        >>> area(np.array([1.0, 1.0, 2.0]), np.array([0, 1, 1]))
        0.75
    """
    _, place, counts = np.unique(scores, return_inverse=True, return_counts=True)
    above = np.cumsum(counts)
    ranks = (above - (counts - 1) / 2)[place.reshape(-1)]  # from 1, equal scores share their mean rank
    yes = targets > 0
    n = int(yes.sum())
    return float(divide(ranks[yes].sum() - n * (n + 1) / 2, n * (len(yes) - n)))


def precision_area(scores: Array, targets: Array) -> float:
    """Average precision over the distinct thresholds, the highest first.

    Example:
        >>> precision_area(np.array([3.0, 2.0, 1.0]), np.array([1, 0, 1])).__round__(6)
        0.833333
    """
    order = np.argsort(-scores, kind="stable")
    ends = np.flatnonzero(np.diff(scores[order], append=-np.inf))  # the last of each group of equal scores
    right = np.cumsum(targets[order])[ends]
    if not len(right) or not right[-1]:
        return 0.0
    recall = right / right[-1]
    return float((np.diff(recall, prepend=0) * right / (ends + 1)).sum())
