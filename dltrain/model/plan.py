"""What the notation says, spelled out: every layer as a node, with what it reads and whose weights it uses."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

Path = tuple[str | int, ...]


@dataclass(frozen=True)
class NodeSpec:
    """One layer at its place in the model.

    Parameters:
        path: wire, position and kind, ``stage1.0.dense``; longer inside blocks, branches and repeats
        kind: the layer's registered name
        arguments: its constructor's arguments, with all $names replaced
        inputs: paths of the nodes, or names of the model's inputs, that it reads
        weights: path of the node whose parameters it uses; its own path, unless it is reused
        where: config path of the item that made it, ``("model", "graph", "stage1", 0)``
        places: config path at which each argument's value is written: a $name's value stands elsewhere
        given: what the inputs after the first are called, where `with` says it
    """

    path: str
    kind: str
    arguments: dict[str, Any]
    inputs: tuple[str, ...]
    weights: str
    where: Path
    places: dict[str, Path] = field(default_factory=dict, compare=False)
    given: tuple[str, ...] = field(default=(), compare=False)

    def place(self, argument: str) -> Path:
        """Config path at which the value of an argument is written; the item's where it is left out."""
        return self.places.get(argument, self.where)


@dataclass(frozen=True)
class Plan:
    """A whole model.

    Parameters:
        inputs: {input wire: shape without the batch axis, or None where the data's is taken}; {} takes the data's wires
        nodes: every layer, each after those that it reads
        wires: {wire: path of the node that computes it}; an input's wire stands for itself
        outputs: the wires that are the model's results
    """

    inputs: dict[str, tuple[int, ...] | None]
    nodes: tuple[NodeSpec, ...]
    wires: dict[str, str]
    outputs: tuple[str, ...]


class Written(NamedTuple):
    """A value of a config and the path at which it is written."""

    value: Any
    place: Path
