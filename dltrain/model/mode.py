"""All a layer may know about the run it is part of."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, Any

import numpy as np

from dltrain.kernels import select
from dltrain.layers.base import Array, Shape
from dltrain.model.memory import Arena
from dltrain.seeds import mix

if TYPE_CHECKING:
    from dltrain.model.nodes import Node


class Mode:
    """Training or not, memory, kernels, and the node that is running.

    Parameters:
        training: dropout drops, batch norm uses the batch's own statistics
        kernels: chooser of an implementation, from `kernels.select`
        arena: where the arrays of a step come from; None takes them from the heap, to be kept as long as one likes
        seed: of dropout and other draws
        backward: whether closures for a backward pass are wanted
        input_gradients: whether gradients are wanted for the graph's inputs too
        update_statistics: whether running statistics learn from the batches seen
    """

    def __init__(
        self,
        training: bool = False,
        *,
        kernels: Callable[[Array], Any] | None = None,
        arena: Arena | None = None,
        seed: int = 0,
        backward: bool = True,
        input_gradients: bool = True,
        update_statistics: bool = True,
    ) -> None:
        self.training, self.backward, self.input_gradients = training, backward, input_gradients
        self.update_statistics = training and update_statistics
        self.kernels = kernels or select("auto")
        self.arena, self.seed, self.step, self.part = arena, seed, 0, 0
        self.empty: Callable[..., Array] = np.empty if arena is None else arena.empty
        self.states: dict[str, Array] | None = None  # of recurrent layers, where batches go on in a text
        self.stepwise = False  # whether a sequence is read step by step: then attention and positions go on too
        self.limited = False  # whether what is read step by step must not become longer than in training
        self.node: Node

    def begin(self, step: int, key: Hashable = None, part: int = 0) -> None:
        """Start a step: its number decides what is drawn, its kind (sizes) which memory plan is used.

        Parameters:
            step: its number
            key: its kind
            part: which micro-batch of the step; each draws for itself
        """
        self.step, self.part = step, part
        if self.arena is not None:
            self.arena.begin((self.training, self.backward, key))

    @property
    def needs_dx(self) -> bool:
        """Whether anybody wants the gradient of the running node's input."""
        return self.input_gradients or self.node.needs_dx

    def output(self, shape: Shape, dtype: Any) -> Array:
        """Memory for the node's output."""
        return self.empty(shape, dtype)

    def like(self, x: Array) -> Array:
        """Memory for a gradient of x."""
        return self.empty(x.shape, x.dtype)

    def recall(self, first: Array) -> bool:
        """Fill in the state (S, N, H) with which the running node begins: that of the batch before, else zeros.

        Where batches become shorter, as some texts end, the first ones go on.  Returns whether there was one.
        """
        kept = None if self.states is None else self.states.get(f"{self.node.path}/{self.part}")
        if kept is None:
            first.fill(0)
        else:
            first[...] = kept[:, : first.shape[1]]
        return kept is not None

    def remember(self, last: Array) -> None:
        """Keep the state with which the running node ends, where batches go on in a text."""
        if self.states is not None:
            self.states[f"{self.node.path}/{self.part}"] = last.copy()

    def extended(self, name: str, values: Array) -> Array:
        """Values (N, t, D) of the running node, behind those of earlier steps where a sequence is read step by step."""
        if not self.stepwise or self.states is None:
            return values
        self.limited, path = True, f"{self.node.path}/{name}"
        earlier = [self.states[path][0]] if path in self.states else []
        self.states[path] = np.concatenate([*earlier, values], axis=1)[None]
        return self.states[path][0]

    def place(self, count: int, steps: int) -> int:
        """At which place of its sequence the running node begins: 0 but where it is read step by step.

        Parameters:
            count: of sequences N
            steps: that it reads now
        """
        if not self.stepwise or self.states is None:
            return 0
        self.limited, path = True, f"{self.node.path}/place"
        place = int(self.states[path][0, 0]) if path in self.states else 0
        self.states[path] = np.full((1, count), place + steps)
        return place

    def key(self) -> int:
        """The 64-bit key of this node's draws in this step, and in this micro-batch where there are several."""
        place = (self.node.key, self.part) if self.part else (self.node.key,)
        return mix(self.seed, self.step, *place)
