"""Texts made from texts: how they are read, how they are said, and how far they are right."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_models import graph_of

from dltrain import api
from dltrain.cli.main import run as command
from dltrain.data.dates import FORMS
from dltrain.data.folders import DataFolders
from dltrain.data.pairs import ParallelText
from dltrain.errors import DataError, UsageError
from dltrain.kernels import select
from dltrain.layers.base import Array
from dltrain.model.graph import Graph
from dltrain.model.mode import Mode
from dltrain.registry import create
from dltrain.training.decoding import Reader, beam_search, log_probabilities
from dltrain.training.translation import Translator, bleu

BEGIN, END, TOKENS = 0, 1, 5  # and three words
EMBEDDING = {"embedding": {"vocabulary_size": TOKENS, "units": 6}}
WITH = {"with": ["encoder", "mask"]}
DECODERS: dict[str, list[Any]] = {
    "gru": [{"gru": {"units": 4, "return_sequences": True, "with": {"state": "start"}}}],
    "lstm": [{"lstm": {"units": 4, "return_sequences": True, "with": {"state": "start"}}}, {"luong_attention": WITH}],
    "transformer": [
        "sinusoidal_positions",
        {"residual": [{"multi_head_attention": {"heads": 2, "causal": True}}]},
        {"residual": [{"multi_head_attention": {"heads": 3, **WITH}}, "layer_norm"]},
        {"concat": [[], [{"additive_attention": {"units": 3, **WITH}}]]},
    ],
}


def model(kind: str, steps: int = 3) -> Graph:
    """A random model that says texts."""
    graph: dict[str, Any] = {
        "mask": [{"from": "x"}, {"padding_mask": 0}],
        "encoder": [{"from": "x"}, EMBEDDING, {"gru": {"units": 5, "return_sequences": True, "with": "mask"}}],
        "start": [{"last_step": {"with": "mask"}}, {"dense": 4}, "tanh"],
        "decoder": [{"from": "given"}, EMBEDDING, *DECODERS[kind]],
        "y": [{"dense": TOKENS}],
    }
    if "start" not in repr(DECODERS[kind]):
        del graph["start"]
    graph_ = graph_of({"inputs": {"x": [4], "given": [steps]}, "graph": graph}, {"x": (4,), "given": (steps,)}, seed=4)
    for parameter in graph_.parameters.values():
        parameter.value *= 3  # so that tokens differ in their probabilities
    graph_.changed()
    return graph_


def read(graph: Graph) -> tuple[Reader, Array]:
    """Its reader, and two texts."""
    return Reader(graph, "y", select("auto")), np.array([[2, 3, 4, 1], [3, 2, 0, 0]])


def logs_of(graph: Graph, x: Array, texts: Any) -> Array:
    """log p of each text (R, T), all of it at once, where every token before is given."""
    said = np.array(texts)
    given = np.concatenate([np.full((len(said), 1), BEGIN), said[:, :-1]], 1)
    fed = {"x": np.repeat(x[None], len(said), 0), "given": given}
    logs = log_probabilities(graph.forward(fed, mode=Mode(backward=False))[0]["y"])
    ended = np.cumsum(said == END, 1) - (said == END) > 0  # behind the end nothing counts
    picked: Array = np.where(ended, 0, np.take_along_axis(logs, said[:, :, None], 2)[:, :, 0])
    return picked.sum(1)


def searched(graph: Graph, beam: int, power: float, steps: int = 3) -> list[Any]:
    """What a beam finds for both texts."""
    reader, x = read(graph)
    step = reader.steps(reader.begin(x), beam)
    options: Any = {"begin": BEGIN, "end": END, "silent": [BEGIN], "steps": steps, "length_power": power}
    return beam_search(step, 2, beam=beam, **options)


@pytest.mark.parametrize("power", [0.0, 0.6, 1.0])
@pytest.mark.parametrize("kind", DECODERS)
def test_a_wide_beam_finds_what_trying_all_texts_finds(kind: str, power: float) -> None:
    graph, x = model(kind), read(model(kind))[1]
    texts = itertools.product(range(1, TOKENS), repeat=3)
    whole = list(dict.fromkeys(t[: t.index(END) + 1] if END in t else t for t in texts))
    for n, found in enumerate(searched(graph, TOKENS**3, power)):
        padded = [(*t, *[END] * (3 - len(t))) for t in whole]
        logs = dict(zip(whole, logs_of(graph, x[n], padded), strict=True))
        ranked = sorted(whole, key=lambda t: -logs[t] / len(t) ** power)
        assert len(found) == len(whole)
        assert [one.tokens for one in found[:5]] == [t[:-1] if t[-1] == END else t for t in ranked[:5]]
        assert found[0].score == pytest.approx(logs[ranked[0]] / len(ranked[0]) ** power, abs=1e-5)


@pytest.mark.parametrize("kind", DECODERS)
def test_a_beam_of_one_takes_the_likeliest_token(kind: str) -> None:
    graph = model(kind, 6)
    reader, x = read(graph)
    for n, [only] in enumerate(searched(graph, 1, 0.6, 6)):
        said: list[int] = []
        while END not in said and len(said) < 6:
            given = np.array([[BEGIN, *said, *[0] * 5][:6]])
            logits = graph.forward({"x": x[n : n + 1], "given": given})[0]["y"][0, len(said)]
            said.append(int(logits[1:].argmax()) + 1)
        assert list(only.tokens) == [token for token in said if token != END]


@pytest.mark.parametrize("kind", DECODERS)
def test_the_score_is_what_the_loss_would_be(kind: str) -> None:
    """The log-likelihood of what is said, where all of it is given at once; for every text that a beam keeps."""
    graph = model(kind)
    for n, found in enumerate(searched(graph, 4, 0.6)):
        assert len(found) >= 4
        for one in found:
            padded = [*one.tokens, END, END, END][:3]
            assert logs_of(graph, read(graph)[1][n], [padded])[0] == pytest.approx(one.log_probability, abs=1e-5)


def test_a_model_that_looks_ahead_says_nothing() -> None:
    for causal in (True, False):
        looks = {"multi_head_attention": {"heads": 1, "causal": causal}}
        chain = [{"from": "given"}, EMBEDDING, looks, {"luong_attention": {"with": "encoder"}}, {"dense": TOKENS}]
        shapes = {"x": (3,), "given": (3,)}
        plan = {"inputs": {"x": [3], "given": [3]}, "graph": {"encoder": [{"from": "x"}, EMBEDDING], "y": chain}}
        graph = graph_of(plan, shapes, seed=1)
        for parameter in graph.parameters.values():
            parameter.value *= 3
        if causal:
            Reader(graph, "y", select("auto"))
            continue
        with pytest.raises(UsageError, match="does not say a text step by step"):
            Reader(graph, "y", select("auto"))


# ---------------------------------------------------------------- pairs in files


def loaded(folder: Path, **options: Any) -> Any:
    """The pairs of a folder's files."""
    return create("source", {"parallel_text": {"path": "a.txt", "target_path": "b.txt", **options}}).load(
        DataFolders(folder)
    )


def test_files_that_differ_in_length(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("one\ntwo\nthree\n")
    (tmp_path / "b.txt").write_text("eins\nzwei\n")
    with pytest.raises(DataError) as error:
        loaded(tmp_path)
    assert "b.txt: the files differ in their number of lines; expected 3 as a.txt has; got 2" in str(error.value)


def test_one_side_of_a_pair_is_empty(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("one\n\ntwo\nthree\n")
    (tmp_path / "b.txt").write_text("eins\n\n\ndrei\n")
    with pytest.raises(DataError, match=r"b\.txt:3: one side of a pair is empty"):
        loaded(tmp_path)
    (tmp_path / "b.txt").write_text("eins\n\nzwei\ndrei\n")
    assert loaded(tmp_path).lines.tolist() == [1, 3, 4]


def test_a_pair_that_has_nothing_to_read(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("one\n!!\nthree\n")
    (tmp_path / "b.txt").write_text("eins\nzwei\ndrei\n")
    vocabulary = {"words": {"pattern": r"\w+"}}
    source = {"parallel_text": {"path": "a.txt", "target_path": "b.txt", "source_vocabulary": vocabulary}}
    with pytest.raises(DataError, match=r"a\.txt:2: a pair has nothing to read"):
        create("source", source).load(DataFolders(tmp_path))


def test_a_long_line_of_a_table(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text("one\teins\n" * 3 + "word " * 40_000 + "\tviele\n")
    pool = create("source", {"parallel_text": {"path": "a.tsv", "max_length": 5}}).load(DataFolders(tmp_path))
    assert len(pool) == 3


def test_a_table_with_one_column(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text("one\teins\ntwo zwei\n")
    with pytest.raises(DataError, match=r"a\.tsv:2: the line is no pair"):
        ParallelText("a.tsv").load(DataFolders(tmp_path))


def test_long_pairs_are_left_out_and_counted(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("one\ntwo two\nthree\nfour\n")
    (tmp_path / "b.txt").write_text("eins\nzwei\ndrei drei drei\nvier\n")
    pool = loaded(tmp_path, max_length=1)
    assert pool.lines.tolist() == [1, 4]
    assert pool.layout["pairs"] == {"max_length": 1, "longest": 3, "cut": 2}
    with pytest.raises(DataError, match="no pairs to learn from"):
        loaded(tmp_path, max_length=1, max_pairs=3)


def test_what_is_given_is_what_is_said_a_step_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DLTRAIN_DATA", str(tmp_path))
    (tmp_path / "a.txt").write_text("one one\ntwo\nthree\nfour\n" * 10)
    (tmp_path / "b.txt").write_text("eins\nzwei zwei\ndrei\nvier\n" * 10)
    config = pairs_config({"parallel_text": {"path": "a.txt", "target_path": "b.txt"}})
    from dltrain.api.given import load_experiment
    from dltrain.training.prepared import load_data

    data = load_data(load_experiment(config, ()))
    assert data.classes is not None and data.classes[:4] == ["<padding>", "<unknown>", "<begin>", "<end>"]
    assert data.given_shape == (3,) and data.shape == (2,)
    for x, given, y in zip(*(data.parts["train"].columns[name].tolist() for name in ("x", "given", "y")), strict=True):
        length = y.index(3) + 1
        assert y[length:] == [-1] * (3 - length) and given[length:] == [0] * (3 - length)
        assert given[:length] == [2, *y[: length - 1]] and min(x[: x.index(0) if 0 in x else 2]) > 1


def test_every_form_of_a_date_is_of_that_date() -> None:
    import datetime

    date = datetime.date(1998, 6, 9)
    assert len({form(date) for form in FORMS}) == len(FORMS)
    for form in FORMS:
        assert "1998" in form(date) and "9" in form(date).replace("1998", "")
        assert form(date) != form(datetime.date(1998, 7, 9)) != form(datetime.date(1998, 7, 10))


# ---------------------------------------------------------------- a run


def pairs_config(source: Any = None, **train: Any) -> dict[str, Any]:
    """A small model with attention."""
    embedding = {"units": 16}
    return {
        "task": "sequence_to_sequence",
        "data": {"source": source or {"dates": 1500}, "split": {"random": {"validation": 0.1, "test": 0.1}}},
        "model": {
            "inputs": {"x": None, "given": None},
            "graph": {
                "mask": [{"from": "x"}, "padding_mask"],
                "encoder": [
                    {"from": "x"},
                    {"embedding": {"vocabulary_size": "$source_size", **embedding}},
                    {"gru": {"units": 24, "return_sequences": True, "with": "mask"}},
                ],
                "start": [{"last_step": {"with": "mask"}}, {"dense": 24}, "tanh"],
                "decoder": [
                    {"from": "given"},
                    {"embedding": {"vocabulary_size": "$target_size", **embedding}},
                    {"gru": {"units": 24, "return_sequences": True, "with": {"state": "start"}}},
                ],
                "context": [{"luong_attention": {"with": ["encoder", "mask"]}}],
                "logits": [{"from": "decoder"}, {"concat": {"with": "context"}}, "dense"],
            },
        },
        "optimizer": {"adam": {"learning_rate": 0.01, "clip_norm": 5}},
        "train": {"epochs": 3, "batch_size": 32, **train},
    }


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of a few seconds."""
    return Path(api.fit(pairs_config(), runs=tmp_path_factory.mktemp("runs"))["run"])


def test_evaluate_says_texts_and_counts_them(run: Path) -> None:
    found = api.evaluate(run)["metrics"]
    assert set(found) == {"loss", "perplexity", "token_accuracy", "exact_match"}
    loaded_run = api.load_run(run)
    translator, columns = Translator(loaded_run), loaded_run.loader("test").examples.columns
    right = [translator.decoded(row) for row in columns["y"].tolist()]
    said = [translator.target.decode(one.tokens) for one in translator.say(columns["x"])]
    assert found["exact_match"] == pytest.approx(sum(a == b for a, b in zip(said, right, strict=True)) / len(right))
    assert found["token_accuracy"] > 0.3 and all(len(text) == 10 for text in right)


def test_predict_takes_texts_and_files(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "some.txt").write_text("3 may 1999\n\nmay 3, 1999\n")
    assert command(["predict", str(run), "1999/05/03", str(tmp_path / "some.txt"), "--beam", "2", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["predictions"]
    assert [row["input"] for row in rows] == ["1999/05/03", "3 may 1999", "may 3, 1999"]
    assert all(row["log_probability"] < 0 and row["text"] for row in rows)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["predict", "RUN", "x" * 99], "the text has too many tokens; expected 1 to"),
        (["predict", "RUN", " "], "there is no text to read"),
        (["predict", "RUN", "RUN"], "a folder is no text"),
        (["evaluate", "RUN", "--data", "other.csv"], "pairs are not read from another file"),
        (["predict", "RUN", "1.1.1999", "--with", "RUN"], "the run is named twice"),
        (["generate", "RUN"], "the run writes no texts"),
    ],
)
def test_wrong_requests(arguments: list[str], words: str, run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = [str(run) if word == "RUN" else word for word in arguments]
    assert command(given) in (2, 3)
    assert words in capsys.readouterr().err


def test_a_beam_for_a_run_that_says_no_texts(tmp_path: Path) -> None:
    model = {"graph": {"y": ["dense"]}}
    config = {"task": "classification", "data": {"source": "iris"}, "model": model, "train": {"epochs": 1}}
    other = api.fit(config, runs=tmp_path)["run"]
    with pytest.raises(UsageError, match="a beam has no effect"):
        api.evaluate(other, beam=2)


def test_token_accuracy_counts_what_is_no_padding(run: Path) -> None:
    loaded_run = api.load_run(run)
    columns = loaded_run.loader("test").examples.columns
    fed = {wire: columns[wire] for wire in ("x", "given")}
    said = loaded_run.graph.forward(fed, mode=Mode(backward=False))[0]["logits"].argmax(-1)
    there = columns["y"] >= 0
    expected = (said == columns["y"])[there].mean()
    assert api.evaluate(run)["metrics"]["token_accuracy"] == pytest.approx(expected, abs=1e-12)


def test_the_attention_of_a_run(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A row for each token that is said, a column for each that is read; each row sums up to 1."""
    out = tmp_path / "seen"
    assert command(["show", "attention", str(run), "--text", "3 may 1999", "--out", str(out), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["result"]["read"]["x"] == list("3␣may␣1999")
    with np.load(out / "arrays.npz") as arrays:
        weights = arrays["context.0.luong_attention"]
    assert weights.shape == (1, len(told["result"]["said"]), 10)
    np.testing.assert_allclose(weights.sum(-1), 1, atol=1e-5)
    assert ">3</text>" in (out / "context.0.luong_attention.svg").read_text()
    assert command(["show", "attention", str(run), "--sample", "2", "--out", str(tmp_path / "other")]) == 0
    for wrong, words in (
        (["--text", "3 may " * 20], "too many tokens"),
        (["--sample", "9999"], "no such sample"),
        (["--input", "a.png"], "the view reads a text"),
        (["--layer", "logits"], "the layer is none of attention"),
    ):
        capsys.readouterr()
        assert command(["show", "attention", str(run), *wrong, "--out", str(tmp_path / "wrong")]) == 2
        assert words in capsys.readouterr().err


def test_bleu_of_the_right_texts_is_100() -> None:
    pytest.importorskip("sacrebleu")
    right = ["a man in a red coat", "two dogs run on the beach"]
    assert bleu(right, right) == pytest.approx(100)
    assert 0 < bleu(["a man in a red hat", right[1]], right) < 100
