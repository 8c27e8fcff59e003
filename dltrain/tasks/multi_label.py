"""Learning which of many labels a sample has: any number of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from dltrain.layers.base import Array
from dltrain.metrics import LabelSets, Scores, logistic, mean_outputs
from dltrain.registry import register
from dltrain.tasks.base import ClassWeight, Task
from dltrain.types import SomeText

if TYPE_CHECKING:
    from dltrain.data import Batch, DataSet


@register("task", "multi_label")
class MultiLabel(Task):
    """Any number of labels a sample: the model ends in one logit for each label.

    p(label k | x) = 1 / (1 + exp(-logit_k))        (N, M) -> N predictions

    Targets are columns of 0 and 1, or one column of text with the labels of each sample.

    Parameters:
        separator: what stands between the labels of a sample in a column of text
        class_weight: how much the yes of each label counts in the loss, whose mean is weighted by it: balanced (the no
            and the yes of each label alike), a list in the order of the labels, or {label: weight}; left out: all alike

    Example:
        >>> import numpy as np
        >>> from types import SimpleNamespace
        >>> data = SimpleNamespace(target_names=["beach", "sunset"])
        >>> [prediction] = MultiLabel().predict(np.log([[3.0, 0.25]]), data)
        >>> prediction["labels"], round(prediction["probabilities"]["sunset"], 6)
        (['beach'], 0.2)
    """

    needs = "labels"
    link = "sigmoid"
    losses = ("binary_cross_entropy", "focal", "hinge", "squared_hinge")
    metrics = ("subset_accuracy", "f1")
    statistics = ("confusion", "label_sets", "scores")

    def __init__(self, separator: SomeText = ";", class_weight: ClassWeight = None) -> None:
        self.separator, self.class_weight = separator, class_weight

    def units(self, data: DataSet) -> int:
        """One for each label."""
        return len(data.target_names)

    def collectors(self, data: DataSet, link: str = "softmax") -> dict[str, Any]:
        """Counts of each label, of whole sets, and all logits."""
        width = self.units(data)
        return {"confusion": LabelSets(width), "label_sets": LabelSets(width), "scores": Scores(width)}

    def targets(self, batch: Batch, outputs: Array) -> Array:
        """0 and 1 in the outputs' shape and type."""
        return batch.target.astype(outputs.real.dtype, copy=False)

    def predict(
        self, outputs: Array, data: DataSet, link: str = "softmax", cut: Array | None = None
    ) -> list[dict[str, Any]]:
        """The labels whose probability is above one half (whose logit is above the cut), and all probabilities."""
        names, said = data.target_names, outputs > (0 if cut is None else cut)
        return [
            {
                "labels": [name for name, yes in zip(names, there, strict=True) if yes],
                "probabilities": dict(zip(names, map(float, row), strict=True)),
            }
            for there, row in zip(said, logistic(outputs), strict=True)
        ]

    def combine(self, outputs: Sequence[Array], link: str = "softmax") -> Array:
        """The logits of the means of the members' probabilities."""
        return mean_outputs(outputs, "sigmoid")
