"""Sentences with a tag for each word: columns of a file (CoNLL), or words and tags side by side in a line."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np

from dltrain.data.examples import Pool
from dltrain.data.folders import DataFolders
from dltrain.data.text import check_fits, read_text
from dltrain.data.text_entries import known_words
from dltrain.data.vocabulary import NOTHING, Texts, numbered
from dltrain.errors import DataError
from dltrain.registry import Reference, create, register
from dltrain.types import PositiveInt

OfWords = Annotated[Any, Reference("vocabulary", having="of_words")]
RANGE = re.compile(r"\d+[-.]\d+")  # the number of several words written as one, or of a word that is not written
DOCUMENT = "-DOCSTART-"  # a word that begins a document and is none


@dataclass(frozen=True)
class Sentence:
    """One sentence.

    Parameters:
        words: as they were read
        tags: as many
        file: where it stands
        line: where it begins, from 1 on
        part: the part that it belongs to
    """

    words: list[str]
    tags: list[str]
    file: str
    line: int
    part: str = "train"


@register("source", "conll")
class Conll:
    """Sentences in columns: a word and its tag a line, a blank line behind a sentence (UTF-8; .gz is unpacked).

    Columns stand between tabs, or between blanks where the file has no tab.  In CoNLL-U, lines that begin with # and
    words with a number such as 3-4 or 5.1 are passed over.

    Parameters:
        path: the file, relative to the config, ./data or $DLTRAIN_DATA
        word: position of the column with the word; 0 is the first, -1 the last; in CoNLL-U it is 1
        tag: position of the column with the tag; in CoNLL-U 3 is the part of speech
        vocabulary: which words are tokens: `words`, whose pattern only new texts are cut by
        max_length: most words of a sentence; what is behind them is cut off, counted and told
        validation_path: a file that is the validation part
        test_path: a file that is the test part
        extra_tags: whether validation and test may have tags that the training file lacks; they count as wrong

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     _ = Path(folder, "a.txt").write_text("Ann B-PER\\nleft O\\n\\nPeter B-PER\\nPan I-PER\\nsang O\\n")
        ...     pool = Conll("a.txt").load(DataFolders(folder))
        >>> pool.classes, pool.columns["y"].tolist(), pool.texts[0].units
        (['B-PER', 'I-PER', 'O'], [[0, 2, -1], [0, 1, 2]], ['ann', 'left', 'pan', 'peter', 'sang'])

    Source: Tjong Kim Sang, De Meulder: Introduction to the CoNLL-2003 shared task, 2003; CoNLL-U: Nivre et al.:
    Universal dependencies v1, 2016.
    """

    def __init__(
        self,
        path: str,
        word: int = 0,
        tag: int = -1,
        vocabulary: OfWords = "words",
        max_length: PositiveInt = 256,
        validation_path: str | None = None,
        test_path: str | None = None,
        extra_tags: bool = False,
    ) -> None:
        self.path, self.word, self.tag, self.vocabulary, self.max_length = path, word, tag, vocabulary, max_length
        self.validation_path, self.test_path, self.extra_tags = validation_path, test_path, extra_tags

    def load(self, folders: DataFolders) -> Pool:
        """x (N, T) int64 numbers of words, y (N, T) of tags, -1 behind the end.

        Raises:
            SettingError: when a path is not there.
            DataError: when a line has too few columns, a file is not UTF-8, or has tags that the training file lacks.
        """
        return pool_of_tags(self, folders, {"columns": [self.word, self.tag]})


@register("source", "tagged_lines")
class TaggedLines:
    """A sentence a line: its words, a tab, and as many tags (UTF-8; .gz is unpacked), as ATIS is handed out.

    The words BOS at the beginning and EOS at the end are left out, with what stands there: in ATIS the intent.

    Parameters:
        path: the file, relative to the config, ./data or $DLTRAIN_DATA
        vocabulary: which words are tokens: `words`, whose pattern only new texts are cut by
        max_length: most words of a sentence; what is behind them is cut off, counted and told
        validation_path: a file that is the validation part
        test_path: a file that is the test part
        extra_tags: whether validation and test may have tags that the training file lacks; they count as wrong

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     _ = Path(folder, "a.iob").write_text("BOS to Boston EOS\\tO O B-city flight\\nhi\\tO\\n")
        ...     pool = TaggedLines("a.iob").load(DataFolders(folder))
        >>> pool.classes, pool.columns["y"].tolist()
        (['B-city', 'O'], [[1, 0], [1, -1]])

    Source: Hemphill, Godfrey, Doddington: The ATIS spoken language systems pilot corpus, 1990.
    """

    def __init__(
        self,
        path: str,
        vocabulary: OfWords = "words",
        max_length: PositiveInt = 256,
        validation_path: str | None = None,
        test_path: str | None = None,
        extra_tags: bool = False,
    ) -> None:
        self.path, self.vocabulary, self.max_length = path, vocabulary, max_length
        self.validation_path, self.test_path, self.extra_tags = validation_path, test_path, extra_tags

    def load(self, folders: DataFolders) -> Pool:
        """x (N, T) int64 numbers of words, y (N, T) of tags, -1 behind the end.

        Raises:
            SettingError: when a path is not there.
            DataError: when a line has not as many tags as words, a file is not UTF-8, or has other tags.
        """
        return pool_of_tags(self, folders, {})


def sentences(path: Path, layout: dict[str, Any], part: str = "train") -> Iterator[Sentence]:
    """The sentences of a file.

    Parameters:
        path: the file
        layout: {"columns": [word, tag]} of one in columns, {} of one with a sentence a line
        part: the part that they belong to

    Raises:
        DataError: when a line cannot be read, naming it.
    """
    lines = read_text(path).split("\n")
    found = in_columns(lines, str(path), *layout["columns"]) if "columns" in layout else side_by_side(lines, str(path))
    for words, tags, line in found:
        yield Sentence(words, tags, str(path), line, part)


def in_columns(lines: list[str], where: str, word: int, tag: int) -> Iterator[tuple[list[str], list[str], int]]:
    """(words, tags, first line) of each sentence of a file in columns."""
    between = "\t" if any("\t" in line for line in lines) else None
    words: list[str] = []
    tags: list[str] = []
    width = 0  # columns of the first row, and so of all
    for number, line in enumerate([*lines, ""], 1):
        comment = between is not None and line.startswith("#") and between not in line
        row = [] if comment else line.split() if between is None else line.rstrip("\r\n").split(between)
        if not comment and (not line.strip() or row[0] == DOCUMENT):
            if words:
                yield words, tags, number - len(words)
            words, tags = [], []
        elif row and not (word != 0 and RANGE.fullmatch(row[0])):
            for place in (word, tag):
                if not -len(row) <= place < len(row) or not row[place].strip():
                    expected = f"a column at position {place}"
                    raise DataError("a column is missing", where=f"{where}:{number}", expected=expected, got=line[:60])
            width = width or len(row)
            if len(row) != width or word % width == tag % width:
                expected, got = f"{max(width, 2)} columns, a word and its tag among them", line[:60]
                raise DataError("the columns are ragged", where=f"{where}:{number}", expected=expected, got=got)
            words.append(row[word].strip())
            tags.append(row[tag].strip())


def side_by_side(lines: list[str], where: str) -> Iterator[tuple[list[str], list[str], int]]:
    """(words, tags, line) of each line with words, a tab and tags."""
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        first, _, second = line.partition("\t")
        words, tags = first.split(), second.split()
        if len(words) != len(tags):
            expected, got = "words, a tab, and as many tags", f"{len(words)} words and {len(tags)} tags"
            raise DataError("words and tags differ in number", where=f"{where}:{number}", expected=expected, got=got)
        begin, end = int(words[0] == "BOS"), len(words) - (words[-1] == "EOS")
        if begin == end:
            raise DataError("the sentence is empty", where=f"{where}:{number}", expected="a word or more")
        yield words[begin:end], tags[begin:end], number


def pool_of_tags(source: Conll | TaggedLines, folders: DataFolders, layout: dict[str, Any]) -> Pool:
    """The pool of all files of a source."""
    check_fits(source.vocabulary, "of_words")
    found: list[Sentence] = []
    paths = {"train": source.path, "validation": source.validation_path, "test": source.test_path}
    for part, path in paths.items():
        if path is not None:
            some = list(sentences(folders.find(path), layout, part))
            if not some:
                raise DataError("the file has no sentence", where=str(folders.find(path)), expected="one or more")
            found += some
    own = {tag for sentence in found for tag in sentence.tags if sentence.part == "train"}
    extra = [s for s in found if not own.issuperset(s.tags)]
    if extra and not source.extra_tags:
        tag = next(tag for tag in extra[0].tags if tag not in own)
        where, shown = f"{extra[0].file}:{extra[0].line}", sorted(own)
        expected = f"one of {', '.join(shown[:8])}{' …' if len(shown) > 8 else ''}"
        hint = "`extra_tags: true` counts such tags as wrong"
        raise DataError("the training file lacks this tag", where=where, expected=expected, got=repr(tag), hint=hint)
    words = lowered([s.words for s in found], source.vocabulary)
    pool = pool_of_sentences(found, words, sorted({*own, *(tag for s in extra for tag in s.tags)}), source.max_length)
    cut = {"max_length": source.max_length, "longest": max(map(len, words))}
    cut["cut"] = sum(len(some) > source.max_length for some in words)
    strange = sorted({tag for s in extra for tag in s.tags} - own)
    layout = {"texts": {**cut, "extra_tags": strange}, "sentences": layout}
    codes, units = numbered([some[: source.max_length] for some in words])
    texts = Texts(("x",), source.vocabulary, units, known=known_words(source.vocabulary, folders))
    return Pool({"x": codes, **pool.columns}, source.path, pool.given, pool.classes, files=pool.files, lines=pool.lines,
                layout=layout, texts=(texts,))  # fmt: skip


def pool_of_sentences(
    found: Sequence[Sentence], words: Sequence[Sequence[str]], classes: list[str], max_length: int
) -> Pool:
    """Tags (N, T) as numbers of classes, and where the sentences stand; x is not there yet.

    Raises:
        DataError: when a tag is none of the classes.
    """
    numbers = {tag: number for number, tag in enumerate(classes)}
    y = np.full((len(found), min(max(map(len, words)), max_length)), NOTHING, np.int64)
    for row, sentence in zip(y, found, strict=True):
        stray = next((tag for tag in sentence.tags if tag not in numbers), None)
        if stray is not None:
            where = f"{sentence.file}:{sentence.line}"
            raise DataError("this tag is not known", where=where, expected=", ".join(classes[:8]), got=repr(stray))
        tags = [numbers[tag] for tag in sentence.tags[:max_length]]
        row[: len(tags)] = tags
    parts = {part: [k for k, s in enumerate(found) if s.part == part] for part in ("validation", "test")}
    starts = [k for k, s in enumerate(found) if not k or s.file != found[k - 1].file]
    return Pool(
        {"y": y},
        found[0].file,
        given={part: np.array(rows) for part, rows in parts.items() if rows},
        classes=list(classes),
        files=tuple((found[k].file, k) for k in starts),
        lines=np.array([s.line for s in found]),
    )


def lowered(sentences: Iterable[list[str]], vocabulary: Any) -> list[list[str]]:
    """Words as their vocabulary knows them: in small letters where it has them so."""
    change: Callable[[str], str] = str.lower if create("vocabulary", vocabulary).lower_case else str
    return [[change(word) for word in words] for words in sentences]
