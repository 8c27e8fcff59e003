"""Reading tables of text: numbers into arrays, label columns as text, every fault by file, line and column."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from operator import itemgetter
from pathlib import Path
from typing import BinaryIO

import numpy as np

from dltrain.data.examples import Array
from dltrain.data.opening import stream, too_large
from dltrain.errors import CorruptFileError, DataError

DELIMITERS = {"tab": "\t", "space": " "}
MISSING = ("", "?", "na", "n/a", "nan", "null", "none", "-")
LONGEST = 1 << 24  # bytes a line
BLOCK = 256  # rows converted in one go: their entries stay in the cache

Row = tuple[int, list[str]]
Choice = Callable[[list[str], int], tuple[list[int], list[int]]]


@dataclass(frozen=True)
class Columns:
    """The chosen columns of a table.

    Parameters:
        where: the file
        names: all names of its header; [] where it has none
        width: number of its columns
        features: positions of the columns in `x`
        targets: positions of the columns in `texts`
        x: (N, D) float64
        texts: for each target column N texts
        lines: (N,) line numbers
    """

    where: str
    names: list[str]
    width: int
    features: list[int]
    targets: list[int]
    x: Array
    texts: list[list[str]]
    lines: Array

    def name(self, column: int) -> str:
        """A column as errors call it."""
        return column_name(self.names, column)


def column_name(names: Sequence[str], column: int) -> str:
    """A column by its header, or by its number from 1 on."""
    return repr(names[column]) if names and names[column] else f"column {column + 1}"


def read_columns(path: Path, choose: Choice, *, header: bool | str = "auto", delimiter: str = "auto") -> Columns:
    """Read a table.

    Parameters:
        path: the file, plain or gzipped, UTF-8
        choose: says from the names and the number of columns which are features and which are targets
        header: whether the first line holds names; "auto": when none of its entries is a number
        delimiter: between columns; "auto": the one of , ; tab | that is most frequent in the first line

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
        features, targets = choose(names, len(first))
        if not has_header:
            rows = chain([(line, first)], rows)
        found = Columns(where, names, len(first), features, targets, np.empty(0), [[] for _ in targets], np.empty(0))
        x, lines = convert(rows, found)
    if not len(x):
        raise DataError("the file has a header but no rows", where=where, expected="lines of numbers")
    return Columns(where, names, len(first), features, targets, x, found.texts, lines)


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


def parse(lines: Iterator[str], delimiter: str, where: str) -> Iterator[Row]:
    """Lines cut into entries, with the number of the line; blank lines are left out."""
    first = next(lines, None)
    if first is None:
        return
    reader = csv.reader(
        chain([first], lines), delimiter=separator(first, delimiter), skipinitialspace=True, strict=True
    )
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


def is_number(entry: str) -> bool:
    """Whether an entry reads as a number (infinite ones and NaN too)."""
    try:
        float(entry)
    except ValueError:
        return False
    return "_" not in entry


def check_names(names: list[str], where: str) -> None:
    """Raise a DataError when a header names two columns alike."""
    seen: dict[str, int] = {}
    for position, name in enumerate(names, 1):
        if name and name in seen:
            got = f"columns {seen[name]} and {position}"
            raise DataError(f"two columns are called {name!r}", where=where, got=got, hint="rename one in the header")
        seen[name] = position


def convert(rows: Iterator[Row], found: Columns) -> tuple[Array, Array]:
    """Features (N, D) and line numbers (N,); texts of the targets are added to `found.texts`."""
    wanted = found.features
    if not wanted:
        hint = "say what stands between columns with `delimiter`"
        got = f"{found.width} column" + "s" * (found.width != 1)
        raise DataError("no column is left for features", where=found.where, got=got, hint=hint)
    pick = itemgetter(*wanted) if len(wanted) > 1 else itemgetter(slice(wanted[0], wanted[0] + 1))
    blocks, lines = [np.empty((0, len(wanted)))], [np.empty(0, np.int64)]
    while block := list(islice(rows, BLOCK)):
        for line, row in block:
            if len(row) != found.width:
                raise ragged(line, row, found)
        fields = list(chain.from_iterable([pick(row) for _, row in block]))
        try:
            values = np.fromiter(map(float, fields), np.float64, len(fields))
        except ValueError:
            values = np.array([np.nan])
        if not np.isfinite(values).all() or "_" in "".join(fields):  # float("1_000") is a number to Python
            find_fault(block, found)
        blocks.append(values.reshape(len(block), len(wanted)))
        lines.append(np.array([line for line, _ in block], np.int64))
        for position, texts in zip(found.targets, found.texts, strict=True):
            texts.extend([row[position].strip() for _, row in block])
    return np.concatenate(blocks), np.concatenate(lines)


def ragged(line: int, row: list[str], found: Columns) -> DataError:
    """The error of a row with more or fewer entries than the first."""
    expected, got = f"{found.width} entries as in the first line", str(len(row))
    hint = "put entries that contain the delimiter in quotes" if len(row) > found.width else ""
    where = f"{found.where}:{line}"
    return DataError("this row has another number of entries", where=where, expected=expected, got=got, hint=hint)


def find_fault(block: list[Row], found: Columns) -> None:
    """Raise the DataError of the first entry that is not a finite number."""
    for line, row in block:
        for column in found.features:
            if is_number(row[column]) and math.isfinite(float(row[column])):
                continue
            entry = row[column].strip()
            where = f"{found.where}:{line}, {found.name(column)}"
            if entry.lower() in MISSING:
                hint = "take the row out or fill it in"
                raise DataError("a value is missing", where=where, expected="a number", got=repr(entry), hint=hint)
            got, hint = repr(entry[:60]), advice(entry, line)
            raise DataError("this is not a number", where=where, expected="a finite number", got=got, hint=hint)


def advice(entry: str, line: int) -> str:
    """What to do about an entry that is not a number."""
    if is_number(entry.replace(",", ".")):
        return "write decimals with a point"
    if is_number(entry.replace(" ", "").replace(",", "").replace("_", "")):
        return "write the number without separators"
    if line == 1:
        return "if this line holds names, say `header: true`"
    return "leave the column out with `features: [...]`"
