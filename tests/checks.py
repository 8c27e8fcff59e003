"""What every layer promises, one function for each promise; `cases.py` says for which layers they are run.

Each check raises an AssertionError (or lets an error or warning through) when the promise is broken.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from cases import Layer

from dltrain.kernels import select
from dltrain.layers.base import Array
from dltrain.model.graph import Graph
from dltrain.model.memory import Arena
from dltrain.model.mode import Mode
from dltrain.model.plan import NodeSpec, Plan
from dltrain.training.comparison import Comparison
from dltrain.training.differentiable import LayerInPlace

ALL = 10**9  # entries: every one
MODES = (True, False)  # training and use
IMPLEMENTATIONS = ((np.float64, "reference", 1e-12), (np.float32, "auto", 2e-5))  # and what rounding may do


class Bench:
    """One layer in a graph of its own, with inputs and everything that is needed to run it.

    Parameters:
        case: the layer
        dtype: of parameters and computation
        seed: of parameters, inputs and draws
        size: of the batch
        kernels: which implementation
    """

    def __init__(
        self, case: Layer, dtype: Any = np.float64, seed: int = 0, size: int = 4, kernels: str = "reference"
    ) -> None:
        self.case, self.dtype, self.seed, self.size = case, np.dtype(dtype), seed, size
        wires = [f"x{i}" for i in range(len(case.shapes))]
        path = f"y.0.{case.kind}"
        spec = NodeSpec(path, case.kind, dict(case.arguments), tuple(wires), path, ("model", "graph", "y", 0))
        shapes = dict(zip(wires, case.shapes, strict=True))
        plan = Plan(dict(shapes), (spec,), {**{wire: wire for wire in wires}, "y": path}, ("y",))
        self.graph = Graph(plan, shapes, dtype, seed)
        self.kernels = select(kernels)
        rng = np.random.default_rng([seed, 7])
        for parameter in self.graph.parameters.values():
            parameter.value += 0.1 * rng.standard_normal(parameter.shape)
        for statistic in self.graph.statistics.values():
            statistic.value += rng.random(statistic.shape)
        self.inputs = {wire: self.input(i, rng) for i, wire in enumerate(wires)}
        self.weights = rng.standard_normal((size, *self.graph.wires["y"])).astype(dtype)

    def input(self, position: int, rng: np.random.Generator) -> Array:
        """A random input of the kind that the layer takes there."""
        shape = (self.size, *self.case.shapes[position])
        if position in self.case.integers:
            return rng.integers(0, self.case.integers[position], shape)
        if position in self.case.masks:
            mask = (rng.random(shape) < 0.6).astype(self.dtype)
            mask[:, 0] = 1
            return mask
        return rng.standard_normal(shape).astype(self.dtype)

    def mode(self, training: bool = True, step: int = 0, **options: Any) -> Mode:
        """A mode of this bench."""
        mode = Mode(training, **{"kernels": self.kernels, "seed": self.seed, **options})
        mode.begin(step, self.size)
        return mode

    def run(self, mode: Mode, inputs: dict[str, Array] | None = None, weights: Array | None = None) -> dict[str, Array]:
        """Forward and backward: outputs, gradients of inputs and parameters, copied."""
        inputs = self.inputs if inputs is None else inputs
        self.graph.zero_grad()
        outputs, backward = self.graph.forward(inputs, mode=mode)
        y = outputs["y"].copy()
        found = backward({"y": self.weights if weights is None else weights})
        gradients = {f"d{wire}": found[wire].copy() for wire in inputs if wire in found}
        return {"y": y, **gradients, **self.gradients()}

    def gradients(self) -> dict[str, Array]:
        """Copies of the parameters' gradients."""
        return {path: parameter.grad.copy() for path, parameter in self.graph.parameters.items()}

    def place(self, training: bool) -> LayerInPlace:
        """For the gradient check."""
        return LayerInPlace(self.graph, self.graph.nodes[0], tuple(self.inputs.values()), self.seed, training)


def assert_close(a: dict[str, Array], b: dict[str, Array], tolerance: float) -> None:
    """All arrays agree, each to within a share of its size."""
    assert a.keys() == b.keys()
    for name in a:
        assert a[name].shape == b[name].shape, name
        error = np.abs(a[name] - b[name]).max(initial=0)
        assert error <= tolerance * max(1.0, np.abs(b[name]).max(initial=0)), (name, error)


def assert_same(a: dict[str, Array], b: dict[str, Array]) -> None:
    """All arrays agree bit for bit."""
    assert a.keys() == b.keys()
    for name in a:
        assert a[name].tobytes() == b[name].tobytes(), name


def promised_shape_is_real(case: Layer) -> None:
    """Output and gradients have the shapes that `build` promises, for every batch size."""
    for size in (1, 2, 5):
        bench = Bench(case, size=size)
        for training in MODES:
            found = bench.run(bench.mode(training))
            assert found["y"].shape == (size, *bench.graph.wires["y"])
            for position, (wire, x) in enumerate(bench.inputs.items()):
                assert (f"d{wire}" in found) == (position not in case.integers)
                assert f"d{wire}" not in found or found[f"d{wire}"].shape == x.shape
            for path, parameter in bench.graph.parameters.items():
                assert found[path].shape == parameter.shape


def complex_step_agrees(case: Layer) -> None:
    """Every entry of every gradient agrees with the complex step to 1e-10 (figure N1)."""
    if "not_differentiable" in case.tags:
        return
    for training in MODES:
        for seed in range(2):
            comparison = Comparison(Bench(case, seed=seed).place(training), "complex", ALL, seed)
            for tensor in comparison.tensors().values():
                assert tensor.method == "complex"
                assert tensor.checked == np.prod(tensor.shape)
                assert tensor.error < 1e-10, tensor


def central_differences_agree(case: Layer) -> None:
    """Every gradient agrees with central differences to 1e-8 of its norm (figure N1).

    A layer that is tagged not_differentiable must say so itself, and must have another gradient than that.
    """
    honest = "not_differentiable" not in case.tags
    assert Bench(case).place(True).node.layer.differentiable is honest
    for training in MODES:
        comparison = Comparison(Bench(case, seed=2).place(training), "central", ALL, 2)
        for tensor in comparison.tensors().values():
            assert tensor.checked + tensor.kinks == np.prod(tensor.shape)
            assert bool(tensor.error < 1e-8) is honest, tensor


def gradients_accumulate(case: Layer) -> None:
    """A second pass adds to the parameters' gradients; after zero_grad they start anew, whatever they held."""
    for dtype, kernels, tolerance in IMPLEMENTATIONS:
        bench = Bench(case, dtype, kernels=kernels)
        once = bench.run(bench.mode())
        for parameter in bench.graph.parameters.values():
            parameter.grad.fill(3)
        assert_same(once, bench.run(bench.mode()))
        _, backward = bench.graph.forward(bench.inputs, mode=bench.mode())
        backward({"y": bench.weights})
        assert_close(bench.gradients(), {path: 2 * once[path] for path in bench.graph.parameters}, tolerance)


def dtype_is_kept(case: Layer) -> None:
    """Outputs, gradients and parameters are of the graph's type of number, with every implementation."""
    for dtype, kernels in ((np.float32, "reference"), (np.float32, "auto"), (np.float64, "auto")):
        bench = Bench(case, dtype, kernels=kernels)
        for training in MODES:
            for name, array in bench.run(bench.mode(training)).items():
                assert array.dtype == dtype, (name, array.dtype)


def nothing_given_is_written_to(case: Layer) -> None:
    """Inputs, output gradients and parameters stay as they are."""
    for dtype, kernels in ((np.float64, "reference"), (np.float32, "auto")):
        bench = Bench(case, dtype, kernels=kernels)
        given = [*bench.inputs.values(), bench.weights, *(p.value for p in bench.graph.parameters.values())]
        before = [array.tobytes() for array in given]
        for training in MODES:
            if kernels == "reference":
                for array in given:
                    array.flags.writeable = False
            bench.run(bench.mode(training, update_statistics=False))
        assert [array.tobytes() for array in given] == before


def inference_is_pure(case: Layer) -> None:
    """In use, the output depends on the sample alone: not on its batch, the seed, the step or what ran before."""
    bench = Bench(case, size=5)
    y = bench.run(bench.mode(False))["y"]
    bench.run(bench.mode(True, update_statistics=False))
    assert_same({"y": bench.run(bench.mode(False, step=3, seed=99))["y"]}, {"y": y})
    without = bench.graph.forward(bench.inputs, mode=bench.mode(False, backward=False))[0]
    assert_close({"y": without["y"]}, {"y": y}, 1e-12)
    assert_close({"y": sample_by_sample(bench, training=False)}, {"y": y}, 1e-12)


def training_couples_only_what_it_says(case: Layer) -> None:
    """In training too a sample's output is its own, unless the layer is tagged batch_coupled (or random)."""
    bench = Bench(case, size=5)
    alone = sample_by_sample(bench, training=True)
    together = bench.run(bench.mode(True, update_statistics=False))["y"]
    honest = bool({"batch_coupled", "random"} & case.tags)
    assert np.allclose(alone, together, rtol=1e-12, atol=1e-12) != honest


def sample_by_sample(bench: Bench, training: bool) -> Array:
    """The outputs of batches of one."""
    mode = bench.mode(training, update_statistics=False)
    rows = [{wire: x[i : i + 1] for wire, x in bench.inputs.items()} for i in range(bench.size)]
    return np.concatenate([bench.graph.forward(row, mode=mode)[0]["y"] for row in rows])


def draws_follow_from_the_seed(case: Layer) -> None:
    """The same seed and step give the same draws; others give others, if and only if the layer is tagged random."""
    bench = Bench(case)
    y = [bench.run(bench.mode(True, step, seed=seed))["y"].tobytes() for seed, step in ((1, 0), (1, 0), (2, 0), (1, 1))]
    assert y[0] == y[1]
    assert (y[0] != y[2] and y[0] != y[3]) == ("random" in case.tags)


def passes_do_not_meet(case: Layer) -> None:
    """Two forward passes before the two backward passes: no state is kept but in the closures."""
    first, second = Bench(case, seed=0), Bench(case, seed=1)
    mode = first.mode(update_statistics=False)
    expected = first.run(mode)
    other = first.run(mode, second.inputs, second.weights)
    first.graph.zero_grad()
    outputs = [first.graph.forward(bench.inputs, mode=mode) for bench in (first, second)]
    found = outputs[0][1]({"y": first.weights})
    assert_same({f"d{wire}": dx for wire, dx in found.items()}, {k: v for k, v in expected.items() if k[0] == "d"})
    outputs[1][1]({"y": second.weights})
    assert_close(first.gradients(), {p: expected[p] + other[p] for p in first.graph.parameters}, 1e-12)


def state_is_saved_and_loaded(case: Layer) -> None:
    """A layer that loads the state of another, running statistics included, is the same layer."""
    bench, other = Bench(case), Bench(case, seed=5)
    bench.run(bench.mode(True))
    state = bench.graph.state()
    assert set(state) == {*bench.graph.parameters, *bench.graph.statistics}
    other.graph.load_state(state)
    y = bench.run(bench.mode(False))["y"]
    assert_same({"y": other.run(bench.mode(False), bench.inputs)["y"]}, {"y": y})
    if bench.graph.statistics:
        bench.run(bench.mode(True, update_statistics=False))
        assert_same(state, bench.graph.state())


def extremes(shape: tuple[int, ...]) -> Iterator[Array]:
    """40 inputs at the edge of what may come (figure N3)."""
    rng = np.random.default_rng(0)
    size = int(np.prod(shape))
    for value in (0.0, -0.0, 1.0, -1.0, 1e4, -1e4, 1e-4, 1e-20, -1e-20, 1e-38, 1e-45):
        yield np.full(shape, value)
    for exponent in (-40, -30, -20, -10, -5, -2, 0, 2, 4):
        yield 10.0**exponent * rng.standard_normal(shape)
        yield 10.0**exponent * rng.choice([-1.0, 1.0], shape)
    yield np.linspace(-1e4, 1e4, size).reshape(shape)
    yield np.linspace(-1, 1, size).reshape(shape)
    yield np.where(np.arange(size) % 2, 1e4, -1e4).reshape(shape)
    yield np.where(np.arange(size) == size // 2, 1e4, 0).reshape(shape)
    yield np.where(np.arange(size) == size // 2, -1e4, 0).reshape(shape)
    yield np.where(np.arange(size) == size // 2, 1e-30, 1e4).reshape(shape)
    yield np.where(rng.random(shape) < 0.5, 0, 1e4 * rng.standard_normal(shape))
    yield np.where(rng.random(shape) < 0.9, 0, rng.standard_normal(shape))
    yield np.broadcast_to(1e4 * rng.standard_normal(shape[-1:]), shape).copy()
    yield 1e4 + 1e-3 * rng.standard_normal(shape)
    yield -1e4 + rng.standard_normal(shape)


def extremes_stay_finite(case: Layer) -> None:
    """40 extreme inputs give finite outputs and gradients, without a warning."""
    for dtype, kernels in ((np.float64, "reference"), (np.float32, "reference"), (np.float32, "auto")):
        bench = Bench(case, dtype, kernels=kernels)
        free = [i for i in range(len(case.shapes)) if i not in case.integers and i not in case.masks]
        for values in zip(*(extremes((bench.size, *case.shapes[i])) for i in free), strict=True):
            with np.errstate(under="ignore"):
                bench.inputs |= {f"x{i}": value.astype(dtype) for i, value in zip(free, values, strict=True)}
            for training in MODES:
                for name, array in bench.run(bench.mode(training)).items():
                    assert np.isfinite(array).all(), (name, values)


def compiled_agrees(case: Layer) -> None:
    """The compiled kernels give what the reference gives, but for rounding."""
    for size in (1, 3, 8, 33):
        plain = Bench(case, np.float32, size=size)
        fast = Bench(case, np.float32, size=size, kernels="auto")
        for training in MODES:
            assert_close(fast.run(fast.mode(training)), plain.run(plain.mode(training)), 2e-5)
            inference = fast.graph.forward(fast.inputs, mode=fast.mode(False, backward=False))[0]
            expected = plain.graph.forward(plain.inputs, mode=plain.mode(False))[0]
            assert_close(inference, expected, 2e-5)


def strides_do_not_matter(case: Layer) -> None:
    """Inputs and gradients that lie in memory in another order give the same results."""
    for dtype, kernels, tolerance in IMPLEMENTATIONS:
        bench = Bench(case, dtype, kernels=kernels)
        scattered = {wire: np.asfortranarray(x) for wire, x in bench.inputs.items()}
        apart = np.repeat(bench.weights, 2, axis=-1)[..., ::2]
        for training in MODES:
            mode = bench.mode(training, update_statistics=False)
            assert_close(bench.run(mode, scattered, apart), bench.run(mode), tolerance)


def input_gradients_are_optional(case: Layer) -> None:
    """Without the inputs' gradients the parameters' are the same."""
    for dtype, kernels, tolerance in IMPLEMENTATIONS:
        bench = Bench(case, dtype, kernels=kernels)
        whole = bench.run(bench.mode())
        bench.run(bench.mode(input_gradients=False))
        assert_close(bench.gradients(), {path: whole[path] for path in bench.graph.parameters}, tolerance)


def micro_batches_add_up(case: Layer) -> None:
    """The gradients of three micro-batches add up to that of the batch."""
    if {"random", "batch_coupled"} & case.tags:
        return
    bench = Bench(case, size=12)
    whole = bench.run(bench.mode())
    bench.graph.zero_grad()
    for part in (slice(0, 4), slice(4, 8), slice(8, 12)):
        _, backward = bench.graph.forward({wire: x[part] for wire, x in bench.inputs.items()}, mode=bench.mode())
        dxs = backward({"y": bench.weights[part]})
        assert_close(dict(dxs), {w: whole[f"d{w}"][part] for w in dxs}, 1e-12)
    assert_close(bench.gradients(), {path: whole[path] for path in bench.graph.parameters}, 1e-12)


class PoisonedArena(Arena):
    """An arena whose arrays hold NaN when they are handed out, and again when their planned life is over."""

    def empty(self, shape: tuple[int, ...], dtype: Any) -> Array:
        plan, index = self._plan, self._cursor
        if plan is not None:
            for position, end in enumerate(plan.ends):
                if end == index and position < index:
                    poison(plan.views[position])
        array = super().empty(shape, dtype)
        poison(array)
        return array


def poison(array: Array) -> None:
    """Fill with what no right result comes from."""
    array[...] = np.nan if array.dtype.kind in "fc" else -1


def arena_changes_nothing(case: Layer) -> None:
    """In planned memory, poisoned wherever it is free, the results are the same bit for bit, for all sizes."""
    for dtype, kernels in ((np.float64, "reference"), (np.float32, "auto")):
        benches = {size: Bench(case, dtype, size=size, kernels=kernels) for size in (4, 2, 7)}
        for training in MODES:
            for arena in (Arena(), PoisonedArena()):
                mode = Mode(training, kernels=benches[4].kernels, arena=arena, update_statistics=False)
                for size in (4, 4, 4, 2, 4, 2, 2, 7, 7, 4, 7):
                    bench = benches[size]
                    mode.begin(0, size)
                    assert_same(bench.run(mode), bench.run(bench.mode(training, update_statistics=False)))


LAYER_CHECKS: list[Callable[[Layer], None]] = [
    promised_shape_is_real,
    complex_step_agrees,
    central_differences_agree,
    gradients_accumulate,
    dtype_is_kept,
    nothing_given_is_written_to,
    inference_is_pure,
    training_couples_only_what_it_says,
    draws_follow_from_the_seed,
    passes_do_not_meet,
    state_is_saved_and_loaded,
    extremes_stay_finite,
    compiled_agrees,
    strides_do_not_matter,
    input_gradients_are_optional,
    micro_batches_add_up,
    arena_changes_nothing,
]


def length_does_not_matter(case: Layer) -> None:
    """A layer of any length treats a sequence that ends early as one that was built for that length."""
    bench = Bench(case, np.float32, kernels="auto")
    steps = case.shapes[0][0] - 1
    short = Bench(replace(case, shapes=tuple((steps, *shape[1:]) for shape in case.shapes)), np.float32, kernels="auto")
    like = short.graph.state()  # what a layer has for each place of a sequence is shorter
    short.graph.load_state({path: array[: len(like[path])] for path, array in bench.graph.state().items()})
    inputs = {wire: x[:, :steps] for wire, x in bench.inputs.items()}
    found, wanted = (each.run(each.mode(False), inputs, short.weights) for each in (bench, short))
    for name, array in wanted.items():
        np.testing.assert_allclose(found[name][: len(array)], array, rtol=2e-5, atol=2e-5)
