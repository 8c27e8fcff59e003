"""Gradient transforms: the small steps that optimizers are chains of.

A transform turns an update (at first the gradient) into the next one, in place.  All of it happens on
flat vectors: every parameter of a model lies in one array, its gradient in a second one of the same
layout, and each slot (a running mean that a transform keeps) in a further one.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, NamedTuple

from dltrain.kernels.arrays import Array
from dltrain.optim.moment import Moment
from dltrain.optim.numbers import Value, at

Kernels = Any  # the namespace that dltrain.kernels chooses for a dtype


class Turn(NamedTuple):
    """What a transform may know of a step.

    Parameters:
        moment: where training stands
        count: which step of the optimizer this is, from 1
        tensors: where each parameter lies in the update
    """

    moment: Moment
    count: int  # type: ignore[assignment]  # hides a method of tuples that nobody calls
    tensors: Sequence[slice]


class Transform(ABC):
    """One step of an optimizer.  The constructor only stores; the slots are the optimizer's.

    A number may be a schedule: `numbers` asks it for its value at the moment.
    """

    slots: tuple[str, ...] = ()
    start: float = 0.0  # what the slots are filled with at first

    @abstractmethod
    def apply(self, kernels: Kernels, update: Array, slots: list[Array], turn: Turn) -> None:
        """Change the update, and the slots, in place.

        Parameters:
            kernels: the namespace of kernels for this dtype
            update: flat
            slots: this transform's flat arrays, in the order of `self.slots`
            turn: moment, count, places of the parameters
        """

    def numbers(self, turn: Turn) -> tuple[float, ...]:
        """What the kernels of this transform take after the slots."""
        return ()


class ClipValue(Transform):
    """Limit every element of the update: min(max(update, -limit), limit).

    Parameters:
        limit: the largest absolute value
    """

    def __init__(self, limit: float) -> None:
        self.limit = limit

    def apply(self, kernels: Kernels, update: Array, slots: list[Array], turn: Turn) -> None:
        """Limit the update."""
        update.clip(-self.limit, self.limit, out=update)


class ClipNorm(Transform):
    """Scale the whole update down where its norm is above a limit.

    update · max_norm / (‖update‖ + 1e-6)  if that shrinks it; the small number is PyTorch's.

    Parameters:
        max_norm: the limit of the norm over all parameters together

    Source: Pascanu, Mikolov and Bengio, On the difficulty of training recurrent neural networks, 2013.
    """

    def __init__(self, max_norm: float) -> None:
        self.max_norm = max_norm

    def factor(self, kernels: Kernels, parts: Sequence[Array]) -> float:
        """What an update in these parts is multiplied by, 1 at most."""
        norm = math.sqrt(sum(kernels.sum_of_squares(part) for part in parts))
        return min(self.max_norm / (norm + 1e-6), 1.0)

    def apply(self, kernels: Kernels, update: Array, slots: list[Array], turn: Turn) -> None:
        """Scale the update."""
        update *= self.factor(kernels, [update])


class ClipEachNorm(Transform):
    """Scale the update of each parameter by itself down where its norm is above a limit.

    Parameters:
        max_norm: the limit of the norm of each parameter's update
    """

    def __init__(self, max_norm: float) -> None:
        self.max_norm = max_norm

    def apply(self, kernels: Kernels, update: Array, slots: list[Array], turn: Turn) -> None:
        """Scale each parameter's part of the update."""
        clip = ClipNorm(self.max_norm)
        for place in turn.tensors:
            clip.apply(kernels, update[place], slots, turn)


class Momentum(Transform):
    """velocity = momentum · velocity + update;  update = velocity  (Nesterov: update + momentum · velocity).

    Parameters:
        momentum: share of the velocity that is kept
        nesterov: look ahead along the velocity

    Source: Polyak 1964; Sutskever et al., On the importance of initialization and momentum in deep learning, 2013.
    """

    slots = ("velocity",)

    def __init__(self, momentum: Value, nesterov: bool = False) -> None:
        self.momentum, self.nesterov = momentum, nesterov

    def numbers(self, turn: Turn) -> tuple[float, ...]:
        """Share that is kept, share that is added, shares of velocity and update in what comes out."""
        momentum = at(self.momentum, turn.moment)
        return (momentum, 1.0, momentum, 1.0) if self.nesterov else (momentum, 1.0, 1.0, 0.0)

    def apply(self, kernels: Kernels, update: Array, slots: list[Array], turn: Turn) -> None:
        """Replace the update by the velocity."""
        kernels.accumulate_momentum(update, *slots, *self.numbers(turn))


class RunningMean(Transform):
    """mean = momentum · mean + (1 - momentum) · update;  update = mean, which may be corrected for its start at 0.

    Parameters:
        momentum: share of the mean that is kept
        bias_correction: divide by 1 - momentum^t, so that the first means are not too small
    """

    slots = ("velocity",)

    def __init__(self, momentum: Value, bias_correction: bool) -> None:
        self.momentum, self.bias_correction = momentum, bias_correction

    def numbers(self, turn: Turn) -> tuple[float, ...]:
        """As those of `Momentum`."""
        momentum = at(self.momentum, turn.moment)
        return momentum, 1 - momentum, 1 / (1 - momentum**turn.count) if self.bias_correction else 1.0, 0.0

    def apply(self, kernels: Kernels, update: Array, slots: list[Array], turn: Turn) -> None:
        """Replace the update by the mean."""
        kernels.accumulate_momentum(update, *slots, *self.numbers(turn))


class ScaleByRms(Transform):
    """Divide by the root of the running mean of squares: s = rho · s + (1 - rho) · update²;  update / (√s + epsilon).

    Parameters:
        rho: share of the mean that is kept
        epsilon: keeps the division finite

    Source: Tieleman and Hinton, Lecture 6.5: RMSProp, 2012.
    """

    slots = ("mean_square",)

    def __init__(self, rho: Value, epsilon: float) -> None:
        self.rho, self.epsilon = rho, epsilon

    def numbers(self, turn: Turn) -> tuple[float, ...]:
        """Share that is kept, share that is added, epsilon."""
        rho = at(self.rho, turn.moment)
        return rho, 1 - rho, self.epsilon

    def apply(self, kernels: Kernels, update: Array, slots: list[Array], turn: Turn) -> None:
        """Scale every element of the update."""
        kernels.scale_by_rms(update, *slots, *self.numbers(turn))


class ScaleBySum(Transform):
    """Divide by the root of the sum of all squares so far: s = s + update²;  update / (√s + epsilon).

    Parameters:
        start: what the sum begins with
        epsilon: keeps the division finite

    Source: Duchi, Hazan and Singer, Adaptive subgradient methods, 2011.
    """

    slots = ("sum_of_squares",)

    def __init__(self, start: float, epsilon: float) -> None:
        self.start, self.epsilon = start, epsilon

    def numbers(self, turn: Turn) -> tuple[float, ...]:
        """As those of `ScaleByRms`: all is kept, all is added."""
        return 1.0, 1.0, self.epsilon

    def apply(self, kernels: Kernels, update: Array, slots: list[Array], turn: Turn) -> None:
        """Scale every element of the update."""
        kernels.scale_by_rms(update, *slots, *self.numbers(turn))


class ScaleByAdadelta(Transform):
    """Scale by the root mean square of past updates over that of past gradients.

    Parameters:
        rho: share of both running means that is kept
        epsilon: inside both roots

    Source: Zeiler, ADADELTA: an adaptive learning rate method, 2012.
    """

    slots = ("mean_square", "mean_square_update")

    def __init__(self, rho: Value, epsilon: float) -> None:
        self.rho, self.epsilon = rho, epsilon

    def apply(self, kernels: Kernels, update: Array, slots: list[Array], turn: Turn) -> None:
        """Scale every element of the update."""
        kernels.scale_by_adadelta(update, *slots, at(self.rho, turn.moment), self.epsilon)


class ScaleByLion(Transform):
    """The sign of a mean of update and first moment: only the direction of each element is left.

    Parameters:
        beta_1: share of the first moment in the mean whose sign is taken
        beta_2: share of the first moment that is kept

    Source: Chen et al., Symbolic discovery of optimization algorithms, 2023.
    """

    slots = ("first_moment",)

    def __init__(self, beta_1: Value, beta_2: Value) -> None:
        self.beta_1, self.beta_2 = beta_1, beta_2

    def numbers(self, turn: Turn) -> tuple[float, ...]:
        """The two shares."""
        return at(self.beta_1, turn.moment), at(self.beta_2, turn.moment)

    def apply(self, kernels: Kernels, update: Array, slots: list[Array], turn: Turn) -> None:
        """Replace the update."""
        kernels.scale_by_lion(update, *slots, *self.numbers(turn))
