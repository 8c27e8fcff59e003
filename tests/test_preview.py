"""`dltrain preview schedule`: what it draws is what a run then does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from small_runs import iris

from dltrain import api
from dltrain.cli.main import run
from dltrain.report.terminal import line_chart

ONE_CYCLE = {"momentum": {"learning_rate": {"one_cycle": 0.1}, "momentum": {"one_cycle": {"learning_rate": 0.85}}}}


def test_the_preview_is_what_the_run_does(tmp_path: Path) -> None:
    settings: dict[str, Any] = {
        "optimizer": {"adam": {"learning_rate": {"warmup": {"learning_rate": {"cosine": 0.05}, "length": 5}}}},
        "train__evaluate_every": "1 step",
        "train__epochs": 3,
    }
    config = iris(**settings)
    found = api.preview_schedule(config)
    records = api.load_run(api.fit(config, runs=tmp_path)["run"]).metrics
    done = {record["step"] - 1: record["learning_rate"] for record in records}
    drawn = dict(zip(found["steps"], found["values"]["learning_rate"], strict=True))
    assert found["steps"] == list(range(found["total_steps"])) and len(done) == found["total_steps"]
    assert drawn == pytest.approx(done, rel=1e-12)
    assert found["total_steps"] == 3 * found["steps_per_epoch"] and found["notes"] == []


def test_it_says_what_it_does_not_know() -> None:
    plateau = {"gradient_descent": {"learning_rate": {"reduce_on_plateau": 0.1}}}
    timed = iris(optimizer=plateau)
    timed["train"] = {"time": "5 minutes"}
    timed["hooks"] = []
    found = api.preview_schedule(timed)
    assert found["total_steps"] == 10 * found["steps_per_epoch"]
    assert [note.split()[0] for note in found["notes"]] == ["only", "what"]


def test_the_command_draws_and_writes(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    sets = ["--set", f"optimizer={json.dumps(ONE_CYCLE)}"]
    file = tmp_path / "schedule.svg"
    assert run(["preview", "schedule", "iris-softmax", *sets, "--svg", str(file)]) == 0
    out = capsys.readouterr().out
    assert "learning_rate: 0.004 at first" in out and "momentum:" in out and "epochs" in out
    names = [text.text or "" for text in ElementTree.fromstring(file.read_text()).iter() if text.tag.endswith("text")]
    assert {"learning_rate: 0.1", "momentum: 0.85"} <= {name.strip() for name in names}
    assert run(["preview", "schedule", "iris-softmax", "--set", "optimizer={adam: 0.25}"]) == 0
    assert "learning_rate: 0.25 throughout" in capsys.readouterr().out
    assert run(["preview", "schedule", "iris-softmax", "--svg", "a.png"]) == 2
    assert "expected a name that ends in .svg" in capsys.readouterr().err


@pytest.mark.parametrize("width", [1, 20, 40, 100])
def test_a_line_fits_and_rises_with_its_values(width: int) -> None:
    lines = line_chart(range(50), [x * x for x in range(50)], width, height=6)
    assert all(len(line) <= max(width, 16) for line in lines) and len(lines) == 8
    dotted = [{i for i, letter in enumerate(line) if ord(letter) > 0x2800} for line in lines[:6]]
    assert all(dotted) and min(dotted[0]) > min(dotted[5])  # the top line begins further right: the curve rises
    assert lines[0].startswith("2500") and lines[5].lstrip().startswith("0")


def test_gaps_and_one_point_are_drawn() -> None:
    assert sum(ord(letter) > 0x2800 for line in line_chart([3], [0.5], 20, 4) for letter in line) == 1
    with_gap = line_chart([0, 1, 2], [1.0, float("nan"), 1.0], 30, 1)[0]
    assert sum(ord(letter) > 0x2800 for letter in with_gap) == 2
    with pytest.raises(ValueError, match="one y for each x"):
        line_chart([1, 2], [1], 20)
