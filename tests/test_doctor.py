"""`dltrain doctor`: each planted fault is named by its rule, and healthy configs are left in peace."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from example_layers import registered
from faulty_layer import Suspicious

from dltrain import api, config
from dltrain.cli.main import run
from dltrain.diagnose import Checkup
from dltrain.diagnose.doctor import verdicts_of
from dltrain.errors import ConfigError, UsageError
from dltrain.layers.base import Array, Backward, Layer
from dltrain.model.mode import Mode
from dltrain.registry import entries

CONFIGS = Path(__file__).parent.parent / "configs"
DEAD: list[Any] = [{"dense": {"units": 9, "bias_initializer": {"constant": -99}}}, "relu", "dense"]
NOTHING_HELD_OUT = {"source": "iris", "split": {"random": {"validation": 0, "test": 0}}}
LAYERS: list[Any] = [{"dense": 16}, "relu", "dense"]
ADAM = {"adam": {"learning_rate": 0.01}}


def of(chain: Any = LAYERS, **keys: Any) -> dict[str, Any]:
    """A config of a network on the iris flowers, healthy unless a key says otherwise."""
    data = {"source": "iris", "prepare": ["standardize"], "split": {"stratified": {"validation": 30, "test": 0}}}
    return {"data": data, "model": {"graph": {"logits": chain}}, "optimizer": ADAM, **keys}


def found(rule: str, settings: dict[str, Any]) -> list[str]:
    """Severities of what a rule says."""
    checkup = Checkup(config.from_mapping(settings))
    return [verdict.severity for verdict in verdicts_of(entries("rule")[rule].make, checkup)]


class Forgetful(Layer):
    """y = a x with a number a that is neither a parameter nor the seed's, so that no checkpoint has it."""

    def forward(self, mode: Mode, *inputs: Array) -> tuple[Array, Backward]:
        if not hasattr(self, "a"):
            self.a = np.random.default_rng().random()
        return inputs[0] * self.a, lambda dy: dy * self.a


SICK: list[tuple[str, str, dict[str, Any]]] = [
    ("initial_loss", "doubt", of(data={"source": "wine", "prepare": [], "split": "stratified"})),
    ("initial_loss", "doubt", of([{"dense": {"units": 3, "kernel_initializer": {"normal": {"stddev": 20}}}}])),
    ("overfits_one_batch", "fault", of(optimizer={"gradient_descent": 1e-7})),
    ("overfits_one_batch", "fault", of(DEAD)),
    ("overfits_one_batch", "fault", of(optimizer={"momentum": {"learning_rate": 1e30}})),
    ("overfits_one_batch", "doubt", of(optimizer={"gradient_descent": 0.0005})),
    ("inputs_matter", "fault", of(DEAD)),
    ("vanishing_depth", "doubt", of([*([{"dense": 8}, "tanh"] * 9), "dense"])),
    ("activation_before_loss", "fault", of([{"dense": 3}, "relu"])),
    ("tiny_batches", "doubt", of([{"dense": 8}, "batch_norm", "relu", "dense"], train={"batch_size": 4})),
    ("tiny_batches", "fault", of([{"dense": 8}, "batch_norm", "relu", "dense"], train={"batch_size": 1})),
    ("learning_rate_range", "doubt", of(optimizer={"adam": 0.3})),
    ("learning_rate_range", "doubt", of(optimizer={"gradient_descent": 1e-6})),
    ("few_validation_examples", "doubt", of(data=NOTHING_HELD_OUT)),
    ("stops_by_training", "doubt", of(hooks=[{"early_stopping": {"patience": 2, "monitor": "train.loss"}}])),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "severity", "settings"), SICK)
def test_each_planted_fault_is_named(rule: str, severity: str, settings: dict[str, Any]) -> None:
    assert severity in found(rule, settings)


def test_an_output_that_cannot_reach_its_targets() -> None:
    data = {"source": "diabetes", "prepare_target": ["standardize"]}
    settings = of([{"dense": 1}, "relu"], data=data, task="regression")
    assert found("activation_before_loss", settings) == ["fault"]
    assert found("activation_before_loss", {**settings, "model": {"graph": {"y": ["dense"]}}}) == []


def test_a_wrong_gradient() -> None:
    class Wrong(Suspicious):
        """See `Suspicious`."""

        def __init__(self) -> None:
            super().__init__("gradient of the input")

        def forward(self, mode: Mode, *inputs: Array) -> tuple[Array, Backward]:
            y, backward = super().forward(mode, *inputs)
            return y, lambda dy: backward(dy) * 1.01

    with registered(wrong=Wrong):
        assert found("gradients", of([{"dense": 8}, "wrong", "dense"])) == ["fault"]


def test_a_layer_that_no_checkpoint_holds() -> None:
    with registered(forgetful=Forgetful):
        assert found("checkpoint_round_trip", of([{"dense": 8}, "forgetful", "dense"])) == ["fault"]
    assert found("checkpoint_round_trip", of()) == ["fine"]


def test_examples_that_stand_in_both_parts() -> None:
    """What is learned from shuffled labels is right for examples that were in the training: here all are."""
    checkup = Checkup(config.from_mapping(of()))
    train = checkup.data.parts["train"]
    checkup.numbers = SimpleNamespace(permutation=lambda labels: labels)  # type: ignore[assignment]
    checkup.data.parts["validation"] = train
    assert [v.severity for v in verdicts_of(entries("rule")["shuffled_labels"].make, checkup)] == ["doubt"]
    assert found("shuffled_labels", of()) == ["fine"]


def test_validation_that_is_not_finite() -> None:
    checkup = Checkup(config.from_mapping(of()))
    checkup.data.parts["validation"].columns["x"][0] = np.float32(3e38)
    assert [v.severity for v in verdicts_of(entries("rule")["validation_pass"].make, checkup)] == ["fault"]


@pytest.mark.parametrize(
    "name", ["tabular/digits-mlp", "tabular/wine-mlp", "planar/moons-mlp", "tabular/diabetes-regression"]
)
def test_healthy_configs_have_no_fault(name: str) -> None:
    result = api.doctor(CONFIGS / f"{name}.yaml")
    assert result["passed"], [verdict for verdict in result["verdicts"] if verdict["severity"] == "fault"]
    assert {v["rule"] for v in result["verdicts"] if v["severity"] == "fine"} >= {"initial_loss", "gradients"}


def all_networks() -> list[str]:
    """The shipped configs of networks on data that everybody has."""
    names = []
    for path in sorted(CONFIGS.glob("*/*.yaml")):
        if path.parent.name in ("planar", "tabular") and "baseline:" not in path.read_text(encoding="utf-8"):
            names.append(f"{path.parent.name}/{path.stem}")
    return names


@pytest.mark.slow
@pytest.mark.parametrize("name", all_networks())
def test_the_doctor_is_quiet_on_shipped_configs(name: str, data_folder: Path) -> None:
    """No fault and no doubt but those that the config waives with a reason; and no waiver of what nobody says."""
    path = CONFIGS / f"{name}.yaml"
    said = [v for v in api.doctor(path)["verdicts"] if v["severity"] in ("fault", "doubt")]
    assert [verdict for verdict in said if not verdict["waived"]] == []
    assert {verdict["rule"] for verdict in said} == config.load(path).waive.keys()


def test_a_healthy_network_is_left_in_peace() -> None:
    result = api.doctor(of())
    said = {v["rule"]: v["what"] for v in result["verdicts"] if v["severity"] in ("fault", "doubt")}
    assert said.keys() == {"few_validation_examples"}  # there are 150 flowers in all


def test_a_waiver_silences_and_is_shown(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    settings = of(optimizer={"gradient_descent": 1e-7}, waive={"overfits_one_batch": "it shall not learn"})
    path = tmp_path / "a.yaml"
    path.write_text(json.dumps(settings), encoding="utf-8")
    assert run(["doctor", str(path)]) == 3  # inputs_matter is not waived
    assert "waived: it shall not learn" in capsys.readouterr().out
    settings["waive"]["inputs_matter"] = "nor this"
    path.write_text(json.dumps(settings), encoding="utf-8")
    assert run(["doctor", str(path), "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result.keys() == {"passed", "experiment", "seconds", "verdicts"} and result["passed"]
    waived = {v["rule"] for v in result["verdicts"] if v["waived"]}
    assert waived == {"overfits_one_batch", "inputs_matter"}


@pytest.mark.parametrize(
    ("waive", "words"),
    [({"overfit_one_batch": "x"}, "overfits_one_batch"), ({"gradients": " "}, "a waiver needs its reason")],
)
def test_waivers_are_checked(waive: Any, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        config.from_mapping(of(waive=waive))
    assert words in str(caught.value)


def test_a_baseline_has_nothing_to_examine() -> None:
    with pytest.raises(UsageError, match="fitted in one go"):
        api.doctor({"data": {"source": "iris"}, "baseline": "dummy"})


def test_an_error_of_the_experiment_is_a_verdict() -> None:
    """Targets that overflow float32: the trial reports it, the others go on."""
    result = api.doctor(of(optimizer={"momentum": {"learning_rate": 1e30}}))
    assert not result["passed"]
    assert "not finite" in next(v["what"] for v in result["verdicts"] if v["rule"] == "overfits_one_batch")
    assert "fine" in {v["severity"] for v in result["verdicts"] if v["rule"] == "gradients"}


def test_the_page_lists_every_rule() -> None:
    page = (CONFIGS.parent / "docs" / "doctor.md").read_text(encoding="utf-8")
    assert [name for name in entries("rule") if f"| `{name}` |" not in page] == []
