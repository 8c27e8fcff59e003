"""The arena: planned memory that changes no result, and the planner itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from checks import PoisonedArena
from example_layers import EXAMPLES, registered
from small_models import batch_of, graph_of, objective_of, random_case
from test_graph import IMAGES, tokens_case

from dltrain.data.loader import Batch
from dltrain.kernels import select
from dltrain.layers.base import Array
from dltrain.model import memory
from dltrain.model.memory import LINE, Arena, place
from dltrain.model.mode import Mode
from dltrain.optim import Moment
from dltrain.registry import create
from dltrain.training.objective import Objective

F4 = np.dtype(np.float32)
SIZES = (8, 8, 8, 3, 8, 3, 3, 11, 8, 11, 11, 3, 8)  # of the batches: full ones, last ones, and back


def train(objective: Objective, batches: list[Batch], arena: Arena | None, *, evaluate: bool = False) -> list[bytes]:
    """Some steps of training; every loss, output and gradient, and the parameters in the end."""
    graph, kernels, seen = objective.graph, select("auto"), []
    optimizer = create("optimizer", {"momentum": {"learning_rate": 0.05}})
    optimizer.bind(graph.vector, kernels)
    mode = Mode(True, kernels=kernels, arena=arena, seed=4)
    use = Mode(False, kernels=kernels, arena=arena, backward=False)
    for step, batch in enumerate(batches):
        mode.begin(step, len(batch))
        value = objective(batch, mode)
        seen += [np.float64(value.loss).tobytes(), graph.vector.grad.tobytes()]
        seen += [array.tobytes() for array in (*value.outputs.values(), *value.input_gradients.values())]
        optimizer.step(Moment(step, 5, None))
        graph.changed()
        if evaluate and step % 3 == 2:
            for other in batches[:2]:
                use.begin(0, len(other))
                outputs, _ = graph.forward(objective.task.inputs(other), mode=use, wires=objective.task.wires)
                seen += [array.tobytes() for array in outputs.values()]
    return [*seen, *(array.tobytes() for array in graph.state().values())]


def assert_arena_changes_nothing(make: Callable[[], tuple[Objective, list[Batch]]]) -> None:
    """The heap, planned memory and poisoned planned memory: the same bits."""
    for evaluate in (False, True):
        expected = train(*make(), None, evaluate=evaluate)
        for arena in (Arena(), PoisonedArena()):
            found = train(*make(), arena, evaluate=evaluate)
            assert found == expected
            assert arena.planned_bytes((True, True, 8)) > 0


@pytest.mark.parametrize("seed", range(20))
def test_random_models_do_not_see_the_arena(seed: int) -> None:
    def make() -> tuple[Objective, list[Batch]]:
        objective, batch = random_case(seed)
        task = type(objective.task.task).__name__
        names = {"Classification": "classification", "BinaryClassification": "binary_classification"}
        outputs, rng = len(objective.task.data.classes), np.random.default_rng(seed)
        kind = names.get(task, "regression")
        return objective, [batch_of(objective.graph, kind, size, rng, outputs) for size in SIZES]

    assert_arena_changes_nothing(make)


def test_images_do_not_see_the_arena() -> None:
    def make() -> tuple[Objective, list[Batch]]:
        graph, rng = graph_of(IMAGES, {"image": (6, 5, 2)}), np.random.default_rng(0)
        return objective_of(graph, "classification"), [batch_of(graph, "classification", n, rng) for n in SIZES]

    with registered(**EXAMPLES):
        assert_arena_changes_nothing(make)


def test_integers_and_masks_do_not_see_the_arena() -> None:
    def make() -> tuple[Objective, list[Batch]]:
        rng, batches = np.random.default_rng(0), []
        for size in SIZES:
            graph, inputs = tokens_case(size, rng)
            batches.append(batch_of(graph, "classification", size, rng))
            batches[-1].inputs = inputs
        return objective_of(graph, "classification"), batches

    with registered(**EXAMPLES):
        assert_arena_changes_nothing(make)


def broken_place(requests: list[Any], deaths: list[Any]) -> Any:
    plan = place(requests, deaths)
    plan.offsets[:] = [0] * len(requests)
    return plan


def test_a_planner_that_is_wrong_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "place", broken_place)
    with pytest.raises((AssertionError, RuntimeWarning)):
        test_random_models_do_not_see_the_arena(4)


def addresses(arena: Arena, script: str) -> list[int]:
    """Ask for an array at the first of two equal letters, let it go at the second; returns where the arrays lie."""
    arena.begin(script)
    held: dict[str, Array] = {}
    found = []
    for letter in script:
        if held.pop(letter, None) is None:
            held[letter] = arena.empty((100,), F4)
            found.append(held[letter].ctypes.data)
    return found


def test_arrays_whose_lives_do_not_overlap_share_memory() -> None:
    arena = Arena()
    addresses(arena, "aabbcc")
    assert len(set(addresses(arena, "aabbcc"))) == 1
    assert arena.planned_bytes("aabbcc") == 448
    addresses(arena, "abab")
    assert len(set(addresses(arena, "abab"))) == 2
    addresses(arena, "abcacb")
    a, b, c = addresses(arena, "abcacb")
    assert len({a, b, c}) == 3


def test_planned_arrays_are_the_same_views_each_time_on_cache_lines() -> None:
    arena = Arena()
    found = []
    for _ in range(4):
        arena.begin("step")
        found.append([arena.empty((3, 5), F4), arena.empty((7,), np.dtype(float))])
    assert all(array.ctypes.data % LINE == 0 for arrays in found for array in arrays)
    assert found[1][0] is found[2][0] is found[3][0]
    assert found[0][0] is not found[1][0]


def test_what_outlives_the_step_is_given_to_nobody() -> None:
    arena, kept = Arena(), []
    for _ in range(3):
        arena.begin("step")
        kept.append(arena.empty((50,), F4))
        for _ in range(4):
            arena.empty((50,), F4)
    arena.begin("step")
    views = [arena.empty((50,), F4) for _ in range(5)]
    assert sum(np.shares_memory(views[0], other) for other in views) == 1


def test_another_sequence_of_requests_gets_its_own_plan() -> None:
    arena = Arena()
    for sizes in ([4, 6], [4, 6], [4, 8], [4, 8], [4, 8], [4], [4, 8, 2]):
        arena.begin("step")
        arrays = [arena.empty((size,), F4) for size in sizes]
        for value, array in enumerate(arrays):
            array.fill(value)
        assert [array.shape[0] for array in arrays] == sizes
        assert [array[0] for array in arrays] == list(range(len(sizes)))


def test_plans_of_several_kinds_share_one_block() -> None:
    arena = Arena()
    for size in (10, 1000, 10, 100, 1000, 10):
        for _ in range(2):
            arena.begin(size)
            a, b = arena.empty((size,), F4), arena.empty((size,), F4)
            a.fill(1)
            b.fill(2)
            assert a.sum() == size and b.sum() == 2 * size
    assert arena.planned_bytes(1000) == 2 * 4032
    assert arena._memory.nbytes == 2 * 4032


@pytest.mark.parametrize("seed", range(20))
def test_planned_lives_that_overlap_never_share_a_byte(seed: int) -> None:
    rng = np.random.default_rng(seed)
    count = int(rng.integers(1, 40))
    requests: list[Any] = []
    for _ in range(count):
        shape = tuple(int(n) for n in rng.integers(0, 20, rng.integers(1, 3)))
        requests.append((shape, np.dtype(rng.choice(["f4", "f8"]))))
    deaths = [None if rng.random() < 0.2 else int(rng.integers(i + 1, count + 2)) for i in range(count)]
    plan = place(requests, deaths)
    sizes = [memory.size_of(*request) for request in requests]
    for i in range(count):
        assert plan.offsets[i] % LINE == 0 and plan.offsets[i] + sizes[i] <= plan.size
        for j in range(i):
            apart = plan.offsets[i] + sizes[i] <= plan.offsets[j] or plan.offsets[j] + sizes[j] <= plan.offsets[i]
            assert apart or plan.ends[j] <= i


def test_the_planned_memory_of_a_deep_model_is_a_share_of_what_it_asks_for() -> None:
    chain = [layer for _ in range(12) for layer in ({"dense": 64}, "linear")]
    graph = graph_of({"graph": {"y": [*chain, {"dense": 3}]}}, {"x": (64,)})
    objective = objective_of(graph, "classification")
    arena = Arena()
    train(objective, [batch_of(graph, "classification", 32, np.random.default_rng(0))] * 3, arena)
    plan = arena._plans[True, True, 32]
    asked = sum(int(np.prod(shape)) * dtype.itemsize for shape, dtype in plan.requests)
    assert plan.size < 0.7 * asked
