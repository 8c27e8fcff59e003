"""Texts: sources, vocabulary, language models, states that are carried over, and what a run writes."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dltrain import api
from dltrain.cli.main import run as command
from dltrain.config.shipped import find_shipped
from dltrain.data import DataFolders, Loader
from dltrain.data.examples import Examples
from dltrain.data.orders import side_by_side
from dltrain.errors import ConfigError, DataError, UsageError
from dltrain.model.mode import Mode
from dltrain.registry import create
from dltrain.training.generation import Writer
from dltrain.training.journal import NoJournal
from dltrain.training.progress import SilentProgress
from dltrain.training.session import prepare

TEXT = "the cat sat on the mat and the dog sat on the log. " * 30
MODEL = {
    "graph": {
        "h": [
            {"embedding": {"vocabulary_size": "$vocabulary_size", "units": 8}},
            {"lstm": {"units": 24, "return_sequences": True}},
        ],
        "logits": ["dense"],
    }
}


def config(path: str = "a.txt", stateful: bool = False, **changes: Any) -> dict[str, Any]:
    """A small language model."""
    return {
        "task": {"language_model": {"stateful": stateful}},
        "data": {
            "source": {"text": {"path": path, "steps": 10}},
            "split": {"chronological": {"validation": 0.2, "test": 0}},
        },
        "model": MODEL,
        "optimizer": {"adam": {"learning_rate": 0.02}},
        "train": {"epochs": 8, "batch_size": 4},
        **changes,
    }


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a text, in which commands run."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.txt").write_text(TEXT)
    return tmp_path


def pool_of(folder: Path, spec: Any) -> Any:
    return create("source", spec).load(DataFolders(folder / "data"))


def test_windows_follow_each_other(folder: Path) -> None:
    pool = pool_of(folder, {"text": {"path": "a.txt", "steps": 10}})
    x, y = pool.columns["x"], pool.columns["y"]
    units = pool.texts[0].units
    assert "".join(units[code] for code in x.reshape(-1)) == TEXT[: x.size]
    assert "".join(units[code] for code in y.reshape(-1)) == TEXT[1 : x.size + 1]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"good\nbad \xff here\n" * 20, r"a\.txt:2.*not UTF-8.*0xff.*iconv"),
        (b"line\nzero \0 here\n" * 20, r"a\.txt:2.*no plain text"),
        (b"short", "too short"),
        (b"", "too short"),
    ],
)
def test_bad_text(folder: Path, content: bytes, words: str) -> None:
    (folder / "data" / "a.txt").write_bytes(content)
    with pytest.raises(DataError) as error:
        pool_of(folder, {"text": {"path": "a.txt", "steps": 10}})
    assert re.search(words, str(error.value))


def test_packed_text_line_ends_and_byte_order_marks(folder: Path) -> None:
    (folder / "data" / "b.txt.gz").write_bytes(gzip.compress(b"\xef\xbb\xbf" + TEXT.replace(". ", ".\r\n").encode()))
    pool = pool_of(folder, {"text": {"path": "b.txt.gz", "steps": 10}})
    text = "".join(pool.texts[0].units[code] for code in pool.columns["x"].reshape(-1))
    assert text == TEXT.replace(". ", ".\n")[: len(text)]


def test_the_vocabulary_is_that_of_the_training_part(folder: Path) -> None:
    (folder / "data" / "a.txt").write_text(TEXT + "§" * 200)
    session = prepare(api.load_experiment(config()))
    tokens, validation = session.data.classes, session.data.parts["validation"].columns
    assert tokens[0] == "<unknown>" and tokens[1:] == sorted(set(TEXT)) and "§" not in tokens
    assert (validation["x"][-1] == 0).all() and (validation["y"][-1] == 0).all()
    assert "".join(tokens[int(token)] for token in session.data.parts["train"].columns["x"][0]) == TEXT[:10]


def test_names(folder: Path) -> None:
    """Padding counts in no loss, and a mask or none makes no difference to a layer that goes forwards."""
    (folder / "data" / "n.txt").write_text("Ann\n\n  Bo \nCharlotte\n" * 9)
    pool = pool_of(folder, {"text_lines": {"path": "n.txt", "vocabulary": {"characters": {"lower_case": True}}}})
    assert pool.columns["x"].shape == (27, 10) and pool.place(1).endswith("n.txt:3")
    assert [pool.texts[0].units[code] for code in pool.columns["y"][1] if code >= 0] == ["b", "o", "\n"]
    assert (pool.columns["y"][1][3:] == -1).all() and (pool.columns["x"][1][3:] == -1).all()
    source = {"text_lines": {"path": "n.txt"}}
    session = prepare(api.load_experiment(config(data={"source": source, "split": {"random": {"test": 0}}})))
    loader = session.loader("train")
    batch = loader.batch(0, 0)
    assert session.task.weight(batch) == (batch.target >= 0).sum() < batch.target.size
    value = session.objective(batch, session.trainer(NoJournal(), SilentProgress()).mode)
    padded = batch.target < 0
    gradient = session.task.loss(value.outputs, batch, session.evaluator().mode)[1]["logits"]
    assert not gradient[padded].any() and gradient[~padded].any()
    with pytest.raises(DataError, match=r"n\.txt:4.*too long.*max_length"):
        pool_of(folder, {"text_lines": {"path": "n.txt", "max_length": 5}})


@pytest.mark.parametrize(("count", "size"), [(8, 3), (9, 3), (1, 1), (3, 5), (100, 7)])
def test_places_of_a_batch_go_on(count: int, size: int) -> None:
    order = side_by_side(count, size)
    assert sorted(order.tolist()) == list(range(count))
    x = np.arange(count, dtype=np.float32)[:, None]
    loader = Loader(Examples({"x": x, "y": x}, np.arange(count)), size, shuffle=True, seed=0, stateful=True)
    batches = [loader.batch(3, k).rows for k in range(loader.steps_per_epoch)]
    assert np.concatenate(batches).tolist() == order.tolist()
    for before, after in zip(batches, batches[1:], strict=False):
        assert len(after) <= len(before) and (after == before[: len(after)] + 1).all()


@pytest.mark.parametrize("stateful", [False, True])
def test_it_learns_and_writes(folder: Path, stateful: bool) -> None:
    result = api.fit(config(stateful=stateful), runs="runs")
    metrics = result["metrics"]["validation"]
    assert metrics["loss"] < 1.0
    assert metrics["perplexity"] == pytest.approx(np.exp(metrics["loss"]))
    assert metrics["bits_per_character"] == pytest.approx(metrics["loss"] / np.log(2))
    written = api.generate(result["run"], "the cat ", length=40, temperature=0)["texts"][0]
    assert len(written) == 40 and set(written) <= set(TEXT)
    assert written[:3] in TEXT
    again = [api.generate(result["run"], "the ", length=60, seed=seed)["texts"] for seed in (1, 1, 2)]
    assert again[0] == again[1] != again[2]
    with pytest.raises(UsageError, match="does not know.*'Z'"):
        api.generate(result["run"], "Zoo")
    with pytest.raises(UsageError, match="no texts|language_model"):
        api.generate(api.fit(find_shipped("xor-mlp"), runs="runs", sets=["train.steps=2"])["run"])


def test_a_resumed_run_carries_on_the_state(folder: Path) -> None:
    """Stopped in the middle of an epoch and resumed, it ends where an unbroken one does, bit for bit."""
    half = {"epochs": 2, "steps": 21, "batch_size": 4, "checkpoint_every": "7 steps"}
    states = []
    for _ in range(2):
        session = prepare(api.load_experiment(config(stateful=True, train=half)))
        trainer = session.trainer(NoJournal(), SilentProgress())
        for step in range(21):
            if len(states) == 1 and step == 13:
                arrays, meta = trainer.state()
                assert any(name.startswith("carried/h.1.lstm") for name in arrays)
                arrays = {name: array.copy() for name, array in arrays.items()}
                session = prepare(api.load_experiment(config(stateful=True, train=half)))
                trainer = session.trainer(NoJournal(), SilentProgress())
                trainer.load_state(arrays, meta)
            trainer.advance()
        states.append(trainer.graph.state())
    assert all((states[0][path] == states[1][path]).all() for path in states[0])


def test_windows_that_do_not_follow_each_other(folder: Path) -> None:
    scattered = config(stateful=True)
    scattered["data"]["split"] = {"random": {"validation": 0.2, "test": 0}}
    with pytest.raises(ConfigError, match="chronological"):
        api.fit(scattered, runs="runs")


def test_a_model_that_looks_ahead_writes_nothing(folder: Path) -> None:
    model = {
        "graph": {"h": [MODEL["graph"]["h"][0], {"gru": {"units": 6, "return_sequences": True, "go_backwards": True}}]}
    }
    model["graph"]["logits"] = ["dense"]
    run = api.fit(config(model=model, train={"steps": 2, "batch_size": 4}), runs="runs")["run"]
    with pytest.raises(UsageError, match="step by step"):
        api.generate(run, "the")


def test_a_transformer_writes_more_than_it_can_see(folder: Path) -> None:
    """Step by step what it says at once; a text longer than its places goes on from the last half of them."""
    attention = {"multi_head_attention": {"heads": 2, "causal": True}}
    chain = [MODEL["graph"]["h"][0], "position_embedding", {"residual": ["layer_norm", attention]}]
    model = {"graph": {"h": chain, "logits": ["dense"]}}
    loaded = api.load_run(api.fit(config(model=model, train={"steps": 40, "batch_size": 4}), runs="runs")["run"])
    writer = Writer(loaded)
    written = writer.write("the cat", 3 * writer.steps, temperature=0)
    assert len(written) == 3 * writer.steps
    assert writer.steps // 2 < len(writer.seen) <= writer.steps
    text = np.zeros((1, writer.steps), np.int64)
    text[0, : len(writer.seen)] = writer.seen
    at_once = loaded.graph.forward({"x": text}, mode=Mode(backward=False))[0]["logits"][0]
    writer.mode.states, kept = {}, list(writer.seen)
    writer.seen = []
    one_by_one = np.stack([writer.read(token) for token in kept])
    np.testing.assert_allclose(one_by_one, at_once[: len(kept)], atol=1e-4)


def test_the_command(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = api.fit(config(train={"epochs": 1, "batch_size": 4}), runs="runs")["run"]
    for options in (["--length", "20", "--seed", "3"], ["--lines", "3", "--length", "9"], ["--prompt", "on "]):
        assert command(["generate", run, *options]) == 0
        assert capsys.readouterr().out.strip()
    assert command(["generate", run, "--json", "--lines", "2"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert set(told) == {"run", "checkpoint", "prompt", "texts"} and len(told["texts"]) == 2
    for wrong in (["--temperature", "-1"], ["--top-k", "0"], ["--prompt", "Ω"]):
        assert command(["generate", run, *wrong]) == 2


def test_shuffling_has_no_effect_on_a_text_that_is_read_in_its_order(folder: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"train\.shuffle: this has no effect: a `stateful` task reads the text in its"
    ):
        api.check(config(stateful=True, train={"epochs": 1, "shuffle": True}))
    for stateful, given, shuffled in ((True, {}, False), (True, {"shuffle": False}, False), (False, {}, True)):
        run = api.fit(config(stateful=stateful, train={"steps": 1, **given}), runs="runs")["run"]
        loaded = api.load_run(run)
        loaded.read_data()
        assert loaded.session.training_loader().shuffle is shuffled
