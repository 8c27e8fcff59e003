"""Schedules over the length of a run: waves, rises, and the one that watches a metric."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from typing import Any

from dltrain.errors import ConfigError, Problem
from dltrain.optim.moment import Moment, Per, Schedule
from dltrain.optim.schedules import schedule_of
from dltrain.registry import register
from dltrain.types import NonNegativeFloat, NonNegativeInt, PositiveInt, Rate, Scheduled


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
        done = min(moment.count(self.per) / moment.total("cosine", self.length, self.per), 1.0)
        return self.floor + (self.learning_rate - self.floor) * (1 + math.cos(math.pi * done)) / 2


@register("schedule", "cosine_restarts")
class CosineRestarts:
    """Falls by half a cosine from learning_rate to floor, starts again, and takes longer every time.

    Parameters:
        learning_rate: the rate at every start
        floor: the rate that each fall ends at
        length: epochs (or steps) of the first fall
        growth: how many times as long as the one before each further fall is
        per: what length counts, epoch or step

    Example:
        >>> again = CosineRestarts(1.0, length=2, growth=2, per="step")
        >>> [round(again(Moment(step, 10, None)), 3) for step in range(7)]
        [1.0, 0.5, 1.0, 0.854, 0.5, 0.146, 1.0]

    Source: Loshchilov and Hutter, SGDR: stochastic gradient descent with warm restarts, 2017.
    """

    def __init__(
        self,
        learning_rate: NonNegativeFloat,
        floor: NonNegativeFloat = 0.0,
        length: PositiveInt = 10,
        growth: PositiveInt = 2,
        per: Per = "epoch",
    ) -> None:
        self.learning_rate, self.floor, self.length, self.growth, self.per = learning_rate, floor, length, growth, per

    def __call__(self, moment: Moment) -> float:
        """The rate of the step at this moment."""
        since, length = moment.count(self.per), self.length
        if self.growth == 1:
            since %= length
        while since >= length:
            since, length = since - length, length * self.growth
        return self.floor + (self.learning_rate - self.floor) * (1 + math.cos(math.pi * since / length)) / 2


@register("schedule", "one_cycle")
class OneCycle:
    """From start up to learning_rate and down to end, each by half a cosine, once over the run.

    As published, the momentum goes the other way, from 0.95 down to 0.85 and back:

        momentum:
          learning_rate: {one_cycle: 0.1}
          momentum: {one_cycle: {learning_rate: 0.85, start: 0.95, end: 0.95}}

    Parameters:
        learning_rate: the rate at the turn
        start: the rate of the first step; left out, learning_rate / 25
        end: the rate of the last step; left out, start / 10000
        rise: share of the length that the first part takes
        length: steps of the cycle; left out, the whole run

    Raises:
        UsageError: when length is left out and the run has no known number of steps.

    Example:
        >>> cycle = OneCycle(1.0, start=0.2, end=0.0, rise=0.5, length=10)
        >>> [round(cycle(Moment(step, 10, None)), 3) for step in (0, 2, 4, 9, 12)]
        [0.2, 0.6, 1.0, 0.0, 0.0]

    Source: Smith and Topin, Super-convergence: very fast training of neural networks using large learning rates, 2018.
    """

    def __init__(
        self,
        learning_rate: NonNegativeFloat,
        start: NonNegativeFloat | None = None,
        end: NonNegativeFloat | None = None,
        rise: Rate = 0.3,
        length: PositiveInt | None = None,
    ) -> None:
        self.learning_rate, self.start, self.end, self.rise, self.length = learning_rate, start, end, rise, length

    def __call__(self, moment: Moment) -> float:
        """The rate of the step at this moment."""
        start = self.learning_rate / 25 if self.start is None else self.start
        end = start / 1e4 if self.end is None else self.end
        total = moment.total("one_cycle", self.length, "step")
        turn, last = max(self.rise * total - 1, 0.0), total - 1
        if moment.step < turn:
            return _between(start, self.learning_rate, moment.step / turn)
        done = (moment.step - turn) / (last - turn) if last > turn else 1.0
        return _between(self.learning_rate, end, min(done, 1.0))


def _between(a: float, b: float, done: float) -> float:
    """From a (done 0) to b (done 1) by half a cosine."""
    return b + (a - b) * (1 + math.cos(math.pi * done)) / 2


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

    @functools.cached_property
    def then(self) -> Schedule:
        """The schedule that follows."""
        return schedule_of(self.learning_rate)

    @property
    def observer(self) -> Any:
        """The part of it that watches a metric, if there is one."""
        return getattr(self.then, "observer", None)

    def __call__(self, moment: Moment) -> float:
        """The rate of the step at this moment."""
        rise = self.length * (moment.steps_per_epoch if self.per == "epoch" else 1)
        left = None if moment.total_steps is None else max(moment.total_steps - rise, 1)
        after = moment._replace(step=max(moment.step - rise, 0), total_steps=left)
        return self.then(after) * min((moment.step + 1) / rise, 1.0)


@register("schedule", "reduce_on_plateau")
class ReduceOnPlateau:
    """learning_rate · factor^k, where k counts how often a metric has stopped getting better.

    After `patience` evaluations in a row without a better value the rate falls, and the waiting begins anew.  It is a
    pure function like every schedule: k, the best value and the waiting are facts of the evaluations so far, which
    the optimizer keeps (in the checkpoint too) and hands over with the moment.

    Parameters:
        learning_rate: the rate at the start
        factor: what it is multiplied by
        patience: how many evaluations without a better value are waited for
        monitor: the metric, as `validation.loss`; default the one of `train.monitor`
        min_delta: how much better counts as better
        cooldown: evaluations after a fall that are not counted
        floor: the rate does not fall below this

    Example:
        >>> schedule = ReduceOnPlateau(0.1, factor=0.5, patience=2)
        >>> seen = None
        >>> for loss in (3.0, 2.0, 2.5, 2.1):
        ...     seen = schedule.observe(seen, loss, higher=False)
        >>> seen
        {'reductions': 1, 'best': 2.0, 'wait': 0, 'rest': 0}
        >>> schedule(Moment(40, 10, None, seen))
        0.05

    Source: Bengio, Practical recommendations for gradient-based training of deep architectures, 2012, section 3.1.
    """

    def __init__(
        self,
        learning_rate: NonNegativeFloat,
        factor: Rate = 0.1,
        patience: PositiveInt = 10,
        monitor: str | None = None,
        min_delta: NonNegativeFloat = 1e-4,
        cooldown: NonNegativeInt = 0,
        floor: NonNegativeFloat = 0.0,
    ) -> None:
        self.learning_rate, self.factor, self.patience, self.monitor = learning_rate, factor, patience, monitor
        self.min_delta, self.cooldown, self.floor = min_delta, cooldown, floor
        if floor > learning_rate:
            what = "reduce_on_plateau: the floor lies above the learning rate"
            raise ConfigError([Problem((), what, f"at most {learning_rate:g}", f"{floor:g}")])

    @property
    def observer(self) -> ReduceOnPlateau:
        """The part of it that watches a metric: itself."""
        return self

    def __call__(self, moment: Moment) -> float:
        """The rate of the step at this moment."""
        reductions = moment.seen["reductions"] if moment.seen else 0
        rate = self.learning_rate * self.factor**reductions
        return max(rate, self.floor) if reductions else self.learning_rate

    def observe(self, seen: Mapping[str, Any] | None, value: float, higher: bool) -> dict[str, Any]:
        """What is known after one more evaluation.

        Parameters:
            seen: what was known before; None at the start
            value: of the metric
            higher: whether a larger value is the better one
        """
        known = dict(seen or {"reductions": 0, "best": None, "wait": 0, "rest": 0})
        sign = 1 if higher else -1
        better = known["best"] is None or sign * (value - known["best"]) > self.min_delta
        known["best"] = value if better else known["best"]
        resting = known["rest"] > 0
        known["rest"] = max(known["rest"] - 1, 0)
        known["wait"] = 0 if better or resting else known["wait"] + 1
        if known["wait"] >= self.patience:
            known |= {"reductions": known["reductions"] + 1, "wait": 0, "rest": self.cooldown}
        return known
