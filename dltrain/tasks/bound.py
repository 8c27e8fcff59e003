"""A task joined with its loss and metrics, for one model and one data set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from dltrain.errors import ConfigError, Problem, UsageError
from dltrain.layers.base import Array
from dltrain.metrics import Timing
from dltrain.registry import create, entries, parse, titles
from dltrain.tasks.tally import Tally
from dltrain.tasks.weighing import Weighing

if TYPE_CHECKING:
    from dltrain.data import Batch, DataSet
    from dltrain.model.graph import Graph
    from dltrain.model.mode import Mode
    from dltrain.tasks.base import Task

ALWAYS = ("loss", "timing")  # statistics that every task has
MOST_CLASSES = 1000  # whose confusion is told; the table of a vocabulary would take gigabytes
PROBABILITIES = ("softmax", "sigmoid", "hard_sigmoid")  # layers whose outputs a loss of scores would squash again


class Bound:
    """A task joined with its loss and metrics, for one model and one data set.

    Parameters:
        task: the task
        data: the data set (for classes and widths)
        wire: the output wire that is compared with the targets
        loss: spec of the loss, or None for the task's own
        metrics: specs of the metrics, or None for the task's own
        path: where `loss` and `metrics` stand in the config, for errors

    Raises:
        ConfigError: when the loss or a metric does not fit the task.
    """

    def __init__(
        self,
        task: Task,
        data: DataSet,
        wire: str,
        loss: Any,
        metrics: Sequence[Any] | None,
        path: tuple[str | int, ...] = (),
    ) -> None:
        self.task, self.data, self.wire, self.wires = task, data, wire, (wire,)
        self.evaluated_wires = self.wires  # of heads that only help the training, nothing is evaluated
        self.loss_name = parse(loss or task.losses[0], "loss", (*path, "loss"))[0].name
        problems = []
        if task.class_weight is not None and self.loss_name == "crf":
            what, hint = "`loss: crf` weighs whole sequences, not tags", "leave `class_weight` out"
            problems.append(Problem((*path, "task", "tagging", "class_weight"), what, hint=hint))
        if self.loss_name not in task.losses:
            expected = " or ".join(task.losses)
            problems.append(Problem((*path, "loss"), "this loss does not fit the task", expected, self.loss_name))
        self._loss = create("loss", loss or task.losses[0])
        self._whole = getattr(self._loss, "of_sequences", False)  # whether it takes sequences, not a row a decision
        self.link: str = task.link or self._loss.link
        self.metrics: dict[str, Any] = {}
        fitting = (*task.statistics, *ALWAYS)
        specs = task.metrics if metrics is None else metrics
        for position, (spec, title) in enumerate(zip(specs, titles(specs, "metric"), strict=True)):
            entry, _ = parse(spec, "metric", (*path, "metrics", position))
            metric = create("metric", spec)
            if metric.statistic not in fitting:
                names = [n for n, known in entries("metric").items() if getattr(known.make, "statistic", "") in fitting]
                at = (*path, "metrics", position)
                problems.append(Problem(at, "this metric does not fit the task", ", ".join(names), entry.name))
            elif metric.statistic == "spans" and not task.collectors(data, self.link)["spans"].fitting:
                what, got = "the tags make no spans", ", ".join((data.classes or [])[:6])
                problems.append(Problem((*path, "metrics", position), what, "tags such as O, B-city, I-city", got))
            elif metric.statistic == "confusion":
                problems += self.averaging(metric, (*path, "metrics", position))
            if entry.name != "loss":
                self.metrics[title] = metric
        if problems:
            raise ConfigError(problems)
        name = next((n for n, known in entries("task").items() if known.make is type(task)), "")
        self._prepared = bool(getattr(data, "prepare_target", None))
        self._weighing = Weighing(task, data, (*path, "task", name))

    def averaging(self, metric: Any, path: tuple[str | int, ...]) -> list[Problem]:
        """What keeps a metric of counts from its mean over the classes of these data; it would show after an epoch."""
        try:
            metric(self.task.collectors(self.data, self.link)["confusion"].arrays)
        except UsageError as error:
            return [Problem(path, error.what, error.expected, error.got, error.hint)]
        return []

    def check(self, graph: Graph) -> None:
        """Raise a ConfigError unless the model's output fits the targets."""
        shape, wanted = graph.wires[self.wire], self.task.output_shape(self.data)
        if self._whole:
            wanted = self._loss.output_shape(wanted)
        if shape != wanted and self._whole:
            hint = "let the last chain end in `crf`, behind a layer with a score for each tag"
            what = f"the loss {self.loss_name} needs what the layer crf gives"
            raise ConfigError([Problem(("model", "graph", self.wire), what, str(wanted), str(shape), hint)])
        if shape != wanted:
            hint = "leave the last layer's width out, or write `units: $outputs` (`filters` of a convolution)"
            what = "the model's output does not fit the data"
            raise ConfigError([Problem(("model", "graph", self.wire), what, str(wanted), str(shape), hint)])
        last = next((spec for spec in graph.plan.nodes if spec.path == graph.plan.wires[self.wire]), None)
        if last is not None and last.kind in PROBABILITIES and self._loss.link != "identity":
            what = f"the loss {self.loss_name} takes scores from any number to any, and has its own {self.link}"
            hint = f"leave the {last.kind} out: predictions are probabilities all the same"
            raise ConfigError([Problem(last.where, what, "a chain that ends in dense", last.kind, hint)])

    def inputs(self, batch: Batch) -> Mapping[str, Array]:
        """What the graph is fed."""
        return batch.inputs

    def loss(self, outputs: Mapping[str, Array], batch: Batch, mode: Mode) -> tuple[Any, dict[str, Array]]:
        """The mean loss of the batch and its gradient in every wire it reads.

        The gradients of micro-batches add up to that of the batch they were cut from.
        """
        scores = outputs[self.wire] if self._whole else self.task.rows(outputs[self.wire])
        if batch.mixed is None:
            loss, gradient = self._value(scores, batch, mode)
        else:
            loss, gradient = self._mixed(scores, batch, mode)
        if batch.whole is not None:
            gradient *= self.weight(batch) / (self.weight(batch.whole) or 1.0)
        return loss, {self.wire: gradient.reshape(outputs[self.wire].shape)}

    def _value(self, scores: Array, batch: Batch, mode: Mode) -> tuple[Any, Array]:
        """The mean loss over one target a sample, and its gradient in the scores."""
        if self._whole:
            value: tuple[Any, Array] = self._loss.forward(scores, batch.target, mode, batch.weight)
            return value
        targets, weights = self._weighed(self.task.targets(batch, scores), batch.weight)
        decisions = scores.reshape(targets.shape) if self._weighing.sets else scores
        loss, gradient = self._loss.forward(decisions, targets, mode, weights)
        return loss, gradient.reshape(scores.shape)

    def _weighed(self, targets: Array, weights: Array | None) -> tuple[Array, Array | None]:
        """Targets and weights of all decisions, each of which weighs as its sample."""
        if weights is not None and len(weights) != len(targets):
            weights = np.repeat(weights, len(targets) // len(weights))
        return self._weighing.weigh(targets, weights) if self._weighing.active else (targets, weights)

    def _mixed(self, scores: Array, batch: Batch, mode: Mode) -> tuple[Any, Array]:
        """The mean over samples of two targets, each weighted by its share: that of two weighted batches."""
        total, loss = self.weight(batch) or 1.0, 0.0
        gradient = mode.empty(scores.shape, scores.dtype)
        gradient[...] = 0
        for side in batch.sides():
            value, slope = self._value(scores, side, mode)
            share = self._weight(side) / total
            loss += share * value
            slope *= share
            gradient += slope
        return loss, gradient

    def losses_at(self, wires: Sequence[str]) -> str:
        """The names of the losses that read some wires."""
        return self.loss_name

    def weight(self, batch: Batch) -> float:
        """How much a batch counts in the mean of the loss: its samples, or their weights."""
        return sum(self._weight(side) for side in batch.sides())

    def _weight(self, batch: Batch) -> float:
        weights = batch.weight
        if self._weighing.active:
            decisions = batch.target.reshape(-1) if batch.target.ndim > 2 else batch.target
            _, weights = self._weighed(decisions, weights)
        return len(batch.target) if weights is None else float(weights.sum())

    def judged(self, scores: Array, batch: Batch) -> tuple[Array, Array]:
        """Outputs and targets that metrics count: without samples of an ignored label, numbers in the data's unit."""
        targets, scores = self.task.targets(batch, scores), self.task.rows(self._decoded(scores))
        if self._weighing.ignores:
            known = targets.reshape(-1) >= 0
            return scores[known], targets[known]
        return self._restored(scores), self._restored(targets)

    def sequences(self, scores: Array, batch: Batch) -> tuple[Array, Array]:
        """Outputs (N, T, K) and targets (N, T) for metrics that look at several steps together."""
        return self._decoded(scores), batch.target

    def _decoded(self, scores: Array) -> Array:
        return self._loss.decode(scores) if self._whole else scores

    def _restored(self, values: Array) -> Array:
        return self.data.restore(values) if self._prepared else values

    def combine(self, outputs: Sequence[Mapping[str, Array]]) -> dict[str, Array]:
        """The outputs of an ensemble: those whose prediction is the mean of the members' predictions."""
        scores = [found[self.wire] for found in outputs]
        return {self.wire: np.mean(scores, axis=0) if self._whole else self.task.combine(scores, self.link)}

    @property
    def ends(self) -> dict[str, str]:
        """{head: the wire that it reads}."""
        return {"": self.wire}

    @property
    def links(self) -> dict[str, str]:
        """{head: how its outputs become probabilities}."""
        return {"": self.link}

    def finite(self, outputs: Mapping[str, Array]) -> Array:
        """(N,) whether all that a prediction is made of are finite numbers, in the data's unit too."""
        values = self._restored(outputs[self.wire])
        return np.asarray(np.isfinite(values).reshape(len(values), -1).all(1))

    def predict(self, outputs: Mapping[str, Array]) -> list[dict[str, Any]]:
        """What the outputs say, one dict for each sample."""
        return self.task.predict(self._restored(self._decoded(outputs[self.wire])), self.data, self.link)

    def tally(self, everything: bool = False) -> Tally:
        """An empty account of a pass over data, with what the metrics read or with everything the task counts."""
        wanted = {metric.statistic for metric in self.metrics.values()}
        if everything and len(self.data.classes or ()) <= MOST_CLASSES:
            wanted |= {"confusion"}
        known = {"timing": Timing()} | self.task.collectors(self.data, self.link)
        return Tally(self, {name: collector for name, collector in known.items() if name in wanted})

    def higher_is_better(self, metric: str) -> bool:
        """Whether a larger value of this metric is the better one."""
        return metric != "loss" and bool(self.metrics[metric].higher_is_better)


def read_by(outputs: Sequence[str], wires: Sequence[str]) -> None:
    """Refuse outputs of a model that no loss reads.

    Raises:
        ConfigError: naming the first.
    """
    unread = next((k for k, wire in enumerate(outputs) if wire not in wires), None)
    if unread is not None:
        path, hint = ("model", "outputs", unread), f"leave it out: the loss reads {', '.join(map(repr, wires))}"
        what = f"no loss reads the output {outputs[unread]!r}"
        raise ConfigError([Problem(path, what, "one output" if len(wires) == 1 else "the heads' wires", hint=hint)])
