"""Preparations that turn the axes of the features: principal components, whitening."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

import numpy as np
from annotated_types import Gt

from dltrain.data.examples import Array, Examples, Features, chunks
from dltrain.data.preparation import Columns, Constants
from dltrain.errors import ConfigError, Problem
from dltrain.registry import register
from dltrain.types import NonNegativeFloat

MOST = 5000  # features or examples, whichever are fewer: the time grows with the cube


@register("preparation", "pca")
class Pca:
    """The principal components of the features, those with the most variance first:  x' = (x - mean) E.

    E holds the first eigenvectors of the training part's covariance; the sign of each is such that its largest entry is
    positive.  Images become vectors.

    Parameters:
        n_components: how many, from 1 on; below 1: as many as together have more than this share of the variance;
            left out: all
        columns: names or positions of the columns; left out: all that hold numbers

    Raises:
        ConfigError: when there are not that many.

    Example:
        >>> x = np.array([[1.0, 1.0], [2.0, 2.0], [3.0, 3.0]])
        >>> step = Pca(1)
        >>> np.round(step.apply(x, step.fit(Examples({"x": x}, np.arange(3)))), 3).tolist()
        [[-1.414], [0.0], [1.414]]

    Source: Pearson: On lines and planes of closest fit to systems of points in space, 1901; Hotelling, 1933.
    """

    takes = "numbers"
    fills_missing = False
    in_place = False

    def __init__(self, n_components: Annotated[float, Gt(0)] | None = None, columns: Columns = None) -> None:
        self.n_components, self.columns = n_components, columns

    def fit(self, examples: Examples) -> Constants:
        """{"mean": (D,), "components": (D, K), "variance": (K,)}."""
        mean, variance, axes = spectrum(examples.columns["x"], "pca")
        count = self.count(variance)
        return {"mean": mean, "components": np.ascontiguousarray(axes[:, :count]), "variance": variance[:count]}

    def count(self, variance: Array) -> int:
        """How many components are kept."""
        wanted, there = self.n_components, len(variance)
        if wanted is None:
            return there
        if wanted < 1:
            shares = np.cumsum(variance) / variance.sum()
            return min(int(np.searchsorted(shares, wanted, side="right")) + 1, there)
        if wanted > there or wanted != int(wanted):
            what = "there are not that many components"
            expected = f"a share below 1, or a whole number from 1 to {there}"
            path = ("data", "prepare")
            raise ConfigError([Problem(path, f"pca: {what}", expected, f"{wanted:g}", "take fewer")])
        return int(wanted)

    def apply(self, x: Array, constants: Mapping[str, Array]) -> Array:
        """(N, …) -> (N, K)."""
        return np.asarray((x.reshape(len(x), -1) - constants["mean"]) @ constants["components"])

    def output(self, features: Features, constants: Mapping[str, Array]) -> Features:
        """pca1, pca2, …."""
        count = constants["components"].shape[1]
        return Features((count,), [f"pca{k + 1}" for k in range(count)])


@register("preparation", "whiten")
class Whiten:
    """Make features uncorrelated and of variance 1:  x' = (x - mean) E diag(1 / √(λ + epsilon)), and for zca times Eᵀ.

    λ and E are eigenvalues and eigenvectors of the training part's covariance.

    Parameters:
        method: zca: turned back, so that images still look like images and keep their shape; pca: in the axes of the
            components
        epsilon: what is added to the variances, so that the smallest are not blown up
        columns: names or positions of the columns; left out: all that hold numbers

    Example:
        >>> x = np.random.default_rng(0).normal(size=(500, 2)) @ [[3.0, 1.0], [0.0, 0.5]]
        >>> step = Whiten(epsilon=0)
        >>> np.round(np.cov(step.apply(x, step.fit(Examples({"x": x}, np.arange(500)))).T), 6).tolist()
        [[1.0, 0.0], [0.0, 1.0]]

    Source: Bell, Sejnowski: The "independent components" of natural scenes are edge filters, 1997; Krizhevsky, 2009.
    """

    takes = "numbers"
    fills_missing = False

    def __init__(
        self, method: Literal["zca", "pca"] = "zca", epsilon: NonNegativeFloat = 1e-5, columns: Columns = None
    ) -> None:
        self.method, self.epsilon, self.columns = method, epsilon, columns

    @property
    def in_place(self) -> bool:
        """Whether each feature is still the one it was."""
        return self.method == "zca"

    def fit(self, examples: Examples) -> Constants:
        """{"mean": (D,), "matrix": (D, D)}; with `method: pca` (D, K), K the smaller of D and N.

        Raises:
            ConfigError: when a variance is 0 and epsilon too.
        """
        x = examples.columns["x"]
        mean, variance, axes = spectrum(x, "whiten")
        scale = np.zeros(axes.shape[0])
        scale[: len(variance)] = variance
        if not self.epsilon and scale.min() <= 1e-12 * scale.max():
            what = "whiten: features depend on each other, so a variance is 0"
            raise ConfigError([Problem(("data", "prepare"), what, hint="give an `epsilon` above 0")])
        matrix = axes / np.sqrt(variance + self.epsilon)
        if self.method == "zca":
            matrix = matrix @ axes.T
        return {"mean": mean, "matrix": np.ascontiguousarray(matrix)}

    def apply(self, x: Array, constants: Mapping[str, Array]) -> Array:
        """(N, …) -> (N, …), or (N, K) with `method: pca`."""
        found = (x.reshape(len(x), -1) - constants["mean"]) @ constants["matrix"]
        return np.asarray(found.reshape(x.shape) if self.method == "zca" else found)

    def output(self, features: Features, constants: Mapping[str, Array]) -> Features:
        """As they were, or whitened1, whitened2, …."""
        count = constants["matrix"].shape[1]
        return features if self.in_place else Features((count,), [f"whitened{k + 1}" for k in range(count)])


def spectrum(x: Array, name: str) -> tuple[Array, Array, Array]:
    """(mean (D,), variances (K,) from large to small, axes (D, K)) of features, in float64.

    K is the smaller of D and N: further variances are 0.  The covariance is that of a sample: divided by N - 1.

    Raises:
        ConfigError: when both are too large.
    """
    count, width = len(x), int(np.prod(x.shape[1:]))
    if min(count, width) > MOST:
        what = f"{name}: there are too many features"
        raise ConfigError([Problem(("data", "prepare"), what, f"at most {MOST:,}", f"{width:,}", "choose `columns`")])
    mean = sum(x[rows].reshape(-1, width).sum(axis=0, dtype=np.float64) for rows in chunks(x)) / count
    if count <= width:
        _, lengths, turned = np.linalg.svd(np.asarray(x).reshape(count, width) - mean, full_matrices=False)
        variance, axes = np.square(lengths) / max(count - 1, 1), turned.T
    else:
        covariance = np.zeros((width, width))
        for rows in chunks(x):
            centred = x[rows].reshape(-1, width) - mean  # (n, D)
            covariance += centred.T @ centred
        variance, axes = np.linalg.eigh(covariance / max(count - 1, 1))
        variance, axes = np.maximum(variance[::-1], 0), axes[:, ::-1]
    largest = axes[np.abs(axes).argmax(axis=0), np.arange(axes.shape[1])]
    return np.asarray(mean), variance, axes * np.where(largest < 0, -1.0, 1.0)
