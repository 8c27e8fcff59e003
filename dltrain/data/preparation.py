"""Preparing features element by element: constants fitted on the training part, applied to everything."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

import numpy as np

from dltrain.data.examples import Array, Examples, Features, chunks
from dltrain.data.misfit import Misfit
from dltrain.errors import ConfigError, Problem
from dltrain.registry import register
from dltrain.types import PositiveFloat

Constants = dict[str, Array]
Columns = list[str | int] | None
Axis = Literal["feature", "channel", "all"]


@register("preparation", "scale")
class Scale:
    """Divide by a number:  x' = x / by.

    Parameters:
        by: the number; left out: the largest absolute value of the training part (255 is right for images of bytes)
        columns: names or positions of the columns; left out: all that hold numbers

    Example:
        >>> Scale(by=255).apply(np.array([[0, 51, 255]]), {"by": np.array(255.0)}).tolist()
        [[0.0, 0.2, 1.0]]

    Source: LeCun, Bottou, Orr and Müller, Efficient backprop, 1998, section 4.3.
    """

    takes = "numbers"
    fills_missing = False
    in_place = True

    def __init__(self, by: PositiveFloat | None = None, columns: Columns = None) -> None:
        self.by, self.columns = by, columns

    def fit(self, examples: Examples) -> Constants:
        """{"by": ()}; 1 where all features are zero."""
        if self.by is not None:
            return {"by": np.array(self.by, np.float64)}
        x = examples.columns["x"]
        largest = max(float(x.max()), -float(x.min()))
        return {"by": np.array(largest or 1.0, np.float64)}

    def apply(self, x: Array, constants: Mapping[str, Array]) -> Array:
        """x / by, in float64."""
        return x / constants["by"]

    def invert(self, x: Array, constants: Mapping[str, Array]) -> Array:
        """x · by."""
        return x * constants["by"]

    def output(self, features: Features, constants: Mapping[str, Array]) -> Features:
        """As they were."""
        return features


@register("preparation", "standardize")
class Standardize:
    """Subtract the mean, divide by the standard deviation:  x' = (x - mean) / deviation.

    Both are taken over the training part, in float64 and two passes.  Where a feature is constant its
    deviation counts as 1, so it becomes 0.

    Parameters:
        axis: feature: each feature for itself; channel: each entry of the last axis, over all positions; all: one mean
            and deviation for everything
        columns: names or positions of the columns; left out: all that hold numbers

    Example:
        >>> x = np.array([[1.0, 7.0], [3.0, 7.0]])
        >>> Standardize().apply(x, Standardize().fit(Examples({"x": x}, np.arange(2)))).tolist()
        [[-1.0, 0.0], [1.0, 0.0]]

    Source: LeCun, Bottou, Orr and Müller, Efficient backprop, 1998, section 4.3.
    """

    takes = "numbers"
    fills_missing = False
    in_place = True

    def __init__(self, axis: Axis = "feature", columns: Columns = None) -> None:
        self.axis, self.columns = axis, columns

    def fit(self, examples: Examples) -> Constants:
        """{"mean": array, "deviation": array}, broadcast over the examples."""
        x = examples.columns["x"]
        axes = axes_of(self.axis, x.ndim)
        count = float(np.prod([x.shape[a] for a in axes]))
        mean = total(x, axes, lambda part: part) / count
        variance = total(x, axes, lambda part: np.square(part - mean)) / count
        spread = np.sqrt(variance)
        # rounding in the mean leaves a spread of this size where all values are equal
        constant = spread <= 1e-12 * np.maximum(np.abs(mean), np.finfo(np.float64).tiny)
        return {"mean": mean, "deviation": np.where(constant, 1.0, spread)}

    def apply(self, x: Array, constants: Mapping[str, Array]) -> Array:
        """(x - mean) / deviation, in float64."""
        return (x - constants["mean"]) / constants["deviation"]

    def invert(self, x: Array, constants: Mapping[str, Array]) -> Array:
        """mean + x · deviation."""
        return constants["mean"] + x * constants["deviation"]

    def output(self, features: Features, constants: Mapping[str, Array]) -> Features:
        """As they were."""
        return features


def axes_of(axis: Axis, ndim: int) -> tuple[int, ...]:
    """The axes over which the constants of `feature`, `channel` or `all` are taken."""
    return {"feature": (0,), "channel": tuple(range(ndim - 1)), "all": tuple(range(ndim))}[axis]


def total(x: Array, axes: tuple[int, ...], value: Callable[[Array], Array]) -> Array:
    """Sum of value(x) over some axes, among them the first, accumulated in float64."""
    return np.asarray(sum(value(x[rows].astype(np.float64)).sum(axis=axes) for rows in chunks(x)))


@register("preparation", "min_max")
class MinMax:
    """Stretch to a range:  x' = low + (x - min) (high - low) / (max - min).

    Where a feature is constant it becomes `low`.  New data may leave the range.

    Parameters:
        low: what the smallest value of the training part becomes
        high: what the largest becomes
        axis: feature: each feature for itself; channel: each entry of the last axis, over all positions; all: one
            range for everything
        columns: names or positions of the columns; left out: all that hold numbers

    Example:
        >>> x = np.array([[0.0, 5.0], [2.0, 5.0], [4.0, 5.0]])
        >>> MinMax().apply(x, MinMax().fit(Examples({"x": x}, np.arange(3)))).tolist()
        [[0.0, 0.0], [0.5, 0.0], [1.0, 0.0]]

    Source: LeCun, Bottou, Orr and Müller, Efficient backprop, 1998, section 4.3.
    """

    takes = "numbers"
    fills_missing = False
    in_place = True

    def __init__(self, low: float = 0.0, high: float = 1.0, axis: Axis = "feature", columns: Columns = None) -> None:
        self.low, self.high, self.axis, self.columns = low, high, axis, columns

    def fit(self, examples: Examples) -> Constants:
        """{"least": array, "range": array}, broadcast over the examples; a range of 1 for what is constant.

        Raises:
            ConfigError: when the range to stretch to is empty.
        """
        if self.high <= self.low:
            got = f"{self.low:g} to {self.high:g}"
            problem = Problem(("data", "prepare"), "min_max: this range is empty", "low below high", got)
            raise ConfigError([problem])
        x = examples.columns["x"]
        axes = axes_of(self.axis, x.ndim)
        least = x.min(axis=axes).astype(np.float64)
        extent = x.max(axis=axes).astype(np.float64) - least
        return {"least": least, "range": np.where(extent == 0, 1.0, extent)}

    def apply(self, x: Array, constants: Mapping[str, Array]) -> Array:
        """low + (x - least) (high - low) / range, in float64."""
        return self.low + (x - constants["least"]) * ((self.high - self.low) / constants["range"])

    def invert(self, x: Array, constants: Mapping[str, Array]) -> Array:
        """least + (x - low) · range / (high - low)."""
        return constants["least"] + (x - self.low) * (constants["range"] / (self.high - self.low))

    def output(self, features: Features, constants: Mapping[str, Array]) -> Features:
        """As they were."""
        return features


@register("preparation", "log1p")
class Log1p:
    """The logarithm of long-tailed counts and prices:  x' = ln(1 + x), for x > -1.

    Parameters:
        columns: names or positions of the columns; left out: all that hold numbers

    Example:
        >>> Log1p().apply(np.array([[0.0, np.e - 1]]), {}).tolist()
        [[0.0, 1.0]]

    Source: Tukey, Exploratory data analysis, 1977.
    """

    takes = "numbers"
    fills_missing = False
    in_place = True

    def __init__(self, columns: Columns = None) -> None:
        self.columns = columns

    def fit(self, examples: Examples) -> Constants:
        """Nothing."""
        return {}

    def apply(self, x: Array, constants: Mapping[str, Array]) -> Array:
        """ln(1 + x), in float64.

        Raises:
            Misfit: at a value that has no logarithm.
        """
        wrong = x <= -1
        if wrong.any():
            row, *place = (int(i) for i in np.argwhere(wrong)[0])
            raise Misfit("this value has no logarithm", row, tuple(place), "a value above -1")
        return np.log1p(x.astype(np.float64))

    def invert(self, x: Array, constants: Mapping[str, Array]) -> Array:
        """exp(x) - 1."""
        return np.expm1(x)

    def output(self, features: Features, constants: Mapping[str, Array]) -> Features:
        """As they were."""
        return features
