"""Where a computation left the finite numbers: the first operation that gives one, layer by layer."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np

from dltrain.errors import NumericsError
from dltrain.layers.base import Array
from dltrain.model.graph import Graph
from dltrain.model.mode import Mode
from dltrain.training.walk import Operation, operations

if TYPE_CHECKING:
    from dltrain.data import Batch
    from dltrain.training.objective import Objective

ADVICE = "lower the learning rate, clip the gradient (`clip_norm: 1`), or scale the inputs (`prepare: [standardize]`)"


def not_finite(objective: Objective, batch: Batch, mode: Mode, step: int) -> NumericsError:
    """The error that names layer, operation and batch of the first value that is not finite.

    Runs the same batch again, one layer at a time, with the same random draws; gradients are left as they were.

    Parameters:
        objective: graph, task and penalties, with the parameters that the failing step used
        batch: the batch
        mode: the mode of the failing step
        step: its number
    """
    place = f"step {step}, epoch {batch.epoch + 1}, batch {batch.index + 1}"
    again = Mode(mode.training, kernels=mode.kernels, seed=mode.seed, update_statistics=False)
    again.states = None if mode.states is None else dict(mode.states)
    again.begin(step, part=mode.part)
    vector = objective.graph.vector
    gradient = vector.grad.copy()
    with np.errstate(all="ignore"):
        steps = chain(weights(objective.graph), operations(objective, batch, again))
        found = next((operation for operation in steps if not operation.finite), None)
    vector.grad[...] = gradient
    what = "the loss or a gradient is not finite" if found is None else sentence(found, batch, step)
    return NumericsError(what, where=place, expected="finite numbers", hint=ADVICE)


def weights(graph: Graph) -> Iterator[Operation]:
    """The parameters that a step begins with."""
    for path, parameter in graph.parameters.items():
        yield Operation("weights", path, parameter.name, gives={path: parameter.value})


def unsound(graph: Graph, kernels: Any, step: int) -> str:
    """Which weights or running statistics are not finite, in words; empty where all are.

    Parameters:
        graph: the model
        kernels: of its type of number
        step: steps that are done
    """
    if not kernels.all_finite(graph.vector.value):
        found = next(operation for operation in weights(graph) if not operation.finite)
        return of_weights(found.path, found.gives[found.path], step)
    for path, statistic in graph.statistics.items():
        if not np.isfinite(statistic.value).all():
            return f"the running statistic {path} is no longer finite"
    return ""


def of_weights(path: str, value: Array, step: int) -> str:
    """Weights that are not finite, in words.

    Parameters:
        path: of the parameter
        value: of it
        step: steps that are done
    """
    if step == 0:
        return f"the run begins with weights that are not finite: {path} ({describe(value)})"
    return f"the optimizer's last update made {path} non-finite ({describe(value)})"


def sentence(found: Operation, batch: Batch, step: int) -> str:
    """What an operation gives that is not finite, in words.

    Parameters:
        found: the operation
        batch: that it was done for
        step: number of the step
    """
    name, array = next((name, array) for name, array in found.gives.items() if not np.isfinite(array).all())
    how, layer = describe(array), f"{found.path} ({found.kind})"
    if found.phase == "data":
        bad = ~np.isfinite(array).reshape(len(array), -1).all(axis=1)
        return f"input {found.path} is non-finite in sample {', '.join(str(int(i)) for i in batch.ids[bad][:5])}"
    if found.phase == "loss" and name == "loss":
        return f"the loss {found.kind} is {array} for finite outputs of wire {found.path}"
    place = f"{found.path}.{name}" if name in found.weights else name
    said = {
        "weights": of_weights(name, array, step),
        "forward": f"the forward pass of {layer} gives {how}",
        "loss": f"the gradient of the loss {found.kind} in wire {name[1:]} has {how}",
        "backward": f"the backward pass of {layer} gives {place} a gradient with {how}",
        "penalty": f"the penalty {found.kind} of the kernels gives {how}",
        "update": f"the update of {found.path} by {found.kind} gives {how}",
        "constraint": f"the constraint {found.kind} makes {how} of {found.path}",
    }
    return said[found.phase]


def describe(array: Array) -> str:
    """How many values of an array are not finite."""
    nan, inf = int(np.isnan(array).sum()), int(np.isinf(array).sum())
    return f"{nan} NaN and {inf} infinite of {array.size} values"
