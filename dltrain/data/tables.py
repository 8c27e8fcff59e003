"""The csv source: a table in a text file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal

from dltrain.data.entries import MISSING
from dltrain.data.examples import Pool
from dltrain.data.folders import DataFolders, SettingError
from dltrain.data.rows import Choice, Chosen, Columns, column_name, read_columns
from dltrain.data.table_pool import pool_of
from dltrain.errors import DataError
from dltrain.registry import register
from dltrain.suggest import hint as suggestion

Column = str | int


@register("source", "csv")
class Csv:
    """A table in a text file: one example a line, numbers or words in columns (UTF-8; .gz is unpacked).

    Columns are named by the header or by position: 0 is the first, -1 the last.  A column of features
    holds numbers, or words, which are categories for `one_hot`; missing values are for `impute`.
    Targets are numbers or words; words are classes, in the order of the alphabet unless `classes` gives
    another.

    Parameters:
        path: the file, or a list of files one after the other, relative to the config, ./data or $DLTRAIN_DATA
        target: column with the target, or a list of columns (several numbers, labels or heads)
        header: whether the first line holds names; auto: when no entry of it is a number
        delimiter: what stands between columns; auto: the most frequent of , ; tab | in the first line
        features: columns to learn from; left out: all others
        test_path: a file, or files, with the same columns that are the test part
        classes: labels in the order of the class numbers; left out: words by the alphabet, numbers from 0 on
        validation_path: a file, or files, with the same columns that are the validation part
        drop: columns to leave out, such as names and numbers of the examples
        categorical: columns of features whose numbers are names of categories, such as postal codes
        missing: what stands for a missing value; left out: nothing, ?, NA, N/A, NaN, null, none and -
        target_suffix: an ending that is taken off the targets, such as the full stop in adult.test
        part: column that says for each example of `path` which part it belongs to: train, validation, test
        group: column with the group of each example, for `split: grouped`
        time: column with the time of each example, for `split: chronological`: numbers, or text that sorts (2024-05-31)
        weight: column with how much each example counts in the loss

    Example:
        >>> from pathlib import Path; from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     _ = Path(folder, "a.csv").write_text("size,colour,name,good\\n1,red,Ann,yes\\n,blue,Bob,no\\n")
        ...     pool = Csv("a.csv", "good", drop=["name"]).load(DataFolders(folder))
        >>> pool.columns["x"].tolist(), pool.categories, pool.columns["y"].tolist()
        ([[1.0, 1.0], [nan, 0.0]], {1: ['blue', 'red']}, ['yes', 'no'])

    Source: Y. Shafranovich: Common format and MIME type for comma-separated values, RFC 4180, 2005.
    """

    def __init__(
        self,
        path: str | list[str],
        target: Column | list[Column] = -1,
        header: bool | Literal["auto"] = "auto",
        delimiter: Literal["auto", ",", ";", "|", "tab", "space"] = "auto",
        features: list[Column] | None = None,
        test_path: str | list[str] | None = None,
        classes: list[Column] | None = None,
        validation_path: str | list[str] | None = None,
        drop: list[Column] | None = None,
        categorical: list[Column] | None = None,
        missing: list[str] | None = None,
        target_suffix: str = "",
        part: Column | None = None,
        group: Column | None = None,
        time: Column | None = None,
        weight: Column | None = None,
    ) -> None:
        self.path, self.target, self.header, self.delimiter = path, target, header, delimiter
        self.features, self.test_path, self.classes = features, test_path, classes
        self.validation_path, self.drop, self.categorical, self.missing = validation_path, drop, categorical, missing
        self.target_suffix, self.part, self.group, self.time, self.weight = target_suffix, part, group, time, weight

    def load(self, folders: DataFolders) -> Pool:
        """x (N, D) float64 with words as numbers and NaN for what is missing, y (N,) or (N, M) numbers, or (N,) text.

        Raises:
            SettingError: when a column is not there.
            DataError: naming file, line and column of what cannot be read.
        """
        missing = MISSING if self.missing is None else [entry.lower() for entry in self.missing]
        given = {"train": self.path, "validation": self.validation_path, "test": self.test_path}
        tables: list[Columns] = []
        parts = []
        for role, paths in given.items():
            for name in [paths] if isinstance(paths, str) else paths or []:
                path = folders.find(name)
                choose: Choice = Same(tables[0], str(path)) if tables else Chooser(self, str(path))
                table = read_columns(path, choose, header=self.header, delimiter=self.delimiter, missing=missing)
                tables.append(replace(table, texts=[without(column, self.target_suffix) for column in table.texts]))
                parts.append(role)
        if not tables:
            error = SettingError("the list of files is empty", where="path", expected="at least one file")
            raise error.about(self.path, "path")
        pool = pool_of(tables, self.classes, parts)
        kept = {"target_suffix": self.target_suffix} if self.target_suffix else {}
        if self.missing is not None:
            return replace(pool, layout={**pool.layout, **kept, "missing": list(missing)})
        return replace(pool, layout={**pool.layout, **kept})


def without(entries: list[str], suffix: str) -> list[str]:
    """Entries without an ending."""
    return [entry.removesuffix(suffix).strip() for entry in entries] if suffix else entries


class Chooser:
    """Finds the columns that a config names.

    Parameters:
        source: its settings, of which some name columns
        where: the file, for errors
    """

    def __init__(self, source: Any, where: str) -> None:
        self.source, self.where = source, where

    def __call__(self, names: list[str], width: int) -> Chosen:
        """The columns as positions."""
        source = self.source
        targets = self.positions("target", names, width)
        found = {role: self.positions(role, names, width) for role in ("part", "group", "time", "weight")}
        others = {role: columns[0] for role, columns in found.items() if columns}
        dropped = self.positions("drop", names, width)
        if source.features is not None and source.drop:
            hint = "leave one of them out"
            error = SettingError("`drop` has no effect beside `features`", where=self.where, hint=hint)
            raise error.about(source.drop, "drop")
        if source.features is None:
            features = [k for k in range(width) if k not in {*targets, *dropped, *others.values()}]
        else:
            features = self.positions("features", names, width)
        words = self.positions("categorical", names, width)
        self.check_once("target", {"target": targets, "target and drop": [*targets, *dropped]}, names)
        self.check_once("features", {"feature": features, "feature and target": [*features, *targets]}, names)
        stray = next((k for k in words if k not in features), None)
        if stray is not None:
            what = f"{column_name(names, stray)} is called categorical, but is no feature"
            error = SettingError(what, where=self.where, hint="take it out of `categorical`")
            raise error.about(source.categorical, "categorical", words.index(stray))
        return Chosen(features, targets, frozenset(words), others)

    def positions(self, setting: str, names: list[str], width: int) -> list[int]:
        """The positions of the columns that a setting names; none where it is left out."""
        value = getattr(self.source, setting)
        found = []
        for index, column in enumerate(value if isinstance(value, list) else [] if value is None else [value]):
            try:
                found.append(position(column, names, width, self.where))
            except SettingError as error:
                raise error.about(column, setting, index) from None
        return found

    def check_once(self, setting: str, roles: dict[str, list[int]], names: list[str]) -> None:
        """Raise a SettingError when a column is named twice."""
        for what, columns in roles.items():
            twice = next((k for k, count in Counter(columns).items() if count > 1), None)
            if twice is not None:
                name = column_name(names, twice)
                error = SettingError(f"{name} is named twice as {what}", where=self.where, hint="name it once")
                raise error.about(twice, setting)


class Same:
    """Finds in another file the columns that were used of a first one.

    Parameters:
        first: the first file
        where: the other file, for errors
    """

    def __init__(self, first: Columns, where: str) -> None:
        self.first, self.where = first, where

    def __call__(self, names: list[str], width: int) -> Chosen:
        """The columns as positions."""
        first, chosen = self.first, self.first.chosen
        if names and first.names:
            wanted = {*chosen.features, *chosen.targets, *chosen.others.values()}
            found = {k: position(first.names[k], names, width, self.where) for k in sorted(wanted)}
            return Chosen(
                [found[k] for k in chosen.features],
                [found[k] for k in chosen.targets],
                frozenset(found[k] for k in chosen.words),
                {role: found[k] for role, k in chosen.others.items()},
            )
        if width != first.width:
            expected = f"{first.width} as in {first.where}"
            raise DataError(
                "the file has another number of columns", where=self.where, expected=expected, got=str(width)
            )
        return chosen


def position(column: Column, names: Sequence[str], width: int, where: str) -> int:
    """The position of a column that is named by header or number.

    Raises:
        DataError: when there is none.
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
