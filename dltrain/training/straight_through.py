"""Gradient checks around layers that are not differentiable, such as sign and step.

Their backward is a convention, which no numerical derivative of the loss can confirm.  What comes before such a layer
is checked layer by layer, each with random gradients of its output; what comes behind is checked as always.
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
    """The findings for the hidden variables, and for the inputs of the layers between them and the obstacle.

    Parameters:
        model: the function whose hidden variables are looked at
        method: auto, complex or central
        entries: how many entries of a larger tensor are drawn
        seed: of entries, directions and random gradients
    """
    between, lost = obstacles(model.graph), hidden(model.graph)
    parameters: dict[str, Tensor] = {}
    inputs: dict[str, Tensor] = {}
    for place in model.layers(fused=False):
        path = place.node.path
        if path not in between or not place.node.layer.differentiable:
            continue
        for name, tensor in Comparison(place, method, entries, seed, place.scale()).tensors().items():
            note = f"checked in its layer alone: {between[path]} behind it has no derivative"
            tensor = replace(tensor, note=f"{tensor.note}; {note}" if tensor.note else note)
            known = parameters if name in lost else inputs
            if name not in known or known[name].passed:
                known[name] = tensor
    for name, obstacle in lost.items():
        if name not in parameters and name in model.variables:
            note = f"not checked: {obstacle} has no derivative"
            parameters[name] = Tensor(name, model.variables[name].shape, 0.0, 0, "none", 1.0, True, note=note)
    return parameters, inputs
