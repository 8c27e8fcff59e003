"""Optimizers: PyTorch's trajectories, fused = unfused = compiled, strict state, nothing lost by a resume."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dltrain import registry
from dltrain.errors import UsageError
from dltrain.kernels import select
from dltrain.optim import Moment, Optimizer
from dltrain.optim.optimizers import FUSED
from dltrain.optim.transforms import ClipNorm, Momentum, ScaleByAdam, WeightDecay

PARITY = np.load(Path(__file__).with_name("fixtures") / "optim.npz")
START, GRADIENTS, KERNEL = PARITY["start"], PARITY["gradients"], int(PARITY["kernel"])

# what tests/fixtures/make_optim_fixtures.py gave PyTorch
SAME_AS_PYTORCH = {
    "gradient_descent": {"gradient_descent": 0.05},
    "momentum": {"momentum": {"learning_rate": 0.02, "momentum": 0.9}},
    "nesterov": {"momentum": {"learning_rate": 0.02, "momentum": 0.8, "nesterov": True}},
    "rmsprop": {"rmsprop": {"learning_rate": 0.01}},
    "adam": {"adam": {"learning_rate": 0.01}},
    "adam_other": {"adam": {"learning_rate": 0.02, "beta_1": 0.7, "beta_2": 0.95, "epsilon": 1e-3}},
    "adamw": {"adamw": {"learning_rate": 0.01, "weight_decay": 0.1}},
    "clipped": {"momentum": {"learning_rate": 0.05, "clip_norm": 2.0}},
    "exponential": {"adam": {"exponential": {"learning_rate": 0.05, "decay_rate": 0.97, "per": "step"}}},
}
NAMES = list(registry.entries("optimizer"))


class Vector:
    """A model's flat vectors, as an optimizer sees them."""

    def __init__(self, value, decayed):
        self.value, self.grad, self.decayed = value, np.zeros_like(value), slice(0, decayed)

    def zeros(self):
        return np.zeros_like(self.value)


def bound(spec, vector, implementation="reference", *, fused=True):
    optimizer = registry.create("optimizer", spec)
    optimizer.bind(vector, select(implementation), fused=fused)
    return optimizer


def trained(spec, size, dtype=np.float32, implementation="reference", *, fused=True, steps=6):
    rng = np.random.default_rng(size)
    vector = Vector(rng.standard_normal(size).astype(dtype), size * 2 // 3)
    optimizer = bound(spec, vector, implementation, fused=fused)
    for step in range(steps):
        vector.grad[:] = rng.standard_normal(size)
        optimizer.step(Moment(step, 10, 100))
    return vector.value, optimizer.state()


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize("case", SAME_AS_PYTORCH)
def test_a_hundred_steps_are_pytorchs(case, fused):
    vector = Vector(START.copy(), KERNEL)
    optimizer = bound(SAME_AS_PYTORCH[case], vector, fused=fused)
    for step, (gradient, expected) in enumerate(zip(GRADIENTS, PARITY[f"optimizer/{case}"], strict=True)):
        vector.grad[:] = gradient
        optimizer.step(Moment(step, 10, 100))
        assert np.array_equal(vector.grad, gradient)
        np.testing.assert_allclose(vector.value, expected, rtol=0, atol=1e-12)


def test_every_optimizer_has_a_parity_case():
    assert {next(iter(spec)) for spec in SAME_AS_PYTORCH.values()} == set(NAMES)


@pytest.mark.parametrize("clip", [None, 1.0])
@pytest.mark.parametrize("size", [1, 37, 5000, 50_000])
@pytest.mark.parametrize("name", NAMES)
def test_fused_compiled_and_plain_chains_agree(name, size, clip):
    pytest.importorskip("numba")
    spec = {name: {"clip_norm": clip, "learning_rate": 0.1}}
    plain, plain_state = trained(spec, size, fused=False)
    for implementation in ("reference", "compiled"):
        value, state = trained(spec, size, implementation=implementation)
        np.testing.assert_allclose(value, plain, rtol=2e-5, atol=2e-6)
        for key, slot in plain_state.items():
            np.testing.assert_allclose(state[key], slot, rtol=2e-5, atol=2e-6)


def test_nesterov_is_fused_too():
    pytest.importorskip("numba")
    spec = {"momentum": {"nesterov": True}}
    for size in (50, 30_000):
        plain, _ = trained(spec, size, fused=False)
        np.testing.assert_allclose(trained(spec, size, implementation="compiled")[0], plain, rtol=1e-5, atol=1e-6)


def test_the_number_of_threads_changes_no_bit():
    numba = pytest.importorskip("numba")
    before = numba.get_num_threads()
    found = []
    try:
        for count in {1, before}:
            numba.set_num_threads(count)
            found.append(trained({"adamw": {"clip_norm": 1.0}}, 50_000, implementation="compiled")[0])
    finally:
        numba.set_num_threads(before)
    assert all(np.array_equal(value, found[0]) for value in found)


@pytest.mark.parametrize("name", NAMES)
def test_named_chains_are_fused(name):
    assert tuple(map(type, registry.create("optimizer", name).transforms)) in FUSED


def test_a_chain_of_ones_own_runs_unfused():
    vector = Vector(START.copy(), KERNEL)
    optimizer = Optimizer([ScaleByAdam(0.9, 0.99, 1e-8), ClipNorm(1.0), Momentum(0.5), WeightDecay(0.1)], 0.1)
    optimizer.bind(vector, select("reference"))
    assert optimizer.slots == 3
    vector.grad[:] = GRADIENTS[0]
    assert optimizer.step(Moment(0, 10, 100)) == 0.1
    direction = GRADIENTS[0] / (abs(GRADIENTS[0]) + 1e-8)  # Adam's first step, then a norm of one
    expected = START - 0.1 * direction / (np.linalg.norm(direction) + 1e-6)
    expected[:KERNEL] -= 0.1 * 0.1 * START[:KERNEL]
    np.testing.assert_allclose(vector.value, expected, rtol=1e-12)


@pytest.mark.parametrize("implementation", ["reference", "auto"])
@pytest.mark.parametrize("name", NAMES)
def test_zeros_stay_zeros(name, implementation):
    vector = Vector(np.zeros(40, np.float32), 20)
    optimizer = bound(name, vector, implementation)
    for step in range(3):
        optimizer.step(Moment(step, 10, 100))
    assert not vector.value.any()


@pytest.mark.parametrize("implementation", ["reference", "auto"])
@pytest.mark.parametrize("name", NAMES)
def test_a_model_without_parameters(name, implementation):
    vector = Vector(np.zeros(0, np.float32), 0)
    assert bound({name: {"clip_norm": 1.0}}, vector, implementation).step(Moment(0, 10, 100)) > 0


@pytest.mark.parametrize("implementation", ["reference", "auto"])
@pytest.mark.parametrize("name", NAMES)
def test_a_nan_is_not_hidden(name, implementation):
    vector = Vector(np.ones(40, np.float32), 20)
    vector.grad[3] = np.nan
    bound(name, vector, implementation).step(Moment(0, 10, 100))
    assert np.isnan(vector.value[3]) and np.isfinite(np.delete(vector.value, 3)).all()


@pytest.mark.parametrize("name", NAMES)
def test_going_on_from_a_saved_state_is_exact(name):
    vector = Vector(START.copy(), KERNEL)
    optimizer = bound(name, vector)
    for step, gradient in enumerate(GRADIENTS[:20]):
        if step == 10:
            saved, values = optimizer.state(), vector.value.copy()
        vector.grad[:] = gradient
        optimizer.step(Moment(step, 10, 100))
    again = Vector(values, KERNEL)
    resumed = bound(name, again)
    resumed.load_state(saved)
    for step, gradient in enumerate(GRADIENTS[10:20], 10):
        again.grad[:] = gradient
        resumed.step(Moment(step, 10, 100))
    assert np.array_equal(again.value, vector.value)
    assert saved["step"] == 10 and len(saved) == 1 + optimizer.slots


def test_a_state_that_does_not_fit_is_refused_with_all_reasons():
    optimizer = bound("adam", Vector(START.copy(), KERNEL))
    state = optimizer.state()
    state["velocity"] = state.pop("first_moment")
    state["second_moment"] = np.zeros(3, np.float32)
    with pytest.raises(UsageError) as caught:
        optimizer.load_state(state)
    for reason in ("first_moment is missing", "velocity is unknown", "second_moment is float32[3] and not float64[11]"):
        assert reason in str(caught.value)


def test_an_unbound_optimizer_says_so():
    with pytest.raises(UsageError, match="bind"):
        registry.create("optimizer", "adam").step(Moment(0, 1, 1))


def test_the_rate_of_the_schedule_is_used_and_returned():
    vector = Vector(np.zeros(2), 2)
    optimizer = bound({"gradient_descent": {"exponential": {"learning_rate": 1.0, "decay_rate": 0.5}}}, vector)
    vector.grad[:] = 1
    assert [optimizer.step(Moment(step, 2, None)) for step in range(4)] == [1, 1, 0.5, 0.5]
    assert vector.value.tolist() == [-3, -3]
