"""`model.init`, weights that are given, and matrices as a start."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_runs import iris

from dltrain import api, build_model
from dltrain.config import load
from dltrain.config.experiment import from_mapping
from dltrain.errors import ConfigError
from dltrain.initializers import Misfit
from dltrain.model.notation import parse_model
from dltrain.registry import create
from dltrain.runs.folder import RunFolder

HEAD = "data: {source: iris}\nmodel:\n  "


def initializers(model: dict[str, Any]) -> list[Any]:
    """What fills the kernels of a model's layers; None for a layer without one, or with its default."""
    return [node.arguments.get("kernel_initializer") for node in parse_model(model, output_units=3).nodes]


def test_init_reaches_every_kernel_that_names_none() -> None:
    chain = [
        {"dense": 4},
        "relu",
        {"dense": {"units": 4, "kernel_initializer": "ones"}},
        {"maxout": 2},
        "prelu",
        "dense",
    ]
    model = {"init": {"normal": 0.01}, "graph": {"h": chain, "y": [{"reuse": "h"}]}}
    once = [{"normal": 0.01}, None, "ones", {"normal": 0.01}, None, {"normal": 0.01}]
    assert initializers({"init": {"normal": 0.01}, "graph": {"y": chain}}) == once
    block = {"blocks": {"b": [{"dense": "$n"}, "tanh"]}, "graph": {"y": [{"b": {"n": 5, "repeat": 2}}, "dense"]}}
    assert initializers({"init": "orthogonal", **block}) == ["orthogonal", None, "orthogonal", None, "orthogonal"]
    assert initializers({**model, "init": None})[0] is None
    assert initializers({"vars": {"start": "zeros"}, "init": "$start", "graph": {"y": ["dense"]}}) == ["zeros"]


def test_init_fills_the_weights() -> None:
    graph = {"graph": {"y": [{"dense": 4}, {"dense": {"units": 2, "kernel_initializer": "ones"}}]}}
    plain, zero = (build_model({**start, **graph}, {"x": (3,)}).state() for start in ({}, {"init": "zeros"}))
    assert plain["y.0.dense.kernel"].any() and not zero["y.0.dense.kernel"].any()
    assert (zero["y.1.dense.kernel"] == 1).all()
    same = build_model({"init": "he_normal", **graph}, {"x": (3,)}).state()
    assert same["y.0.dense.kernel"].tobytes() == plain["y.0.dense.kernel"].tobytes()


# {what stands in the model: what is said about it, and the place}
REFUSED = {
    "init: zeros\n  graph: {y: [dense: {kernel_initializer: ones}]}": ("every layer names its own", "3:3"),
    "init: zeros\n  graph: {y: [flatten]}": ("`init` has no effect: no layer has a kernel", "3:3"),
    "init: orthgonal\n  graph: {y: [dense]}": ("did you mean 'orthogonal'?", "3:9"),
    "init: {normal: -1}\n  graph: {y: [dense]}": ("at least 0", "3:18"),
    "initializer: zeros\n  graph: {y: [dense]}": ("there is no part 'initializer' of a model", "3:3"),
    "graph: {y: [dense: {bias_initializer: {constant: [1, two, 3]}}]}": ("a list of rows of numbers", "3:52"),
}


@pytest.mark.parametrize("text", REFUSED)
def test_refused(text: str, tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(HEAD + text + "\n")
    said, place = REFUSED[text]
    with pytest.raises(ConfigError) as caught:
        load(file)
    assert said in str(caught.value) and f"config.yaml:{place}:" in str(caught.value)
    assert str(caught.value).count("config.yaml:") == 1


def test_explain_shows_init_and_where_it_comes_from(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(HEAD + "init: truncated_normal\n  graph: {y: [dense: 4, relu, dense]}\n")
    experiment = load(file)
    assert experiment.resolved["model"]["init"] == {"truncated_normal": {"stddev": 0.05}}
    assert "config.yaml:3" in str(experiment.origin("model.init.truncated_normal"))
    assert str(experiment.origin("model.init.truncated_normal.stddev")) == "default"
    assert "kernel_initializer" not in experiment.resolved["model"]["graph"]["y"][0]["dense"]
    assert load(file, ["model.init=zeros"]).resolved["model"]["init"] == "zeros"
    again = from_mapping(experiment.resolved)
    assert again == experiment


def test_init_of_a_run_is_that_of_its_config(tmp_path: Path) -> None:
    """A run's stored config starts the same weights again, and the same run."""
    config = iris(model__init={"uniform": 0.3}, train__epochs=1)
    first = RunFolder.open(api.fit(config, runs=tmp_path)["run"])
    stored = first.path / "config.yaml"
    assert "uniform" in stored.read_text()
    second = RunFolder.open(api.fit(stored, runs=tmp_path / "again")["run"])
    assert first.metrics_path.read_text() == second.metrics_path.read_text()


@pytest.mark.parametrize(
    ("numbers", "got"),
    [
        ([[1, 2], [3, 4]], "shape (2, 2)"),
        ([1, 2], "shape (2,)"),
        ([[1, 2], [3]], "rows of different lengths"),
        ([], "shape (0,)"),
    ],
)
def test_given_weights_must_have_the_shape(numbers: Any, got: str) -> None:
    chain = [{"dense": {"units": 2, "kernel_initializer": {"constant": numbers}}}]
    with pytest.raises(ConfigError) as caught:
        build_model({"graph": {"y": chain}}, {"x": (3,)})
    (problem,) = caught.value.problems
    assert problem.path == ("model", "graph", "y", 0, "dense", "kernel_initializer")
    assert "y.0.dense.kernel" in problem.what
    assert (problem.expected, problem.got) == ("shape (3, 2)", got)


@pytest.mark.parametrize("shape", [(6, 6), (9, 4), (3, 8), (2, 3, 5)])
def test_orthogonal(shape: tuple[int, ...]) -> None:
    value = np.empty(shape)
    create("initializer", {"orthogonal": 1.5}).fill(value, (1, 1), np.random.default_rng(0))
    matrix = value.reshape(-1, shape[-1])
    rows, columns = matrix.shape
    product = matrix.T @ matrix if rows >= columns else matrix @ matrix.T
    np.testing.assert_allclose(product, 2.25 * np.eye(min(rows, columns)), atol=1e-12)


def test_orthogonal_matrices_are_drawn_evenly() -> None:
    """Every entry of a 3 × 3 one has mean 0 and variance 1/3, and the determinant either sign."""
    drawn = np.empty((4000, 3, 3))
    for i, matrix in enumerate(drawn):
        create("initializer", "orthogonal").fill(matrix, (3, 3), np.random.default_rng(i))
    assert np.abs(drawn.mean(0)).max() < 5 * (1 / 3 / 4000) ** 0.5
    assert np.abs(drawn.var(0) - 1 / 3).max() < 0.03
    assert 0.45 < (np.linalg.det(drawn) > 0).mean() < 0.55


@pytest.mark.parametrize("name", ["orthogonal", "identity"])
def test_matrices_do_not_fill_vectors(name: str) -> None:
    with pytest.raises(Misfit, match="fills matrices"):
        create("initializer", name).fill(np.empty(3), (3, 3), np.random.default_rng(0))
    with pytest.raises(ConfigError, match=r"y\.0\.dense\.bias"):
        build_model({"graph": {"y": [{"dense": {"units": 2, "bias_initializer": name}}]}}, {"x": (3,)})


def test_identity_passes_its_input_on() -> None:
    model = {"init": "identity", "graph": {"y": [{"dense": 3}]}}
    x = np.array([[1.0, -2.0, 3.0]])
    assert build_model(model, {"x": (3,)}).forward({"x": x})[0]["y"].tolist() == x.tolist()


def test_each_piece_of_a_maxout_starts_like_a_dense_layer() -> None:
    """Its fans are those of one weighted sum: 2 / (n_in + n_out) whatever the number of pieces."""
    model = {"init": "glorot_normal", "graph": {"y": [{"maxout": {"units": 100, "pieces": 4}}]}}
    kernel = build_model(model, {"x": (300,)}, dtype="float64").state()["y.0.maxout.kernel"]
    assert kernel.shape == (300, 400) and kernel.var() == pytest.approx(2 / 400, rel=0.03)
