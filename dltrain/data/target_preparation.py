"""Targets of a regression: prepared like features, by what the training part says, and brought back for metrics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from dltrain.data import pipeline
from dltrain.data.examples import Array, Examples, Features
from dltrain.errors import ConfigError, Problem
from dltrain.registry import entries, parse

PATH = ("data", "prepare_target")
OWN = "target."  # the beginning of the names of their constants


def fit(specs: Sequence[Any], train: Examples, names: Sequence[str], place: pipeline.Place) -> dict[str, Array]:
    """The constants of the targets' preparations, {"target.0.standardize.mean": array}.

    Raises:
        ConfigError: when a preparation cannot be undone, or does not suit the targets.
        DataError: when a value does not suit it.
    """
    for position, spec in enumerate(specs):
        entry, _ = parse(spec, "preparation", (*PATH, position))
        if not hasattr(entry.make, "invert"):
            known = ", ".join(name for name, other in entries("preparation").items() if hasattr(other.make, "invert"))
            what = f"{entry.name} cannot be undone, so that predictions would have no unit"
            raise ConfigError([Problem((*PATH, position), what, known, entry.name)])
    found = pipeline.fit(specs, as_features(train, names), place, PATH)
    return {OWN + name: value for name, value in found.items()}


def apply(
    specs: Sequence[Any], constants: Mapping[str, Array], examples: Examples, dtype: str, place: pipeline.Place
) -> Examples:
    """Examples with prepared targets."""
    prepared = pipeline.apply(specs, own(constants), as_features(examples, ()), dtype, place)
    return replace(examples, columns={**examples.columns, "y": prepared.columns["x"]})


def restore(specs: Sequence[Any], constants: Mapping[str, Array], y: Array) -> Array:
    """Values (N, M) float64 in the unit in which the targets were read; infinite where they are no numbers there."""
    values = y.astype(np.float64)
    with np.errstate(over="ignore", invalid="ignore"):
        for step, constant in reversed(list(pipeline.with_constants(specs, own(constants)))):
            chosen = constant.get("columns", slice(None))
            values[:, chosen] = step.invert(values[:, chosen], constant)
    return values


def own(constants: Mapping[str, Array]) -> dict[str, Array]:
    """The constants of the targets' preparations among all of a data set."""
    return {name.removeprefix(OWN): value for name, value in constants.items() if name.startswith(OWN)}


def as_features(examples: Examples, names: Sequence[str]) -> Examples:
    """Examples whose features are the targets (N, M)."""
    y = examples.columns["y"]
    return Examples({"x": y}, examples.ids, Features(y.shape[1:], list(names)))
