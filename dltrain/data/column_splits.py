"""Splits that follow a column of the data: by time, and by group."""

from __future__ import annotations

import numpy as np

from dltrain.data.examples import PARTS, Array, Pool
from dltrain.data.splits import Seed, Share, counts_of, finish, free_positions, wanted
from dltrain.errors import ConfigError, DataError, Problem
from dltrain.registry import register
from dltrain.seeds import generator


@register("split", "chronological")
class Chronological:
    """Cut in the order of time: the first examples are for training, then validation, the last ones for the test.

    The order is that of the source's `time` column, or of the file where it names none.  Windows of a series are left
    out where they reach into a later part: no value is in two parts.

    Parameters:
        validation: share or number of examples for validation; 0: none; left out: 0.15, or the source's own part
        test: share or number of examples for the test; 0: none; left out: 0.15, or the source's own part
        train_dev: share or number of the latest training examples, evaluated beside validation; 0: none

    Example:
        >>> pool = Pool({"x": np.zeros((5, 1)), "time": np.array([5.0, 4.0, 3.0, 2.0, 1.0])}, "a.csv")
        >>> {part: index.tolist() for part, index in Chronological(1, 2).split(pool, None, 0).items()}
        {'train': [3, 4], 'validation': [2], 'test': [0, 1]}

    Source: Bergmeir and Benítez, On the use of cross-validation for time series predictor evaluation, 2012.
    """

    def __init__(self, validation: Share | None = None, test: Share | None = None, train_dev: Share = 0.0) -> None:
        self.validation, self.test, self.train_dev = validation, test, train_dev

    def split(self, pool: Pool, labels: Array | None, seed: int) -> dict[str, Array]:
        """{part: sorted positions}.

        Raises:
            ConfigError: when a part would be empty.
        """
        sizes, free = wanted(pool, self, "chronological"), free_positions(pool)
        if "time" in pool.columns:
            free = free[np.argsort(pool.columns["time"][free], kind="stable")]
        counts = counts_of(sizes, len(free), "chronological", pool)
        parts = {}
        for part in reversed(PARTS):
            if part in counts:
                free, parts[part] = free[: -counts[part]], free[-counts[part] :]
                free = ended(free, parts[part], pool)
                check_left(free, part, pool)
        return finish({"train": free, **parts}, pool)


def ended(earlier: Array, later: Array, pool: Pool) -> Array:
    """Those of some earlier examples that have ended when the first of the later ones begins."""
    if "until" not in pool.columns:
        return earlier
    return earlier[pool.columns["until"][earlier] < pool.columns["time"][later].min()]


def check_left(free: Array, part: str, pool: Pool) -> None:
    """Raise a DataError when nothing is left before a part."""
    if not len(free):
        what = f"no window ends before the {part} part begins"
        raise DataError(what, where=pool.where, hint="take smaller parts, or a shorter window or horizon")


@register("split", "grouped")
class Grouped:
    """Draw the parts at random, whole groups at a time: no patient, speaker or house is in two parts.

    The groups are those of the source's `group` column.  Groups are dealt out until a part has its
    number of examples, so it may have a few more than asked for.

    Parameters:
        validation: share or number of examples for validation; 0: none; left out: 0.15, or the source's own part
        test: share or number of examples for the test; 0: none; left out: 0.15, or the source's own part
        train_dev: share or number of examples taken from the training part, evaluated beside validation; 0: none
        seed: what is drawn depends on it; left out: on the run's, so that each seed has parts of its own

    Example:
        >>> pool = Pool({"x": np.zeros((6, 1)), "group": np.array(["a", "a", "b", "b", "c", "c"])}, "a.csv")
        >>> sorted(index.tolist() for index in Grouped(1, 1).split(pool, None, 0).values())
        [[0, 1], [2, 3], [4, 5]]

    Source: Roberts et al., Cross-validation strategies for data with temporal, spatial, hierarchical, or phylogenetic
        structure, 2017.
    """

    def __init__(
        self,
        validation: Share | None = None,
        test: Share | None = None,
        train_dev: Share = 0.0,
        seed: Seed | None = None,
    ) -> None:
        self.validation, self.test, self.train_dev, self.seed = validation, test, train_dev, seed

    def split(self, pool: Pool, labels: Array | None, seed: int) -> dict[str, Array]:
        """{part: sorted positions}.

        Raises:
            ConfigError: when the source names no groups, or a part would be empty.
            DataError: when there are too few groups.
        """
        if "group" not in pool.columns:
            hint = "name the column with `group` in the csv source"
            raise ConfigError(
                [Problem(("data", "split"), "grouped needs groups, but the source names none", hint=hint)]
            )
        free = free_positions(pool)
        check_given(pool, free)
        counts = counts_of(wanted(pool, self, "grouped"), len(free), "grouped", pool)
        _, groups = np.unique(pool.columns["group"][free], return_inverse=True)
        order = generator(seed if self.seed is None else self.seed, "split").permutation(int(groups.max()) + 1)
        ranks = np.argsort(order)[groups.reshape(-1)]  # (free,) the place of each example's group
        ends = np.cumsum(np.bincount(ranks))  # examples up to and with each group
        parts, start, taken = {}, 0, 0
        for part, count in counts.items():
            stop = int(np.searchsorted(ends, taken + count)) + 1
            parts[part] = free[(ranks >= start) & (ranks < stop)]
            start, taken = stop, int(ends[min(stop, len(ends)) - 1])
        parts["train"] = free[ranks >= start]
        if not all(len(index) for index in parts.values()):
            hint = "use smaller parts, or `split: random`"
            got = f"{len(ends)} groups"
            raise DataError("there are too few groups for these parts", where=pool.where, got=got, hint=hint)
        return finish(parts, pool)


def check_given(pool: Pool, free: Array) -> None:
    """Raise a DataError when a group of a part that the source brings has examples outside it, too."""
    groups = pool.columns["group"]
    for part, index in pool.given.items():
        others = np.concatenate([free, *(own for name, own in pool.given.items() if name != part)])
        shared = np.flatnonzero(np.isin(groups[index], groups[others]))
        if len(shared):
            here = int(index[shared[0]])
            there = int(others[np.flatnonzero(groups[others] == groups[here])[0]])
            raise DataError(
                f"the group {groups[here]!s} is in two parts",
                where=pool.place(here),
                expected=f"a group only in the {part} part that the source brings",
                got=f"{pool.place(there)}, which is outside it",
                hint="take the group out of one of them, or use `split: random`",
            )
