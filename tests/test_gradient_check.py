"""`dltrain gradcheck`: finds every planted fault, cries wolf never (figure N4), and says what it found."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from backward_faults import FAULTS, Fault
from small_models import batch_of, graph_of, objective_of, random_case, wild_case

from dltrain import api
from dltrain.data.loader import Batch
from dltrain.errors import NumericsError, UsageError
from dltrain.kernels import namespace
from dltrain.layers.activation import Activation
from dltrain.model.graph import Graph
from dltrain.training.comparison import Comparison
from dltrain.training.gradient_check import Report, check_gradients
from dltrain.training.objective import Objective


def faulty_case(fault: Fault) -> tuple[Objective, Batch]:
    width = 1 if fault.task == "binary_classification" else fault.outputs
    graph = graph_of({"graph": {"y": [*fault.chain, {"dense": width}]}}, {"x": fault.shape})
    objective = objective_of(graph, fault.task, fault.outputs, fault.penalties)
    return objective, batch_of(graph, fault.task, 8, np.random.default_rng(1), fault.outputs)


def small_case(chain: list, size: int = 6) -> tuple[Objective, Batch]:
    graph = graph_of({"graph": {"y": [*chain, {"dense": 3}]}}, {"x": (5,)})
    return objective_of(graph, "classification"), batch_of(graph, "classification", size, np.random.default_rng(0))


def planted(fault: Fault, method: str) -> Report:
    objective, batch = faulty_case(fault)
    with pytest.MonkeyPatch.context() as patch:
        fault.plant(patch)
        return check_gradients(objective, batch, method=method, entries=12, kernels="reference")


def test_there_are_thirty_faults_or_more() -> None:
    assert len({fault.name for fault in FAULTS}) >= 30


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_planted_fault_is_found(fault: Fault) -> None:
    report = planted(fault, "auto")
    assert not report.passed
    assert not report.tensors[0].passed


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("method", ["auto", "central"])
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_planted_fault_is_found_by_every_method_and_seed(fault: Fault, method: str, seed: int) -> None:
    objective, batch = faulty_case(fault)
    with pytest.MonkeyPatch.context() as patch:
        fault.plant(patch)
        assert not check_gradients(objective, batch, method=method, seed=seed, kernels="reference").passed


@pytest.mark.parametrize("fault", FAULTS[::4], ids=lambda fault: fault.name)
def test_central_differences_find_faults_too(fault: Fault) -> None:
    assert not planted(fault, "central").passed


@pytest.mark.parametrize(
    "fault", [f for f in FAULTS if "relu" in f.name or "batch norm" in f.name], ids=lambda f: f.name
)
def test_the_layer_is_named(fault: Fault) -> None:
    (suspect,) = planted(fault, "auto").suspects
    assert suspect.split(" ")[1].strip("()") in fault.name.replace(" ", "_")


def test_a_faulty_loss_is_named() -> None:
    fault = next(fault for fault in FAULTS if fault.name == "squared error without its 2")
    assert planted(fault, "auto").suspects == ["loss (mean_squared_error)"]


def assert_correct(seed: int, method: str = "auto", entries: int = 12, make: Any = random_case) -> None:
    objective, batch = make(seed)
    report = check_gradients(objective, batch, seed=seed, method=method, entries=entries)
    assert report.passed, (seed, report.tensors[0])


@pytest.mark.parametrize("seed", range(0, 50, 5))
def test_no_false_alarm(seed: int) -> None:
    for one in range(seed, seed + 5):
        assert_correct(one)


@pytest.mark.parametrize("seed", [7, 15, 20, 21, 28, 108, 147, 234])
def test_no_false_alarm_where_rounding_is_large(seed: int) -> None:
    assert_correct(seed, make=wild_case)


@pytest.mark.slow
def test_no_false_alarm_in_300_wild_cases() -> None:
    for seed in range(300):
        assert_correct(seed, make=wild_case)


@pytest.mark.slow
@pytest.mark.parametrize("method", ["auto", "central"])
def test_no_false_alarm_in_300_cases(method: str) -> None:
    for seed in range(300):
        assert_correct(seed, method, entries=24)


def test_a_wrong_compiled_kernel_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("numba")
    objective, batch = small_case([{"dense": 16}, "linear", "tanh"])
    assert check_gradients(objective, batch).passed
    kernels = namespace("compiled")
    right = kernels.softmax_cross_entropy

    def wrong(z: np.ndarray, labels: np.ndarray, out: np.ndarray, weights: np.ndarray | None = None) -> float:
        loss = right(z, labels, out, weights)
        out *= np.float32(1.001)
        return loss

    monkeypatch.setattr(kernels, "softmax_cross_entropy", wrong)
    report = check_gradients(objective, batch)
    assert not report.passed
    assert report.max_error < report.threshold
    assert "float32" in report.tensors[0].note
    assert check_gradients(objective, batch, kernels="reference").passed


def test_a_layer_that_complex_numbers_mislead_is_checked_by_differences(monkeypatch: pytest.MonkeyPatch) -> None:
    objective, batch = small_case([{"dense": 8}, "linear", "relu"])
    kernels = namespace("reference")
    right = kernels.activation

    def without_complex(x: np.ndarray, name: str, alpha: float, out: np.ndarray) -> np.ndarray:
        return right(x.real, name, alpha, out)

    monkeypatch.setattr(kernels, "activation", without_complex)
    report = check_gradients(objective, batch)
    assert report.passed
    methods = {tensor.path: tensor.method for tensor in report.tensors}
    assert methods["y.0.dense.kernel"] == methods["inputs.x"] == "central"
    assert methods["y.3.dense.bias"] == "complex"
    assert report.method == "mixed"


def test_a_layer_that_refuses_complex_numbers_is_checked_by_differences(monkeypatch: pytest.MonkeyPatch) -> None:
    objective, batch = small_case([{"dense": 8}, "linear", "tanh"])
    right = Activation.forward

    def refuses(self: Activation, mode: object, *inputs: np.ndarray) -> object:
        np.floor(inputs[0])
        return right(self, mode, *inputs)  # type: ignore[arg-type]

    monkeypatch.setattr(Activation, "forward", refuses)
    report = check_gradients(objective, batch)
    assert report.passed
    assert report.method == "central"


def test_kinks_are_passed_over() -> None:
    class Corner:
        """|x₀| + x₁² at x₀ = 0, where every slope from -1 to 1 is right."""

        def __init__(self, x: np.ndarray, slope: float) -> None:
            self.variables, self.slope = {"x": x}, slope

        def value(self) -> complex:
            x = self.variables["x"]
            return (np.where(x[0].real < 0, -x[0], x[0]) + x[1] ** 2).item()

        def gradient(self) -> dict[str, np.ndarray]:
            return {"x": np.array([self.slope, 2 * self.variables["x"][1].real])}

        def astype(self, dtype: object) -> Corner:
            return Corner(self.variables["x"].astype(dtype), self.slope)

    for method in ("complex", "central"):
        tensor = Comparison(Corner(np.array([0.0, 2.0]), 0.25), method, 10, 0).tensor("x")
        assert (tensor.passed, tensor.checked, tensor.kinks >= 1) == (True, 1, True)
    assert not Comparison(Corner(np.array([0.0, 2.0]), 1.5), "complex", 10, 0).tensor("x").passed


def test_relu_of_zeros_is_no_false_alarm() -> None:
    objective, batch = small_case(["relu", {"dense": {"units": 6, "bias_initializer": "zeros"}}, "relu"])
    batch.inputs["x"][:] = np.where(batch.inputs["x"] > 0, batch.inputs["x"], 0)
    batch.inputs["x"][2] = 0
    for method in ("complex", "central"):
        assert check_gradients(objective, batch, method=method).passed


def test_nothing_is_changed() -> None:
    objective, batch = random_case(3)
    before, x = objective.graph.state(), {wire: a.copy() for wire, a in batch.inputs.items()}
    gradient = objective.graph.vector.grad.copy()
    check_gradients(objective, batch)
    assert all((objective.graph.state()[path] == value).all() for path, value in before.items())
    assert all((batch.inputs[wire] == value).all() for wire, value in x.items())
    assert (objective.graph.vector.grad == gradient).all()


def test_same_seed_same_report() -> None:
    objective, batch = random_case(8)
    reports = [check_gradients(objective, batch, seed=5).as_json() for _ in range(2)]
    assert reports[0] == reports[1]


def test_a_parameter_without_gradient_is_noted() -> None:
    objective, batch = small_case([{"dense": {"units": 4, "kernel_initializer": "zeros"}}, "relu"])
    objective.graph.parameters["y.0.dense.bias"].value[:] = -1
    notes = {tensor.path: tensor.note for tensor in check_gradients(objective, batch).tensors}
    assert notes["y.0.dense.kernel"] == notes["inputs.x"] == "no gradient reaches it"
    assert notes["y.2.dense.bias"] == ""


def test_json_form() -> None:
    objective, batch = small_case([{"dense": 40}, "batch_norm", "relu", {"dropout": 0.2}])
    report = json.loads(json.dumps(check_gradients(objective, batch).as_json(), allow_nan=False))
    assert report["passed"] is True
    assert {"max_error", "method", "threshold", "suspects"} <= set(report)
    rows = {row["path"]: row for row in report["tensors"]}
    assert set(rows) == {*objective.graph.parameters, "inputs.x"}
    assert rows["y.0.dense.kernel"]["shape"] == [5, 40]
    assert rows["y.0.dense.kernel"]["checked"] == 64
    assert rows["y.0.dense.bias"]["checked"] == 40
    assert rows["y.0.dense.kernel"]["float32_error"] < 1e-4
    errors = [row["error"] for row in report["tensors"]]
    assert errors == sorted(errors, reverse=True)
    assert report["max_error"] == errors[0]


def test_not_a_number_is_an_error() -> None:
    objective, batch = small_case(["tanh"])
    objective.graph.parameters["y.1.dense.bias"].value[:] = np.nan
    with pytest.raises(NumericsError, match="not finite"):
        check_gradients(objective, batch)


def test_one_layer() -> None:
    objective, batch = small_case([{"dense": 7}, "relu", "batch_norm"])
    assert [t.path for t in check_gradients(objective, batch, layer="y.1.relu").tensors] == ["y.1.relu.input0"]
    found = {tensor.path for tensor in check_gradients(objective, batch, layer="y.0.dense").tensors}
    assert found == {"y.0.dense.kernel", "y.0.dense.bias", "y.0.dense.input0"}
    with pytest.raises(UsageError, match=r"y\.1\.relu"):
        check_gradients(objective, batch, layer="y.1.rely")


def test_unknown_method() -> None:
    objective, batch = small_case(["tanh"])
    with pytest.raises(UsageError, match="auto or complex or central"):
        check_gradients(objective, batch, method="forward")


def test_it_is_quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its cost is forward passes, two for each number it looks at: some of a large tensor, not all 9,610."""
    graph = graph_of({"graph": {"y": [{"dense": 128}, "relu", {"dropout": 0.2}, {"dense": 10}]}}, {"x": (64,)})
    objective = objective_of(graph, "classification", 10, [{"l2": 1e-4}])
    batch = batch_of(graph, "classification", 8, np.random.default_rng(0), 10)
    passes, forward = [0], Graph.forward

    def counted(*arguments: Any, **options: Any) -> Any:
        passes[0] += 1
        return forward(*arguments, **options)

    monkeypatch.setattr(Graph, "forward", counted)
    assert check_gradients(objective, batch).passed
    assert passes[0] < 500


def test_from_a_config() -> None:
    model = {"graph": {"logits": [{"dense": 20}, "batch_norm", "relu", {"dropout": 0.3}, "dense"]}}
    report = api.gradcheck(
        {"data": {"source": "iris", "prepare": ["standardize"]}, "model": model, "regularize": [{"l2": 0.01}]},
        samples=6,
    )
    assert report["passed"] and report["method"] == "complex"
    assert report["tensors"][0]["path"].startswith(("logits.", "inputs.x"))
