"""A trained network whose inner values, and their derivatives, can be read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from dltrain.errors import UsageError
from dltrain.layers.base import Array, Shape
from dltrain.model.graph import Graph
from dltrain.model.mode import Mode
from dltrain.suggest import hint

BATCH = 64  # pictures that are in memory at once


@dataclass(frozen=True)
class Unit:
    """A number that a network computes: a column of a wire, its mean over all places where these are many.

        score = sign · mean over places of y[…, column]

    Parameters:
        name: of the class, or of the unit
        wire: name of a wire, or path of a layer
        column: position along the last axis
        sign: -1 for the first of two classes, whose logit is that of the second with the sign turned
        head: the head of a multi-task model that it belongs to
    """

    name: str
    wire: str
    column: int
    sign: float = 1.0
    head: str = ""

    @property
    def title(self) -> str:
        """The name, behind that of its head where there are several."""
        return f"{self.head}.{self.name}" if self.head else self.name


class Inside:
    """A network without fused layers, every layer of which is a wire.

    Parameters:
        graph: a trained network; its weights are copied
        inputs: {input wire: shape} where its pictures have another size than it was built for

    Example:
        >>> from dltrain import build_model
        >>> ones = {"units": 2, "kernel_initializer": "ones"}
        >>> model = build_model({"graph": {"y": [{"dense": ones}, "relu"]}}, {"x": (3,)})
        >>> inside, x = Inside(model), np.array([[1.0, 2.0, -1.0]], "float32")
        >>> inside.values(x, ["y.0.dense"])["y.0.dense"].tolist()
        [[2.0, 2.0]]
        >>> inside.derivative(x, [Unit("a", "y", 0)])["x"].tolist()
        [[1.0, 1.0, 1.0]]
    """

    def __init__(self, graph: Graph, inputs: Mapping[str, Shape] | None = None) -> None:
        layers = {node.path: node.path for node in graph.plan.nodes}
        plan = replace(graph.plan, wires={**graph.plan.wires, **layers})
        self.graph = Graph(plan, inputs or graph.inputs, graph.dtype, graph.seed, fusions=[])
        self.graph.load_state(graph.state())
        self.nodes = {node.path: node for node in self.graph.plan_nodes}

    def values(self, x: Array, wires: Sequence[str]) -> dict[str, Array]:
        """The values of some wires and layers for pictures x (N, …).

        Parameters:
            x: prepared
            wires: names of wires, or paths of layers
        """
        found: list[dict[str, Array]] = []
        for start in range(0, len(x), BATCH):
            mode = Mode(seed=self.graph.seed, backward=False)
            found.append(self.graph.forward(self._fed(x[start : start + BATCH]), mode=mode, wires=wires)[0])
        return {wire: np.concatenate([some[wire] for some in found]) for wire in wires}

    def derivative(self, x: Array, units: Sequence[Unit], wires: Iterable[str] = ()) -> dict[str, Array]:
        """The derivatives of a unit's score for each picture in x: {"x": (N, …)}, and in some wires.

        Parameters:
            x: prepared pictures (N, …)
            units: one for each picture
            wires: names of wires, or paths of layers
        """
        read = tuple(dict.fromkeys(unit.wire for unit in units))
        mode = Mode(seed=self.graph.seed)
        outputs, backward = self.graph.forward(self._fed(x), mode=mode, wires=read)
        dy = {wire: np.zeros_like(outputs[wire]) for wire in read}
        for row, unit in enumerate(units):
            dy[unit.wire][row, ..., unit.column] = unit.sign / self.places(unit.wire)
        self.graph.zero_grad()
        found = backward(dy, wires=tuple(wires))
        inputs = [found[wire] for wire in self.graph.inputs if wire in found]
        return {**found, "x": sum(inputs[1:], inputs[0]) if inputs else np.zeros_like(x)}

    def scores(self, x: Array, units: Sequence[Unit]) -> Array:
        """The score of a unit for each picture; of a single picture (1, …) for every unit."""
        values = self.values(x, tuple(dict.fromkeys(unit.wire for unit in units)))
        rows = (unit.sign * values[unit.wire][row % len(x), ..., unit.column].mean() for row, unit in enumerate(units))
        return np.array([*rows])

    def places(self, wire: str) -> int:
        """How many places the values of a wire have."""
        return int(np.prod(self.graph.wires[wire][:-1]))

    def layer(self, name: str) -> str:
        """The path of the layer that a name means: its own, or that of a wire's last layer.

        Raises:
            UsageError: when there is none.
        """
        path = self.graph.plan.wires.get(name, name)
        if path not in self.nodes:
            known = [*self.nodes]
            advice = hint(name, known, "`dltrain check` lists the layers of a config")
            raise UsageError("the network has no such layer", where="--layer", got=repr(name), hint=advice)
        return path

    def _fed(self, x: Array) -> dict[str, Array]:
        return dict.fromkeys(self.graph.inputs, np.ascontiguousarray(x, self.graph.dtype))
