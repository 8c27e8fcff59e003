"""The health of recurrent layers: how far back a gradient reaches, and gates at their limits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from dltrain.layers.base import Array
from dltrain.layers.recurrence import Recurrent, spread
from dltrain.model.mode import Mode
from dltrain.seeds import generator

if TYPE_CHECKING:
    from dltrain.model.nodes import Node

LOW, HIGH, FAR = 0.01, 0.99, 0.98  # limits of a sigmoid, and of a tanh
# cell: its gates in their order; i, f, o, r and z are sigmoids, the others what is proposed for the state
GATES = {"lstm": "ifgo", "gru": "rzn", "simple_gru": "zn", "tanh": "h", "relu": "h"}
KEEPING = "fz"  # gates that keep the state where they are open, which is what they are for
SIGMOIDS = "ifozr"


@dataclass(frozen=True)
class Memory:
    """What a recurrent layer does with time, for some training examples.

    Parameters:
        path: its place
        kind: its name
        gradients: root mean square of the gradient at each step, of one that arrives at the last step alone, the
            farthest step first
        saturated: {gate: share of its values at their limits}; open ones that keep the state are as they should be
    """

    path: str
    kind: str
    gradients: tuple[float, ...] = ()
    saturated: Mapping[str, float] = field(default_factory=dict)


def memory_of(node: Node, inputs: list[Array], mode: Mode) -> Memory | None:
    """The memory of a layer; None where it is not recurrent.

    Its cell is run once more, then a gradient drawn at random goes back from the last step through all others.

    Parameters:
        node: the layer
        inputs: x (N, T, D), and perhaps its mask (N, T) and first state
        mode: its kernels and memory
    """
    layer = node.layer
    if not isinstance(layer, Recurrent):
        return None
    x, beside = inputs[0], layer.named(tuple(inputs))
    mask, state = beside.get("mask"), beside.get("state")
    (N, T, D), H, k, U = x.shape, layer.units, mode.kernels(x), layer.recurrent.value
    z = np.empty((N, T, U.shape[1]), x.dtype)
    k.affine(x.reshape(N * T, D), layer.kernel.value, layer.bias.value, "linear", z.reshape(N * T, -1), np.empty)
    p = np.zeros(layer.further_shape, x.dtype) if layer.p is None else layer.p.value
    first, last, out, before, noted = (
        np.zeros(shape, x.dtype) for shape in ((2, N, H), (2, N, H), (N, T, H), (N, T, H), (N, T, H))
    )
    if state is not None:
        spread(state, first)
    how = (U, p, mask, None, first, layer.go_backwards)
    k.recurrence(layer.cell, z, *how, out, before, noted, last, np.empty)
    there = np.ones((N, T), bool) if mask is None else mask > 0.5
    saturated = saturation(layer.cell, z[there])
    dy = generator(0, "through time").standard_normal((N, 1, H)).astype(x.dtype)
    du = np.empty(z.shape, x.dtype) if layer.cell == "gru" else z
    k.recurrence_backward(
        layer.cell, z, *how, out, noted, dy, du, np.zeros_like(p), np.empty_like(first), False, np.empty
    )
    squares = np.square(z, dtype=np.float64).mean(2)  # (N, T), 0 where there is no step
    if layer.go_backwards:
        squares, there = squares[:, ::-1], there[:, ::-1]
    back = (there.sum(1, keepdims=True) - there.cumsum(1))[there]  # steps to the last one of its own sequence
    norms = np.sqrt(np.bincount(back, squares[there]) / np.maximum(np.bincount(back), 1))
    return Memory(node.path, node.kind, tuple(map(float, norms[::-1])), saturated)


def saturation(cell: str, gates: Array) -> dict[str, float]:
    """{gate: share of its values at the limits}.

    Parameters:
        cell: its name among the kernels' cells
        gates: (n, G·H) their values

    Example:
        >>> saturation("lstm", np.array([[1.0, 1.0, -1.0, 0.5]]))  # an open forget gate keeps the state
        {'i': 1.0, 'f': 0.0, 'g': 1.0, 'o': 0.0}
    """
    found = {}
    for name, values in zip(GATES[cell], np.split(gates, len(GATES[cell]), axis=1), strict=True):
        if cell == "relu":
            continue  # it has no limits
        sigmoid = name in SIGMOIDS
        limits = values < LOW if sigmoid else np.abs(values) > FAR
        if sigmoid and name not in KEEPING:
            limits = limits | (values > HIGH)
        found[name] = float(limits.mean()) if limits.size else 0.0
    return found
