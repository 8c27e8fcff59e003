"""A run that is stopped, killed or watched differently ends with the same bytes (figures R1, R5, D1, D2, D3)."""

from __future__ import annotations

import itertools
import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from small_runs import StopAt, iris, result, unbroken

from dltrain import api, registry
from dltrain.errors import CorruptFileError
from dltrain.runs import files
from dltrain.training import checkpoint
from dltrain.training.trainer import Trainer

# it falls at every second evaluation, whatever they show
PLATEAU = {
    "learning_rate": 0.02,
    "factor": 0.5,
    "patience": 1,
    "min_delta": 1e3,
    "cooldown": 1,
    "monitor": "train.loss",
}

# Figure D1: every pair of these options occurs together in some set.
AXES: dict[str, list[Any]] = {
    "optimizer": [
        {"adam": 0.01},
        {"momentum": {"learning_rate": 0.05, "clip_norm": 0.5}},
        {"rmsprop": {"learning_rate": {"cosine": {"learning_rate": 0.01}}}},
        {"adamw": {"learning_rate": {"warmup": {"learning_rate": 0.01, "length": 9}}}},
        {"gradient_descent": {"learning_rate": {"exponential": {"learning_rate": 0.1, "decay_rate": 0.9}}}},
        {
            "nadam": {
                "learning_rate": {"one_cycle": 0.05},
                "clip_value": 0.1,
                "groups": {"*.kernel": {"multiplier": 0.5}},
            }
        },
        {"amsgrad": {"learning_rate": {"reduce_on_plateau": PLATEAU}, "groups": {"*.bias": {"frozen": True}}}},
        {"lion": {"learning_rate": {"piecewise": {"values": [0.01, 0.001], "boundaries": [1]}}, "weight_decay": 0.1}},
    ],
    "model__graph": [
        {"logits": [{"dense": 8}, "batch_norm", "relu", {"dropout": 0.2}, "dense"]},
        {"logits": [{"residual": [{"dense": 4}, "tanh"]}, "dense"]},
        {"logits": [{"dropout": 0.1}, {"concat": [[{"dense": 5}, "sigmoid"], []]}, "leaky_relu", "dense"]},
        {"logits": [{"gaussian_noise": 0.2}, {"maxout": 5}, "layer_norm", {"alpha_dropout": 0.1}, "prelu", "dense"]},
    ],
    "train__batch_size": [15, 40, "all"],
    "train__shuffle": [True, False],
    "train__accumulate": [1, 4],
    "average": [None, {"ema": 0.9}, {"swa": 2}],
    "constrain": [[], [{"max_norm": 1.0}]],
    "train__evaluate_every": ["1 epoch", "4 steps"],
    "train__checkpoint_every": ["1 epoch", "3 steps", "1000 steps"],
    "dtype": ["float32", "float64"],
    "regularize": [[{"l2": 0.001}], [{"l1": 0.001}], []],
    "hooks": [
        [{"early_stopping": {"patience": 50}}],
        [{"early_stopping": {"patience": 1, "restore_best_weights": True}}],
        [],
    ],
    "data__split": [
        {"stratified": {"validation": 0.15, "test": 0.15}},
        {"random": {"validation": 0.2, "test": 0.0}},
        {"random": {"validation": 0.0, "test": 0.2}},
    ],
    "seed": [5, 77],
}
SETS = 44


def option_sets() -> list[dict[str, Any]]:
    """Sets of options; each is, of some random ones, the one with most pairs that have not occurred yet."""
    rng = random.Random(0)
    seen: set[tuple[Any, ...]] = set()
    found = []
    for _ in range(SETS):
        candidates = [{axis: rng.randrange(len(values)) for axis, values in AXES.items()} for _ in range(200)]
        best = max(candidates, key=lambda candidate: len(pairs(candidate) - seen))
        seen |= pairs(best)
        found.append({axis: AXES[axis][index] for axis, index in best.items()})
    assert len(seen) == sum(len(AXES[a]) * len(AXES[b]) for a, b in itertools.combinations(AXES, 2))
    return found


def pairs(choice: dict[str, int]) -> set[tuple[Any, ...]]:
    """All pairs of options in a set."""
    return set(itertools.combinations(sorted(choice.items()), 2))


OPTIONS = option_sets()
# options of the data that do not go with all others: balanced classes want shuffling
OF_DATA: list[dict[str, Any]] = [
    {
        "data__balance": how,
        "data__split": {"random": {"validation": 0.15, "test": 0.1, "train_dev": 0.1}},
        "data__prepare": ["standardize", {"pca": 3}, "polynomial", "min_max"],
    }
    for how in ("oversample", "undersample")
]


def stop_and_resume(config: dict[str, Any], runs: Path, step: int) -> dict[str, str]:
    """Stop after a step by a signal, resume, and return the result."""
    summary = api.fit(config, runs=runs, progress=StopAt(step))
    assert summary["stopped"] == "signal", summary
    assert summary["steps"] == step
    resumed = api.resume(summary["run"])
    assert resumed["stopped"] in ("epochs", "early_stopping")
    return result(resumed["run"])


@pytest.mark.parametrize("changes", [*OPTIONS[:6], *OF_DATA])
def test_a_stop_at_these_batches_changes_no_byte(changes: dict[str, Any], tmp_path: Path) -> None:
    config = iris(**changes)
    summary = api.fit(config, runs=tmp_path)
    expected = result(summary["run"])
    per_epoch = summary["steps"] // summary["epochs"]
    for step in {1, per_epoch - 1, per_epoch, min(per_epoch + 1, summary["steps"] - 1)} - {0}:  # around an epoch's end
        assert stop_and_resume(config, tmp_path / str(step), step) == expected


@pytest.mark.slow
@pytest.mark.parametrize("changes", [*OPTIONS, *OF_DATA])
def test_a_stop_at_any_batch_changes_no_byte(changes: dict[str, Any], tmp_path: Path) -> None:
    config = iris(**changes)
    summary = api.fit(config, runs=tmp_path)
    expected = result(summary["run"])
    for step in range(1, summary["steps"]):
        assert stop_and_resume(config, tmp_path / str(step), step) == expected


SCHEDULE = {"cosine_restarts": {"learning_rate": 0.02, "length": 4, "per": "step"}}
GROUPS = {
    "*.beta": {"learning_rate": {"reduce_on_plateau": {**PLATEAU, "patience": 2}}},
    "logits.4.*": {"weight_decay": {"polynomial": 0.1}},
    "logits.0.dense.bias": {"frozen": True},
}
STATEFUL = [
    {name: {"learning_rate": SCHEDULE, "groups": GROUPS, "clip_each_norm": 0.5}}
    for name in registry.entries("optimizer")
]


@pytest.mark.parametrize("optimizer", STATEFUL, ids=lambda spec: next(iter(spec)))
def test_a_stop_changes_no_byte_with_any_optimizer_and_groups(optimizer: dict[str, Any], tmp_path: Path) -> None:
    config = iris(optimizer=optimizer, train__epochs=4, train__evaluate_every="4 steps")
    expected = unbroken(config, tmp_path)
    for step in (9, 14):
        assert stop_and_resume(config, tmp_path / str(step), step) == expected


def test_many_stops_in_one_run_change_no_byte(tmp_path: Path) -> None:
    config = iris()
    expected = unbroken(config, tmp_path)
    summary = api.fit(config, runs=tmp_path, progress=StopAt(2))
    for step in (5, 7, 14, 15, 20):
        summary = api.resume(summary["run"], progress=StopAt(step))
    assert result(api.resume(summary["run"])["run"]) == expected


@pytest.mark.parametrize(
    "cadence",
    [
        {"train__checkpoint_every": "1 steps"},
        {"train__checkpoint_every": "1000 epochs"},
        {"train__evaluate_every": "2 steps"},
        {"train__keep": 2, "train__checkpoint_every": "5 steps"},
    ],
)
def test_when_one_looks_or_saves_changes_no_weight(cadence: dict[str, Any], tmp_path: Path) -> None:
    expected = unbroken(iris(), tmp_path)
    summary = api.fit(iris(**cadence), runs=tmp_path)
    found = result(summary["run"])
    weights = [name for name in expected if name.startswith(("model/", "optimizer/"))]
    assert weights
    assert {name: found[name] for name in weights} == {name: expected[name] for name in weights}


def test_resume_of_a_finished_run_trains_no_further(tmp_path: Path) -> None:
    summary = api.fit(iris(), runs=tmp_path)
    before = result(summary["run"])
    again = api.resume(summary["run"])
    assert again["steps"] == summary["steps"]
    assert again["metrics"] == summary["metrics"]
    assert result(summary["run"]) == before


def test_the_seconds_of_a_run_add_up_and_stay_when_it_is_over(tmp_path: Path) -> None:
    first = api.fit(iris(), runs=tmp_path, progress=StopAt(4))
    assert first["seconds"] > 0
    done = api.resume(first["run"])
    assert done["seconds"] > first["seconds"]
    again = api.resume(first["run"])
    assert again["seconds"] == done["seconds"]
    assert files.read_json(Path(first["run"], "summary.json"))["seconds"] == done["seconds"]


def test_the_seconds_of_a_killed_process_are_those_of_its_checkpoint(tmp_path: Path) -> None:
    first = api.fit(iris(), runs=tmp_path, progress=StopAt(8))
    Path(first["run"], "summary.json").unlink()
    kept = checkpoint.load(checkpoint.path_of(Path(first["run"], "checkpoints"), 8))[1]["seconds"]
    assert 0 < kept < api.resume(first["run"])["seconds"]


def test_fit_with_resume_goes_on_with_the_run_of_that_name(tmp_path: Path) -> None:
    stopped = api.fit(iris(), runs=tmp_path, progress=StopAt(4))
    done = api.fit(iris(), runs=tmp_path, resume=True)
    assert done["run"] == stopped["run"]
    assert done["stopped"] == "epochs"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_process_with_its_exit_code(number: int, tmp_path: Path) -> None:
    summary = api.fit(iris(), runs=tmp_path, progress=StopAt(3, number))
    assert summary["exit_code"] == 128 + number


DEFECTS: dict[str, Callable[[dict[str, Any], dict[str, Any]], Any]] = {
    "optimizer count lost": lambda meta, arrays: meta["optimizer"].update(step=0),
    "batch trained twice": lambda meta, arrays: meta.update(index=meta["index"] - 1),
    "batch left out": lambda meta, arrays: meta.update(index=meta["index"] + 1),
    "epoch off by one": lambda meta, arrays: meta.update(epoch=meta["epoch"] + 1),
    "step lost": lambda meta, arrays: meta.update(step=meta["step"] - 1),
    "best forgotten": lambda meta, arrays: meta.update(best=None),
    "patience reset": lambda meta, arrays: meta["hooks"][0].update(wait=0, best=None),
    "metric sums reset": lambda meta, arrays: meta["tally"].update(loss_sum=0.0, count=0),
    "confusion reset": lambda meta, arrays: arrays["tally/confusion/counts"].fill(0),
    "first moment lost": lambda meta, arrays: arrays["optimizer/first_moment"].fill(0),
    "second moment lost": lambda meta, arrays: arrays["optimizer/second_moment"].fill(0),
    "running mean lost": lambda meta, arrays: arrays["model/logits.1.batch_norm.moving_mean"].fill(0),
    "a weight changed": lambda meta, arrays: arrays["model/logits.0.dense.kernel"].__imul__(0.999),
    "plateau forgotten": lambda meta, arrays: meta["optimizer"]["seen"].update(learning_rate=None),
    "average lost": lambda meta, arrays: arrays["average/logits.4.dense.kernel"].fill(0),
    "average begun anew": lambda meta, arrays: meta.update(average=1),
    "evaluation left out": lambda meta, arrays: meta.update(settled=True),
    # the same at a place that a run may be in: only the bytes can tell
    "batch trained and counted twice": lambda meta, arrays: meta.update(index=meta["index"] - 1, step=meta["step"] - 1),
    "batch left out, but counted": lambda meta, arrays: meta.update(index=meta["index"] + 1, step=meta["step"] + 1),
    "epoch closed without its evaluation": lambda meta, arrays: meta.update(
        settled=True, epoch=meta["epoch"] + 1, index=0
    ),
}
# what is refused before a step is made, and how; all others must show in the bytes
REFUSED = {
    "batch trained twice": "the step does not fit its place; expected 9 after 1 epochs and 2 batches; got 10",
    "batch left out": "the step does not fit its place; expected 11 after 1 epochs and 4 batches; got 10",
    "epoch off by one": "the step does not fit its place; expected 17 after 2 epochs and 3 batches; got 10",
    "step lost": "the step does not fit its place; expected 10 after 1 epochs and 3 batches; got 9",
    "evaluation left out": "no moment of this run has such a batch; expected 0 to 6; got 7",
}


@pytest.mark.parametrize("name", DEFECTS)
def test_a_planted_resume_defect_is_caught(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Figure D3: a state that no run can be in is refused by name, any other defect shows in the bytes."""
    config = iris(hooks=[{"early_stopping": {"patience": 4}}], train__epochs=12, train__monitor="validation.accuracy")
    config |= {"optimizer": {"adam": {"learning_rate": 0.1}}, "average": {"ema": 0.5}}
    if name == "plateau forgotten":
        config["optimizer"] = {"adam": {"learning_rate": {"reduce_on_plateau": {**PLATEAU, "learning_rate": 0.1}}}}
    summary = api.fit(config, runs=tmp_path)
    assert summary["stopped"] == "early_stopping"
    expected = result(summary["run"])
    late = name in ("evaluation left out", "epoch closed without its evaluation", "best forgotten", "patience reset")
    stop = summary["steps"] - 7 if late else 10  # an epoch's end shortly before the run's, else within an epoch
    stopped = api.fit(config, runs=tmp_path / "stopped", progress=StopAt(stop))
    assert stopped["stopped"] == "signal"
    load_state = Trainer.load_state

    def defective(trainer: Trainer, arrays: dict[str, Any], meta: dict[str, Any], where: str) -> None:
        DEFECTS[name](meta, arrays)
        load_state(trainer, arrays, meta, where)

    monkeypatch.setattr(Trainer, "load_state", defective)
    if name in REFUSED:
        with pytest.raises(CorruptFileError) as caught:
            api.resume(stopped["run"])
        file = checkpoint.path_of(Path(stopped["run"], "checkpoints"), stop)
        assert str(caught.value) == f"{file}: {REFUSED[name]}; start a new run"
    else:
        assert result(api.resume(stopped["run"])["run"]) != expected


def kills(count: int, folder: Path) -> dict[str, Any]:
    """Run the harness that kills a training `count` times; its report."""
    command = [sys.executable, str(Path(__file__).with_name("kill_harness.py")), str(count), str(folder)]
    finished = subprocess.run(command, capture_output=True, text=True, timeout=600, env={**os.environ}, check=False)
    assert finished.returncode == 0, finished.stderr
    report: dict[str, Any] = json.loads(finished.stdout)
    return report


def check_kills(report: dict[str, Any], count: int) -> None:
    assert report["kills"] == count
    assert report["lost"] == []  # checkpoints that were acknowledged and then not there
    assert report["different"] == []  # runs whose end differs from the unbroken one
    assert report["finished"] > 0


def test_kills_at_random_moments_lose_nothing(tmp_path: Path) -> None:
    check_kills(kills(50, tmp_path), 50)


@pytest.mark.slow
def test_two_hundred_kills_lose_nothing(tmp_path: Path) -> None:
    check_kills(kills(200, tmp_path), 200)
