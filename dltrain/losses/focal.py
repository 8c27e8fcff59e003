"""The focal loss: a cross-entropy that looks away from what is right already."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dltrain.kernels.arrays import Array
from dltrain.losses.targets import Link, are_labels, check_shape, labels
from dltrain.registry import register
from dltrain.types import NonNegativeFloat

if TYPE_CHECKING:
    from dltrain.model.mode import Mode


@register("loss", "focal")
class Focal:
    """Mean of -(1 - p)^gamma log p, p being the probability of what is right; gamma 0 is the cross-entropy.

    It is for classes of very unequal number: the many easy samples count little.  Labels take p from a softmax, targets
    of 0 and 1 from a sigmoid.  What the paper calls alpha is `class_weight` of the task.

    Parameters:
        gamma: how much less a sample counts that is right already

    Example:
        >>> import numpy as np
        >>> from dltrain.model.mode import Mode
        >>> loss, gradient = Focal(gamma=2.0).forward(np.zeros((1, 2)), np.array([1]), Mode())
        >>> round(loss, 6)  # log(2) / 4
        0.173287

    Source: Lin et al., Focal loss for dense object detection, 2017.
    """

    complex_safe = True
    link: Link = "softmax"

    def __init__(self, gamma: NonNegativeFloat = 2.0) -> None:
        self.gamma = gamma

    def forward(self, outputs: Array, targets: Array, mode: Mode, weights: Array | None = None) -> tuple[Any, Array]:
        """The loss, and its gradient in the outputs.

        Parameters:
            outputs: (N, K) logits
            targets: labels (N,), or 0 and 1 in the outputs' shape
            mode: gives kernels and memory
            weights: (N,) of the samples; None: all alike

        Raises:
            DataError: when the shapes do not fit.
            IndexError: when a label is out of range.
        """
        gradient, kernels = mode.empty(outputs.shape, outputs.dtype), mode.kernels(outputs)
        if are_labels(outputs, targets):
            labels(outputs, targets)
            return kernels.focal(outputs, targets, gradient, self.gamma, weights), gradient
        check_shape(targets, outputs.shape)
        return kernels.binary_focal(outputs, targets, gradient, self.gamma, weights), gradient
