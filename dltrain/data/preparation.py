"""Preparing features: constants fitted on the training part only, stored with the run, applied to everything."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import numpy as np

from dltrain.data.examples import Array, Examples, chunks
from dltrain.errors import DataError
from dltrain.registry import create, parse, register
from dltrain.types import PositiveFloat

Constants = dict[str, Array]


@register("preparation", "scale")
class Scale:
    """Divide by a number:  x' = x / by.

    Parameters:
        by: the number; left out: the largest absolute value of the training part (255 is right for images of bytes)
    """

    def __init__(self, by: PositiveFloat | None = None) -> None:
        self.by = by

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


@register("preparation", "standardize")
class Standardize:
    """Subtract the mean, divide by the standard deviation:  x' = (x - mean) / deviation.

    Both are taken over the training part, in float64 and two passes.  Where a feature is constant its
    deviation counts as 1, so it becomes 0.

    Parameters:
        axis: feature: each feature for itself; channel: each entry of the last axis, over all positions; all: one mean
            and deviation for everything
    """

    def __init__(self, axis: Literal["feature", "channel", "all"] = "feature") -> None:
        self.axis = axis

    def fit(self, examples: Examples) -> Constants:
        """{"mean": array, "deviation": array}, broadcast over the examples."""
        x = examples.columns["x"]
        axes = {"feature": (0,), "channel": tuple(range(x.ndim - 1)), "all": tuple(range(x.ndim))}[self.axis]
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


def total(x: Array, axes: tuple[int, ...], value: Callable[[Array], Array]) -> Array:
    """Sum of value(x) over some axes, among them the first, accumulated in float64."""
    return np.asarray(sum(value(x[rows].astype(np.float64)).sum(axis=axes) for rows in chunks(x)))


def fit(specs: Sequence[Any], train: Examples, dtype: str) -> Constants:
    """Fit preparations one after the other on the training part.

    Returns:
        Their constants by position and name, {"0.standardize.mean": array}.
    """
    constants: Constants = {}
    for position, spec in enumerate(specs):
        prepared = apply(specs[:position], constants, train, dtype) if position else train
        with np.errstate(over="ignore", invalid="ignore"):  # values near the largest float: `apply` refuses them
            fitted = create("preparation", spec).fit(prepared)
        constants |= {f"{prefix(position, spec)}.{name}": value for name, value in fitted.items()}
    return constants


def apply(
    specs: Sequence[Any],
    constants: Mapping[str, Array],
    examples: Examples,
    dtype: str,
    place: Callable[[int], str] = "sample {}".format,
) -> Examples:
    """Prepare examples with fitted constants; "x" comes back as a new array of the given type.

    Parameters:
        specs: the preparations, in order
        constants: what `fit` returned
        examples: raw examples; they are not changed
        dtype: float32 or float64
        place: names the sample with an id, for errors

    Raises:
        DataError: when a value does not fit into the type.
    """
    steps = []
    for position, spec in enumerate(specs):
        start = prefix(position, spec) + "."
        own = {name.removeprefix(start): value for name, value in constants.items() if name.startswith(start)}
        steps.append((create("preparation", spec), own))
    x = examples.columns["x"]
    out = np.empty(x.shape, dtype)
    with np.errstate(over="ignore", invalid="ignore"):
        for rows in chunks(x):
            values = x[rows]
            for step, own in steps:
                values = step.apply(values, own)
            out[rows] = values
            check_fits(out[rows], x[rows], examples.ids[rows], place)
    return Examples({**examples.columns, "x": out}, examples.ids)


def prefix(position: int, spec: Any) -> str:
    """The beginning of the names of a preparation's constants."""
    return f"{position}.{parse(spec, 'preparation')[0].name}"


def check_fits(prepared: Array, raw: Array, ids: Array, place: Callable[[int], str]) -> None:
    """Raise a DataError when prepared values are not finite: the raw ones were."""
    if np.isfinite(prepared).all():
        return
    row, *feature = (int(i) for i in np.argwhere(~np.isfinite(prepared))[0])
    where = f"{place(int(ids[row]))}, feature {', '.join(map(str, feature))}"
    hint = "use `dtype: float64`, or another unit"
    got = f"{raw[(row, *feature)]:g}"
    raise DataError(f"this value is too large for {prepared.dtype}", where=where, got=got, hint=hint)
