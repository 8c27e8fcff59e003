"""Reading tables of text: numbers into arrays, label columns as text, every fault by file, line and column."""

from __future__ import annotations

import csv
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, islice
from operator import itemgetter
from pathlib import Path
from typing import BinaryIO, Literal, NamedTuple

import numpy as np

from dltrain.data.entries import MISSING, Entries, is_number, plain_numbers
from dltrain.data.examples import Array
from dltrain.data.opening import stream, too_large
from dltrain.errors import CorruptFileError, DataError

DELIMITERS = {"tab": "\t", "space": " "}
LONGEST = 1 << 24  # bytes a line
BLOCK = 256  # rows converted in one go: their entries stay in the cache

Row = tuple[int, list[str]]


class Chosen(NamedTuple):
    """The columns that are read, as positions.

    Parameters:
        features: columns of features
        targets: columns of targets
        words: those of the features whose entries are words even where they look like numbers
        others: columns for other ends, by their role: part, group, time, weight
    """

    features: list[int]
    targets: list[int]
    words: frozenset[int] = frozenset()
    others: Mapping[str, int] = {}


Choice = Callable[[list[str], int], Chosen]


@dataclass(frozen=True)
class Columns:
    """The chosen columns of a table.

    Parameters:
        where: the file
        names: all names of its header; [] where it has none
        width: number of its columns
        chosen: positions of the columns in `x`, `texts` and `others`
        x: (N, D) float64; words as numbers of their categories, what is missing as NaN
        texts: for each target column N texts
        others: for each other role N texts
        lines: (N,) line numbers
        categories: {position in `x`: words in the order of their numbers} of the columns of words
        missing: {position in `x`: the first entry that stands for a missing value}
    """

    where: str
    names: list[str]
    width: int
    chosen: Chosen
    x: Array = field(default_factory=lambda: np.empty((0, 0)))
    texts: list[list[str]] = field(default_factory=list)
    others: dict[str, list[str]] = field(default_factory=dict)
    lines: Array = field(default_factory=lambda: np.empty(0, np.int64))
    categories: dict[int, list[str]] = field(default_factory=dict)
    missing: dict[int, str] = field(default_factory=dict)

    def name(self, column: int) -> str:
        """A column as errors call it."""
        return column_name(self.names, column)


def column_name(names: Sequence[str], column: int) -> str:
    """A column by its header, or by its number from 1 on."""
    return repr(names[column]) if names and names[column] else f"column {column + 1}"


def read_columns(
    path: Path,
    choose: Choice,
    *,
    header: bool | str = "auto",
    delimiter: str = "auto",
    missing: Collection[str] = MISSING,
) -> Columns:
    """Read a table.

    Parameters:
        path: the file, plain or gzipped, UTF-8
        choose: says from the names and the number of columns which are read
        header: whether the first line holds names; "auto": when none of its entries is a number
        delimiter: between columns; "auto": the one of , ; tab | that is most frequent in the first line
        missing: what stands for a missing value, in small letters

    Raises:
        DataError: when something cannot be read; it names file, line and column.
        CorruptFileError: when it is not text, or its packing is damaged.
    """
    where = str(path)
    with stream(path) as (file, most):
        rows = parse(text_lines(file, where, most), delimiter, where)
        line, first = next(rows, (0, []))
        if not first:
            raise DataError("the file is empty", where=where, expected="lines of numbers")
        has_header = header is True or (header == "auto" and not any(is_number(entry) for entry in first))
        names = [entry.strip() for entry in first] if has_header else []
        check_names(names, f"{where}:{line}")
        chosen = choose(names, len(first))
        if not has_header:
            rows = chain([(line, first)], rows)
        found = convert(rows, Columns(where, names, len(first), chosen), missing)
    if not len(found.x):
        raise DataError("the file has a header but no rows", where=where, expected="lines of numbers")
    return found


def text_lines(file: BinaryIO, where: str, most: int) -> Iterator[str]:
    """The lines of a UTF-8 text.

    Raises:
        CorruptFileError: when it is binary, in another encoding, or unpacks to too much.
    """
    size = 0
    for number, raw in enumerate(iter(lambda: file.readline(LONGEST + 1), b""), 1):
        if number == 1 and raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
            raise CorruptFileError("the text is in UTF-16", where=where, expected="UTF-8", hint="save it as UTF-8")
        if b"\0" in raw:
            raise CorruptFileError("the file is not text", where=f"{where}:{number}", got="a NUL byte")
        size += len(raw)
        if size > most:
            raise too_large(where, most)
        if len(raw) > LONGEST:
            raise CorruptFileError(
                "the line is too long", where=f"{where}:{number}", expected=f"under {LONGEST:,} bytes"
            )
        try:
            yield raw.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            got = f"the byte 0x{raw[error.start]:02x} at position {error.start + 1}"
            place = f"{where}:{number}"
            raise CorruptFileError("the text is not UTF-8", where=place, got=got, hint="save it as UTF-8") from error


def parse(lines: Iterator[str], delimiter: str, where: str, tabs_quote: bool = True) -> Iterator[Row]:
    """Lines cut into entries, with the number of the line; blank lines are left out.

    Parameters:
        lines: of the text
        delimiter: between entries, or auto
        where: the file, for errors
        tabs_quote: whether double quotes hold an entry together between tabs too; else they are characters like others
    """
    first = next(lines, None)
    if first is None:
        return
    between = separator(first, delimiter)
    quoting: Literal[0, 3] = csv.QUOTE_MINIMAL if tabs_quote or between != "\t" else csv.QUOTE_NONE
    reader = csv.reader(chain([first], lines), delimiter=between, quoting=quoting, skipinitialspace=True, strict=True)
    try:
        for row in reader:
            if row:
                yield reader.line_num, row
    except csv.Error as error:
        hint = "quotes go around a whole entry; lines end in a line feed"
        raise DataError(
            "this line cannot be cut into columns", where=f"{where}:{reader.line_num}", got=str(error), hint=hint
        ) from error


def separator(first: str, delimiter: str) -> str:
    """The character between columns.

    Example:
        >>> separator("a;b;c,d", "auto"), separator("1", "auto"), separator("", "tab")
        (';', ',', '\\t')
    """
    if delimiter != "auto":
        return DELIMITERS.get(delimiter, delimiter)
    return max(",;\t|", key=first.count)


def check_names(names: list[str], where: str) -> None:
    """Raise a DataError when a header names two columns alike."""
    seen: dict[str, int] = {}
    for position, name in enumerate(names, 1):
        if name and name in seen:
            got = f"columns {seen[name]} and {position}"
            raise DataError(f"two columns are called {name!r}", where=where, got=got, hint="rename one in the header")
        seen[name] = position


def convert(rows: Iterator[Row], found: Columns, missing: Collection[str]) -> Columns:
    """The columns with the content of all rows.

    Raises:
        DataError: naming line and column of what cannot be read.
    """
    chosen = found.chosen
    if not chosen.features:
        hint = "say what stands between columns with `delimiter`"
        got = f"{found.width} column" + "s" * (found.width != 1)
        raise DataError("no column is left for features", where=found.where, got=got, hint=hint)
    pick = itemgetter(*chosen.features) if len(chosen.features) > 1 else lambda row: (row[chosen.features[0]],)
    columns = [Entries(found.where, found.name(k), k in chosen.words, missing) for k in chosen.features]
    texts: dict[int, list[str]] = {k: [] for k in (*chosen.targets, *chosen.others.values())}
    blocks, lines = [np.empty((0, len(columns)))], [np.empty(0, np.int64)]
    while block := list(islice(rows, BLOCK)):
        for line, row in block:
            if len(row) != found.width:
                raise ragged(line, row, found)
        numbers = [line for line, _ in block]
        blocks.append(block_values(list(chain.from_iterable([pick(row) for _, row in block])), numbers, columns))
        lines.append(np.array(numbers, np.int64))
        for position, entries in texts.items():
            entries.extend([row[position].strip() for _, row in block])
    x = np.concatenate(blocks)
    categories = {}
    for position, column in enumerate(columns):
        if words := column.categories():
            categories[position] = words
            x[:, position] = column.renumbered(x[:, position])
    return replace(
        found,
        x=x,
        texts=[texts[k] for k in chosen.targets],
        others={role: texts[k] for role, k in chosen.others.items()},
        lines=np.concatenate(lines),
        categories=categories,
        missing={k: c.missing_entry for k, c in enumerate(columns) if c.missing_entry is not None},
    )


def block_values(fields: list[str], lines: list[int], columns: list[Entries]) -> Array:
    """The entries of some rows as numbers (n, D): in one go where all are numbers, else column by column."""
    width = len(columns)
    if all(column.plain and not column.codes for column in columns):
        values = plain_numbers(fields)
        if values is not None:
            for column, entry in zip(columns, fields, strict=False):
                column.first.setdefault("number", (lines[0], entry))
                column.counts["number"] += len(lines)
            return values.reshape(len(lines), width)
    return np.stack([column.convert(lines, fields[k::width]) for k, column in enumerate(columns)], axis=1)


def ragged(line: int, row: list[str], found: Columns) -> DataError:
    """The error of a row with more or fewer entries than the first."""
    expected, got = f"{found.width} entries as in the first line", str(len(row))
    hint = "put entries that contain the delimiter in quotes" if len(row) > found.width else ""
    where = f"{found.where}:{line}"
    return DataError("this row has another number of entries", where=where, expected=expected, got=got, hint=hint)
