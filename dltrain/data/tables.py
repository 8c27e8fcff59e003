"""The csv source: a table in a text file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from dltrain.data.examples import Array, Pool
from dltrain.data.folders import DataFolders, SettingError
from dltrain.data.rows import MISSING, Choice, Columns, column_name, is_number, read_columns
from dltrain.errors import DataError
from dltrain.registry import register
from dltrain.suggest import hint as suggestion

Column = str | int


@register("source", "csv")
class Csv:
    """A table in a text file: one example a line, numbers in columns (UTF-8; .gz is unpacked).

    Columns are named by the header or by position: 0 is the first, -1 the last.  Features must be
    numbers.  Targets are numbers or words; words are classes, in the order of the alphabet unless
    `classes` gives another.

    Parameters:
        path: the file, relative to the config, ./data or $DLTRAIN_DATA
        target: column with the target, or a list of columns (regression with several)
        header: whether the first line holds names; auto: when no entry of it is a number
        delimiter: what stands between columns; auto: the most frequent of , ; tab | in the first line
        features: columns to learn from; left out: all others
        test_path: a file with the same columns that is the test part
        classes: labels in the order of the class numbers; left out: words by the alphabet, numbers from 0 on
    """

    def __init__(
        self,
        path: str,
        target: Column | list[Column] = -1,
        header: bool | Literal["auto"] = "auto",
        delimiter: Literal["auto", ",", ";", "|", "tab", "space"] = "auto",
        features: list[Column] | None = None,
        test_path: str | None = None,
        classes: list[Column] | None = None,
    ) -> None:
        self.path, self.target, self.header, self.delimiter = path, target, header, delimiter
        self.features, self.test_path, self.classes = features, test_path, classes

    def load(self, folders: DataFolders) -> Pool:
        """x (N, D) float64, y (N,) or (N, M) numbers, or (N,) text.

        Raises:
            SettingError: when a column is not there.
            DataError: naming file, line and column of what cannot be read.
        """
        path = folders.find(self.path)
        choice: Choice = Chooser(self.target, self.features, str(path))
        tables = [read_columns(path, choice, header=self.header, delimiter=self.delimiter)]
        if self.test_path is not None:
            path = folders.find(self.test_path)
            choice = Same(tables[0], str(path))
            tables.append(read_columns(path, choice, header=self.header, delimiter=self.delimiter))
        return pool_of(tables, self.classes)


class Chooser:
    """Finds the columns that a config names.

    Parameters:
        target: one column or several
        features: columns, or None for all others
        where: the file, for errors
    """

    def __init__(self, target: Column | list[Column], features: list[Column] | None, where: str) -> None:
        self.target, self.features, self.where = target, features, where

    def __call__(self, names: list[str], width: int) -> tuple[list[int], list[int]]:
        """(features, targets) as positions."""
        targets = self.positions("target", names, width)
        if self.features is None:
            return [k for k in range(width) if k not in targets], targets
        features = self.positions("features", names, width)
        for columns, what in ((targets, "target"), (features, "feature"), (features + targets, "feature and target")):
            twice = next((k for k in columns if columns.count(k) > 1), None)
            if twice is not None:
                name = column_name(names, twice)
                error = SettingError(f"{name} is named twice as {what}", where=self.where, hint="name it once")
                raise error.about(twice, "target" if what == "target" else "features")
        return features, targets

    def positions(self, setting: str, names: list[str], width: int) -> list[int]:
        """The positions of the columns that one of the two settings names."""
        value = getattr(self, setting)
        found = []
        for index, column in enumerate(value if isinstance(value, list) else [value]):
            try:
                found.append(position(column, names, width, self.where))
            except SettingError as error:
                raise error.about(column, setting, index) from None
        return found


class Same:
    """Finds in another file the columns that were used of a first one.

    Parameters:
        first: the first file
        where: the other file, for errors
    """

    def __init__(self, first: Columns, where: str) -> None:
        self.first, self.where = first, where

    def __call__(self, names: list[str], width: int) -> tuple[list[int], list[int]]:
        """(features, targets) as positions."""
        first = self.first
        if names and first.names:
            found = {k: position(first.names[k], names, width, self.where) for k in first.features + first.targets}
            return [found[k] for k in first.features], [found[k] for k in first.targets]
        if width != first.width:
            expected = f"{first.width} as in {first.where}"
            raise DataError(
                "the file has another number of columns", where=self.where, expected=expected, got=str(width)
            )
        return first.features, first.targets


def position(column: Column, names: Sequence[str], width: int, where: str) -> int:
    """The position of a column that is named by header or number.

    Raises:
        SettingError: when there is none.
    """
    if isinstance(column, int):
        if -width <= column < width:
            return column % width
        expected = f"at least {column + 1 if column >= 0 else -column} columns"
        hint = f"positions go from {-width} to {width - 1}"
        what = f"the column at position {column} is missing"
        raise SettingError(what, where=where, expected=expected, got=str(width), hint=hint)
    if column in names:
        return list(names).index(column)
    if not names:
        hint = "use a position (0 is the first, -1 the last), or say `header: true`"
        expected = f"a header with {column!r}"
        what = "the file has no header to find columns by name"
        raise SettingError(what, where=where, expected=expected, hint=hint)
    shown = ", ".join(map(repr, names[:12])) + (" …" if len(names) > 12 else "")
    hint = "; ".join(filter(None, [suggestion(column, list(names)), "rename it in the header if it has another name"]))
    what = f"the column {column!r} is missing"
    raise SettingError(what, where=where, expected=f"{column!r} in the header", got=f"the columns {shown}", hint=hint)


def pool_of(tables: Sequence[Columns], classes: list[Any] | None) -> Pool:
    """Join the tables of one data set; the second is the test part."""
    first = tables[0]
    starts = np.cumsum([0, *(len(table.x) for table in tables)])
    files = tuple((table.where, int(start)) for table, start in zip(tables, starts, strict=False))
    lines = np.concatenate([table.lines for table in tables])
    texts = [[text for table in tables for text in table.texts[k]] for k in range(len(first.targets))]
    names = [first.names[k] if first.names else f"column {k + 1}" for k in (*first.features, *first.targets)]
    count = len(first.features)
    pool = Pool(
        columns={"x": np.concatenate([table.x for table in tables])},
        where=first.where,
        given={"test": np.arange(starts[1], starts[2])} if len(tables) > 1 else {},
        classes=classes,
        feature_names=names[:count],
        target_names=names[count:],
        files=files,
        lines=lines,
        layout={
            "width": first.width,
            "features": first.features,
            "targets": first.targets,
            "header": bool(first.names),
        },
    )
    if texts:
        pool.columns["y"] = targets_of(texts, pool)
    return pool


def targets_of(texts: list[list[str]], pool: Pool) -> Array:
    """Targets from text: numbers where all are numbers, else words (one column only).

    Raises:
        DataError: when one is missing, or numbers and words are mixed.
    """
    columns = []
    for name, column in zip(pool.target_names, texts, strict=True):
        known = {text: is_number(text) for text in set(column)}
        numeric = np.array([known[text] for text in column])
        listed = {str(label) for label in pool.classes or ()}
        odd = np.flatnonzero(~numeric)
        if len(odd) and (len(texts) > 1 or (numeric.any() and not set(column) <= listed)):
            raise mixed(name, column, numeric, pool)
        missing = next((k for k in odd if column[k].lower() in ("", "?") and column[k] not in listed), None)
        if missing is not None:
            raise DataError(
                "the target is missing", where=f"{pool.place(int(missing))}, {name}", got=repr(column[missing])
            )
        columns.append(np.array(column) if len(odd) else np.array(column, np.float64))
    return columns[0] if len(columns) == 1 else np.stack(columns, axis=1)


def mixed(name: str, column: list[str], numeric: Array, pool: Pool) -> DataError:
    """The error of a target column with numbers and words, at the rarer kind."""
    mostly = len(pool.target_names) > 1 or numeric.mean() >= 0.5
    place = int(np.flatnonzero(~numeric if mostly else numeric)[0])
    entry = column[place]
    what = "the target is missing" if entry.lower() in MISSING else "this target is unlike the others"
    expected = "a number" if mostly else "a word"
    return DataError(what, where=f"{pool.place(place)}, {name}", expected=expected, got=repr(entry))
