"""Which pixels a network's answer hangs on, by its derivative."""

from __future__ import annotations

import numpy as np

from dltrain.layers.base import Array
from dltrain.looking.inside import Inside, Unit
from dltrain.looking.seen import Seen, Sheet, Tell, heat, share, signed
from dltrain.looking.subject import Subject
from dltrain.registry import register
from dltrain.seeds import generator
from dltrain.types import Fraction, NonNegativeInt, PositiveInt


@register("view", "saliency")
class Saliency:
    """How much the score of a class changes with each pixel: g = ∂ score / ∂ x, (H, W, C).

        saliency = max over channels of |g|        gradient × input = Σ over channels of g · x

    The score is the model's own output, the logit.  With several samples g is the mean over noisy copies of the picture
    (SmoothGrad), x + N(0, σ²) with σ = noise · (max x - min x): less grainy.  Shown are the picture, the saliency, and
    gradient × input (red speaks for the class, blue against it).

    Parameters:
        samples: noisy copies over which g is averaged; 1: none, the derivative at the picture itself
        noise: their σ as a share of the picture's range
        seed: of the noise

    Example:
        >>> from dltrain import build_model
        >>> model = build_model({"graph": {"y": ["flatten", {"dense": 2}]}}, {"x": (2, 2, 1)})
        >>> model.parameters["y.1.dense.kernel"].value[:, 1] = [0, 1, -3, 0]
        >>> subject = Subject(Inside(model), np.ones((1, 2, 2, 1), "float32"), unit=Unit("b", "y", 1))
        >>> Saliency().look(subject, lambda text: None).arrays["saliency"].tolist()
        [[0.0, 1.0], [3.0, 0.0]]

    Source: Simonyan, Vedaldi, Zisserman: Deep inside convolutional networks, 2014; noisy copies: Smilkov et al.:
        SmoothGrad, 2017; gradient × input: Shrikumar et al.: Not just a black box, 2016.
    """

    reads = "picture"

    def __init__(self, samples: PositiveInt = 1, noise: Fraction = 0.15, seed: NonNegativeInt = 0) -> None:
        self.samples, self.noise, self.seed = samples, noise, seed

    def look(self, subject: Subject, tell: Tell) -> Seen:
        """One sheet."""
        x, unit = subject.need(), subject.asked()
        g = self.gradient(subject.inside, x, unit, tell)
        saliency, product = np.abs(g).max(axis=-1), (g * x[0]).sum(axis=-1)
        peak = [int(k) for k in np.unravel_index(int(saliency.argmax()), saliency.shape)]
        seen = Seen({**subject.told(), "peak": peak}, {}, {"saliency": saliency, "gradient_times_input": product})
        labels = [subject.title, f"saliency of {unit.title}", "gradient x input"]  # the font of a sheet has no ×
        seen.sheets["saliency"] = Sheet([subject.shown(), heat(share(saliency)), signed(product)], labels, 3)
        seen.lines = [*subject.lines(), f"most salient: row {peak[0]}, column {peak[1]}"]
        if not saliency.any():
            seen.notes.append("the derivative is 0 everywhere: every path from the picture to this score is cut off")
        return seen

    def gradient(self, inside: Inside, x: Array, unit: Unit, tell: Tell) -> Array:
        """g (H, W, C), the mean over the noisy copies."""
        if self.samples == 1:
            return inside.derivative(x, [unit])["x"][0]
        rng, sigma = generator(self.seed, "saliency"), self.noise * float(x.max() - x.min())
        total = np.zeros(x.shape[1:])
        for number in range(self.samples):
            tell(f"copy {number + 1} of {self.samples}")
            total += inside.derivative(x + sigma * rng.standard_normal(x.shape), [unit])["x"][0]
        return (total / self.samples).astype(x.dtype)
