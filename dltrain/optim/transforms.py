"""Gradient transforms: the small steps that optimizers are chains of.

A transform turns an update (at first the gradient) into the next one, in place.  All of it happens on
flat vectors: every parameter of a model lies in one array, its gradient in a second one of the same
layout, and each slot (a running mean that a transform keeps) in a further one.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Any, Protocol

from dltrain.kernels.arrays import Array

Kernels = Any  # the namespace that dltrain.kernels chooses for a dtype


class Vector(Protocol):
    """What an optimizer sees of a model.

    Parameters:
        value: all parameters, flat
        grad: their gradients, same layout
        decayed: the part that weight decay applies to (the kernels, which come first)
    """

    value: Array
    grad: Array
    decayed: slice

    def zeros(self) -> Array:
        """A vector of the same layout, for a slot."""


class Transform(ABC):
    """One step of an optimizer.  The constructor only stores; the slots are the optimizer's."""

    slots: tuple[str, ...] = ()

    @abstractmethod
    def apply(self, kernels: Kernels, update: Array, slots: list[Array], vector: Vector, step: int) -> None:
        """Change the update, and the slots, in place.

        Parameters:
            kernels: the namespace of kernels for this dtype
            update: flat, like the vector's value
            slots: this transform's flat arrays, in the order of `self.slots`
            vector: values and gradients; not changed
            step: which step of the optimizer this is, from 1
        """

    def numbers(self, vector: Vector, step: int) -> tuple[float, ...]:
        """What the kernels of this transform take after the slots."""
        return ()


class ClipNorm(Transform):
    """Scale the whole update down where its norm is above a limit.

    update · max_norm / (‖update‖ + 1e-6)  if that shrinks it; the small number is PyTorch's.

    Parameters:
        max_norm: the limit of the norm over all parameters together

    Source: Pascanu, Mikolov and Bengio, On the difficulty of training recurrent neural networks, 2013.
    """

    def __init__(self, max_norm: float) -> None:
        self.max_norm = max_norm

    def factor(self, kernels: Kernels, update: Array) -> float:
        """What the update is multiplied by, 1 at most."""
        return min(self.max_norm / (math.sqrt(kernels.sum_of_squares(update)) + 1e-6), 1.0)

    def apply(self, kernels: Kernels, update: Array, slots: list[Array], vector: Vector, step: int) -> None:
        """Scale the update."""
        update *= self.factor(kernels, update)


class Momentum(Transform):
    """velocity = momentum · velocity + update;  update = velocity  (Nesterov: update + momentum · velocity).

    Parameters:
        momentum: share of the velocity that is kept
        nesterov: look ahead along the velocity

    Source: Polyak 1964; Sutskever et al., On the importance of initialization and momentum in deep learning, 2013.
    """

    slots = ("velocity",)

    def __init__(self, momentum: float, nesterov: bool = False) -> None:
        self.momentum, self.nesterov = momentum, nesterov

    def numbers(self, vector: Vector, step: int) -> tuple[float, ...]:
        """Momentum, Nesterov or not."""
        return self.momentum, self.nesterov

    def apply(self, kernels: Kernels, update: Array, slots: list[Array], vector: Vector, step: int) -> None:
        """Replace the update by the velocity."""
        kernels.accumulate_momentum(update, *slots, *self.numbers(vector, step))


class ScaleByRms(Transform):
    """Divide by the root of a running mean of squares.

    s = rho · s + (1 - rho) · update²;  update = update / (√s + epsilon)

    Parameters:
        rho: share of the running mean that is kept
        epsilon: keeps the division finite

    Source: Tieleman and Hinton, Lecture 6.5: RMSProp, 2012.
    """

    slots = ("mean_square",)

    def __init__(self, rho: float, epsilon: float) -> None:
        self.rho, self.epsilon = rho, epsilon

    def numbers(self, vector: Vector, step: int) -> tuple[float, ...]:
        """Share that is kept, epsilon."""
        return self.rho, self.epsilon

    def apply(self, kernels: Kernels, update: Array, slots: list[Array], vector: Vector, step: int) -> None:
        """Scale every element of the update."""
        kernels.scale_by_rms(update, *slots, *self.numbers(vector, step))


class ScaleByAdam(Transform):
    """Replace the update by its running mean over the root of the running mean of its square, bias corrected.

    m = beta_1 · m + (1 - beta_1) · update;  v = beta_2 · v + (1 - beta_2) · update²;
    update = (m / (1 - beta_1^t)) / (√(v / (1 - beta_2^t)) + epsilon)  at step t = 1, 2, …

    Parameters:
        beta_1: share of the first moment m that is kept
        beta_2: share of the second moment v that is kept
        epsilon: keeps the division finite

    Source: Kingma and Ba, Adam: a method for stochastic optimization, 2015.
    """

    slots = ("first_moment", "second_moment")

    def __init__(self, beta_1: float, beta_2: float, epsilon: float) -> None:
        self.beta_1, self.beta_2, self.epsilon = beta_1, beta_2, epsilon

    def numbers(self, vector: Vector, step: int) -> tuple[float, ...]:
        """Shares that are kept, bias corrections (in float64 whatever the vector is), epsilon."""
        beta_1, beta_2 = self.beta_1, self.beta_2
        return beta_1, beta_2, 1 - beta_1**step, math.sqrt(1 - beta_2**step), self.epsilon

    def apply(self, kernels: Kernels, update: Array, slots: list[Array], vector: Vector, step: int) -> None:
        """Replace the update."""
        kernels.scale_by_adam(update, *slots, *self.numbers(vector, step))


class WeightDecay(Transform):
    """update = update + rate · value, for the kernels only: decay that is not scaled by the gradient's history.

    Parameters:
        rate: weight decay

    Source: Loshchilov and Hutter, Decoupled weight decay regularization, 2019.
    """

    def __init__(self, rate: float) -> None:
        self.rate = rate

    def numbers(self, vector: Vector, step: int) -> tuple[float, ...]:
        """Rate, and how many of the first elements it applies to."""
        return self.rate, vector.decayed.stop

    def apply(self, kernels: Kernels, update: Array, slots: list[Array], vector: Vector, step: int) -> None:
        """Add the decay to the update."""
        kernels.add_decay(update, vector.value, *self.numbers(vector, step))
