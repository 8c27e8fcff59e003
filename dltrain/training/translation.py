"""Texts that a trained run makes of others, and how far they are the right ones."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dltrain.data.fresh_texts import is_path
from dltrain.data.text import read_text
from dltrain.data.vocabulary import BEGIN, PADDING, UNKNOWN
from dltrain.errors import UsageError
from dltrain.kernels.arrays import Array
from dltrain.tasks.sequence_to_sequence import until_end
from dltrain.training.decoding import Reader, Said, beam_search

if TYPE_CHECKING:
    from dltrain.training.trained import Run

KIND = "sequence_to_sequence"
TEXTS = 256  # sequences that are said side by side, those of a beam counted
LENGTH_POWER = 0.6
LONGEST_GRAM = 4  # words in a row that BLEU compares


class Translator:
    """A run of the task `sequence_to_sequence` that says texts.

    Parameters:
        run: the trained run
        beam: how many texts are kept at each step; 1 always takes the likeliest token
        length_power: see `beam_search`

    Raises:
        UsageError: when the run is of another task, or its model does not say a text step by step.
    """

    def __init__(self, run: Run, beam: int = 1, length_power: float = LENGTH_POWER) -> None:
        if run.kind != KIND:
            raise UsageError(
                "the run says no texts", where=run.folder.name, expected=f"a run of the task {KIND}", got=run.kind
            )
        session = run.session
        self.name, self.beam, self.length_power = run.folder.name, beam, length_power
        source, target = (session.data.vocabulary(column) for column in "xy")
        assert source is not None and target is not None
        self.source, self.target = source, target
        self.reader = Reader(session.graph, session.task.wire, session.kernels)
        self.read, self.most = session.data.shape[0], session.data.given_shape[0]
        self.silent = [self.target.names.index(name) for name in (PADDING, UNKNOWN, BEGIN)]

    def say(self, x: Array) -> list[Said]:
        """The best text for each row of tokens x (N, S)."""
        found: list[Said] = []
        size = max(1, TEXTS // self.beam)  # what is kept of each step grows with the beam
        for start in range(0, len(x), size):
            some = x[start : start + size]
            step = self.reader.steps(self.reader.begin(some), self.beam)
            ends: Any = {"begin": self.target.begin, "end": self.target.end, "silent": self.silent}
            options: Any = {"beam": self.beam, "steps": self.most, "length_power": self.length_power}
            found += [best for best, *_ in beam_search(step, len(some), **ends, **options)]
        return found

    def translate(self, texts: Sequence[str]) -> list[dict[str, Any]]:
        """What is made of each text: ``{input, text, log_probability}``.

        Raises:
            UsageError: when a text has no tokens, or more than those of the training data.
        """
        said = self.say(self.tokens_of(texts))
        return [
            {"input": text, "text": self.target.decode(one.tokens), "log_probability": float(one.log_probability)}
            for text, one in zip(texts, said, strict=True)
        ]

    def tokens_of(self, texts: Sequence[str]) -> Array:
        """Tokens (N, S) of texts."""
        x = np.zeros((len(texts), self.read), np.int64)
        for row, text in zip(x, texts, strict=True):
            tokens = self.source.encode(text)
            if not 0 < len(tokens) <= self.read:
                expected, hint = f"1 to {self.read} tokens, as the texts of the training data", "cut it into sentences"
                what = "the text has too many tokens" if tokens else "the text is empty"
                raise UsageError(what, where=repr(text[:40]), expected=expected, got=str(len(tokens)), hint=hint)
            row[: len(tokens)] = tokens
        return x

    def decoded(self, tokens: Sequence[int]) -> str:
        """A target of the data (T,) as a text."""
        return str(self.target.decode(until_end([token for token in tokens if token >= 0], self.target.end)))


def says_texts(runs: Sequence[Run], beam: int, data: object = None) -> bool:
    """Whether what is asked of some runs are texts that they say.

    Parameters:
        runs: one, or those of an ensemble
        beam: how many texts are kept at each step
        data: other data than their own, where these are named

    Raises:
        UsageError: when only one of them can be asked, with its own data, or `beam` has no effect.
    """
    if runs[0].kind != KIND:
        if beam > 1:
            expected, got = f"a run of the task {KIND}", runs[0].kind
            raise UsageError("a beam has no effect: the run says no texts", where="--beam", expected=expected, got=got)
        return False
    if len(runs) > 1:
        raise UsageError("an ensemble says no texts", where=f"task {KIND}", expected="one run", got=str(len(runs)))
    if data is not None:
        expected, hint = "a part of the run's own data", "`dltrain predict RUN FILE` makes texts from those of a file"
        raise UsageError("pairs are not read from another file", where=str(data), expected=expected, hint=hint)
    return True


def texts_in(inputs: Sequence[str | Path]) -> list[str]:
    """Texts: the lines of files, and what names no file.

    Raises:
        UsageError: when there is none.
    """
    found: list[str] = []
    for one in inputs:
        path, named = Path(one), is_path(Path(one), str(one))
        if named and path.is_dir():
            raise UsageError("a folder is no text", where=str(path), expected="a text, or a file of texts, one a line")
        found += [line for line in (read_text(path).split("\n") if named else [str(one)]) if line.strip()]
    if not found:
        expected = "a text, or a file of texts, one a line"
        raise UsageError("there is no text to read", where=", ".join(map(repr, map(str, inputs))), expected=expected)
    return found


def said_right(run: Run, split: str, beam: int) -> dict[str, float]:
    """How far the texts that a run says for a part of its data are the right ones.

    Returns:
        exact_match, the share of the texts that are right to the last token; and bleu (0 to 100), of tokens, where the
        texts have several words and the package sacrebleu is installed.
    """
    translator, columns = Translator(run, beam), run.loader(split).examples.columns
    said = [translator.target.decode(one.tokens) for one in translator.say(columns["x"])]
    right = [translator.decoded(row) for row in columns["y"].tolist()]
    found = {"exact_match": float(np.mean([a == b for a, b in zip(said, right, strict=True)]))}
    several = max(len(text.split()) for text in right) >= LONGEST_GRAM
    return found | ({"bleu": bleu(said, right)} if several and find_spec("sacrebleu") else {})


def bleu(said: Sequence[str], right: Sequence[str]) -> float:
    """BLEU from 0 to 100 of texts whose tokens have blanks between them.

    Source: Papineni et al.: BLEU, a method for automatic evaluation of machine translation, 2002; Post: A call for
    clarity in reporting BLEU scores, 2018.
    """
    import sacrebleu

    return float(sacrebleu.corpus_bleu(list(said), [list(right)], tokenize="none", force=True).score)
