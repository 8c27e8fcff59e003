"""Learning rate schedules: pure functions of the moment of training.

A schedule keeps no state, so resuming needs nothing of it, and the rate of any step can be asked at any time.
Steps and epochs count from 0: step 0 is the first one.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from numbers import Real
from typing import Any, Literal, NamedTuple

from dltrain import registry
from dltrain.errors import UsageError
from dltrain.registry import register
from dltrain.types import Fraction, NonNegativeFloat, PositiveInt, Scheduled

Per = Literal["epoch", "step"]


class Moment(NamedTuple):
    """Where training stands.

    Parameters:
        step: optimizer steps that are finished
        steps_per_epoch: batches in one pass over the training data
        total_steps: steps of the whole run; None when only a time budget limits it

    Example:
        >>> Moment(step=25, steps_per_epoch=10, total_steps=100).epoch
        2
    """

    step: int
    steps_per_epoch: int
    total_steps: int | None

    @property
    def epoch(self) -> int:
        """Epochs that are finished."""
        return self.step // self.steps_per_epoch

    def count(self, per: Per) -> int:
        """Finished epochs or finished steps."""
        return self.epoch if per == "epoch" else self.step


Schedule = Callable[[Moment], float]


def schedule_of(spec: Any) -> Schedule:
    """The schedule that a config names, a plain number being a constant one.

    Example:
        >>> schedule_of(0.1)(Moment(7, 10, 100))
        0.1
        >>> schedule_of({"exponential": {"learning_rate": 1.0, "decay_rate": 0.5}})(Moment(20, 10, 100))
        0.25
    """
    if isinstance(spec, Real):
        return Constant(float(spec))
    schedule: Schedule = registry.create("schedule", spec)
    return schedule


@register("schedule", "constant")
class Constant:
    """The same rate at every step.

    Parameters:
        learning_rate: the rate

    Example:
        >>> Constant(0.1)(Moment(3, 10, None))
        0.1
    """

    def __init__(self, learning_rate: NonNegativeFloat) -> None:
        self.learning_rate = learning_rate

    def __call__(self, moment: Moment) -> float:
        """The rate of the step at this moment."""
        return self.learning_rate


@register("schedule", "inverse_time")
class InverseTime:
    """learning_rate / (1 + decay_rate · t), where t counts epochs or steps.

    Parameters:
        learning_rate: the rate at the start
        decay_rate: how fast it falls; after 1 / decay_rate epochs it is one half
        per: what t counts, epoch or step

    Example:
        >>> InverseTime(0.1, decay_rate=0.5)(Moment(20, 10, None))
        0.05

    Source: Robbins and Monro, A stochastic approximation method, 1951.
    """

    def __init__(self, learning_rate: NonNegativeFloat, decay_rate: NonNegativeFloat = 0.1, per: Per = "epoch") -> None:
        self.learning_rate, self.decay_rate, self.per = learning_rate, decay_rate, per

    def __call__(self, moment: Moment) -> float:
        """The rate of the step at this moment."""
        return self.learning_rate / (1 + self.decay_rate * moment.count(self.per))


@register("schedule", "exponential")
class Exponential:
    """learning_rate · decay_rate^t, where t counts epochs or steps.

    Parameters:
        learning_rate: the rate at the start
        decay_rate: the factor from one epoch (or step) to the next
        per: what t counts, epoch or step

    Example:
        >>> Exponential(0.1, decay_rate=0.5)(Moment(20, 10, None))
        0.025

    Source: Senior, Heigold, Ranzato and Yang, An empirical study of learning rates in deep neural networks for speech
        recognition, 2013.
    """

    def __init__(self, learning_rate: NonNegativeFloat, decay_rate: Fraction = 0.95, per: Per = "epoch") -> None:
        self.learning_rate, self.decay_rate, self.per = learning_rate, decay_rate, per

    def __call__(self, moment: Moment) -> float:
        """The rate of the step at this moment."""
        return self.learning_rate * self.decay_rate ** moment.count(self.per)


@register("schedule", "staircase")
class Staircase:
    """learning_rate · decay_rate^⌊t / every⌋: constant, then a drop, every few epochs or steps.

    Parameters:
        learning_rate: the rate at the start
        decay_rate: the factor of each drop
        every: epochs (or steps) from one drop to the next
        per: what t counts, epoch or step

    Example:
        >>> [Staircase(1.0, decay_rate=0.5, every=2)(Moment(10 * epoch, 10, None)) for epoch in range(5)]
        [1.0, 1.0, 0.5, 0.5, 0.25]
    """

    def __init__(
        self, learning_rate: NonNegativeFloat, decay_rate: Fraction = 0.5, every: PositiveInt = 10, per: Per = "epoch"
    ) -> None:
        self.learning_rate, self.decay_rate, self.every, self.per = learning_rate, decay_rate, every, per

    def __call__(self, moment: Moment) -> float:
        """The rate of the step at this moment."""
        return self.learning_rate * self.decay_rate ** (moment.count(self.per) // self.every)


@register("schedule", "cosine")
class Cosine:
    """floor + (learning_rate - floor) · (1 + cos(π t / length)) / 2, and the floor from then on.

    Parameters:
        learning_rate: the rate at the start
        floor: the rate at the end
        length: epochs (or steps) from the start to the floor; left out, the whole run
        per: what t and length count, epoch or step

    Raises:
        UsageError: when length is left out and the run has no known number of steps.

    Example:
        >>> [round(Cosine(1.0, floor=0.2)(Moment(step, 10, 100)), 3) for step in (0, 50, 100, 120)]
        [1.0, 0.6, 0.2, 0.2]

    Source: Loshchilov and Hutter, SGDR: stochastic gradient descent with warm restarts, 2017.
    """

    def __init__(
        self,
        learning_rate: NonNegativeFloat,
        floor: NonNegativeFloat = 0.0,
        length: PositiveInt | None = None,
        per: Per = "step",
    ) -> None:
        self.learning_rate, self.floor, self.length, self.per = learning_rate, floor, length, per

    def __call__(self, moment: Moment) -> float:
        """The rate of the step at this moment."""
        done = min(moment.count(self.per) / self._length(moment), 1.0)
        return self.floor + (self.learning_rate - self.floor) * (1 + math.cos(math.pi * done)) / 2

    def _length(self, moment: Moment) -> float:
        if self.length is not None:
            return self.length
        if moment.total_steps is None:
            what = "the run's number of steps is not known, so the cosine schedule cannot end with it"
            raise UsageError(what, where="schedule cosine", hint="give `length`, or train by epochs or steps")
        return max(moment.total_steps / (moment.steps_per_epoch if self.per == "epoch" else 1), 1)


@register("schedule", "warmup")
class Warmup:
    """A linear rise to a rate, then that rate or a schedule that starts from it.

    In the n steps of the rise, step t takes (t + 1) / n of the rate.  What follows counts its steps,
    epochs and the run's length from the end of the rise.

    Parameters:
        learning_rate: the rate to rise to, or the schedule that follows, whose first rate it rises to
        length: steps (or epochs) of the rise
        per: what length counts, epoch or step

    Example:
        >>> rise = Warmup({"staircase": {"learning_rate": 0.4, "every": 1}}, length=4)
        >>> [round(rise(Moment(step, 2, None)), 3) for step in range(8)]
        [0.1, 0.2, 0.3, 0.4, 0.4, 0.4, 0.2, 0.2]

    Source: Goyal et al., Accurate, large minibatch SGD: training ImageNet in 1 hour, 2017.
    """

    def __init__(self, learning_rate: Scheduled, length: PositiveInt = 100, per: Per = "step") -> None:
        self.learning_rate, self.length, self.per = learning_rate, length, per
        self._then: Schedule | None = None

    def __call__(self, moment: Moment) -> float:
        """The rate of the step at this moment."""
        if self._then is None:
            self._then = schedule_of(self.learning_rate)
        rise = self.length * (moment.steps_per_epoch if self.per == "epoch" else 1)
        left = None if moment.total_steps is None else max(moment.total_steps - rise, 1)
        after = Moment(max(moment.step - rise, 0), moment.steps_per_epoch, left)
        return self._then(after) * min((moment.step + 1) / rise, 1.0)
