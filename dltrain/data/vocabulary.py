r"""Vocabularies: a text becomes units, and the units that the training part has become the tokens of a model.

text --split--> units (characters, words) --learn, on the training part only--> Vocabulary --tokens--> numbers
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Protocol

import numpy as np

from dltrain.data.examples import Array
from dltrain.errors import DataError
from dltrain.registry import Reference, create, register
from dltrain.types import PositiveInt, Words

PADDING, UNKNOWN = "<padding>", "<unknown>"
BEGIN, END = "<begin>", "<end>"  # of a text that is to be said
SPECIALS = (PADDING, UNKNOWN)  # the first tokens of a vocabulary: 0 fills up short texts, 1 is what it does not have
NOTHING = -1  # in place of a unit, where a short text is filled up

Vocabularies = Annotated[Any, Reference("vocabulary")]
WholeUnits = Annotated[Any, Reference("vocabulary", having="one_token_a_unit")]
Pattern = Annotated[str, Words("a regular expression")]


class Recipe(Protocol):
    """What a registered vocabulary does: it cuts texts, and learns names of tokens from how often units occur."""

    def split(self, text: str) -> list[str]:
        """The units of a text."""

    def learn(self, counts: Mapping[str, int]) -> tuple[list[str], list[Any]]:
        """(names of tokens without the special ones, what else is needed to make tokens of units)."""

    def pieces(self, names: Sequence[str], rules: Sequence[Any]) -> Callable[[str], list[str]]:
        """The function that makes names of tokens of a unit."""

    def join(self, names: Iterable[str]) -> str:
        """Names of tokens as a text."""


class Vocabulary:
    """The tokens of a model, numbered: what it knows of the texts that it learned from.

    Parameters:
        spec: the registered vocabulary, as in a config
        names: of the tokens, in the order of their numbers; the special ones first
        rules: what else its recipe learned, such as merges

    Example:
        >>> vocabulary = Vocabulary("words", ["<padding>", "<unknown>", "a", "cat"])
        >>> vocabulary.encode("a cat, a dog")
        [2, 3, 1, 2, 1]
        >>> vocabulary.decode([2, 3, 1, 0])
        'a cat <unknown>'
    """

    def __init__(self, spec: Any, names: Sequence[str], rules: Sequence[Any] = ()) -> None:
        self.spec, self.names, self.rules = spec, list(names), list(rules)
        self.recipe: Recipe = create("vocabulary", spec)
        self.unknown = self.names.index(UNKNOWN)
        self.numbers = {name: number for number, name in enumerate(self.names) if name != PADDING}
        self.begin, self.end = (self.numbers.get(name, -1) for name in (BEGIN, END))
        self._whole = {BEGIN, END}.intersection(self.names)
        self._pieces = self.recipe.pieces(self.names, self.rules)

    def __len__(self) -> int:
        return len(self.names)

    def tokens(self, units: Iterable[str]) -> list[int]:
        """The numbers of units; of one that is not known that of `<unknown>`."""
        pieces = (piece for unit in units for piece in ([unit] if unit in self._whole else self._pieces(unit)))
        return [self.numbers.get(piece, self.unknown) for piece in pieces]

    def encode(self, text: str) -> list[int]:
        """The tokens of a text."""
        return self.tokens(self.recipe.split(text))

    def decode(self, tokens: Iterable[int]) -> str:
        """A text of tokens; padding, begin and end are left out."""
        silent = (PADDING, *self._whole)
        return self.recipe.join(name for token in tokens if (name := self.names[token]) not in silent)

    def plain(self) -> dict[str, Any]:
        """As JSON values; `Vocabulary(**plain)` makes it again."""
        return {"spec": self.spec, "names": self.names, "rules": self.rules}


@dataclass(frozen=True)
class Texts:
    """What the numbers in columns of texts mean while there is no vocabulary yet.

    Parameters:
        columns: names of the columns (N, T), which share a vocabulary; -1 in them fills up
        spec: the registered vocabulary, as in a config
        units: those that the numbers stand for
        specials: names of the first tokens
        known: words that the vocabulary has too, whether the training part has them or not
    """

    columns: tuple[str, ...]
    spec: Any
    units: list[str]
    specials: tuple[str, ...] = SPECIALS
    known: tuple[str, ...] = ()


def numbered(texts: Sequence[Sequence[str]]) -> tuple[Array, list[str]]:
    """Units as numbers (N, T) int64, -1 behind the end of a text; and the units, in the order of Unicode.

    Example:
        >>> codes, units = numbered([["a", "cat"], ["a"]])
        >>> codes.tolist(), units
        ([[0, 1], [0, -1]], ['a', 'cat'])
    """
    units = sorted({unit for text in texts for unit in text})
    numbers = {unit: number for number, unit in enumerate(units)}
    codes = np.full((len(texts), max(map(len, texts), default=0)), NOTHING, np.int64)
    for row, text in zip(codes, texts, strict=True):
        row[: len(text)] = [numbers[unit] for unit in text]
    return codes, units


def tokenized(
    columns: dict[str, Array], texts: Sequence[Texts], train: Array
) -> tuple[dict[str, Array], dict[str, Vocabulary]]:
    """Columns of texts as tokens, and their vocabularies; other columns as they are.

    Parameters:
        columns: {name: (N, …)}
        texts: what the numbers in some of them mean
        train: positions of the training examples

    Returns:
        "y" is filled up with -1, where nothing is to be learned, the others with the token 0.
    """
    found, vocabularies = dict(columns), {}
    for some in texts:
        vocabulary = learned(some, columns, train)
        for name in some.columns:
            found[name] = tokens_of(columns[name], some.units, vocabulary, NOTHING if name == "y" else 0)
            vocabularies[name] = vocabulary
    return found, vocabularies


def learned(texts: Texts, columns: Mapping[str, Array], train: Array) -> Vocabulary:
    """The vocabulary of the training part.

    Parameters:
        texts: what the numbers mean
        columns: (N, T) each
        train: positions of the training examples

    Raises:
        DataError: when it would be empty.
    """
    codes = np.concatenate([columns[name][train].reshape(-1) for name in texts.columns])
    amounts = np.bincount(codes[codes != NOTHING], minlength=len(texts.units))
    counts = {u: int(n) for u, n in zip(texts.units, amounts, strict=True) if n and u not in texts.specials}
    names, rules = create("vocabulary", texts.spec).learn(counts)
    names = list(dict.fromkeys([*names, *(word for word in texts.known if word not in texts.specials)]))
    if not names:
        expected, hint = "a unit or more in the training part", "make `min_count` smaller, or correct the `pattern`"
        raise DataError("the vocabulary is empty", expected=expected, got=f"{len(counts)} different units", hint=hint)
    return Vocabulary(texts.spec, [*texts.specials, *names], rules)


def tokens_of(codes: Array, units: Sequence[str], vocabulary: Vocabulary, fill: int) -> Array:
    """Columns of units (N, T) as tokens int64; where a unit is several tokens, (N, T′) as long as the longest.

    Parameters:
        codes: numbers of units, -1 where a text is filled up
        units: what they stand for
        vocabulary: of the training part
        fill: what stands where a text is filled up

    Example:
        >>> vocabulary = Vocabulary("characters", ["<unknown>", "a", "b"])
        >>> tokens_of(np.array([[2, 0], [1, -1]]), ["a", "b", "c"], vocabulary, -1).tolist()
        [[0, 1], [2, -1]]
    """
    pieces = [vocabulary.tokens([unit]) for unit in units]
    if all(len(some) == 1 for some in pieces):
        table = np.array([*(some[0] for some in pieces), fill], np.int64)  # the last is that of -1
        found: Array = table[codes]
        return found
    rows = [[token for code in row if code != NOTHING for token in pieces[code]] for row in codes.tolist()]
    out = np.full((len(rows), max(map(len, rows))), fill, np.int64)
    for row, tokens in zip(out, rows, strict=True):
        row[: len(tokens)] = tokens
    return out


@register("vocabulary", "characters")
class Characters:
    """Every character is a token, in the order of Unicode.

    Parameters:
        lower_case: make all letters small

    Example:
        >>> Characters(lower_case=True).split("Ab a")
        ['a', 'b', ' ', 'a']
        >>> Characters().learn({"b": 2, "a": 1})[0]
        ['a', 'b']

    Source: Sutskever, Martens, Hinton: Generating text with recurrent neural networks, 2011.
    """

    one_token_a_unit = True

    def __init__(self, lower_case: bool = False) -> None:
        self.lower_case = lower_case

    def split(self, text: str) -> list[str]:
        """Its characters."""
        return list(text.lower() if self.lower_case else text)

    def learn(self, counts: Mapping[str, int]) -> tuple[list[str], list[Any]]:
        """All of them."""
        return sorted(counts), []

    def pieces(self, names: Sequence[str], rules: Sequence[Any]) -> Callable[[str], list[str]]:
        """Itself."""
        return lambda unit: [unit]

    def join(self, names: Iterable[str]) -> str:
        """One after the other."""
        return "".join(names)


@register("vocabulary", "words")
class WordsAndMarks:
    r"""Every word and every punctuation mark is a token, the most frequent first.

    Parameters:
        lower_case: make all letters small
        pattern: regular expression of a unit: a word with its apostrophes, or one character that is neither letter nor
            blank; `\S+` takes what stands between blanks as it is
        min_count: rarer words of the training part are unknown
        size: most tokens of the vocabulary, without the special ones; left out: all
        vectors: a file of word vectors (GloVe's text form), whose words are known too; `init_from` brings the vectors

    Example:
        >>> WordsAndMarks().split("Don't panic, it's Ann.")
        ["don't", 'panic', ',', "it's", 'ann', '.']
        >>> WordsAndMarks(min_count=2).learn({"rare": 1, "the": 9, "cat": 2, "a": 2})[0]
        ['the', 'a', 'cat']

    Source: Manning, Schütze: Foundations of statistical natural language processing, 1999, chapter 4.2.
    """

    one_token_a_unit = True
    of_words = True

    def __init__(
        self,
        lower_case: bool = True,
        pattern: Pattern = r"\w+(?:['’]\w+)*|[^\w\s]",
        min_count: PositiveInt = 1,
        size: PositiveInt | None = None,
        vectors: str | None = None,
    ) -> None:
        self.lower_case, self.pattern, self.min_count, self.size = lower_case, pattern, min_count, size
        self.vectors = vectors

    def split(self, text: str) -> list[str]:
        """All that the pattern finds, from left to right."""
        return [found[0] for found in re.finditer(self.pattern, text.lower() if self.lower_case else text) if found[0]]

    def learn(self, counts: Mapping[str, int]) -> tuple[list[str], list[Any]]:
        """The most frequent; of equally frequent ones the first by Unicode."""
        enough = [word for word, count in counts.items() if count >= self.min_count]
        return sorted(enough, key=lambda word: (-counts[word], word))[: self.size], []

    def pieces(self, names: Sequence[str], rules: Sequence[Any]) -> Callable[[str], list[str]]:
        """Itself."""
        return lambda unit: [unit]

    def join(self, names: Iterable[str]) -> str:
        """With blanks between them."""
        return " ".join(names)
