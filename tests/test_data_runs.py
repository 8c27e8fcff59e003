"""Runs on tables as they come: words and gaps, train_dev, balanced classes, from training to predictions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dltrain import api
from dltrain.cli.main import main
from dltrain.errors import ConfigError, DataError


def table(folder: Path, name: str, rows: int, start: int = 0) -> None:
    """Passengers of whom one in four survives, with gaps and words."""
    jobs = ["cook", "poet", "", "nurse"]
    lines = [
        f"{i},{'' if i % 7 == 2 else i % 50},{jobs[i * 3 % 4]},{int(i % 4 == 1)}" for i in range(start, start + rows)
    ]
    (folder / name).write_text("id,age,job,alive\n" + "\n".join(lines) + "\n")


def experiment(**data: Any) -> dict[str, Any]:
    return {
        "name": "table",
        "task": "binary_classification",
        "data": {
            "source": {"csv": {"path": "train.csv", "target": "alive", "drop": ["id"], "test_path": "test.csv"}},
            "split": {"stratified": {"train_dev": 0.2}},
            "prepare": [{"impute": "median"}, {"impute": "most_frequent"}, "one_hot", "standardize"],
            **data,
        },
        "model": {"graph": {"y": [{"dense": 4}, "tanh", "dense"]}},
        "train": {"epochs": 2, "batch_size": 16},
    }


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    table(tmp_path / "data", "train.csv", 160)
    table(tmp_path / "data", "test.csv", 40, 200)
    return tmp_path


def run(words: list[str], capsys: pytest.CaptureFixture[str]) -> Any:
    """What a command prints as JSON."""
    capsys.readouterr()
    with pytest.raises(SystemExit) as caught:
        main([*words, "--json"])
    out, err = capsys.readouterr()
    assert not caught.value.code, err
    return json.loads(out)


def test_train_dev_is_logged_and_evaluated_by_itself(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    summary = api.fit(experiment())
    lines = [json.loads(line) for line in Path(summary["run"], "metrics.jsonl").read_text().splitlines()]
    records = [line for line in lines if "train" in line]
    assert all({"train", "train_dev", "validation"} <= set(record) for record in records) and len(records) == 2
    assert set(summary["metrics"]) == {"train", "train_dev", "validation"}
    found = run(["evaluate", summary["run"], "--split", "train_dev", "--checkpoint", "last"], capsys)
    assert found["samples"] == 32
    for name, value in records[-1]["train_dev"].items():
        assert found["metrics"][name] == pytest.approx(value, rel=1e-6)
    assert records[-1]["train_dev"] != records[-1]["validation"]
    without = api.fit(experiment(split="stratified"))
    assert "train_dev" not in without["metrics"]
    with pytest.raises(SystemExit):
        main(["evaluate", without["run"], "--split", "train_dev"])
    assert "the run's data have no such part; expected train, validation, test" in capsys.readouterr().err


def test_raw_files_go_through_all_preparations(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    summary = api.fit(experiment())
    own = run(["evaluate", summary["run"]], capsys)["metrics"]
    raw = run(["evaluate", summary["run"], "--data", "data/test.csv"], capsys)["metrics"]
    assert raw == own
    (folder / "turned.csv").write_text("job,extra,age\npoet,0,\nastronaut,0,30\n")
    assert len(run(["predict", summary["run"], "turned.csv"], capsys)["predictions"]) == 2
    (folder / "short.csv").write_text("job,extra\npoet,0\n")
    with pytest.raises(SystemExit):
        main(["predict", summary["run"], "short.csv"])
    assert "short.csv: the column 'age' is missing" in capsys.readouterr().err


@pytest.mark.parametrize("how, batches", [("oversample", 10), ("undersample", 4)])
def test_balanced_training_sees_both_classes_alike(how: str, batches: int, folder: Path) -> None:
    # 104 examples to train on, 26 of them alive: 156 or 52 when balanced, in batches of 16
    summary, again = api.fit(experiment(balance=how)), api.fit(experiment(balance=how))
    assert summary["steps"] == 2 * batches
    assert again["metrics"] == summary["metrics"]
    whole = experiment(balance=how)
    whole["train"] = {"epochs": 3, "batch_size": "all"}
    assert api.fit(whole)["steps"] == 3
    plain = api.fit(experiment())
    assert plain["steps"] == 2 * 7 and plain["metrics"] != summary["metrics"]


def test_balance_without_effect_is_refused(folder: Path) -> None:
    config = experiment(balance="oversample")
    config["train"]["shuffle"] = False
    with pytest.raises(ConfigError, match=r"data\.balance: this has no effect without shuffling.*shuffle: true"):
        api.fit(config)
    config = experiment(balance="oversample", split="random")
    config["task"] = "regression"
    with pytest.raises(ConfigError, match=r"data\.balance: the task has no classes to balance"):
        api.fit(config)
    with pytest.raises(ConfigError, match="oversample"):
        api.fit(experiment(balance="oversampel"))


def test_gaps_that_nothing_fills_stop_a_run_before_it_begins(folder: Path) -> None:
    with pytest.raises(DataError, match=r"train\.csv:4, 'age': a value is missing; .*; got ''.*impute"):
        api.fit(experiment(prepare=["standardize"]))
    assert not list(Path("runs").glob("*/checkpoints/*"))


def test_files_anywhere_are_shown(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = run(["data", "show", str(folder / "data" / "train.csv")], capsys)
    assert found["samples"] == 160
    age = next(entry for entry in found["features"] if entry["name"] == "age")
    assert age["missing"] == len([i for i in range(160) if i % 7 == 2])
    assert np.isfinite(age["mean"])
