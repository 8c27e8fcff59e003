"""A map of the neighbourhoods of the data."""

from __future__ import annotations

import io
import re
from contextlib import redirect_stdout
from typing import Annotated

import numpy as np
from annotated_types import Ge

from dltrain.errors import UsageError
from dltrain.explore.finding import Finding, Table, Tell, scatter
from dltrain.explore.subject import Subject
from dltrain.registry import register
from dltrain.types import NonNegativeInt, PositiveInt

ITERATION = re.compile(r"Iteration (\d+): error = ([\d.]+)")


@register("exploration", "tsne")
class Tsne:
    """t-SNE: a map on which samples that are neighbours stand together:  minimise KL(P ‖ Q) = Σ p_ij log(p_ij / q_ij).

    p_ij falls with the distance of two samples as a Gauss curve, as wide as gives each one about `perplexity`
    neighbours; q_ij falls with their distance on the map as Student's t of one degree.  It starts from the first two
    principal components.  Distances between far groups, and the sizes of groups, mean nothing.

    Parameters:
        perplexity: neighbours that each sample has, about; below the number of samples
        samples: the most that are drawn; the time grows faster than their number, and more would cover each other
        max_iter: steps of gradient descent
        seed: of the drawing and of the descent; left out: the config's

    Raises:
        UsageError: when there are not more samples than the perplexity.

    Example:
        >>> two = Subject(np.repeat(np.eye(2), 5, axis=0) + np.arange(10)[:, None] / 100, np.arange(10))
        >>> found = Tsne(perplexity=3.0, max_iter=250).explore(two, lambda text: None)
        >>> sorted(found.columns), found.result["perplexity"]
        (['x', 'y'], 3.0)

    Source: van der Maaten, Hinton: Visualizing data using t-SNE, 2008; van der Maaten: Accelerating t-SNE using
        tree-based algorithms, 2014.
    """

    least_features = 2

    def __init__(
        self,
        perplexity: Annotated[float, Ge(1)] = 30.0,
        samples: PositiveInt = 2000,
        max_iter: Annotated[int, Ge(250)] = 1000,
        seed: NonNegativeInt | None = None,
    ) -> None:
        self.perplexity, self.samples, self.max_iter, self.seed = float(perplexity), samples, max_iter, seed

    def explore(self, subject: Subject, tell: Tell) -> Finding:
        """The map, and how far it is from the data."""
        from sklearn.manifold import TSNE

        if self.perplexity >= len(subject):
            expected = f"less than {len(subject)}, the number of samples"
            hint = "write `tsne: {perplexity: …}` with a smaller one"
            raise UsageError(
                "the perplexity is too large", where="tsne", expected=expected, got=f"{self.perplexity:g}", hint=hint
            )
        tell(f"neighbours of {len(subject)} samples")
        model = TSNE(
            perplexity=self.perplexity, max_iter=self.max_iter, init="pca", random_state=subject.random_state, verbose=2
        )
        with redirect_stdout(Steps(tell, self.max_iter)):
            places = np.asarray(model.fit_transform(subject.x), np.float64)
        found = Finding(
            {
                "perplexity": self.perplexity,
                "kl_divergence": float(model.kl_divergence_),
                "iterations": int(model.n_iter_),
                "learning_rate": float(model.learning_rate_),
            },
            notes=subject.advice(),
        )
        found.shown.append(
            Table("map", ["", "value"], [[name.replace("_", " "), v] for name, v in found.result.items()])
        )
        title = f"t-SNE, perplexity {self.perplexity:g}"
        found.figures["samples"] = scatter(title, ("", ""), places, subject.groups())
        found.columns |= {"x": places[:, 0], "y": places[:, 1]}
        return found


class Steps(io.TextIOBase):
    """Takes what scikit-learn prints while it works, and tells how far it is.

    Parameters:
        told: is told
        total: steps there will be

    Example:
        >>> Steps(print, 1000).write("[t-SNE] Iteration 50: error = 83.9, gradient norm = 0.1")
        step 50 of 1000, KL divergence 83.9
        55
    """

    def __init__(self, told: Tell, total: int) -> None:
        self.told, self.total = told, total

    def write(self, text: str) -> int:
        """One piece of text."""
        if match := ITERATION.search(text):
            self.told(f"step {match[1]} of {self.total}, KL divergence {match[2]}")
        return len(text)
