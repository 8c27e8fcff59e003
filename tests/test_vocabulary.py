"""Vocabularies: what a text is cut into, what the training part teaches, and what travels with a run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cases import VOCABULARIES

from dltrain import api
from dltrain.data import DataFolders, DataSet
from dltrain.data.text import units_of
from dltrain.data.vocabulary import (
    PADDING,
    SPECIALS,
    UNKNOWN,
    Texts,
    Vocabulary,
    learned,
    numbered,
    tokenized,
    tokens_of,
)
from dltrain.errors import DataError, UsageError
from dltrain.registry import create

LINES = ["The cat sat, didn't it?", "the dog sat", "A cat and the dog", "the end"]


def columns_of(spec: Any, lines: list[str]) -> tuple[dict[str, Any], Texts]:
    codes, units = numbered([create("vocabulary", spec).split(line) for line in lines])
    return {"x": codes}, Texts(("x",), spec, units)


@pytest.mark.parametrize("name", VOCABULARIES)
def test_contract(name: str) -> None:
    """It learns the same from the same texts, survives JSON, and gives back what it was given where it knows it."""
    spec = VOCABULARIES[name]
    columns, texts = columns_of(spec, LINES)
    vocabulary, again = (learned(texts, columns, np.arange(4)) for _ in range(2))
    assert vocabulary.plain() == again.plain() and tuple(vocabulary.names[:2]) == SPECIALS
    assert len(set(vocabulary.names)) == len(vocabulary)
    restored = Vocabulary(**json.loads(json.dumps(vocabulary.plain())))
    for line in [*LINES, "", "new wörds ☃"]:
        tokens = vocabulary.encode(line)
        assert tokens == restored.encode(line) and all(0 < token < len(vocabulary) for token in tokens)
    known = "the cat sat"
    assert restored.decode([*restored.encode(known), 0, 0]) == known
    found = tokenized(columns, (texts,), np.arange(4))[0]["x"]
    assert [row[row != 0].tolist() for row in found] == [vocabulary.encode(line) for line in LINES]


def test_words_are_counted_in_the_training_part_alone() -> None:
    columns, texts = columns_of({"words": {"min_count": 2}}, LINES)
    whole = learned(texts, columns, np.arange(4))
    assert whole.names == [*SPECIALS, "the", "cat", "dog", "sat"]  # by count, then by Unicode
    part = learned(texts, columns, np.array([0, 2]))
    assert part.names == [*SPECIALS, "cat", "the"]
    x = tokens_of(columns["x"], texts.units, part, 0)
    assert x[1].tolist() == [3, 1, 1, 0, 0, 0, 0][: x.shape[1]] + [0] * (x.shape[1] - 7)
    with pytest.raises(DataError, match="vocabulary is empty.*min_count"):
        learned(columns_of({"words": {"min_count": 9}}, LINES)[1], columns, np.arange(4))


def test_a_word_that_is_called_padding_is_no_padding() -> None:
    columns, texts = columns_of({"words": {"pattern": r"\S+"}}, [f"a {PADDING} {UNKNOWN} b", "a"])
    vocabulary = learned(texts, columns, np.arange(2))
    assert vocabulary.names == [*SPECIALS, "a", "b"]
    assert tokens_of(columns["x"], texts.units, vocabulary, 0).tolist() == [[2, 1, 1, 3], [2, 0, 0, 0]]


def test_byte_pairs_write_every_word_and_merge_frequent_ones() -> None:
    spec = {"byte_pairs": {"size": 270}}
    columns, texts = columns_of(spec, ["the cat the cat the"] * 3 + ["snow"])
    vocabulary = learned(texts, columns, np.array([0, 1, 2]))
    assert len(vocabulary.encode("cat the")) < len("cat the") and vocabulary.rules
    for text in ("snow ☃ man", "the cat", " two  blanks"):
        assert vocabulary.decode(vocabulary.encode(text)) == text
    assert UNKNOWN not in [vocabulary.names[token] for token in vocabulary.encode("ß∂ƒ")]
    x = tokens_of(columns["x"], texts.units, vocabulary, 0)
    assert len(x) == 4 and (x[3] > 0).sum() == len(vocabulary.encode("snow")) and (x[0, -1] == 0 or x.shape[1] == 5)


def test_columns_share_a_vocabulary_or_have_their_own() -> None:
    codes, units = numbered([["a", "b"], ["c"]])
    columns = {"x": codes[:1], "y": codes[1:]}
    shared = tokenized(columns, (Texts(("x", "y"), "words", units),), np.arange(1))[1]
    assert shared["x"] is shared["y"] and shared["x"].names[2:] == ["a", "b", "c"]
    own = tokenized(columns, tuple(Texts((name,), "words", units) for name in "xy"), np.arange(1))
    assert own[1]["x"].names[2:] == ["a", "b"] and own[1]["y"].names[2:] == ["c"]
    assert own[0]["y"].tolist() == [[2, -1]]  # what fills up a target is learned by nobody


def test_a_wrong_pattern_is_one_sentence() -> None:
    with pytest.raises(DataError, match=r"pattern cannot be read.*regular expression.*\(\+"):
        units_of(["a b"], {"words": {"pattern": "(+"}})


def test_windows_are_not_cut_of_byte_pairs(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("to be or not to be")
    with pytest.raises(DataError, match="does not fit the source; expected characters or words; got byte_pairs"):
        create("source", {"text": {"path": "a.txt", "vocabulary": "byte_pairs"}}).load(DataFolders(tmp_path))


def test_without_the_package_byte_pairs_say_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "tokenizers", None)
    with pytest.raises(UsageError, match=r'pip install "dltrain\[tokens\]"'):
        create("vocabulary", "byte_pairs").learn({"a": 2})


def test_words_of_a_language_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The vocabulary is in the checkpoint: a run writes texts of its words without its data."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.txt").write_text("the cat sat on the mat and the dog sat on the log . " * 40)
    model = {
        "graph": {
            "h": [
                {"embedding": {"vocabulary_size": "$vocabulary_size", "units": 8}},
                {"lstm": {"units": 16, "return_sequences": True}},
            ],
            "logits": ["dense"],
        }
    }
    source = {"text": {"path": "a.txt", "steps": 6, "vocabulary": {"words": {"pattern": r"\S+"}}}}
    data = {"source": source, "split": {"chronological": {"validation": 0.2, "test": 0}}}
    config = {"task": "language_model", "data": data, "model": model, "optimizer": {"adam": 0.02}}
    run = api.fit({**config, "train": {"epochs": 12, "batch_size": 4}}, runs="runs")["run"]
    (tmp_path / "a.txt").unlink()
    text = api.generate(run, "the cat", length=6, temperature=0)["texts"][0]
    assert text == " sat on the mat and the"
    assert (
        api.generate(run, "  ", length=3, temperature=0)["texts"] == api.generate(run, length=3, temperature=0)["texts"]
    )
    with pytest.raises(UsageError, match="does not know.*'cow'"):
        api.generate(run, "the cow")
    session = api.load_run(run).session
    assert "confusion" in session.task.tally(everything=True).collectors
    session.task.data.classes = [str(k) for k in range(2000)]  # a table of 2000 × 2000 is read by nobody
    assert "confusion" not in session.task.tally(everything=True).collectors
    loaded = api.load_run(run).session.data
    stored = DataSet.from_info(json.loads(json.dumps(loaded.info())), {})
    vocabulary = stored.vocabulary("x")
    assert vocabulary is not None and vocabulary.names == loaded.classes
    assert stored.vocabulary("z") is None
