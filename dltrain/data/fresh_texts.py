"""New texts for a run that learned from texts: one that is written out, or files of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from dltrain.data.examples import Array, DataSet, Pool
from dltrain.data.picture_files import is_archive
from dltrain.data.tagged_texts import lowered, pool_of_sentences, sentences
from dltrain.data.text import units_of
from dltrain.data.text_entries import Columns, Entry, in_folders, in_lines, in_table, pool_of_texts
from dltrain.data.vocabulary import NOTHING, Vocabulary, tokens_of
from dltrain.errors import DataError

TABLES = (".csv", ".tsv")
FILES = (*TABLES, ".txt", ".gz", ".tgz", ".tar")


def texts_like(given: str, like: DataSet, target: bool) -> Pool:
    """Texts as tokens (N, T) of a run's vocabulary, no longer than those of the run.

    Parameters:
        given: a file or folder; what is none is taken as a text itself
        like: the run's data set
        target: whether labels are wanted

    Raises:
        DataError: when a file has no labels that are wanted, or a text is empty.
    """
    vocabulary, steps = like.vocabulary(), like.shape[0]
    assert vocabulary is not None
    if target and "sentences" in like.layout:
        return sentences_like(given, like, vocabulary)
    most = like.layout.get("texts", {}).get("max_length", steps)
    pool = pool_of_texts(list(entries_of(given, like, target)), given, vocabulary.spec, most)
    x = tokens_of(pool.columns["x"], pool.texts[0].units, vocabulary, 0)
    columns = {**pool.columns, "x": brought_to(x, steps)}
    if not target:
        del columns["y"]
    return replace(pool, columns=columns, texts=(), classes=like.classes)


def sentences_like(given: str, like: DataSet, vocabulary: Vocabulary) -> Pool:
    """Sentences with tags, from a file in the layout of the run's own.

    Raises:
        DataError: when it cannot be read, or holds a tag that the run does not know.
    """
    found = list(sentences(Path(given), like.layout["sentences"]))
    if not found:
        raise DataError("the file has no sentence", where=given, expected="one or more")
    steps = like.shape[0]
    for each in found:
        if len(each.words) > steps:
            expected, hint = f"at most {steps} words", "the run reads no longer ones; cut it, or train with longer ones"
            where, got = f"{each.file}:{each.line}", str(len(each.words))
            raise DataError("the sentence is too long", where=where, expected=expected, got=got, hint=hint)
    words = lowered([sentence.words for sentence in found], vocabulary.spec)
    pool = pool_of_sentences(found, words, list(like.classes or ()), steps)
    x = np.zeros((len(found), steps), np.int64)
    for row, some in zip(x, words, strict=True):
        tokens = vocabulary.tokens(some[:steps])
        row[: len(tokens)] = tokens
    return replace(pool, columns={"x": x, "y": brought_to(pool.columns["y"], steps, NOTHING)})


def words_like(given: str, like: DataSet) -> list[list[str]]:
    """The words of new texts, as far as the run reads them."""
    vocabulary = like.vocabulary()
    assert vocabulary is not None
    recipe: Any = vocabulary.recipe
    written = {"words": {"pattern": recipe.pattern, "lower_case": False}}  # not in the letters that the model reads
    texts = [entry.text for entry in entries_of(given, like, target=False)]
    return [words[: like.shape[0]] for words in units_of(texts, written)]


def entries_of(given: str, like: DataSet, target: bool) -> Iterable[Entry]:
    """The texts that are meant, with labels where they are wanted."""
    path = Path(given)
    name = given.lower().removesuffix(".gz")
    if not is_path(path, given):
        if target:
            raise DataError("there is no such file", where=given, expected="a file of texts with labels")
        return [Entry(given, "", "the text", 1)]
    if path.is_dir() or is_archive(path):
        return in_folders(path)
    columns = Columns(**like.layout.get("table", {}))
    if name.endswith(TABLES) or (target and name.endswith(".txt")):
        return in_table(path, columns if target else replace(columns, label=None))
    if target:
        expected = "a table such as .csv or .tsv, or a folder for each class"
        raise DataError("the file has no labels to compare with", where=given, expected=expected)
    return in_lines(path)


def is_path(path: Path, given: str) -> bool:
    """Whether what was given names a file, also one that is not there."""
    if not given.strip():
        return False
    try:
        there = path.exists()
    except (OSError, ValueError):  # a text may be longer than a name, or hold a zero
        return False
    return there or (given.lower().endswith(FILES) and not any(c.isspace() for c in given))


def brought_to(x: Array, steps: int, fill: int = 0) -> Array:
    """Tokens (N, T) with T steps: cut off, or filled up.

    Example:
        >>> brought_to(np.array([[5, 6, 7]]), 2).tolist(), brought_to(np.array([[5]]), 2).tolist()
        ([[5, 6]], [[5, 0]])
    """
    out = np.full((len(x), steps), fill, np.int64)
    kept = min(steps, x.shape[1])
    out[:, :kept] = x[:, :kept]
    return out


def shown(x: Array, vocabulary: Vocabulary) -> list[str]:
    """Texts (N, T) as a model reads them: what it does not know is `<unknown>`."""
    return [vocabulary.decode(row[row != 0].tolist()) for row in x]
