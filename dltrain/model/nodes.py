"""The nodes of a graph: layers at their places, built for the shapes that reach them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from dltrain.errors import ConfigError, Problem
from dltrain.layers.base import Layer, Shape, ShapeError
from dltrain.registry import create
from dltrain.seeds import name_key

if TYPE_CHECKING:
    from dltrain.model.plan import NodeSpec, Plan


class Node:
    """A layer at its place in a graph.

    Parameters:
        path: `wire.index.kind`
        kind: the layer's registered name
        layer: the layer; nodes that share weights share it
        inputs: paths of the nodes, or names of the graph's inputs, that it reads
        shape: of its output, without the batch axis
    """

    __slots__ = ("drops", "dtype", "inputs", "key", "kind", "layer", "needs_dx", "path", "shape")

    def __init__(self, path: str, kind: str, layer: Layer, inputs: tuple[str, ...], shape: Shape) -> None:
        self.path, self.kind, self.layer, self.inputs, self.shape = path, kind, layer, inputs, shape
        self.key = name_key(path)
        self.dtype: Any = None  # of the graph
        self.needs_dx = True  # whether anything before it is trained
        self.drops: tuple[str, ...] = ()  # values that nobody reads after it


def build_nodes(plan: Plan, shapes: Mapping[str, Shape]) -> list[Node]:
    """Make and build the layers; nodes that reuse weights get the layer that owns them."""
    nodes: list[Node] = []
    known: dict[str, Shape] = dict(shapes)
    owners: dict[str, tuple[Layer, tuple[Shape, ...], Shape]] = {}
    for spec in plan.nodes:
        received = tuple(known[path] for path in spec.inputs)
        if spec.weights in owners:
            layer, built_for, shape = owners[spec.weights]
            if received != built_for:
                expected = f"shape {show_shapes(built_for)}, for which {spec.weights} was built"
                raise misfit(spec, "shared weights take inputs of one shape", expected, received)
        else:
            layer = create("layer", {spec.kind: spec.arguments})
            layer.given = spec.given or layer.further[: len(received) - 1]
            try:
                shape = layer.build(*received)
            except ShapeError as error:
                raise misfit(spec, error.what, error.expected, received, error.hint) from None
            owners[spec.weights] = layer, received, shape
        known[spec.path] = shape
        nodes.append(Node(spec.path, spec.kind, layer, spec.inputs, shape))
    return nodes


def misfit(spec: NodeSpec, what: str, expected: str, received: Sequence[Shape], hint: str = "") -> ConfigError:
    """The error of a layer that cannot take the shapes of its inputs."""
    problem = Problem(spec.where, f"{spec.path}: {what}", expected, f"shape {show_shapes(received)}", hint)
    return ConfigError([problem])


def show_shapes(shapes: Sequence[Shape]) -> str:
    """(3,) and (4, 4)"""
    return " and ".join(str(shape) for shape in shapes)


def collect(nodes: Sequence[Node], specs: Sequence[NodeSpec], what: str) -> dict[str, Any]:
    """{path of the layer that owns it + name: tensor} of all layers, each once."""
    return {
        f"{spec.path}.{tensor.name}": tensor
        for node, spec in zip(nodes, specs, strict=True)
        if spec.weights == spec.path
        for tensor in getattr(node.layer, what)
    }


def look_around(nodes: Sequence[Node], inputs: Mapping[str, Shape], outputs: set[str]) -> None:
    """Tell each node what it must know of its neighbours: who is trained, what may be dropped."""
    trained = dict.fromkeys(inputs, False)
    last_reader: dict[str, Node] = {}
    for node in nodes:
        node.needs_dx = any(trained[path] for path in node.inputs)
        trained[node.path] = node.needs_dx or any(p.trainable for p in node.layer.parameters)
        last_reader[node.path] = node
        for path in node.inputs:
            last_reader[path] = node
    for node in nodes:
        node.drops = tuple(path for path, last in last_reader.items() if last is node and path not in outputs)
