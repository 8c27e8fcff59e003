"""Gradient checks around layers that are not differentiable, such as sign and step.

Their backward is a convention, which no numerical derivative of the loss can confirm.  What comes before such a layer
is checked layer by layer, each with random gradients of its output; parameters behind it are checked as always.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from dltrain.training.comparison import Comparison, Tensor
from dltrain.training.differentiable import LossOfModel

if TYPE_CHECKING:
    from dltrain.model.graph import Graph


def obstacles(graph: Graph) -> dict[str, str]:
    """{path of a node or input wire: the layer without a derivative that its value is read through}."""
    found: dict[str, str] = {}
    for node in reversed(graph.plan_nodes):
        behind = node.path if not node.layer.differentiable else found.get(node.path)
        if behind is not None:
            found |= dict.fromkeys(node.inputs, behind)
    return found


def hidden(graph: Graph) -> dict[str, str]:
    """{parameter or `inputs.wire`: the layer that its gradient passes and that has no derivative}."""
    found = obstacles(graph)
    paths = {id(parameter): path for path, parameter in graph.parameters.items()}
    variables = {f"inputs.{wire}": found[wire] for wire in graph.inputs if wire in found}
    for node in graph.plan_nodes:
        if node.path in found:
            variables |= {paths[id(parameter)]: found[node.path] for parameter in node.layer.parameters}
    return variables


def layer_by_layer(
    model: LossOfModel, method: str, entries: int, seed: int
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """The findings for the hidden variables; and for the inputs of every layer and of the loss.

    Between two layers no derivative of the whole loss is left, so each must pass on the right gradient by itself.

    Parameters:
        model: the function whose hidden variables are looked at
        method: auto, complex or central
        entries: how many entries of a larger tensor are drawn
        seed: of entries, directions and random gradients
    """
    lost = hidden(model.graph)
    variables: dict[str, Tensor] = {}
    inputs: dict[str, Tensor] = {}
    for place in model.layers(fused=False):
        if not place.node.layer.differentiable:
            continue
        for name, tensor in Comparison(place, method, entries, seed, place.scale()).tensors().items():
            if name in lost and (name not in variables or variables[name].passed):
                variables[name] = noted(tensor, f"checked in its layer alone: {lost[name]} behind it has no derivative")
            elif name not in place.parameters:
                inputs[name] = noted(tensor, "checked in its layer alone")
    for name, tensor in Comparison(model.loss_alone(), method, entries, seed).tensors().items():
        path = f"loss.{name}"
        inputs[path] = noted(replace(tensor, path=path), "checked in the loss alone")
    for name, obstacle in lost.items():
        if name not in variables and name in model.variables:
            note = f"not checked: {obstacle} has no derivative"
            variables[name] = Tensor(name, model.variables[name].shape, 0.0, 0, "none", 1.0, True, note=note)
    return variables, inputs


def noted(tensor: Tensor, note: str) -> Tensor:
    """The finding with a further note."""
    return replace(tensor, note=f"{tensor.note}; {note}" if tensor.note else note)
