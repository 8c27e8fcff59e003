"""Several tasks at once: one model with several heads, each with its own targets, loss, metrics and weight."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import TYPE_CHECKING, Annotated, Any

from dltrain.errors import ConfigError, Problem
from dltrain.layers.base import Array
from dltrain.registry import Reference, create, register
from dltrain.tasks.base import Task
from dltrain.tasks.heads import Heads
from dltrain.types import Need, PositiveFloat

if TYPE_CHECKING:
    from dltrain.data import Batch, DataSet


class Head:
    """One of several tasks that a model is trained on.

    Parameters:
        task: the kind of learning problem
        target: name or position of the target, or a list of them; left out: the only one there is
        wire: the output wire that it reads; left out: the one of the head's name
        loss: what is minimized; left out: the task's
        weight: how much its loss counts in the sum
        metrics: what is measured beside the loss; left out: the task's
        training_only: whether it only helps the training: evaluations leave it out
        prepare_target: preparations of the numbers that a regression learns, in their order; the loss is that of
            prepared targets, metrics and predictions are in the unit of the data
    """

    is_section = True  # its keys are checked like those of the config

    def __init__(
        self,
        task: Annotated[Any, Reference("task")] = "classification",
        target: str | int | list[str | int] | None = None,
        wire: str | None = None,
        loss: Annotated[Any, Reference("loss")] | None = None,
        weight: PositiveFloat = 1.0,
        metrics: list[Annotated[Any, Reference("metric")]] | None = None,
        training_only: bool = False,
        prepare_target: list[Annotated[Any, Reference("preparation", having="invert")]] = [],  # noqa: B006
    ) -> None:
        self.task, self.target, self.wire, self.loss = task, target, wire, loss
        self.weight, self.metrics, self.training_only = weight, metrics, training_only
        self.prepare_target = prepare_target

    def need(self) -> Need:
        """What it needs of the targets."""
        wanted = create("task", self.task).wanted()
        columns = self.target if isinstance(self.target, list) else [] if self.target is None else [self.target]
        return Need(*wanted)._replace(columns=tuple(columns), prepare=tuple(self.prepare_target))


@register("task", "multi_task")
class MultiTask(Task):
    """Several tasks at once: each head is a task with its own targets, loss, metrics and weight.

    loss = Σ over the heads of weight · loss of the head

    The model names a wire for each head in `outputs`.  Heads may share a target: an auxiliary classifier in the middle
    of a deep model has the target of the last one, a small weight, and `training_only: true`.  Metrics are named
    head.metric.

    Parameters:
        heads: {name: head}; a head has task, target, wire, loss, weight, metrics, training_only and
            prepare_target

    Example:
        >>> task = MultiTask({"digit": {"target": "digit"}, "big": {"task": "binary_classification", "weight": 0.3}})
        >>> task.wanted()["digit"].columns, task.heads["big"].weight
        (('digit',), 0.3)

    Source: Caruana, Multitask learning, 1997; auxiliary heads: Szegedy et al., Going deeper with convolutions, 2015.
    """

    needs = "heads"
    losses, metrics, statistics = (), (), ()

    def __init__(self, heads: dict[str, Head]) -> None:
        self.heads = {name: head if isinstance(head, Head) else Head(**head) for name, head in heads.items()}
        self.tasks: dict[str, Task] = {name: create("task", head.task) for name, head in self.heads.items()}

    def units(self, data: DataSet) -> int:
        """Of all heads together."""
        return sum(task.units(view(data, name)) for name, task in self.tasks.items())

    def widths(self, data: DataSet) -> dict[str, int]:
        """{wire: width} of the heads."""
        return {head.wire or name: self.tasks[name].units(view(data, name)) for name, head in self.heads.items()}

    def collectors(self, data: DataSet, link: str = "softmax") -> dict[str, Any]:
        """None: each head has its own."""
        return {}

    def targets(self, batch: Batch, outputs: Array) -> Array:
        """The targets of all heads, side by side (N, columns)."""
        return batch.target

    def predict(
        self, outputs: Array, data: DataSet, link: str = "softmax", cut: Array | None = None
    ) -> list[dict[str, Any]]:
        """Nothing: each head predicts by itself."""
        return [{} for _ in outputs]

    def wanted(self) -> Mapping[str, Need]:
        """What each head needs of the targets."""
        return {name: head.need() for name, head in self.heads.items()}

    def variables(self, data: DataSet) -> dict[str, Any]:
        """None: the widths of the heads differ."""
        return {}

    def bind(self, data: DataSet, wires: Sequence[str], loss: Any, metrics: Sequence[Any] | None) -> Any:
        """Bind every head.

        Raises:
            ConfigError: when a loss or a metric does not fit, or no head reads an output.
        """
        path = ("task", "multi_task", "heads")
        problems = [
            Problem(
                (key,), f"each head has its own `{key}`", hint=f"write it below `task: multi_task: heads: {{…: {key}}}`"
            )
            for key, value in (("loss", loss), ("metrics", metrics))
            if value is not None
        ]
        if problems:
            raise ConfigError(problems)
        return Heads(self, data, wires, path)


def view(data: DataSet, head: str) -> Any:
    """The data as one head sees them: its classes and the names of its targets."""
    return SimpleNamespace(**data.heads[head])
