"""Byte-pair encoding: a vocabulary of frequent parts of words, by the package tokenizers."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from dltrain.errors import UsageError
from dltrain.registry import register
from dltrain.types import PositiveInt


@register("vocabulary", "byte_pairs")
class BytePairs:
    """Frequent parts of words are tokens: single bytes, and again and again the most frequent pair joined.

    No word is unknown: at worst it is written in bytes.  Needs tokenizers: `pip install "dltrain[tokens]"`.

    Parameters:
        size: tokens of the vocabulary, without the special ones: 256 bytes, and what is merged
        lower_case: make all letters small
        min_count: rarer pairs are not merged

    Example:
        >>> recipe = BytePairs(size=259)
        >>> recipe.split("low lower")
        ['low', ' lower']
        >>> names, merges = recipe.learn({"low": 5, " lower": 2})
        >>> recipe.pieces(names, merges)("lowest")
        ['low', 'e', 's', 't']

    Source: Sennrich, Haddow, Birch: Neural machine translation of rare words with subword units, 2016; of bytes:
    Radford et al.: Language models are unsupervised multitask learners, 2019.
    """

    def __init__(self, size: PositiveInt = 8000, lower_case: bool = False, min_count: PositiveInt = 2) -> None:
        self.size, self.lower_case, self.min_count = size, lower_case, min_count

    def split(self, text: str) -> list[str]:
        """Words with the blanks before them, so that all of them together are the text."""
        return re.findall(r"\s*\S+", text.lower() if self.lower_case else text)

    def learn(self, counts: Mapping[str, int]) -> tuple[list[str], list[Any]]:
        """The bytes and what was merged; and the merges in their order."""
        library = tokenizers()
        model = library.Tokenizer(library.models.BPE())
        model.pre_tokenizer = library.pre_tokenizers.ByteLevel(add_prefix_space=False)
        bytes_ = library.pre_tokenizers.ByteLevel.alphabet()
        options = {"vocab_size": self.size, "min_frequency": self.min_count, "initial_alphabet": bytes_}
        trainer = library.trainers.BpeTrainer(show_progress=False, **options)
        model.train_from_iterator((unit for unit, count in counts.items() for _ in range(count)), trainer)
        state = json.loads(model.to_str())["model"]
        return sorted(state["vocab"], key=state["vocab"].get), [list(pair) for pair in state["merges"]]

    def pieces(self, names: Sequence[str], rules: Sequence[Any]) -> Callable[[str], list[str]]:
        """The merges, in their order, as often as they fit."""
        library = tokenizers()
        numbers = {name: number for number, name in enumerate(names)}
        model = library.Tokenizer(library.models.BPE(numbers, [tuple(pair) for pair in rules]))
        model.pre_tokenizer = library.pre_tokenizers.ByteLevel(add_prefix_space=False)
        return lambda unit: list(model.encode(unit).tokens)

    def join(self, names: Iterable[str]) -> str:
        """The text of their bytes."""
        return str(tokenizers().decoders.ByteLevel().decode(list(names)))


def tokenizers() -> Any:
    """The library, imported when it is used.

    Raises:
        UsageError: when it is not installed.
    """
    try:
        import tokenizers as library
    except ImportError:
        hint = 'install it with `pip install "dltrain[tokens]"`, or take `words` or `characters`'
        raise UsageError("byte pairs need the package tokenizers", where="vocabulary", hint=hint) from None
    return library
