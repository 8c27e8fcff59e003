"""What is minimised: the task's loss over a batch plus the penalties, and its gradient in every parameter."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from dltrain.layers.base import Array

if TYPE_CHECKING:
    from dltrain.data import Batch
    from dltrain.model.graph import Graph
    from dltrain.model.mode import Mode
    from dltrain.tasks import Bound


class Value(NamedTuple):
    """Loss of the data, penalty of the weights, the output wires, and the gradients of the inputs if asked for."""

    loss: Any
    penalty: Any
    outputs: dict[str, Array]
    input_gradients: dict[str, Array]


class Objective:
    """Loss and gradient of a batch: graph, task and regularisers together.

    Parameters:
        graph: the model
        task: the task, bound to its loss
        regularizers: penalties on the kernels
    """

    def __init__(self, graph: Graph, task: Bound, regularizers: Sequence[Any] = ()) -> None:
        self.graph, self.task, self.regularizers = graph, task, tuple(regularizers)

    def __call__(self, batch: Batch, mode: Mode, before: Value | None = None) -> Value:
        """Compute the value, and leave its gradient in the graph's vector.

        A batch may come in micro-batches, one call each: the gradients add up to that of the whole batch.

        Parameters:
            batch: the examples
            mode: of this step
            before: value of the micro-batch before this one, whose penalty counts for all
        """
        graph, task = self.graph, self.task
        if before is None:
            graph.zero_grad()
        outputs, backward = graph.forward(task.inputs(batch), mode=mode, wires=task.wires)
        loss, gradients = task.loss(outputs, batch, mode)
        input_gradients = backward(gradients)
        if before is not None:
            return Value(loss, before.penalty, outputs, input_gradients)
        penalty = 0.0
        for regularizer in self.regularizers:
            penalty += regularizer.add(graph.vector, mode.kernels)
        return Value(loss, penalty, outputs, input_gradients)
