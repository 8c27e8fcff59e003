"""What the parts of the data package hand to each other: a pool, examples, a data set."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

PARTS = ("train", "validation", "test")
CHUNK = 1 << 16  # elements worked on in one go: their float64 temporaries stay in the cache


@dataclass(frozen=True)
class Pool:
    """All examples of a source as they were read: nothing split, scaled or checked yet.

    Parameters:
        columns: "x" features (N, …) and "y" targets (N, …); raw types
        where: what errors call it: a file or the source's name
        given: parts that the source itself defines, as positions: {"test": (n,)}
        classes: names of the classes in the order of their numbers, where the source knows them
        feature_names: names of the columns of "x" where it is (N, D)
        target_names: names of the columns of "y"
        files: (file, its first position) where the examples lie in several files
        lines: (N,) line of each example in its file, for text files
        layout: where features and targets stand in the file: positions in a row of text, or names of arrays
    """

    columns: dict[str, Array]
    where: str
    given: Mapping[str, Array] = field(default_factory=dict)
    classes: list[Any] | None = None
    feature_names: list[str] = field(default_factory=list)
    target_names: list[str] = field(default_factory=list)
    files: tuple[tuple[str, int], ...] = ()
    lines: Array | None = None
    layout: dict[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.columns["x"])

    def place(self, position: int) -> str:
        """Where an example came from, for errors.

        Example:
            >>> Pool({"x": np.zeros((3, 2))}, "a.npz", files=(("a.npz", 0), ("b.npz", 2))).place(2)
            'b.npz, sample 0'
        """
        name, first = self.where, 0
        for file, start in self.files:
            if start <= position:
                name, first = file, start
        if self.lines is not None:
            return f"{name}:{int(self.lines[position])}"
        return f"{name}, sample {position - first}"


@dataclass(frozen=True)
class Examples:
    """Examples of one part, column by column.

    Parameters:
        columns: {name: array}; "x" features (N, …), "y" targets (N,) classes or (N, M) values
        ids: (N,) int64, their positions in the source
    """

    columns: dict[str, Array]
    ids: Array

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, index: Array) -> Examples:
        """The examples at these positions, copied.

        Example:
            >>> e = Examples({"x": np.arange(6.0).reshape(3, 2)}, np.arange(3))
            >>> e.take(np.array([2, 0])).columns["x"].tolist()
            [[4.0, 5.0], [0.0, 1.0]]
        """
        return Examples({name: column[index] for name, column in self.columns.items()}, self.ids[index])


@dataclass
class DataSet:
    """A data set ready to train on: parts, class names, and what is needed to treat new data alike.

    Parameters:
        parts: {"train" | "validation" | "test": examples}
        shape: shape of one example's features
        classes: names of the classes, or None for regression
        feature_names: names of the features where they have some
        target_names: names of the targets; ["y"] where they have none
        fingerprint: sha256 over type, shape and bytes of the raw columns
        prepare: specs of the preparations, in order
        constants: their fitted constants, {"0.standardize.mean": array}
        layout: where features and targets stand in the source's file: positions in a row of text, or names of arrays
        description: the source in words
        dtype: type of the features: float32 or float64
        needs: what the task needs of the targets, {"": …}, or of those of each head by its name
        heads: {head: its classes, target_names, class_counts and columns} where a task has several
        class_counts: how many training examples each class has
        target_columns: names of the targets as they were read, where they have some
    """

    parts: dict[str, Examples]
    shape: tuple[int, ...]
    classes: list[str] | None
    feature_names: list[str]
    target_names: list[str]
    fingerprint: str
    prepare: list[Any]
    constants: dict[str, Array]
    layout: dict[str, Any]
    description: str
    dtype: str
    needs: dict[str, Any] = field(default_factory=dict)
    heads: dict[str, Any] = field(default_factory=dict)
    class_counts: list[int] | None = None
    target_columns: list[str] = field(default_factory=list)

    def info(self) -> dict[str, Any]:
        """Everything but arrays, as plain data: stored with a run beside `constants`."""
        names = (
            *("classes", "feature_names", "target_names", "fingerprint", "prepare", "layout", "description", "dtype"),
            *("needs", "heads", "class_counts", "target_columns"),
        )
        return {"shape": list(self.shape), **{name: getattr(self, name) for name in names}}

    @staticmethod
    def from_info(info: Mapping[str, Any], constants: Mapping[str, Array]) -> DataSet:
        """A data set without examples, from `info()` and `constants`: enough to prepare new data."""
        return DataSet(parts={}, constants=dict(constants), **{**info, "shape": tuple(info["shape"])})


def chunks(x: Array) -> Iterator[slice]:
    """Slices of rows that together make up an array, each of about CHUNK elements.

    Example:
        >>> list(chunks(np.empty((3, CHUNK // 2))))
        [slice(0, 2, None), slice(2, 3, None)]
    """
    rows = max(1, CHUNK // max(1, int(np.prod(x.shape[1:]))))
    return (slice(start, min(start + rows, len(x))) for start in range(0, len(x), rows))
