"""The drawer of planted faults: each check of `checks.py` must find the faults that it is meant for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import checks
import numpy as np
import pytest
from cases import LAYERS, Layer, layer
from example_layers import registered
from faulty_layer import Suspicious

from dltrain.layers import batch_normalization
from dltrain.model import memory
from dltrain.model.graph import Graph
from dltrain.model.mode import Mode

Check = Callable[[Layer], None]

LAYER_FAULTS: dict[str, Check] = {
    "another shape than promised": checks.promised_shape_is_real,
    "gradient off by 0.1 %": checks.complex_step_agrees,
    "wrong sign on one entry": checks.central_differences_agree,
    "dx off by 0.1 %": checks.central_differences_agree,
    "dx wrong in one sample": checks.complex_step_agrees,
    "stores instead of adding": checks.gradients_accumulate,
    "adds to what was there": checks.gradients_accumulate,
    "averaged over the batch": checks.micro_batches_add_up,
    "float64 output": checks.dtype_is_kept,
    "float64 gradient": checks.dtype_is_kept,
    "writes to its input": checks.nothing_given_is_written_to,
    "writes to its parameter": checks.nothing_given_is_written_to,
    "writes to dy": checks.nothing_given_is_written_to,
    "looks at batch mates in use": checks.inference_is_pure,
    "couples samples untold": checks.training_couples_only_what_it_says,
    "shared random stream": checks.draws_follow_from_the_seed,
    "state in the layer": checks.passes_do_not_meet,
    "state that is not saved": checks.state_is_saved_and_loaded,
    "0/0": checks.extremes_stay_finite,
    "overflow": checks.extremes_stay_finite,
    "compiled kernel differs": checks.compiled_agrees,
    "assumes an order in memory": checks.strides_do_not_matter,
    "parameters' gradient needs dx": checks.input_gradients_are_optional,
    "reads memory that nobody wrote": checks.arena_changes_nothing,
}

# where it is NumPy that stops the fault, inside the check: what it says
STOPPED_BY_NUMPY: dict[str, tuple[type[Exception], str]] = {
    "another shape than promised": (ValueError, r"could not be broadcast together with shapes \(1,6\) \(1,5\)"),
    "writes to its input": (ValueError, "output array is read-only"),
    "writes to its parameter": (ValueError, "output array is read-only"),
    "writes to dy": (ValueError, "output array is read-only"),
    "0/0": (RuntimeWarning, "invalid value encountered in divide"),
    "overflow": (RuntimeWarning, "overflow encountered in exp"),
}


def suspicious(fault: str) -> Layer:
    return layer("suspicious", (5,), fault=fault)


@pytest.fixture(autouse=True)
def _suspicious_is_registered() -> Any:
    with registered(suspicious=Suspicious):
        yield


@pytest.mark.parametrize("check", checks.LAYER_CHECKS, ids=lambda check: check.__name__)
def test_the_layer_without_a_fault_passes(check: Check) -> None:
    check(suspicious(""))


@pytest.mark.parametrize("fault", LAYER_FAULTS)
def test_a_fault_is_caught_by_the_check_meant_for_it(fault: str) -> None:
    if fault == "compiled kernel differs":
        pytest.importorskip("numba")
    error, sentence = STOPPED_BY_NUMPY.get(fault, (AssertionError, ""))
    with pytest.raises(error, match=sentence or None):
        LAYER_FAULTS[fault](suspicious(fault))


def test_every_check_has_a_fault_that_it_is_meant_for() -> None:
    assert len(LAYER_FAULTS) >= 14
    assert set(LAYER_FAULTS.values()) == set(checks.LAYER_CHECKS)


def case(kind: str) -> Layer:
    return next(case for case in LAYERS if case.kind == kind)


def test_a_dishonest_tag_is_caught() -> None:
    for kind, tag, check in (
        ("batch_norm", "batch_coupled", checks.training_couples_only_what_it_says),
        ("dropout", "random", checks.draws_follow_from_the_seed),
    ):
        with pytest.raises(AssertionError):
            check(replace(case(kind), tags=frozenset()))
        with pytest.raises(AssertionError):
            check(replace(case("tanh"), tags=frozenset({tag})))


def _dies_at_once(requests: Any, deaths: Any) -> Any:
    return PLACE(requests, [i + 1 for i in range(len(requests))])


def _parameters_only(self: Graph, state: dict[str, Any]) -> None:
    for path, parameter in self.parameters.items():
        parameter.value[...] = state[path]


PLACE = memory.place

ENGINE_FAULTS: dict[str, tuple[Any, str, Any, str, Check]] = {
    "the planner ignores how long arrays live": (memory, "place", _dies_at_once, "tanh", checks.arena_changes_nothing),
    "zero_grad forgets": (Graph, "zero_grad", lambda self: None, "dense", checks.gradients_accumulate),
    "loading forgets the statistics": (
        Graph,
        "load_state",
        _parameters_only,
        "batch_norm",
        checks.state_is_saved_and_loaded,
    ),
    "draws forget the step": (Mode, "key", lambda self: self.seed, "dropout", checks.draws_follow_from_the_seed),
    "draws forget the seed": (Mode, "key", lambda self: self.step, "dropout", checks.draws_follow_from_the_seed),
    "statistics learn twice as fast": (
        batch_normalization,
        "update",
        lambda moving, batch, momentum: np.copyto(moving, batch),
        "batch_norm",
        lambda case: statistics_follow_slowly(),
    ),
}


def statistics_follow_slowly() -> None:
    """Running averages are momentum · old + (1 - momentum) · batch."""
    bench = checks.Bench(layer("batch_norm", (3,), momentum=0.75))
    before = bench.graph.state()
    bench.run(bench.mode(True))
    x = bench.inputs["x0"]
    for name, batch in (("moving_mean", x.mean(0)), ("moving_variance", x.var(0))):
        after = 0.75 * before[f"y.0.batch_norm.{name}"] + 0.25 * batch
        assert np.allclose(bench.graph.state()[f"y.0.batch_norm.{name}"], after, rtol=1e-12)


def test_running_statistics() -> None:
    statistics_follow_slowly()


@pytest.mark.parametrize("fault", ENGINE_FAULTS)
def test_a_fault_of_the_engine_is_caught(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    owner, name, wrong, kind, check = ENGINE_FAULTS[fault]
    check(case(kind))
    monkeypatch.setattr(owner, name, wrong)
    with pytest.raises(AssertionError):
        check(case(kind))
