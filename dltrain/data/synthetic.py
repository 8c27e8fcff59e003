"""Points in the plane, drawn anew from a seed: small problems that one can look at."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from annotated_types import Ge, Gt, Lt

from dltrain.data.examples import Array, Pool
from dltrain.data.folders import DataFolders
from dltrain.registry import register
from dltrain.seeds import generator
from dltrain.types import NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt

Samples = Annotated[int, Ge(8)]
Several = Annotated[int, Ge(2)]


@register("source", "moons")
class Moons:
    """Two half circles that reach into each other.

        (cos t, sin t)   and   (1 - cos t, ½ - sin t),   t from 0 to π

    Parameters:
        samples: number of points
        noise: standard deviation of what is added to each coordinate
        seed: of the points; they are the same in every run, whatever the run's seed

    Example:
        >>> pool = Moons(samples=10, noise=0).load(DataFolders())
        >>> pool.columns["x"][0].tolist(), pool.columns["y"].tolist()
        ([1.0, 0.0], [0, 0, 0, 0, 0, 1, 1, 1, 1, 1])

    Source: scikit-learn's `make_moons`; Pedregosa et al.: Scikit-learn: machine learning in Python, 2011.
    """

    def __init__(self, samples: Samples = 1000, noise: NonNegativeFloat = 0.1, seed: NonNegativeInt = 0) -> None:
        self.samples, self.noise, self.seed = samples, noise, seed

    def load(self, folders: DataFolders) -> Pool:
        """x (samples, 2), y (samples,)."""
        first = self.samples - self.samples // 2
        t, u = np.linspace(0, np.pi, first), np.linspace(0, np.pi, self.samples // 2)
        upper = np.stack([np.cos(t), np.sin(t)], axis=1)  # (first, 2)
        lower = np.stack([1 - np.cos(u), 0.5 - np.sin(u)], axis=1)  # (samples - first, 2)
        return plane([upper, lower], "moons", self.noise, self.seed, ["upper", "lower"])


@register("source", "circles")
class Circles:
    """A circle around a smaller one.

    Parameters:
        samples: number of points
        noise: standard deviation of what is added to each coordinate
        factor: radius of the inner circle; the outer one has radius 1
        seed: of the points; they are the same in every run, whatever the run's seed

    Example:
        >>> pool = Circles(samples=10, noise=0).load(DataFolders())
        >>> sorted({round(float(radius), 6) for radius in np.hypot(*pool.columns["x"].T)})
        [0.5, 1.0]

    Source: scikit-learn's `make_circles`; Pedregosa et al.: Scikit-learn: machine learning in Python, 2011.
    """

    def __init__(
        self,
        samples: Samples = 1000,
        noise: NonNegativeFloat = 0.1,
        factor: Annotated[float, Gt(0), Lt(1)] = 0.5,
        seed: NonNegativeInt = 0,
    ) -> None:
        self.samples, self.noise, self.factor, self.seed = samples, noise, factor, seed

    def load(self, folders: DataFolders) -> Pool:
        """x (samples, 2), y (samples,)."""
        counts = self.samples - self.samples // 2, self.samples // 2
        rings = [
            radius * np.stack([np.cos(t), np.sin(t)], axis=1)  # (count, 2)
            for radius, count in zip((1.0, self.factor), counts, strict=True)
            for t in [np.linspace(0, 2 * np.pi, count, endpoint=False)]
        ]
        return plane(rings, "circles", self.noise, self.seed, ["outer", "inner"])


@register("source", "spirals")
class Spirals:
    """Arms that wind around each other, one for each class; the radius grows from 0 to 1.

        r (cos φ, sin φ),   φ = 2π (k / classes + turns r)   for class k

    Parameters:
        samples: number of points
        noise: standard deviation of what is added to each coordinate
        classes: number of arms
        turns: how often an arm winds around the middle
        seed: of the points; they are the same in every run, whatever the run's seed

    Example:
        >>> pool = Spirals(samples=9, noise=0).load(DataFolders())
        >>> pool.columns["y"].tolist(), pool.columns["x"][-1].round(2).tolist()  # the end of the third arm
        ([0, 0, 0, 1, 1, 1, 2, 2, 2], [-0.5, -0.87])

    Source: K. Lang, M. Witbrock: Learning to tell two spirals apart, 1988.
    """

    def __init__(
        self,
        samples: Samples = 1000,
        noise: NonNegativeFloat = 0.02,
        classes: Several = 3,
        turns: PositiveFloat = 1.0,
        seed: NonNegativeInt = 0,
    ) -> None:
        self.samples, self.noise, self.classes, self.turns, self.seed = samples, noise, classes, turns, seed

    def load(self, folders: DataFolders) -> Pool:
        """x (samples, 2), y (samples,)."""
        arms = []
        for k in range(self.classes):
            r = np.linspace(0, 1, len(range(k, self.samples, self.classes)))
            angle = 2 * np.pi * (k / self.classes + self.turns * r)
            arms.append(r[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1))  # (count, 2)
        return plane(arms, "spirals", self.noise, self.seed, [str(k) for k in range(self.classes)])


def plane(groups: list[Array], where: str, noise: float, seed: int, classes: list[str]) -> Pool:
    """A pool of the points of each class with normal noise added."""
    x = np.concatenate(groups)
    x = x + noise * generator(seed, where).standard_normal(x.shape)
    y = np.repeat(np.arange(len(groups)), [len(group) for group in groups])
    return Pool({"x": x, "y": y}, where, classes=list(classes), feature_names=["horizontal", "vertical"])


@register("source", "planar_flower")
class PlanarFlower:
    """A flower whose petals belong to two classes in turn.

        r (sin t, cos t)   with   r = radius sin(waves t),   t over half a turn for each class

    Normal noise is added to t and r.

    Parameters:
        samples: number of points
        noise: standard deviation of what is added to t and r
        waves: of the sine: an even number makes twice as many petals, an odd one as many
        radius: length of the petals
        seed: of the points; they are the same in every run, whatever the run's seed

    Example:
        >>> pool = PlanarFlower(samples=100, noise=0).load(DataFolders())
        >>> pool.columns["x"].shape, bool(np.abs(pool.columns["x"]).max() <= 4)
        ((100, 2), True)

    Source: A. Ng, K. Katanforoosh: deeplearning.ai, Neural Networks and Deep Learning, week 3 (planar data).
    """

    def __init__(
        self,
        samples: Samples = 400,
        noise: NonNegativeFloat = 0.2,
        waves: PositiveInt = 4,
        radius: PositiveFloat = 4.0,
        seed: NonNegativeInt = 0,
    ) -> None:
        self.samples, self.noise, self.waves, self.radius, self.seed = samples, noise, waves, radius, seed

    def load(self, folders: DataFolders) -> Pool:
        """x (samples, 2), y (samples,)."""
        draw = generator(self.seed, "planar_flower")
        counts = self.samples - self.samples // 2, self.samples // 2
        halves = []
        for half, count in enumerate(counts):
            t = np.linspace(half * np.pi, (half + 1) * np.pi, count) + self.noise * draw.standard_normal(count)
            r = self.radius * np.sin(self.waves * t) + self.noise * draw.standard_normal(count)
            halves.append(np.stack([r * np.sin(t), r * np.cos(t)], axis=1))  # (count, 2)
        return plane(halves, "planar_flower", 0.0, self.seed, ["red", "blue"])
