"""Pairs of texts, of which a model learns to make the second from the first: read from files, or generated."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from dltrain.data.examples import Pool
from dltrain.data.folders import DataFolders
from dltrain.data.text import read_text, units_of
from dltrain.data.vocabulary import BEGIN, END, SPECIALS, Texts, Vocabularies, numbered
from dltrain.errors import DataError
from dltrain.registry import register
from dltrain.types import PositiveInt

TARGET_SPECIALS = (*SPECIALS, BEGIN, END)
FEWEST = 2  # pairs: one to learn from, one to measure on


@register("source", "parallel_text")
class ParallelText:
    r"""Texts and their translations: two files whose lines belong together, or one table of two columns.

    pair (s_1 … s_m, t_1 … t_n) -> x = s_1 … s_m, given = <begin> t_1 … t_n, y = t_1 … t_n <end>

    What fills up shorter texts is the token 0, and counts in no loss and no metric.  Each side has a vocabulary of its
    own, of the training part.  Lines of which both sides are empty are left out.

    Parameters:
        path: the file of the texts, relative to the config, ./data or $DLTRAIN_DATA (UTF-8; .gz is unpacked)
        target_path: that of the translations, line by line; left out, `path` has both, with a tab between them
        source_vocabulary: what a token of a text is
        target_vocabulary: what a token of a translation is; left out, the same
        max_length: pairs of which a side has more words (characters) are left out, counted and told
        max_pairs: take so many from the beginning; left out: all

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     _ = Path(folder, "a.tsv").write_text("ja\tyes\nnein nein\tno\n")
        ...     pool = ParallelText("a.tsv").load(DataFolders(folder))
        >>> x, given, y = (pool.columns[name].tolist() for name in ("x", "given", "y"))
        >>> pool.texts[1].units, x, given, y
        (['<begin>', '<end>', 'no', 'yes'], [[0, -1], [1, 1]], [[0, 3], [0, 2]], [[3, 1], [2, 1]])

    Source: Sutskever, Vinyals, Le: Sequence to sequence learning with neural networks, 2014.
    """

    def __init__(
        self,
        path: str,
        target_path: str | None = None,
        source_vocabulary: Vocabularies = "words",
        target_vocabulary: Vocabularies | None = None,
        max_length: PositiveInt = 100,
        max_pairs: PositiveInt | None = None,
    ) -> None:
        self.path, self.target_path, self.max_length, self.max_pairs = path, target_path, max_length, max_pairs
        self.source_vocabulary, self.target_vocabulary = source_vocabulary, target_vocabulary or source_vocabulary

    def load(self, folders: DataFolders) -> Pool:
        """x, given and y, numbers of units and -1 behind the end of a text.

        Raises:
            DataError: when a file is not UTF-8, the files differ in length, or a side of a pair is missing.
        """
        file = folders.find(self.path)
        other = None if self.target_path is None else folders.find(self.target_path)
        pairs = table_of(file) if other is None else aligned(file, other)
        there = [number for number, pair in enumerate(pairs) if any(pair)][: self.max_pairs]
        for number in there:
            if not all(pairs[number]):
                where = f"{other if other is not None and pairs[number][0] else file}:{number + 1}"
                raise DataError("one side of a pair is empty", where=where, expected="a text and its translation")
        kinds, sides = (self.source_vocabulary, self.target_vocabulary), zip(*(pairs[n] for n in there), strict=True)
        units = [units_of(list(texts), kind) for texts, kind in zip(sides, kinds, strict=False)] or [[], []]
        for number, *both in zip(there, *units, strict=True):
            if not all(both):
                expected, hint = (
                    "a word or more on each side",
                    "leave the pair out, or let the vocabulary read its marks",
                )
                raise DataError(
                    "a pair has nothing to read", where=f"{file}:{number + 1}", expected=expected, hint=hint
                )
        lengths = [max(len(a), len(b)) for a, b in zip(*units, strict=True)]
        fitting = [k for k, length in enumerate(lengths) if length <= self.max_length]
        if len(fitting) < FEWEST:
            expected, got = f"at least {FEWEST} pairs of at most {self.max_length} tokens", str(len(fitting))
            raise DataError("there are no pairs to learn from", where=str(file), expected=expected, got=got)
        facts = {"max_length": self.max_length, "longest": max(lengths), "cut": len(lengths) - len(fitting)}
        source, target = ([side[k] for k in fitting] for side in units)
        return pool_of(source, target, kinds, str(file), [there[k] + 1 for k in fitting], facts)


def aligned(file: Path, other: Path) -> list[tuple[str, str]]:
    """The lines of two files that belong together.

    Raises:
        DataError: when one has more.
    """
    sides = [read_text(path).removesuffix("\n").split("\n") for path in (file, other)]
    if len(sides[0]) != len(sides[1]):
        what, expected = "the files differ in their number of lines", f"{len(sides[0]):,} as {file.name} has"
        hint = "each line of one belongs to the same line of the other"
        raise DataError(what, where=str(other), expected=expected, got=f"{len(sides[1]):,}", hint=hint)
    return [(a.strip(), b.strip()) for a, b in zip(*sides, strict=True)]


def table_of(file: Path) -> list[tuple[str, str]]:
    """The two columns of a table with tabs; further ones, such as who wrote a translation, are passed over.

    Raises:
        DataError: when a row has only one.
    """
    pairs = []
    for number, line in enumerate(read_text(file).split("\n"), 1):
        row = line.split("\t") if line.strip() else []
        if row and len(row) < 2:
            hint = "or name the file of the translations as `target_path`"
            expected, got = "a text, a tab, a translation", repr(row[0][:40])
            raise DataError("the line is no pair", where=f"{file}:{number}", expected=expected, got=got, hint=hint)
        pairs.append((row[0].strip(), row[1].strip()) if row else ("", ""))
    return pairs


def pool_of(
    source: Sequence[Sequence[str]],
    target: Sequence[Sequence[str]],
    kinds: tuple[object, object],
    where: str,
    lines: Sequence[int] | None = None,
    facts: dict[str, int] | None = None,
) -> Pool:
    """The pool of pairs of texts.

    Parameters:
        source: units of each text
        target: units of what is to be made of it
        kinds: the vocabularies of both sides
        where: what errors call it
        lines: of the pairs in their file
        facts: what is told of their lengths
    """
    x, known = numbered(source)
    both, units = numbered([*([BEGIN, *text] for text in target), *([*text, END] for text in target)])
    columns = {"x": x, "given": both[: len(x)], "y": both[len(x) :]}
    texts = (Texts(("x",), kinds[0], known), Texts(("y", "given"), kinds[1], units, TARGET_SPECIALS))
    numbers = None if lines is None else np.array(lines)
    return Pool(columns, where, lines=numbers, layout={"pairs": facts} if facts else {}, texts=texts)
