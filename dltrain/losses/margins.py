"""Losses that ask for a margin between right and wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dltrain.kernels.arrays import Array
from dltrain.losses.targets import Link, are_labels, check_shape, labels
from dltrain.registry import register

if TYPE_CHECKING:
    from dltrain.model.mode import Mode


@register("loss", "hinge")
class Hinge:
    """Mean of max(0, 1 - margin): yes or no has the margin z or -z, a class z_label - max of the other z.

    The first is that of a support vector machine, the second its form for many classes by Crammer and Singer.
    The outputs are scores, not logits of probabilities.

    Example:
        >>> import numpy as np
        >>> from dltrain.model.mode import Mode
        >>> loss, gradient = Hinge().forward(np.array([[2.0, 1.5, 0.0]]), np.array([0]), Mode())
        >>> loss, gradient.tolist()  # 1 - (2 - 1.5)
        (0.5, [[-1.0, 1.0, 0.0]])

    Source: Crammer, Singer, On the algorithmic implementation of multiclass kernel-based vector machines, 2001.
    """

    complex_safe = True
    link: Link = "softmax"

    def forward(self, outputs: Array, targets: Array, mode: Mode, weights: Array | None = None) -> tuple[Any, Array]:
        """The loss, and its gradient in the outputs.

        Parameters:
            outputs: (N, K) scores
            targets: labels (N,), or 0 and 1 in the outputs' shape
            mode: gives kernels and memory
            weights: (N,) of the samples; None: all alike

        Raises:
            DataError: when the shapes do not fit.
            IndexError: when a label is out of range.
        """
        return _hinge(1, outputs, targets, mode, weights)


@register("loss", "squared_hinge")
class SquaredHinge:
    """Mean of max(0, 1 - margin)²: as `hinge`, but smooth at its edge and harder on large errors.

    Example:
        >>> import numpy as np
        >>> from dltrain.model.mode import Mode
        >>> loss, gradient = SquaredHinge().forward(np.array([[0.5]]), np.array([[1.0]]), Mode())
        >>> loss, gradient.tolist()
        (0.25, [[-1.0]])

    Source: Tang, Deep learning using linear support vector machines, 2013.
    """

    complex_safe = True
    link: Link = "softmax"

    def forward(self, outputs: Array, targets: Array, mode: Mode, weights: Array | None = None) -> tuple[Any, Array]:
        """The loss, and its gradient in the outputs.

        Parameters:
            outputs: (N, K) scores
            targets: labels (N,), or 0 and 1 in the outputs' shape
            mode: gives kernels and memory
            weights: (N,) of the samples; None: all alike

        Raises:
            DataError: when the shapes do not fit.
            IndexError: when a label is out of range.
        """
        return _hinge(2, outputs, targets, mode, weights)


def _hinge(power: int, outputs: Array, targets: Array, mode: Mode, weights: Array | None) -> tuple[Any, Array]:
    gradient, kernels = mode.empty(outputs.shape, outputs.dtype), mode.kernels(outputs)
    if are_labels(outputs, targets):
        labels(outputs, targets)
        return kernels.multi_class_hinge(outputs, targets, gradient, power, weights), gradient
    check_shape(targets, outputs.shape)
    return kernels.hinge(outputs, targets, gradient, power, weights), gradient
