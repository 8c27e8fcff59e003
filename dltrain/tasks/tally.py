"""The account of a pass over data: what the loss and the metrics of all its samples are computed from."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from dltrain.layers.base import Array
from dltrain.metrics import per_class

if TYPE_CHECKING:
    from dltrain.data import Batch
    from dltrain.tasks.bound import Bound


class Tally:
    """Loss and metrics of a pass over data, weighted as the samples are: never means of means of batches.

    Parameters:
        bound: the task, for targets and metrics
        collectors: {statistic: collector}
    """

    def __init__(self, bound: Bound, collectors: dict[str, Any]) -> None:
        self.bound, self.collectors = bound, collectors
        self._list = tuple(collectors.values())
        self.loss_sum, self.weight_sum, self.penalty_sum, self.count = 0.0, 0.0, 0.0, 0

    @property
    def names(self) -> list[str]:
        """Of the metrics, the loss first."""
        return ["loss", *self.bound.metrics]

    @property
    def heads(self) -> dict[str, Tally]:
        """The accounts by the names of the heads; here there is one without a name."""
        return {"": self}

    @property
    def timed(self) -> bool:
        """Whether the time of the forward pass is wanted."""
        return "timing" in self.collectors

    @property
    def finite(self) -> bool:
        """Whether all sums are finite: an output that is not leaves its mark in one of them."""
        arrays = (array for collector in self._list for array in collector.arrays.values())
        return math.isfinite(self.loss_sum) and all(np.isfinite(array).all() for array in arrays)

    def time(self, seconds: float, count: int) -> None:
        """Take in how long the forward pass of some samples took."""
        self.collectors["timing"].arrays["timing"] += (seconds, count)

    def add(self, loss: float, penalty: float, outputs: Mapping[str, Array], batch: Batch, kernels: Any) -> None:
        """Take in one batch."""
        scores = outputs[self.bound.wire]
        count = len(scores)
        weight = self.bound.weight(batch)
        self.count += count
        self.weight_sum += weight
        self.loss_sum += loss * weight
        self.penalty_sum += penalty * count
        if self._list:
            judged = self.bound.judged(scores, batch)
            for collector in self._list:
                whole = getattr(collector, "of_sequences", False)
                collector.update(*(self.bound.sequences(scores, batch) if whole else judged), kernels)

    def results(self) -> dict[str, float]:
        """{metric: value}, the loss first; without those that were not measured."""
        if not self.count:
            return {}
        found = {"loss": self.loss_sum / self.weight_sum if self.weight_sum else 0.0}
        if self.penalty_sum:
            found["penalty"] = self.penalty_sum / self.count
        for name, metric in self.bound.metrics.items():
            losses = {"loss": np.array([self.loss_sum, self.weight_sum])}
            arrays = losses if metric.statistic == "loss" else self.collectors[metric.statistic].arrays
            if metric.statistic != "timing" or arrays["timing"][1]:
                found[name] = float(metric(arrays))
        return found

    def counted(self) -> dict[str, Any]:
        """What was counted beside the metrics: of each class or label, and which class was taken for which."""
        data = self.bound.data
        counts = next((c.arrays["counts"] for c in self.collectors.values() if "counts" in c.arrays), None)
        names = data.classes or (data.target_names if counts is not None else [])
        return {
            "per_class": None if counts is None else per_class(counts, names),
            "confusion": None if counts is None or counts.ndim == 3 else counts.tolist(),
            "classes": data.classes,
        }

    def reset(self) -> None:
        """Start anew."""
        self.loss_sum, self.weight_sum, self.penalty_sum, self.count = 0.0, 0.0, 0.0, 0
        for collector in self._list:
            collector.reset()

    def state(self) -> dict[str, Any]:
        """Everything, to go on after a resume."""
        arrays = {f"{n}/{key}": a.copy() for n, c in self.collectors.items() for key, a in c.arrays.items()}
        return {
            "loss_sum": self.loss_sum,
            "weight_sum": self.weight_sum,
            "penalty_sum": self.penalty_sum,
            "count": self.count,
            "arrays": arrays,
        }

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Go on from `state()`."""
        self.loss_sum, self.weight_sum = state["loss_sum"], state["weight_sum"]
        self.penalty_sum, self.count = state["penalty_sum"], state["count"]
        for name, collector in self.collectors.items():
            collector.load({key: state["arrays"][f"{name}/{key}"] for key in collector.arrays})
