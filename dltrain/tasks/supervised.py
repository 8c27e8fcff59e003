"""Learning from examples with targets: one class of many, one of two, or numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from dltrain.layers.base import Array
from dltrain.metrics import BinaryConfusion, Certainty, Confusion, Moments, Scores, mean_outputs, probabilities
from dltrain.registry import register
from dltrain.tasks.base import ClassWeight, Task
from dltrain.types import Need

if TYPE_CHECKING:
    from dltrain.data import Batch, DataSet


@register("task", "classification")
class Classification(Task):
    """One class of two or more: the model ends in one logit for each class.

    p(class k | x) = softmax(logits)_k        (N, K) -> N predictions

    With `binary_cross_entropy` each logit is a yes or no of its own; with `quadratic` and `mean_squared_error` the
    model ends in a `sigmoid` or `softmax` layer whose outputs are the probabilities, shares of their sum.

    Parameters:
        class_weight: how much the samples of each class count in the loss, whose mean is weighted by it: balanced
            (every class alike), a list in the order of the classes, or {class: weight}; left out: all alike
        ignore_label: samples with this label count neither in the loss nor in the metrics; it is no class

    Example:
        >>> import numpy as np
        >>> from types import SimpleNamespace
        >>> data = SimpleNamespace(classes=["cat", "dog"])
        >>> [prediction] = Classification().predict(np.log([[1.0, 3.0]]), data)
        >>> prediction["label"], round(prediction["probabilities"]["dog"], 6)  # 3 / (1 + 3)
        ('dog', 0.75)
    """

    needs = "classes"
    losses = (
        "softmax_cross_entropy",
        "binary_cross_entropy",
        "quadratic",
        "mean_squared_error",
        "hinge",
        "squared_hinge",
        "focal",
    )
    metrics = ("accuracy",)
    statistics = ("confusion", "certainty", "scores")

    def __init__(self, class_weight: ClassWeight = None, ignore_label: str | int | None = None) -> None:
        self.class_weight, self.ignore_label = class_weight, ignore_label

    def units(self, data: DataSet) -> int:
        """One for each class."""
        return len(data.classes or ())

    def collectors(self, data: DataSet, link: str = "softmax") -> dict[str, Any]:
        """A confusion matrix, sums over the probabilities, and all scores."""
        width = self.units(data)
        return {"confusion": Confusion(width), "certainty": Certainty(width, link), "scores": Scores(width, link)}

    def targets(self, batch: Batch, outputs: Array) -> Array:
        """Labels (N,)."""
        return batch.target

    def predict(
        self, outputs: Array, data: DataSet, link: str = "softmax", cut: Array | None = None
    ) -> list[dict[str, Any]]:
        """The likeliest class and all probabilities."""
        classes = data.classes or []
        return [
            {"label": classes[int(row.argmax())], "probabilities": dict(zip(classes, map(float, row), strict=True))}
            for row in probabilities(outputs, link)
        ]

    def combine(self, outputs: Sequence[Array], link: str = "softmax") -> Array:
        """Outputs whose probabilities are the mean of the members' probabilities."""
        return mean_outputs(outputs, link)


@register("task", "binary_classification")
class BinaryClassification(Task):
    """Yes or no: the model ends in a single logit.

    p(second class | x) = 1 / (1 + exp(-logit))        (N, 1) -> N predictions

    Parameters:
        class_weight: how much the samples of each class count in the loss, whose mean is weighted by it: balanced
            (every class alike), a list in the order of the classes, or {class: weight}; left out: all alike
        ignore_label: samples with this label count neither in the loss nor in the metrics; it is no class

    Example:
        >>> import numpy as np
        >>> from types import SimpleNamespace
        >>> data = SimpleNamespace(classes=["no", "yes"])
        >>> [prediction] = BinaryClassification().predict(np.log([[3.0]]), data)
        >>> prediction["label"], round(prediction["probabilities"]["yes"], 6)  # 1 / (1 + 1/3)
        ('yes', 0.75)
    """

    needs = "binary"
    link = "sigmoid"
    losses = ("binary_cross_entropy", "hinge", "squared_hinge", "focal")
    metrics = ("accuracy",)
    statistics = ("confusion", "certainty", "scores")

    def __init__(self, class_weight: ClassWeight = None, ignore_label: str | int | None = None) -> None:
        self.class_weight, self.ignore_label = class_weight, ignore_label

    def units(self, data: DataSet) -> int:
        """One logit."""
        return 1

    def collectors(self, data: DataSet, link: str = "softmax") -> dict[str, Any]:
        """A 2 × 2 confusion matrix, sums over the probabilities, and all logits."""
        return {"confusion": BinaryConfusion(), "certainty": Certainty(2), "scores": Scores(1)}

    def targets(self, batch: Batch, outputs: Array) -> Array:
        """0 or 1 in the outputs' shape (N, 1) and type."""
        return batch.target.reshape(-1, 1).astype(outputs.real.dtype)

    def predict(
        self, outputs: Array, data: DataSet, link: str = "softmax", cut: Array | None = None
    ) -> list[dict[str, Any]]:
        """The likelier class (or the second where its logit is above the cut) and both probabilities."""
        classes, yes = data.classes or [], outputs[:, 0] > (0 if cut is None else cut[0])
        return [
            {"label": classes[int(said)], "probabilities": dict(zip(classes, map(float, row), strict=True))}
            for said, row in zip(yes, probabilities(outputs), strict=True)
        ]

    def combine(self, outputs: Sequence[Array], link: str = "softmax") -> Array:
        """The logit of the mean of the members' probabilities."""
        return mean_outputs(outputs, "sigmoid")


@register("task", "regression")
class Regression(Task):
    """Numbers: the model ends in one output for each target column.

    prediction = output        (N, M) -> N predictions

    Parameters:
        places: what the numbers are in a picture, as shares of its width and height: points (x, y of each) or boxes
            (left, top, right, bottom of each), which move along when pictures are augmented; left out: numbers

    Example:
        >>> import numpy as np
        >>> from types import SimpleNamespace
        >>> data = SimpleNamespace(target_names=["height", "width"])
        >>> Regression().predict(np.array([[1.5, 2.0]]), data)
        [{'height': 1.5, 'width': 2.0}]
    """

    needs = "values"
    link = "identity"
    losses = ("mean_squared_error", "quadratic", "mean_absolute_error", "huber")
    metrics = ("r2",)
    statistics = ("moments",)

    def __init__(self, places: Literal["points", "boxes"] | None = None) -> None:
        self.places = places

    def wanted(self) -> Need:
        """Numbers, or places."""
        return Need(self.needs, places=self.places or "")

    def units(self, data: DataSet) -> int:
        """One for each target column."""
        return len(data.target_names)

    def collectors(self, data: DataSet, link: str = "softmax") -> dict[str, Any]:
        """Sums of targets and errors."""
        return {"moments": Moments(self.units(data))}

    def targets(self, batch: Batch, outputs: Array) -> Array:
        """(N, columns)."""
        return batch.target

    def predict(
        self, outputs: Array, data: DataSet, link: str = "softmax", cut: Array | None = None
    ) -> list[dict[str, Any]]:
        """The value of each target column."""
        return [dict(zip(data.target_names, map(float, row), strict=True)) for row in outputs]
