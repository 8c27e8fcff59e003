"""Principal components of the data: how many there are, and what the first two show."""

from __future__ import annotations

import numpy as np

from dltrain.data.examples import Array
from dltrain.explore.finding import Finding, Table, Tell, scatter
from dltrain.explore.subject import Subject
from dltrain.registry import register
from dltrain.report.svg import heat_map, line_chart
from dltrain.types import NonNegativeInt, PositiveInt

SHARES = (0.5, 0.8, 0.9, 0.95, 0.99)
MOST_FEATURES = 40  # rows of a readable picture of the components


@register("exploration", "pca")
class Pca:
    """Principal components: how much of the variance the first k hold, and a map of the samples along the first two.

    With the eigenvalues λ of the covariance of the features, largest first, component k holds the share λ_k / Σ λ.
    The samples (N, D) have min(N, D) components; all are computed.

    Parameters:
        n_components: how many are listed and written for each sample
        samples: the most that are looked at; more are drawn from, since the time grows with their number times D²
        seed: of the drawing; left out: the config's

    Example:
        >>> line = Subject(np.array([[0.0, 0.1], [1.0, 0.9], [2.0, 2.1]]), np.arange(3))
        >>> Pca(1).explore(line, lambda text: None).result["needed"]["0.9"]
        1

    Source: Pearson: On lines and planes of closest fit to systems of points in space, 1901; Hotelling, 1933; the
        curve: Cattell: The scree test for the number of factors, 1966.
    """

    least_features = 2

    def __init__(
        self, n_components: PositiveInt = 10, samples: PositiveInt = 5000, seed: NonNegativeInt | None = None
    ) -> None:
        self.n_components, self.samples, self.seed = n_components, samples, seed

    def explore(self, subject: Subject, tell: Tell) -> Finding:
        """Variances, contributions of the features, and places of the samples."""
        from sklearn.decomposition import PCA

        tell(f"components of {len(subject)} samples with {subject.x.shape[1]} features")
        tall = (
            len(subject) >= subject.x.shape[1]
        )  # then the covariance is the smaller matrix, and several times as fast
        model = PCA(svd_solver="covariance_eigh" if tall else "full")
        places = np.asarray(model.fit_transform(subject.x))
        shares = model.explained_variance_ratio_
        needed = {f"{share:g}": needed_for(shares, share) for share in SHARES}
        count = min(self.n_components, len(shares))
        cumulative = np.minimum(np.cumsum(shares), 1.0)
        found = Finding(
            {
                "components": len(shares),
                "explained_variance": model.explained_variance_.tolist(),
                "explained_variance_ratio": shares.tolist(),
                "needed": needed,
            },
            notes=subject.advice(),
        )
        rows = [
            [k + 1, float(model.explained_variance_[k]), float(shares[k]), float(cumulative[k])] for k in range(count)
        ]
        headers = ["component", "variance", "share", "together"]
        found.shown.append(Table(f"variance of the first {count} of {len(shares)} components", headers, rows))
        said = ", ".join(f"{k} for {float(share):.0%}" for share, k in needed.items())
        found.shown.append(f"components needed: {said}")
        numbers = list(range(1, len(shares) + 1))
        curves = {"each": (numbers, shares.tolist()), "together": (numbers, cumulative.tolist())}
        found.figures["variance"] = line_chart("Explained variance", "component", "share of the variance", curves)
        if places.shape[1] > 1:
            axes = tuple(f"component {k + 1} ({shares[k]:.1%} of the variance)" for k in range(2))
            found.figures["samples"] = scatter(
                "Principal components", (axes[0], axes[1]), places[:, :2], subject.groups()
            )
        if subject.names and len(subject.names) <= MOST_FEATURES:
            found.figures["contributions"] = contributions(subject, model.components_[:count])
        found.columns |= {f"component_{k + 1}": places[:, k] for k in range(count)}
        return found


def needed_for(shares: Array, wanted: float) -> int:
    """How many components together hold a share of the variance.

    Example:
        >>> needed_for(np.array([0.6, 0.3, 0.1]), 0.8)
        2
    """
    return min(int(np.searchsorted(np.cumsum(shares), wanted - 1e-12)) + 1, len(shares))


def contributions(subject: Subject, components: Array) -> str:
    """What each feature contributes to each component: the squares of its entries, which sum to 1."""
    columns = [f"component {k + 1}" for k in range(len(components))]
    rows = [subject.feature(k) for k in range(components.shape[1])]
    return heat_map("Contribution of the features", rows, columns, np.round(components.T**2, 2).tolist())
