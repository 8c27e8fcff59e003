"""What is particular to pooling: ties, padding, leftovers, borders, and what is refused (values: test_layers.py)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from small_models import graph_of

from dltrain import build_model
from dltrain.errors import ConfigError
from dltrain.kernels import namespace, select
from dltrain.kernels.arrays import Array
from dltrain.kernels.pool import Pool
from dltrain.model.memory import Arena
from dltrain.model.mode import Mode


def pooled(spec: Any, x: Any, dy: Any = None, dtype: str = "float64") -> tuple[np.ndarray, np.ndarray]:
    """Output and input gradient of one layer; dy is 1, 2, … unless it is given."""
    x = np.asarray(x, dtype)
    model = build_model({"graph": {"y": [spec]}}, {"x": x.shape[1:]}, dtype=dtype)
    outputs, backward = model.forward({"x": x})
    y = outputs["y"]
    dy = np.arange(1.0, y.size + 1).reshape(y.shape).astype(dtype) if dy is None else dy
    return y, backward({"y": dy})["x"]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_the_first_of_equal_maxima_gets_the_gradient(dtype: str) -> None:
    x = np.zeros((1, 4, 4, 40))
    x[0, 1, 1] = x[0, 0, 1] = 5
    _, dx = pooled("max_pool", x, dtype=dtype)
    channels = np.arange(40)
    expected = np.zeros((4, 4, 40))
    expected[0, 1], expected[0, 2] = 1 + channels, 41 + channels
    expected[2, 0], expected[2, 2] = 81 + channels, 121 + channels
    np.testing.assert_array_equal(dx[0], expected)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_mean_is_that_of_the_image_s_points_unless_padding_counts(dtype: str) -> None:
    ones = np.ones((2, 5, 7, 3))
    for spec in ({"padding": "same"}, {"padding": 1}, {"padding": 1, "ceil_mode": True}):
        y, _ = pooled({"avg_pool": {"pool_size": 3, "strides": 2, **spec}}, ones, dtype=dtype)
        np.testing.assert_allclose(y, 1, rtol=1e-6)
    y, _ = pooled({"avg_pool": {"pool_size": 3, "padding": 1, "count_include_pad": True}}, ones, dtype=dtype)
    np.testing.assert_allclose(y[0, :, :, 0], np.outer([2, 3], [2, 3, 2]) / 9, rtol=1e-6)


@pytest.mark.parametrize("kind", ["max_pool", "avg_pool", "lp_pool"])
def test_same_makes_as_many_windows_as_strides_fit(kind: str) -> None:
    for extent in range(1, 9):
        for size in range(1, 5):
            for strides in range(1, 5):
                spec = {kind: {"pool_size": size, "strides": strides, "padding": "same"}}
                y, dx = pooled(spec, np.arange(1.0, extent + 1).reshape(1, extent, 1))
                assert y.shape == (1, -(-extent // strides), 1) and np.isfinite(dx).all()


def test_with_ceil_mode_no_point_is_left_over() -> None:
    for extent in range(3, 12):
        for size in (2, 3):
            x = np.arange(float(extent)).reshape(1, extent, 1)
            y, dx = pooled({"max_pool": {"pool_size": size, "ceil_mode": True}}, x)
            assert y.max() == extent - 1 and (dx > 0).sum() == y.size == -(-extent // size)


@pytest.mark.parametrize("layer", ["global_avg_pool", {"avg_pool": 224}])
def test_the_mean_of_a_large_image_is_exact(layer: Any) -> None:
    y, _ = pooled(layer, np.full((1, 224, 224, 1), 0.1), dtype="float32")
    np.testing.assert_allclose(y, np.float32(0.1), rtol=1e-6)


@pytest.mark.parametrize("size", [1e-30, 1e-4, 1e4, 1e30])
def test_no_power_overflows_or_vanishes(size: float) -> None:
    x = np.array([1.0, -2.0, 3.0, 3.0]).reshape(1, 4, 1) * size
    y, dx = pooled({"lp_pool": {"pool_size": 2, "power": 40}}, x, np.ones((1, 2, 1)), dtype="float32")
    np.testing.assert_allclose(y.ravel() / size, [2.0, 3.0 * 2 ** (1 / 40)], rtol=1e-5)
    half = 2 ** (-39 / 40)
    np.testing.assert_allclose(dx.ravel(), [0, -1, half, half], atol=1e-5)


def test_a_mean_with_same_counts_the_points_that_padding_adds() -> None:
    y, _ = pooled({"avg_pool": {"pool_size": 2, "padding": "same", "count_include_pad": True}}, np.ones((1, 3, 1)))
    np.testing.assert_allclose(y.ravel(), [1, 0.5])


def test_nothing_is_kept_for_a_backward_that_does_not_come() -> None:
    graph = graph_of({"inputs": {"x": [4, 4, 2]}, "graph": {"y": ["max_pool"]}}, {"x": (4, 4, 2)}, dtype="float32")
    sizes = {}
    for wanted in (True, False):
        arena = Arena()
        mode = Mode(False, kernels=select("auto"), arena=arena, backward=wanted)
        for _ in range(2):
            mode.begin(0)
            graph.forward({"x": np.ones((8, 4, 4, 2), np.float32)}, mode=mode)
        sizes[wanted] = arena.planned_bytes((False, wanted, None))
    assert sizes[False] == 8 * 2 * 2 * 2 * 4 and sizes[True] == 2 * sizes[False]


@pytest.mark.parametrize(
    ("spec", "shape", "words"),
    [
        ({"max_pool": 5}, (4, 4, 1), "windows of 5×5 do not fit into 4×4"),
        ({"avg_pool": {"pool_size": 2, "padding": 2}}, (4, 4, 1), "lie outside the image"),
        ({"max_pool": {"pool_size": 2, "padding": "same", "ceil_mode": True}}, (5, 1), "ceil_mode has no effect"),
        ({"avg_pool": {"pool_size": 2, "count_include_pad": True}}, (4, 1), "count_include_pad has no effect"),
        ({"avg_pool": {"pool_size": 2, "padding": "same", "count_include_pad": True}}, (4, 1), "there is no padding"),
        ({"max_pool": [2, 2]}, (4, 1), "pool_size [2, 2] is for an image of 2 axes, but this one has 1"),
        ({"lp_pool": 2}, (4,), "pooling takes sequences, images or volumes"),
        ("global_avg_pool", (4,), "pooling takes sequences, images or volumes"),
    ],
)
def test_what_does_not_fit_is_refused(spec: Any, shape: tuple[int, ...], words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        build_model({"graph": {"y": [spec]}}, {"x": shape})
    assert words in str(caught.value)


@pytest.mark.parametrize("seeds", range(0, 100, 20))
def test_compiled_pooling_does_what_the_reference_specifies(seeds: int) -> None:
    """100 windows, from one channel to more than two vectors of them, over the edges too; of equal values the first."""
    pytest.importorskip("numba")
    plain, fast = namespace("reference"), namespace("compiled")
    for seed in range(seeds, seeds + 20):
        rng = np.random.default_rng(seed)
        rank = int(rng.choice([1, 2, 2, 3]))
        sizes, strides = rng.integers(1, 4, rank), rng.integers(1, 4, rank)
        before, after = (rng.integers(0, sizes) for _ in range(2))
        space = rng.integers(3, 12, rank)
        places = (space + before + after - sizes) // strides + 1
        pool = Pool(*(tuple(int(n) for n in axes) for axes in (sizes, strides, before)))
        channels = int(rng.choice([1, 3, 6, 15, 16, 20, 37]))
        x = rng.integers(-3, 4, (2, *space, channels)).astype(np.float32)
        dy = rng.integers(-9, 10, (2, *places, channels)).astype(np.float32)
        scales = tuple(rng.integers(1, 5, n).astype(np.float32) for n in places)
        found: dict[str, list[Array]] = {}
        for kernels in (plain, fast):
            y, total, index = np.empty_like(dy), np.empty_like(dy), np.empty(dy.shape, np.int32)
            dx, spread = np.full_like(x, np.nan), np.full_like(x, np.nan)
            kernels.max_pool(x, pool, y, index)
            kernels.max_pool_backward(dy, index, pool, dx)
            kernels.sum_pool(x, pool, scales, total)
            kernels.sum_pool_backward(dy, pool, scales, spread)
            found[kernels.name] = [y, index, dx, total, spread]
        for a, b in zip(found["reference"], found["compiled"], strict=True):
            np.testing.assert_array_equal(a, b, str((seed, pool, x.shape)))  # whole numbers: exact in any order
