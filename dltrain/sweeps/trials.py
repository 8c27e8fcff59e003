"""The trials of a sweep, as its journal tells them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dltrain.training.goal import merit

ASKED, TAKEN, RUNG, TOLD = "asked", "taken", "rung", "told"
COMPLETE, PRUNED, FAILED = "complete", "pruned", "failed"


@dataclass
class Trial:
    """One point of the space, and what came of it.

    Parameters:
        number: from 1, in the order of the proposals
        point: {path: place in [0, 1]}
        settings: {path: value}
        round: of a sampler that works in rounds, from 1
        state: running, or complete, pruned, failed
        value: of the metric, the mean over the seeds
        deviation: of the values of the seeds
        values: of the seeds
        violation: of the bounds, the mean over the seeds
        objectives: {metric: value} of several objectives, the means over the seeds
        rungs: results at the rungs of a pruner, in order: {epochs, value, violation}
        seconds: of training
        reason: why it was pruned or failed
        taken: how often a process began to work on it again
    """

    number: int
    point: dict[str, float]
    settings: dict[str, Any]
    round: int = 1
    state: str = "running"
    value: float | None = None
    deviation: float | None = None
    values: list[float] = field(default_factory=list)
    violation: float = 0.0
    objectives: dict[str, float] = field(default_factory=dict)
    rungs: list[dict[str, Any]] = field(default_factory=list)
    seconds: float = 0.0
    reason: str = ""
    taken: int = 0

    @property
    def running(self) -> bool:
        """Whether its result is not told yet."""
        return self.state == "running"


class Trials:
    """All trials of a sweep; what the journal says is put in with `see`.

    Parameters:
        higher: whether a larger value is the better one
        objectives: where there are several, {metric: whether larger values are better}, the metric of the value first
    """

    def __init__(self, higher: bool, objectives: Mapping[str, bool] | None = None) -> None:
        self.higher, self.objectives = higher, dict(objectives or {})
        self.directions = self.objectives or {"": higher}
        self.by_number: dict[int, Trial] = {}
        self.events: list[tuple[str, Trial]] = []  # asked and told, in their order
        self.rounds: dict[int, dict[str, Any]] = {}  # bounds of each round
        self.elapsed = 0.0

    def see(self, record: Mapping[str, Any]) -> None:
        """Take in a record of the journal."""
        kind = record["event"]
        if kind == ASKED:
            trial = Trial(record["trial"], record["point"], record["settings"], record.get("round", 1))
            self.by_number[trial.number] = trial
            if record.get("bounds"):
                self.rounds[trial.round] = record["bounds"]
        elif kind not in (TAKEN, RUNG, TOLD):
            return
        trial = self.by_number[record["trial"]]
        if kind == TAKEN:
            trial.taken += 1
        elif kind == RUNG:
            trial.rungs.append({key: record[key] for key in ("epochs", "value", "violation")})
            trial.seconds += record["seconds"]
            trial.taken = -1  # who goes on with it at the next rung takes up nothing that was lost
        elif kind == TOLD:
            for key in ("state", "value", "deviation", "values", "violation", "reason"):
                setattr(trial, key, record[key])
            trial.objectives = record.get("objectives", {})
            trial.seconds += record["seconds"]
        self.elapsed = max(self.elapsed, record.get("elapsed", 0.0))
        if kind in (ASKED, TOLD):
            self.events.append((kind, trial))

    def __len__(self) -> int:
        return len(self.by_number)

    def __iter__(self) -> Any:
        return iter(sorted(self.by_number.values(), key=lambda trial: trial.number))

    def ranked(self) -> list[Trial]:
        """The complete trials, best first; of equal ones the earlier first."""
        return rank([trial for trial in self if trial.state == COMPLETE and trial.value is not None], self.higher)

    def results(self, trial: Trial) -> list[float | None]:
        """The value of each objective, or the only value."""
        return [trial.objectives.get(metric) for metric in self.objectives] or [trial.value]

    def front(self) -> list[Trial]:
        """The Pareto front: the complete trials that no other one dominates, best first by the first objective.

        One dominates another that is no better in any objective and worse in one.  Bounds come first: who misses them
        less dominates.

        Source: Deb, Pratap, Agarwal, Meyarivan: A fast and elitist multiobjective genetic algorithm: NSGA-II, 2002.
        """
        ranked = self.ranked() if self.objectives else []
        costs = {t.number: self._costs(t) for t in ranked}
        least = min((trial.violation for trial in ranked), default=0.0)
        able = [trial for trial in ranked if trial.violation == least]
        return [t for t in able if not any(dominates(costs[o.number], costs[t.number]) for o in able)]

    def _costs(self, trial: Trial) -> list[float]:
        """What is to be small, of each objective."""
        pairs = zip(self.results(trial), self.directions.values(), strict=True)
        return [math.inf if value is None else -value if higher else value for value, higher in pairs]


def dominates(one: Sequence[float], other: Sequence[float]) -> bool:
    """Whether costs are nowhere larger than others, and somewhere smaller.

    Example:
        >>> dominates([0.1, 5], [0.2, 5]), dominates([0.1, 6], [0.2, 5]), dominates([0.1, 5], [0.1, 5])
        (True, False, False)
    """
    pairs = list(zip(one, other, strict=True))
    return all(a <= b for a, b in pairs) and any(a < b for a, b in pairs)


def rank(trials: Iterable[Trial], higher: bool) -> list[Trial]:
    """Trials by how well they keep the bounds, then by their value."""
    return sorted(trials, key=lambda trial: merit(trial.violation, trial.value, higher))
