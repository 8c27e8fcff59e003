"""Optimizers: PyTorch's trajectories, fused = unfused = compiled, strict state, nothing lost by a resume."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import yaml

from dltrain import api, registry
from dltrain.errors import ConfigError, UsageError
from dltrain.kernels import select
from dltrain.optim import Moment, Optimizer
from dltrain.optim.adam_family import ScaleByAdam
from dltrain.optim.minimize import FlatVector
from dltrain.optim.running import FUSED
from dltrain.optim.transforms import ClipNorm, Momentum

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
    "adagrad": {"adagrad": {"learning_rate": 0.1, "initial_accumulator_value": 0.1, "epsilon": 1e-7}},
    "adadelta": "adadelta",
    "amsgrad": {"amsgrad": {"learning_rate": 0.01, "beta_2": 0.9}},
    "nadam": {"nadam": {"learning_rate": 0.02}},
    "radam": {"radam": {"learning_rate": 0.02, "beta_2": 0.99, "epsilon": 1e-4}},
    "adamax": {"adamax": {"learning_rate": 0.02}},
    "decayed": {"nadam": {"learning_rate": 0.02, "weight_decay": 0.1}},
    "clipped_value": {"adam": {"learning_rate": 0.02, "clip_value": 0.5}},
    "groups": {"momentum": {"learning_rate": 0.02, "groups": {"*.kernel": {"multiplier": 0.1}}}},
    "one_cycle": {
        "momentum": {
            "learning_rate": {"one_cycle": {"learning_rate": 0.05, "length": 101}},
            "momentum": {"one_cycle": {"learning_rate": 0.85, "start": 0.95, "end": 0.95, "length": 101}},
        }
    },
}
NAMES = list(registry.entries("optimizer"))


def vector_of(value, decayed):
    """A kernel, which decays, and a bias."""
    slices = {"a.0.dense.kernel": slice(0, decayed), "a.0.dense.bias": slice(decayed, len(value))}
    return FlatVector(value, decayed, slices)


def bound(spec, vector, implementation="reference", *, fused=True):
    optimizer = registry.create("optimizer", spec)
    optimizer.bind(vector, select(implementation), fused=fused)
    return optimizer


def trained(spec, size, dtype=np.float32, implementation="reference", *, fused=True, steps=6):
    rng = np.random.default_rng(size)
    vector = vector_of(rng.standard_normal(size).astype(dtype), size * 2 // 3)
    optimizer = bound(spec, vector, implementation, fused=fused)
    for step in range(steps):
        vector.grad[:] = rng.standard_normal(size)
        optimizer.step(Moment(step, 10, 100))
    return vector.value, optimizer.state()


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize("case", SAME_AS_PYTORCH)
def test_a_hundred_steps_are_pytorchs(case, fused):
    vector = vector_of(START.copy(), KERNEL)
    optimizer = bound(SAME_AS_PYTORCH[case], vector, fused=fused)
    for step, (gradient, expected) in enumerate(zip(GRADIENTS, PARITY[f"optimizer/{case}"], strict=True)):
        vector.grad[:] = gradient
        optimizer.step(Moment(step, 10, 100))
        assert np.array_equal(vector.grad, gradient)
        np.testing.assert_allclose(vector.value, expected, rtol=0, atol=1e-12)


def test_every_optimizer_has_a_parity_case():
    pytorchs = {spec if isinstance(spec, str) else next(iter(spec)) for spec in SAME_AS_PYTORCH.values()}
    assert pytorchs | set(ONLY_HERE) == set(NAMES)
    assert set(PAPERS) >= set(NAMES)


ONLY_HERE = {"averaged_momentum", "lion"}  # what PyTorch does not have


def adam_like(step):
    """A paper's algorithm from (g, m, v, t, memory) to the step, with Adam's running means."""

    def run(gradients, w, rate):
        m = v = np.zeros_like(w)
        memory = {}
        for t, g in enumerate(gradients, 1):
            m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
            w = w - rate * step(g, m, v, t, memory)
            yield w

    return run


def plain(step):
    """A paper's algorithm from (g, t, memory) to the step."""

    def run(gradients, w, rate):
        memory = {}
        for t, g in enumerate(gradients, 1):
            w = w - rate * step(g, t, memory)
            yield w

    return run


def remember(memory, name, keep, value, share=None):
    """A running sum in a memory."""
    memory[name] = keep * memory.get(name, 0.0) + (1 - keep if share is None else share) * value
    return memory[name]


def adadelta_step(g, t, memory):
    before = memory.get("d", 0.0)
    step = np.sqrt(before + 1e-6) / np.sqrt(remember(memory, "s", 0.95, g**2) + 1e-6) * g
    remember(memory, "d", 0.95, step**2)
    return step


def adamax_step(g, t, memory):
    memory["u"] = np.maximum(0.999 * memory.get("u", 0.0), abs(g) + 1e-8)
    return remember(memory, "m", 0.9, g) / (1 - 0.9**t) / memory["u"]


def amsgrad_step(g, m, v, t, memory):
    memory["max"] = np.maximum(memory.get("max", 0.0), v)
    return m / (1 - 0.9**t) / (np.sqrt(memory["max"] / (1 - 0.999**t)) + 1e-8)


def nadam_step(g, m, v, t, memory):
    mu = [0.9 * (1 - 0.5 * 0.96 ** (i * 0.004)) for i in range(1, t + 2)]
    mean = mu[t] * m / (1 - np.prod(mu)) + (1 - mu[t - 1]) * g / (1 - np.prod(mu[:-1]))
    return mean / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)


def radam_step(g, m, v, t, memory):
    longest = 2 / (1 - 0.999) - 1
    length = longest - 2 * t * 0.999**t / (1 - 0.999**t)
    if length <= 5:
        return m / (1 - 0.9**t)
    r = np.sqrt((length - 4) * (length - 2) * longest / ((longest - 4) * (longest - 2) * length))
    return m / (1 - 0.9**t) * r * np.sqrt(1 - 0.999**t) / (np.sqrt(v) + 1e-8)


def lion_step(g, t, memory):
    m = memory.get("m", np.zeros_like(g))
    memory["m"] = 0.99 * m + 0.01 * g
    return np.sign(0.9 * m + 0.1 * g)


PAPERS = {  # plain transcriptions, with the defaults
    "gradient_descent": plain(lambda g, t, memory: g),
    "momentum": plain(lambda g, t, memory: remember(memory, "v", 0.9, g, 1.0)),
    "averaged_momentum": plain(lambda g, t, memory: remember(memory, "v", 0.9, g)),
    "corrected_momentum": plain(lambda g, t, memory: remember(memory, "v", 0.9, g) / (1 - 0.9**t)),
    "adagrad": plain(lambda g, t, memory: g / (np.sqrt(remember(memory, "s", 1.0, g**2, 1.0)) + 1e-10)),
    "adadelta": plain(adadelta_step),
    "rmsprop": plain(lambda g, t, memory: g / (np.sqrt(remember(memory, "s", 0.9, g**2)) + 1e-8)),
    "adam": adam_like(lambda g, m, v, t, memory: m / (1 - 0.9**t) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)),
    "adamw": adam_like(lambda g, m, v, t, memory: m / (1 - 0.9**t) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)),
    "amsgrad": adam_like(amsgrad_step),
    "nadam": adam_like(nadam_step),
    "radam": adam_like(radam_step),
    "adamax": plain(adamax_step),
    "lion": plain(lion_step),
}


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize("name", PAPERS)
def test_a_hundred_steps_are_the_papers(name, fused):
    options = {"learning_rate": 0.01, "weight_decay": 0.0}
    spec = {name: options}
    if name == "corrected_momentum":
        spec = {"averaged_momentum": {**options, "bias_correction": True}}
    vector = vector_of(START.copy(), KERNEL)
    optimizer = bound(spec, vector, fused=fused)
    for step, (gradient, expected) in enumerate(zip(GRADIENTS, PAPERS[name](GRADIENTS, START, 0.01), strict=True)):
        vector.grad[:] = gradient
        optimizer.step(Moment(step, 10, 100))
        np.testing.assert_allclose(vector.value, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("clip", [None, 1.0])
@pytest.mark.parametrize("size", [1, 37, 5000, 50_000])
@pytest.mark.parametrize("name", NAMES)
def test_fused_compiled_and_plain_chains_agree(name, size, clip):
    pytest.importorskip("numba")
    spec = {name: {"clip_norm": clip, "learning_rate": 0.1, "weight_decay": 0.05}}
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


UNFUSED = {"adadelta", "adamax", "amsgrad"}  # rare: each of their transforms is a pass of its own


@pytest.mark.parametrize("name", sorted(set(NAMES) - UNFUSED))
def test_named_chains_are_fused(name):
    assert tuple(map(type, registry.create("optimizer", name).transforms)) in FUSED


def test_a_chain_of_ones_own_runs_unfused():
    vector = vector_of(START.copy(), KERNEL)
    optimizer = Optimizer([ScaleByAdam(0.9, 0.99, 1e-8), ClipNorm(1.0), Momentum(0.5)], 0.1, 0.1)
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
    vector = vector_of(np.zeros(40, np.float32), 20)
    optimizer = bound(name, vector, implementation)
    for step in range(3):
        optimizer.step(Moment(step, 10, 100))
    assert not vector.value.any()


@pytest.mark.parametrize("implementation", ["reference", "auto"])
@pytest.mark.parametrize("name", NAMES)
def test_a_model_without_parameters(name, implementation):
    vector = vector_of(np.zeros(0, np.float32), 0)
    assert bound({name: {"clip_norm": 1.0}}, vector, implementation).step(Moment(0, 10, 100)) > 0


@pytest.mark.parametrize("implementation", ["reference", "auto"])
@pytest.mark.parametrize("name", NAMES)
def test_a_nan_is_not_hidden(name, implementation):
    vector = vector_of(np.ones(40, np.float32), 20)
    vector.grad[3] = np.nan
    bound(name, vector, implementation).step(Moment(0, 10, 100))
    assert np.isnan(vector.value[3]) and np.isfinite(np.delete(vector.value, 3)).all()


@pytest.mark.parametrize("name", NAMES)
def test_going_on_from_a_saved_state_is_exact(name):
    vector = vector_of(START.copy(), KERNEL)
    optimizer = bound(name, vector)
    for step, gradient in enumerate(GRADIENTS[:20]):
        if step == 10:
            saved, values = optimizer.state(), vector.value.copy()
        vector.grad[:] = gradient
        optimizer.step(Moment(step, 10, 100))
    again = vector_of(values, KERNEL)
    resumed = bound(name, again)
    resumed.load_state(saved)
    for step, gradient in enumerate(GRADIENTS[10:20], 10):
        again.grad[:] = gradient
        resumed.step(Moment(step, 10, 100))
    assert np.array_equal(again.value, vector.value)
    assert saved["step"] == 10 and len(saved) == 1 + optimizer.slots


def test_a_state_that_does_not_fit_is_refused_with_all_reasons():
    optimizer = bound("adam", vector_of(START.copy(), KERNEL))
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
    vector = vector_of(np.zeros(2), 2)
    optimizer = bound({"gradient_descent": {"exponential": {"learning_rate": 1.0, "decay_rate": 0.5}}}, vector)
    vector.grad[:] = 1
    assert [optimizer.step(Moment(step, 2, None)) for step in range(4)] == [1, 1, 0.5, 0.5]
    assert vector.value.tolist() == [-3, -3]


# groups, clipping, scheduled numbers

PATHS = ("a.0.dense.kernel", "b.0.dense.kernel", "a.0.dense.bias", "b.0.dense.bias")


def four_parameters(dtype=np.float64):
    """Two kernels and two biases, with gaps between them as in a model."""
    rng = np.random.default_rng(3)
    slices = {path: slice(8 * i, 8 * i + 5) for i, path in enumerate(PATHS)}
    vector = FlatVector(np.zeros(32, dtype), 16, slices)
    for place in slices.values():
        vector.value[place] = rng.standard_normal(5)
    return vector


def run_groups(spec, steps=6, dtype=np.float64, implementation="reference", *, fused=True):
    vector, rng = four_parameters(dtype), np.random.default_rng(8)
    optimizer = bound(spec, vector, implementation, fused=fused)
    for step in range(steps):
        for place in vector.slices.values():
            vector.grad[place] = rng.standard_normal(5)
        optimizer.step(Moment(step, 2, steps))
    return {path: vector.value[place].copy() for path, place in vector.slices.items()}, optimizer


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize("name", NAMES)
def test_a_group_is_trained_as_a_model_of_these_options_is(name, fused):
    groups = {
        "a.0.dense.kernel": {"learning_rate": 0.3, "weight_decay": 0.2},
        "a.*": {"multiplier": 0.5},
        "b.0.dense.bias": {"frozen": True},
    }
    found, optimizer = run_groups({name: {"learning_rate": 0.1, "weight_decay": 0.01, "groups": groups}}, fused=fused)
    alone = {
        "a.0.dense.kernel": {"learning_rate": 0.3, "weight_decay": 0.2},
        "a.0.dense.bias": {"learning_rate": 0.05, "weight_decay": 0.01},
        "b.0.dense.kernel": {"learning_rate": 0.1, "weight_decay": 0.01},
    }
    for path, options in alone.items():
        expected, _ = run_groups({name: options}, fused=fused)
        np.testing.assert_allclose(found[path], expected[path], rtol=1e-13, atol=1e-14)
    assert np.array_equal(found["b.0.dense.bias"], four_parameters().value[24:29])
    sizes = {array.size for array in optimizer.state().values() if isinstance(array, np.ndarray)}
    assert sizes <= {24}  # three of four parameters: what is frozen has no slots


@pytest.mark.parametrize("name", NAMES)
def test_groups_agree_on_compiled_kernels(name):
    pytest.importorskip("numba")
    groups = {"a.*": {"multiplier": 0.5}, "*.bias": {"weight_decay": 0.3}}
    spec = {name: {"learning_rate": 0.05, "weight_decay": 0.1, "clip_norm": 1.0, "groups": groups}}
    plain, _ = run_groups(spec, dtype=np.float32, fused=False)
    compiled, _ = run_groups(spec, dtype=np.float32, implementation="compiled")
    for path in PATHS:
        np.testing.assert_allclose(compiled[path], plain[path], rtol=2e-5, atol=2e-6)


def test_the_norm_is_that_of_what_is_trained():
    groups = {"a.*": {"frozen": True}}
    vector = four_parameters()
    optimizer = bound({"gradient_descent": {"learning_rate": 1.0, "clip_norm": 2.0, "groups": groups}}, vector)
    vector.grad[:] = 100.0
    before = vector.value.copy()
    optimizer.step(Moment(0, 1, 1))
    assert np.linalg.norm(vector.value - before) == pytest.approx(2.0, rel=1e-6)
    assert not (vector.value - before)[:8].any()


@pytest.mark.parametrize("groups", [None, {"a.*": {"frozen": True}}])
def test_each_parameter_is_clipped_by_its_own_norm(groups):
    vector = four_parameters()
    optimizer = bound(
        {"gradient_descent": {"learning_rate": 1.0, "clip_value": 30.0, "clip_each_norm": 2.0, "groups": groups}},
        vector,
    )
    for size, place in zip((0.1, 1.0, 10.0, 100.0), vector.slices.values(), strict=True):
        vector.grad[place] = size
    before = vector.value.copy()
    optimizer.step(Moment(0, 1, 1))
    moved = [np.linalg.norm((vector.value - before)[place]) for place in vector.slices.values()]
    expected = [0.1 * 5**0.5, 2.0, 2.0, 2.0]
    if groups:
        expected[0] = expected[2] = 0.0
    assert moved == pytest.approx(expected, rel=1e-6)


def test_several_clips_come_in_the_order_value_each_all():
    vector = vector_of(np.zeros(2), 1)
    clips = {"clip_norm": 3.0, "clip_each_norm": 10.0, "clip_value": 4.0}
    optimizer = bound({"gradient_descent": {"learning_rate": 1.0, **clips}}, vector)
    vector.grad[:] = (400.0, 3.0)
    optimizer.step(Moment(0, 1, 1))
    np.testing.assert_allclose(vector.value, [-4 * 3 / 5, -3 * 3 / 5], rtol=1e-5)


WRONG_GROUPS = [
    ({"c.*": {"frozen": True}}, "no parameter has a path like this"),
    ({"a.0.dence.kernel": {"frozen": True}}, "did you mean 'a.0.dense.kernel'"),
    ({"*.biases": {"multiplier": 2.0}}, "did you mean '*.bias'"),
    ({"a.*": {"multiplier": 2.0}, "a.0.*": {"multiplier": 3.0}}, "is in a group above"),
    ({"*": {"frozen": True}}, "all parameters are frozen"),
    ({"a.*": {}}, "changes nothing"),
    ({"a.*": {"frozen": False}}, "changes nothing"),
    ({"a.*": {"frozen": True, "multiplier": 2.0}}, "multiplier has no effect beside frozen"),
    ({"a.*": {"learning_rate": 0.1, "multiplier": 2.0}}, "multiplier has no effect beside learning_rate"),
]


@pytest.mark.parametrize(("groups", "said"), WRONG_GROUPS)
def test_groups_without_sense_are_refused(groups, said):
    with pytest.raises(ConfigError) as caught:
        registry.create("optimizer", {"adam": {"groups": groups}}).frozen(PATHS)
    assert said in str(caught.value)
    assert caught.value.problems[0].path[:3] == ("optimizer", "adam", "groups")


def test_every_number_may_be_scheduled():
    table = {"piecewise": {"values": [0.5, 0.25], "boundaries": [1], "per": "step"}}
    for name in NAMES:
        scheduled = {
            argument.name: table
            for argument in registry.entries("optimizer")[name].arguments
            if registry.reference_of(argument.annotation) is not None
        }
        assert {"learning_rate", "weight_decay"} <= set(scheduled)
        optimizer = registry.create("optimizer", {name: scheduled})
        assert optimizer.values(Moment(0, 5, 10)) == dict.fromkeys(scheduled, 0.5)
        assert optimizer.values(Moment(1, 5, 10)) == dict.fromkeys(scheduled, 0.25)
        vector = vector_of(START.copy(), KERNEL)
        optimizer.bind(vector, select("reference"))
        constant = bound({name: dict.fromkeys(scheduled, 0.5)}, other := vector_of(START.copy(), KERNEL))
        for trained_one, by in ((vector, optimizer), (other, constant)):
            trained_one.grad[:] = GRADIENTS[0]
            by.step(Moment(0, 5, 10))
        np.testing.assert_array_equal(vector.value, other.value)


def test_a_schedule_that_leaves_its_range_is_told():
    spec = {"momentum": {"momentum": {"polynomial": {"learning_rate": 0.5, "floor": 1.5, "length": 10}}}}
    optimizer = bound(spec, vector_of(START.copy(), KERNEL))
    with pytest.raises(UsageError, match="the schedule of momentum leaves its range; expected below 1"):
        for step in range(10):
            optimizer.step(Moment(step, 10, 10))


@pytest.mark.parametrize("learning_rate", [0.1, {"warmup": {"learning_rate": 0.1, "length": 2}}])
def test_what_a_plateau_has_seen_is_in_the_state(learning_rate):
    plateau = {"reduce_on_plateau": {"learning_rate": 0.1, "factor": 0.5, "patience": 1}}
    if isinstance(learning_rate, dict):
        plateau = {"warmup": {"learning_rate": plateau, "length": 2}}
    spec = {"adam": {"learning_rate": plateau, "groups": {"*.bias": {"learning_rate": plateau}}}}
    optimizer = bound(spec, vector_of(START.copy(), KERNEL))
    for loss in (1.0, 2.0, 0.5, 0.6):
        optimizer.observe(lambda monitor, loss=loss: (loss, False))
    saved = optimizer.state()
    assert saved["seen"]["learning_rate"] == {"reductions": 2, "best": 0.5, "wait": 0, "rest": 0}
    assert saved["seen"]["groups.*.bias.learning_rate"]["reductions"] == 2
    resumed = bound(spec, vector_of(START.copy(), KERNEL))
    assert resumed.step(Moment(5, 10, 100)) == 0.1
    resumed.load_state(saved)
    assert resumed.step(Moment(5, 10, 100)) == 0.025
    for broken in ({key: value for key, value in saved.items() if key != "seen"}, {**saved, "seen": {}}):
        with pytest.raises(UsageError, match="does not fit"):
            resumed.load_state(broken)


def test_the_page_names_every_optimizer_schedule_and_shared_parameter() -> None:
    page = (Path(__file__).parent.parent / "docs" / "optimizers.md").read_text(encoding="utf-8")
    named = set(re.findall(r"^\| `(\w+)`", page, re.MULTILINE))
    optimizers = registry.entries("optimizer")
    shared = set.intersection(*({a.name for a in entry.arguments} for entry in optimizers.values()))
    assert named == {*optimizers, *registry.entries("schedule"), *shared}


def test_the_page_s_groups_are_those_of_the_code() -> None:
    page = (Path(__file__).parent.parent / "docs" / "optimizers.md").read_text(encoding="utf-8")
    spec = yaml.safe_load(page.partition("```yaml\n")[2].partition("```")[0])
    layers = [{"dense": 4}, "relu", {"dense": 4}, "relu", "dense"]
    source = {"moons": {"samples": 40}}
    config = {"data": {"source": source}, "model": {"graph": {"logits": layers}}, "train": {"epochs": 1}, **spec}
    found, _ = api.check(config)
    assert found["frozen"] == 2 * 4 + 4 and found["parameters"] == (4 * 4 + 4) + (4 * 2 + 2)
