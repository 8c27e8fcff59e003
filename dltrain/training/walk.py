"""A training step, one operation at a time: what each takes and what it gives, forward and backward."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from dltrain.layers.base import Array, Backward
from dltrain.model.graph import Graph, accumulate

if TYPE_CHECKING:
    from dltrain.data import Batch
    from dltrain.model.mode import Mode
    from dltrain.model.nodes import Node
    from dltrain.optim import Moment, Optimizer
    from dltrain.training.objective import Objective


@dataclass(frozen=True)
class Operation:
    """One operation of a training step.

    Parameters:
        phase: weights, data, forward, loss, backward, penalty, update or constraint
        path: of the layer, the parameter or the wire
        kind: name of the layer, the loss, the optimizer …
        takes: what it reads, by name; a layer's gradients by the paths of the values they belong to
        weights: the parameters it works with, by name
        gives: what it writes, by name
        node: of a layer
    """

    phase: str
    path: str
    kind: str
    takes: dict[str, Array] = field(default_factory=dict)
    weights: dict[str, Array] = field(default_factory=dict)
    gives: dict[str, Array] = field(default_factory=dict)
    node: Node | None = None

    @property
    def finite(self) -> bool:
        """Whether all that it gives are finite numbers."""
        return all(np.isfinite(array).all() for array in self.gives.values())


def operations(objective: Objective, batch: Batch, mode: Mode, fresh: bool = True) -> Iterator[Operation]:
    """All operations of a step up to its gradient, which is left in the graph's vector; each layer runs by itself.

    Parameters:
        objective: graph, task and penalties
        batch: the examples
        mode: of the step, begun; its arrays must come from the heap, since all of them are kept
        fresh: whether the gradients begin at zero, and not with those of the micro-batch before
    """
    graph, task = objective.graph, objective.task
    if fresh:
        graph.zero_grad()
    values: dict[str, Array] = dict(task.inputs(batch))
    yield from (Operation("data", wire, "input", gives={wire: array}) for wire, array in values.items())
    backwards: list[tuple[Node, Backward]] = []
    yield from _forward(graph, values, backwards, mode)
    outputs = {wire: values[graph.paths[wire]] for wire in task.wires}
    loss, gradients = task.loss(outputs, batch, mode)
    gives = {"loss": np.asarray(loss), **{f"d{wire}": gradient for wire, gradient in gradients.items()}}
    yield Operation("loss", ", ".join(task.wires), task.loss_name, outputs, gives=gives)
    signals: dict[str, Array] = {}
    for wire, gradient in gradients.items():
        accumulate(signals, graph.paths[wire], np.asarray(gradient, graph.dtype), mode)
    yield from _backward(backwards, signals, mode)
    for parameter in graph.parameters.values():
        if parameter.fresh:  # no layer wrote it
            parameter.grad.fill(0)
            parameter.fresh = False
    yield from _penalties(objective, mode) if fresh else ()


def _forward(
    graph: Graph, values: dict[str, Array], backwards: list[tuple[Node, Backward]], mode: Mode
) -> Iterator[Operation]:
    """Layer by layer; of a graph that begins at an inner value, those above it."""
    for node in graph.plan_nodes:
        if node.path in values or not all(path in values for path in node.inputs):
            continue
        mode.node = node
        takes = {path: values[path] for path in node.inputs}
        y, backward = node.layer.forward(mode, *takes.values())
        values[node.path] = y
        backwards.append((node, backward))
        statistics = node.layer.statistics if mode.update_statistics else ()
        gives = {node.path: y, **{statistic.name: statistic.value for statistic in statistics}}
        yield Operation("forward", node.path, node.kind, takes, weights_of(node), gives, node)


def _backward(backwards: list[tuple[Node, Backward]], signals: dict[str, Array], mode: Mode) -> Iterator[Operation]:
    """Layer by layer, from the last one on, adding up the gradients where a value has several readers."""
    while backwards:
        node, backward = backwards.pop()
        dy = signals.pop(node.path, None)
        if dy is None:
            continue
        mode.node = node
        found = backward(dy)
        dxs = found if isinstance(found, tuple) else [found] * len(node.inputs)  # None: nobody wants a gradient
        gives: dict[str, Array] = {}
        for path, dx in zip(node.inputs, dxs, strict=True):
            if dx is not None:
                accumulate(signals, path, dx, mode)
                accumulate(gives, path, dx, mode)
        gives |= {p.name: p.grad for p in node.layer.parameters if p.trainable and not p.fresh}
        yield Operation("backward", node.path, node.kind, {node.path: dy}, weights_of(node), gives, node)


def _penalties(objective: Objective, mode: Mode) -> Iterator[Operation]:
    vector = objective.graph.vector
    for regularizer in objective.regularizers:
        before = vector.grad.copy()
        penalty = np.asarray(regularizer.add(vector, mode.kernels))
        gives = {"penalty": penalty, "gradient": vector.grad}
        kernels = {"kernels": vector.value[vector.decayed]}
        yield Operation("penalty", "kernels", type(regularizer).__name__.lower(), {"gradient": before}, kernels, gives)


def update(
    graph: Graph, optimizer: Optimizer, moment: Moment, constraints: Sequence[Any], kernels: Any
) -> Iterator[Operation]:
    """What the optimizer and the constraints make of each parameter, from the gradient that is there.

    Parameters:
        graph: the model
        optimizer: bound to it
        moment: of training
        constraints: what the kernels are brought back to
        kernels: of the graph's numbers
    """
    before = {path: parameter.value.copy() for path, parameter in graph.parameters.items()}
    slots = {name: slot for name, slot in optimizer.state().items() if isinstance(slot, np.ndarray)}
    slots["learning rate"] = np.asarray(optimizer.step(moment))
    for path, parameter in graph.parameters.items():
        takes, name = {"gradient": parameter.grad, **slots}, parameter.name
        yield Operation("update", path, optimizer.name, takes, {name: before[path]}, {name: parameter.value})
    for constraint in constraints:
        held = {path: parameter.value.copy() for path, parameter in graph.parameters.items()}
        constraint.apply(graph.parameters.values(), kernels)
        for path, parameter in graph.parameters.items():
            kind, name = type(constraint).__name__.lower(), parameter.name
            yield Operation("constraint", path, kind, {}, {name: held[path]}, {name: parameter.value})


def weights_of(node: Node) -> dict[str, Array]:
    """The parameters of a layer, by name."""
    return {parameter.name: parameter.value for parameter in node.layer.parameters}
