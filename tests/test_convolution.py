"""Convolution: what is particular to it, beyond the contract tests and the parity with PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from small_models import batch_of, graph_of, objective_of

from dltrain import build_model
from dltrain.errors import ConfigError
from dltrain.kernels import namespace
from dltrain.kernels.arrays import Array
from dltrain.kernels.window import Window
from dltrain.layers.base import ShapeError
from dltrain.layers.geometry import fit
from dltrain.model.mode import Mode
from dltrain.model.summary import summarize
from dltrain.training.gradient_check import check_gradients

REFERENCE = namespace("reference")


def empty(shape: tuple[int, ...], dtype: Any) -> Array:
    """Scratch memory in the worst state."""
    return np.full(shape, np.nan, dtype)


class Drawn:
    """A convolution with options drawn at random: everything a config can ask for, at small sizes.

    Parameters:
        seed: of the draw
        channels: the most there may be, and of filters; by default 4, 20 or 40
    """

    def __init__(self, seed: int, channels: int | None = None) -> None:
        rng = np.random.default_rng(seed)
        rank = int(rng.choice([1, 2, 2, 2, 3]))

        def draw(high: int, low: int = 1) -> list[int]:
            return [int(n) for n in rng.integers(low, high + 1, rank)]

        while True:
            space, sizes, strides = draw({1: 40, 2: 14, 3: 6}[rank]), draw(5 if rank < 3 else 3), draw(3)
            dilation = draw(3) if rng.random() < 0.4 else [1] * rank
            padding = ["same", "valid", draw(3, 0)][rng.integers(3)]
            groups = int(rng.choice([1, 1, 1, 2, 3]))
            try:
                geometry = fit(tuple(space), sizes, strides, padding, dilation, groups)
            except ShapeError:  # a kernel that does not fit: draw again
                continue
            break
        most = int(rng.choice([4, 20, 40])) if channels is None else channels
        channels, filters = (groups * int(n) for n in rng.integers(1, most // groups + 1, 2))
        if rng.random() < 0.2:  # depthwise
            groups = filters = channels
            geometry = geometry._replace(window=geometry.window._replace(groups=groups))
        self.seed, self.window, self.activation = seed, geometry.window, str(rng.choice(["linear", "relu", "tanh"]))
        self.about = f"{space}x{channels}->{filters} {sizes} strides {strides} {padding} dilation {dilation} / {groups}"
        normal = rng.standard_normal
        self.x = normal((int(rng.integers(1, 6)), *space, channels))
        self.W = normal((*geometry.sizes, channels // groups, filters)) / np.sqrt(self.x.size / len(self.x))
        self.b = normal(filters) if rng.random() < 0.7 else None
        self.dy = normal((len(self.x), *geometry.places, filters))
        self.add = bool(rng.random() < 0.5)
        self.dW, self.db = normal(self.W.shape), None if self.b is None else normal(filters)

    def run(self, kernels: Any, dtype: Any) -> dict[str, Array]:
        """Output and gradients, by these kernels."""

        def cast(array: Array | None) -> Any:
            return None if array is None else array.astype(dtype)

        x, W, b, dy, dW, db = map(cast, (self.x, self.W, self.b, self.dy, self.dW, self.db))
        rest = self.activation, self.window
        y = kernels.convolution(x, W, b, *rest, empty(dy.shape, dtype), empty)
        kernels.convolution_weights(x, y, dy, dW, db, *rest, self.add, empty)
        dx = kernels.convolution_inputs(W, y, dy, empty(x.shape, dtype), *rest, empty)
        return {"y": y, "dW": dW, "dx": dx} | ({} if db is None else {"db": db})


def assert_as_specified(case: Drawn) -> dict[str, Array]:
    """Every output and gradient of the compiled kernels is the reference's; returns them."""
    found, expected = case.run(namespace("compiled"), np.float32), case.run(REFERENCE, np.float64)
    for name, array in expected.items():
        error = np.abs(found[name] - array).max()
        assert error <= 5e-6 * max(1.0, np.abs(array).max()), (case.seed, name, case.about)
    return found


@pytest.mark.parametrize("seeds", range(0, 300, 20))
def test_compiled_convolution_does_what_the_reference_specifies(seeds: int) -> None:
    """300 option sets, every output and gradient; inference with packed weights is bit for bit the same."""
    pytest.importorskip("numba")
    compiled = namespace("compiled")
    for seed in range(seeds, seeds + 20):
        case = Drawn(seed)
        found = assert_as_specified(case)
        x, W, b = (None if array is None else array.astype(np.float32) for array in (case.x, case.W, case.b))
        y = compiled.convolution_inference(
            x, Kept(W), b, case.activation, case.window, np.empty_like(found["y"]), empty, Kept.derived
        )
        np.testing.assert_array_equal(y, found["y"])


@pytest.mark.parametrize("add", [False, True])
@pytest.mark.parametrize(("shape", "filters"), [((3, 5, 7), 40), ((2, 1, 1, 33), 5), ((4, 20, 20, 300), 130)])
def test_a_kernel_of_one_point_is_a_matrix_product(shape: tuple[int, ...], filters: int, add: bool) -> None:
    """Bit for bit the dense layer's, with all pixels for its rows; and what the reference specifies."""
    pytest.importorskip("numba")
    kernels, normal = namespace("compiled"), np.random.default_rng(len(shape)).standard_normal
    *space, channels = shape
    axes = len(space) - 1
    window, ones = Window((1,) * axes, (1,) * axes, (0,) * axes), (1,) * axes
    x, dy, b = normal(shape), normal((*space, filters)), normal(filters)
    W = normal((*ones, channels, filters)) / channels**0.5
    dW, db = normal(W.shape), normal(filters)

    def run(kernels: Any, dtype: Any) -> list[Array]:
        xs, Ws, bs, dys, dWs, dbs = (array.astype(dtype) for array in (x, W, b, dy, dW, db))
        y = kernels.convolution(xs, Ws, bs, "tanh", window, empty(dys.shape, dtype), empty)
        kernels.convolution_weights(xs, y, dys, dWs, dbs, "tanh", window, add, empty)
        return [y, dWs, dbs, kernels.convolution_inputs(Ws, y, dys, empty(shape, dtype), "tanh", window, empty)]

    found = run(kernels, np.float32)
    for array, expected in zip(found, run(REFERENCE, np.float64), strict=True):
        assert np.abs(array - expected).max() <= 5e-6 * max(1.0, np.abs(expected).max())
    rows, wide, bias = (a.astype(np.float32) for a in (x.reshape(-1, channels), W.reshape(channels, filters), b))
    y = kernels.affine(rows, wide, bias, "tanh", empty((len(rows), filters), np.float32), empty)
    back = [a.astype(np.float32) for a in (dW.reshape(wide.shape), db, rows)]
    dys = dy.reshape(y.shape).astype(np.float32)
    kernels.affine_backward(rows, wide, y, dys, *back, "tanh", add, empty)
    for array, expected in zip(found, [y, *back], strict=True):
        np.testing.assert_array_equal(array.reshape(expected.shape), expected)


@pytest.mark.parametrize("seeds", range(1000, 1060, 20))
def test_threads_and_many_channels_change_nothing(seeds: int, all_threads: None) -> None:
    """Small work on all threads, and 300 channels and filters."""
    for seed in range(seeds, seeds + 20):
        assert_as_specified(Drawn(seed))
    for seed in range(seeds, seeds + 5):
        assert_as_specified(Drawn(seed, 300))


class Kept:
    """As much of a Parameter as inference needs."""

    def __init__(self, value: Any) -> None:
        self.value = value

    @staticmethod
    def derived(key: str, shape: tuple[int, ...], fill: Callable[[Array], Any]) -> Array:
        array = empty(shape, np.float32)
        fill(array)
        return array


@pytest.mark.parametrize("seed", range(60))
def test_backward_is_the_adjoint_of_forward(seed: int) -> None:
    """⟨Ax, y⟩ = ⟨x, A'y⟩ for the data, and ⟨A W, y⟩ = ⟨W, A'y⟩ for the weights, to 1e-13."""
    case = Drawn(seed)
    case.activation, case.b, case.db, case.add = "linear", None, None, False
    found = case.run(REFERENCE, np.float64)
    value = (found["y"] * case.dy).sum()
    scale = np.linalg.norm(found["y"]) * np.linalg.norm(case.dy)
    for a, b in ((case.x, found["dx"]), (case.W, found["dW"])):
        assert abs((a * b).sum() - value) <= 1e-13 * scale, case.about


def transcribed(x: Array, W: Array, window: Window, out: tuple[int, ...]) -> Array:
    """The definition, term by term."""
    y = np.zeros(out)
    channels, filters = W.shape[-2], W.shape[-1] // window.groups
    for place in np.ndindex(*out[:-1]):
        for point in np.ndindex(*W.shape[:-2]):
            n, *o = place
            axes = zip(o, point, window.strides, window.dilation, window.before, strict=True)
            at = tuple(i * s + k * d - p for i, k, s, d, p in axes)
            if all(0 <= i < extent for i, extent in zip(at, x.shape[1:-1], strict=True)):
                for g in range(window.groups):
                    seen, wanted = slice(g * channels, (g + 1) * channels), slice(g * filters, (g + 1) * filters)
                    y[(*place, wanted)] += x[(n, *at, seen)] @ W[(*point, slice(None), wanted)]
    return y


@pytest.mark.parametrize("seed", range(100, 112))
def test_the_reference_is_the_definition(seed: int) -> None:
    case = Drawn(seed)
    case.activation, case.b, case.db = "linear", None, None
    y = case.run(REFERENCE, np.float64)["y"]
    np.testing.assert_allclose(y, transcribed(case.x, case.W, case.window, y.shape), atol=1e-13)


@pytest.mark.parametrize(
    ("extent", "size", "stride", "before", "places"),
    [
        (5, 3, 1, 1, 5),
        (6, 2, 1, 0, 6),
        (6, 4, 1, 1, 6),
        (6, 3, 2, 0, 3),
        (5, 3, 2, 1, 3),
        (7, 1, 3, 0, 3),
        (2, 7, 1, 3, 2),
    ],
)
def test_same_padding_is_tensorflow_s(extent: int, size: int, stride: int, before: int, places: int) -> None:
    geometry = fit((extent,), size, stride, "same", 1)
    assert (geometry.window.before, geometry.places) == ((before,), (places,))


@pytest.mark.parametrize(
    ("layer", "shape", "words"),
    [
        ({"filters": 4}, (7,), "takes sequences, images or volumes"),
        ({"filters": 4, "kernel_size": [3, 3]}, (7, 2), "kernel_size [3, 3] is for an image of 2 axes"),
        ({"filters": 4, "strides": [2]}, (7, 7, 2), "strides [2] is for an image of 1 axis,"),
        ({"filters": 4, "padding": [1, 1, 1]}, (7, 7, 2), "padding [1, 1, 1] is for an image of 3 axes"),
        ({"filters": 4, "kernel_size": 5, "padding": "valid"}, (4, 9, 2), "spans 5×5 points does not fit into 4×9"),
        ({"filters": 4, "dilation_rate": 4, "padding": 0}, (8, 8, 2), "spans 9×9 points does not fit"),
        ({"filters": 4, "groups": 3}, (8, 8, 6), "6 channels and 4 filters make no 3 groups"),
    ],
)
def test_what_does_not_fit_is_refused(layer: dict[str, Any], shape: tuple[int, ...], words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        build_model({"graph": {"y": [{"conv": layer}]}}, {"x": shape})
    assert "y.0.conv" in str(caught.value) and words in str(caught.value)


def test_the_number_of_weights_and_multiply_adds() -> None:
    layers = [{"conv": {"filters": 6, "kernel_size": 5}}, {"conv": {"filters": 4, "strides": 2, "groups": 2}}]
    rows = summarize(build_model({"graph": {"y": layers}}, {"x": (28, 28, 1)}), 1).rows
    assert [row.parameters for row in rows] == [25 * 6 + 6, 9 * 3 * 4 + 4]
    assert [row.macs for row in rows] == [28 * 28 * 25 * 6, 14 * 14 * 9 * 3 * 4]
    assert [row.receptive_field for row in rows] == [5, 7]


def test_initial_weights_have_the_variance_of_their_fans() -> None:
    layer = {"conv": {"filters": 64, "groups": 2, "kernel_initializer": "glorot_normal"}}
    kernel = build_model({"graph": {"y": [layer]}}, {"x": (4, 4, 32)}).parameters["y.0.conv.kernel"]
    assert kernel.fans == (9 * 16, 9 * 32)
    assert kernel.value.var() == pytest.approx(2 / sum(kernel.fans), rel=0.05)


@pytest.mark.parametrize("space", [(9,), (6, 5), (4, 3, 4)])
def test_a_model_of_convolutions_passes_the_gradient_check(space: tuple[int, ...]) -> None:
    chain = [{"conv": {"filters": 4, "strides": 2}}, "relu", {"conv": 3}, "tanh", "flatten", {"dense": 3}]
    graph = graph_of({"graph": {"y": chain}}, {"x": (*space, 2)}, dtype="float32")
    batch = batch_of(graph, "classification", 5, np.random.default_rng(0))
    assert check_gradients(objective_of(graph, "classification"), batch).passed


@pytest.mark.parametrize("multiplier", [1, 2])
def test_a_separable_convolution_is_two_convolutions(multiplier: int) -> None:
    """The same numbers, gradients and costs as the chain it stands for, also where it is the first to be trained."""
    x = np.random.default_rng(0).standard_normal((2, 7, 6, 3))
    first = {"strides": 2, "depth_multiplier": multiplier, "use_bias": False}
    chain = [{"depthwise_conv": first}, {"conv": {"filters": 4, "kernel_size": 1}}]
    layer = [{"separable_conv": {"filters": 4, "strides": 2, "depth_multiplier": multiplier}}]
    models = [build_model({"graph": {"y": part}}, {"x": x.shape[1:]}, dtype="float64") for part in (chain, layer)]
    for a, b in zip(*(model.parameters.values() for model in models), strict=True):
        assert (a.shape, a.fans, a.decays) == (b.shape, b.fans, b.decays)
        b.value[...] = a.value
    found = []
    for model in models:
        model.zero_grad()
        outputs, backward = model.forward({"x": x}, mode=Mode(True, input_gradients=False))
        backward({"y": np.cos(outputs["y"])})
        found.append([outputs["y"], *(parameter.grad for parameter in model.parameters.values())])
    for a, b in zip(*found, strict=True):
        np.testing.assert_array_equal(a, b)
    costs = [summarize(model, 1) for model in models]
    assert costs[0].macs == costs[1].macs and costs[0].rows[-1].receptive_field == costs[1].rows[-1].receptive_field
