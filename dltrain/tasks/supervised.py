"""Learning from examples with targets: one class of many, one of two, or numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from dltrain.layers.base import Array
from dltrain.metrics import BinaryConfusion, Confusion, Moments
from dltrain.registry import register
from dltrain.tasks.base import Task

if TYPE_CHECKING:
    from dltrain.data import Batch, DataSet


@register("task", "classification")
class Classification(Task):
    """One class of two or more: the model ends in one logit for each class.

    p(class k | x) = softmax(logits)_k        (N, K) -> N predictions

    Example:
        >>> import numpy as np
        >>> from types import SimpleNamespace
        >>> data = SimpleNamespace(classes=["cat", "dog"])
        >>> [prediction] = Classification().predict(np.log([[1.0, 3.0]]), data)
        >>> prediction["label"], round(prediction["probabilities"]["dog"], 6)  # 3 / (1 + 3)
        ('dog', 0.75)
    """

    needs = "classes"
    losses = ("softmax_cross_entropy",)
    metrics = ("accuracy",)
    statistics = ("confusion",)

    def units(self, data: DataSet) -> int:
        """One for each class."""
        return len(data.classes or ())

    def collectors(self, data: DataSet) -> dict[str, Any]:
        """A confusion matrix."""
        return {"confusion": Confusion(self.units(data))}

    def targets(self, batch: Batch, outputs: Array) -> Array:
        """Labels (N,)."""
        return batch.target

    def predict(self, outputs: Array, data: DataSet) -> list[dict[str, Any]]:
        """The likeliest class and all probabilities."""
        classes = data.classes or []
        shifted = np.exp(outputs.astype(np.float64) - outputs.max(axis=1, keepdims=True))
        shares = shifted / shifted.sum(axis=1, keepdims=True)
        return [
            {"label": classes[int(row.argmax())], "probabilities": dict(zip(classes, map(float, row), strict=True))}
            for row in shares
        ]

    def combine(self, outputs: Sequence[Array]) -> Array:
        """log (1/M · Σ softmax(logits_m)), whose softmax is the mean of the members' probabilities."""
        return log_mean([log_softmax(logits) for logits in outputs]).astype(outputs[0].dtype)


@register("task", "binary_classification")
class BinaryClassification(Task):
    """Yes or no: the model ends in a single logit.

    p(second class | x) = 1 / (1 + exp(-logit))        (N, 1) -> N predictions

    Example:
        >>> import numpy as np
        >>> from types import SimpleNamespace
        >>> data = SimpleNamespace(classes=["no", "yes"])
        >>> [prediction] = BinaryClassification().predict(np.log([[3.0]]), data)
        >>> prediction["label"], round(prediction["probabilities"]["yes"], 6)  # 1 / (1 + 1/3)
        ('yes', 0.75)
    """

    needs = "binary"
    losses = ("binary_cross_entropy",)
    metrics = ("accuracy",)
    statistics = ("confusion",)

    def units(self, data: DataSet) -> int:
        """One logit."""
        return 1

    def collectors(self, data: DataSet) -> dict[str, Any]:
        """A 2 × 2 confusion matrix."""
        return {"confusion": BinaryConfusion()}

    def targets(self, batch: Batch, outputs: Array) -> Array:
        """0 or 1 in the outputs' shape (N, 1) and type."""
        return batch.target.reshape(-1, 1).astype(outputs.real.dtype)

    def predict(self, outputs: Array, data: DataSet) -> list[dict[str, Any]]:
        """The likelier class and both probabilities."""
        classes = data.classes or []
        logits = outputs[:, 0].astype(np.float64)
        small = np.exp(-np.abs(logits))  # at most 1: nothing overflows
        shares = np.where(logits < 0, small, 1) / (1 + small)
        return [
            {"label": classes[int(p > 0.5)], "probabilities": dict(zip(classes, (1 - float(p), float(p)), strict=True))}
            for p in shares
        ]

    def combine(self, outputs: Sequence[Array]) -> Array:
        """The logit of the mean p of the members' probabilities, log p - log (1 - p)."""
        yes = log_mean([-np.logaddexp(0, -logits.astype(np.float64)) for logits in outputs])
        no = log_mean([-np.logaddexp(0, logits.astype(np.float64)) for logits in outputs])
        return (yes - no).astype(outputs[0].dtype)


@register("task", "regression")
class Regression(Task):
    """Numbers: the model ends in one output for each target column.

    prediction = output        (N, M) -> N predictions

    Example:
        >>> import numpy as np
        >>> from types import SimpleNamespace
        >>> data = SimpleNamespace(target_names=["height", "width"])
        >>> Regression().predict(np.array([[1.5, 2.0]]), data)
        [{'height': 1.5, 'width': 2.0}]
    """

    needs = "values"
    losses = ("mean_squared_error",)
    metrics = ("r2",)
    statistics = ("moments",)

    def units(self, data: DataSet) -> int:
        """One for each target column."""
        return len(data.target_names)

    def collectors(self, data: DataSet) -> dict[str, Any]:
        """Sums of targets and errors."""
        return {"moments": Moments(self.units(data))}

    def targets(self, batch: Batch, outputs: Array) -> Array:
        """(N, columns)."""
        return batch.target

    def predict(self, outputs: Array, data: DataSet) -> list[dict[str, Any]]:
        """The value of each target column."""
        return [dict(zip(data.target_names, map(float, row), strict=True)) for row in outputs]


def log_softmax(logits: Array) -> Array:
    """The logarithm of the softmax over the last axis, in float64.

    Example:
        >>> log_softmax(np.array([1000.0, 1000.0, -1000.0])).round(3).tolist()
        [-0.693, -0.693, -2000.693]
    """
    shifted = logits.astype(np.float64) - logits.max(axis=-1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True)))


def log_mean(logarithms: Sequence[Array]) -> Array:
    """The logarithm of the mean of several numbers, given by their logarithms.

    Example:
        >>> log_mean([np.log([0.25]), np.log([0.75])]).round(6).tolist() == np.log([0.5]).round(6).tolist()
        True
    """
    return np.asarray(np.logaddexp.reduce(logarithms) - np.log(len(logarithms)))
