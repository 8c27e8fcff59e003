"""Splitting examples into the parts train, train_dev, validation and test."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from annotated_types import Ge, Le

from dltrain.data.examples import PARTS, Array, Pool
from dltrain.errors import ConfigError, DataError, Problem
from dltrain.registry import register
from dltrain.seeds import generator

NOTHING = "nothing is left to train on"


@dataclass(frozen=True)
class ShareOrNumber:
    """A mark on a number: below 1 it is a share of the examples, from 1 on their number."""

    words: str = "a share below 1, or a whole number of examples"

    def problem(self, value: float) -> str:
        """What is wrong with the number; empty when nothing is."""
        return "this is not a whole number of examples" if value >= 1 and value != int(value) else ""


Seed = Annotated[int, Ge(0), Le(2**64 - 1)]
Share = Annotated[float, Ge(0), ShareOrNumber()]  # 0: no such part


@register("split", "random")
class Random:
    """Draw the parts at random.

    A value below 1 is a share of the examples (rounded to the nearest number of them, halves up), a
    value from 1 on is their number.  Where the source brings a validation or test part of its own, it
    is kept and only the others are taken from the rest.

    Parameters:
        validation: share or number of examples for validation; 0: none; left out: 0.15, or the source's own part
        test: share or number of examples for the test; 0: none; left out: 0.15, or the source's own part
        train_dev: share or number of examples taken from the training part and evaluated beside validation, where
            validation and test come from another distribution; 0: none
        seed: what is drawn depends on it; left out: on the run's, so that each seed has parts of its own.  Runs that
            shall be compared or joined in an ensemble need the same

    Example:
        >>> pool = Pool({"x": np.zeros((8, 1))}, "a.csv")
        >>> {part: len(index) for part, index in Random(validation=0.25, test=1).split(pool, None, 0).items()}
        {'train': 5, 'validation': 2, 'test': 1}

    Source: Hastie, Tibshirani and Friedman, The elements of statistical learning, 2009, section 7.2.
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
            ConfigError: when a part would be empty.
        """
        sizes = wanted(pool, self, "random")
        order = generator(seed if self.seed is None else self.seed, "split").permutation(free_positions(pool))
        return cut(order, counts_of(sizes, len(order), "random", pool), pool)


@register("split", "stratified")
class Stratified:
    """Draw the parts at random, each with the same shares of the classes.

    A value below 1 is a share of the examples, a value from 1 on their number.  Each class gives its
    share, rounded down, and at least one example to every part; what is then missing is taken where
    rounding lost most.  Parts that the source brings are kept.

    Parameters:
        validation: share or number of examples for validation; 0: none; left out: 0.15, or the source's own part
        test: share or number of examples for the test; 0: none; left out: 0.15, or the source's own part
        train_dev: share or number of examples taken from the training part and evaluated beside validation, where
            validation and test come from another distribution; 0: none
        seed: what is drawn depends on it; left out: on the run's, so that each seed has parts of its own.  Runs that
            shall be compared or joined in an ensemble need the same

    Example:
        >>> labels = np.array([0, 0, 0, 0, 1, 1, 1, 1])
        >>> pool = Pool({"x": np.zeros((8, 1))}, "a.csv")
        >>> parts = Stratified(validation=0.25, test=0.25).split(pool, labels, 0)
        >>> {part: np.bincount(labels[index]).tolist() for part, index in parts.items()}
        {'train': [2, 2], 'validation': [1, 1], 'test': [1, 1]}

    Source: Kohavi, A study of cross-validation and bootstrap for accuracy estimation and model selection, 1995.
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
            ConfigError: when the targets are not classes, or a part would be empty.
            DataError: when a class is too small.
        """
        if labels is None:
            hint = "use `split: random`"
            raise ConfigError(
                [Problem(("data", "split"), "stratified needs classes, but the task has none", hint=hint)]
            )
        sizes = wanted(pool, self, "stratified")
        free = generator(seed if self.seed is None else self.seed, "split").permutation(free_positions(pool))
        per_class = [free[labels[free] == k] for k in range(int(labels.max()) + 1)]
        members = np.array([len(group) for group in per_class])
        counts = counts_of(sizes, len(free), "stratified", pool)
        quotas = {part: shares_of(members, count) for part, count in counts.items()}
        check_classes(members, quotas, pool)
        parts: dict[str, list[Array]] = {part: [] for part in ("train", *quotas)}
        for k, group in enumerate(per_class):
            start = 0
            for part, quota in quotas.items():
                parts[part].append(group[start : start + quota[k]])
                start += quota[k]
            parts["train"].append(group[start:])
        return finish({part: np.concatenate(groups) for part, groups in parts.items()}, pool)


def free_positions(pool: Pool) -> Array:
    """Positions that no given part has taken."""
    free = np.ones(len(pool), bool)
    for ids in pool.given.values():
        free[ids] = False
    return np.flatnonzero(free)


def wanted(pool: Pool, split: Any, name: str) -> dict[str, float]:
    """The sizes of the parts that are to be drawn.

    Raises:
        ConfigError: when a part is asked for although the source has its own, or windows that overlap would be drawn.
    """
    if "until" in pool.columns and name != "chronological":
        what = f"windows of a series overlap: a {name} split has the same values in two parts"
        raise ConfigError([Problem(("data", "split"), what, "chronological", name, "leave `split` out")])
    sizes = {}
    for part, usual in (("validation", 0.15), ("test", 0.15), ("train_dev", 0.0)):
        size = getattr(split, part)
        if part not in pool.given:
            sizes[part] = usual if size is None else size
        elif size is not None and (size or usual):
            path, hint = ("data", "split", name, part), f"leave `{part}` out"
            what = f"this has no effect: the source brings its own {part} part"
            raise ConfigError([Problem(path, what, hint=hint)])
    return {part: size for part, size in sizes.items() if size}


def counts_of(sizes: dict[str, float], available: int, name: str, pool: Pool) -> dict[str, int]:
    """The number of examples of each part that is drawn from those available.

    Raises:
        ConfigError: when a part is empty or not whole, or nothing is left to train on.
    """
    if not available:
        raise DataError(NOTHING, where=pool.where, hint="all examples are in parts that the source gives")
    counts = {part: whole(size, available, ("data", "split", name, part), pool) for part, size in sizes.items()}
    if sum(counts.values()) >= available:
        largest = max(counts, key=lambda part: counts[part])
        expected = f"fewer than the {available} examples of {pool.where}"
        got = " + ".join(map(str, counts.values()))
        hint = "make validation or test smaller"
        raise ConfigError([Problem(("data", "split", name, largest), NOTHING, expected, got, hint)])
    return counts


def whole(size: float, available: int, path: tuple[str, ...], pool: Pool) -> int:
    """The number of examples that a share or number means.

    Raises:
        ConfigError: when it is none, or a number that is not whole.
    """
    part, shown = path[-1], f"{size:.12g}"
    if size >= 1 and size != int(size):
        expected = ShareOrNumber().words
        raise ConfigError([Problem(path, f"the {part} part has no whole number of examples", expected, shown)])
    found = int(size) if size >= 1 else int(np.floor(size * available + 0.5))
    if found < 1:
        got = f"{shown} of the {available} of {pool.where}"
        raise ConfigError([Problem(path, f"the {part} part would be empty", "", got, "give it a larger share")])
    return found


def shares_of(members: Array, count: int) -> Array:
    """How many of each class make up `count` examples: at least one, else in proportion (largest remainders).

    Example:
        >>> shares_of(np.array([50, 30, 20]), 10).tolist(), shares_of(np.array([97, 3]), 10).tolist()
        ([5, 3, 2], [9, 1])
    """
    exact = members * (count / members.sum())
    counts = np.maximum(np.floor(exact), 1).astype(np.int64)
    missing = count - int(counts.sum())
    if missing > 0:
        counts[np.argsort(counts - exact, kind="stable")[:missing]] += 1
    return counts


def check_classes(members: Array, quotas: dict[str, Array], pool: Pool) -> None:
    """Raise a DataError when a class has too few examples to be in every part."""
    needed = sum(quotas.values(), np.ones_like(members))
    short = np.flatnonzero(members < needed)
    if len(short):
        k = int(short[0])
        name = pool.classes[k] if pool.classes else k
        raise DataError(
            f"class {str(name)!r} has too few examples for a stratified split",
            where=pool.where,
            expected=f"at least {needed[k]}",
            got=str(members[k]),
            hint="use `split: random`, smaller parts, or leave the class out",
        )


def cut(order: Array, counts: dict[str, int], pool: Pool) -> dict[str, Array]:
    """Deal out positions in order: the counts first, the rest is for training."""
    parts, start = {}, 0
    for part, count in counts.items():
        parts[part] = order[start : start + count]
        start += count
    return finish({"train": order[start:], **parts}, pool)


def finish(parts: dict[str, Array], pool: Pool) -> dict[str, Array]:
    """Add the given parts; every part in the order of the source."""
    parts = {**parts, **pool.given}
    return {part: np.sort(parts[part]).astype(np.int64) for part in PARTS if part in parts}
