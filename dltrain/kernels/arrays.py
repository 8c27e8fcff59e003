"""Types and small helpers that the kernels share."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
Empty = Callable[[tuple[int, ...], Any], Array]  # the caller's scratch memory: empty(shape, dtype)
Derived = Callable[[str, tuple[int, ...], Callable[[Array], Any]], Array]  # Parameter.derived


def give(target: Array, value: Array, add: bool) -> None:
    """Store a gradient, or add it to what is there."""
    if add:
        target += value
    else:
        target[...] = value


def check_labels(labels: Array, classes: int) -> None:
    """Refuse labels that are out of range, which indexing would partly let pass.

    Raises:
        IndexError: when there is one.
    """
    if labels.size and (labels.min() < 0 or labels.max() >= classes):
        bad = labels[(labels < 0) | (labels >= classes)][0]
        raise IndexError(f"label {bad} is not one of the {classes} classes")


def rows_of(x: Array) -> Array:
    """x as a matrix of its last axis: (…, C) -> (rows, C)."""
    return x if x.ndim == 2 else x.reshape(math.prod(x.shape[:-1]), x.shape[-1])


PADDED = -1e4  # all scores of a step that fills up a sequence of tags
