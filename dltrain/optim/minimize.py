"""Try an optimizer on a function, without a model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from dltrain.kernels import select
from dltrain.kernels.arrays import Array
from dltrain.optim.moment import Moment

if TYPE_CHECKING:
    from dltrain.optim.optimizer import Optimizer


class FlatVector:
    """Numbers and their gradient as an optimizer sees those of a model.

    Parameters:
        value: the numbers; float32 or float64
        decayed: how many of the first ones weight decay applies to; all when left out
        slices: {path: place} of parameters; one that is called w when left out

    Example:
        >>> FlatVector(np.ones(3), decayed=2).decayed
        slice(0, 2, None)
    """

    def __init__(self, value: Array, decayed: int | None = None, slices: dict[str, slice] | None = None) -> None:
        self.value, self.grad = value, np.zeros_like(value)
        self.decayed = slice(0, len(value) if decayed is None else decayed)
        self.slices = {"w": slice(0, len(value))} if slices is None else slices

    def zeros(self, size: int) -> Array:
        """A vector for a slot."""
        return np.zeros(size, self.value.dtype)


def minimize(
    optimizer: Optimizer, gradient: Callable[[Array], Array], start: Sequence[float], steps: int = 1
) -> list[float]:
    """Where an optimizer gets to from a start, rounded to six places.

    Parameters:
        optimizer: one that is not bound to a model
        gradient: of the function, from the point (n,) to (n,)
        start: (n,)
        steps: how many; a run of as many epochs of one step

    Example:
        >>> from dltrain.optim.optimizers import gradient_descent
        >>> minimize(gradient_descent(0.25), lambda w: 2 * w, start=[1.0], steps=2)
        [0.25]
    """
    vector = FlatVector(np.array(start, float))
    optimizer.bind(vector, select("reference"))
    for step in range(steps):
        vector.grad[:] = gradient(vector.value)
        optimizer.step(Moment(step, 1, steps))
    found: list[float] = vector.value.round(6).tolist()
    return found
