"""What proposes the points of a sweep."""

from __future__ import annotations

import itertools
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from dltrain.registry import register
from dltrain.seeds import generator
from dltrain.sweeps.dimensions import Dimension
from dltrain.sweeps.space import Point, Space
from dltrain.sweeps.trials import Trials
from dltrain.types import PositiveInt


@dataclass(frozen=True)
class Proposal:
    """A point to be tried.

    Parameters:
        point: {path: place in [0, 1]}
        settings: {path: value}
        round: in which it is tried, from 1
        bounds: {path: [lowest, highest value]} of the round, where it has any of its own
    """

    point: Point
    settings: dict[str, Any]
    round: int = 1
    bounds: dict[str, Any] | None = None


class Wait:
    """The next point depends on trials that are not over yet."""


class Sampler(ABC):
    """Proposes the points of a sweep, one after the other.

    The n-th proposal is a function of seed, space and what it asks of earlier trials, whoever makes it and whenever.
    """

    one_objective = False  # whether it looks at the order of the trials by one metric

    @abstractmethod
    def propose(self, number: int, space: Space, seed: int, trials: Trials) -> Proposal | type[Wait] | None:
        """The point of a trial; None when there are no more points.

        Parameters:
            number: of the trial, from 1
            space: the dimensions
            seed: of the sweep
            trials: all that came before
        """


@register("sampler", "random")
class RandomSampler(Sampler):
    """Points drawn evenly from the space, independent of each other.

    Where few of the dimensions matter it tries as many values of each as there are trials; a grid tries its few again
    and again.

    Example:
        >>> space = Space({"train.batch_size": {"choice": [16, 32, 64]}})
        >>> RandomSampler().propose(1, space, 0, Trials(True)).settings
        {'train.batch_size': 16}

    Source: Bergstra, Bengio: Random search for hyper-parameter optimization, 2012.
    """

    def propose(self, number: int, space: Space, seed: int, trials: Trials) -> Proposal:
        """A point of its own stream for each trial and dimension."""
        return Proposal(*space.walk(lambda path, dimension: generator(seed, f"sweep {path}", number).random()))


@register("sampler", "grid")
class GridSampler(Sampler):
    """All combinations of some values of each dimension, the last dimension's changing fastest.

    Parameters:
        points: values of each dimension, evenly spaced from bound to bound; of a choice all

    Example:
        >>> space = Space({"optimizer.adam.learning_rate": {"log_uniform": [0.001, 0.1]}})
        >>> [GridSampler(3).propose(n, space, 0, Trials(True)) for n in (2, 4)][0].settings
        {'optimizer.adam.learning_rate': 0.01}

    Source: Bergstra, Bengio: Random search for hyper-parameter optimization, 2012.
    """

    def __init__(self, points: PositiveInt = 5) -> None:
        self.points = points

    def propose(self, number: int, space: Space, seed: int, trials: Trials) -> Proposal | None:
        """The combination of this number."""
        point = next(itertools.islice(self._grow(space, list(space.dimensions), {}), number - 1, None), None)
        return None if point is None else Proposal(point, space.settings(point))

    def _grow(self, space: Space, paths: list[str], point: Point) -> Iterator[Point]:
        """All points that begin with this one."""
        if not paths:
            yield point
        elif not space.counts(paths[0], space.settings(point)):
            yield from self._grow(space, paths[1:], point)
        else:
            for unit in self._units(space.dimensions[paths[0]]):
                yield from self._grow(space, paths[1:], {**point, paths[0]: unit})

    def _units(self, dimension: Dimension) -> list[float]:
        """The places of a dimension."""
        levels = dimension.levels
        if levels is not None and (levels <= self.points or not dimension.ordered):
            return [(index + 0.5) / levels for index in range(levels)]
        places = [0.5] if self.points == 1 else [index / (self.points - 1) for index in range(self.points)]
        return list({dimension.value(place): place for place in places}.values())  # each value once


@register("sampler", "sobol")
class SobolSampler(Sampler):
    """Points of a scrambled Sobol sequence, which fill the space more evenly than random ones.

    A power of 2 as number of trials suits it best.

    Example:
        >>> space = Space({"a": {"uniform": [0.0, 1.0]}})
        >>> values = sorted(SobolSampler().propose(n, space, 0, Trials(True)).settings["a"] for n in range(1, 5))
        >>> [int(4 * value) for value in values]  # one in each quarter
        [0, 1, 2, 3]

    Source: Sobol: On the distribution of points in a cube, 1967; Owen: Randomly permuted (t,m,s)-nets, 1995.
    """

    def propose(self, number: int, space: Space, seed: int, trials: Trials) -> Proposal:
        """The point of this number in the sequence of the seed."""
        from scipy.stats import qmc

        paths = list(space.dimensions)
        sequence = qmc.Sobol(len(paths), scramble=True, seed=generator(seed, "sobol"))
        if number > 1:
            sequence.fast_forward(number - 1)
        units = dict(zip(paths, sequence.random(1)[0].tolist(), strict=True))
        return Proposal(*space.walk(lambda path, dimension: units[path]))
