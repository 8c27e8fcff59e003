"""Texts with a label each: their sources, batches by length, predictions, and what is wrong with a text."""

from __future__ import annotations

import io
import json
import re
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dltrain import api
from dltrain.cli.main import run as command
from dltrain.data import DataFolders, Loader
from dltrain.data.examples import Examples
from dltrain.data.lengths import lengths_of
from dltrain.errors import ConfigError, DataError, DltrainError
from dltrain.registry import create
from dltrain.training.session import prepare

GOOD, BAD = ("good", "great", "lovely", "fine"), ("bad", "awful", "dull", "poor")
MASKED: dict[str, Any] = {
    "graph": {
        "mask": [{"from": "x"}, "padding_mask"],
        "words": [{"from": "x"}, {"embedding": {"vocabulary_size": "$vocabulary_size", "units": 6, "padding": 0}}],
        "logits": [{"lstm": {"units": 8, "with": "mask"}}, "dense"],
    }
}


def sentences(words: tuple[str, ...], count: int = 40) -> list[str]:
    return [f"{'the film ' * (k % 7)}is {words[k % 4]}, really" for k in range(count)]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the same texts in every layout, in which commands run."""
    monkeypatch.chdir(tmp_path)
    texts = {"bad": sentences(BAD), "good": sentences(GOOD)}
    rows = []
    for label, lines in texts.items():
        (tmp_path / f"{label}.txt").write_text("\n".join(lines) + "\n")
        (tmp_path / "set" / label).mkdir(parents=True)
        for k, line in enumerate(lines):
            (tmp_path / "set" / label / f"{k}.txt").write_text(line)
        rows += [(line, label) for line in lines]
    (tmp_path / "a.csv").write_text("text,label\n" + "".join(f'"{text}",{label}\n' for text, label in rows))
    (tmp_path / "a.tsv").write_text("".join(f"{text}\t{label}\n" for text, label in rows))
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as archive:
        for label, lines in texts.items():
            for k, line in enumerate(lines):
                member = tarfile.TarInfo(f"outer/{label}/{k}.txt")
                member.size = len(line)
                archive.addfile(member, io.BytesIO(line.encode()))
    return tmp_path


LAYOUTS: dict[str, Any] = {
    "files": {"text_files": {"classes": {"bad": "bad.txt", "good": "good.txt"}}},
    "folder": {"text_folder": "set"},
    "archive": {"text_folder": "a.tar.gz"},
    "csv": {"text_table": {"path": "a.csv", "text": "text", "label": "label"}},
    "tsv": {"text_table": "a.tsv"},
}


TWO_FILES = {"text_files": {"classes": {"a": "b.tsv", "b": "bad.txt"}}}


def config(source: Any = LAYOUTS["tsv"], **changes: Any) -> dict[str, Any]:
    data = {"source": source, "split": {"stratified": {"validation": 0.2, "test": 0.2}}}
    settings = {"optimizer": {"adam": 0.02}, "train": {"epochs": 12, "batch_size": 10}}
    return {"task": "classification", "data": data, "model": MASKED, **settings, **changes}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_gives_the_same_texts(folder: Path, layout: str) -> None:
    pool = create("source", LAYOUTS[layout]).load(DataFolders(folder))
    [texts] = pool.texts
    lines = [" ".join(texts.units[code] for code in row if code >= 0) for row in pool.columns["x"]]
    wanted = {(line.replace(",", " ,"), "bad") for line in sentences(BAD)}
    wanted |= {(line.replace(",", " ,"), "good") for line in sentences(GOOD)}
    assert set(zip(lines, pool.columns["y"].tolist(), strict=True)) == wanted and len(pool) == 80
    assert pool.place(79).endswith({"files": "good.txt:40", "csv": "a.csv:81", "tsv": "a.tsv:80"}.get(layout, ".txt:1"))


@pytest.mark.parametrize(
    ("source", "content", "words"),
    [
        ({"text_table": "b.tsv"}, b"a\tx\nb\n", r"b\.tsv:2: this row has too few entries; expected 2 or more.*got 1"),
        ({"text_table": "b.tsv"}, b"a\tx\n \ty\n", r"b\.tsv:2: the text is empty"),
        ({"text_table": "b.tsv"}, b"a\tx\nb\xe9\ty\n", r"b\.tsv:2: the text is not UTF-8"),
        ({"text_table": "b.tsv"}, b"a\tx\nb\t\n", r"b\.tsv:2: the target is missing"),
        (
            {"text_table": {"path": "b.tsv", "text": "words"}},
            b"text\tlabel\na\tx\n",
            r"b\.tsv:1: the column 'words' is missing",
        ),
        ({"text_table": {"path": "b.tsv", "label": 0}}, b"a\tx\n", "text and label are the same column"),
        ({"text_table": "b.tsv"}, b"", "there is no text"),
        (TWO_FILES, b"one\n\ntwo\n", r"b\.tsv:2: the text is empty"),
        (
            {"text_files": {"classes": {"a": "b.tsv", "b": "bad.txt"}}},
            b"one\ntw\xff\n",
            r"b\.tsv:2: the text is not UTF-8.*iconv",
        ),
        ({"text_files": {"classes": {"a": "b.tsv"}}}, b"one\n", "a class is missing"),
        ({"text_folder": "lone"}, b"", "no folder of a class"),
    ],
)
def test_bad_texts(folder: Path, source: Any, content: bytes, words: str) -> None:
    (folder / "b.tsv").write_bytes(content)
    (folder / "lone").mkdir()
    (folder / "lone" / "a.txt").write_text("a")
    with pytest.raises(DltrainError) as error:
        api.check(config(source))
    assert re.search(words, str(error.value)), error.value


def test_what_is_longer_than_the_limit_is_cut_off_counted_and_told(folder: Path) -> None:
    session = prepare(api.load_experiment(config({"text_table": {"path": "a.tsv", "max_length": 6}})))
    assert session.data.shape == (6,)
    lengths = [len(line.replace(",", " ,").split()) for words in (BAD, GOOD) for line in sentences(words)]
    [note] = session.data.notes()
    assert (
        note
        == f"{sum(n > 6 for n in lengths)} texts are cut off after 6 (`max_length`); the longest has {max(lengths)}"
    )
    assert not prepare(api.load_experiment(config())).data.notes()


def test_a_text_has_nothing_to_prepare(folder: Path) -> None:
    wrong = config()
    wrong["data"]["prepare"] = ["standardize"]
    with pytest.raises(ConfigError, match="no numbers to prepare"):
        api.check(wrong)


def batches(loader: Loader, epoch: int) -> list[tuple[list[int], int]]:
    found = [loader.batch(epoch, index) for index in range(loader.steps_per_epoch)]
    return [(batch.ids.tolist(), batch.inputs["x"].shape[1]) for batch in found]


def test_batches_of_about_the_same_length() -> None:
    """All texts once an epoch, little padding, the last batch mixed; the same again, another order in each epoch."""
    draw = np.random.default_rng(0)
    x = np.zeros((333, 100), np.int64)
    for row, length in zip(x, draw.integers(1, 100, 333), strict=True):
        row[:length] = 1
    examples = Examples({"x": x, "y": np.arange(333)}, np.arange(333))
    loader, again, plain = (Loader(examples, 10, shuffle=True, seed=5) for _ in range(3))
    loader.cut_padding()
    again.cut_padding()
    first = batches(loader, 0)
    assert sorted(k for ids, _ in first for k in ids) == list(range(333)) and len(first[-1][0]) == 3
    assert batches(again, 3) == batches(loader, 3) != first == batches(again, 0)
    lengths = lengths_of(x, examples.columns["y"])
    assert all(max(lengths[ids]) <= steps for ids, steps in first)
    spread = np.mean([np.ptp(lengths[ids]) for ids, _ in first[:-1]])
    assert spread < np.mean([np.ptp(lengths[ids]) for ids, _ in batches(plain, 0)[:-1]]) / 8
    assert [ids for ids, _ in first] != sorted(ids for ids, _ in first)
    steady = Loader(examples, 10, shuffle=False, seed=0)
    steady.cut_padding()
    assert [k for ids, _ in batches(steady, 0) for k in ids] == list(range(333))
    assert batches(steady, 0)[-1][1] == min(-(-max(lengths[330:]) // 8) * 8, 100)


CONV = {"conv": {"filters": 4, "kernel_size": 3, "padding": "same"}}


@pytest.mark.parametrize(
    ("layers", "cut"),
    [
        ([{"lstm": {"units": 4, "with": "mask"}}, "dense"], True),
        ([{"masked_mean": {"with": "mask"}}, "dense"], True),
        ([CONV, {"masked_max": {"with": "mask"}}, "dense"], True),
        ([CONV, "relu", CONV, {"masked_max": {"with": "mask"}}, "dense"], False),  # the second one sees what fills up
        ([{"lstm": 4}, "dense"], False),
        (["global_avg_pool", "dense"], False),
        (["position_embedding", {"masked_mean": {"with": "mask"}}, "dense"], True),
        (["flatten", "dense"], False),
        (["sinusoidal_positions", {"masked_mean": {"with": "mask"}}, "dense"], True),
    ],
)
def test_padding_is_cut_only_where_that_changes_nothing(folder: Path, layers: list[Any], cut: bool) -> None:
    graph = {**MASKED["graph"], "logits": [{"from": "words"}, *layers]}
    model = {"graph": graph if "mask" in str(layers) else {k: v for k, v in graph.items() if k != "mask"}}
    session = prepare(api.load_experiment(config(model=model)))
    assert session.cuts_padding is cut
    loader = session.loader("validation")
    assert loader is not None and (loader.lengths is not None) is cut
    whole = session.evaluator().outputs({"x": loader.examples.columns["x"]})["logits"]
    batch = loader.batch(0, 0)
    found = session.graph.forward(batch.inputs)[0]["logits"]
    np.testing.assert_allclose(found, whole[batch.rows], rtol=1e-4, atol=1e-6)


def test_it_learns_and_says_so_of_new_texts(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result = api.fit(config(), runs="runs")
    assert result["test"]["accuracy"] == 1
    run = result["run"]
    (folder / "new.txt").write_text("it is great\nawful stuff\n")
    assert [p["label"] for p in api.predict(run, ["new.txt", "a lovely film", "dull"])["predictions"]] == [
        *("good", "bad", "good", "bad")
    ]
    assert api.evaluate(run, data="a.tsv")["metrics"]["accuracy"] == 1
    assert api.evaluate(run, data="set")["samples"] == 80
    with pytest.raises(DataError, match="no labels to compare with"):
        api.evaluate(run, data="bad.dat") if (folder / "bad.dat").write_text("a\n") else None
    with pytest.raises(DataError, match="there is no such file"):
        api.predict(run, ["nowhere.txt"])
    assert command(["predict", run, "a great film", "--json"]) == 0
    [prediction] = json.loads(capsys.readouterr().out)["predictions"]
    assert prediction["label"] == "good" and prediction["text"] == "<unknown> great film"
    assert command(["predict", run, "  "]) == command(["predict", run, ""]) == 3
    assert "the text is empty" in capsys.readouterr().err


def test_the_mistakes_are_shown_with_their_text(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = api.fit(config(train={"steps": 1, "batch_size": 10}), runs="runs")["run"]
    found = api.errors(run, split="train")
    assert found["errors"] and all("film" in row["text"] or "is" in row["text"] for row in found["worst"])
    table = (Path(found["folder"]) / "errors.csv").read_text().splitlines()
    assert table[0].endswith(",text") and len(table) == found["errors"] + 1
    assert command(["errors", run, "--split", "train"]) == 0
    assert " is " in capsys.readouterr().out
    assert api.errors(run, split="train")["errors"] == found["errors"]  # the table is read again


def test_a_resumed_run_goes_on_as_one_that_was_never_stopped(folder: Path) -> None:
    whole = api.fit(config(train={"steps": 9, "batch_size": 10}), runs="runs")["run"]
    parts = api.fit(config(train={"steps": 9, "batch_size": 10, "checkpoint_every": "4 steps"}), runs="runs")["run"]
    for file in sorted(Path(parts, "checkpoints").iterdir())[2:]:
        file.unlink()
    api.resume(parts)
    states = [api.load_run(run, checkpoint="last").graph.state() for run in (whole, parts)]
    assert all((states[0][path] == states[1][path]).all() for path in states[0])


def test_what_there_is_to_say_of_texts(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("c.yaml").write_text(json.dumps(config()))
    assert command(["data", "show", "c.yaml", "--json"]) == 0
    texts = json.loads(capsys.readouterr().out)["texts"]
    assert texts["vocabulary"] == 2 + 5 + 8 and texts["shortest"] == 4 and texts["longest"] == 16
    assert command(["data", "show", "c.yaml"]) == 0
    assert "vocabulary of 15 tokens" in capsys.readouterr().out


def test_given_word_vectors(folder: Path) -> None:
    """Their words are known, also those that only other parts have; the embedding begins with them, frozen or not."""
    lines = ["unseen 1 2 3", "great 4 5 6", "dull 7 8 9", "great 0 0 0"]
    (folder / "vectors.txt").write_text("\n".join(lines))
    (folder / "b.tsv").write_text("a great film\tgood\na poor film\tbad\nso great\tgood\nso dull\tbad\n" * 5)
    source = {"text_table": {"path": "b.tsv", "vocabulary": {"words": {"vectors": "vectors.txt"}}}}
    embedding = {"embedding": {"vocabulary_size": "$vocabulary_size", "units": 3, "padding": 0}}
    model = {"graph": {**MASKED["graph"], "words": [{"from": "x"}, embedding]}}
    frozen = {"adam": {"learning_rate": 0.1, "groups": {"words.*": {"frozen": True}}}}
    given = {"model": model, "optimizer": frozen, "init_from": {"word_vectors": "vectors.txt"}}
    result = api.fit(config(source, **given), runs="runs")
    loaded = api.load_run(result["run"])
    vocabulary = loaded.session.data.vocabulary()
    assert vocabulary is not None and set(vocabulary.names[2:]) == {
        *["a", "great", "film", "poor", "so", "dull", "unseen"]
    }
    table = next(p.value for path, p in loaded.graph.parameters.items() if path.endswith("embeddings"))
    for line in lines[:3]:
        word, *numbers = line.split()
        assert table[vocabulary.numbers[word]].tolist() == [float(number) for number in numbers]
    report = json.loads(Path(result["run"], "initial_weights.json").read_text())
    assert report["note"] == "3 of 7 words have a vector, 4 begin with a random one"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (
            "great 1 2 3 4\n",
            r"vectors\.txt:1: the vectors have another width; expected 6 numbers.*got 4 behind 'great'",
        ),
        ("a 1 2 3 4 5 6\ngreat 1 2 3 x 4 5\n", r"vectors\.txt:2: this is no vector"),
        ("great 1 2 3 nan 4 5\n", "this is no vector"),
        (None, "there is no such data file"),
    ],
)
def test_bad_word_vectors(folder: Path, content: str | None, words: str) -> None:
    if content is not None:
        (folder / "vectors.txt").write_text(content)
    with pytest.raises(ConfigError, match=words):
        api.fit(config(init_from={"word_vectors": "vectors.txt"}), runs="runs")
