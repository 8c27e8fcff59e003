"""Schedules: pure functions of the moment of training.

A schedule keeps no state, so resuming needs nothing of it, and the rate of any step can be asked at any time.
Steps and epochs count from 0: step 0 is the first one.  Most fall from a learning rate; any other number of an
optimizer (momentum, beta_1, weight_decay …) may be scheduled in the same way.
"""

from __future__ import annotations

import bisect
import math
from numbers import Real
from typing import Annotated, Any

from annotated_types import MinLen

from dltrain import registry
from dltrain.errors import ConfigError, Problem
from dltrain.optim.moment import Moment, Per, Schedule
from dltrain.registry import register
from dltrain.types import Fraction, NonNegativeFloat, PositiveFloat, PositiveInt


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
    """learning_rate / (1 + decay_rate · t), where t counts epochs or steps from 0.

    With decay_rate 1 this is k / t: the rate k in the first epoch, k/2 in the second, k/3 in the third.

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

    Source: He, Zhang, Ren and Sun, Deep residual learning for image recognition, 2016, where rates fall tenfold.
    """

    def __init__(
        self, learning_rate: NonNegativeFloat, decay_rate: Fraction = 0.5, every: PositiveInt = 10, per: Per = "epoch"
    ) -> None:
        self.learning_rate, self.decay_rate, self.every, self.per = learning_rate, decay_rate, every, per

    def __call__(self, moment: Moment) -> float:
        """The rate of the step at this moment."""
        return self.learning_rate * self.decay_rate ** (moment.count(self.per) // self.every)


@register("schedule", "inverse_sqrt")
class InverseSqrt:
    """learning_rate / √(1 + decay_rate · t), where t counts epochs or steps from 0.

    With decay_rate 1 this is k / √epoch: the rate k in the first epoch, k/√2 in the second, k/√3 in the third.

    Parameters:
        learning_rate: the rate at the start
        decay_rate: how fast it falls; after 3 / decay_rate epochs it is one half
        per: what t counts, epoch or step

    Example:
        >>> [InverseSqrt(0.6)(Moment(epoch * 10, 10, None)) for epoch in (0, 3, 8)]
        [0.6, 0.3, 0.19999999999999998]

    Source: Nesterov, Introductory lectures on convex optimization, 2004, section 3.2.3.
    """

    def __init__(self, learning_rate: NonNegativeFloat, decay_rate: NonNegativeFloat = 1.0, per: Per = "epoch") -> None:
        self.learning_rate, self.decay_rate, self.per = learning_rate, decay_rate, per

    def __call__(self, moment: Moment) -> float:
        """The rate of the step at this moment."""
        return self.learning_rate / math.sqrt(1 + self.decay_rate * moment.count(self.per))


@register("schedule", "piecewise")
class Piecewise:
    """A table made by hand: the first value up to the first boundary, then the second, and so on.

    Parameters:
        values: the rates, one more than there are boundaries
        boundaries: the epochs (or steps) from which on the next value holds, rising
        per: what the boundaries count, epoch or step

    Raises:
        ConfigError: when the boundaries do not rise, or their number does not fit the values.

    Example:
        >>> table = Piecewise([0.1, 0.01, 0.001], boundaries=[30, 60])
        >>> [table(Moment(epoch * 10, 10, None)) for epoch in (0, 29, 30, 59, 60)]
        [0.1, 0.1, 0.01, 0.01, 0.001]

    Source: Krizhevsky, Sutskever and Hinton, ImageNet classification with deep convolutional neural networks, 2012.
    """

    def __init__(
        self,
        values: Annotated[list[NonNegativeFloat], MinLen(2)],
        boundaries: Annotated[list[PositiveInt], MinLen(1)],
        per: Per = "epoch",
    ) -> None:
        self.values, self.boundaries, self.per = values, boundaries, per
        if len(values) != len(boundaries) + 1:
            expected = f"{len(boundaries) + 1} values for {len(boundaries)} boundaries"
            raise ConfigError([Problem((), "piecewise: boundaries and values do not fit", expected, str(len(values)))])
        if any(b <= a for a, b in zip(boundaries, boundaries[1:], strict=False)):
            raise ConfigError([Problem((), "piecewise: the boundaries do not rise", "a rising list", str(boundaries))])

    def __call__(self, moment: Moment) -> float:
        """The rate of the step at this moment."""
        return float(self.values[bisect.bisect_right(self.boundaries, moment.count(self.per))])


@register("schedule", "polynomial")
class Polynomial:
    """floor + (learning_rate - floor) · (1 - t / length)^power, and the floor from then on; a line with power 1.

    Parameters:
        learning_rate: the rate at the start
        floor: the rate at the end; it may be higher than that at the start
        power: 1 falls in a line, above 1 first fast, then slowly
        length: epochs (or steps) from the start to the floor; left out, the whole run
        per: what t and length count, epoch or step

    Raises:
        UsageError: when length is left out and the run has no known number of steps.

    Example:
        >>> [Polynomial(1.0, floor=0.2, length=4, power=2.0)(Moment(step, 10, None)) for step in (0, 2, 4, 9)]
        [1.0, 0.4, 0.2, 0.2]

    Source: Chen et al., DeepLab: semantic image segmentation with deep convolutional nets, 2017.
    """

    def __init__(
        self,
        learning_rate: NonNegativeFloat,
        floor: NonNegativeFloat = 0.0,
        power: PositiveFloat = 1.0,
        length: PositiveInt | None = None,
        per: Per = "step",
    ) -> None:
        self.learning_rate, self.floor, self.power = learning_rate, floor, power
        self.length, self.per = length, per

    def __call__(self, moment: Moment) -> float:
        """The rate of the step at this moment."""
        left = max(1 - moment.count(self.per) / moment.total("polynomial", self.length, self.per), 0.0)
        return self.floor + (self.learning_rate - self.floor) * left**self.power
