"""What is explored: the examples of one part of a data set as rows of numbers, with their classes or targets."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from dltrain.data import DataSet
from dltrain.data.examples import Array
from dltrain.errors import DataError, UsageError
from dltrain.seeds import generator

LARGEST = 1e100  # whose square, summed over many samples, is a number too
UNEQUAL = 10  # times the deviation of the middle feature: from here on the widest feature decides by itself
QUARTERS = (0.25, 0.5, 0.75)


@dataclass(frozen=True)
class Subject:
    """The samples that are explored.

    Parameters:
        x: (N, D) float64, as the config prepares it; the pixels of an image one after the other
        ids: (N,) their positions in the source
        labels: (N,) numbers of their classes; None for regression
        classes: names of the classes; None for regression
        targets: (N,) values of the first target, for regression
        target: its name
        names: names of the features, [] where they have none
        seed: of the run
        available: samples of the part, from which these were drawn
        where: what errors call it
    """

    x: Array
    ids: Array
    labels: Array | None = None
    classes: list[str] | None = None
    targets: Array | None = None
    target: str = "y"
    names: list[str] = field(default_factory=list)
    seed: int = 0
    available: int = 0
    where: str = "data"

    def __len__(self) -> int:
        return len(self.x)

    @property
    def random_state(self) -> int:
        """The seed as scikit-learn takes it: 32 bits."""
        return self.seed % 2**32

    def take(self, index: Array) -> Subject:
        """Some of the samples."""
        labels = None if self.labels is None else self.labels[index]
        targets = None if self.targets is None else self.targets[index]
        return replace(self, x=self.x[index], ids=self.ids[index], labels=labels, targets=targets)

    def drawn(self, most: int) -> Subject:
        """All samples, or so many drawn at random, in the order of the part.

        Example:
            >>> some = Subject(np.arange(20.0).reshape(10, 2), np.arange(10)).drawn(3)
            >>> len(some), some.take(np.array([0])).x.shape
            (3, (1, 2))
        """
        if len(self) <= most:
            return self
        return self.take(np.sort(generator(self.seed, "exploration").permutation(len(self))[:most]))

    def groups(self) -> dict[str, Array]:
        """What pictures are coloured by: {class: positions}, or the quarters of the first target's values.

        Example:
            >>> Subject(np.zeros((3, 1)), np.arange(3), np.array([1, 0, 1]), ["cat", "dog"]).groups()
            {'cat': array([1]), 'dog': array([0, 2])}
        """
        if self.labels is not None and self.classes is not None:
            return by_number(self.labels, self.classes)
        if self.targets is None:
            return {"samples": np.arange(len(self))}
        inner = np.unique(np.quantile(self.targets, QUARTERS))
        quarter = np.searchsorted(inner, self.targets, side="left")
        members = [self.targets[quarter == number] for number in range(len(inner) + 1)]
        names = [f"{self.target} {some.min():.3g} to {some.max():.3g}" if some.size else "" for some in members]
        return by_number(quarter, names)

    def feature(self, position: int) -> str:
        """The name of a feature; its position where it has none."""
        return self.names[position] if self.names else str(position)

    def advice(self) -> list[str]:
        """What makes distances and variances mean little: features of very different widths."""
        widths = self.x.std(axis=0)
        widths = widths[widths > 0]
        if not self.names or len(widths) < 2:
            return []
        ratio = float(widths.max() / np.median(widths))
        if ratio < UNEQUAL:
            return []
        name = self.feature(int(self.x.std(axis=0).argmax()))
        return [
            f"{name} varies {ratio:.0f} times as much as the middle feature and decides alone: `prepare: [standardize]`"
        ]


def by_number(numbers: Array, names: Iterable[str]) -> dict[str, Array]:
    """{name: positions where its number stands}; names without any are left out, equal names joined."""
    found: dict[str, list[Array]] = {}
    for number, name in enumerate(names):
        if (positions := np.flatnonzero(numbers == number)).size:
            found.setdefault(name, []).append(positions)
    return {name: np.concatenate(positions) for name, positions in found.items()}


def subject(data: DataSet, part: str, exploration: Any, seed: int) -> Subject:
    """The samples of a part that an exploration looks at.

    Parameters:
        data: a data set, read and prepared
        part: train, train_dev, validation or test
        exploration: has `samples`, the most that it takes, `seed` in place of the run's, and `least_features`
        seed: of the run

    Raises:
        UsageError: when there is no such part, or it has too few features.
        DataError: when there is nothing to see: one sample, or all are equal.
    """
    examples = data.parts.get(part)
    if examples is None or not len(examples):
        there = ", ".join(name for name, some in data.parts.items() if len(some))
        raise UsageError("the data have no such part", where=data.description, expected=there, got=part)
    x = np.asarray(examples.columns["x"])
    width = int(np.prod(data.shape))
    if width < exploration.least_features:
        hint = "k_means and gaussian_mixture take one feature too"
        expected = f"{exploration.least_features} features or more"
        raise UsageError(
            "there are too few features", where=data.description, expected=expected, got=str(width), hint=hint
        )
    y, classes, target = target_of(data, examples.columns["y"])
    if classes is not None and (y < 0).any():  # marked by the task's `ignore_label`
        y, classes = np.where(y < 0, len(classes), y), [*classes, "(ignored)"]
    whole = Subject(
        x=x.reshape(len(x), -1),
        ids=examples.ids,
        labels=None if classes is None else y,
        classes=classes,
        targets=None if classes is not None else y,
        target=target,
        names=list(data.input_names) if len(data.shape) == 1 else [],
        seed=seed if exploration.seed is None else exploration.seed,
        available=len(x),
        where=f"{data.description}, {part}",
    )
    some = whole.drawn(exploration.samples)
    return checked(replace(some, x=some.x.astype(np.float64)))


def target_of(data: DataSet, y: Array) -> tuple[Array, list[str] | None, str]:
    """What samples are told apart by: labels (N,), their classes, or values (N,) as they were read; and its name.

    Of several heads it is the target of the first with classes, or else of the first; pictures with masks have none.
    """
    if y.ndim > 2:
        return np.zeros(len(y)), None, data.target_names[0]
    if not data.heads:
        plain = y if data.classes is not None else data.restore(y.reshape(len(y), -1))[:, 0]
        return plain, data.classes, data.target_names[0]
    name = next((name for name, head in data.heads.items() if head["classes"] is not None), next(iter(data.heads)))
    head = data.heads[name]
    values = data.restore(y[:, slice(*head["columns"])], name)[:, 0]
    return values if head["classes"] is None else values.astype(np.int64), head["classes"], head["target_names"][0]


def checked(found: Subject) -> Subject:
    """The same samples, of which there are two different ones at least.

    Raises:
        DataError: when there are not, or a value is so large that its square is no number.
    """
    if len(found) < 2 or (found.x == found.x[0]).all():
        what = "there is one sample only" if len(found) < 2 else "all samples are equal"
        raise DataError(what, where=found.where, expected="two different samples or more")
    if float(np.abs(found.x).max()) > LARGEST:
        hint = "add `prepare: [standardize]`"
        raise DataError(
            "a value is too large for its square", where=found.where, expected=f"at most {LARGEST:g}", hint=hint
        )
    return found
