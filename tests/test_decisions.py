"""Thresholds and temperatures: against brute force, on validation alone, stored, and used where decisions are made."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score

from dltrain import api
from dltrain.cli.main import run as command
from dltrain.errors import CorruptFileError, UsageError
from dltrain.metrics import logistic
from dltrain.tasks.decision import Decision
from dltrain.training import calibration
from dltrain.training.decisions import judged, with_temperature
from dltrain.training.thresholds import OBJECTIVES, best_cut, counts_at
from dltrain.training.trained import load_run


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def rare(**changes: Any) -> dict[str, Any]:
    """Two classes, the second of which is rare, learned for a moment."""
    rng = np.random.default_rng(3)
    y = (rng.random(900) < 0.12).astype(int)
    x = rng.standard_normal((900, 3)) + 1.1 * y[:, None]
    np.savez("rare.npz", x=x, y=y)
    return {
        "name": "rare",
        "task": "binary_classification",
        "data": {"source": {"npz": {"path": "rare.npz"}}, "split": {"random": {"validation": 0.3, "test": 0.3}}},
        "model": {"graph": {"y": [{"dense": 4}, "tanh", "dense"]}},
        "optimizer": {"adam": 0.01},
        "metrics": ["accuracy", "f1", "log_loss", "calibration_error", "roc_auc"],
        "train": {"epochs": 3},
        **changes,
    }


COSTS = (2.0, 7.0)
SAID = {
    "f1": lambda y, said: f1_score(y, said, zero_division=0),
    "accuracy": accuracy_score,
    "cost": lambda y, said: -(COSTS[0] * (said & ~y).sum() + COSTS[1] * (~said & y).sum()) / len(y),
}


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_thresholds_are_those_of_brute_force(objective: str) -> None:
    rng = np.random.default_rng(0)
    for size in (1, 2, 3, 10, 60):
        for _ in range(15):
            z = rng.standard_normal(size).round(1)  # with equal ones
            there = rng.random(size) < 0.4
            found = best_cut(z, there, OBJECTIVES[objective](*COSTS))
            every = [0.0, z.min() - 1, z.max() + 1, *((np.unique(z)[1:] + np.unique(z)[:-1]) / 2)]
            values = [SAID[objective](there, z > cut) for cut in every]
            assert SAID[objective](there, z > found) == pytest.approx(max(values))
            best = [abs(cut) for cut, value in zip(every, values, strict=True) if value > max(values) - 1e-9]
            assert abs(found) == pytest.approx(min(best))


def test_a_threshold_is_stored_and_used() -> None:
    api.fit(rare())
    before = api.evaluate("rare", split="validation")
    found = api.threshold("rare")
    [row] = found["labels"]
    after = api.evaluate("rare", split="validation")
    assert before["decision"] is None and after["decision"] == {
        "": {"temperature": 1.0, "thresholds": [row["threshold"]]}
    }
    assert row["validation"] == pytest.approx([before["metrics"]["f1"], after["metrics"]["f1"]])
    assert after["metrics"]["f1"] > before["metrics"]["f1"]
    for same in ("loss", "log_loss", "roc_auc", "calibration_error"):
        assert after["metrics"][same] == before["metrics"][same]
    assert row["test"][1] == pytest.approx(api.evaluate("rare")["metrics"]["f1"])
    loaded = load_run("rare")
    examples = loaded.loader("validation").examples
    np.savez("new.npz", x=np.load("rare.npz")["x"][examples.ids])
    said = [one["label"] for one in api.predict("rare", ["new.npz"])["predictions"]]
    assert f1_score(examples.columns["y"].astype(int), [int(name) for name in said]) == pytest.approx(
        after["metrics"]["f1"]
    )
    wrong = api.errors("rare")
    assert 1 - wrong["error"] == pytest.approx(after["metrics"]["accuracy"]) and wrong["decision"] == after["decision"]
    assert api.threshold("rare")["labels"][0]["threshold"] == row["threshold"]  # again, from the new one


def test_the_test_part_decides_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    api.fit(rare())
    known = api.threshold("rare")["labels"][0], api.calibrate("rare")["heads"][0]
    api.threshold("rare", reset=True)

    def turned(run: Any, part: str) -> Any:
        found = judged(run, part)
        return {head: (b, s, 1 - t) for head, (b, s, t) in found.items()} if part == "test" else found

    monkeypatch.setattr("dltrain.training.thresholds.judged", turned)
    monkeypatch.setattr("dltrain.training.calibration.judged", turned)
    again = api.threshold("rare")["labels"][0], api.calibrate("rare")["heads"][0]
    assert again[0]["threshold"] == known[0]["threshold"] and again[0]["test"] != known[0]["test"]
    assert again[1]["temperature"] == known[1]["temperature"]


def test_another_checkpoint_and_an_ensemble_decide_as_before() -> None:
    api.fit(rare(train={"epochs": 4, "checkpoint_every": "1 epoch", "keep": 9}))
    api.fit(rare(model={"graph": {"y": [{"dense": 9}, "tanh", "dense"]}}, name="other"))
    single = api.evaluate("rare", checkpoint=12)["metrics"]
    both = api.evaluate(["rare", "other"])["metrics"]
    api.threshold("rare")
    assert api.evaluate("rare", checkpoint=12)["decision"] is None
    assert api.evaluate("rare", checkpoint=12)["metrics"] == single
    assert api.evaluate(["rare", "other"])["metrics"] == both
    with pytest.raises(UsageError, match="belong to one checkpoint"):
        api.threshold("rare", checkpoint="average")


def sure(task: str, **changes: Any) -> dict[str, Any]:
    """Noisy classes, learned far too long: probabilities that are far too sure."""
    rng = np.random.default_rng(1)
    kinds = 3 if task == "classification" else 2
    y = rng.integers(kinds, size=600)
    x = rng.standard_normal((600, 8)) + 0.7 * np.eye(8)[y]
    np.savez("sure.npz", x=x, y=y)
    data = {"source": {"npz": {"path": "sure.npz"}}, "split": {"random": {"validation": 0.4, "test": 0.3}}}
    train = {"epochs": 80, "batch_size": 32, "monitor": "train.loss"}
    model = {"graph": {"y": [{"dense": 64}, "relu", "dense"]}}
    settings = rare(name="sure", task=task, data=data, train=train, model=model, optimizer={"adam": 0.01})
    return {**settings, "metrics": ["accuracy", "log_loss", "calibration_error"], **changes}


@pytest.mark.parametrize("task", ["binary_classification", "classification"])
def test_a_temperature_is_the_best_of_a_grid(task: str) -> None:
    api.fit(sure(task))
    found = judged(load_run("sure"), "validation")[""]
    grid = np.geomspace(calibration.COLDEST, calibration.HOTTEST, 4001)
    best = min(grid, key=lambda temperature: calibration.log_loss(found, temperature))
    before = api.evaluate("sure", split="validation")["metrics"]
    told = api.calibrate("sure")["heads"][0]
    assert told["temperature"] == pytest.approx(best, rel=2e-3) and told["temperature"] > 1.5
    after = api.evaluate("sure", split="validation")["metrics"]
    measured = told["parts"]["validation"]
    for key in ("log_loss", "calibration_error"):
        assert measured[key] == pytest.approx([before[key], after[key]], rel=1e-4)
    assert after["log_loss"] < before["log_loss"] and after["calibration_error"] < 0.5 * before["calibration_error"]
    assert after["accuracy"] == before["accuracy"]
    test = api.evaluate("sure")["metrics"]
    assert told["parts"]["test"]["calibration_error"][1] == pytest.approx(test["calibration_error"], rel=1e-4)
    assert sum(row["samples"] for row in measured["bins"][1]) == measured["samples"] == 240
    assert api.calibrate("sure")["heads"][0]["temperature"] == pytest.approx(told["temperature"], rel=1e-3)


def test_where_all_is_right_the_temperature_is_one(capsys: pytest.CaptureFixture[str]) -> None:
    y = np.arange(90) % 2
    data = {"source": {"npz": {"path": "easy.npz"}}, "split": {"random": {"validation": 0.3, "test": 0.3}}}
    settings = rare(data=data, optimizer={"adam": 0.05}, train={"epochs": 9, "monitor": "train.loss"})
    np.savez("easy.npz", x=np.random.default_rng(0).standard_normal((90, 3)) + 20 * y[:, None], y=y)
    api.fit(settings)
    for _ in range(2):
        found = api.calibrate("rare")
        assert found["heads"][0]["temperature"] == 1 and "it is 1" in found["notes"][0]
    losses = found["heads"][0]["parts"]["test"]["log_loss"]
    assert losses[0] == losses[1]
    assert command(["calibrate", "rare"]) == 0
    assert "no temperature from 0.05 to 20" in "".join(capsys.readouterr())


def test_a_temperature_changes_no_decision() -> None:
    api.fit(rare())
    api.threshold("rare")
    before = api.evaluate("rare")["metrics"]
    api.calibrate("rare")
    after = api.evaluate("rare")["metrics"]
    assert (after["f1"], after["accuracy"]) == (before["f1"], before["accuracy"])
    assert after["log_loss"] != before["log_loss"]


def test_thresholds_move_with_the_temperature() -> None:
    decision = with_temperature(Decision(2.0, (0.9, 0.2)), 0.5)
    z = np.linspace(-9, 9, 181)[:, None] * np.ones(2)
    before = Decision(2.0, (0.9, 0.2))
    assert decision.temperature == 1.0
    assert ((before.shifted(before.scaled(z)) > 0) == (decision.shifted(decision.scaled(z)) > 0)).all()


def labelled(**changes: Any) -> dict[str, Any]:
    rng = np.random.default_rng(5)
    y = (rng.random((500, 3)) < [0.1, 0.5, 0.3]).astype(int)
    np.savez("labels.npz", x=rng.standard_normal((500, 3)) + y, y=y)
    data = {"source": {"npz": {"path": "labels.npz"}}, "split": {"random": {"validation": 0.3, "test": 0.3}}}
    return rare(name="labels", task="multi_label", data=data, metrics=["f1", "subset_accuracy"], **changes)


def test_each_of_many_labels_has_its_threshold() -> None:
    api.fit(labelled())
    before = api.evaluate("labels", split="validation")["metrics"]
    found = api.threshold("labels")
    assert len(found["labels"]) == 3 and found["labels"][0]["threshold"] < 0.4
    bound, scores, targets = judged(load_run("labels", decide=False), "validation")[""]
    shares = [row["threshold"] for row in found["labels"]]
    said = logistic(scores) > shares
    each = [f1_score(targets[:, k], said[:, k]) for k in range(3)]
    assert [row["validation"][1] for row in found["labels"]] == pytest.approx(each)
    after = api.evaluate("labels", split="validation")["metrics"]
    assert after["f1"] > before["f1"]
    assert api.calibrate("labels")["heads"][0]["temperature"] > 0


def test_heads_are_tuned_by_name(here: Path) -> None:
    rng = np.random.default_rng(2)
    y = np.stack([rng.integers(3, size=400), rng.random(400) < 0.2], 1)
    np.savez("heads.npz", x=rng.standard_normal((400, 3)) + y[:, 1:] + np.eye(3)[y[:, 0]], y=y)
    heads = {"kind": {"task": "classification", "target": 0}, "odd": {"task": "binary_classification", "target": 1}}
    data = {"source": {"npz": {"path": "heads.npz"}}, "split": {"random": {"validation": 0.4, "test": 0.2}}}
    graph = {"h": [{"dense": 6}, "tanh"], "kind": [{"from": "h"}, "dense"], "odd": [{"from": "h"}, "dense"]}
    settings = rare(name="heads", task={"multi_task": {"heads": heads}}, data=data)
    settings["model"] = {"graph": graph, "outputs": ["kind", "odd"]}
    del settings["metrics"]
    api.fit(settings)
    found = api.threshold("heads")
    assert [(row["head"], row["label"]) for row in found["labels"]] == [("odd", "1")] or found["labels"][0][
        "head"
    ] == "odd"
    assert [head["head"] for head in api.calibrate("heads")["heads"]] == ["kind", "odd"]
    used = api.evaluate("heads")["decision"]
    assert used["kind"]["thresholds"] == [] and len(used["odd"]["thresholds"]) == 1


@pytest.mark.parametrize(
    "content",
    [
        "[]", "{", '{"checkpoint": 9, "heads": {"": {"temperature": 0, "thresholds": [0.5]}}}',
        '{"checkpoint": 9, "heads": {"": {"temperature": 1, "thresholds": [1.5]}}}',
        '{"checkpoint": 9, "heads": {"": {"temperature": 1, "thresholds": [0.5, 0.5]}}}',
        '{"checkpoint": 9, "heads": {"other": {"temperature": 1, "thresholds": []}}}',
        '{"checkpoint": 9, "heads": {"": {"temperature": "hot", "thresholds": []}}}',
        '{"checkpoint": 9, "heads": {"": {"temperature": 1e999, "thresholds": []}}}',
        '{"checkpoint": 9, "heads": {"": 7}}',
    ],
)  # fmt: skip
def test_a_damaged_decision_is_refused(content: str) -> None:
    summary = api.fit(rare(train={"epochs": 1}))
    text = content.replace('"checkpoint": 9', f'"checkpoint": {summary["best"]["step"]}')
    Path(summary["run"], "decision.json").write_text(text)
    with pytest.raises(CorruptFileError, match=r"decision\.json"):
        api.evaluate("rare")


def test_what_cannot_be_tuned_is_refused() -> None:
    api.fit({"name": "iris", "data": {"source": "iris"}, "model": {"graph": {"y": ["dense"]}}, "train": {"epochs": 1}})
    with pytest.raises(UsageError, match="says neither yes nor no"):
        api.threshold("iris")
    data = {"source": {"npz": {"path": "rare.npz"}}, "split": {"random": {"validation": 0, "test": 0.3}}}
    api.fit(rare() | {"name": "none", "data": data, "train": {"epochs": 1}})
    with pytest.raises(UsageError, match="no such part"):
        api.threshold("none")
    api.fit(rare(name="number", task="regression", metrics=["r2"], train={"epochs": 1}))
    with pytest.raises(UsageError, match="gives no logits"):
        api.calibrate("number")


def test_the_commands(capsys: pytest.CaptureFixture[str]) -> None:
    api.fit(rare())
    assert command(["threshold", "rare", "--objective", "cost", "--false-negative", "9"]) == 0
    assert "mean cost" in capsys.readouterr().out
    assert command(["calibrate", "rare", "--svg", "r.svg"]) == 0
    out = capsys.readouterr().out
    assert "temperature" in out and "calibration error" in out and "test: how often" in out
    assert "<svg" in Path("r.svg").read_text() and "as it should be" in Path("r.svg").read_text()
    for words in (["evaluate", "rare"], ["errors", "rare"]):
        assert command(words) == 0
        assert "decided with temperature" in capsys.readouterr().out
    assert command(["predict", "rare", "rare.npz"]) == 0
    assert "decided with" in capsys.readouterr().err
    assert command(["threshold", "rare", "--json"]) == 0
    keys = {"run", "checkpoint", "objective", "samples", "labels", "file", "notes"}
    assert json.loads(capsys.readouterr().out).keys() == keys
    assert command(["calibrate", "rare", "--json"]) == 0
    assert json.loads(capsys.readouterr().out).keys() == {"run", "checkpoint", "heads", "file", "notes"}
    assert command(["threshold", "rare", "--false-negative", "2"]) == 2
    assert "costs have no effect" in capsys.readouterr().err
    assert command(["threshold", "rare", "--reset"]) == 0
    assert command(["threshold", "rare", "--reset"]) == 0
    assert "nothing was tuned" in capsys.readouterr().out
    assert api.evaluate("rare")["decision"] is None
    assert counts_at(np.zeros(0), np.zeros(0, bool), 0.0).true_positive == 0
