"""The picture that excites a unit most."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dltrain.data.augmentations.smoothing import smoothed, weights_of
from dltrain.errors import NumericsError
from dltrain.layers.base import Array
from dltrain.looking.inside import Inside, Unit
from dltrain.looking.seen import Seen, Sheet, Tell, grey
from dltrain.looking.subject import Subject
from dltrain.registry import register
from dltrain.seeds import generator
from dltrain.types import NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt, Rate

START = 0.1  # standard deviation of the noise that a picture begins as


@register("view", "maximize")
class Maximize:
    """A picture that makes the score of a class as large as it gets, by gradient ascent from noise.

        x ← (1 - decay) (x + rate · g / rms(g)),        g = ∂ score / ∂ x,        and now and then x ← Gaussian(x)

    Decay holds the picture small (an L2 penalty), the Gaussian keeps it smooth, and jitter, which shifts the picture
    by some random pixels for each step, keeps it from fitting the grid of strides.  All this happens to the prepared
    picture.  One picture is made for each class, or for the one that is named; with `--layer` for each feature map or
    unit of that layer, whose score is its mean over all places.

    Parameters:
        steps: of the ascent
        rate: how far a step goes, in the unit of the prepared picture
        decay: share of the picture that is lost in each step
        blur: width of the Gaussian in pixels; 0: none
        blur_every: steps between two of them
        jitter: most pixels that a picture is shifted by; left out: a sixteenth of its shorter side
        most: pictures that are made
        seed: of noise and jitter

    Example:
        >>> from dltrain import build_model
        >>> model = build_model({"graph": {"y": ["flatten", {"dense": 2}]}}, {"x": (4, 4, 1)})
        >>> subject = Subject(Inside(model), units=[Unit("a", "y", 0), Unit("b", "y", 1)])
        >>> seen = Maximize(steps=20, blur=0, jitter=0).look(subject, lambda text: None)
        >>> [unit["after"] > unit["before"] for unit in seen.result["units"]]
        [True, True]

    Raises:
        NumericsError: when the ascent leaves the finite numbers.

    Source: Erhan et al.: Visualizing higher-layer features of a deep network, 2009; decay and blur: Yosinski et al.:
        Understanding neural networks through deep visualization, 2015; jitter: Mordvintsev, Olah, Tyka: Inceptionism,
        2015.
    """

    reads = "nothing"

    def __init__(
        self,
        steps: PositiveInt = 200,
        rate: PositiveFloat = 0.05,
        decay: Rate = 0.02,
        blur: NonNegativeFloat = 0.5,
        blur_every: PositiveInt = 4,
        jitter: NonNegativeInt | None = None,
        most: PositiveInt = 16,
        seed: NonNegativeInt = 0,
    ) -> None:
        self.steps, self.rate, self.decay, self.blur, self.blur_every = steps, rate, decay, blur, blur_every
        self.jitter, self.most, self.seed = jitter, most, seed

    def look(self, subject: Subject, tell: Tell) -> Seen:
        """One sheet."""
        inside = subject.inside
        wanted = units_of(subject)
        units, rng = wanted[: self.most], generator(self.seed, "maximize")
        shape = next(iter(inside.graph.inputs.values()))
        x = (START * rng.standard_normal((len(units), *shape))).astype(inside.graph.dtype)
        before = inside.scores(x, units)
        x = self.climbed(inside, x, units, rng, tell)
        after = inside.scores(x, units)
        rows = [
            {"name": unit.title, "before": float(low), "after": float(high)}
            for unit, low, high in zip(units, before, after, strict=True)
        ]
        seen = Seen({"layer": subject.layer, "units": rows}, {}, {"pictures": x})
        labels = [f"{row['name']}: {row['after']:.3g}" for row in rows]
        seen.sheets["maximize"] = Sheet([grey(picture) for picture in x], labels)
        seen.lines = [
            f"{row['name']}: score {row['before']:.4g} of noise, {row['after']:.4g} at the end" for row in rows
        ]
        if len(wanted) > self.most:
            seen.notes.append(f"the first {self.most} of {len(wanted)}: `maximize: {{most: …}}` makes more")
        return seen

    def climbed(self, inside: Inside, x: Array, units: Sequence[Unit], rng: np.random.Generator, tell: Tell) -> Array:
        """The pictures (N, H, W, C) after all steps.

        Raises:
            NumericsError: when one is not finite.
        """
        height, width = x.shape[1:3]
        far = min(height, width) // 16 if self.jitter is None else self.jitter
        rows, columns = (weights_of(side, np.array([self.blur or 1.0])) for side in (height, width))
        for step in range(self.steps):
            tell(f"step {step} of {self.steps}")
            shift = tuple(int(k) for k in rng.integers(-far, far + 1, 2))
            x = np.roll(x, shift, (1, 2))
            g = inside.derivative(x, units)["x"]
            size = np.sqrt((g.astype(np.float64) ** 2).mean(axis=(1, 2, 3), keepdims=True))
            x = x + self.rate * np.divide(g, size, out=np.zeros(g.shape), where=size > 0)
            x = np.roll((1 - self.decay) * x, tuple(-k for k in shift), (1, 2)).astype(g.dtype)
            if self.blur and (step + 1) % self.blur_every == 0:
                x = smoothed(x, rows, columns)
            if not np.isfinite(x).all():
                raise NumericsError("the ascent left the finite numbers", where=f"step {step}", hint="lower `rate`")
        return x


def units_of(subject: Subject) -> list[Unit]:
    """What pictures are made for: the units of the layer that is named, or else the class, or all classes."""
    if subject.layer is not None:
        path = subject.inside.layer(subject.layer)
        width = subject.inside.graph.wires[path][-1]
        return [Unit(str(column), path, column) for column in range(width)]
    return list(subject.units) if subject.unit is None else [subject.unit]
