"""Preparations that make more features of some."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations, combinations_with_replacement
from math import comb
from typing import Annotated

import numpy as np
from annotated_types import Ge, Le

from dltrain.data.examples import Array, Examples, Features
from dltrain.data.pipeline import MOST_OUTPUTS
from dltrain.data.preparation import Columns, Constants
from dltrain.errors import ConfigError, Problem
from dltrain.registry import register


@register("preparation", "polynomial")
class Polynomial:
    """All products of up to `degree` features:  a, b  ->  a, b, a², a b, b².

    Parameters:
        degree: most factors of a product
        interaction_only: only products of different features
        columns: names or positions of the columns; left out: all that hold numbers

    Raises:
        ConfigError: when there would be too many.

    Example:
        >>> x = np.array([[2.0, 3.0]])
        >>> step = Polynomial(); constants = step.fit(Examples({"x": x}, np.arange(1)))
        >>> step.apply(x, constants).tolist(), step.output(Features((2,), ["a", "b"]), constants).names
        ([[2.0, 3.0, 4.0, 6.0, 9.0]], ['a', 'b', 'a^2', 'a b', 'b^2'])

    Source: Hastie, Tibshirani and Friedman, The elements of statistical learning, 2009, chapter 5.
    """

    takes = "numbers"
    fills_missing = False
    in_place = True

    def __init__(
        self, degree: Annotated[int, Ge(2), Le(20)] = 2, interaction_only: bool = False, columns: Columns = None
    ) -> None:
        self.degree, self.interaction_only, self.columns = degree, interaction_only, columns

    def fit(self, examples: Examples) -> Constants:
        """{"powers": (T, D)}: the exponents of each product."""
        shape = examples.columns["x"].shape[1:]
        if len(shape) != 1:
            got, hint = f"shape {shape}", "leave polynomial out"
            problem = Problem(("data", "prepare"), "polynomial takes a table", "features of shape (D,)", got, hint)
            raise ConfigError([problem])
        (width,) = shape
        again = 0 if self.interaction_only else 1  # whether a feature may be a factor more than once
        total = sum(comb(width + again * (degree - 1), degree) for degree in range(1, self.degree + 1))
        if total > MOST_OUTPUTS:
            what, expected = "polynomial: this would make too many features", f"at most {MOST_OUTPUTS:,}"
            hint = "take a lower `degree`, or choose fewer `columns`"
            raise ConfigError([Problem(("data", "prepare"), what, expected, f"{total:,}", hint)])
        choose = combinations if self.interaction_only else combinations_with_replacement
        terms = [term for degree in range(1, self.degree + 1) for term in choose(range(width), degree)]
        return {"powers": np.array([np.bincount(term, minlength=width) for term in terms], np.int64)}

    def apply(self, x: Array, constants: Mapping[str, Array]) -> Array:
        """(N, D) -> (N, T)."""
        x = x.astype(np.float64, copy=False)
        out = np.empty((len(x), len(constants["powers"])))
        for t, powers in enumerate(constants["powers"]):
            factors = np.repeat(np.arange(len(powers)), powers)
            out[:, t] = x[:, factors[0]]
            for k in factors[1:]:
                out[:, t] *= x[:, k]
        return out

    def output(self, features: Features, constants: Mapping[str, Array]) -> Features:
        """a^2 and a b for the products of a and b."""
        names = [
            " ".join(features.name(k) + (f"^{n}" if n > 1 else "") for k, n in enumerate(powers) if n)
            for powers in constants["powers"].tolist()
        ]
        return Features((len(names),), names)
