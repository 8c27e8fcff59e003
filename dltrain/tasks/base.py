"""What a task is: which wires it feeds and reads, its loss, its metrics, what it predicts."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from dltrain.errors import ConfigError, Problem
from dltrain.layers.base import Array
from dltrain.registry import create, entries, parse

if TYPE_CHECKING:
    from dltrain.data import Batch, DataSet
    from dltrain.model.graph import Graph
    from dltrain.model.mode import Mode


class Task(ABC):
    """One kind of learning problem.  It sees dicts of arrays, never the graph's inside or the trainer."""

    needs: str  # what the targets must be: "classes", "binary" or "values"
    losses: tuple[str, ...]  # the losses that fit, the default first
    metrics: tuple[Any, ...]  # specs of the default metrics
    statistics: tuple[str, ...]  # what its metrics may be computed from

    @abstractmethod
    def units(self, data: DataSet) -> int:
        """Width of the model's last layer for this data."""

    @abstractmethod
    def collectors(self, data: DataSet) -> dict[str, Any]:
        """{statistic: collector} that its metrics read."""

    @abstractmethod
    def targets(self, batch: Batch, outputs: Array) -> Array:
        """The batch's targets in the form that loss and collectors take."""

    @abstractmethod
    def predict(self, outputs: Array, data: DataSet) -> list[dict[str, Any]]:
        """What the outputs say, one dict for each sample."""

    def combine(self, outputs: Sequence[Array]) -> Array:
        """The outputs of an ensemble: those whose prediction is the mean of the members' predictions.

        Parameters:
            outputs: of each member for the same samples
        """
        return np.mean(outputs, axis=0, dtype=np.float64).astype(outputs[0].dtype)

    def variables(self, data: DataSet) -> dict[str, Any]:
        """Values for $name in the model."""
        return {"classes": len(data.classes or ()), "outputs": self.units(data)}


class Bound:
    """A task joined with its loss and metrics, for one model and one data set.

    Parameters:
        task: the task
        data: the data set (for classes and widths)
        wire: the output wire that is compared with the targets
        loss: spec of the loss, or None for the task's own
        metrics: specs of the metrics, or None for the task's own

    Raises:
        ConfigError: when the loss or a metric does not fit the task.
    """

    def __init__(self, task: Task, data: DataSet, wire: str, loss: Any, metrics: Sequence[Any] | None) -> None:
        self.task, self.data, self.wire, self.wires = task, data, wire, (wire,)
        self.loss_name = parse(loss or task.losses[0], "loss", ("loss",))[0].name
        problems = []
        if self.loss_name not in task.losses:
            expected = " or ".join(task.losses)
            problems.append(Problem(("loss",), "this loss does not fit the task", expected, self.loss_name))
        self._loss = create("loss", loss or task.losses[0])
        self.metrics: dict[str, Any] = {}
        for position, spec in enumerate(task.metrics if metrics is None else metrics):
            entry, _ = parse(spec, "metric", ("metrics", position))
            metric = create("metric", spec)
            if metric.statistic not in (*task.statistics, "loss"):
                fitting = [
                    name
                    for name, known in entries("metric").items()
                    if getattr(known.make, "statistic", "") in (*task.statistics, "loss")
                ]
                problems.append(
                    Problem(("metrics", position), "this metric does not fit the task", ", ".join(fitting), entry.name)
                )
            if entry.name != "loss":
                self.metrics[entry.name] = metric
        if problems:
            raise ConfigError(problems)

    def check(self, graph: Graph) -> None:
        """Raise a ConfigError unless the model's output fits the targets."""
        shape, width = graph.wires[self.wire], self.task.units(self.data)
        if shape != (width,):
            hint = "leave the last layer's width out, or write `dense: {units: $outputs}`"
            what = "the model's output does not fit the data"
            raise ConfigError([Problem(("model", "graph", self.wire), what, f"({width},)", str(shape), hint)])

    def inputs(self, batch: Batch) -> Mapping[str, Array]:
        """What the graph is fed."""
        return batch.inputs

    def loss(self, outputs: Mapping[str, Array], batch: Batch, mode: Mode) -> tuple[Any, dict[str, Array]]:
        """The mean loss of the batch and its gradient in every wire it reads."""
        scores = outputs[self.wire]
        loss, gradient = self._loss.forward(scores, self.task.targets(batch, scores), mode)
        return loss, {self.wire: gradient}

    def tally(self, everything: bool = False) -> Tally:
        """An empty account of a pass over data, with what the metrics read or with everything the task collects."""
        wanted = {metric.statistic for metric in self.metrics.values()}
        collectors = {n: c for n, c in self.task.collectors(self.data).items() if everything or n in wanted}
        return Tally(self, collectors)

    def higher_is_better(self, metric: str) -> bool:
        """Whether a larger value of this metric is the better one."""
        return metric != "loss" and bool(self.metrics[metric].higher_is_better)


class Tally:
    """Loss and metrics of a pass over data, weighted by sample counts: never means of means of batches.

    Parameters:
        bound: the task, for targets and metrics
        collectors: {statistic: collector}
    """

    def __init__(self, bound: Bound, collectors: dict[str, Any]) -> None:
        self.bound, self.collectors = bound, collectors
        self._list = tuple(collectors.values())
        self.loss_sum, self.penalty_sum, self.count = 0.0, 0.0, 0

    @property
    def names(self) -> list[str]:
        """Of the metrics, the loss first."""
        return ["loss", *self.bound.metrics]

    def add(self, loss: float, penalty: float, outputs: Mapping[str, Array], batch: Batch, kernels: Any) -> None:
        """Take in one batch."""
        scores = outputs[self.bound.wire]
        count = len(scores)
        self.count += count
        self.loss_sum += loss * count
        self.penalty_sum += penalty * count
        if self._list:
            targets = self.bound.task.targets(batch, scores)
            for collector in self._list:
                collector.update(scores, targets, kernels)

    def results(self) -> dict[str, float]:
        """{metric: value}, the loss first."""
        if not self.count:
            return {}
        found = {"loss": self.loss_sum / self.count}
        if self.penalty_sum:
            found["penalty"] = self.penalty_sum / self.count
        for name, metric in self.bound.metrics.items():
            found[name] = float(metric(self.collectors[metric.statistic].arrays))
        return found

    def reset(self) -> None:
        """Start anew."""
        self.loss_sum, self.penalty_sum, self.count = 0.0, 0.0, 0
        for collector in self._list:
            collector.reset()

    def state(self) -> dict[str, Any]:
        """Everything, to go on after a resume."""
        arrays = {f"{n}/{key}": a.copy() for n, c in self.collectors.items() for key, a in c.arrays.items()}
        return {"loss_sum": self.loss_sum, "penalty_sum": self.penalty_sum, "count": self.count, "arrays": arrays}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Go on from `state()`."""
        self.loss_sum, self.penalty_sum, self.count = state["loss_sum"], state["penalty_sum"], state["count"]
        for name, collector in self.collectors.items():
            for key, array in collector.arrays.items():
                array[...] = state["arrays"][f"{name}/{key}"]
