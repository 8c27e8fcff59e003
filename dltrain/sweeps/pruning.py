"""Pruning: many trials are trained a little, the better ones of them longer, few to the end.

A trial pauses at a *rung*, a number of finished epochs, with all its state; those that go on are resumed, byte for byte
as if they had never paused.  Who goes on is decided when all trials of the bracket have reached the rung or failed, so
it depends neither on the number of workers nor on which of them is faster.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Any

from annotated_types import Ge

from dltrain.registry import register
from dltrain.sweeps.trials import Trial, Trials
from dltrain.training.goal import merit
from dltrain.types import PositiveInt

Reduction = Annotated[int, Ge(2)]


@dataclass(frozen=True)
class Bracket:
    """Trials that compete with each other.

    Parameters:
        numbers: of its trials
        rungs: epochs after which they are compared, rising
        reduction: one of so many goes on

    Example:
        >>> trials = Trials(higher=True)
        >>> for n in (1, 2, 3):
        ...     trials.by_number[n] = Trial(n, {}, {}, rungs=[{"epochs": 1, "value": n / 10, "violation": 0.0}])
        >>> bracket = Bracket(range(1, 4), [1], 3)
        >>> bracket.survivors(1, trials), bracket.behind(trials.by_number[1], trials)
        ([3], 'after 1 epoch it was number 3 of 3, and 1 went on')
    """

    numbers: range
    rungs: list[int]
    reduction: int

    def survivors(self, rung: int, trials: Trials) -> list[int] | None:
        """The trials that go on after so many rungs, the best first; None while it is not decided.

        Parameters:
            rung: how many rungs they have passed
            trials: of the sweep
        """
        if rung == 0:
            return list(self.numbers)
        ranking = self.ranking(rung, trials)
        if ranking is None:
            return None
        entered = self.survivors(rung - 1, trials) or []
        return ranking[: max(1, len(entered) // self.reduction)]

    def ranking(self, rung: int, trials: Trials) -> list[int] | None:
        """The trials at a rung, the best first; None while one of them is on its way to it."""
        entered = self.survivors(rung - 1, trials)
        if entered is None or any(number not in trials.by_number for number in entered):
            return None
        there = [trials.by_number[number] for number in entered]
        if any(trial.running and len(trial.rungs) < rung for trial in there):
            return None

        def place(trial: Trial) -> tuple[Any, ...]:
            result = trial.rungs[rung - 1]
            return (*merit(result["violation"], result["value"], trials.higher), trial.number)

        return [trial.number for trial in sorted((t for t in there if len(t.rungs) >= rung), key=place)]

    def behind(self, trial: Trial, trials: Trials) -> str:
        """Why a trial does not go on after its last rung; empty where it does, or that is not decided."""
        rung = len(trial.rungs)
        survivors, ranking = self.survivors(rung, trials), self.ranking(rung, trials)
        if survivors is None or ranking is None or trial.number in survivors:
            return ""
        epochs = trial.rungs[-1]["epochs"]
        after = f"after {epochs} {'epoch' if epochs == 1 else 'epochs'}"
        place = f"number {ranking.index(trial.number) + 1} of {len(ranking)}"
        return f"{after} it was {place}, and {len(survivors)} went on"


def rungs_from(first: int, reduction: int, epochs: int) -> list[int]:
    """Epochs of the rungs below the whole training, each so many times the one before.

    Example:
        >>> rungs_from(1, 3, 27), rungs_from(2, 4, 5)
        ([1, 3, 9], [2])
    """
    found = []
    while first < epochs:
        found.append(first)
        first *= reduction
    return found


@register("pruner", "successive_halving")
class SuccessiveHalving:
    """All trials compete: after e, e·r, e·r² … epochs the best of every r go on.

    Parameters:
        epochs: of the first rung, e
        reduction: one of so many goes on, r

    Example:
        >>> SuccessiveHalving().bracket(7, 27, epochs=27)
        Bracket(numbers=range(1, 28), rungs=[1, 3, 9], reduction=3)

    Source: Jamieson, Talwalkar: Non-stochastic best arm identification and hyperparameter optimization, 2016.
    """

    def __init__(self, epochs: PositiveInt = 1, reduction: Reduction = 3) -> None:
        self.epochs, self.reduction = epochs, reduction

    def bracket(self, number: int, trials: int, epochs: int) -> Bracket:
        """The bracket of a trial.

        Parameters:
            number: of the trial
            trials: of the whole sweep
            epochs: of a whole training
        """
        return Bracket(range(1, trials + 1), rungs_from(self.epochs, self.reduction, epochs), self.reduction)


@register("pruner", "hyperband")
class Hyperband:
    """Brackets of successive halving, from many trials with early rungs to few that are trained to the end.

    With s_max = ⌊log_r(E / e)⌋ for E epochs, the bracket s = s_max … 0 has ⌈(s_max + 1) r^s / (s + 1)⌉ trials, and its
    first rung is after E r^−s epochs.  When all brackets are full the first one begins anew.

    Parameters:
        epochs: of the earliest rung, e
        reduction: one of so many goes on, r

    Example:
        >>> [(len(b.numbers), b.rungs) for b in (Hyperband().bracket(n, 30, epochs=9) for n in (1, 10, 15))]
        [(9, [1, 3]), (5, [3]), (3, [])]
        >>> [Hyperband().bracket(n, 30, epochs=20).rungs for n in (1, 10, 15)]
        [[2, 6], [6], []]

    Source: Li, Jamieson, DeSalvo, Rostamizadeh, Talwalkar: Hyperband, 2018.
    """

    def __init__(self, epochs: PositiveInt = 1, reduction: Reduction = 3) -> None:
        self.epochs, self.reduction = epochs, reduction

    def bracket(self, number: int, trials: int, epochs: int) -> Bracket:
        """The bracket of a trial.

        Parameters:
            number: of the trial
            trials: of the whole sweep
            epochs: of a whole training
        """
        r, most = self.reduction, 0
        while self.epochs * r ** (most + 1) <= epochs:
            most += 1
        first = 1
        while True:
            for s in range(most, -1, -1):
                size = math.ceil((most + 1) * r**s / (s + 1))
                if number < first + size:
                    rungs = [epochs // r**power for power in range(s, 0, -1)]
                    return Bracket(range(first, min(first + size, trials + 1)), rungs, r)
                first += size
