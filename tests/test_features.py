"""Features of frozen layers, computed once: where a model is cut, and that no bit of a run depends on it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cases import LAYERS
from small_runs import StopAt, iris, result

from dltrain import api
from dltrain.model.trunk import cut
from dltrain.registry import create
from dltrain.training import session as sessions
from dltrain.training.progress import SilentProgress

DEEP = [{"dense": 8}, "batch_norm", "relu", {"dense": 6}, "tanh", {"dropout": 0.2}, {"dense": 3}]
TRUNK = {"logits.0.*": {"frozen": True}, "logits.1.*": {"frozen": True}}


class Said(SilentProgress):
    """Remembers the messages."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def message(self, text: str) -> None:
        self.lines.append(text)


def config_of(groups: dict[str, Any], layers: list[Any] = DEEP, **changes: Any) -> dict[str, Any]:
    optimizer = {"adam": {"learning_rate": 0.01, "groups": groups}}
    return iris(model={"graph": {"logits": layers}}, optimizer=optimizer, **changes)


def graph_of(layers: list[Any], **rest: Any) -> Any:
    return api.build_model({"graph": {"logits": layers, **rest}}, {"x": (4,)})


def frozen_in(graph: Any, *starts: str) -> list[str]:
    return [path for path in graph.parameters if path.startswith(starts)]


@pytest.mark.parametrize(
    ("layers", "starts", "path"),
    [
        (DEEP, ("logits.0", "logits.1"), "logits.2.relu"),
        (DEEP, ("logits.0",), "logits.0.dense"),  # the batch norm learns
        (DEEP, ("logits.0", "logits.1", "logits.3"), "logits.4.tanh"),  # dropout draws
        (DEEP, ("logits.3",), None),  # something below is trained
        (DEEP, (), None),
        ([{"dense": 4}, {"dropout": 0.5}, {"dense": 3}], ("logits.0.dense.kernel",), None),  # its bias is trained
        (
            [{"dense": 4}, {"batch_norm": {"center": False, "scale": False}}, {"dense": 3}],
            ("logits.0",),
            "logits.0.dense",
        ),
        ([{"dense": 4}, {"residual": [{"dense": 4}]}, {"dense": 3}], ("logits.0",), "logits.0.dense"),
        ([{"residual": [{"dense": 4}]}, {"dense": 3}], ("logits.0",), "logits.0.residual"),
        ([{"concat": [[{"dense": 4}], []]}, {"dense": 3}], ("logits.0",), "logits.0.concat"),
        ([{"add": [[{"dense": 3}], [{"dense": 3}]]}], ("logits.0.add.0",), None),  # the other branch reads the input
    ],
)
def test_a_model_is_cut_where_its_frozen_layers_end(
    layers: list[Any], starts: tuple[str, ...], path: str | None
) -> None:
    graph = graph_of(layers)
    trunk = cut(graph, frozen_in(graph, *starts) if starts else [])
    assert (None if trunk is None else trunk.path) == path
    if trunk is not None:
        x = np.random.default_rng(0).standard_normal((5, 4)).astype(np.float32)
        value = trunk.below.forward({"x": x})[0]
        np.testing.assert_array_equal(trunk.above.forward(value)[0]["logits"], graph.forward({"x": x})[0]["logits"])


def test_two_values_are_no_cut_and_an_output_below_neither() -> None:
    graph = graph_of([{"dense": 4}], other=[{"from": "logits"}, {"dense": 4}])
    assert cut(graph, frozen_in(graph, "logits")).path == "logits.0.dense"  # type: ignore[union-attr]
    two = {"a": [{"dense": 4}], "b": ["relu"], "c": [{"from": "a"}, {"dense": 4}], "y": [{"add": [[], []]}]}
    two["y"] = [{"from": "b"}, {"dense": 4}, {"add": {"with": "c"}}]
    graph = api.build_model({"graph": two}, {"x": (4,)})
    assert cut(graph, frozen_in(graph, "a")) is None
    below = {"graph": {"a": [{"dense": 4}], "b": ["relu"], "y": [{"dense": 4}]}, "outputs": ["a", "y"]}
    graph = api.build_model(below, {"x": (4,)})
    assert cut(graph, frozen_in(graph, "a")) is None


@pytest.mark.parametrize("case", LAYERS, ids=lambda case: case.name)
def test_layers_say_honestly_whether_they_draw(case: Any) -> None:
    draws = create("layer", {case.kind: dict(case.arguments)} if case.arguments else case.kind).draws
    assert draws == any("random" in other.tags for other in LAYERS if other.kind == case.kind)


CHANGES: list[dict[str, Any]] = [
    {},
    {"average": {"swa": 1}},
    {"constrain": [{"max_norm": 0.4}]},
    {"train__accumulate": 3, "train__evaluate_every": "4 steps"},
    {"data__balance": "oversample"},
]


@pytest.mark.parametrize("changes", CHANGES, ids=str)
def test_no_bit_depends_on_it(changes: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config, said = config_of(TRUNK, **changes), Said()
    with_features = api.fit(config, runs=tmp_path / "with", progress=said)
    assert any("features of the frozen layers are computed once" in line for line in said.lines)
    monkeypatch.setattr(sessions, "reuse_features", lambda session, trainer: "")
    without = api.fit(config, runs=tmp_path / "without")
    assert result(with_features["run"]) == result(without["run"])
    assert with_features["test"] == without["test"] and with_features["best"] == without["best"]


@pytest.mark.parametrize("step", [3, 7, 12])
def test_a_resumed_run_computes_them_again(step: int, tmp_path: Path) -> None:
    groups = {**TRUNK, "logits.3.*": {"frozen": {"until_epoch": 1}}}
    config = config_of(groups)
    whole = api.fit(config, runs=tmp_path / "whole")
    cut_run = api.fit(config, runs=tmp_path / "cut", progress=StopAt(step))
    assert result(api.resume(cut_run["run"])["run"]) == result(whole["run"])


def test_they_are_left_out_where_they_would_not_hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = Said()
    api.fit(config_of(TRUNK, metrics=["accuracy", "milliseconds_per_sample"]), runs=tmp_path, progress=said)
    api.fit(config_of({"logits.0.*": {"frozen": {"until_epoch": 1}}}), runs=tmp_path, progress=said)
    assert not said.lines
    monkeypatch.setattr("dltrain.training.features.available", lambda: 100)
    api.fit(config_of(TRUNK), runs=tmp_path, progress=said)
    assert "are computed in every epoch" in said.lines[0]
