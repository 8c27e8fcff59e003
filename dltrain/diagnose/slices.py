"""Where a run does badly: its error for each value of a column, or for each range of a number."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from dltrain.data import DataFolders, Pool
from dltrain.data.lazy import select
from dltrain.errors import UsageError
from dltrain.registry import create
from dltrain.suggest import hint

if TYPE_CHECKING:
    from dltrain.diagnose.mistakes import Mistakes
    from dltrain.layers.base import Array
    from dltrain.training.trained import Run

VALUES = 12  # different numbers, above which a column is cut into ranges
RANGES = 5  # of equally many examples
SURE = 1.96  # standard errors of an interval of 95 %


def slices(run: Run, found: Mistakes, column: str) -> list[dict[str, Any]]:
    """The error for each value or range of a column, the slices first whose error is surely large.

    Parameters:
        run: says where its data are
        found: what it makes of each example
        column: a feature as it was read, `group` or `time`, or `label`, `prediction`, `confidence`

    Returns:
        [{slice, samples, errors, error, low, high}]: low and high are an interval of 95 % (Wilson's); of a regression
        error is the mean squared error and errors is None

    Raises:
        UsageError: when there is no such column.

    Source: Wilson: Probable inference, the law of succession, and statistical inference, 1927.
    """
    values = values_of(run, found, column)
    rows = [{"slice": name, **measured(found, some)} for name, some in parts(values)]
    return sorted(rows, key=lambda row: (-row["low"], -row["error"], row["slice"]))


def values_of(run: Run, found: Mistakes, column: str) -> Array:
    """The value of each example in a column.

    Raises:
        UsageError: when there is no such column.
    """
    own = {"label": found.labels, "prediction": found.predictions, "confidence": found.confidence}
    if own.get(column) is not None:
        return np.array(own[column])
    experiment = run.session.experiment
    pool: Pool = create("source", experiment.data.source).load(DataFolders(experiment.folder))
    names = pool.feature_names if pool.columns["x"].ndim == 2 else []
    if column in names:
        k = names.index(column)
        raw = np.asarray(select(pool.columns["x"], found.ids))[:, k]
        words = pool.categories.get(k)
        return raw if words is None else np.array([words[int(number)] if number >= 0 else "?" for number in raw])
    if column in ("group", "time") and column in pool.columns:
        return np.asarray(pool.columns[column][found.ids])
    known = [*names, *(role for role in ("group", "time") if role in pool.columns)]
    known += [name for name, there in own.items() if there is not None]
    advice = hint(column, known, f"there are {', '.join(known[:30])}")
    raise UsageError("the data have no such column", where=run.folder.name, got=repr(column), hint=advice)


def parts(values: Array) -> list[tuple[str, Array]]:
    """(name, which examples) of each value; of numbers with many values of each of five ranges.

    Example:
        >>> [(name, int(some.sum())) for name, some in parts(np.arange(100.0))]
        [('0 to 19', 20), ('20 to 39', 20), ('40 to 59', 20), ('60 to 79', 20), ('80 to 99', 20)]
        >>> [name for name, _ in parts(np.array(["b", "a", "b"]))]
        ['a', 'b']
    """
    numbers = values.dtype.kind in "iuf"
    missing = ~np.isfinite(values) if values.dtype.kind == "f" else np.zeros(len(values), bool)
    different = np.unique(values[~missing])
    if numbers and len(different) > VALUES:
        edges = np.unique(np.quantile(values[~missing], np.arange(1, RANGES) / RANGES, method="higher"))
        place = np.searchsorted(edges, values, side="right")
        some = [(place == k) & ~missing for k in range(len(edges) + 1)]
        found = [(f"{values[which].min():.4g} to {values[which].max():.4g}", which) for which in some if which.any()]
    else:
        found = [(f"{value:g}" if numbers else str(value), values == value) for value in different]
    return found + ([("missing", missing)] if missing.any() else [])


def measured(found: Mistakes, some: Array) -> dict[str, Any]:
    """How many examples of a slice there are, and how they do."""
    count, loss = int(some.sum()), found.loss[some]
    if found.classes is None:
        error, width = float(loss.mean()), SURE * float(loss.std()) / math.sqrt(count)
        return {"samples": count, "errors": None, "error": error, "low": max(error - width, 0.0), "high": error + width}
    wrong = int(found.wrong[some].sum())
    low, high = wilson(wrong, count)
    return {"samples": count, "errors": wrong, "error": wrong / count, "low": low, "high": high}


def wilson(wrong: int, count: int) -> tuple[float, float]:
    """The interval of 95 % of a share, Wilson's, which stays between 0 and 1.

    Example:
        >>> [round(end, 4) for end in wilson(1, 10)]
        [0.0179, 0.4042]
    """
    share, z = wrong / count, SURE * SURE / count
    middle, width = (share + z / 2) / (1 + z), math.sqrt(share * (1 - share) * z + z * z / 4) / (1 + z)
    return max(middle - width, 0.0), min(middle + width, 1.0)
