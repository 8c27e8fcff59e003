"""Targets of a regression: prepared like features, by what the training part says, and brought back for metrics."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from dltrain.data import pipeline
from dltrain.data.examples import Array, Examples, Features
from dltrain.errors import ConfigError, Problem
from dltrain.registry import entries, parse

PATH = ("data", "prepare_target")
HEADS = ("task", "multi_task", "heads")
OWN = "target."  # the beginning of the names of their constants

Prepared = tuple[str, Sequence[Any], slice]


def prepared(scales: Sequence[Any], heads: Mapping[str, Any]) -> Iterator[Prepared]:
    """(head or "", specs, columns) of all targets that are prepared.

    Parameters:
        scales: specs for the targets of a single task
        heads: of a task with several: {head: its columns and perhaps prepare_target}
    """
    if scales:
        yield "", scales, slice(None)
    for name, head in heads.items():
        if head.get("prepare_target"):
            yield name, head["prepare_target"], slice(*head["columns"])


def fit(
    which: Prepared, train: Examples, names: Sequence[str], place: pipeline.Place, kind: str = "values"
) -> dict[str, Array]:
    """The constants of the targets' preparations, {"target.0.standardize.mean": array}, of a head "target.head.0.…".

    Parameters:
        which: the targets and their preparations
        train: the training examples, their targets as they were read
        names: of these targets
        place: where an example was read
        kind: what these targets are; values are prepared

    Raises:
        ConfigError: when a preparation cannot be undone, or does not suit the targets.
        DataError: when a value does not suit it.
    """
    head, specs, columns = which
    path: tuple[str | int, ...] = (*HEADS, head, "prepare_target") if head else PATH
    if kind != "values":
        what, hint = "the targets are no numbers to prepare", "leave it out: it is for a regression without `places`"
        raise ConfigError([Problem(path, what, "", kind, hint)])
    for position, spec in enumerate(specs):
        entry, _ = parse(spec, "preparation", (*path, position))
        if not hasattr(entry.make, "invert"):
            known = ", ".join(name for name, other in entries("preparation").items() if hasattr(other.make, "invert"))
            what = f"{entry.name} cannot be undone, so that predictions would have no unit"
            raise ConfigError([Problem((*path, position), what, known, entry.name)])
    found = pipeline.fit(specs, as_features(train, names, columns), place, path)
    return {beginning(head) + name: value for name, value in found.items()}


def apply(
    which: Iterable[Prepared], constants: Mapping[str, Array], examples: Examples, dtype: str, place: pipeline.Place
) -> Examples:
    """Examples with prepared targets; those of several heads stay side by side."""
    for head, specs, columns in which:
        found = pipeline.apply(specs, own(constants, head), as_features(examples, (), columns), dtype, place)
        y = found.columns["x"]
        if head:
            y = examples.columns["y"].copy()
            y[:, columns] = found.columns["x"]
        examples = replace(examples, columns={**examples.columns, "y": y})
    return examples


def restore(specs: Sequence[Any], constants: Mapping[str, Array], y: Array, head: str = "") -> Array:
    """Values (N, M) float64 in the unit in which the targets were read; infinite where they are no numbers there."""
    values = y.astype(np.float64)
    with np.errstate(over="ignore", invalid="ignore"):
        for step, constant in reversed(list(pipeline.with_constants(specs, own(constants, head)))):
            chosen = constant.get("columns", slice(None))
            values[:, chosen] = step.invert(values[:, chosen], constant)
    return values


def beginning(head: str) -> str:
    """How the names of the constants begin, of a single task or of one head."""
    return f"{OWN}{head}." if head else OWN


def own(constants: Mapping[str, Array], head: str = "") -> dict[str, Array]:
    """The constants of the targets' preparations among all of a data set."""
    start = beginning(head)
    return {name.removeprefix(start): value for name, value in constants.items() if name.startswith(start)}


def as_features(examples: Examples, names: Sequence[str], columns: slice) -> Examples:
    """Examples whose features are the targets (N, M)."""
    y = examples.columns["y"]
    y = y[:, columns] if y.ndim == 2 else y
    return Examples({"x": y}, examples.ids, Features(y.shape[1:], list(names)))
