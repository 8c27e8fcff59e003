"""Parameters that stay as they are, for a whole run or its first epochs, and batch normalization among them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_runs import StopAt, iris, result, unbroken
from test_optim import NAMES, PATHS, bound, four_parameters

from dltrain import api
from dltrain.errors import ConfigError
from dltrain.optim import Moment
from dltrain.training import checkpoint
from dltrain.training.state import part

FIRST = ["logits.0.dense.kernel", "logits.0.dense.bias"]
NORM = ["gamma", "beta", "moving_mean", "moving_variance"]


def stepped(spec: dict[str, Any], gradients: list[dict[str, np.ndarray]], first: int = 0, **options: Any) -> Any:
    """The parameters after steps of two an epoch, from one on."""
    vector = four_parameters()
    optimizer = bound(spec, vector, **options)
    for step, gradient in list(enumerate(gradients))[first:]:
        for path, place in vector.slices.items():
            vector.grad[place] = gradient[path]
        optimizer.step(Moment(step, 2, len(gradients)))
    return {path: vector.value[place].copy() for path, place in vector.slices.items()}


def gradients_of(steps: int) -> list[dict[str, np.ndarray]]:
    rng = np.random.default_rng(1)
    return [{path: rng.standard_normal(5) for path in PATHS} for _ in range(steps)]


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize("name", NAMES)
def test_what_thaws_is_trained_as_if_the_run_began_then(name: str, fused: bool) -> None:
    gradients = gradients_of(9)
    groups = {"a.0.dense.kernel": {"frozen": {"until_epoch": 1}}, "b.*": {"frozen": {"until_epoch": 3}}}
    found = stepped({name: {"learning_rate": 0.1, "weight_decay": 0.1, "groups": groups}}, gradients, fused=fused)
    for path, first in (("a.0.dense.bias", 0), ("a.0.dense.kernel", 2), ("b.0.dense.kernel", 6), ("b.0.dense.bias", 6)):
        alone = stepped({name: {"learning_rate": 0.1, "weight_decay": 0.1}}, gradients, first, fused=fused)
        np.testing.assert_allclose(found[path], alone[path], rtol=1e-13, atol=1e-14)


def test_before_it_thaws_nothing_moves_and_no_norm_counts_it() -> None:
    gradients = [dict.fromkeys(PATHS, np.full(5, 100.0))] * 2
    spec = {"learning_rate": 1.0, "clip_norm": 2.0, "groups": {"a.*": {"frozen": {"until_epoch": 1}}}}
    start = four_parameters()
    found = stepped({"gradient_descent": spec}, gradients[:1])
    for path in ("a.0.dense.kernel", "a.0.dense.bias"):
        assert np.array_equal(found[path], start.value[start.slices[path]])
    moved = [found[path] - start.value[start.slices[path]] for path in PATHS if path.startswith("b.")]
    assert np.linalg.norm(moved) == pytest.approx(2.0, rel=1e-6)


def states(run: str) -> dict[int, dict[str, np.ndarray]]:
    folder = Path(run, "checkpoints")
    found = {}
    for step in checkpoint.list_steps(folder):
        found[step] = part(checkpoint.load(checkpoint.path_of(folder, step))[0], "model")
    return found


def grouped(groups: dict[str, Any], **changes: Any) -> dict[str, Any]:
    optimizer = {"adam": {"learning_rate": 0.01, "groups": groups}}
    return iris(optimizer=optimizer, train__keep=9, regularize=[], **changes)


def test_layers_thaw_after_their_epochs(tmp_path: Path) -> None:
    run = api.fit(grouped({"logits.0.*": {"frozen": {"until_epoch": 2}}}), runs=tmp_path)["run"]
    at = states(run)
    for path in FIRST:
        assert np.array_equal(at[0][path], at[14][path])
        assert not np.array_equal(at[14][path], at[21][path])
    assert not np.array_equal(at[0]["logits.4.dense.kernel"], at[7]["logits.4.dense.kernel"])


@pytest.mark.parametrize("step", [3, 7, 8, 14, 15, 20])
def test_a_run_that_is_cut_anywhere_thaws_the_same(step: int, tmp_path: Path) -> None:
    groups = {
        "logits.0.*": {"frozen": {"until_epoch": 1}},
        "logits.1.*": {"frozen": {"until_epoch": 2}, "learning_rate": {"cosine": {"learning_rate": 0.02}}},
    }
    config = grouped(groups, average={"ema": 0.9})
    cut = api.fit(config, runs=tmp_path / "cut", progress=StopAt(step))
    assert cut["stopped"] == "signal"
    again = api.resume(cut["run"])
    assert result(again["run"]) == unbroken(config, tmp_path)


@pytest.mark.parametrize("frozen", [True, {"until_epoch": 2}])
def test_a_frozen_batch_norm_keeps_its_statistics(frozen: Any, tmp_path: Path) -> None:
    at = states(api.fit(grouped({"logits.1.*": {"frozen": frozen}}), runs=tmp_path)["run"])
    for name in NORM:
        path = f"logits.1.batch_norm.{name}"
        assert np.array_equal(at[0][path], at[14][path])
        assert np.array_equal(at[14][path], at[21][path]) == (frozen is True)


@pytest.mark.parametrize("layers", [["batch_norm"], ["batch_norm", "relu"]])
def test_a_frozen_batch_norm_computes_as_outside_training(layers: list[str]) -> None:
    graph = api.build_model({"graph": {"y": [{"dense": 4}, *layers]}}, {"x": (3,)}, dtype="float64")
    rng = np.random.default_rng(0)
    for statistic in graph.statistics.values():
        statistic.value += rng.random(statistic.shape)
    x = 5 + rng.standard_normal((6, 3))
    free, _ = graph.forward({"x": x}, train=True)
    outside, back_outside = graph.forward({"x": x})
    graph.freeze([path for path in graph.parameters if "batch_norm" in path])
    before = graph.state()
    frozen, back = graph.forward({"x": x}, train=True)
    np.testing.assert_array_equal(frozen["y"], outside["y"])
    assert not np.allclose(free["y"], outside["y"])
    dy = rng.standard_normal((6, 4))
    np.testing.assert_array_equal(back({"y": dy})["x"], back_outside({"y": dy})["x"])
    assert all(np.array_equal(before[path], value) for path, value in graph.state().items())


def test_one_free_parameter_keeps_a_batch_norm_in_training() -> None:
    graph = api.build_model({"graph": {"y": ["batch_norm"]}}, {"x": (3,)})
    graph.freeze(["y.0.batch_norm.gamma"])
    graph.forward({"x": np.ones((4, 3), np.float32)}, train=True)
    assert graph.statistics["y.0.batch_norm.moving_mean"].value.all()


WRONG = [
    ({"frozen": {"until_epoch": 0}}, "a whole number of at least 1"),
    ({"frozen": {"until": 2}}, "did you mean 'until_epoch'"),
    ({"frozen": 3}, "expected true or false or a map with until_epoch; got 3; write {until_epoch: 3}"),
    ({"frozen": "yes"}, "expected true or false or a map with until_epoch; got the text 'yes'; write true without"),
    ({"frozen": {"until_epoch": 3}}, "would begin after the last epoch; expected at most 2; got 3"),
    ({"frozen": True, "learning_rate": 0.1}, "learning_rate has no effect beside frozen"),
]


@pytest.mark.parametrize(("group", "said"), WRONG)
def test_what_makes_no_sense_is_told(group: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        api.check(grouped({"logits.0.*": group}))
    assert said in str(caught.value)


def test_something_is_trained_in_every_epoch() -> None:
    with pytest.raises(ConfigError, match="all parameters are frozen"):
        api.check(grouped({"*": {"frozen": {"until_epoch": 1}}}))
