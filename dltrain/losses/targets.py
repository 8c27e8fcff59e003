"""The form in which losses take their targets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from dltrain.errors import DataError
from dltrain.kernels.arrays import Array, check_labels

if TYPE_CHECKING:
    from dltrain.model.mode import Mode

Link = Literal["softmax", "sigmoid", "identity"]  # how a loss' outputs become probabilities


def are_labels(outputs: Array, targets: Array) -> bool:
    """Whether the targets are labels (N,), which stand for rows (N, K) with a 1 at the label.

    Example:
        >>> import numpy as np
        >>> are_labels(np.zeros((2, 3)), np.array([0, 2])), are_labels(np.zeros((2, 1)), np.zeros((2, 1)))
        (True, False)
    """
    return targets.ndim == 1 and outputs.ndim == 2 and targets.dtype.kind in "iu"


def numbers(outputs: Array, targets: Array, mode: Mode) -> Array:
    """The targets in the outputs' shape: labels (N,) become one-hot rows.

    Raises:
        DataError: when the shapes do not fit.
        IndexError: when a label is out of range.
    """
    if not are_labels(outputs, targets) or outputs.shape[1] == 1:
        check_shape(targets, outputs.shape)
        return targets
    check_shape(targets, outputs.shape[:1])
    check_labels(targets, outputs.shape[1])
    rows = mode.empty(outputs.shape, outputs.real.dtype)
    rows.fill(0)
    rows[np.arange(len(targets)), targets] = 1
    return rows


def labels(outputs: Array, targets: Array) -> Array:
    """The targets as labels (N,) of outputs (N, K).

    Raises:
        DataError: when the shapes do not fit.
    """
    if outputs.ndim != 2:
        raise DataError("the outputs do not fit this loss", where="loss", expected="(N, K)", got=str(outputs.shape))
    check_shape(targets, outputs.shape[:1])
    return targets


def check_shape(targets: Array, shape: tuple[int, ...]) -> None:
    """Refuse targets of another shape; NumPy would broadcast (N,) against (N, 1) to (N, N): a plausible, wrong loss."""
    if targets.shape != shape:
        expected, got = f"targets of shape {shape}", str(targets.shape)
        raise DataError("the targets do not fit the outputs", where="loss", expected=expected, got=got)
