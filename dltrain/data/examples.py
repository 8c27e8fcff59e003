"""What the parts of the data package hand to each other: a pool, examples, a data set."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from dltrain.data.vocabulary import Texts, Vocabulary

Array = np.ndarray[Any, Any]

PARTS = ("train", "train_dev", "validation", "test")
SHAPES = ("shape", "raw_shape", "given_shape")  # of a data set
CHUNK = 1 << 16  # elements worked on in one go: their float64 temporaries stay in the cache


@dataclass(frozen=True)
class Pool:
    """All examples of a source as they were read: nothing split, scaled or checked yet.

    Parameters:
        columns: "x" features (N, …) and "y" targets (N, …), perhaps "group" and "time" (N,) for splits; raw types
        where: what errors call it: a file or the source's name
        given: parts that the source itself defines, as positions: {"test": (n,)}
        classes: names of the classes in the order of their numbers, where the source knows them
        feature_names: names of the columns of "x" where it is (N, D)
        target_names: names of the columns of "y"
        files: (file, its first position) where the examples lie in several files
        lines: (N,) line of each example in its file, for text files
        layout: where features and targets stand in the file: positions in a row of text, or names of arrays
        categories: {position: words} of the features that are numbers of words
        missing: {position: the first entry that stood for a missing value}, for text files
        content: what stands for "x" in a fingerprint, where the files tell it without all of them being decoded
        texts: what the numbers in columns of texts stand for, until a vocabulary of the training part makes tokens
    """

    columns: dict[str, Array]
    where: str
    given: dict[str, Array] = field(default_factory=dict)
    classes: list[Any] | None = None
    feature_names: list[str] = field(default_factory=list)
    target_names: list[str] = field(default_factory=list)
    files: tuple[tuple[str, int], ...] = ()
    lines: Array | None = None
    layout: dict[str, Any] = field(default_factory=dict)
    categories: dict[int, list[str]] = field(default_factory=dict)
    missing: dict[int, str] = field(default_factory=dict)
    content: str = ""
    texts: tuple[Texts, ...] = ()

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
class Features:
    """What the features of an example are.

    Parameters:
        shape: of one example
        names: of the columns of a table; [] where they have none
        categories: {position: words} of the columns that are numbers of words

    Example:
        >>> some = Features((3,), ["age", "job", "sex"], {1: ["cook", "poet"], 2: ["f", "m"]}).take([2, 0])
        >>> some.names, some.categories, some.numeric()
        (['sex', 'age'], {0: ['f', 'm']}, [1])
    """

    shape: tuple[int, ...] = ()
    names: list[str] = field(default_factory=list)
    categories: Mapping[int, list[str]] = field(default_factory=dict)

    def take(self, positions: Sequence[int]) -> Features:
        """Some columns of a table."""
        names = [self.names[k] for k in positions] if self.names else []
        words = {new: self.categories[k] for new, k in enumerate(positions) if k in self.categories}
        return Features((len(positions),), names, words)

    def __add__(self, other: Features) -> Features:
        """The columns of two tables side by side."""
        width = self.shape[0]
        names = [self.name(k) for k in range(width)] + [other.name(k) for k in range(other.shape[0])]
        words = {**self.categories, **{width + k: words for k, words in other.categories.items()}}
        return Features((width + other.shape[0],), names if self.names or other.names else [], words)

    def numeric(self) -> list[int]:
        """Positions of the columns that are no words."""
        return [k for k in range(self.shape[0]) if k not in self.categories]

    def name(self, position: int) -> str:
        """The name of a column; its position where it has none."""
        return self.names[position] if self.names else str(position)


@dataclass(frozen=True)
class Examples:
    """Examples of one part, column by column.

    Parameters:
        columns: {name: array}; "x" features (N, …), "y" targets (N,) classes or (N, M) values
        ids: (N,) int64, their positions in the source
        features: what the columns of "x" are; left out: numbers without names
    """

    columns: dict[str, Array]
    ids: Array
    features: Features | None = None

    def described(self) -> Features:
        """What the columns of "x" are."""
        return self.features or Features(self.columns["x"].shape[1:])

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, index: Array) -> Examples:
        """The examples at these positions, copied; what is lazy stays so.

        Example:
            >>> e = Examples({"x": np.arange(6.0).reshape(3, 2)}, np.arange(3))
            >>> e.take(np.array([2, 0])).columns["x"].tolist()
            [[4.0, 5.0], [0.0, 1.0]]
        """
        from dltrain.data.lazy import select  # it cuts columns into chunks itself

        columns = {name: select(column, index) for name, column in self.columns.items()}
        return Examples(columns, self.ids[index], self.features)


@dataclass
class DataSet:
    """A data set ready to train on: parts, class names, and what is needed to treat new data alike.

    Parameters:
        parts: {"train" | "train_dev" | "validation" | "test": examples}
        shape: shape of one example's features, after preparation
        classes: names of the classes, or None for regression
        feature_names: names of the features as they were read, where they have some
        target_names: names of the targets; ["y"] where they have none
        fingerprint: sha256 over type, shape and bytes of the raw columns
        prepare: specs of the preparations, in order
        constants: their fitted constants, {"0.standardize.mean": array}
        layout: where features and targets stand in the source's file: positions in a row of text, or names of arrays
        description: the source in words
        dtype: type of the features: float32 or float64
        raw_shape: shape of one example's features as they were read
        input_names: names of the features after preparation, where they have some
        categories: [[position, words]] of the features as they were read that are words
        needs: what the task needs of the targets, {"": …}, or of those of each head by its name
        heads: {head: its classes, target_names, counts, columns and prepare_target} where a task
            has several
        class_counts: how many training examples each class has
        label_counts: how many training examples do not have each label, and how many have it
        target_columns: names of the targets as they were read, where they have some
        prepare_target: specs of the preparations of the targets, in order
        vocabularies: {column of texts: its vocabulary, as plain data}
        given_shape: shape of what is said so far of one example, where a model is given that too
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
    raw_shape: tuple[int, ...]
    input_names: list[str]
    categories: list[Any]
    needs: dict[str, Any] = field(default_factory=dict)
    heads: dict[str, Any] = field(default_factory=dict)
    class_counts: list[int] | None = None
    label_counts: list[list[int]] | None = None
    target_columns: list[str] = field(default_factory=list)
    prepare_target: list[Any] = field(default_factory=list)
    vocabularies: dict[str, Any] = field(default_factory=dict)
    given_shape: tuple[int, ...] = ()

    def raw(self) -> Features:
        """What the features are before preparation."""
        return Features(self.raw_shape, self.feature_names, {k: list(words) for k, words in self.categories})

    def vocabulary(self, column: str = "x") -> Vocabulary | None:
        """The vocabulary of a column of texts; None where it is none."""
        from dltrain.data.vocabulary import Vocabulary  # it reads arrays itself

        return Vocabulary(**self.vocabularies[column]) if column in self.vocabularies else None

    def notes(self) -> list[str]:
        """What a user should know of how the data were read, a line each."""
        found = []
        if extra := self.layout.get("texts", {}).get("extra_tags"):
            found.append(f"{len(extra)} tags are not in the training file and count as wrong: {', '.join(extra[:5])}")
        for kind, done in (("texts", "cut off after"), ("pairs", "left out, longer than")):
            facts = self.layout.get(kind, {})
            if facts.get("cut"):
                length, longest = f"{facts['max_length']:,}", f"{facts['longest']:,}"
                found.append(f"{facts['cut']:,} {kind} are {done} {length} (`max_length`); the longest has {longest}")
        return found

    def restore(self, values: Array, head: str = "") -> Array:
        """Values (N, M) of prepared targets, in float64 and in the unit in which the targets were read.

        Parameters:
            values: of all targets, or of one head's
            head: its name
        """
        from dltrain.data.target_preparation import restore  # it reads examples itself

        specs = self.heads[head].get("prepare_target", ()) if head else self.prepare_target
        return restore(specs, self.constants, values, head)

    def info(self) -> dict[str, Any]:
        """Everything but arrays, as plain data: stored with a run beside `constants`."""
        names = ("classes", "feature_names", "target_names", "fingerprint", "prepare", "layout", "description", "dtype")
        more = ("input_names", "categories", "needs", "heads", "class_counts", "label_counts", "target_columns")
        shapes = {name: list(getattr(self, name)) for name in SHAPES}
        return {**shapes, **{name: getattr(self, name) for name in (*names, *more, "prepare_target", "vocabularies")}}

    @staticmethod
    def from_info(info: Mapping[str, Any], constants: Mapping[str, Array]) -> DataSet:
        """A data set without examples, from `info()` and `constants`: enough to prepare new data."""
        first = {"raw_shape": info["shape"], "given_shape": (), "input_names": info["feature_names"], "categories": []}
        kept = {**first, **info}
        shapes = {name: tuple(kept[name]) for name in SHAPES}
        return DataSet(parts={}, constants=dict(constants), **{**kept, **shapes})


def chunks(x: Any) -> Iterator[slice]:
    """Slices of rows that together make up an array, each of about CHUNK elements.

    Example:
        >>> list(chunks(np.empty((3, CHUNK // 2))))
        [slice(0, 2, None), slice(2, 3, None)]
    """
    rows = max(1, CHUNK // max(1, int(np.prod(x.shape[1:]))))
    return (slice(start, min(start + rows, len(x))) for start in range(0, len(x), rows))
