"""Losses: a number that says how wrong the outputs are, with its gradient.

All are means over the batch (sums run in float64) and take logits where there are probabilities, so that
they stay finite and exact however sure a model is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dltrain.errors import DataError
from dltrain.kernels.arrays import Array
from dltrain.registry import register

if TYPE_CHECKING:
    from dltrain.model.mode import Mode


@register("loss", "softmax_cross_entropy")
class SoftmaxCrossEntropy:
    """Mean over the batch of log Σ_k exp(z_k) - z_label: minus the log-probability of the right class.

    Its gradient in the logits is (softmax(z) - one_hot(label)) / N.

    Example:
        >>> import numpy as np
        >>> from dltrain.model.mode import Mode
        >>> loss, gradient = SoftmaxCrossEntropy().forward(np.zeros((1, 2)), np.array([1]), Mode())
        >>> round(loss, 6), gradient.tolist()
        (0.693147, [[0.5, -0.5]])

    Source: Bridle, Probabilistic interpretation of feedforward classification network outputs, 1990.
    """

    complex_safe = True

    def forward(self, outputs: Array, targets: Array, mode: Mode) -> tuple[Any, Array]:
        """The loss, and its gradient in the outputs.

        Parameters:
            outputs: (N, K) logits
            targets: (N,) labels, whole numbers from 0 to K - 1
            mode: gives kernels and memory

        Raises:
            DataError: when the shapes do not fit.
        """
        if outputs.ndim != 2:
            raise DataError("the outputs do not fit this loss", where="loss", expected="(N, K)", got=str(outputs.shape))
        _check(targets, outputs.shape[:1])
        gradient = mode.empty(outputs.shape, outputs.dtype)
        return mode.kernels(outputs).softmax_cross_entropy(outputs, targets, gradient), gradient


@register("loss", "binary_cross_entropy")
class BinaryCrossEntropy:
    """Mean over all elements of log(1 + exp(z)) - z t: minus the log-probability of the right answer.

    Its gradient in the logits is (sigmoid(z) - t) / number of elements.

    Example:
        >>> import numpy as np
        >>> from dltrain.model.mode import Mode
        >>> loss, gradient = BinaryCrossEntropy().forward(np.zeros((1, 1)), np.ones((1, 1)), Mode())
        >>> round(loss, 6), gradient.tolist()
        (0.693147, [[-0.5]])

    Source: Cox, The regression analysis of binary sequences, 1958.
    """

    complex_safe = True

    def forward(self, outputs: Array, targets: Array, mode: Mode) -> tuple[Any, Array]:
        """The loss, and its gradient in the outputs.

        Parameters:
            outputs: (N, 1) or (N, M) logits
            targets: the same shape, from 0 to 1
            mode: gives kernels and memory

        Raises:
            DataError: when the shapes do not fit.
        """
        _check(targets, outputs.shape)
        gradient = mode.empty(outputs.shape, outputs.dtype)
        return mode.kernels(outputs).binary_cross_entropy(outputs, targets, gradient), gradient


@register("loss", "mean_squared_error")
class MeanSquaredError:
    """Mean over all elements of (y - t)².

    Its gradient in the outputs is 2 (y - t) / number of elements.

    Example:
        >>> import numpy as np
        >>> from dltrain.model.mode import Mode
        >>> loss, gradient = MeanSquaredError().forward(np.array([[3.0]]), np.array([[1.0]]), Mode())
        >>> loss, gradient.tolist()
        (4.0, [[4.0]])

    Source: Legendre, Nouvelles méthodes pour la détermination des orbites des comètes, 1805.
    """

    complex_safe = True

    def forward(self, outputs: Array, targets: Array, mode: Mode) -> tuple[Any, Array]:
        """The loss, and its gradient in the outputs.

        Parameters:
            outputs: (N, M) predictions
            targets: the same shape
            mode: gives kernels and memory

        Raises:
            DataError: when the shapes do not fit.
        """
        _check(targets, outputs.shape)
        gradient = mode.empty(outputs.shape, outputs.dtype)
        return mode.kernels(outputs).mean_squared_error(outputs, targets, gradient), gradient


def _check(targets: Array, shape: tuple[int, ...]) -> None:
    # NumPy would broadcast (N,) against (N, 1) to (N, N) and report a plausible, wrong loss.
    if targets.shape != shape:
        expected, got = f"targets of shape {shape}", str(targets.shape)
        raise DataError("the targets do not fit the outputs", where="loss", expected=expected, got=got)
