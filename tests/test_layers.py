"""Layers against PyTorch (figure N2), and what is particular to each: noise, thresholds, given weights."""

from __future__ import annotations

import itertools
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from layer_parity import CASES, TRAINED
from scipy.special import ndtr
from sequence_parity import CASES as SEQUENCES
from small_models import batch_of, graph_of, objective_of

from dltrain import build_model, registry
from dltrain.errors import ConfigError, UsageError
from dltrain.kernels import namespace, select
from dltrain.kernels.reference.activations import ACTIVATIONS
from dltrain.layers.activation import Activation
from dltrain.model.graph import Graph
from dltrain.model.memory import Arena
from dltrain.model.mode import Mode
from dltrain.optim import Moment
from dltrain.registry import create
from dltrain.training.gradient_check import check_gradients

RANDOM = {"dropout", "spatial_dropout", "stochastic_depth", "alpha_dropout", "gaussian_noise"}
WITHOUT_PEER = {"crf"}  # PyTorch has none; test_tagging.py adds up all paths
LOGIC = {"and": [0, 0, 0, 1], "or": [0, 1, 1, 1], "nand": [1, 1, 1, 0], "xor": [0, 1, 1, 0]}
BITS = np.array(list(itertools.product((0.0, 1.0), repeat=2)))


@pytest.fixture(scope="module")
def stored() -> dict[str, np.ndarray]:
    """PyTorch's results, by `case/what`."""
    file = Path(__file__).with_name("fixtures") / "layers.npz"
    assert file.stat().st_size < 500_000
    with np.load(file) as arrays:
        return dict(arrays)


def alone(spec: Any, *shapes: tuple[int, ...], dtype: str = "float64") -> Graph:
    """A graph of one layer; further inputs of a layer that joins are named by `with`."""
    wires = {f"x{i}": list(shape) for i, shape in enumerate(shapes)}
    if len(shapes) > 1:
        spec = {spec: {"with": list(wires)[1:]}}
    return graph_of({"inputs": wires, "graph": {"y": [spec]}}, wires, dtype=dtype)


def test_every_layer_is_compared_with_pytorch() -> None:
    kinds = {case.spec if isinstance(case.spec, str) else next(iter(case.spec)) for case in CASES.values()}
    kinds |= {name for case in SEQUENCES.values() for name in case.kinds}
    assert kinds | RANDOM | WITHOUT_PEER == set(registry.entries("layer"))


@pytest.mark.parametrize(
    ("dtype", "kernels", "tolerance"),
    [("float64", "reference", 1e-10), ("float32", "reference", 1e-5), ("float32", "auto", 1e-5)],
)
@pytest.mark.parametrize("name", CASES)
def test_values_and_gradients_are_pytorchs(
    name: str, dtype: str, kernels: str, tolerance: float, stored: dict[str, np.ndarray]
) -> None:
    case = CASES[name]
    here = {key.removeprefix(f"{name}/"): array for key, array in stored.items() if key.startswith(f"{name}/")}
    graph = alone(case.spec, *case.shapes, dtype=dtype)
    for path, parameter in graph.parameters.items():
        parameter.value[...] = here[f"value/{path.rpartition('.')[2]}"]
    graph.changed()
    mode = Mode(name in TRAINED, kernels=select(kernels), arena=Arena())
    inputs = {wire: here[wire].astype(dtype) for wire in graph.inputs}
    for _ in range(2):  # the second time in planned memory
        mode.begin(0)
        graph.zero_grad()
        outputs, backward = graph.forward(inputs, mode=mode)
        found = {"y": outputs["y"].copy()}
        found |= {f"d{wire}": dx for wire, dx in backward({"y": here["weights"].astype(dtype)}).items()}
        found |= {f"grad/{path.rpartition('.')[2]}": p.grad for path, p in graph.parameters.items()}
        assert set(found) == {key for key in here if key == "y" or key.startswith(("dx", "grad/"))}
        for key, value in found.items():
            assert value.shape == here[key].shape
            assert np.abs(value - here[key]).max() <= tolerance * max(1.0, np.abs(here[key]).max()), key


@pytest.mark.parametrize("size", [1, 7, 100, 70_001])
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_compiled_activations_are_exact(name: str, size: int) -> None:
    """Within 3e-7 for values, 2e-6 for gradients; NaN stays NaN, ±1e4 stays finite, on one thread and on several."""
    pytest.importorskip("numba")
    fast, plain = namespace("compiled"), namespace("reference")
    x = np.random.default_rng(size).uniform(-14, 14, size).astype(np.float32)
    x[: size // 2] /= 1000
    x[-3:] = [1e4, -1e4, np.nan][-min(size, 3) :]
    dy = np.linspace(0.5, 1, size, dtype=np.float32)
    y = fast.activation(x, name, 0.7, np.empty_like(x))
    dx = fast.activation_backward(x, y, dy, name, 0.7, np.empty_like(x))
    wide, exact = x.astype(float), np.empty(size)
    plain.activation(wide, name, 0.7, exact)
    slope = plain.activation_backward(wide, exact, dy.astype(float), name, 0.7, np.empty(size))
    assert np.isnan(y[-1])
    assert (np.abs(y - exact) <= 3e-7 * np.maximum(1, np.abs(exact)))[:-1].all()
    assert (np.abs(dx - slope) <= 2e-6)[:-1].all()


def test_gelu_keeps_its_lower_tail() -> None:
    """x Φ(x) far below 0, where 1 + erf(x/√2) would be rounding only."""
    x = np.linspace(-12, -2, 101)
    y = build_model({"graph": {"y": ["gelu"]}}, {"x": (101,)}, dtype="float64").forward({"x": x[None]})[0]["y"][0]
    np.testing.assert_allclose(y, x * ndtr(x), rtol=1e-13)


def test_sign_and_step_pass_the_gradient_straight_through() -> None:
    x = np.array([[-1.5, -1.0, -0.3, 0.0, 0.4, 1.0, 1.5]])
    dy = np.arange(1.0, 8.0)[None]
    for kind, y, dx in (
        ("sign", [-1, -1, -1, 1, 1, 1, 1], [0, 2, 3, 4, 5, 6, 0]),
        ("step", [0, 0, 0, 1, 1, 1, 1], [1, 2, 3, 4, 5, 6, 7]),
    ):
        for dtype in ("float64", "float32"):
            outputs, backward = alone(kind, (7,), dtype=dtype).forward({"x0": x})
            assert outputs["y"].tolist() == [y]
            assert backward({"y": dy})["x0"].tolist() == [dx]


def gate(name: str, **units: Any) -> Graph:
    """A perceptron, or two layers of them, with given weights."""

    def unit(weights: list[list[float]], bias: list[float]) -> dict[str, Any]:
        given = {"kernel_initializer": {"constant": weights}, "bias_initializer": {"constant": bias}}
        return {"dense": {"units": len(bias), **given}}

    single = {"and": ([[1], [1]], [-1.5]), "or": ([[1], [1]], [-0.5]), "nand": ([[-1], [-1]], [1.5])}
    if name in single:
        chain = [unit(*single[name]), "step"]
    else:  # xor: or and nand, joined by and
        chain = [unit([[1, -1], [1, -1]], [-0.5, 1.5]), "step", unit([[1], [1]], [-1.5]), "step"]
    return build_model({"inputs": {"x": [2]}, "graph": {"y": chain}}, **units)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", LOGIC)
def test_perceptrons_compute_logic(name: str, dtype: str) -> None:
    y = gate(name, dtype=dtype).forward({"x": BITS})[0]["y"]
    assert y[:, 0].tolist() == LOGIC[name]


def perceptron(target: list[int], epochs: int) -> tuple[Graph, list[int]]:
    """A dense layer and a step that descend ½ (y - t)² one example at a time; the mistakes of every epoch."""
    model = {"init": "zeros", "inputs": {"x": [2]}, "graph": {"y": [{"dense": 1}, "step"]}}
    graph = build_model(model, dtype="float64")
    optimizer, kernels = create("optimizer", {"gradient_descent": 0.5}), select("reference")
    optimizer.bind(graph.vector, kernels)
    mistakes = []
    for _ in range(epochs):
        mistakes.append(0)
        for x, t in zip(BITS, target, strict=True):
            before = {path: p.value.copy() for path, p in graph.parameters.items()}
            outputs, backward = graph.forward({"x": x[None]}, train=True)
            error = t - outputs["y"][0, 0]
            mistakes[-1] += int(error != 0)
            graph.zero_grad()
            backward({"y": outputs["y"] - t})
            optimizer.step(Moment(0, 1, 1))
            graph.changed()
            kernel, bias = graph.parameters.values()  # Rosenblatt's rule
            np.testing.assert_array_equal(kernel.value[:, 0], before["y.0.dense.kernel"][:, 0] + 0.5 * error * x)
            np.testing.assert_array_equal(bias.value, before["y.0.dense.bias"] + 0.5 * error)
    return graph, mistakes


@pytest.mark.parametrize("name", LOGIC)
def test_descent_through_a_step_is_the_perceptron_rule(name: str) -> None:
    """It ends on what a line can separate, and never on XOR."""
    graph, mistakes = perceptron(LOGIC[name], 20)
    learned = graph.forward({"x": BITS})[0]["y"][:, 0].tolist() == LOGIC[name]
    assert learned == (mistakes[-1] == 0) == (name != "xor")


@pytest.mark.parametrize("kind", ["sign", "step"])
def test_gradient_check_is_honest_about_what_it_cannot_check(kind: str) -> None:
    chain = [{"dense": 5}, "tanh", {"dense": 4}, kind, {"dense": 3}]
    graph = graph_of({"graph": {"y": chain}}, {"x": (3,)}, dtype="float32")
    objective = objective_of(graph, "classification")
    batch = batch_of(graph, "classification", 6, np.random.default_rng(0))
    report = check_gradients(objective, batch)
    notes = {tensor.path: tensor.note for tensor in report.tensors}
    assert report.passed and report.not_differentiable == [f"y.3.{kind}"]
    for path in ("y.0.dense.kernel", "y.2.dense.bias", "y.1.tanh.input0"):
        assert notes[path].startswith("checked in its layer alone")
    assert notes["y.0.dense.kernel"].endswith(f": y.3.{kind} behind it has no derivative")
    assert notes["inputs.x"] == f"not checked: y.3.{kind} has no derivative"
    assert notes["loss.y"] == "checked in the loss alone"
    assert notes["y.4.dense.kernel"] == ""
    assert f"y.3.{kind}.input0" not in notes
    with pytest.raises(UsageError, match="no derivative"):
        check_gradients(objective, batch, layer=f"y.3.{kind}")


@pytest.mark.parametrize("place", [1, 4])
def test_gradient_check_finds_faults_on_both_sides_of_a_step(place: int, monkeypatch: pytest.MonkeyPatch) -> None:
    chain = [{"dense": 5}, "tanh", {"dense": 4}, "step", "tanh", {"dense": 3}]
    graph = graph_of({"graph": {"y": chain}}, {"x": (3,)}, dtype="float32", fusions=())
    objective = objective_of(graph, "classification")
    batch = batch_of(graph, "classification", 6, np.random.default_rng(0))
    assert check_gradients(objective, batch).passed
    right = Activation.forward

    def wrong(self: Activation, mode: Mode, *inputs: Any) -> Any:
        y, backward = right(self, mode, *inputs)
        faulty = mode.node.path == f"y.{place}.tanh"
        return y, (lambda dy: 1.001 * backward(dy)) if faulty else backward  # type: ignore[operator]

    monkeypatch.setattr(Activation, "forward", wrong)
    report = check_gradients(objective, batch)
    assert not report.passed and report.suspects == [f"y.{place}.tanh (tanh)"]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_gaussian_noise_is_normal_and_independent(dtype: str) -> None:
    graph = alone({"gaussian_noise": 2.0}, (1000,), dtype=dtype)
    x = np.full((400, 1000), 3.0)
    first, second = (graph.forward({"x0": x}, train=True)[0]["y"].astype(float) for _ in range(2))
    e = (first - 3) / 2
    assert abs(e.mean()) < 4 / e.size**0.5 and abs(e.var() - 1) < 6 * (2 / e.size) ** 0.5
    assert (e**4).mean() == pytest.approx(3, abs=0.05) and abs((e**3).mean()) < 0.02
    for a, b in ((e, (second - 3) / 2), (e[:, 1:], e[:, :-1]), (e[1:], e[:-1]), (e[:, 2:], e[:, :-2])):
        assert abs((a * b).mean()) < 5 / a.size**0.5
    assert np.quantile(e, 0.9) == pytest.approx(1.2816, abs=0.01)
    assert graph.forward({"x0": x})[0]["y"].tolist() == x.tolist()


def test_noise_of_float32_and_float64_models_is_the_same() -> None:
    x = np.zeros((50, 100))
    y = [alone({"gaussian_noise": 1.0}, (100,), dtype=d).forward({"x0": x}, train=True)[0]["y"] for d in ("f4", "f8")]
    np.testing.assert_allclose(*y, rtol=0, atol=1e-6)


@pytest.mark.parametrize("rate", [0.05, 0.4])
def test_alpha_dropout_keeps_mean_and_variance(rate: float) -> None:
    x = np.random.default_rng(0).standard_normal((500, 1000))
    graph = alone({"alpha_dropout": rate}, (1000,))
    outputs, backward = graph.forward({"x0": x}, train=True)
    y, dx = outputs["y"], backward({"y": np.ones_like(x)})["x0"]
    assert abs(y.mean()) < 0.01 and y.std() == pytest.approx(1, abs=0.01)
    values, counts = np.unique(dx.round(12), return_counts=True)
    assert values[0] == 0 and len(values) == 2
    assert counts[0] / x.size == pytest.approx(rate, abs=0.005)
    assert len(np.unique(y[dx == 0].round(9))) == 1  # all dropped values are the same


def test_selu_keeps_signals_where_relu_loses_them() -> None:
    """Mean 0 and variance 1 through 30 layers with lecun_normal weights; with relu they fade."""
    x = np.random.default_rng(1).standard_normal((300, 200))
    spreads = {}
    for kind in ("selu", "relu"):
        model = {"init": "lecun_normal", "graph": {"y": [{"dense": 200}, kind] * 30}}
        y = build_model(model, {"x": (200,)}, dtype="float64").forward({"x": x})[0]["y"]
        spreads[kind] = y.std()
    assert 0.8 < spreads["selu"] < 1.2 and spreads["relu"] < 0.01


@pytest.mark.parametrize("pieces", [1, 2, 3, 5])
def test_compiled_maxout_chooses_as_the_reference(pieces: int) -> None:
    """Among equal ones the first, NaN before all; small and large, whatever the number of pieces."""
    pytest.importorskip("numba")
    fast, plain, rng = namespace("compiled"), namespace("reference"), np.random.default_rng(pieces)
    for units in (1, 9, 30_000):
        x = rng.integers(-2, 3, (3, units * pieces)).astype(np.float32)
        x[rng.random(x.shape) < 0.1] = np.nan
        dy = rng.standard_normal((3, units)).astype(np.float32)
        found = [(k.largest(x, pieces, dy.copy()), k.largest_backward(x, dy, pieces, x.copy())) for k in (fast, plain)]
        for a, b in zip(*found, strict=True):
            np.testing.assert_array_equal(a, b)


def test_maxout_ties_go_to_the_first_piece() -> None:
    graph = alone({"maxout": {"units": 1, "pieces": 3, "kernel_initializer": "ones"}}, (2,))
    _, backward = graph.forward({"x0": np.array([[1.0, 2.0]])})
    backward({"y": np.ones((1, 1))})
    assert graph.parameters["y.0.maxout.kernel"].grad.tolist() == [[1, 0, 0], [2, 0, 0]]


@pytest.mark.parametrize("sides", [[5], [2, 2], [4, -1], [-1, -1], [0, -1], [7, -1]])
def test_reshape_refuses_what_does_not_fit(sides: list[int]) -> None:
    with pytest.raises(ConfigError, match="do not fill the shape") as caught:
        alone({"reshape": sides}, (6,))
    assert "y.0.reshape" in str(caught.value) and "product of 6" in str(caught.value)


def test_multiply_needs_one_shape() -> None:
    with pytest.raises(ConfigError, match="multiply joins wires of one shape"):
        graph_of({"graph": {"y": [{"multiply": [[], [{"dense": 3}]]}]}}, {"x": (2,)})


def test_squeeze_and_excite_needs_no_layer_of_its_own() -> None:
    squeeze = ["global_avg_pool", {"dense": 2}, "relu", {"dense": 3}, "sigmoid"]
    chains = {"y": [{"multiply": [[], squeeze]}, "flatten", {"dense": 2}]}
    graph = graph_of({"graph": chains}, {"x": (4, 5, 3)}, dtype="float64")
    objective = objective_of(graph, "classification", 2)
    assert check_gradients(objective, batch_of(graph, "classification", 6, np.random.default_rng(0), 2)).passed
    x = np.random.default_rng(1).standard_normal((2, 4, 5, 3))
    W1, b1, W2, b2 = (p.value for path, p in graph.parameters.items() if "multiply" in path)
    gate = 1 / (1 + np.exp(-(np.maximum(x.mean((1, 2)) @ W1 + b1, 0) @ W2 + b2)))
    W, b = (p.value for path, p in graph.parameters.items() if "multiply" not in path)
    expected = (x * gate[:, None, None]).reshape(2, -1) @ W + b
    np.testing.assert_allclose(graph.forward({"x": x})[0]["y"], expected, rtol=1e-12)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_whole_channels_or_examples_are_dropped(dtype: str) -> None:
    x = np.ones((500, 3, 4, 6))
    for spec, axes in (({"spatial_dropout": 0.3}, (1, 2)), ({"stochastic_depth": 0.3}, (1, 2, 3))):
        model = build_model({"graph": {"y": [spec]}}, {"x": (3, 4, 6)}, dtype=dtype)
        outputs, backward = model.forward({"x": x}, train=True)
        y = outputs["y"]
        assert (y.min(axes) == y.max(axes)).all() and (backward({"y": np.ones_like(y)})["x"] == y).all()
        assert (y == 0).mean() == pytest.approx(0.3, abs=0.07)


def test_the_pages_of_layers_name_them_all() -> None:
    docs = Path(__file__).parent.parent / "docs"
    sequences = (docs / "sequences.md").read_text(encoding="utf-8").partition("## Layers")[2].partition("\n## ")[0]
    page = (docs / "layers.md").read_text(encoding="utf-8") + sequences
    cells = " ".join(line.split("|")[1] for line in page.splitlines() if line.startswith("| `"))
    named = {name.partition(":")[0] for name in re.findall(r"`([^`]+)`", cells)}
    assert named == set(registry.entries("layer")) | set(registry.entries("initializer"))
