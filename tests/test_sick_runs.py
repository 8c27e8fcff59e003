"""Twenty sick experiments, each named by `diagnose`, `doctor` or `data lint`, and ten healthy ones left in peace."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import test_diagnose
from test_diagnose import CIRCLES, HEALTHY, moons, verdicts

from dltrain import api, config
from dltrain.diagnose import Checkup
from dltrain.registry import entries

# sickness -> (command that sees it, what names it); a tuple of names: any of them, for the rate decides which
SICKNESSES: dict[str, tuple[str, tuple[str, ...]]] = {
    "too small": ("diagnose", ("avoidable_bias",)),
    "too large": ("diagnose", ("overtrained",)),
    "too little data": ("diagnose", ("variance",)),
    "mismatch": ("diagnose", ("data_mismatch",)),
    "over-fitted validation set": ("diagnose", ("overfitted_validation",)),
    "dead relus": ("diagnose", ("dead_units",)),
    "saturated": ("diagnose", ("saturated_units",)),
    "vanishing": ("diagnose", ("vanishing_gradients",)),
    "exploding": ("diagnose", ("exploding_gradients",)),
    "zeros": ("diagnose", ("units_alike",)),
    "rate too high": ("diagnose", ("diverged", "rough_loss", "avoidable_bias")),
    "rate too low": ("diagnose", ("slow_start",)),
    "no decay at a plateau": ("diagnose", ("plateau",)),
    "too much dropout": ("diagnose", ("avoidable_bias",)),
    "too much L2": ("diagnose", ("avoidable_bias",)),
    "leaking data": ("data lint", ("duplicates_across_parts",)),
    "wrong labels": ("data lint", ("doubtful_labels",)),
    "unscaled inputs": ("doctor", ("unscaled_inputs",)),
    "wrong loss": ("doctor", ("squared_error_on_classes",)),
    "batch norm with tiny batches": ("doctor", ("tiny_batches",)),
}


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def written(here: Path, x: Any, y: Any, **settings: Any) -> dict[str, Any]:
    """A config on these arrays."""
    np.savez(here / "a.npz", x=x, y=y)
    data = {"source": {"npz": {"path": "a.npz"}}, "split": {"random": {"validation": 0.25, "test": 0.25}}}
    return moons(data=data, **settings)


def two_classes(seed: int = 0, count: int = 1200) -> tuple[Any, Any]:
    """Two clouds that hardly overlap."""
    rng = np.random.default_rng(seed)
    y = np.arange(count) % 2
    return rng.standard_normal((count, 2)) * 0.6 + y[:, None] * 2.5, y


def leaking(here: Path) -> dict[str, Any]:
    """Many examples stand twice, on both sides of the split."""
    x, y = two_classes()
    return written(here, np.concatenate([x, x[:400]]), np.concatenate([y, y[:400]]))


def mislabelled(here: Path) -> dict[str, Any]:
    """One label in ten is wrong."""
    x, y = two_classes()
    return written(here, x, np.where(np.random.default_rng(1).random(len(y)) < 0.1, 1 - y, y))


def unscaled(here: Path) -> dict[str, Any]:
    """One column is ten thousand times larger than the other."""
    x, y = two_classes()
    return written(here, x * [1, 1e4], y)


def wrong_loss(here: Path) -> dict[str, Any]:
    """Squared error on classes, behind no sigmoid."""
    x, y = two_classes()
    return written(here, x, y, task="classification", loss="mean_squared_error")


def tiny_batches(here: Path) -> dict[str, Any]:
    """Batch norm over two examples."""
    x, y = two_classes()
    model = {"graph": {"y": [{"dense": 8}, "batch_norm", "relu", "dense"]}}
    return written(here, x, y, model=model, train={"epochs": 1, "batch_size": 2})


PLANTED = {
    "leaking data": leaking,
    "wrong labels": mislabelled,
    "unscaled inputs": unscaled,
    "wrong loss": wrong_loss,
    "batch norm with tiny batches": tiny_batches,
}


def named(command: str, settings: dict[str, Any], rules: tuple[str, ...]) -> set[str]:
    """Those of some rules that say something against a config."""
    kind, subject = ("lint", None) if command == "data lint" else ("rule", Checkup(config.from_mapping(settings)))
    subject = Checkup(config.from_mapping(settings)).data if subject is None else subject
    bad = {name: list(entries(kind)[name].make(subject)) for name in rules}
    return {name for name, found in bad.items() if any(v.severity in ("fault", "doubt") for v in found)}


@pytest.mark.parametrize("sickness", PLANTED)
def test_a_sickness_that_is_seen_before_the_training(sickness: str, here: Path) -> None:
    command, rules = SICKNESSES[sickness]
    assert named(command, PLANTED[sickness](here), rules) == set(rules)
    x, y = two_classes()
    assert named(command, written(here, x, y), rules) == set()


def test_an_over_fitted_validation_part(here: Path) -> None:
    """The validation part holds what is easy, as if it had been chosen until the result was good."""
    x, y = two_classes(count=3000)
    x += np.random.default_rng(2).standard_normal(x.shape)
    easy = np.abs(x.sum(1) - 2.5) > 2
    np.savez(here / "a.npz", x=x[:1000], y=y[:1000])
    np.savez(here / "b.npz", x=x[1000:2000][easy[1000:2000]], y=y[1000:2000][easy[1000:2000]])
    np.savez(here / "c.npz", x=x[2000:], y=y[2000:])
    source = {"npz": {"path": "a.npz", "validation_path": "b.npz", "test_path": "c.npz"}}
    found = verdicts(moons(data={"source": source}, train={"epochs": 8, "batch_size": 32}), goal=0.08)
    assert "overfitted_validation" in found and "variance" not in found


def test_all_twenty_are_tried() -> None:
    tried = {*test_diagnose.SICK, *PLANTED, "mismatch", "over-fitted validation set", "rate too high"}
    assert len(SICKNESSES) == 20 and set(SICKNESSES) - tried == {"too large"}
    assert test_diagnose.SICK["too long"][1] == "overtrained"  # a network of 256 units on 100 examples: too large
    for sickness in SICKNESSES.keys() & test_diagnose.SICK.keys():
        assert test_diagnose.SICK[sickness][1] in SICKNESSES[sickness][1]
    known = {"diagnose": "diagnosis", "doctor": "rule", "data lint": "lint"}
    assert all(name in entries(known[command]) for command, names in SICKNESSES.values() for name in names)


def hidden(*layers: Any) -> dict[str, Any]:
    return {"graph": {"y": [*layers, "dense"]}}


MORE: dict[str, dict[str, Any]] = {
    "tanh": moons(model=hidden({"dense": 32}, "tanh", {"dense": 32}, "tanh")),
    "batch norm": moons(model=hidden({"dense": {"units": 32, "use_bias": False}}, "batch_norm", "relu")),
    "leaky relu": moons(data=CIRCLES, model=hidden({"dense": 48}, "leaky_relu", {"dense": 48}, "leaky_relu")),
    "decay": moons(optimizer={"adamw": {"learning_rate": {"cosine": {"learning_rate": 0.01}}, "weight_decay": 0.01}}),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", MORE)
def test_more_healthy_runs_are_left_in_peace(name: str) -> None:
    assert verdicts(MORE[name], goal=0.015) == {}


@pytest.mark.slow
@pytest.mark.parametrize("name", [*HEALTHY, *MORE])
def test_healthy_configs_are_left_in_peace_before_the_training(name: str) -> None:
    settings = {**HEALTHY, **MORE}[name]
    assert [v for v in api.lint_data(settings)["verdicts"] if v["severity"] in ("fault", "doubt")] == []
    assert [v["rule"] for v in api.doctor(settings)["verdicts"] if v["severity"] in ("fault", "doubt")] == []


def test_ten_healthy_ones() -> None:
    assert len({**HEALTHY, **MORE}) + 1 == 10  # the digits of `test_diagnose` are the tenth
