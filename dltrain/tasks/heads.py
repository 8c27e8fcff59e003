"""The heads of a multi-task model, bound to their losses and metrics: the same verbs as one bound task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np

from dltrain.layers.base import Array
from dltrain.registry import create
from dltrain.tasks.bound import Bound, read_by
from dltrain.tasks.tally import Tally

if TYPE_CHECKING:
    from dltrain.data import Batch, DataSet
    from dltrain.model.graph import Graph
    from dltrain.model.mode import Mode


class Heads:
    """Several bound tasks whose weighted losses are added.

    Parameters:
        task: has `heads` and `tasks`
        data: the data set, with what each head's targets are
        wires: outputs of the model
        path: of the heads in the config, for errors

    Raises:
        ConfigError: when a loss or a metric does not fit, or an output has no reader.
    """

    def __init__(self, task: Any, data: DataSet, wires: Sequence[str], path: tuple[str | int, ...]) -> None:
        self.task, self.data, self.options = task, data, task.heads
        self.bound = {
            name: Bound(
                task.tasks[name],
                self.view(data, name),
                head.wire or name,
                head.loss,
                head.metrics,
                (*path, name),
            )
            for name, head in task.heads.items()
        }
        self.wires = tuple(dict.fromkeys(bound.wire for bound in self.bound.values()))
        self.evaluated_wires = tuple(dict.fromkeys(bound.wire for bound in self.evaluated.values()))
        read_by(wires, self.wires)
        self.columns = {name: slice(*data.heads[name]["columns"]) for name in self.bound}
        self.loss_name = self.losses_at(self.wires)
        self.metrics: dict[str, Any] = {}
        for name, bound in self.bound.items():
            self.metrics[f"{name}.loss"] = create("metric", "loss")
            self.metrics |= {f"{name}.{metric}": found for metric, found in bound.metrics.items()}
        self.newest: dict[str, float] = {}  # the heads' losses of the newest batch, for the tally

    @staticmethod
    def view(data: DataSet, name: str) -> Any:
        """The data as one head sees them: its classes, the names of its targets, and their unit."""
        return SimpleNamespace(**data.heads[name], restore=lambda values: data.restore(values, name))

    def check(self, graph: Graph) -> None:
        """Raise a ConfigError unless every head's output fits its targets."""
        for bound in self.bound.values():
            bound.check(graph)

    def inputs(self, batch: Batch) -> Mapping[str, Array]:
        """What the graph is fed."""
        return batch.inputs

    def losses_at(self, wires: Sequence[str]) -> str:
        """The heads that read some wires, with the names of their losses."""
        return ", ".join(f"{name}: {b.loss_name}" for name, b in self.bound.items() if b.wire in wires)

    def part(self, name: str, batch: Batch) -> Any:
        """A batch as one head sees it: its own targets."""
        return batch.told(lambda y: self.targets_of(name, y))

    def targets_of(self, name: str, y: Array) -> Array:
        """The targets (N, …) of one head, of those of all."""
        columns, numbered = self.columns[name], self.bound[name].task.needs in ("classes", "binary")
        return y[:, columns][:, 0].astype(np.int64) if numbered else y[:, columns]

    def loss(self, outputs: Mapping[str, Array], batch: Batch, mode: Mode) -> tuple[Any, dict[str, Array]]:
        """The weighted sum of the heads' losses, and its gradient in every wire."""
        total: Any = 0.0
        gradients: dict[str, Array] = {}
        self.newest = {}
        for name, bound in self.bound.items():
            head = self.options[name]
            if head.training_only and not mode.training:
                continue
            loss, found = bound.loss(outputs, self.part(name, batch), mode)
            self.newest[name] = loss
            total += head.weight * loss
            gradient = found[bound.wire]
            gradient *= head.weight
            if bound.wire in gradients:
                gradients[bound.wire] += gradient
            else:
                gradients[bound.wire] = gradient
        return total, gradients

    def calibrated(self, outputs: dict[str, Array]) -> dict[str, Array]:
        """The outputs of an evaluation by the temperatures of the heads' decisions."""
        for bound in self.evaluated.values():
            outputs = bound.calibrated(outputs)
        return outputs

    def combine(self, outputs: Sequence[Mapping[str, Array]]) -> dict[str, Array]:
        """The outputs of an ensemble: those whose predictions are the means of the members' predictions."""
        return {wire: array for bound in self.evaluated.values() for wire, array in bound.combine(outputs).items()}

    @property
    def ends(self) -> dict[str, str]:
        """{head that is evaluated: the wire that it reads}."""
        return {name: bound.wire for name, bound in self.evaluated.items()}

    @property
    def links(self) -> dict[str, str]:
        """{head that is evaluated: how its outputs become probabilities}."""
        return {name: bound.link for name, bound in self.evaluated.items()}

    @property
    def evaluated(self) -> dict[str, Bound]:
        """The heads that do not only help the training."""
        return {name: bound for name, bound in self.bound.items() if not self.options[name].training_only}

    def finite(self, outputs: Mapping[str, Array]) -> Array:
        """(N,) whether all that a prediction is made of are finite numbers."""
        return np.asarray(np.logical_and.reduce([bound.finite(outputs) for bound in self.evaluated.values()]))

    def predict(self, outputs: Mapping[str, Array]) -> list[dict[str, Any]]:
        """For each sample a dict of the heads' predictions; those that only help the training say nothing."""
        shown = {name: bound.predict(outputs) for name, bound in self.evaluated.items()}
        return [dict(zip(shown, row, strict=True)) for row in zip(*shown.values(), strict=True)]

    def tally(self, everything: bool = False) -> HeadsTally:
        """An empty account of a pass over data, with one for each head."""
        return HeadsTally(self, {name: bound.tally(everything) for name, bound in self.bound.items()})

    def higher_is_better(self, metric: str) -> bool:
        """Whether a larger value of this metric is the better one."""
        return metric != "loss" and bool(self.metrics[metric].higher_is_better)


class HeadsTally:
    """The accounts of all heads, and the sum of their losses.

    Parameters:
        bound: the heads
        heads: {head: its account}
    """

    def __init__(self, bound: Heads, heads: dict[str, Tally]) -> None:
        self.bound, self.heads = bound, heads
        self.penalty_sum, self.count = 0.0, 0

    @property
    def names(self) -> list[str]:
        """Of the metrics, the loss first."""
        return ["loss", *self.bound.metrics]

    @property
    def timed(self) -> bool:
        """Whether the time of the forward pass is wanted."""
        return any(tally.timed for tally in self.heads.values())

    @property
    def finite(self) -> bool:
        """Whether all sums are finite."""
        return all(tally.finite for tally in self.heads.values())

    def time(self, seconds: float, count: int) -> None:
        """Take in how long the forward pass of some samples took."""
        for tally in self.heads.values():
            if tally.timed:
                tally.time(seconds, count)

    def add(self, loss: float, penalty: float, outputs: Mapping[str, Array], batch: Batch, kernels: Any) -> None:
        """Take in one batch, whose losses are the newest of the heads."""
        self.count += len(batch)
        self.penalty_sum += penalty * len(batch)
        for name, value in self.bound.newest.items():
            self.heads[name].add(value, 0.0, outputs, self.bound.part(name, batch), kernels)

    def results(self) -> dict[str, float]:
        """{metric: value}, the loss first; the metrics of a head are named head.metric."""
        if not self.count:
            return {}
        parts = {name: results for name, tally in self.heads.items() if (results := tally.results())}
        found = {"loss": sum(self.bound.options[name].weight * results["loss"] for name, results in parts.items())}
        if self.penalty_sum:
            found["penalty"] = self.penalty_sum / self.count
        return found | {f"{name}.{key}": v for name, results in parts.items() for key, v in results.items()}

    def reset(self) -> None:
        """Start anew."""
        self.penalty_sum, self.count = 0.0, 0
        for tally in self.heads.values():
            tally.reset()

    def state(self) -> dict[str, Any]:
        """Everything, to go on after a resume."""
        states = {name: tally.state() for name, tally in self.heads.items()}
        arrays = {f"{name}/{key}": a for name, state in states.items() for key, a in state.pop("arrays").items()}
        return {"penalty_sum": self.penalty_sum, "count": self.count, "heads": states, "arrays": arrays}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Go on from `state()`."""
        self.penalty_sum, self.count = state["penalty_sum"], state["count"]
        for name, tally in self.heads.items():
            prefix = f"{name}/"
            arrays = {key.removeprefix(prefix): a for key, a in state["arrays"].items() if key.startswith(prefix)}
            tally.load_state({**state["heads"][name], "arrays": arrays})
