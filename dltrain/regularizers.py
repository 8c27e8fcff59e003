"""Regularizers: a penalty on the size of the kernels, added to the loss."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from dltrain.kernels.arrays import Array
from dltrain.registry import register
from dltrain.types import NonNegativeFloat

Chooser = Callable[[Array], Any]


class Vector(Protocol):
    """What a regularizer sees of a model: flat values and gradients, and the part that holds the kernels."""

    value: Array
    grad: Array
    decayed: slice


@register("regularizer", "l1")
class L1:
    """Penalty l1 · Σ|w| over all kernels, which drives weights to zero; its gradient is l1 · sign(w).

    Parameters:
        l1: weight of the penalty in the loss

    Example:
        >>> import numpy as np
        >>> from types import SimpleNamespace
        >>> from dltrain.kernels import select
        >>> vector = SimpleNamespace(value=np.array([1.0, -2.0, 9.0]), grad=np.zeros(3), decayed=slice(0, 2))
        >>> L1(0.5).add(vector, select("reference")), vector.grad.tolist()
        (1.5, [0.5, -0.5, 0.0])

    Source: Tibshirani, Regression shrinkage and selection via the lasso, 1996.
    """

    def __init__(self, l1: NonNegativeFloat = 0.01) -> None:
        self.l1 = l1

    def add(self, vector: Vector, kernels: Chooser) -> Any:
        """Add the penalty's gradient to the vector's gradient; return the penalty.

        Parameters:
            vector: the model's flat values and gradients
            kernels: chooser of an implementation, see `dltrain.kernels.select`
        """
        return _add(vector, kernels, self.l1, 0.0)


@register("regularizer", "l2")
class L2:
    """Penalty l2 · Σw² over all kernels, which keeps weights small; its gradient is 2 · l2 · w.

    Parameters:
        l2: weight of the penalty in the loss

    Example:
        >>> import numpy as np
        >>> from types import SimpleNamespace
        >>> from dltrain.kernels import select
        >>> vector = SimpleNamespace(value=np.array([1.0, -2.0, 9.0]), grad=np.zeros(3), decayed=slice(0, 2))
        >>> L2(0.5).add(vector, select("reference")), vector.grad.tolist()
        (2.5, [1.0, -2.0, 0.0])

    Source: Hoerl and Kennard, Ridge regression, 1970; Krogh and Hertz, A simple weight decay can improve
        generalization, 1992.
    """

    def __init__(self, l2: NonNegativeFloat = 0.01) -> None:
        self.l2 = l2

    def add(self, vector: Vector, kernels: Chooser) -> Any:
        """Add the penalty's gradient to the vector's gradient; return the penalty.

        Parameters:
            vector: the model's flat values and gradients
            kernels: chooser of an implementation, see `dltrain.kernels.select`
        """
        return _add(vector, kernels, 0.0, self.l2)


def _add(vector: Vector, kernels: Chooser, l1: float, l2: float) -> Any:
    value, grad = vector.value[vector.decayed], vector.grad[vector.decayed]
    return kernels(value).penalty(value, grad, l1, l2)
