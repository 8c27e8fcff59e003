"""Preparations for tables as they are: missing values, and words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np

from dltrain.data.examples import Array, Examples, Features
from dltrain.data.misfit import Misfit
from dltrain.data.preparation import Columns, Constants
from dltrain.errors import ConfigError, DataError, Problem
from dltrain.registry import register

MANY = 20  # that many categories may be as many as there are examples


@register("preparation", "impute")
class Impute:
    """Fill in missing values, with what the training part says about their column.

    Parameters:
        strategy: mean, median: of the column; most_frequent: its most frequent value or word, the smallest of several;
            constant: `fill_value`
        fill_value: what `constant` fills in: a number, or a word, which may be a category of its own
        indicator: whether a column follows for each column with missing values, 1 where one was filled in
        columns: names or positions of the columns; left out: all that hold numbers for mean, median and a number, all
            that hold words for a word, all for most_frequent

    Example:
        >>> x = np.array([[1.0], [np.nan], [3.0], [8.0]])
        >>> step = Impute("median", indicator=True)
        >>> step.apply(x, step.fit(Examples({"x": x}, np.arange(4)))).tolist()
        [[1.0, 0.0], [3.0, 1.0], [3.0, 0.0], [8.0, 0.0]]

    Source: Little and Rubin, Statistical analysis with missing data, 2002.
    """

    fills_missing = True
    in_place = True

    def __init__(
        self,
        strategy: Literal["mean", "median", "most_frequent", "constant"] = "mean",
        fill_value: float | str | None = None,
        indicator: bool = False,
        columns: Columns = None,
    ) -> None:
        self.strategy, self.fill_value, self.indicator, self.columns = strategy, fill_value, indicator, columns

    @property
    def takes(self) -> str:
        """What columns are meant where none are named."""
        if self.strategy == "most_frequent":
            return "all"
        return "words" if isinstance(self.fill_value, str) else "numbers"

    def fit(self, examples: Examples) -> Constants:
        """{"fill": (D,), "indicated": positions of the columns with missing values}.

        Raises:
            ConfigError: when strategy and `fill_value` do not belong together.
            DataError: when a column is empty.
        """
        if (self.fill_value is None) == (self.strategy == "constant"):
            what = "`fill_value` and the strategy `constant` belong together"
            raise ConfigError([Problem(("data", "prepare"), what, hint="give both, or neither")])
        x, features = examples.columns["x"], examples.described()
        if self.indicator and x.ndim != 2:
            raise ConfigError([Problem(("data", "prepare"), "impute: only a table has columns for an `indicator`")])
        table = x.reshape(len(x), -1).astype(np.float64, copy=False)
        missing = np.isnan(table)
        if missing.all(axis=0).any() and self.strategy != "constant":
            name = features.name(int(np.flatnonzero(missing.all(axis=0))[0]))
            hint = "leave the column out with `drop: [...]`"
            raise DataError(f"all values of {name!r} are missing in the training part", hint=hint, where="impute")
        indicated = np.flatnonzero(missing.any(axis=0))
        return {"fill": self.filling(table, missing, features), "indicated": indicated}

    def filling(self, table: Array, missing: Array, features: Features) -> Array:
        """What is filled into each column."""
        if self.strategy == "constant":
            word = self.fill_value
            return np.array([with_word(features.categories.get(k), word) for k in range(table.shape[1])], np.float64)
        rule: Any = {"mean": np.mean, "median": np.median, "most_frequent": most_frequent}[self.strategy]
        return np.array([rule(table[~missing[:, k], k]) for k in range(table.shape[1])])

    def apply(self, x: Array, constants: Mapping[str, Array]) -> Array:
        """x with its missing values filled in; with `indicator` (N, D) becomes (N, D + indicated)."""
        missing = np.isnan(x)
        filled = np.where(missing, constants["fill"].reshape(x.shape[1:]), x)
        if not self.indicator:
            return filled
        return np.concatenate([filled, missing[:, constants["indicated"]].astype(np.float64)], axis=1)

    def output(self, features: Features, constants: Mapping[str, Array]) -> Features:
        """As they were, with the word that is filled in, and the indicators."""
        word = self.fill_value
        if isinstance(word, str):
            known = {k: words if word in words else [*words, word] for k, words in features.categories.items()}
            features = Features(features.shape, features.names, known)
        if not self.indicator:
            return features
        names = [f"{features.name(k)} missing" for k in constants["indicated"].tolist()]
        return features + Features((len(names),), names) if names else features


def with_word(words: list[str] | None, fill: float | str | None) -> float:
    """A constant as a number: itself, or the number of a word."""
    if isinstance(fill, str) != (words is not None):
        what = "a word is filled into a column of numbers" if words is None else "a number is filled into words"
        raise DataError(what, where="impute", got=repr(fill), hint="name the columns with `columns: [...]`")
    if words is None:
        return float(fill or 0.0)
    return float(words.index(str(fill)) if fill in words else len(words))


def most_frequent(values: Array) -> float:
    """The most frequent value, the smallest of several.

    Example:
        >>> most_frequent(np.array([3.0, 1.0, 3.0, 1.0]))
        1.0
    """
    found, counts = np.unique(values, return_counts=True)
    return float(found[np.argmax(counts)])


@register("preparation", "one_hot")
class OneHot:
    """A column of 0 and 1 for each category of a column that occurs in the training part.

    Parameters:
        unknown: what becomes of a category that the training part does not have: zeros: all its columns are 0; error:
            it is refused with its place
        columns: names or positions of the columns, of words or of numbers; left out: all that hold words

    Example:
        >>> some = Examples({"x": np.array([[1.0], [0.0]])}, np.arange(2), Features((1,), ["sex"], {0: ["f", "m"]}))
        >>> step = OneHot(); constants = step.fit(some)
        >>> step.apply(some.columns["x"], constants).tolist(), step.output(some.features, constants).names
        ([[0.0, 1.0], [1.0, 0.0]], ['sex=f', 'sex=m'])

    Source: Suits, Use of dummy variables in regression equations, 1957.
    """

    takes = "words"
    fills_missing = False
    in_place = False

    def __init__(self, unknown: Literal["zeros", "error"] = "zeros", columns: Columns = None) -> None:
        self.unknown, self.columns = unknown, columns

    def fit(self, examples: Examples) -> Constants:
        """{"values": the categories of all columns one after the other, "counts": how many each has}.

        Raises:
            DataError: when nearly every example is a category of its own.
        """
        x, features = examples.columns["x"], examples.described()
        found = [np.unique(x[:, k]).astype(np.float64) for k in range(x.shape[1])]
        for k, values in enumerate(found):
            if len(values) > max(MANY, len(x) // 2):
                what = f"nearly every example has a category of its own in {features.name(k)!r}"
                hint = "leave the column out with `drop: [...]`"
                raise DataError(what, where="one_hot", got=f"{len(values)} categories", hint=hint)
        return {"values": np.concatenate(found), "counts": np.array([len(values) for values in found], np.int64)}

    def apply(self, x: Array, constants: Mapping[str, Array]) -> Array:
        """(N, D) -> (N, number of categories).

        Raises:
            Misfit: at an unknown category, where that is an error.
        """
        columns = np.repeat(np.arange(len(constants["counts"])), constants["counts"])
        hot = x[:, columns] == constants["values"]  # (N, categories)
        if self.unknown == "error":
            known = np.add.reduceat(hot, np.cumsum([0, *constants["counts"][:-1]]), axis=1)
            if not known.all():
                row, column = (int(i) for i in np.argwhere(known == 0)[0])
                raise Misfit("this category is not in the training part", row, (column,))
        return hot.astype(np.float64)

    def output(self, features: Features, constants: Mapping[str, Array]) -> Features:
        """A name for each category: column=category."""
        columns = np.repeat(np.arange(len(constants["counts"])), constants["counts"]).tolist()
        names = [
            f"{features.name(k)}={features.categories[k][int(value)] if k in features.categories else f'{value:g}'}"
            for k, value in zip(columns, constants["values"].tolist(), strict=True)
        ]
        return Features((len(names),), names)
