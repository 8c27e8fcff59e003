"""Losses of classes: minus the log-probability of what is right."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from dltrain.kernels.arrays import Array
from dltrain.losses.targets import Link, labels, numbers
from dltrain.registry import register
from dltrain.types import Rate

if TYPE_CHECKING:
    from dltrain.model.mode import Mode


@register("loss", "softmax_cross_entropy")
class SoftmaxCrossEntropy:
    """Mean over the batch of log Σ_k exp(z_k) - z_label: minus the log-probability of the right class.

    Its gradient in the logits is (softmax(z) - one_hot(label)) / N.

    Parameters:
        label_smoothing: s; the right class then has the target 1 - s + s/K, each other one s/K

    Example:
        >>> import numpy as np
        >>> from dltrain.model.mode import Mode
        >>> loss, gradient = SoftmaxCrossEntropy().forward(np.zeros((1, 2)), np.array([1]), Mode())
        >>> round(loss, 6), gradient.tolist()
        (0.693147, [[0.5, -0.5]])

    Source: Bridle, Probabilistic interpretation of feedforward classification network outputs, 1990; smoothing:
    Szegedy et al., Rethinking the Inception architecture for computer vision, 2016.
    """

    complex_safe = True
    link: Link = "softmax"

    def __init__(self, label_smoothing: Rate = 0.0) -> None:
        self.label_smoothing = label_smoothing

    def forward(self, outputs: Array, targets: Array, mode: Mode, weights: Array | None = None) -> tuple[Any, Array]:
        """The loss, and its gradient in the outputs.

        Parameters:
            outputs: (N, K) logits
            targets: (N,) labels, whole numbers from 0 to K - 1
            mode: gives kernels and memory
            weights: (N,) of the samples; None: all alike

        Raises:
            DataError: when the shapes do not fit.
            IndexError: when a label is out of range.
        """
        labels(outputs, targets)
        gradient = mode.empty(outputs.shape, outputs.dtype)
        loss = mode.kernels(outputs).softmax_cross_entropy(outputs, targets, gradient, weights)
        if self.label_smoothing:
            loss += self._smooth(outputs, targets, gradient, weights)
        return loss, gradient

    def _smooth(self, z: Array, targets: Array, gradient: Array, weights: Array | None) -> Any:
        # s log Σ exp(z) - s mean(z) instead of s log Σ exp(z) - s z_label: only the difference is added.
        count, width, rows = max(len(z), 1), z.shape[1], np.arange(len(z))
        shares = np.full(len(z), 1 / count) if weights is None else weights / max(float(weights.sum()), 1e-300)
        shares = self.label_smoothing * shares
        wide = z.astype(np.result_type(z.dtype, np.float64))
        gradient -= (shares / width)[:, None].astype(gradient.real.dtype)
        gradient[rows, targets] += shares.astype(gradient.real.dtype)
        return (shares * (wide[rows, targets] - wide.mean(1))).sum().item()


@register("loss", "binary_cross_entropy")
class BinaryCrossEntropy:
    """Mean over all elements of log(1 + exp(z)) - z t: minus the log-probability of the right answer.

    Its gradient in the logits is (sigmoid(z) - t) / number of elements.  With classes, whose labels count as rows with
    a 1 at the label, each class is a yes or no of its own; textbooks that sum over the K outputs have K times this
    loss, so that the same step takes K times their learning rate.

    Parameters:
        label_smoothing: s; targets t become t (1 - s) + s/2

    Example:
        >>> import numpy as np
        >>> from dltrain.model.mode import Mode
        >>> loss, gradient = BinaryCrossEntropy().forward(np.zeros((1, 1)), np.ones((1, 1)), Mode())
        >>> round(loss, 6), gradient.tolist()
        (0.693147, [[-0.5]])

    Source: Cox, The regression analysis of binary sequences, 1958.
    """

    complex_safe = True
    link: Link = "sigmoid"

    def __init__(self, label_smoothing: Rate = 0.0) -> None:
        self.label_smoothing = label_smoothing

    def forward(self, outputs: Array, targets: Array, mode: Mode, weights: Array | None = None) -> tuple[Any, Array]:
        """The loss, and its gradient in the outputs.

        Parameters:
            outputs: (N, 1) or (N, M) logits
            targets: the same shape, from 0 to 1, or labels (N,)
            mode: gives kernels and memory
            weights: (N,) of the samples; None: all alike

        Raises:
            DataError: when the shapes do not fit.
        """
        t, gradient = numbers(outputs, targets, mode), mode.empty(outputs.shape, outputs.dtype)
        if self.label_smoothing:
            t = t * (1 - self.label_smoothing) + self.label_smoothing / 2
        return mode.kernels(outputs).binary_cross_entropy(outputs, t, gradient, weights), gradient
