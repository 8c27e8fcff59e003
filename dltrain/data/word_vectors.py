"""Files of word vectors in GloVe's text form: a word and its numbers a line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from dltrain.data.examples import Array
from dltrain.data.opening import stream
from dltrain.data.rows import text_lines
from dltrain.errors import DataError


def read_words(path: Path) -> list[str]:
    """The words of a file, in its order, each once."""
    return list(dict.fromkeys(line.partition(" ")[0] for _, line in lines_of(path)))


def read_vectors(path: Path, words: dict[str, int], width: int) -> dict[int, Array]:
    """The vectors of some words: {number: (D,) float64}; of a word that stands there twice the first.

    Parameters:
        path: the file, plain or gzipped
        words: {word: its number}
        width: D

    Raises:
        DataError: when a line has another number of values, or one is no number; naming file and line.
    """
    found: dict[int, Array] = {}
    for number, line in lines_of(path):
        word, _, rest = line.partition(" ")
        values = rest.split()
        if len(values) != width:
            expected, hint = f"{width} numbers behind the word", "write their number as `units` of the embedding"
            where, got = f"{path}:{number}", f"{len(values)} behind {word[:40]!r}"
            raise DataError("the vectors have another width", where=where, expected=expected, got=got, hint=hint)
        if word in words and words[word] not in found:
            found[words[word]] = numbers_of(values, f"{path}:{number}")
    return found


def numbers_of(values: list[str], where: str) -> Array:
    """A vector as numbers.

    Raises:
        DataError: when one is none, or not finite.
    """
    try:
        vector = np.array(values, np.float64)
    except ValueError:
        vector = np.array([np.nan])
    if not np.isfinite(vector).all():
        raise DataError("this is no vector", where=where, expected="finite numbers", got=" ".join(values)[:40])
    return vector


def lines_of(path: Path) -> Iterator[tuple[int, str]]:
    """The lines with a word, by their number; a first line with two numbers, as word2vec writes it, is left out."""
    with stream(path) as (file, most):
        for number, line in enumerate(text_lines(file, str(path), most), 1):
            text = line.rstrip()
            if text and not (number == 1 and len(text.split()) == 2):
                yield number, text
