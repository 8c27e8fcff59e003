"""The health of single layers: units that never answer, units at their limits, gradients that fade or swell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from dltrain.diagnose.model_rules import alike, initializer_of
from dltrain.diagnose.through_time import Memory, memory_of
from dltrain.layers.base import Array, Parameter
from dltrain.model.mode import Mode

if TYPE_CHECKING:
    from dltrain.model.nodes import Node
    from dltrain.training.session import Session

EXAMPLES = 256  # that are looked at
# activation: (lowest, highest) value that is not at its limit
LIMITS = {
    "sigmoid": (0.01, 0.99),
    "tanh": (-0.98, 0.98),
    "hard_sigmoid": (1e-6, 1 - 1e-6),
    "hard_tanh": (-0.999999, 0.999999),
}
RECTIFIERS = ("relu", "relu6")


@dataclass(frozen=True)
class Activity:
    """What an activation gives for some hundred examples.

    Parameters:
        path: its place
        kind: its name
        mean: of its values
        deviation: of its values
        dead: share of the units (channels) that are 0 for every example; of relus
        saturated: share of the values at the limits; of sigmoids and tanhs
    """

    path: str
    kind: str
    mean: float
    deviation: float
    dead: float = 0.0
    saturated: float = 0.0


@dataclass(frozen=True)
class Pull:
    """How hard the loss pulls at a layer with a kernel.

    Parameters:
        path: the layer
        signal: root mean square of the gradient that arrives at its output
        gradient: root mean square of its kernel's gradient
        weight: root mean square of its kernel
        alike: whether all its units have the same weights
    """

    path: str
    signal: float
    gradient: float = 0.0
    weight: float = 0.0
    alike: bool = False


@dataclass(frozen=True)
class Health:
    """The layers of a model, in their order from the input on."""

    activities: Sequence[Activity] = ()
    pulls: Sequence[Pull] = ()
    memories: Sequence[Memory] = ()


def health_of(session: Session) -> Health:
    """Activations and gradients of a model for some training examples, with its weights as they are.

    Parameters:
        session: the model and its data
    """
    graph, task = session.graph, session.task
    loader = session.loader("train", batch_size=EXAMPLES, shuffle=True)
    assert loader is not None
    batch = loader.batch(0, 0)
    mode = Mode(True, kernels=session.kernels, seed=session.experiment.seed, update_statistics=False)
    mode.begin(0, len(batch))
    with np.errstate(all="ignore"):
        values: dict[str, Array] = dict(task.inputs(batch))
        backwards, activities, memories = [], [], []
        for node in graph.plan_nodes:
            mode.node = node
            memories.append(memory_of(node, [values[path] for path in node.inputs], mode))
            values[node.path], backward = node.layer.forward(mode, *[values[path] for path in node.inputs])
            backwards.append(backward)
            if node.kind in (*LIMITS, *RECTIFIERS):
                activities.append(activity(node, values[node.path]))
        graph.zero_grad()
        _, gradients = task.loss({wire: values[graph.paths[wire]] for wire in task.wires}, batch, mode)
        signals = {graph.paths[wire]: gradient for wire, gradient in gradients.items()}
        pulls = []
        for node, backward in zip(reversed(graph.plan_nodes), reversed(backwards), strict=True):
            dy = signals.pop(node.path, None)
            if dy is None:
                continue
            mode.node = node
            found = backward(dy)
            if initializer_of(node) and kernel_of(node).trainable:
                pulls.append(pull(node, dy))
            for path, dx in zip(node.inputs, found if isinstance(found, tuple) else (found,), strict=True):
                if dx is not None:
                    signals[path] = signals[path] + dx if path in signals else dx
    return Health(activities, pulls[::-1], [memory for memory in memories if memory is not None])


def activity(node: Node, y: Array) -> Activity:
    """What the values (N, …, C) of an activation say."""
    facts = (node.path, node.kind, float(y.mean(dtype=np.float64)), float(y.std(dtype=np.float64)))
    if node.kind in RECTIFIERS:
        silent = (y == 0).all(axis=tuple(range(y.ndim - 1)))
        return Activity(*facts, dead=float(silent.mean()))
    low, high = LIMITS[node.kind]
    return Activity(*facts, saturated=float(((y < low) | (y > high)).mean()))


def pull(node: Node, dy: Array) -> Pull:
    """What the gradients at a layer say."""
    kernel = kernel_of(node)
    signal, gradient, weight = (
        float(np.sqrt(np.mean(np.square(array, dtype=np.float64)))) for array in (dy, kernel.grad, kernel.value)
    )
    return Pull(node.path, signal, gradient, weight, alike(node))


def kernel_of(node: Node) -> Parameter:
    """The kernel of a layer."""
    return next(parameter for parameter in node.layer.parameters if parameter.name == "kernel")
