"""Gaussian mixtures of the data: how many components, of which shape, and which classes they hold."""

from __future__ import annotations

import warnings
from typing import Any, Literal

from dltrain.errors import DataError
from dltrain.explore.agreement import agreement, compare
from dltrain.explore.clusters import check_count
from dltrain.explore.finding import Finding, Table, Tell
from dltrain.explore.subject import Subject
from dltrain.registry import register
from dltrain.report.svg import line_chart
from dltrain.types import NonNegativeInt, PositiveInt

CovarianceType = Literal["full", "tied", "diag", "spherical"]
ALL: tuple[CovarianceType, ...] = ("full", "tied", "diag", "spherical")
CRITERIA = {"bic": "BIC", "aic": "AIC"}


@register("exploration", "gaussian_mixture")
class GaussianMixture:
    """Gaussian mixtures for k = 1 … K components:  p(x) = Σ_k π_k N(x; μ_k, Σ_k),  fitted by EM.

    Each number of components is tried with each type of covariance.  BIC = p log N - 2 log L and AIC = 2 p - 2 log L
    weigh the likelihood L against the number p of parameters; the mixture with the smallest BIC is looked at closely.
    Mixtures with more parameters than samples are left out: their likelihood has no bound.

    Parameters:
        max_components: K
        covariance_types: full: any; tied: one for all components; diag: along the axes; spherical: one variance each;
            left out: all four
        n_init: starts for each mixture, of which the best counts
        max_iter: iterations of one start
        samples: the most that are looked at; more are drawn from, since the time grows with their number
        seed: of the drawing and of the starts; left out: the config's

    Raises:
        UsageError: when there are more components than samples.
        DataError: when even the smallest mixture has more parameters than there are samples, or none can be fitted.

    Example:
        >>> import numpy as np
        >>> x = np.concatenate([np.arange(20.0), np.arange(100.0, 120.0)])[:, None]
        >>> found = GaussianMixture(2, ["spherical"]).explore(Subject(x, np.arange(40)), lambda text: None)
        >>> found.result["best"]
        {'covariance_type': 'spherical', 'components': 2}

    Source: Dempster, Laird, Rubin: Maximum likelihood from incomplete data via the EM algorithm, 1977; Schwarz:
        Estimating the dimension of a model, 1978; Akaike: A new look at the statistical model identification, 1974.
    """

    least_features = 1

    def __init__(
        self,
        max_components: PositiveInt = 6,
        covariance_types: list[CovarianceType] | None = None,
        n_init: PositiveInt = 3,
        max_iter: PositiveInt = 200,
        samples: PositiveInt = 5000,
        seed: NonNegativeInt | None = None,
    ) -> None:
        self.max_components, self.n_init, self.max_iter = max_components, n_init, max_iter
        self.covariance_types = list(dict.fromkeys(covariance_types or ALL))
        self.samples, self.seed = samples, seed

    def explore(self, subject: Subject, tell: Tell) -> Finding:
        """The criteria of each mixture; cross table and maps of the best."""
        check_count("gaussian_mixture", "max_components", self.max_components, len(subject))
        notes = subject.advice()
        sizes = [(kind, k) for kind in self.covariance_types for k in range(1, self.max_components + 1)]
        samples, width = subject.x.shape
        small = [(kind, k) for kind, k in sizes if parameters(kind, k, width) <= samples]
        notes += left_out(sizes, small, samples, width)
        mixtures, models = [], {}
        for kind, k in small:
            tell(f"{kind} covariance, {k} of {self.max_components} components")
            model = self.fitted(kind, k, subject)
            if model is None:
                notes.append(f"{kind} covariance with {k} components: a covariance is singular")
                continue
            models[kind, k] = model
            mixtures.append(row_of(model, subject))
        if not models:
            expected = f"{parameters('spherical', 1, width)} samples or more, for {width} features"
            hint = "take fewer features, as by `prepare: [pca: 10]`"
            raise DataError(
                "no mixture can be fitted", where=subject.where, expected=expected, got=str(samples), hint=hint
            )
        best = min(mixtures, key=lambda row: row["bic"])
        chosen = {name: best[name] for name in ("covariance_type", "components")}
        slow = [f"{row['covariance_type']} {row['components']}" for row in mixtures if not row["converged"]]
        if slow:
            notes.append(f"not converged after {self.max_iter} iterations: {', '.join(slow)}; raise max_iter")
        if best["components"] == self.max_components > 1:
            notes.append("the smallest BIC stands at the end of the curve: raise max_components")
        found = Finding({"mixtures": mixtures, "best": chosen}, notes=notes)
        headers = [name for name in best if name not in ("weights", "converged")]
        table = [[round(row[name]) if name in CRITERIA else row[name] for name in headers] for row in mixtures]
        found.shown.append(Table("mixtures", [name.replace("_", " ") for name in headers], table))
        count, kind = best["components"], best["covariance_type"]
        found.shown.append(f"smallest BIC: {kind} covariance, {count} {'component' if count == 1 else 'components'}")
        for criterion, word in CRITERIA.items():
            kinds = dict.fromkeys(str(row["covariance_type"]) for row in mixtures)
            curves = {name: curve(mixtures, name, criterion) for name in kinds}
            found.figures[criterion] = line_chart(f"Gaussian mixtures: {word}", "components", word, curves)
        model = models[kind, count]
        compare(found, model.predict(subject.x), subject, count, "component")
        found.columns["probability"] = model.predict_proba(subject.x).max(axis=1)
        return found

    def fitted(self, kind: str, k: int, subject: Subject) -> Any:
        """scikit-learn's estimator, fitted; None where a covariance is singular."""
        from sklearn import mixture

        model = mixture.GaussianMixture(
            k, covariance_type=kind, n_init=self.n_init, max_iter=self.max_iter, random_state=subject.random_state
        )
        with warnings.catch_warnings():  # of max_iter, and of equal samples: told by `converged`
            warnings.simplefilter("ignore")
            try:
                return model.fit(subject.x)
            except ValueError as error:
                if "ill-defined empirical covariance" in str(error):
                    return None
                raise


def row_of(model: Any, subject: Subject) -> dict[str, Any]:
    """What is told of one mixture."""
    return {
        "covariance_type": model.covariance_type,
        "components": model.n_components,
        "parameters": parameters(model.covariance_type, model.n_components, subject.x.shape[1]),
        "log_likelihood": float(model.score(subject.x)),
        "bic": float(model.bic(subject.x)),
        "aic": float(model.aic(subject.x)),
        "iterations": int(model.n_iter_),
        "converged": bool(model.converged_),
        "weights": model.weights_.tolist(),
        **agreement(model.predict(subject.x), subject, model.n_components),
    }


def parameters(kind: str, k: int, width: int) -> int:
    """Free parameters of a mixture of k components in so many dimensions: means, covariances, weights.

    Example:
        >>> [parameters(kind, 2, 3) for kind in ("full", "tied", "diag", "spherical")]
        [19, 13, 13, 9]
    """
    half = width * (width + 1) // 2
    return k * width + {"full": k * half, "tied": half, "diag": k * width, "spherical": k}[kind] + k - 1


def left_out(
    sizes: list[tuple[CovarianceType, int]], small: list[tuple[CovarianceType, int]], samples: int, width: int
) -> list[str]:
    """A sentence on the mixtures that have more parameters than there are samples."""
    firsts: dict[str, int] = {}
    for kind, k in sizes:
        if (kind, k) not in small:
            firsts.setdefault(kind, k)
    if not firsts:
        return []
    said = ", ".join(f"{kind} from {k} on ({parameters(kind, k, width)})" for kind, k in firsts.items())
    return [f"left out, with more parameters than the {samples} samples: {said}; `prepare: [pca: 10]` makes them fewer"]


def curve(mixtures: list[dict[str, Any]], kind: str, criterion: str) -> tuple[list[int], list[float]]:
    """A criterion over the number of components, for one type of covariance."""
    rows = [row for row in mixtures if row["covariance_type"] == kind]
    return [row["components"] for row in rows], [row[criterion] for row in rows]
