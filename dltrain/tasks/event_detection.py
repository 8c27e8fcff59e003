"""When something happens in a sequence: yes or no at every step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from dltrain.layers.base import Array
from dltrain.metrics import BinaryConfusion, mean_outputs, probabilities
from dltrain.registry import register
from dltrain.tasks.base import ClassWeight, Task

if TYPE_CHECKING:
    from dltrain.data import Batch, DataSet


@register("task", "event_detection")
class EventDetection(Task):
    """Yes or no at every step of a sequence: the model ends in one logit for each.

    p(event at step t | x) = 1 / (1 + exp(-logits_t)); the loss is the mean over all steps        (N, T, 1)

    Metrics count steps.  `predict` gives the times in seconds at which the probability rises above a half.

    Parameters:
        class_weight: how much the steps count in the loss, where nothing happens and where something does: balanced
            (both alike), a list of two, or {event: weight}; left out: all alike

    Example:
        >>> from types import SimpleNamespace
        >>> data = SimpleNamespace(layout={"events": {"steps": 5, "seconds": 10.0}})
        >>> outputs = np.array([[-2.0, 1.0, 3.0, -1.0, 0.5]])[..., None]
        >>> EventDetection().predict(outputs, data)[0]["events"]
        [2.0, 8.0]

    Source: Ng, Katanforoosh, Bensouda Mourri: Sequence models, Coursera, 2018, week 3: trigger word detection.
    """

    needs = "steps"
    link = "sigmoid"
    losses = ("binary_cross_entropy", "focal")
    metrics = ("f1", "accuracy")
    statistics = ("confusion",)

    def __init__(self, class_weight: ClassWeight = None) -> None:
        self.class_weight = class_weight

    def units(self, data: DataSet) -> int:
        """One logit."""
        return 1

    def output_shape(self, data: DataSet) -> tuple[int, ...]:
        """(T, 1)."""
        return (data.layout["events"]["steps"], 1)

    def rows(self, outputs: Array) -> Array:
        """(N, T, 1) -> (N·T, 1)."""
        return outputs.reshape(-1, 1)

    def collectors(self, data: DataSet, link: str = "softmax") -> dict[str, Any]:
        """A 2 × 2 confusion matrix of steps."""
        return {"confusion": BinaryConfusion()}

    def targets(self, batch: Batch, outputs: Array) -> Array:
        """0 or 1 for each step (N·T, 1), in the outputs' type."""
        return batch.target.reshape(-1, 1).astype(outputs.real.dtype)

    def predict(self, outputs: Array, data: DataSet, link: str = "softmax") -> list[dict[str, Any]]:
        """The seconds at which something happens, and the largest probability."""
        step = data.layout["events"]["seconds"] / outputs.shape[1]
        found = []
        for row in outputs.real[..., 0]:
            there = row > 0
            rises = np.flatnonzero(there & ~np.concatenate([[False], there[:-1]]))
            highest = float(probabilities(row.max().reshape(1, 1))[0, 1])
            found.append({"events": [round(float(k * step), 3) for k in rises], "highest": highest})
        return found

    def combine(self, outputs: Sequence[Array], link: str = "softmax") -> Array:
        """The logits of the mean of the members' probabilities."""
        return np.asarray(mean_outputs([self.rows(some) for some in outputs], "sigmoid")).reshape(outputs[0].shape)
