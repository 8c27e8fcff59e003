"""The graph: its public forward and backward, branches, shared weights, fusion, state, and room for what will come."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from example_layers import EXAMPLES, registered
from small_models import batch_of, graph_of, objective_of, random_case

from dltrain.errors import ConfigError, DataError, UsageError
from dltrain.kernels import select
from dltrain.layers.base import Array
from dltrain.model.fusion import FUSIONS
from dltrain.model.graph import Graph
from dltrain.model.memory import LINE, Arena
from dltrain.model.mode import Mode
from dltrain.training.differentiable import LossOfModel
from dltrain.training.gradient_check import check_gradients

ARGUMENTS: dict[str, Any] = {"dense": {"dense": 5}, "conv": {"conv": 5}}  # of the kinds that need some
SHAPES = {"conv": ((5, 4), (4, 3, 2))}
TWO_INPUTS = {
    "inputs": {"x": [4], "z": [4]},
    "graph": {
        "h": [{"from": "x"}, {"dense": 6}, "tanh"],
        "a": [{"from": "h"}, {"dense": 2}],
        "b": [{"from": "z"}, {"dense": 6}, {"add": {"with": "h"}}, "sigmoid", {"dense": 3}],
    },
    "outputs": ["a", "b"],
}


def normal(*shape: int, seed: int = 0, dtype: Any = np.float64) -> Array:
    return np.random.default_rng([seed, *shape]).standard_normal(shape).astype(dtype)


def test_forward_and_backward_are_those_of_a_plain_transcription() -> None:
    graph = graph_of(
        {"graph": {"y": [{"dense": 6}, "relu", {"dense": 2}, "tanh"]}}, {"x": (4,)}, dtype="float64", seed=3
    )
    W1, b1, W2, b2 = (graph.parameters[f"y.{i}.dense.{n}"].value for i in (0, 2) for n in ("kernel", "bias"))
    b1[:], b2[:] = normal(6), normal(2)
    x, dy = normal(5, 4), normal(5, 2)
    outputs, backward = graph.forward({"x": x})
    dx = backward({"y": dy})["x"]
    h = np.maximum(x @ W1 + b1, 0)
    y = np.tanh(h @ W2 + b2)
    dz = dy * (1 - y * y)
    dh = (dz @ W2.T) * (h > 0)
    expected = {"y": y, "x": dh @ W1.T, "y.0.dense.kernel": x.T @ dh, "y.0.dense.bias": dh.sum(0)}
    expected |= {"y.2.dense.kernel": h.T @ dz, "y.2.dense.bias": dz.sum(0)}
    found = {"y": outputs["y"], "x": dx, **{path: p.grad for path, p in graph.parameters.items()}}
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, rtol=1e-12, atol=1e-14, err_msg=name)


def test_several_inputs_and_outputs() -> None:
    graph = graph_of(TWO_INPUTS, {"x": (4,), "z": (4,)}, dtype="float64")
    inputs = {"x": normal(3, 4), "z": normal(3, 4, seed=1)}
    outputs, backward = graph.forward(inputs)
    assert {wire: y.shape for wire, y in outputs.items()} == {"a": (3, 2), "b": (3, 3)}
    assert set(backward({"a": normal(3, 2)})) == {"x"}
    only_a = graph.parameters["h.1.dense.kernel"].grad.copy()
    graph.zero_grad()
    only_b = graph.forward(inputs)[1]({"b": normal(3, 3)})
    assert set(only_b) == {"x", "z"}
    assert not graph.parameters["a.1.dense.kernel"].grad.any()
    total = only_a + graph.parameters["h.1.dense.kernel"].grad
    graph.zero_grad()
    graph.forward(inputs)[1]({"a": normal(3, 2), "b": normal(3, 3)})
    np.testing.assert_allclose(graph.parameters["h.1.dense.kernel"].grad, total, rtol=1e-12)


def test_inner_wires_can_be_read_and_given_gradients() -> None:
    graph = graph_of(TWO_INPUTS, {"x": (4,), "z": (4,)}, dtype="float64")
    inputs = {"x": normal(3, 4), "z": normal(3, 4, seed=1)}
    outputs, backward = graph.forward(inputs, wires=["h", "b"])
    found = backward({"b": normal(3, 3)}, wires=["h"])
    assert set(found) == {"x", "z", "h"}
    W = graph.parameters["h.1.dense.kernel"].value
    np.testing.assert_allclose(found["x"], (found["h"] * (1 - outputs["h"] ** 2)) @ W.T, rtol=1e-12)
    outputs, backward = graph.forward(inputs, wires=["h"])
    np.testing.assert_allclose(backward({"h": found["h"]})["x"], found["x"], rtol=1e-12)


def test_inputs_are_checked_and_cast() -> None:
    graph = graph_of({"graph": {"y": [{"dense": 2}]}}, {"x": (3,)})
    with pytest.raises(UsageError, match=r"expected shape \(N, 3\); got \(2, 4\)"):
        graph.forward({"x": np.ones((2, 4))})
    with pytest.raises(UsageError, match="expected x; got z"):
        graph.forward({"z": np.ones((2, 3))})
    outputs, backward = graph.forward({"x": [[1, 2, 3]]})
    assert outputs["y"].dtype == np.float32
    np.testing.assert_allclose(outputs["y"], [[1, 2, 3]] @ graph.parameters["y.0.dense.kernel"].value, rtol=1e-6)
    assert backward({"y": [[1.0, 0.5]]})["x"].dtype == np.float32
    two = graph_of(TWO_INPUTS, {"x": (4,), "z": (4,)})
    with pytest.raises(UsageError, match="batches differ in size"):
        two.forward({"x": np.ones((2, 4)), "z": np.ones((3, 4))})


def test_an_unfitting_shape_names_the_layer() -> None:
    with pytest.raises(ConfigError, match="out.0.dense.*put `flatten` before it") as caught:
        graph_of({"graph": {"out": [{"dense": 3}]}}, {"x": (4, 4, 1)})
    assert caught.value.problems[0].path == ("model", "graph", "out", 0)


@pytest.mark.parametrize("fusions", [FUSIONS, ()], ids=["fused", "plain"])
@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 2e-5), ("float64", 1e-12)])
def test_shared_weights_over_three_micro_batches(dtype: str, tolerance: float, fusions: Any) -> None:
    model = {
        "inputs": {"x": [12], "z": [12]},
        "graph": {"a": [{"from": "x"}, {"dense": 40}, "relu", {"dense": 7}], "b": [{"from": "z"}, {"reuse": "a"}]},
        "outputs": ["a", "b"],
    }
    graph = graph_of(model, {"x": (12,), "z": (12,)}, dtype=dtype, fusions=fusions)
    assert len(graph.parameters) == 4
    mode = Mode(True, arena=Arena())
    for step in range(4):
        expected = {path: np.zeros(p.shape) for path, p in graph.parameters.items()}
        graph.zero_grad()
        for micro in range(3):
            mode.begin(step, 9)
            rng = np.random.default_rng([step, micro])
            x, z, da, db = (rng.standard_normal((9, width)).astype(dtype) for width in (12, 12, 7, 7))
            _, backward = graph.forward({"x": x, "z": z}, mode=mode)
            backward({"a": da, "b": db})
            W1, b1, W2 = (
                graph.parameters[f"a.{name}"].value for name in ("1.dense.kernel", "1.dense.bias", "3.dense.kernel")
            )
            for q, dy in ((x, da), (z, db)):
                h = np.maximum(q @ W1 + b1, 0)
                dh = (dy @ W2.T) * (h > 0)
                for path, gradient in zip(expected, (q.T @ dh, dh.sum(0), h.T @ dy, dy.sum(0)), strict=True):
                    expected[path] += gradient
        for path, parameter in graph.parameters.items():
            assert abs(parameter.grad - expected[path]).max() < tolerance * abs(expected[path]).max(), (path, step)
        graph.vector.value *= 0.9
        graph.changed()


def test_micro_batches_of_the_mean_loss_add_up_to_the_batch() -> None:
    graph = graph_of({"graph": {"y": [{"dense": 8}, "relu", {"dense": 3}]}}, {"x": (5,)}, dtype="float64")
    objective = objective_of(graph, "classification")
    batch = batch_of(graph, "classification", 12, np.random.default_rng(0))
    mode = Mode(True, seed=0)
    whole = objective(batch, mode)
    gradient = graph.vector.grad.copy()
    graph.zero_grad()
    loss = 0.0
    for rows in np.split(np.arange(12), 4):
        outputs, backward = graph.forward({"x": batch.inputs["x"][rows]}, mode=mode)
        value, dy = objective.task._loss.forward(outputs["y"], batch.target[rows], mode)
        backward({"y": dy / 4})
        loss += value / 4
    assert loss == pytest.approx(whole.loss, rel=1e-12)
    np.testing.assert_allclose(graph.vector.grad, gradient, rtol=1e-11, atol=1e-15)


@pytest.mark.parametrize("kinds", [kinds for kinds, _ in FUSIONS], ids="+".join)
@pytest.mark.parametrize(
    ("dtype", "kernels", "tolerance"), [("float64", "reference", 1e-13), ("float32", "auto", 2e-5)]
)
def test_fused_is_unfused(kinds: tuple[str, ...], dtype: str, kernels: str, tolerance: float) -> None:
    chain = [ARGUMENTS.get(kind, kind) for kind in kinds]
    for shape in SHAPES.get(kinds[0], ((4,), (3, 4))):
        graph = graph_of({"graph": {"y": [*chain, "flatten", {"dense": 3}]}}, {"x": shape}, dtype=dtype)
        plain = graph.astype(dtype, fusions=())
        assert len(graph.nodes) < len(plain.nodes)
        for training in (True, False, True):
            found = []
            for one in (graph, plain):
                mode = Mode(training, kernels=select(kernels))
                for _ in range(2):
                    y, backward = one.forward({"x": normal(6, *shape, dtype=dtype)}, mode=mode)
                    dx = backward({"y": normal(*y["y"].shape, dtype=dtype)})
                found.append([y["y"], dx["x"], one.vector.grad, *(s.value for s in one.statistics.values())])
            for a, b in zip(*found, strict=True):
                assert abs(a - b).max() <= tolerance * abs(b).max()


def test_fusion_spares_named_wires_and_branches() -> None:
    def kinds(model: dict[str, Any]) -> list[str]:
        return [node.kind for node in graph_of(model, {"x": (4,)}).nodes]

    assert kinds({"graph": {"y": [{"dense": 3}, "relu"]}}) == ["dense+relu"]
    assert kinds({"graph": {"h": [{"dense": 3}], "y": ["relu"]}}) == ["dense", "relu"]
    assert kinds({"graph": {"y": [{"dense": 3}, {"residual": ["relu"]}]}}) == ["dense", "relu", "add"]
    assert kinds({"graph": {"y": [{"dense": 3}, {"concat": [["relu"], ["tanh"]]}]}}) == [
        "dense",
        "relu",
        "tanh",
        "concat",
    ]


@pytest.mark.parametrize("seed", range(12))
def test_random_models_fused_is_unfused(seed: int) -> None:
    objective, batch = random_case(seed, "float64")
    model = LossOfModel(objective, batch, np.float64, 1)
    objective.graph = objective.graph.astype("float64", fusions=())
    plain = LossOfModel(objective, batch, np.float64, 1)
    assert model.value() == pytest.approx(plain.value(), rel=1e-12)
    fused, expected = model.gradient(), plain.gradient()
    scale = max(abs(g).max() for g in expected.values())
    assert all(abs(fused[path] - expected[path]).max() < 1e-11 * scale for path in expected)


def test_a_parameter_that_nothing_reaches_gets_a_zero_gradient() -> None:
    graph = graph_of(TWO_INPUTS, {"x": (4,), "z": (4,)})
    for parameter in graph.parameters.values():
        parameter.grad.fill(9)
    graph.zero_grad()
    graph.forward({"x": np.ones((2, 4)), "z": np.ones((2, 4))})[1]({"a": np.ones((2, 2))})
    assert not graph.parameters["b.1.dense.kernel"].grad.any()
    assert graph.parameters["h.1.dense.kernel"].grad.any()


def test_the_vector_holds_kernels_first_each_on_a_cache_line() -> None:
    graph = graph_of({"graph": {"y": [{"dense": 3}, "batch_norm", {"dense": 5}]}}, {"x": (7,)})
    vector = graph.vector
    decayed = {path for path, part in vector.slices.items() if part.start < vector.decayed.stop}
    assert decayed == {"y.0.dense.kernel", "y.2.dense.kernel"}
    covered = np.zeros(vector.size, bool)
    graph.forward({"x": np.ones((2, 7))}, train=True)[1]({"y": np.ones((2, 5))})
    for path, part in vector.slices.items():
        parameter = graph.parameters[path]
        assert parameter.value.ctypes.data % LINE == parameter.grad.ctypes.data % LINE == 0
        assert np.shares_memory(parameter.value, vector.value[part])
        assert not covered[part].any()
        covered[part] = True
    assert not vector.grad[~covered].any() and not vector.value[~covered].any()


def test_parameters_follow_from_seed_and_path_alone() -> None:
    def kernel(model: dict[str, Any], seed: int) -> bytes:
        return graph_of(model, {"x": (4,)}, seed=seed).parameters["y.0.dense.kernel"].value.tobytes()

    small, large = {"graph": {"y": [{"dense": 3}]}}, {"graph": {"y": [{"dense": 3}, "relu", {"dense": 9}]}}
    assert kernel(small, 1) == kernel(large, 1) != kernel(small, 2)


def test_packed_weights_follow_their_values() -> None:
    graph = graph_of({"graph": {"y": [{"dense": 33}]}}, {"x": (20,)})
    x, mode = normal(40, 20, dtype="float32"), Mode(False, backward=False)
    graph.forward({"x": x}, mode=mode)
    graph.vector.value *= 2
    graph.changed()
    y = graph.forward({"x": x}, mode=mode)[0]["y"]
    np.testing.assert_allclose(y, x @ graph.parameters["y.0.dense.kernel"].value, rtol=1e-4, atol=1e-4)


def test_state_is_strict() -> None:
    graph = graph_of({"graph": {"y": [{"dense": 3}, "batch_norm"]}}, {"x": (4,)})
    state = graph.state()
    assert set(state) == {*graph.parameters, *graph.statistics}
    other = graph_of({"graph": {"y": [{"dense": 3}, "batch_norm"]}}, {"x": (4,)}, seed=4)
    other.load_state(state)
    assert all((other.state()[path] == value).all() for path, value in state.items())
    wrong = {**state, "extra": np.zeros(2), "y.0.dense.bias": np.zeros(9)}
    del wrong["y.1.batch_norm.moving_mean"]
    with pytest.raises(DataError) as caught:
        other.load_state(wrong)
    for part in ("y.1.batch_norm.moving_mean is missing", "extra is not in the model", "y.0.dense.bias has shape (9,)"):
        assert part in str(caught.value)
    assert all((other.state()[path] == value).all() for path, value in state.items())


def test_astype_keeps_values_and_fusions() -> None:
    graph = graph_of({"graph": {"y": [{"dense": 3}, "relu"]}}, {"x": (4,)}, fusions=())
    other = graph.astype("complex128")
    assert [node.kind for node in other.nodes] == ["dense", "relu"]
    assert (other.vector.value[:12] == graph.vector.value[:12]).all()


IMAGES = {
    "inputs": {"image": [6, 5, 2]},
    "graph": {
        "stem": [{"example_conv": 4}, "batch_norm", "relu"],
        "body": [
            {"residual": [{"example_conv": 4}, "relu", {"example_conv": 4}]},
            {"example_conv": {"filters": 3, "strides": 2}},
        ],
        "y": ["flatten", {"dense": 3}],
    },
}
TOKENS = {
    "inputs": {"tokens": [5], "mask": [5], "x": [4]},
    "graph": {
        "text": [
            {"from": "tokens"},
            {"example_embedding": {"vocabulary": 7, "width": 4}},
            {"example_masked_mean": {"with": "mask"}},
        ],
        "y": [{"concat": {"with": "x"}}, {"dense": 6}, "tanh", {"dense": 3}],
    },
}


def tokens_case(size: int, rng: np.random.Generator, dtype: Any = np.float32) -> tuple[Graph, dict[str, Array]]:
    graph = graph_of(TOKENS, {"tokens": (5,), "mask": (5,), "x": (4,)}, dtype=dtype)
    lengths = rng.integers(1, 6, size)
    inputs = {
        "tokens": rng.integers(0, 7, (size, 5)),
        "mask": (np.arange(5) < lengths[:, None]).astype(dtype),
        "x": rng.standard_normal((size, 4)).astype(dtype),
    }
    return graph, inputs


def test_images_and_strides_pass_the_gradient_check() -> None:
    with registered(**EXAMPLES):
        graph = graph_of(IMAGES, {"image": (6, 5, 2)})
        assert graph.wires["body"] == (3, 3, 3)
        objective = objective_of(graph, "classification")
        batch = batch_of(graph, "classification", 5, np.random.default_rng(0))
        report = check_gradients(objective, batch, entries=20)
        assert report.passed and report.method == "complex", report.tensors[0]


def test_integers_and_masks_pass_the_gradient_check() -> None:
    with registered(**EXAMPLES):
        graph, inputs = tokens_case(5, np.random.default_rng(1))
        objective = objective_of(graph, "classification")
        batch = batch_of(graph, "classification", 5, np.random.default_rng(0))
        batch.inputs = inputs
        report = check_gradients(objective, batch)
        assert report.passed and report.method == "complex", report.tensors[0]
        paths = {tensor.path for tensor in report.tensors}
        assert {"inputs.mask", "inputs.x", "text.1.example_embedding.embeddings"} <= paths
        assert "inputs.tokens" not in paths


def test_padding_of_a_sequence_changes_nothing() -> None:
    with registered(**EXAMPLES):
        graph, inputs = tokens_case(6, np.random.default_rng(2), np.float64)
        other = {**inputs, "tokens": np.where(inputs["mask"] > 0, inputs["tokens"], 6 - inputs["tokens"])}
        found = []
        for given in (inputs, other):
            graph.zero_grad()
            outputs, backward = graph.forward(given)
            backward({"y": normal(6, 3)})
            found.append((outputs["y"], graph.vector.grad.copy()))
        assert (found[0][0] == found[1][0]).all() and (found[0][1] == found[1][1]).all()
