"""`dltrain diagnose`: sick runs get the verdict of their sickness, healthy ones none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dltrain import api, build_model
from dltrain.cli.main import run
from dltrain.diagnose.course import Course, Measured
from dltrain.diagnose.through_time import memory_of
from dltrain.errors import NumericsError
from dltrain.model.mode import Mode
from dltrain.registry import entries
from dltrain.seeds import generator

CONFIGS = Path(__file__).parent.parent / "configs"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def moons(count: int = 2000, noise: float = 0.15, **changes: Any) -> dict[str, Any]:
    """A network that learns the two moons well, unless it is changed."""
    parts = {"validation": 0.25, "test": 0.25}
    return {
        "name": "moons",
        "task": "binary_classification",
        "data": {"source": {"moons": {"samples": count, "noise": noise}}, "split": {"random": parts}},
        "model": {"graph": {"y": [{"dense": 32}, "relu", {"dense": 32}, "relu", "dense"]}},
        "optimizer": {"adam": {"learning_rate": {"cosine": {"learning_rate": 0.01}}}},
        "train": {"epochs": 20, "batch_size": 32},
        **changes,
    }


def verdicts(settings: dict[str, Any], **options: Any) -> dict[str, str]:
    """{rule: advice} of the run of a config."""
    api.fit(settings, runs="runs")
    return {verdict["rule"]: verdict["advice"] for verdict in api.diagnose(settings["name"], **options)["verdicts"]}


def hidden(activation: str, **options: Any) -> dict[str, Any]:
    """A model with one hidden layer."""
    return {"graph": {"y": [{"dense": {"units": 32, **options}}, activation, "dense"]}}


CIRCLES = {
    "source": {"circles": {"samples": 2000, "noise": 0.1}},
    "split": {"random": {"validation": 0.25, "test": 0.25}},
}
DIGITS = {"source": "digits", "split": {"random": {"validation": 0.47, "test": 0.47}}}
DEEP = {"graph": {"y": [{"dense": 256}, "relu", {"dense": 256}, "relu", "dense"]}}
DROPPED = {"graph": {"y": [{"dense": 8}, "relu", {"dropout": 0.9}, {"dense": 8}, "relu", {"dropout": 0.9}, "dense"]}}

SICK: dict[str, tuple[dict[str, Any], str, str]] = {
    "too small": (moons(data=CIRCLES, model={"graph": {"y": ["dense"]}}), "avoidable_bias", "a larger network"),
    "too much dropout": (moons(model=DROPPED), "avoidable_bias", "less dropout: 0.9 -> 0.45"),
    "too much L2": (moons(regularize=[{"l2": 1.0}]), "avoidable_bias", "a tenth of `regularize.0` (l2)"),
    "too much decay": (
        moons(optimizer={"adamw": {"weight_decay": 100.0}}), "avoidable_bias", "optimizer.adamw.weight_decay=0",
    ),
    "too little data": (
        moons(task="classification", data=DIGITS, train={"epochs": 40}), "variance", "more training examples",
    ),
    "too long": (
        moons(200, 0.4, model=DEEP, train={"epochs": 300}, optimizer={"adam": 0.003}), "overtrained", "early_stopping",
    ),
    "too short": (
        moons(train={"epochs": 6, "batch_size": 128}, optimizer={"adam": 0.003}), "still_improving", "train.epochs=12",
    ),
    "rate too low": (
        moons(optimizer={"gradient_descent": {"learning_rate": 0.003}}, train={"epochs": 8, "batch_size": 200}),
        "slow_start", "optimizer.gradient_descent.learning_rate=0.03",
    ),
    "no decay at a plateau": (
        moons(model={"graph": {"y": ["dense"]}}, optimizer={"adam": 0.01}, train={"epochs": 40}), "plateau", "cosine",
    ),
    "dead relus": (
        moons(model=hidden("relu", bias_initializer={"constant": -9})), "dead_units", "leaky_relu",
    ),
    "saturated": (
        moons(model=hidden("tanh", kernel_initializer={"normal": {"stddev": 200}})), "saturated_units", "batch_norm",
    ),
    "vanishing": (
        moons(model={"graph": {"y": [*([{"dense": 16}, "sigmoid"] * 8), "dense"]}}, train={"epochs": 2}),
        "vanishing_gradients", "he_normal",
    ),
    "exploding": (
        moons(model={"init": {"normal": {"stddev": 3}}, "graph": {"y": [*([{"dense": 64}, "relu"] * 6), "dense"]}},
              optimizer={"gradient_descent": 1e-12}, train={"epochs": 1}),
        "exploding_gradients", "clip_norm",
    ),
    "zeros": (
        moons(model={"init": {"constant": 0.1}, **hidden("tanh")}), "units_alike", "leave kernel_initializer",
    ),
}  # fmt: skip


@pytest.mark.parametrize("sickness", SICK)
def test_a_sick_run_is_diagnosed(sickness: str) -> None:
    settings, rule, advice = SICK[sickness]
    found = verdicts(settings)
    assert rule in found, found
    assert advice in found[rule]


def test_a_rate_that_is_too_high() -> None:
    settings = moons(optimizer={"momentum": {"learning_rate": 0.3}}, train={"epochs": 10, "batch_size": 8})
    assert {"diverged", "rough_loss", "avoidable_bias"} & verdicts(settings).keys()


def given(here: Path, shift: float) -> dict[str, Any]:
    """Two classes apart; those of the validation part are moved."""
    rng = np.random.default_rng(0)
    y = np.arange(1600) % 2
    x = rng.standard_normal((1600, 2)) * 0.5 + y[:, None] * 2
    x[1200:] += shift
    np.savez(here / "a.npz", x=x[:1200], y=y[:1200])
    np.savez(here / "b.npz", x=x[1200:1400], y=y[1200:1400])
    np.savez(here / "c.npz", x=x[1400:], y=y[1400:])
    source = {"npz": {"path": "a.npz", "validation_path": "b.npz", "test_path": "c.npz"}}
    return {"source": source, "split": {"random": {"train_dev": 0.2}}}


@pytest.mark.parametrize(("shift", "named"), [(2.0, True), (0.0, False)])
def test_a_validation_part_of_another_kind(shift: float, named: bool, here: Path) -> None:
    found = verdicts(moons(data=given(here, shift)))
    assert ("data_mismatch" in found) == named and "variance" not in found


def test_an_over_fitted_validation_part() -> None:
    errors = {"train": Measured(0.01, 900), "validation": Measured(0.01, 300), "test": Measured(0.09, 300)}
    rules = [name for name, entry in entries("diagnosis").items() if list(entry.make(Course(errors)))]
    assert rules == ["overfitted_validation"]


HEALTHY: dict[str, dict[str, Any]] = {
    "moons": moons(),
    "more noise": moons(noise=0.2),
    "circles": moons(data=CIRCLES),
    "a little dropout": moons(
        model={"graph": {"y": [{"dense": 64}, "relu", {"dropout": 0.1}, {"dense": 64}, "relu", "dense"]}}
    ),
    "momentum": moons(optimizer={"momentum": {"learning_rate": {"cosine": {"learning_rate": 0.1}}}}),
}


@pytest.mark.parametrize("name", HEALTHY)
def test_a_healthy_run_is_left_in_peace(name: str) -> None:
    goal = 0.03 if name == "more noise" else 0.01  # what the noise leaves
    assert verdicts(HEALTHY[name], goal=goal) == {}


def test_the_digits_are_left_in_peace() -> None:
    api.fit(CONFIGS / "tabular" / "digits-mlp.yaml", runs="runs")
    assert api.diagnose("digits-mlp")["verdicts"] == []


def test_a_regression_is_measured_by_what_it_explains() -> None:
    data = {"source": "diabetes", "prepare": ["standardize"], "prepare_target": ["standardize"]}
    settings = moons(task="regression", data=data, model=DEEP, train={"epochs": 150}, optimizer={"adam": 0.003})
    found = api.fit(settings, runs="runs") and api.diagnose("moons")
    measured = api.evaluate("moons", split="train")["metrics"]["r2"]
    assert found["errors"]["train"]["error"] == pytest.approx(1 - measured)
    assert "variance" in {verdict["rule"] for verdict in found["verdicts"]}


def test_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    api.fit(moons(data=CIRCLES, model={"graph": {"y": ["dense"]}}), runs="runs")
    assert run(["diagnose", "moons", "--goal", "0.01"]) == 0
    out = capsys.readouterr().out
    assert "1.00%" in out and "avoidable_bias" in out and "a larger network" in out
    assert run(["diagnose", "moons", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found.keys() == {"run", "goal", "errors", "layers", "verdicts"} and found["errors"]["test"]["samples"] == 500
    assert run(["diagnose", "moons", "--goal", "3"]) == 2


def test_the_page_lists_every_diagnosis() -> None:
    page = (CONFIGS.parent / "docs" / "diagnose.md").read_text(encoding="utf-8")
    assert [name for name in entries("diagnosis") if f"| `{name}` |" not in page] == []


def sequences(layer: Any, optimizer: Any, epochs: int = 2) -> dict[str, Any]:
    """The sum of some of the last steps of sequences of 40."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((600, 40, 1)).astype(np.float32)
    np.savez("s.npz", x=x, y=x[:, -3:, 0].sum(1) + 0.5 * x[:, -10, 0])
    data = {"source": {"npz": "s.npz"}, "split": {"random": {"validation": 100, "test": 0}}}
    return {
        "name": "sequences",
        "task": "regression",
        "data": data,
        "model": {"graph": {"y": [layer, "dense"]}},
        "optimizer": optimizer,
        "train": {"epochs": epochs, "batch_size": 20},
    }


def rnn(**options: Any) -> dict[str, Any]:
    return {"simple_rnn": {"units": 32, **options}}


SICK_IN_TIME: dict[str, tuple[Any, Any, str, str]] = {
    "short memory": (rnn(recurrent_initializer={"normal": {"stddev": 0.03}}), 1e-9, "vanishing_through_time", "lstm"),
    "long echoes": (
        rnn(activation="relu", recurrent_initializer={"normal": {"stddev": 0.3}}),
        *(1e-9, "exploding_through_time", "clip_norm"),
    ),
    "stuck gates": ({"gru": {"units": 8, "bias_initializer": {"constant": 20}}}, 1e-9, "saturated_gates", "scale the"),
}


@pytest.mark.parametrize("sickness", SICK_IN_TIME)
def test_a_sick_recurrent_run_is_diagnosed(sickness: str) -> None:
    layer, rate, rule, advice = SICK_IN_TIME[sickness]
    found = verdicts(sequences(layer, {"gradient_descent": rate}))
    assert advice in found[rule], found
    others = {"vanishing_through_time", "exploding_through_time", "saturated_gates"} - {rule}
    assert not others & found.keys()


@pytest.mark.parametrize("layer", [{"lstm": 16}, {"gru": 16}, {"simple_rnn": 16}])
def test_a_sound_recurrent_run_is_left_in_peace(layer: Any) -> None:
    found = verdicts(sequences(layer, {"adam": 0.01}))
    assert not {"vanishing_through_time", "exploding_through_time", "saturated_gates"} & found.keys()


@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("lengths", [(4, 4, 4, 4, 4), (4, 2, 1, 0, 2)])
def test_gradients_through_time_are_those_of_finite_differences(lengths: tuple[int, ...], backwards: bool) -> None:
    """The norm at each step back is that of the derivative of what arrives at the last step of each sequence."""
    layer = {"simple_rnn": {"units": 3, "go_backwards": backwards, "with": "mask"}}
    shapes: dict[str, tuple[int, ...]] = {"x": (4, 2), "mask": (4,)}
    graph = build_model({"graph": {"y": [{"from": "x"}, layer]}}, shapes, seed=1, dtype="float64")
    x = np.random.default_rng(0).standard_normal((5, 4, 2))
    there = np.arange(4) < np.array(lengths)[:, None]
    mode = Mode(True)
    mode.begin(0, 5)
    [node] = graph.plan_nodes
    found = memory_of(node, [x, there.astype(float)], mode)
    assert found is not None
    dy = generator(0, "through time").standard_normal((5, 1, 3))[:, 0]
    W, U, b = (parameter.value for parameter in node.layer.parameters)
    order = range(4)[:: -1 if backwards else 1]

    def value(shift: np.ndarray) -> float:
        h = np.zeros((5, 3))
        for t in order:
            h = np.where(there[:, t, None], np.tanh(x[:, t] @ W + b + h @ U + shift[:, t]), h)
        return float((h * dy).sum())

    slopes = np.zeros((5, 4, 3))
    for place in np.ndindex(*slopes.shape):
        step = np.zeros(slopes.shape)
        step[place] = 1e-6
        slopes[place] = (value(step) - value(-step)) / 2e-6
    ways = [[slopes[n, t] for t in order if there[n, t]][::-1] for n in range(5)]  # the last step first
    far = max(lengths)
    squares = [np.square([way[back] for way in ways if len(way) > back]).mean() for back in range(far)][::-1]
    np.testing.assert_allclose(found.gradients, np.sqrt(squares), rtol=1e-6)


def test_clipping_cures_an_exploding_run() -> None:
    """Without a limit the first steps leave the finite numbers; with one the same run learns."""
    layer = rnn(activation="relu", recurrent_initializer={"normal": {"stddev": 0.25}})
    with pytest.raises(NumericsError, match="finite"):
        api.fit(sequences(layer, {"gradient_descent": 0.03}))
    cured = {"gradient_descent": {"learning_rate": 0.03, "clip_norm": 1}}
    assert api.fit(sequences(layer, cured, epochs=15))["metrics"]["validation"]["r2"] > 0.5
