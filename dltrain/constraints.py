"""Constraints: where the kernels are brought back to after every update.

They hold for the weights that come into one unit (a column of a dense kernel, one filter of a convolution), for every
kernel that is trained; biases, gamma and beta are free.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any, Protocol

from dltrain.kernels.arrays import Array
from dltrain.registry import register
from dltrain.types import PositiveFloat


class Tensor(Protocol):
    """What a constraint sees of a parameter: its value, and whether it is a kernel and trained."""

    value: Array
    decays: bool
    trainable: bool


class Constraint(ABC):
    """Something that all kernels fulfil after every update."""

    def apply(self, parameters: Iterable[Tensor], kernels: Any) -> None:
        """Change the trained kernels, in place, as little as it takes.

        Parameters:
            parameters: of the model
            kernels: the namespace of kernels for their type of number
        """
        for parameter in parameters:
            if parameter.decays and parameter.trainable:
                self.project(parameter.value, kernels)

    @abstractmethod
    def project(self, kernel: Array, kernels: Any) -> None:
        """Change one kernel (…, units) in place."""


@register("constraint", "max_norm")
class MaxNorm(Constraint):
    """The weights that come into a unit are at most so long: w = w · min(1, max_value / ‖w‖).

    With dropout and a high learning rate it keeps weights from blowing up; 3 to 4 are usual.

    Parameters:
        max_value: largest norm of a unit's incoming weights

    Example:
        >>> import numpy as np
        >>> from dltrain.kernels import select
        >>> kernel = np.array([[3.0, 0.3], [4.0, 0.4]])
        >>> MaxNorm(2.0).project(kernel, select("reference")(kernel))
        >>> kernel.round(3).tolist()  # the first unit's norm was 5
        [[1.2, 0.3], [1.6, 0.4]]

    Source: Srivastava et al., Dropout: a simple way to prevent neural networks from overfitting, 2014.
    """

    def __init__(self, max_value: PositiveFloat = 2.0) -> None:
        self.max_value = max_value

    def project(self, kernel: Array, kernels: Any) -> None:
        """Shorten what is too long."""
        kernels.limit_norms(kernel, 0.0, self.max_value)


@register("constraint", "unit_norm")
class UnitNorm(Constraint):
    """The weights that come into a unit have length 1: w = w / ‖w‖; weights that are all zero stay so.

    Example:
        >>> import numpy as np
        >>> from dltrain.kernels import select
        >>> kernel = np.array([[3.0, 0.3], [4.0, 0.4]])
        >>> UnitNorm().project(kernel, select("reference")(kernel))
        >>> kernel.round(3).tolist()
        [[0.6, 0.6], [0.8, 0.8]]

    Source: Salimans and Kingma, Weight normalization, 2016, which trains the length apart; here it is fixed.
    """

    def project(self, kernel: Array, kernels: Any) -> None:
        """Scale every unit."""
        kernels.limit_norms(kernel, 1.0, 1.0)


@register("constraint", "non_neg")
class NonNeg(Constraint):
    """No weight of a kernel is negative: w = max(w, 0).

    Example:
        >>> import numpy as np
        >>> from dltrain.kernels import select
        >>> kernel = np.array([[3.0, -0.3]])
        >>> NonNeg().project(kernel, select("reference")(kernel))
        >>> kernel.tolist()
        [[3.0, 0.0]]

    Source: Lee and Seung, Learning the parts of objects by non-negative matrix factorization, 1999.
    """

    def project(self, kernel: Array, kernels: Any) -> None:
        """Cut at zero."""
        kernel.clip(0.0, math.inf, out=kernel)
