"""The part of a model whose values are the same in every epoch: what lies below the first layer that is trained."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from dltrain.model.graph import Graph
    from dltrain.model.nodes import Node


class Trunk(NamedTuple):
    """A model cut in two at one value.

    Parameters:
        path: of the value
        below: computes it from the inputs
        above: computes all the rest from it
    """

    path: str
    below: Graph
    above: Graph


def cut(graph: Graph, frozen: Iterable[str]) -> Trunk | None:
    """Cut a model where its frozen layers end; None where that is not at a single value.

    Parameters:
        graph: the model
        frozen: paths of the parameters that are never trained

    Example:
        >>> from dltrain import build_model
        >>> model = build_model({"graph": {"y": [{"dense": 4}, "relu", {"dropout": 0.5}, {"dense": 2}]}}, {"x": (3,)})
        >>> trunk = cut(model, ["y.0.dense.kernel", "y.0.dense.bias"])
        >>> trunk.path, [node.kind for node in trunk.above.nodes]
        ('y.1.relu', ['dropout', 'dense'])
    """
    kept = {id(graph.parameters[path]) for path in frozen}
    constant = set(graph.inputs)
    for node in graph.nodes:
        if is_constant(node, kept) and constant.issuperset(node.inputs):
            constant.add(node.path)
    below = [node for node in graph.nodes if node.path in constant]
    above = [node for node in graph.nodes if node.path not in constant]
    read = {path for node in above for path in node.inputs} & constant
    if len(read) != 1 or not any(node.layer.parameters for node in below):
        return None
    (path,) = read
    shape = next((node.shape for node in below if node.path == path), None)
    ends = {graph.paths[wire] for wire in graph.outputs}
    if shape is None or ends & (constant - {path}):
        return None
    return Trunk(path, graph.part(below, graph.inputs, {path: path}), graph.part(above, {path: shape}))


def is_constant(node: Node, kept: set[int]) -> bool:
    """Whether a layer makes the same of the same in every step: it draws nothing, learns nothing, and mixes no batch.

    Parameters:
        node: of the layer
        kept: identities of the parameters that are never trained
    """
    layer = node.layer
    follows = bool(layer.statistics) and not layer.parameters  # a batch norm that cannot be frozen
    return not layer.draws and not follows and all(id(parameter) in kept for parameter in layer.parameters)
