"""The entries of a table's feature columns: numbers, words, or missing."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence

import numpy as np

from dltrain.data.examples import Array
from dltrain.errors import DataError

MISSING = ("", "?", "na", "n/a", "nan", "null", "none", "-")


def is_number(entry: str) -> bool:
    """Whether an entry reads as a number (infinite ones and NaN too)."""
    try:
        float(entry)
    except ValueError:
        return False
    return "_" not in entry


class Entries:
    """One column while it is read.  Numbers stay numbers, words are numbered as they come, what is missing is NaN.

    Parameters:
        where: the file
        name: the column as errors call it
        words: whether its entries are words even where they look like numbers
        missing: what stands for a missing value, in small letters; where it may be a number, every entry is looked at

    Example:
        >>> column = Entries("a.csv", "'colour'")
        >>> column.convert([2, 3, 4], ["red", "blue", "?"]).tolist(), column.missing_entry
        ([0.0, 1.0, nan], '?')
        >>> column.categories()
        ['blue', 'red']
    """

    def __init__(self, where: str, name: str, words: bool = False, missing: Collection[str] = MISSING) -> None:
        self.where, self.name, self.words, self.missing = where, name, words, frozenset(missing)
        self.plain = not words and not any(is_number(entry) and math.isfinite(float(entry)) for entry in missing)
        self.codes: dict[str, int] = {}
        self.counts = {"number": 0, "word": 0}
        self.first: dict[str, tuple[int, str]] = {}
        self.missing_entry: str | None = None

    def convert(self, lines: Sequence[int], entries: Sequence[str]) -> Array:
        """The entries of some lines as float64.

        Raises:
            DataError: at a number that is not finite.
        """
        if not self.codes and self.plain:
            values = plain_numbers(entries)
            if values is not None:
                self.first.setdefault("number", (lines[0], entries[0]))
                self.counts["number"] += len(entries)
                return values
        return np.array([self.value(line, entry.strip()) for line, entry in zip(lines, entries, strict=True)])

    def value(self, line: int, entry: str) -> float:
        """One entry as a number: itself, its word's, or NaN."""
        known = self.codes.get(entry)
        if known is None and entry.lower() in self.missing:
            self.missing_entry = entry if self.missing_entry is None else self.missing_entry
            return math.nan
        kind = "word" if known is not None or self.words or not is_number(entry) else "number"
        self.counts[kind] += 1
        self.first.setdefault(kind, (line, entry))
        if kind == "word":
            return float(self.codes.setdefault(entry, len(self.codes)))
        if not math.isfinite(float(entry)):
            raise self.wrong("number", "this is not a number", "a finite number", line, entry, advice(entry, line))
        return float(entry)

    def categories(self) -> list[str]:
        """The words by the alphabet; [] for a column of numbers.

        Raises:
            DataError: when numbers and words are mixed, at the rarer kind.
        """
        if self.counts["number"] and self.counts["word"]:
            line, entry = self.first["word"]
            if self.counts["word"] <= self.counts["number"]:
                raise self.wrong("word", "this is not a number", "a finite number", line, entry, advice(entry, line))
            line, entry = self.first["number"]
            hint = "if numbers are categories too, list the column under `categorical`"
            raise self.wrong("number", "this is a number among words", "a word", line, entry, hint)
        return sorted(self.codes)

    def renumbered(self, values: Array) -> Array:
        """The column with its words numbered by the alphabet."""
        order = {word: position for position, word in enumerate(sorted(self.codes))}
        return recoded(values, [order[word] for word in self.codes]) if self.codes else values

    def wrong(self, kind: str, what: str, expected: str, line: int, entry: str, hint: str) -> DataError:
        """The error of one entry."""
        where = f"{self.where}:{line}, {self.name}"
        return DataError(what, where=where, expected=expected, got=repr(entry[:60]), hint=hint)


def plain_numbers(entries: Sequence[str]) -> Array | None:
    """Entries as float64 where all are finite numbers, else None."""
    try:
        values = np.fromiter(map(float, entries), np.float64, len(entries))
    except ValueError:
        return None
    return values if np.isfinite(values).all() and "_" not in "".join(entries) else None


def recoded(values: Array, numbers: Sequence[int]) -> Array:
    """A column of words with other numbers for them; NaN stays.

    Example:
        >>> recoded(np.array([0.0, np.nan, 1.0]), [5, 3]).tolist()
        [5.0, nan, 3.0]
    """
    out = np.full(len(values), np.nan)
    there = ~np.isnan(values)
    out[there] = np.asarray(numbers, np.float64)[values[there].astype(np.int64)]
    return out


def advice(entry: str, line: int) -> str:
    """What to do about an entry that is not a number."""
    if is_number(entry.replace(",", ".")):
        return "write decimals with a point"
    if is_number(entry.replace(" ", "").replace(",", "").replace("_", "")):
        return "write the number without separators"
    if line == 1:
        return "if this line holds names, say `header: true`"
    return "leave the column out with `drop: [...]`, or list it under `categorical` if all its entries are words"
