"""Where a computation left the finite numbers: the first tensor that is not finite, layer by layer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dltrain.errors import NumericsError
from dltrain.layers.base import Array
from dltrain.model.mode import Mode

if TYPE_CHECKING:
    from dltrain.data import Batch
    from dltrain.training.objective import Objective

ADVICE = "lower the learning rate, clip the gradient (`clip_norm: 1`), or scale the inputs (`prepare: [standardize]`)"


def not_finite(objective: Objective, batch: Batch, mode: Mode, step: int) -> NumericsError:
    """The error that names layer, operation and batch of the first value that is not finite.

    Runs the same batch again, one layer at a time, with the same random draws.

    Parameters:
        objective: graph, task and penalties, with the parameters that the failing step used
        batch: the batch
        mode: the mode of the failing step
        step: its number
    """
    place = f"step {step}, epoch {batch.epoch + 1}, batch {batch.index + 1}"
    again = Mode(mode.training, kernels=mode.kernels, seed=mode.seed, update_statistics=False)
    again.begin(step, part=mode.part)
    with np.errstate(all="ignore"):
        found = (
            _first_parameter(objective)
            or _first_input(objective, batch)
            or _first_forward(objective, batch, again)
            or _first_backward(objective, batch, again)
        )
    what = found or "the loss or a gradient is not finite"
    return NumericsError(what, where=place, expected="finite numbers", hint=ADVICE)


def describe(array: Array) -> str:
    """How many values of an array are not finite."""
    nan, inf = int(np.isnan(array).sum()), int(np.isinf(array).sum())
    return f"{nan} NaN and {inf} infinite of {array.size} values"


def _first_parameter(objective: Objective) -> str:
    for path, parameter in objective.graph.parameters.items():
        if not np.isfinite(parameter.value).all():
            return f"the optimizer's last update made {path} non-finite ({describe(parameter.value)})"
    return ""


def _first_input(objective: Objective, batch: Batch) -> str:
    for wire, array in objective.task.inputs(batch).items():
        bad = ~np.isfinite(array).reshape(len(array), -1).all(axis=1)
        if bad.any():
            samples = ", ".join(str(int(i)) for i in batch.ids[bad][:5])
            return f"input {wire} is non-finite in sample {samples}"
    return ""


def _first_forward(objective: Objective, batch: Batch, mode: Mode) -> str:
    values = dict(objective.task.inputs(batch))
    for node in objective.graph.plan_nodes:
        mode.node = node
        values[node.path], _ = node.layer.forward(mode, *[values[path] for path in node.inputs])
        if not np.isfinite(values[node.path]).all():
            return f"the forward pass of {node.path} ({node.kind}) gives {describe(values[node.path])}"
    return ""


def _first_backward(objective: Objective, batch: Batch, mode: Mode) -> str:
    graph, task = objective.graph, objective.task
    outputs, _ = graph.forward(task.inputs(batch), mode=mode, wires=task.wires)
    loss, gradients = task.loss(outputs, batch, mode)
    if not np.isfinite(loss):
        return f"the loss {task.loss_name} is {loss} for finite outputs of wire {', '.join(task.wires)}"
    for wire, gradient in gradients.items():
        if not np.isfinite(gradient).all():
            return f"the gradient of the loss {task.loss_name} in wire {wire} has {describe(gradient)}"
    objective(batch, mode)
    for path, parameter in reversed(graph.parameters.items()):
        if not np.isfinite(parameter.grad).all():
            return f"the backward pass gives {path} a gradient with {describe(parameter.grad)}"
    return ""
