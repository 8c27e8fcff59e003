"""What a task is: what it needs of the data, which losses and metrics fit it, what it predicts."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from dltrain.layers.base import Array
from dltrain.types import Need, NonNegativeFloat

if TYPE_CHECKING:
    from dltrain.data import Batch, DataSet
    from dltrain.tasks.bound import Bound

ClassWeight = Literal["balanced"] | list[NonNegativeFloat] | dict[str, NonNegativeFloat] | None


class Task(ABC):
    """One kind of learning problem.  It sees dicts of arrays, never the graph's inside or the trainer."""

    needs: str  # what the targets must be: "classes", "binary", "values", "labels", "steps" or "masks"
    losses: tuple[str, ...]  # the losses that fit, the default first
    metrics: tuple[Any, ...]  # specs of the default metrics
    statistics: tuple[str, ...]  # what its metrics may be computed from
    class_weight: ClassWeight = None  # how much the samples of each class count in the loss
    ignore_label: str | int | None = None  # samples of this label count neither in the loss nor in metrics
    link: str | None = None  # how outputs become probabilities; None: as the loss says
    stateful = False  # whether recurrent layers begin a batch with the state in which they ended the one before
    separator: str | None = None  # what stands between the labels of a sample

    @abstractmethod
    def units(self, data: DataSet) -> int:
        """Width of the model's last layer for this data."""

    def output_shape(self, data: DataSet) -> tuple[int, ...]:
        """Shape of the model's output for one sample."""
        return (self.units(data),)

    def rows(self, outputs: Array) -> Array:
        """Outputs as loss and metrics take them: a row for each decision, which is one for each sample."""
        return outputs

    @abstractmethod
    def collectors(self, data: DataSet, link: str = "softmax") -> dict[str, Any]:
        """{statistic: collector} that its metrics read; `link` says how the loss turns outputs into probabilities."""

    @abstractmethod
    def targets(self, batch: Batch, outputs: Array) -> Array:
        """The batch's targets in the form that loss and collectors take."""

    @abstractmethod
    def predict(self, outputs: Array, data: DataSet, link: str = "softmax") -> list[dict[str, Any]]:
        """What the outputs say, one dict for each sample."""

    def combine(self, outputs: Sequence[Array], link: str = "softmax") -> Array:
        """The outputs of an ensemble: those whose prediction is the mean of the members' predictions.

        Parameters:
            outputs: of each member for the same samples
            link: how the loss turns outputs into probabilities
        """
        return np.mean(outputs, axis=0, dtype=np.float64).astype(outputs[0].dtype)

    def wanted(self) -> Need | Mapping[str, Need]:
        """What it needs of the targets; several tasks at once say so by name."""
        return Need(self.needs, ignore=self.ignore_label, separator=self.separator)

    def variables(self, data: DataSet) -> dict[str, Any]:
        """Values for $name in the model."""
        return {"classes": len(data.classes or ()), "outputs": self.units(data)}

    def widths(self, data: DataSet) -> int | dict[str, int]:
        """Width of a last layer that leaves it out; where there are several outputs, by their wires."""
        return self.units(data)

    def bind(self, data: DataSet, wires: Sequence[str], loss: Any, metrics: Sequence[Any] | None) -> Bound:
        """Join it with loss and metrics, for the output wires of a model.

        Raises:
            ConfigError: when the loss or a metric does not fit, or an output has no reader.
        """
        from dltrain.tasks.bound import Bound, read_by

        read_by(wires, (wires[-1],))
        return Bound(self, data, wires[-1], loss, metrics)
