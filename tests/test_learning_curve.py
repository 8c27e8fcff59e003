"""Learning curves: sizes, seeds, the extrapolation, and the answer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from small_runs import iris

from dltrain import api
from dltrain.cli.main import run
from dltrain.errors import UsageError
from dltrain.training.learning_curve import extrapolated, judged


def curve(*values: float, train: float = 0.0, spread: float = 0.001) -> list[dict[str, Any]]:
    """A curve of two seeds over 100, 200, 400 … examples."""
    return [
        {"examples": 100 * 2**i, "train": [train, train], "validation": [value - spread, value + spread]}
        for i, value in enumerate(values)
    ]


@pytest.mark.parametrize("exponent", [0.3, 0.5, 1.0])
def test_a_power_law_is_continued(exponent: float) -> None:
    counts = [50, 100, 200, 400, 800]
    found = extrapolated(counts, [0.2 + 5 * n**-exponent for n in counts])
    assert found == pytest.approx(0.2 + 5 * 1600**-exponent, rel=0.01)


def test_the_answer_weighs_the_gain_with_the_seeds() -> None:
    falling = curve(0.8, 0.6, 0.45, 0.34)
    assert judged(falling, higher=False)["answer"].startswith("more data would help: about 0.2")
    assert "hardly" in judged(curve(0.8, 0.6, 0.45, 0.34, spread=0.3), higher=False)["answer"]
    assert "hardly" in judged(falling, higher=True)["answer"]  # it gets worse
    level = judged(curve(0.90, 0.9003, 0.9001, 0.9002, train=0.899), higher=True)["answer"]
    assert "hardly" in level and "a larger model" in level
    assert "a larger model" not in judged(curve(0.90, 0.9003, 0.9001, 0.9002, train=1.0), higher=True)["answer"]
    assert judged(falling[:2], higher=False)["expected"] is None


def test_the_last_point_is_the_plain_training(tmp_path: Path) -> None:
    metrics = {"optimize": "accuracy"}
    config = iris(metrics=metrics, dtype="float64")
    found = api.learning_curve(config, points=3, seeds=2)
    assert [row["examples"] for row in found["points"]] == [26, 52, 104] and found["metric"] == "accuracy"
    for number in range(2):
        plain = api.fit(config, seed=5 + number, runs=tmp_path)
        assert found["points"][-1]["validation_values"][number] == plain["best"]["value"]
        assert found["points"][-1]["train_values"][number] == plain["metrics"]["train"]["accuracy"]
    assert found == api.learning_curve(config, points=3, seeds=2)
    with pytest.raises(UsageError, match="nothing is held out"):
        api.learning_curve(iris(data={"source": "iris", "split": {"random": {"validation": 0.0, "test": 0.2}}}))


def test_it_is_measured_on_what_is_held_out() -> None:
    with pytest.raises(UsageError, match="measured on what is held out"):
        api.learning_curve(iris(train__monitor="train.loss"), points=3, seeds=1)


def test_the_answer_says_what_the_gain_is_held_against() -> None:
    level = judged(curve(0.990, 0.993, 0.9945, 0.995, spread=0.0), higher=True)["answer"]
    assert level.endswith("1% of it") or "1% of it" in level
    assert "what the seed changes" in judged(curve(0.8, 0.6, 0.45, 0.34, spread=0.3), higher=False)["answer"]


def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    small = ["learning-curve", "iris-softmax", "--set", "train.epochs=2", "--points", "3", "--seeds", "2"]
    assert run([*small, "--svg", "curve.svg", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert set(found) == {"metric", "higher", "points", "expected", "answer"}
    assert ElementTree.fromstring((tmp_path / "curve.svg").read_text()).tag.endswith("svg")
    assert run(small) == 0
    assert found["answer"] in capsys.readouterr().out
    assert run(["learning-curve", "iris-softmax", "--points", "9"]) == 2
    assert "at most 4 points" in capsys.readouterr().err
    assert run(["learning-curve", "iris-baseline", "--points", "3", "--seeds", "1"]) == 0
    assert list(tmp_path.iterdir()) == [tmp_path / "curve.svg"]
