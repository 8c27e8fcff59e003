"""`dltrain convert`: the network of convolutions says of each window what the classifier says of it, cut out."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from picture_files import packed
from test_cli import error_of, json_of
from test_looking import settings

from dltrain import api, build_model
from dltrain.cli.main import run
from dltrain.errors import UsageError
from dltrain.model.convolutional import convolutional
from dltrain.model.graph import Graph
from dltrain.training.conversion import moved
from dltrain.training.trained import load_run

VALID = {"padding": "valid"}
PLAIN = {
    "features": [
        {"conv": {"filters": 6, **VALID}},
        "batch_norm",
        "relu",
        {"max_pool": 2},
        {"conv": {"filters": 5, **VALID}},
    ],
    "logits": ["flatten", {"dropout": 0.3}, {"dense": 12}, "batch_norm", "tanh", {"dense": 4}],
}
STRIDED = {
    "a": [{"conv": {"filters": 6, "kernel_size": [3, 2], "strides": 2, **VALID}}, "gelu"],
    "b": [{"add": [[{"conv": {"filters": 6, "kernel_size": 1}}], []]}],
    "hidden": ["flatten", "relu", {"dense": {"units": 9, "use_bias": False}}, "layer_norm", {"prelu": None}],
    "logits": [{"dense": 3}, "softmax"],
}
POOLED = {
    "a": [{"conv": {"filters": 6, **VALID}}, "relu", "global_max_pool"],
    "b": ["relu", {"dense": 8}, "relu", {"dense": 3}],
}
AVERAGED = {"a": [{"conv": {"filters": 6, **VALID}}, "relu"], "map": ["global_avg_pool", {"dense": 3}]}
BARE = {"logits": ["flatten", {"dense": 3}]}
MODELS = {"plain": PLAIN, "strided": STRIDED, "max": POOLED, "mean": AVERAGED, "bare": BARE}


def trained(graph: dict[str, Any], shape: tuple[int, ...], dtype: str = "float64") -> Graph:
    """A model whose weights and statistics are no longer those of the start."""
    model = build_model({"graph": graph}, {"x": shape}, seed=2, dtype=dtype)
    rng = np.random.default_rng(0)
    state = {path: rng.normal(0.1, 0.4, array.shape) for path, array in model.state().items()}
    model.load_state({path: abs(array) + 0.5 if "variance" in path else array for path, array in state.items()})
    return model


def converted(graph: dict[str, Any], old: Graph, shape: tuple[int, ...]) -> Graph:
    made = convolutional({"graph": graph}, old)
    small, large = (build_model(made.model, {"x": size}, dtype=old.dtype) for size in (old.inputs["x"], shape))
    for model in (small, large):
        model.load_state(moved(old.state(), made, model))
    x = np.random.default_rng(1).normal(size=(3, *old.inputs["x"]))
    [first], [second] = (model.forward({"x": x})[0].values() for model in (old, small))
    np.testing.assert_allclose(first, second, atol=1e-10)
    return large


@pytest.mark.parametrize("name", MODELS)
def test_every_window_is_answered_as_if_it_were_cut_out(name: str) -> None:
    graph, window, shape = MODELS[name], (11, 10, 2), (19, 23, 2)
    old = trained(graph, window)
    large = converted(graph, old, shape)
    x = np.random.default_rng(3).normal(size=(1, *shape))
    *_, wire = [w for w in large.wires if w != large.outputs[0]]
    places = large.forward({"x": x}, wires=[wire])[0][wire][0]
    stride = {"plain": 2, "strided": 2}.get(name, 1)
    assert places.shape[:2] == ((19 - 11) // stride + 1, (23 - 10) // stride + 1)
    for i, j in np.ndindex(*places.shape[:2]):
        cut = x[:, i * stride : i * stride + 11, j * stride : j * stride + 10]
        [expected] = old.forward({"x": cut})[0].values()
        np.testing.assert_allclose(places[i, j], expected[0], atol=1e-10)
    [mean] = large.forward({"x": x})[0].values()
    np.testing.assert_allclose(mean[0], places.mean((0, 1)), atol=1e-12)


@pytest.mark.parametrize(
    ("graph", "said"),
    [
        ({"a": [{"conv": 3}], "y": ["global_avg_pool"]}, "y: the network is one for all sizes already"),
        ({"y": [{"conv": 3}, "relu"]}, "y: the network is one of convolutions already"),
        (
            {"y": [{"conv": 4}, {"group_norm": 2}, "flatten", {"dense": 2}]},
            "y.1.group_norm: group_norm looks at the whole",
        ),
        ({"y": ["flatten", "batch_norm", {"dense": 2}]}, "y.1.batch_norm: batch_norm of a vector is no layer"),
        (
            {"y": ["flatten", {"residual": [{"dense": 24}]}, {"dense": 2}]},
            "y.1.residual: add of a vector|this layer stands",
        ),
        ({"y": ["flatten", {"dense": {"units": 5, "repeat": 2}}, {"dense": 2}]}, "in a block, a branch or a repeat"),
        ({"h": ["flatten"], "y": [{"dense": 2}]}, "h: nothing is left of this wire"),
        (
            {
                "a": [{"conv": 2}],
                "g": ["global_avg_pool"],
                "m": [{"from": "a"}, {"multiply": {"with": "g"}}],
                "y": ["flatten", {"dense": 2}],
            },
            "m.1.multiply: this layer joins a picture with a vector",
        ),
    ],
)
def test_what_cannot_be_converted_is_said(graph: dict[str, Any], said: str) -> None:
    model = build_model({"graph": graph}, {"x": (3, 4, 2)})
    with pytest.raises(UsageError, match=said):
        convolutional({"graph": graph}, model)


def test_variables_that_nothing_uses_go() -> None:
    model = {"vars": {"width": 4, "hidden": 6}, "graph": {"y": [{"conv": "$width"}, "flatten", {"dense": "$hidden"}]}}
    made = convolutional(model, build_model(model, {"x": (3, 3, 1)}))
    assert made.model["vars"] == {"width": 4} and made.model["graph"]["map"][0] == {"conv": "$width"}
    assert made.padded == ["y.0.conv"]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("convert")
    config = settings(path, train={"epochs": 6, "batch_size": 4}, average={"ema": 0.5}, optimizer={"adam": 0.01})
    graph = {
        "a": [{"conv": {"filters": 5, **VALID}}, "relu", {"max_pool": 2}],
        "logits": ["flatten", {"dense": 8}, "relu", "dense"],
    }
    config["model"] = {"graph": graph}
    config["data"]["split"] = {"stratified": {"validation": 0.25, "test": 0.25}}
    (path / "config.yaml").write_text(json.dumps(config))
    api.fit(path / "config.yaml", runs=path / "runs")
    return path / "runs"


def test_a_run_becomes_one_for_larger_pictures(runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = json_of(capsys, "convert", "squares", "--fully-convolutional", "--runs", str(runs))
    assert told["name"] == "squares-convolutional-1" and told["padded"] == [] and told["notes"] == []
    assert told["window"] == [9, 8] and told["stride"] == 2 and told["difference"] < 1e-5
    assert told["layers"]["logits.1.dense"] == "map.0.conv"
    old, new = (load_run(name, runs=runs) for name in ("squares-1", told["name"]))
    for split in ("train", "validation", "test"):
        first, second = old.evaluate(split), new.evaluate(split)
        assert first == pytest.approx(second, abs=1e-6)
    assert new.metrics == old.metrics and new.step == old.step

    pixels = np.random.default_rng(5).integers(0, 255, (21, 30, 3)).astype(np.uint8)
    (tmp_path / "large.png").write_bytes(packed(pixels))
    seen = api.show("class_map", told["name"], input=tmp_path / "large.png", runs=runs, out=tmp_path / "out")
    assert seen["result"]["places"] == [7, 12] and seen["result"]["stride"] == 2
    cuts = np.stack([pixels[i : i + 9, j : j + 8] for i in range(0, 13, 2) for j in range(0, 23, 2)])
    expected = [said["probabilities"] for said in old.predict(cuts)]
    with np.load(tmp_path / "out" / "arrays.npz") as arrays:
        for name in ("bright", "dark"):
            np.testing.assert_allclose(arrays[name].ravel(), [said[name] for said in expected], atol=1e-5)
    best = seen["result"]["classes"][0]
    assert best["largest"] == pytest.approx(max(max(said.values()) for said in expected), abs=1e-5)


def test_training_goes_on(runs: Path, tmp_path: Path) -> None:
    """The optimizer's state, the average and the log came along: both runs take the same further steps."""
    shutil.copytree(runs / "squares-1", tmp_path / "squares-1")
    api.convert("squares-1", checkpoint="last", runs=tmp_path, out=tmp_path / "other-1")
    for name in ("squares-1", "other-1"):
        config = tmp_path / name / "config.yaml"
        config.write_text(config.read_text().replace("epochs: 6", "epochs: 8"))
    first, second = (api.resume(name, runs=tmp_path) for name in ("squares-1", "other-1"))
    assert first["epochs"] == second["epochs"] == 8
    assert first["metrics"]["train"]["loss"] == pytest.approx(second["metrics"]["train"]["loss"], abs=1e-4)
    assert first["metrics"]["validation"]["loss"] == pytest.approx(second["metrics"]["validation"]["loss"], abs=1e-4)


def test_what_is_wrong_is_said(runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    at = ("--runs", str(runs))
    assert "expected --fully-convolutional" in error_of(capsys, "convert", "squares", *at)
    made = ("convert", "squares-1", "--fully-convolutional", *at)
    assert "the run has no such checkpoint" in error_of(capsys, *made, "--checkpoint", "77")
    (tmp_path / "there").mkdir()
    assert "there is something already" in error_of(capsys, *made, "--out", str(tmp_path / "there"))
    assert run([*made, "--out", str(tmp_path / "new")]) == 0
    assert "logits.1.dense → map.0.conv" in capsys.readouterr().out
    again = error_of(capsys, "convert", str(tmp_path / "new"), "--fully-convolutional")
    assert "the network is one for all sizes already" in again
    (tmp_path / "small.png").write_bytes(packed(np.zeros((5, 40, 3), np.uint8)))
    (tmp_path / "large.png").write_bytes(packed(np.zeros((50, 40, 3), np.uint8)))
    shown = ("show", "class-map", str(tmp_path / "new"), "--input")
    assert "the picture is smaller than a window" in error_of(capsys, *shown, str(tmp_path / "small.png"), code=3)
    assert "the network is for pictures of one size" in error_of(
        capsys, "show", "class-map", "squares-1", *at, "--input", str(tmp_path / "large.png")
    )
