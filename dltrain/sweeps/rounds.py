"""The sampler that works in rounds, each around the best points of those before."""

from __future__ import annotations

import math
from typing import Annotated, Any

from annotated_types import Ge, Gt, Le

from dltrain.registry import register
from dltrain.seeds import generator
from dltrain.sweeps.dimensions import Dimension
from dltrain.sweeps.samplers import Proposal, Sampler, Wait
from dltrain.sweeps.space import Space
from dltrain.sweeps.trials import FAILED, Trial, Trials, rank


@register("sampler", "coarse_to_fine")
class CoarseToFine(Sampler):
    """Rounds of random points, each drawn from the region around the best points of all rounds before.

    The region of a dimension reaches from the lowest to the highest of the best points, and beyond them by as much as
    these lie apart on average; it shrinks at most to a quarter of the last one.  Of a choice the values remain that the
    best points have.  A round begins when the one before is over.

    Parameters:
        points: trials in a round
        keep: share of all trials so far that count as the best, at least two

    Example:
        >>> space, trials = Space({"a": {"uniform": [0.0, 1.0]}}), Trials(higher=True)
        >>> for n, u in enumerate((0.1, 0.5, 0.6, 0.9), 1):
        ...     trials.by_number[n] = Trial(n, {"a": u}, {"a": u}, state="complete", value=-abs(u - 0.5))
        >>> CoarseToFine(points=4, keep=0.5).propose(5, space, 0, trials).bounds
        {'a': [0.4, 0.7]}

    Source: Ng: Improving deep neural networks, course notes on tuning, 2017.
    """

    one_objective = True

    def __init__(self, points: Annotated[int, Ge(4)] = 20, keep: Annotated[float, Gt(0), Le(0.5)] = 0.2) -> None:
        self.points, self.keep = points, keep

    def propose(self, number: int, space: Space, seed: int, trials: Trials) -> Proposal | type[Wait]:
        """A random point of the round's region; to be waited for while an earlier round is under way."""
        current = (number - 1) // self.points + 1
        before = [trial for trial in trials if trial.number <= (current - 1) * self.points]
        if any(trial.running for trial in before):
            return Wait
        regions = self.regions(space, before, current, trials.higher)

        def place(path: str, dimension: Dimension) -> float:
            unit = generator(seed, f"sweep {path}", number).random()
            pieces = regions[path]
            low, high = pieces[min(int(unit * len(pieces)), len(pieces) - 1)]
            share = unit * len(pieces) % 1.0
            return low + share * (high - low)

        point, settings = space.walk(place)
        first = number == (current - 1) * self.points + 1
        bounds = {path: shown(space.dimensions[path], pieces) for path, pieces in regions.items()}
        return Proposal(point, settings, current, bounds if first else None)

    def regions(
        self, space: Space, before: list[Trial], current: int, higher: bool
    ) -> dict[str, list[tuple[float, float]]]:
        """The pieces of [0, 1] that a round draws from, for each dimension: one interval, or those of some choices."""
        found = {path: [(0.0, 1.0)] for path in space.dimensions}
        for number in range(1, current):
            known = [t for t in before if t.number <= number * self.points and t.state != FAILED]
            best = rank(known, higher)[: max(2, math.ceil(self.keep * len(known)))]
            for path, dimension in space.dimensions.items():
                places = sorted(trial.point[path] for trial in best if path in trial.point)
                if places:
                    found[path] = zoomed(dimension, places, found[path])
        return found


def zoomed(dimension: Dimension, places: list[float], before: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """The pieces of [0, 1] around the places of the best points.

    Example:
        >>> from dltrain.sweeps.dimensions import Uniform
        >>> [(round(low, 3), round(high, 3)) for low, high in zoomed(Uniform((0.0, 1.0)), [0.4, 0.6], [(0.0, 1.0)])]
        [(0.2, 0.8)]
    """
    if not dimension.ordered:
        levels = dimension.levels or 1
        return [(index / levels, (index + 1) / levels) for index in sorted({int(place * levels) for place in places})]
    low, high = before[0][0], before[-1][1]
    margin = (places[-1] - places[0]) / max(len(places) - 1, 1)
    margin = max(margin, (0.25 * (high - low) - (places[-1] - places[0])) / 2)
    return [(max(places[0] - margin, low), min(places[-1] + margin, high))]


def shown(dimension: Dimension, pieces: list[tuple[float, float]]) -> list[Any]:
    """The lowest and the highest value of a region; of a choice its values."""
    if not dimension.ordered:
        return (
            [dimension.value((low + high) / 2) for low, high in pieces]
            if len(pieces) > 1
            else all_of(dimension, pieces)
        )
    return [dimension.value(pieces[0][0]), dimension.value(pieces[-1][1])]


def all_of(dimension: Dimension, pieces: list[tuple[float, float]]) -> list[Any]:
    """The values of a choice in one piece of [0, 1]."""
    levels = dimension.levels or 1
    middles = [(index + 0.5) / levels for index in range(levels)]
    return [dimension.value(u) for u in middles if pieces[0][0] <= u < pieces[0][1]]
