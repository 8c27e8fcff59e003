"""Splitting examples into the parts train, validation and test."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from annotated_types import Ge

from dltrain.data.examples import PARTS, Array, Pool
from dltrain.errors import ConfigError, DataError, Problem
from dltrain.registry import register
from dltrain.seeds import generator

Share = Annotated[float, Ge(0)]  # below 1 a share, from 1 on a number of examples; 0: no such part


@register("split", "random")
class Random:
    """Draw the parts at random.

    A value below 1 is a share of the examples (rounded to the nearest number of them, halves up), a
    value from 1 on is their number.  Where the source brings a test part of its own, that one is kept
    and only `validation` is taken from the rest.

    Parameters:
        validation: share or number of examples for validation; 0: none
        test: share or number of examples for the test; 0: none; left out: 0.15, or the source's own test part
    """

    def __init__(self, validation: Share = 0.15, test: Share | None = None) -> None:
        self.validation, self.test = validation, test

    def split(self, pool: Pool, labels: Array | None, seed: int) -> dict[str, Array]:
        """{part: sorted positions}.

        Raises:
            DataError: when a part would be empty.
        """
        sizes = wanted(pool, self.validation, self.test, "random")
        order = generator(seed, "split").permutation(free_positions(pool))
        counts = {part: whole(size, len(order), part, pool) for part, size in sizes.items()}
        return cut(order, counts, pool)


@register("split", "stratified")
class Stratified:
    """Draw the parts at random, each with the same shares of the classes.

    A value below 1 is a share of the examples, a value from 1 on their number.  Each class gives its
    share, rounded down, and at least one example to every part; what is then missing is taken where
    rounding lost most.  Where the source brings a test part of its own, that one is kept.

    Parameters:
        validation: share or number of examples for validation; 0: none
        test: share or number of examples for the test; 0: none; left out: 0.15, or the source's own test part
    """

    def __init__(self, validation: Share = 0.15, test: Share | None = None) -> None:
        self.validation, self.test = validation, test

    def split(self, pool: Pool, labels: Array | None, seed: int) -> dict[str, Array]:
        """{part: sorted positions}.

        Raises:
            ConfigError: when the targets are not classes.
            DataError: when a class is too small.
        """
        if labels is None:
            hint = "use `split: random`"
            raise ConfigError(
                [Problem(("data", "split"), "stratified needs classes, but the task has none", hint=hint)]
            )
        sizes = wanted(pool, self.validation, self.test, "stratified")
        free = generator(seed, "split").permutation(free_positions(pool))
        per_class = [free[labels[free] == k] for k in range(int(labels.max()) + 1)]
        members = np.array([len(group) for group in per_class])
        counts = {part: whole(size, len(free), part, pool) for part, size in sizes.items()}
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


def wanted(pool: Pool, validation: float, test: float | None, name: str) -> dict[str, float]:
    """The sizes of the parts that are to be drawn.

    Raises:
        ConfigError: when a test part is asked for although the source has its own.
    """
    if "test" not in pool.given:
        sizes = {"validation": validation, "test": 0.15 if test is None else test}
        return {part: size for part, size in sizes.items() if size}
    if test is not None:
        path, hint = ("data", "split", name, "test"), "leave `test` out"
        raise ConfigError([Problem(path, "this has no effect: the source brings its own test part", hint=hint)])
    return {"validation": validation} if validation else {}


def whole(size: float, count: int, part: str, pool: Pool) -> int:
    """The number of examples that a share or number means.

    Raises:
        DataError: when it is none, or a number that is not whole.
    """
    if size >= 1 and size != int(size):
        raise DataError(f"the {part} part has no whole number of examples", where=pool.where, got=f"{size:g}")
    found = int(size) if size >= 1 else int(np.floor(size * count + 0.5))
    if found < 1:
        got = f"{size:g} of {count}"
        raise DataError(f"the {part} part would be empty", where=pool.where, got=got, hint="give it a larger share")
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
    if start >= len(order):
        raise DataError(
            "nothing is left to train on", where=pool.where, expected=f"fewer than {len(order)}", got=str(start)
        )
    return finish({"train": order[start:], **parts}, pool)


def finish(parts: dict[str, Array], pool: Pool) -> dict[str, Array]:
    """Add the given parts; every part in the order of the source."""
    parts = {**parts, **pool.given}
    return {part: np.sort(parts[part]).astype(np.int64) for part in PARTS if part in parts}
