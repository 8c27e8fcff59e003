"""Initializers that draw nothing: constants, given weights, the identity."""

from __future__ import annotations

import inspect
from functools import partial
from typing import Any

import numpy as np

from dltrain import registry
from dltrain.initializers.misfit import Fans, Misfit
from dltrain.kernels.arrays import Array
from dltrain.registry import register
from dltrain.types import Numbers


@register("initializer", "constant")
class Constant:
    """Every element the same; or weights that are given, as a list of the tensor's shape.

    A dense layer's kernel has one row for each input: ``kernel_initializer: {constant: [[1], [1]]}`` adds two inputs.

    Parameters:
        value: the element, or all elements: a list for a bias, a list of rows for a kernel

    Example:
        >>> weights = np.empty((2, 1))
        >>> Constant(0.5).fill(weights, (2, 1), np.random.default_rng(0))
        >>> weights.tolist()
        [[0.5], [0.5]]
        >>> Constant([[1], [-1]]).fill(weights, (2, 1), np.random.default_rng(0))
        >>> weights.tolist()
        [[1.0], [-1.0]]

    Raises:
        Misfit: when a list has not the tensor's shape.
    """

    def __init__(self, value: Numbers) -> None:
        self.value = value

    def fill(self, value: Array, fans: Fans, rng: np.random.Generator) -> None:
        """Fill the array."""
        if isinstance(self.value, list):
            shape = shape_of(self.value)
            if shape != value.shape:
                got = "rows of different lengths" if shape is None else f"shape {shape}"
                raise Misfit("these numbers do not have the shape of the tensor", f"shape {value.shape}", got)
        value[...] = self.value


def shape_of(numbers: Any) -> tuple[int, ...] | None:
    """The shape of nested lists; None where they are ragged.

    Example:
        >>> shape_of([[1, 2, 3], [4, 5, 6]]), shape_of([[1], [2, 3]])
        ((2, 3), None)
    """
    if not isinstance(numbers, list):
        return ()
    inner = {shape_of(item) for item in numbers}
    shape = inner.pop() if len(inner) == 1 else () if not inner else None
    return None if shape is None else (len(numbers), *shape)


@register("initializer", "identity")
class Identity:
    """Gain on the diagonal, 0 elsewhere: a layer that begins by passing its input on.

    Parameters:
        gain: the diagonal's value

    Example:
        >>> weights = np.empty((2, 3))
        >>> Identity().fill(weights, (2, 3), np.random.default_rng(0))
        >>> weights.tolist()
        [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]

    Raises:
        Misfit: when the tensor is no matrix.

    Source: Le, Jaitly and Hinton, A simple way to initialize recurrent networks of rectified linear units, 2015.
    """

    def __init__(self, gain: float = 1.0) -> None:
        self.gain = gain

    def fill(self, value: Array, fans: Fans, rng: np.random.Generator) -> None:
        """Fill the array."""
        if value.ndim != 2:
            raise Misfit("identity fills matrices", "a tensor of two axes", f"shape {value.shape}")
        value[...] = self.gain * np.eye(*value.shape)


CONSTANTS = {"zeros": 0.0, "ones": 1.0}
CONSTANT_EXAMPLE = """
Example:
    >>> import numpy as np
    >>> from dltrain.registry import create
    >>> weights = np.empty(3)
    >>> create("initializer", "{name}").fill(weights, (1, 3), np.random.default_rng(0))
    >>> weights.tolist()
    {found}
"""


def _register_table() -> None:
    for name, value in CONSTANTS.items():
        doc = f"Every element {value:g}.\n{CONSTANT_EXAMPLE.format(name=name, found=[value] * 3)}"
        registry.add(registry.Entry("initializer", name, partial(Constant, value), (), inspect.cleandoc(doc)))


_register_table()
