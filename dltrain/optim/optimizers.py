"""Optimizers: named chains of gradient transforms that end in a step down by the learning rate."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from dltrain.errors import UsageError
from dltrain.kernels.arrays import Array
from dltrain.optim.schedules import Moment, Schedule, schedule_of
from dltrain.optim.transforms import (
    ClipNorm,
    Kernels,
    Momentum,
    ScaleByAdam,
    ScaleByRms,
    Transform,
    Vector,
    WeightDecay,
)
from dltrain.registry import register
from dltrain.types import NonNegativeFloat, PositiveFloat, Rate, Scheduled

# Chains that one kernel does in one pass over the vectors.  Such a kernel takes the value, the gradient, the slots
# of all transforms, a factor of the gradient (from clipping), the learning rate, and the numbers of all transforms.
FUSED: dict[tuple[type[Transform], ...], str] = {
    (): "descend",
    (Momentum,): "descend_momentum",
    (ScaleByRms,): "descend_rms",
    (ScaleByAdam,): "descend_adam",
    (ScaleByAdam, WeightDecay): "descend_adamw",
}


class Optimizer:
    """value = value - learning_rate · (… transform 2 (transform 1 (gradient))).

    Parameters:
        transforms: what happens to the gradient, in this order
        learning_rate: a number or a schedule

    Example:
        >>> from types import SimpleNamespace
        >>> from dltrain.kernels import select
        >>> vector = SimpleNamespace(value=np.array([1.0, 2.0]), grad=np.array([4.0, 0.0]), decayed=slice(0, 2))
        >>> optimizer = gradient_descent(learning_rate=0.25)
        >>> optimizer.bind(vector, select("reference"))
        >>> optimizer.step(Moment(0, 10, None))
        0.25
        >>> vector.value.tolist()
        [0.0, 2.0]
    """

    def __init__(self, transforms: list[Transform], learning_rate: Scheduled) -> None:
        self.transforms, self.learning_rate = transforms, learning_rate
        self._count = 0
        self._arrays: list[list[Array]] = []  # the slots of each transform
        self._run: Callable[[Moment], float] | None = None

    @property
    def slots(self) -> int:
        """How many arrays of the model's size it keeps."""
        return sum(len(transform.slots) for transform in self.transforms)

    def bind(self, vector: Vector, kernels: Callable[[Array], Kernels], *, fused: bool = True) -> None:
        """Attach to a model: allocate the slots and choose the kernels.

        Parameters:
            vector: the model's flat values and gradients, used by every later step
            kernels: chooses the kernels for an array, see `dltrain.kernels.select`
            fused: do the whole chain in one kernel where there is one
        """
        self._count = 0
        self._arrays = [[vector.zeros() for _ in transform.slots] for transform in self.transforms]
        schedule, chosen = schedule_of(self.learning_rate), kernels(vector.value)
        clip = next((t for t in self.transforms[:1] if isinstance(t, ClipNorm)), None)
        name = FUSED.get(tuple(type(t) for t in self.transforms[1 if clip else 0 :])) if fused else None
        if name:
            self._run = self._fused(vector, chosen, schedule, clip, getattr(chosen, name))
        else:
            self._run = self._chain(vector, chosen, schedule)

    def step(self, moment: Moment) -> float:
        """Change the values by their gradients, which stay as they are.

        Parameters:
            moment: the moment of training, for the schedule

        Returns: the learning rate of this step.
        """
        if self._run is None:
            raise UsageError("the optimizer is not bound to a model", hint="call bind(vector, kernels) first")
        return self._run(moment)

    def _chain(self, vector: Vector, kernels: Kernels, schedule: Schedule) -> Callable[[Moment], float]:
        update = vector.zeros()

        def run(moment: Moment) -> float:
            self._count += 1
            rate = schedule(moment)
            update[:] = vector.grad
            for transform, slots in zip(self.transforms, self._arrays, strict=True):
                transform.apply(kernels, update, slots, vector, self._count)
            kernels.descend(vector.value, update, 1.0, rate)
            return rate

        return run

    def _fused(
        self, vector: Vector, kernels: Kernels, schedule: Schedule, clip: ClipNorm | None, kernel: Callable[..., Any]
    ) -> Callable[[Moment], float]:
        value, grad = vector.value, vector.grad
        slots = [array for arrays in self._arrays for array in arrays]
        transforms = self.transforms[1 if clip else 0 :]

        def run(moment: Moment) -> float:
            self._count = count = self._count + 1
            rate = schedule(moment)
            factor = 1.0 if clip is None else clip.factor(kernels, grad)
            numbers = [number for transform in transforms for number in transform.numbers(vector, count)]
            kernel(value, grad, *slots, factor, rate, *numbers)
            return rate

        return run

    def state(self) -> dict[str, Array | int]:
        """All that a resumed run needs: the number of steps done and a copy of each slot, by name."""
        return {"step": self._count, **{name: array.copy() for name, array in self._named().items()}}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Take over what `state` of an optimizer of the same kind and size returned.

        Raises:
            UsageError: when an entry is missing, unknown, or has another shape or dtype; all of them are listed.
        """
        slots = self._named()
        wrong = [f"{name} is missing" for name in ("step", *slots) if name not in state]
        wrong += [f"{name} is unknown" for name in state if name != "step" and name not in slots]
        wrong += [
            f"{name} is {_describe(state[name])} and not {_describe(array)}"
            for name, array in slots.items()
            if name in state and _describe(state[name]) != _describe(array)
        ]
        if wrong:
            hint = "resume with the optimizer and the model that the state was saved from"
            raise UsageError("the saved state does not fit", where="optimizer", got=", ".join(wrong), hint=hint)
        self._count = int(state["step"])
        for name, array in slots.items():
            array[:] = state[name]

    def _named(self) -> dict[str, Array]:
        pairs = zip(self.transforms, self._arrays, strict=True) if self._run else ()
        return {name: array for t, arrays in pairs for name, array in zip(t.slots, arrays, strict=True)}


def _describe(value: Any) -> str:
    array = np.asarray(value)
    return f"{array.dtype}{list(array.shape)}"


def _chain(learning_rate: Scheduled, clip_norm: float | None, *transforms: Transform) -> Optimizer:
    clip = [] if clip_norm is None else [ClipNorm(clip_norm)]
    return Optimizer([*clip, *transforms], learning_rate)


@register("optimizer", "gradient_descent")
def gradient_descent(learning_rate: Scheduled = 0.01, clip_norm: PositiveFloat | None = None) -> Optimizer:
    """w = w - learning_rate · gradient.

    Parameters:
        learning_rate: a number or a schedule
        clip_norm: limit of the gradient's norm over all parameters; none when left out

    Example:
        >>> import numpy as np
        >>> from types import SimpleNamespace
        >>> from dltrain.kernels import select
        >>> vector = SimpleNamespace(value=np.ones(1), grad=2 * np.ones(1), decayed=slice(1), zeros=lambda: np.zeros(1))
        >>> optimizer = gradient_descent(0.1)
        >>> optimizer.bind(vector, select("reference"))
        >>> optimizer.step(Moment(0, 10, None))
        0.1
        >>> vector.value.round(6).tolist()  # 1 - 0.1 · 2
        [0.8]

    Source: Cauchy, Méthode générale pour la résolution des systèmes d'équations simultanées, 1847.
    """
    return _chain(learning_rate, clip_norm)


@register("optimizer", "momentum")
def momentum(
    learning_rate: Scheduled = 0.01,
    momentum: Rate = 0.9,
    nesterov: bool = False,
    clip_norm: PositiveFloat | None = None,
) -> Optimizer:
    """v = momentum · v + gradient;  w = w - learning_rate · v.

    Parameters:
        learning_rate: a number or a schedule
        momentum: share of the velocity v that is kept
        nesterov: w = w - learning_rate · (gradient + momentum · v) instead
        clip_norm: limit of the gradient's norm over all parameters; none when left out

    Example:
        >>> import numpy as np
        >>> from types import SimpleNamespace
        >>> from dltrain.kernels import select
        >>> vector = SimpleNamespace(value=np.ones(1), grad=np.ones(1), decayed=slice(1), zeros=lambda: np.zeros(1))
        >>> optimizer = momentum(0.1, momentum=0.5)
        >>> optimizer.bind(vector, select("reference"))
        >>> rates = [optimizer.step(Moment(step, 10, None)) for step in range(2)]
        >>> vector.value.round(6).tolist()  # 1 - 0.1 · 1 - 0.1 · (0.5 · 1 + 1)
        [0.75]

    Source: Polyak, Some methods of speeding up the convergence of iteration methods, 1964; Sutskever et al. 2013.
    """
    return _chain(learning_rate, clip_norm, Momentum(momentum, nesterov))


@register("optimizer", "rmsprop")
def rmsprop(
    learning_rate: Scheduled = 0.001,
    rho: Rate = 0.9,
    epsilon: PositiveFloat = 1e-8,
    clip_norm: PositiveFloat | None = None,
) -> Optimizer:
    """s = rho · s + (1 - rho) · gradient²;  w = w - learning_rate · gradient / (√s + epsilon).

    Parameters:
        learning_rate: a number or a schedule
        rho: share of the running mean of squares s that is kept
        epsilon: keeps the division finite
        clip_norm: limit of the gradient's norm over all parameters; none when left out

    Example:
        >>> import numpy as np
        >>> from types import SimpleNamespace
        >>> from dltrain.kernels import select
        >>> vector = SimpleNamespace(value=np.ones(1), grad=2 * np.ones(1), decayed=slice(1), zeros=lambda: np.zeros(1))
        >>> optimizer = rmsprop(0.1, rho=0.75)
        >>> optimizer.bind(vector, select("reference"))
        >>> optimizer.step(Moment(0, 10, None))
        0.1
        >>> vector.value.round(6).tolist()  # s = 0.25 · 2² = 1;  1 - 0.1 · 2 / √1
        [0.8]

    Source: Tieleman and Hinton, Lecture 6.5: RMSProp, 2012.
    """
    return _chain(learning_rate, clip_norm, ScaleByRms(rho, epsilon))


@register("optimizer", "adam")
def adam(
    learning_rate: Scheduled = 0.001,
    beta_1: Rate = 0.9,
    beta_2: Rate = 0.999,
    epsilon: PositiveFloat = 1e-8,
    clip_norm: PositiveFloat | None = None,
) -> Optimizer:
    """w = w - learning_rate · m / (√v + epsilon), m and v running means of gradient and gradient², bias corrected.

    Parameters:
        learning_rate: a number or a schedule
        beta_1: share of the first moment m that is kept
        beta_2: share of the second moment v that is kept
        epsilon: keeps the division finite
        clip_norm: limit of the gradient's norm over all parameters; none when left out

    Example:
        >>> import numpy as np
        >>> from types import SimpleNamespace
        >>> from dltrain.kernels import select
        >>> vector = SimpleNamespace(value=np.ones(1), grad=2 * np.ones(1), decayed=slice(1), zeros=lambda: np.zeros(1))
        >>> optimizer = adam(0.1)
        >>> optimizer.bind(vector, select("reference"))
        >>> optimizer.step(Moment(0, 10, None))
        0.1
        >>> vector.value.round(6).tolist()  # the first step is as long as the rate: m = 2, v = 2²;  1 - 0.1 · 2 / √4
        [0.9]

    Source: Kingma and Ba, Adam: a method for stochastic optimization, 2015.
    """
    return _chain(learning_rate, clip_norm, ScaleByAdam(beta_1, beta_2, epsilon))


@register("optimizer", "adamw")
def adamw(
    learning_rate: Scheduled = 0.001,
    weight_decay: NonNegativeFloat = 0.01,
    beta_1: Rate = 0.9,
    beta_2: Rate = 0.999,
    epsilon: PositiveFloat = 1e-8,
    clip_norm: PositiveFloat | None = None,
) -> Optimizer:
    """Adam with decoupled weight decay: w = w - learning_rate · (m / (√v + epsilon) + weight_decay · w).

    Only kernels decay; biases and the scale and shift of normalization do not.

    Parameters:
        learning_rate: a number or a schedule
        weight_decay: share of a kernel that a step with learning rate 1 takes away
        beta_1: share of the first moment m that is kept
        beta_2: share of the second moment v that is kept
        epsilon: keeps the division finite
        clip_norm: limit of the gradient's norm over all parameters; none when left out

    Example:
        >>> import numpy as np
        >>> from types import SimpleNamespace
        >>> from dltrain.kernels import select
        >>> vector = SimpleNamespace(value=np.ones(1), grad=2 * np.ones(1), decayed=slice(1), zeros=lambda: np.zeros(1))
        >>> optimizer = adamw(0.1, weight_decay=0.5)
        >>> optimizer.bind(vector, select("reference"))
        >>> optimizer.step(Moment(0, 10, None))
        0.1
        >>> vector.value.round(6).tolist()  # 1 - 0.1 · (2 / √4 + 0.5 · 1)
        [0.85]

    Source: Loshchilov and Hutter, Decoupled weight decay regularization, 2019.
    """
    return _chain(learning_rate, clip_norm, ScaleByAdam(beta_1, beta_2, epsilon), WeightDecay(weight_decay))
