"""Where texts with a label stand: in files below a folder, in a table, in lines; and the pool of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from dltrain.data.examples import Pool
from dltrain.data.folders import DataFolders, SettingError
from dltrain.data.opening import stream
from dltrain.data.picture_files import Kind, below, by_part, listing, natural
from dltrain.data.rows import Row, parse, text_lines
from dltrain.data.tables import Column, position
from dltrain.data.text import decoded, read_text, units_of
from dltrain.data.vocabulary import Texts, numbered
from dltrain.data.word_vectors import read_words
from dltrain.errors import DataError
from dltrain.registry import create

LONGEST_TEXT = 1 << 24  # bytes of a text that is a file of its own


@dataclass(frozen=True)
class Entry:
    """One text.

    Parameters:
        text: as it was read
        label: its class; empty where none is wanted
        file: where it stands
        line: in the file, from 1 on
        part: the part that it belongs to
    """

    text: str
    label: str
    file: str
    line: int
    part: str = "train"


def is_text(name: str) -> bool:
    """Whether a file is a text by its name; hidden files are none.

    Example:
        >>> is_text("pos/1.TXT"), is_text("pos/.1.txt"), is_text("README")
        (True, False, False)
    """
    path = PurePosixPath(name)
    return path.suffix.lower() == ".txt" and not any(part.startswith((".", "__MACOSX")) for part in path.parts)


TEXT_FILES = Kind("text", is_text, LONGEST_TEXT, (".txt",))


@dataclass(frozen=True)
class Columns:
    """Where text and label stand in a table; see `TextTable`."""

    text: Column = 0
    label: Column | None = 1
    header: bool | str = "auto"
    delimiter: str = "auto"

    def plain(self) -> dict[str, object]:
        """As JSON values; `Columns(**plain)` makes it again."""
        return vars(self)

    def places(self, first: Row, where: str) -> tuple[int, int | None]:
        """The positions of text and label.

        Raises:
            SettingError: when one is not there, or they are the same.
        """
        names, width = [entry.strip() for entry in first[1]] if self.has_header else [], len(first[1])
        found = []
        for setting, column in (("text", self.text), ("label", self.label)):
            try:
                found.append(None if column is None else position(column, names, width, f"{where}:{first[0]}"))
            except SettingError as error:
                raise error.about(column, setting) from None
        if found[0] == found[1]:
            what, hint = "text and label are the same column", "name the column with the label"
            raise SettingError(what, where=where, got=repr(self.label), hint=hint).about(self.label, "label")
        text, label = found
        assert text is not None
        return text, label

    @property
    def has_header(self) -> bool:
        """Whether the first line holds names."""
        named = isinstance(self.text, str) or isinstance(self.label, str)
        return named if self.header == "auto" else bool(self.header)


def in_folders(path: Path, parts: bool = False) -> Iterable[Entry]:
    """The texts below a folder or in an archive, whose outer folders may be parts.

    Raises:
        DataError: when one lies in no folder of a class, or is not UTF-8.
    """
    found = below(listing(path, TEXT_FILES))
    for file in (by_part(found) if parts else found)[0]:
        if len(file.name.parts) < 2:
            what, expected = "the text lies in no folder of a class", "a folder for each class"
            raise DataError(what, where=file.where, expected=expected)
        yield Entry(decoded(file.read(), file.where), file.name.parts[0], file.where, 1, file.part)


def in_table(path: Path, columns: Columns) -> Iterable[Entry]:
    """The texts of a table.

    Raises:
        SettingError: when a column is not there.
        DataError: when a row has too few entries, or cannot be cut into columns.
        CorruptFileError: when the file is no text.
    """
    where, delimiter = str(path), columns.delimiter
    if delimiter == "auto":  # what is frequent in a line says nothing: texts hold commas and tabs too
        delimiter = "tab" if path.name.lower().removesuffix(".gz").endswith(".tsv") else ","
    with stream(path) as (file, most):
        places: tuple[int, int | None] | None = None
        for row in parse(text_lines(file, where, most), delimiter, where, tabs_quote=False):
            if places is None:
                places = columns.places(row, where)
                if columns.has_header:
                    continue
            needed = max(place for place in places if place is not None) + 1
            if len(row[1]) < needed:
                what, expected = "this row has too few entries", f"{needed} or more, the text and its label"
                raise DataError(what, where=f"{where}:{row[0]}", expected=expected, got=str(len(row[1])))
            label = "" if places[1] is None else row[1][places[1]].strip()
            yield Entry(row[1][places[0]], label, where, row[0])


def in_lines(path: Path, label: str = "") -> Iterable[Entry]:
    """The texts of a file, one a line."""
    lines = read_text(path).split("\n")
    for number, line in enumerate(lines[:-1] if lines[-1] == "" else lines, 1):
        yield Entry(line, label, str(path), number)


def known_words(vocabulary: object, folders: DataFolders) -> tuple[str, ...]:
    """The words that a vocabulary takes from a file of word vectors.

    Raises:
        SettingError: when there is no such file.
    """
    file = getattr(create("vocabulary", vocabulary), "vectors", None)
    if file is None:
        return ()
    try:
        return tuple(read_words(folders.find(file)))
    except SettingError as error:
        raise error.about(file, "vocabulary") from None


def pool_of_texts(
    entries: Sequence[Entry], where: str, vocabulary: object, max_length: int, folders: DataFolders | None = None
) -> Pool:
    """The pool of labelled texts, each cut off at a length.

    Parameters:
        entries: the texts
        where: what errors call all of them
        vocabulary: its spec
        max_length: most units of a text
        folders: where a file of word vectors is looked up, if the vocabulary names one

    Raises:
        DataError: when there is none, or one is empty.
    """
    if not entries:
        raise DataError("there is no text", where=where, expected="one or more")
    texts = units_of([entry.text for entry in entries], vocabulary)
    for entry, units in zip(entries, texts, strict=True):
        if not units:
            got, hint = repr(entry.text[:60]), "take it out, or correct the `pattern` of words"
            place = f"{entry.file}:{entry.line}"
            raise DataError("the text is empty", where=place, expected="a word or more", got=got, hint=hint)
    known = () if folders is None else known_words(vocabulary, folders)
    lengths = [len(units) for units in texts]
    codes, units = numbered([units[:max_length] for units in texts])
    cut = {"max_length": max_length, "longest": max(lengths), "cut": sum(length > max_length for length in lengths)}
    parts = {part: [k for k, entry in enumerate(entries) if entry.part == part] for part in ("validation", "test")}
    starts = [k for k, entry in enumerate(entries) if not k or entry.file != entries[k - 1].file]
    return Pool(
        {"x": codes, "y": np.array([entry.label for entry in entries])},
        where,
        given={part: np.array(rows) for part, rows in parts.items() if rows},
        classes=sorted({entry.label for entry in entries}, key=natural),
        files=tuple((entries[k].file, k) for k in starts),
        lines=np.array([entry.line for entry in entries]),
        layout={"texts": cut},
        texts=(Texts(("x",), vocabulary, units, known=known),),
    )
