"""Clusters of the data: how many, how tight, and which classes they hold."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from dltrain.errors import UsageError
from dltrain.explore.agreement import agreement, compare
from dltrain.explore.finding import Chart, Finding, Table, Tell
from dltrain.explore.subject import Subject
from dltrain.registry import register
from dltrain.report.svg import line_chart
from dltrain.types import NonNegativeInt, PositiveInt


@register("exploration", "k_means")
class KMeans:
    """k-means for k = 1 … K: clusters whose samples are near their mean:  minimise Σ_n min_k |x_n - μ_k|², the inertia.

    One k is looked at closely: as many as there are classes (where K is not less), or else the elbow of the curve,
    after which a further cluster gains little.  Starts are k-means++; iterations are Lloyd's.

    Parameters:
        max_clusters: K
        n_clusters: the k that is looked at closely; left out: the number of classes, or else the elbow
        n_init: starts for each k, of which the best counts
        max_iter: iterations of one start
        samples: the most that are looked at; more are drawn from, since the time grows with their number
        seed: of the drawing and of the starts; left out: the config's

    Raises:
        UsageError: when there are more clusters than samples.

    Example:
        >>> two = Subject(np.array([[0.0], [0.1], [9.0], [9.1]]), np.arange(4))
        >>> found = KMeans(max_clusters=3).explore(two, lambda text: None)
        >>> found.result["n_clusters"], found.result["clusters"][1]["sizes"]
        (2, [2, 2])

    Source: Lloyd: Least squares quantization in PCM, 1982; Arthur, Vassilvitskii: k-means++, 2007; the elbow:
        Thorndike: Who belongs in the family?, 1953.
    """

    least_features = 1

    def __init__(
        self,
        max_clusters: PositiveInt = 10,
        n_clusters: PositiveInt | None = None,
        n_init: PositiveInt = 10,
        max_iter: PositiveInt = 300,
        samples: PositiveInt = 10_000,
        seed: NonNegativeInt | None = None,
    ) -> None:
        self.max_clusters, self.n_clusters, self.n_init, self.max_iter = max_clusters, n_clusters, n_init, max_iter
        self.samples, self.seed = samples, seed

    def explore(self, subject: Subject, tell: Tell) -> Finding:
        """Inertia and sizes for each k; cross table and maps of one of them."""
        wanted, classes = self.n_clusters or 0, len(subject.classes or ())
        most = max(self.max_clusters, wanted)
        check_count("k_means", "n_clusters" if most == wanted else "max_clusters", most, len(subject))
        models: list[Any] = []
        notes = subject.advice()
        for k in range(1, most + 1):
            tell(f"k = {k} of {most}")
            model = self.model(k, subject.random_state)
            with warnings.catch_warnings():  # of fewer different samples than clusters, and of max_iter: told below
                warnings.simplefilter("ignore")
                model.fit(subject.x)
            if len(np.unique(model.labels_)) < k:
                notes.append(f"there are {k - 1} different samples, hence no more clusters than that")
                break
            models.append(model)
        inertia = [float(model.inertia_) for model in models]
        chosen = min(wanted or (classes if classes <= most else 0) or elbow(inertia), len(models))
        clusters = [
            {
                "k": k,
                "inertia": float(model.inertia_),
                "iterations": int(model.n_iter_),
                "sizes": np.bincount(model.labels_, minlength=k).tolist(),
                **agreement(model.labels_, subject, k),
            }
            for k, model in enumerate(models, start=1)
        ]
        slow = [row["k"] for row in clusters if row["iterations"] >= self.max_iter]
        if slow:
            notes.append(
                f"k = {', '.join(map(str, slow))}: not converged after {self.max_iter} iterations; raise max_iter"
            )
        found = Finding({"clusters": clusters, "n_clusters": chosen, "elbow": elbow(inertia)}, notes=notes)
        headers = ["k", "inertia", *agreement(models[0].labels_, subject, 1), "sizes"]
        rows = [[*(row[name] for name in headers[:-1]), sizes_in_words(row["sizes"])] for row in clusters]
        found.shown.append(Table("clusters", [name.replace("_", " ") for name in headers], rows))
        if len(models) > 1:
            numbers = list(range(1, len(models) + 1))
            found.shown.append(Chart("inertia over k", numbers, inertia))
            found.shown.append(f"elbow at k = {found.result['elbow']}; looked at closely: k = {chosen}")
            found.figures["elbow"] = line_chart(
                "k-means: the elbow", "clusters k", "inertia", {"inertia": (numbers, inertia)}
            )
        compare(found, models[chosen - 1].labels_, subject, chosen, "cluster")
        return found

    def model(self, k: int, random_state: int) -> Any:
        """scikit-learn's estimator for k clusters."""
        from sklearn import cluster

        return cluster.KMeans(k, n_init=self.n_init, max_iter=self.max_iter, random_state=random_state)


def check_count(method: str, parameter: str, wanted: int, samples: int) -> None:
    """Refuse more groups than there are samples.

    Raises:
        UsageError: when there are.
    """
    if wanted > samples:
        what, expected = "there are not that many samples", f"at most {samples}"
        hint = f"write `{method}: {{{parameter}: {samples}}}`, or less"
        raise UsageError(what, where=f"{method}.{parameter}", expected=expected, got=str(wanted), hint=hint)


def elbow(values: Sequence[float]) -> int:
    """The position, counted from 1, where a falling curve lies farthest below the line between its ends.

    Example:
        >>> elbow([100, 20, 15, 11, 8])
        2

    Source: Satopää, Albrecht, Irwin, Raghavan: Finding a "kneedle" in a haystack, 2011.
    """
    y = np.asarray(values, np.float64)
    if len(y) < 3 or y[0] <= y[-1]:
        return len(y) if len(y) < 3 else 1
    fallen = (y - y[-1]) / (y[0] - y[-1])
    return int((np.linspace(1, 0, len(y)) - fallen).argmax()) + 1


def sizes_in_words(sizes: Sequence[int]) -> str:
    """The sizes of clusters, largest first, the smallest of many left out.

    Example:
        >>> sizes_in_words([3, 9, 5])
        '9, 5, 3'
    """
    found = ", ".join(str(size) for size in sorted(sizes, reverse=True)[:12])
    return found + (", …" if len(sizes) > 12 else "")
