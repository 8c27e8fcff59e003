"""Losses of numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dltrain.kernels.arrays import Array
from dltrain.losses.targets import Link, numbers
from dltrain.registry import register
from dltrain.types import PositiveFloat

if TYPE_CHECKING:
    from dltrain.model.mode import Mode


@register("loss", "mean_squared_error")
class MeanSquaredError:
    """Mean over all elements of (y - t)².

    Its gradient in the outputs is 2 (y - t) / number of elements.  Labels count as rows with a 1 at the label.

    Example:
        >>> import numpy as np
        >>> from dltrain.model.mode import Mode
        >>> loss, gradient = MeanSquaredError().forward(np.array([[3.0]]), np.array([[1.0]]), Mode())
        >>> loss, gradient.tolist()
        (4.0, [[4.0]])

    Source: Legendre, Nouvelles méthodes pour la détermination des orbites des comètes, 1805.
    """

    complex_safe = True
    link: Link = "identity"

    def forward(self, outputs: Array, targets: Array, mode: Mode, weights: Array | None = None) -> tuple[Any, Array]:
        """The loss, and its gradient in the outputs.

        Parameters:
            outputs: (N, M) predictions
            targets: the same shape, or labels (N,)
            mode: gives kernels and memory
            weights: (N,) of the samples; None: all alike

        Raises:
            DataError: when the shapes do not fit.
        """
        t, gradient = numbers(outputs, targets, mode), mode.empty(outputs.shape, outputs.dtype)
        return mode.kernels(outputs).mean_squared_error(outputs, t, gradient, weights), gradient


@register("loss", "quadratic")
class Quadratic:
    """Mean over the batch of ½ Σ_k (y_k - t_k)², the quadratic cost of the textbooks.

    Its gradient in the outputs is (y - t) / N, so it does not depend on the number of outputs.  With classes, whose
    labels count as rows with a 1 at the label, the model ends in a `sigmoid` or `softmax` layer.

    Example:
        >>> import numpy as np
        >>> from dltrain.model.mode import Mode
        >>> loss, gradient = Quadratic().forward(np.array([[0.5, 0.5]]), np.array([1]), Mode())
        >>> loss, gradient.tolist()
        (0.25, [[0.5, -0.5]])

    Source: Nielsen, Neural networks and deep learning, 2015, chapter 1.
    """

    complex_safe = True
    link: Link = "identity"

    def forward(self, outputs: Array, targets: Array, mode: Mode, weights: Array | None = None) -> tuple[Any, Array]:
        """The loss, and its gradient in the outputs.

        Parameters:
            outputs: (N, M) predictions
            targets: the same shape, or labels (N,)
            mode: gives kernels and memory
            weights: (N,) of the samples; None: all alike

        Raises:
            DataError: when the shapes do not fit.
        """
        t, gradient = numbers(outputs, targets, mode), mode.empty(outputs.shape, outputs.dtype)
        loss = mode.kernels(outputs).mean_squared_error(outputs, t, gradient, weights)
        half = outputs[:1].size / 2  # from a mean over the outputs to half their sum
        gradient *= half
        return loss * half, gradient


@register("loss", "mean_absolute_error")
class MeanAbsoluteError:
    """Mean over all elements of |y - t|; outliers pull less than on squares.

    Its gradient in the outputs is sign(y - t) / number of elements.

    Example:
        >>> import numpy as np
        >>> from dltrain.model.mode import Mode
        >>> loss, gradient = MeanAbsoluteError().forward(np.array([[3.0]]), np.array([[1.0]]), Mode())
        >>> loss, gradient.tolist()
        (2.0, [[1.0]])

    Source: Boscovich, De litteraria expeditione per pontificiam ditionem, 1757.
    """

    complex_safe = True
    link: Link = "identity"

    def forward(self, outputs: Array, targets: Array, mode: Mode, weights: Array | None = None) -> tuple[Any, Array]:
        """The loss, and its gradient in the outputs.

        Parameters:
            outputs: (N, M) predictions
            targets: the same shape
            mode: gives kernels and memory
            weights: (N,) of the samples; None: all alike

        Raises:
            DataError: when the shapes do not fit.
        """
        t, gradient = numbers(outputs, targets, mode), mode.empty(outputs.shape, outputs.dtype)
        return mode.kernels(outputs).mean_absolute_error(outputs, t, gradient, weights), gradient


@register("loss", "huber")
class Huber:
    """Mean over all elements of d²/2 where |d| ≤ delta, else delta (|d| - delta/2), with d = y - t.

    Parameters:
        delta: up to this error it is a parabola, from there on a line

    Example:
        >>> import numpy as np
        >>> from dltrain.model.mode import Mode
        >>> loss, gradient = Huber(delta=1.0).forward(np.array([[3.0]]), np.array([[1.0]]), Mode())
        >>> loss, gradient.tolist()
        (1.5, [[1.0]])

    Source: Huber, Robust estimation of a location parameter, 1964.
    """

    complex_safe = True
    link: Link = "identity"

    def __init__(self, delta: PositiveFloat = 1.0) -> None:
        self.delta = delta

    def forward(self, outputs: Array, targets: Array, mode: Mode, weights: Array | None = None) -> tuple[Any, Array]:
        """The loss, and its gradient in the outputs.

        Parameters:
            outputs: (N, M) predictions
            targets: the same shape
            mode: gives kernels and memory
            weights: (N,) of the samples; None: all alike

        Raises:
            DataError: when the shapes do not fit.
        """
        t, gradient = numbers(outputs, targets, mode), mode.empty(outputs.shape, outputs.dtype)
        return mode.kernels(outputs).huber(outputs, t, gradient, self.delta, weights), gradient
