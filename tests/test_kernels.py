"""The compiled kernels do what the reference kernels specify: same signatures, same values, same guarantees."""

from __future__ import annotations

import importlib
import inspect
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dltrain.errors import UsageError
from dltrain.kernels import namespace, select
from dltrain.kernels.arrays import Array
from dltrain.kernels.pool import Pool
from dltrain.kernels.window import Window

pytest.importorskip("numba")

REFERENCE, COMPILED = namespace("reference"), namespace("compiled")
F = np.float32
ACTIVATIONS = ("linear", "relu", "tanh", "sigmoid")
# Rows, inputs, outputs: nothing, one, either side of a tile's edges, large enough for several threads, sums so
# long that they are made in parts, and rows so many that they are taken in blocks.
PRODUCTS = [
    (0, 5, 6), (5, 0, 3), (5, 3, 0), (1, 1, 1), (3, 1, 1), (1, 400, 120), (2, 30, 70), (5, 7, 15), (6, 8, 16),
    (7, 9, 17), (8, 16, 32), (9, 17, 33), (13, 5, 84), (10, 64, 30), (64, 65, 31), (63, 64, 130), (128, 128, 10),
    (130, 300, 65), (20, 600, 33), (200, 513, 530),
    (1500, 400, 300),
]  # fmt: skip
WINDOWS = Pool((2, 3), (2, 1), (0, 1))  # over an picture (5, C), of which they make (2, C)
SHAPES = [(0, 4), (1, 1), (1, 7), (5, 1), (7, 3), (33, 17), (128, 10), (300, 200)]


def empty(shape: tuple[int, ...], dtype: Any) -> Array:
    """Scratch memory in the worst state."""
    return np.full(shape, np.nan if np.dtype(dtype).kind == "f" else -1, dtype)


class Weights:
    """As much of a Parameter as inference needs."""

    def __init__(self, value: Array) -> None:
        self.value = value

    def derived(self, key: str, shape: tuple[int, ...], fill: Callable[[Array], Any]) -> Array:
        array = np.full(shape, np.nan, self.value.dtype)
        fill(array)
        return array


def close(got: Any, expected: Any, tolerance: float = 2e-6) -> None:
    """Equal up to rounding, by the size of the largest number."""
    got, expected = np.asarray(got), np.asarray(expected)
    assert got.shape == expected.shape
    scale = max(1.0, float(np.abs(expected).max(initial=0)))
    np.testing.assert_allclose(got, expected, rtol=0, atol=tolerance * scale)


def normal(*shape: int, seed: int = 0) -> Array:
    """Float32 numbers from a normal distribution."""
    return np.random.default_rng([seed, *shape]).standard_normal(shape).astype(F)


def wide(arguments: Any) -> Any:
    """Copies of all float32 arrays in float64."""
    if isinstance(arguments, tuple):
        return tuple(wide(a) for a in arguments)
    if isinstance(arguments, np.ndarray):
        return arguments.astype(np.float64) if arguments.dtype == F else arguments.copy()
    return arguments


def product(M: int, I: int, O: int) -> tuple[Array, Array, Array]:
    """x, W and b of a dense layer."""
    return normal(M, I), normal(I, O, seed=1) / F(max(I, 1) ** 0.5), normal(O, seed=2)


def recurrent_calls(N: int, H: int) -> dict[str, Any]:
    """Both ways of a masked LSTM, whose state is dropped in part."""
    U, p, first = normal(H, 4 * H, seed=30) / F(max(H, 1) ** 0.5), normal(3, H, seed=31), normal(2, N, H, seed=32)
    mask, keep = (normal(N, 3, seed=33) > -0.5).astype(F), (normal(N, H, seed=34) > 0).astype(F)
    given, there = (U, p, mask, keep, first), normal(N, 3, H, seed=35)
    gates = 1 / (1 + np.exp(-normal(N, 3, 4 * H, seed=36)))
    return {
        "recurrence": (
            given,
            (normal(N, 3, 4 * H, seed=37), *(empty((N, 3, H), F) for _ in range(3)), empty((2, N, H), F)),
            lambda f, i, o: f("lstm", o[0], *i, True, *o[1:], empty),
        ),
        "recurrence_inference": (
            (U, p, mask, first),
            (normal(N, 3, 4 * H, seed=37), empty((N, 3, H), F), empty((2, N, H), F)),
            lambda f, i, o: f("lstm", o[0], Weights(i[0]), *i[1:], True, *o[1:], empty, Weights(i[0]).derived),
        ),
        "recurrence_backward": (
            (*given, there, np.tanh(there), normal(N, 3, H, seed=38)),
            (gates, empty((N, 3, 4 * H), F), normal(3, H, seed=39)),
            lambda f, i, o: f("lstm", o[0], *i[:5], True, *i[5:], *o[1:], True, empty),
        ),
    }


# One call of every kernel: name -> (inputs that must stay as they are, outputs), for a shape (rows, columns).
def calls(shape: tuple[int, int]) -> dict[str, tuple[tuple[Any, ...], tuple[Any, ...], Callable[..., Any]]]:
    """name: (inputs, outputs, call(function, inputs, outputs)) for every kernel but the products' grid."""
    N, C = shape
    x, dy, y = normal(N, C), normal(N, C, seed=1), normal(N, C, seed=2)
    gamma, beta, mean = normal(C, seed=3), normal(C, seed=4), normal(C, seed=5)
    deviation = np.abs(normal(C, seed=6)) + F(0.5)
    labels = np.random.default_rng(N).integers(0, C, N)
    index = np.random.default_rng(C).integers(0, max(N, 1), 2 * N)
    targets = (normal(N, C, seed=7) > 0).astype(F)
    out, db, dg = empty(shape, F), normal(C, seed=8), normal(C, seed=9)
    W = normal(C, 9, seed=10)
    gradients = (normal(C, 9, seed=11), normal(9, seed=12), empty(shape, F))
    probability = np.abs(y) / np.maximum(np.abs(y).sum(1, keepdims=True), F(1e-9)).astype(F)
    picture = normal(N, 5, C, 3, seed=13)
    pooled, chosen = normal(N, 2, C, 3, seed=14), np.random.default_rng(N).integers(0, 6, (N, 2, C, 3)).astype(np.int32)
    scales = (np.full(2, 0.5, F), normal(C, seed=15))
    image, window = normal(N, 4, 3, C), Window((2, 1), (1, 2), (1, 0))
    kernel = normal(3, 2, C, 7, seed=13) / F(max(6 * C, 1) ** 0.5)
    seen, dseen = normal(N, 2, 3, 7, seed=14), normal(N, 2, 3, 7, seed=15)
    weights = (normal(*kernel.shape, seed=16), normal(7, seed=17))
    grouped, statistics = normal(N, 3, 2 * C, seed=18), (normal(N, 2, seed=5), np.abs(normal(N, 2, seed=6)) + F(0.5))
    each = normal(2 * C, seed=19), normal(2 * C, seed=20)
    counts, two, sums = np.zeros((C, C), np.int64), np.zeros((2, 2), np.int64), np.zeros((5, C))
    return {
        "affine": ((x, W, normal(9)), (empty((N, 9), F),), lambda f, i, o: f(*i, "relu", *o, empty)),
        "affine_inference": (
            (x, W, normal(9)), (empty((N, 9), F),),
            lambda f, i, o: f(i[0], Weights(i[1]), i[2], "tanh", *o, empty, Weights(i[1]).derived),
        ),
        "affine_backward": (
            (x, W, np.tanh(normal(N, 9)), normal(N, 9, seed=3)), gradients,
            lambda f, i, o: f(*i, *o, "tanh", True, empty),
        ),
        "convolution": (
            (image, kernel, normal(7)), (empty(seen.shape, F),), lambda f, i, o: f(*i, "relu", window, *o, empty)
        ),
        "convolution_inference": (
            (image, kernel, normal(7)), (empty(seen.shape, F),),
            lambda f, i, o: f(i[0], Weights(i[1]), i[2], "tanh", window, *o, empty, Weights(i[1]).derived),
        ),
        "convolution_weights": (
            (image, np.tanh(seen), dseen), weights, lambda f, i, o: f(*i, *o, "tanh", window, True, empty)
        ),
        "convolution_inputs": (
            (kernel, seen, dseen), (empty(image.shape, F),), lambda f, i, o: f(*i, *o, "relu", window, empty)
        ),
        **recurrent_calls(N, C),
        "scatter_rows": (
            (np.random.default_rng(N).integers(-1, 7, 2 * N), normal(2 * N, C, seed=22)), (normal(7, C, seed=23),),
            lambda f, i, o: f(*i, *o, True),
        ),
        "activation": ((x,), (out,), lambda f, i, o: f(*i, "leaky_relu", 0.1, *o)),
        "activation_backward": ((x, y, dy), (out,), lambda f, i, o: f(*i, "sigmoid", 0.0, *o)),
        "softmax": ((x,), (out,), lambda f, i, o: f(*i, *o)),
        "softmax_backward": ((probability, dy), (out,), lambda f, i, o: f(*i, *o)),
        "log_softmax": ((x,), (out,), lambda f, i, o: f(*i, *o)),
        "log_softmax_backward": ((np.log(probability + F(1e-3)), dy), (out,), lambda f, i, o: f(*i, *o)),
        "layer_norm": (
            (x, gamma, beta), (out, empty((N,), F), empty((N,), F)), lambda f, i, o: f(*i, 1e-3, *o)
        ),
        "layer_norm_backward": (
            (x, dy, gamma, normal(N, seed=5), np.abs(normal(N, seed=6)) + F(0.5)), (dg, db, out),
            lambda f, i, o: f(*i, *o, True, empty),
        ),
        "add_bias": ((x, gamma), (out,), lambda f, i, o: f(*i, *o)),
        "bias_gradient": ((dy,), (db,), lambda f, i, o: f(*i, *o, True)),
        "group_norm": (
            (grouped, *each), (empty(grouped.shape, F), empty((N, 2), F), empty((N, 2), F)),
            lambda f, i, o: f(*i, 1e-3, *o),
        ),
        "group_norm_backward": (
            (grouped, normal(N, 3, 2 * C, seed=21), each[0], *statistics), (*each, empty(grouped.shape, F)),
            lambda f, i, o: f(*i, *o, True, empty),
        ),
        "l2_normalize": ((x,), (out,), lambda f, i, o: f(*i, 1e-3, *o)),
        "local_response": ((x,), (out,), lambda f, i, o: f(*i, (3, 0.5, 0.75, 1.0), *o)),
        "local_response_backward": ((x, dy), (out,), lambda f, i, o: f(*i, (3, 0.5, 0.75, 1.0), *o)),
        "l2_normalize_backward": ((x, dy), (out,), lambda f, i, o: f(*i, 1e-3, *o)),
        "prelu": ((x, gamma), (out,), lambda f, i, o: f(*i, *o)),
        "prelu_backward": ((x, dy, gamma), (dg, out), lambda f, i, o: f(*i, *o, True, empty)),
        "largest": ((x,), (out,), lambda f, i, o: f(*i, 1, *o)),
        "largest_backward": ((normal(N, 3 * C), dy), (empty((N, 3 * C), F),), lambda f, i, o: f(*i, 3, *o)),
        "gaussian_noise": ((x,), (out,), lambda f, i, o: f(*i, 12345, 0.4, *o)),
        "gaussian_noise_each": (
            (np.arange(N, dtype=np.uint64) + (1 << 60),), (out,), lambda f, i, o: f(*i, 0.4, *o)
        ),
        "resample": (
            (x.reshape(N, C, 1, 1), np.tile([[0.9, 0.0, 0.3], [0.0, 1.0, 0.0]], (N, 1, 1))), (empty((N, C, 1, 1), F),),
            lambda f, i, o: f(*i, None, "reflect", *o),
        ),
        "recolour": (
            (x.reshape(N, C, 1, 1), np.full((N, 1, 1), 0.7), np.full((N, 1), 0.1), np.array([-1.0]), np.array([1.5])),
            (empty((N, C, 1, 1), F),), lambda f, i, o: f(*i, *o),
        ),
        "multiply": ((x, y, dy), (out,), lambda f, i, o: f(i, *o)),
        "add": ((x, y, dy), (out,), lambda f, i, o: f(i, *o)),
        "dropout": ((x,), (out,), lambda f, i, o: f(*i, 12345, 0.4, *o)),
        "batch_norm": (
            (x, gamma, beta), (out, empty((C,), F), empty((C,), F)),
            lambda f, i, o: f(*i, 1e-3, "relu", *o, empty),
        ),
        "batch_norm_backward": (
            (x, y, dy, gamma, mean, deviation), (dg, db, out), lambda f, i, o: f(*i, *o, "relu", True, empty)
        ),
        "batch_norm_inference": (
            (x, gamma, beta, mean, deviation), (out,), lambda f, i, o: f(*i, 1e-3, "linear", *o)
        ),
        "batch_norm_inference_backward": (
            (x, y, dy, gamma, mean, deviation), (dg, db, out),
            lambda f, i, o: f(*i, 1e-3, *o, "relu", False, empty),
        ),
        "max_pool": (
            (picture,), (empty(pooled.shape, F), empty(pooled.shape, np.int32)), lambda f, i, o: f(*i, WINDOWS, *o)
        ),
        "max_pool_backward": (
            (pooled, chosen), (empty(picture.shape, F),), lambda f, i, o: f(*i, WINDOWS, *o)
        ),
        "pick": ((picture, chosen), (empty(pooled.shape, F),), lambda f, i, o: f(*i, WINDOWS, *o)),
        "sum_pool": (
            (picture, *scales), (empty(pooled.shape, F),), lambda f, i, o: f(i[0], WINDOWS, i[1:], *o)
        ),
        "sum_pool_backward": (
            (pooled, *scales), (empty(picture.shape, F),), lambda f, i, o: f(i[0], WINDOWS, i[1:], *o)
        ),
        "power_pool": ((picture,), (empty(pooled.shape, F),), lambda f, i, o: f(*i, WINDOWS, 3.0, *o)),
        "power_pool_backward": (
            (picture, np.abs(pooled), normal(*pooled.shape, seed=22)), (empty(picture.shape, F),),
            lambda f, i, o: f(*i, WINDOWS, 3.0, *o),
        ),
        "stretch": ((picture,), (empty((N, 10, C, 3), F),), lambda f, i, o: f(*i, 1, ((-1, 0.75), (0, 0.25)), *o)),
        "stretch_backward": (
            (normal(N, 10, C, 3),), (empty(picture.shape, F),), lambda f, i, o: f(*i, 1, ((-1, 0.75), (0, 0.25)), *o)
        ),
        "reflect": ((picture,), (empty((N, 10, C, 3), F),), lambda f, i, o: f(*i, 1, 2, 3, *o)),
        "reflect_backward": (
            (normal(N, 10, C, 3),), (empty(picture.shape, F),), lambda f, i, o: f(*i, 1, 2, 3, *o)
        ),
        "scale_channels": ((picture, normal(N, 3)), (empty(picture.shape, F),), lambda f, i, o: f(*i, *o)),
        "channel_products": ((picture, normal(N, 5, C, 3)), (empty((N, 3), F),), lambda f, i, o: f(*i, *o)),
        "softmax_cross_entropy": ((x, labels), (out,), lambda f, i, o: f(*i, *o)),
        "binary_cross_entropy": ((x, targets), (out,), lambda f, i, o: f(*i, *o)),
        "mean_squared_error": ((x, y), (out,), lambda f, i, o: f(*i, *o)),
        "mean_absolute_error": ((x, y), (out,), lambda f, i, o: f(*i, *o)),
        "huber": ((x, y), (out,), lambda f, i, o: f(*i, *o, 0.7)),
        "hinge": ((x, targets), (out,), lambda f, i, o: f(*i, *o, 2)),
        "multi_class_hinge": ((x, labels), (out,), lambda f, i, o: f(*i, *o, 1)),
        "focal": ((x, labels), (out,), lambda f, i, o: f(*i, *o, 2.0)),
        "binary_focal": ((x, targets), (out,), lambda f, i, o: f(*i, *o, 1.5)),
        "count_confusion": ((x, labels), (counts,), lambda f, i, o: f(*i, *o)),
        "count_binary": ((x, targets), (two,), lambda f, i, o: f(*i, *o)),
        "add_moments": ((x, y), (sums,), lambda f, i, o: f(*i, *o)),
        "take_rows": ((x, index), (empty((2 * N, C), F),), lambda f, i, o: f(*i, *o)),
        "all_finite": ((x,), (), lambda f, i, o: f(*i)),
        "sum_of_squares": ((x,), (), lambda f, i, o: f(*i)),
    }  # fmt: skip


NAMES = sorted(calls((2, 3)))


def run(kernels: Any, name: str, inputs: Any, outputs: Any, call: Callable[..., Any]) -> tuple[Any, Any]:
    """The returned value (None for an array: it is among the outputs) and the outputs."""
    outputs = tuple(o.copy() for o in outputs)
    value = call(getattr(kernels, name), inputs, outputs)
    return (None if isinstance(value, np.ndarray) else value), outputs


def compare(name: str, inputs: Any, outputs: Any, call: Any, exact_inputs: Any = None) -> None:
    """Compiled in float32 against the reference in float64."""
    value, got = run(COMPILED, name, inputs, outputs, call)
    expected_value, expected = run(REFERENCE, name, wide(exact_inputs or inputs), wide(outputs), call)
    for a, b in zip(got, expected, strict=True):
        close(a, b, 5e-6)
    if value is not None:
        close(value, expected_value, 5e-6)


def strided(x: Any) -> Any:
    """The same values with gaps between the elements."""
    if not isinstance(x, np.ndarray):
        return x
    buffer = np.empty(tuple(2 * n for n in x.shape), x.dtype)
    view = buffer[tuple(slice(None, None, 2) for _ in x.shape)]
    view[...] = x
    return view


def read_only(x: Any) -> Any:
    """A copy that refuses to be written."""
    x = x.copy()
    x.flags.writeable = False
    return x


def shifted(x: Any, elements: int = 1) -> Any:
    """The same values at an address that is not on a cache line."""
    buffer = np.empty(x.size + 64, x.dtype)
    start = (-buffer.ctypes.data % 64) // x.itemsize + elements
    view = buffer[start : start + x.size].reshape(x.shape)
    view[...] = x
    return view


def test_all_kernels_are_exercised() -> None:
    elsewhere = (".optim", ".averaging")  # test_optim.py, test_averaging.py
    here = {n for n, f in REFERENCE.functions.items() if not f.__module__.endswith(elsewhere)}
    assert here - {"bits", "flush_subnormals"} == set(NAMES)


@pytest.mark.parametrize("name", sorted(REFERENCE.functions))
def test_same_signature(name: str) -> None:
    got, expected = (inspect.signature(k.functions[name]).parameters for k in (COMPILED, REFERENCE))
    assert list(got.values()) == list(expected.values())


@pytest.mark.parametrize("border", ["reflect", "nearest", "zero"])
def test_bent_pictures(border: str) -> None:
    """Offsets, and a matrix that turns: it shows which of them comes first."""
    x, offsets = normal(6, 11, 9, 2), normal(6, 11, 9, 2, seed=1)
    matrices = np.tile([[0.8, 0.6, -1.0], [-0.6, 0.8, 4.0]], (6, 1, 1))
    found, expected = (k.resample(x, matrices, offsets, border, empty(x.shape, F)) for k in (COMPILED, REFERENCE))
    close(found, expected, 2e-5)
    assert np.abs(expected - REFERENCE.resample(x, matrices, None, border, empty(x.shape, F))).max() > 0.5


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", NAMES)
def test_values(name: str, shape: tuple[int, int]) -> None:
    compare(name, *calls(shape)[name])


@pytest.mark.parametrize("change", [strided, read_only, shifted])
@pytest.mark.parametrize("name", NAMES)
def test_other_memory(name: str, change: Callable[[Any], Any]) -> None:
    inputs, outputs, call = calls((33, 17))[name]
    changed = tuple(change(i) for i in inputs)
    compare(name, changed, outputs, call, inputs)


@pytest.mark.parametrize("name", NAMES)
def test_strided_outputs(name: str) -> None:
    inputs, outputs, call = calls((33, 17))[name]
    given = tuple(strided(o) for o in outputs)
    call(getattr(COMPILED, name), inputs, given)
    _, expected = run(REFERENCE, name, wide(inputs), wide(outputs), call)
    for a, b in zip(given, expected, strict=True):
        close(a, b, 5e-6)


@pytest.mark.parametrize("shape", [(33, 17), (300, 200)])
@pytest.mark.parametrize("name", NAMES)
def test_inputs_stay(name: str, shape: tuple[int, int]) -> None:
    inputs, outputs, call = calls(shape)[name]
    before = [i.copy() for i in inputs]
    for kernels in (REFERENCE, COMPILED):
        run(kernels, name, inputs, outputs, call)
        for a, b in zip(inputs, before, strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("shape", [(33, 17), (300, 200)])
@pytest.mark.parametrize("name", NAMES)
def test_same_bits_every_time(name: str, shape: tuple[int, int]) -> None:
    inputs, outputs, call = calls(shape)[name]
    value, first = run(COMPILED, name, inputs, outputs, call)
    for attempt in range(3):
        moved = tuple(shifted(i, 3 * attempt) for i in inputs)
        again = tuple(shifted(o, attempt) for o in outputs)
        other = call(getattr(COMPILED, name), moved, again)
        assert value is None or value == other
        for a, b in zip(first, again, strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("shape", PRODUCTS)
def test_affine(shape: tuple[int, int, int], activation: str) -> None:
    x, W, b = product(*shape)
    out = (shape[0], shape[2])
    for bias in (b, None):
        y = COMPILED.affine(x, W, bias, activation, empty(out, F), empty)
        close(y, REFERENCE.affine(*wide((x, W, bias)), activation, np.empty(out), empty), 5e-6)
        packed = Weights(W)
        z = COMPILED.affine_inference(x, packed, bias, activation, empty(out, F), empty, packed.derived)
        np.testing.assert_array_equal(z, y)


@pytest.mark.parametrize("add", [False, True])
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("shape", PRODUCTS)
def test_affine_backward(shape: tuple[int, int, int], activation: str, add: bool) -> None:
    x, W, b = product(*shape)
    y = REFERENCE.affine(x, W, b, activation, empty((len(x), len(b)), F), empty)
    dy = normal(*y.shape, seed=5)
    for db, dx in ((normal(len(b), seed=6), empty(x.shape, F)), (None, None)):
        got, inputs = (normal(*W.shape, seed=7), db, dx), (x, W, y, dy)
        expected = wide(got)
        COMPILED.affine_backward(*inputs, *got, activation, add, empty)
        REFERENCE.affine_backward(*wide(inputs), *expected, activation, add, empty)
        for a, e in zip(got, expected, strict=True):
            if a is not None:
                close(a, e, 5e-6)


def test_a_row_does_not_depend_on_its_batch() -> None:
    x, W, b = product(50, 300, 65)
    whole = COMPILED.affine(x, W, b, "tanh", empty((50, 65), F), empty)
    for rows in (slice(0, 1), slice(7, 9), slice(3, 20)):
        part = np.ascontiguousarray(x[rows])
        alone = COMPILED.affine(part, W, b, "tanh", empty((len(part), 65), F), empty)
        np.testing.assert_array_equal(alone, whole[rows])


def test_more_axes() -> None:
    x, W, b = normal(4, 5, 6), normal(6, 7), normal(7)
    y = COMPILED.affine(x, W, b, "relu", empty((4, 5, 7), F), empty)
    close(y, REFERENCE.affine(*wide((x, W, b)), "relu", np.empty((4, 5, 7)), empty))
    got = empty(W.shape, F), empty(b.shape, F), empty(x.shape, F)
    expected = wide(got)
    inputs = x, W, y, normal(4, 5, 7, seed=1)
    COMPILED.affine_backward(*inputs, *got, "relu", False, empty)
    REFERENCE.affine_backward(*wide(inputs), *expected, "relu", False, empty)
    for a, e in zip(got, expected, strict=True):
        close(a, e)


@pytest.mark.parametrize("name", ["linear", "relu", "leaky_relu", "tanh", "sigmoid"])
@pytest.mark.parametrize("size", [1, 100, 70_000])
def test_activations(name: str, size: int) -> None:
    x = np.linspace(-100, 100, size, dtype=F)
    y = COMPILED.activation(x, name, 0.3, empty(x.shape, F))
    exact = REFERENCE.activation(wide(x), name, 0.3, np.empty(size))
    close(y, exact, 4e-7)
    dy = normal(size)
    close(
        COMPILED.activation_backward(x, y, dy, name, 0.3, empty(x.shape, F)),
        REFERENCE.activation_backward(wide(x), exact, wide(dy), name, 0.3, np.empty(size)),
        3e-6,
    )


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("kernels", [REFERENCE, COMPILED], ids=lambda k: k.name)
def test_not_finite_is_seen(kernels: Any, bad: float) -> None:
    """A NaN or an infinity anywhere reaches the loss, and all_finite sees it at any place."""
    for size in (1, 7, 1000, 70_000):
        for place in {0, size // 2, size - 1}:
            x = normal(size)
            assert kernels.all_finite(x)
            x[place] = bad
            assert not kernels.all_finite(x)
            assert not np.isfinite(kernels.sum_of_squares(x))
    for batch in (20, 400):
        x, W, b = product(batch, 64, 30)
        x[3, 5] = bad
        for activation in ("linear", "relu"):
            h = kernels.affine(x, W, b, activation, empty((batch, 30), F), empty)
            z = kernels.affine(h, -W.T.copy(), None, "linear", empty((batch, 64), F), empty)
            assert not np.isfinite(kernels.softmax_cross_entropy(z, np.zeros(batch, np.int64), np.empty_like(z)))
    one = np.array([bad], F)
    if np.isnan(bad):
        for name in ("linear", "relu", "leaky_relu", "tanh", "sigmoid"):
            assert np.isnan(kernels.activation(one, name, 0.1, empty((1,), F)))[0]
    for place in range(4):
        image = normal(1, 2, 2, 20)
        image[0, place // 2, place % 2, 7] = bad
        for index in (None, empty((1, 1, 1, 20), np.int32)):
            biggest = kernels.max_pool(image, Pool((2, 2), (2, 2), (0, 0)), empty((1, 1, 1, 20), F), index)
            assert np.isnan(biggest[0, 0, 0, 7]) == np.isnan(bad)
            assert (biggest[0, 0, 0, 7] == np.inf) == (bad == np.inf)
    out = empty((8, 1), F)
    z = normal(8, 1)
    z[2] = bad
    assert not np.isfinite(kernels.mean_squared_error(z, np.zeros((8, 1), F), out))
    if bad != -np.inf:  # certain of 0, and right
        assert not np.isfinite(kernels.binary_cross_entropy(z, np.zeros((8, 1), F), out))


@pytest.mark.parametrize("size", [0, 1, 9, 1000, 70_001])
@pytest.mark.parametrize("rate", [0.0, 0.1, 0.5, 0.999])
def test_same_masks(size: int, rate: float) -> None:
    x = normal(size) + F(10)
    for key in (0, 1, -1, 2**64 - 1, 0x123456789ABCDEF):
        a = REFERENCE.dropout(x, key, rate, empty(x.shape, F))
        b = COMPILED.dropout(x, key, rate, empty(x.shape, F))
        np.testing.assert_array_equal(a, b)


def test_dropout_keeps_its_share() -> None:
    for rate in (0.1, 0.5, 0.8):
        ones = np.ones(200_000, F)
        kept = np.array([COMPILED.dropout(ones, key, rate, np.empty_like(ones)) > 0 for key in range(8)])
        deviation = (rate * (1 - rate) / ones.size) ** 0.5
        assert np.abs(kept.mean(1) - (1 - rate)).max() < 4.5 * deviation
        # Neighbouring keys and neighbouring elements are unrelated.
        together = np.corrcoef(kept)[np.triu_indices(8, 1)]
        assert np.abs(together).max() < 4.5 / ones.size**0.5
        assert abs(np.corrcoef(kept[0][1:], kept[0][:-1])[0, 1]) < 4.5 / ones.size**0.5


def test_bits_are_fair() -> None:
    draws = REFERENCE.bits(42, 100_000)
    assert draws.dtype == np.uint32
    share = ((draws[:, None] >> np.arange(32, dtype=np.uint32)) & np.uint32(1)).mean(0)
    assert np.abs(share - 0.5).max() < 4.5 * 0.5 / draws.size**0.5


@pytest.mark.parametrize("kernels", [REFERENCE, COMPILED], ids=lambda k: k.name)
def test_indices_out_of_range(kernels: Any) -> None:
    x, out = normal(6, 4), empty((6, 4), F)
    for label in (-1, 4, 2**40):
        labels = np.array([0, 1, label, 3, 0, 1])
        with pytest.raises(IndexError):
            kernels.softmax_cross_entropy(x, labels, out)
        with pytest.raises(IndexError):
            kernels.count_confusion(x, labels, np.zeros((4, 4), np.int64))
    with pytest.raises(IndexError):
        kernels.take_rows(x, np.array([0, 6]), empty((2, 4), F))
    np.testing.assert_array_equal(kernels.take_rows(x, np.array([-1, 2]), empty((2, 4), F)), x[[5, 2]])


def test_variance_far_from_zero() -> None:
    x = (normal(100_000, 3) + F(100)).astype(F)
    mean, inv_std = empty((3,), F), empty((3,), F)
    COMPILED.batch_norm(x, None, None, 0.0, "linear", np.empty_like(x), mean, inv_std, empty)
    np.testing.assert_allclose(mean, x.astype(np.float64).mean(0), rtol=1e-7)
    np.testing.assert_allclose(inv_std, 1 / x.astype(np.float64).std(0), rtol=1e-6)


def test_local_response_of_all_sizes() -> None:
    """Powers of numbers from 1e-30 to 2e36, and what is not finite reaches its neighbours as in the reference."""
    x = np.geomspace(1e-15, 1e18, 67, dtype=F)[:, None] * np.array([1, 0.5, -1], F)
    x[[3, 40], 1], x[50, 0] = np.nan, np.inf
    for beta in (0.5, 0.75, 1.0):
        got, expected = (k.local_response(x, (3, 3.0, beta, 1e-30), np.empty_like(x)) for k in (COMPILED, REFERENCE))
        np.testing.assert_array_equal(np.isnan(got), np.isnan(expected))
        np.testing.assert_allclose(got, expected, rtol=2e-5)


def test_complex_step() -> None:
    """The reference is analytic: the imaginary part of a tiny imaginary step is the derivative."""
    x, W, b = (a.astype(np.float64) for a in product(4, 5, 3))
    labels = np.array([0, 2, 1, 1])
    step = 1e-30
    for activation in ACTIVATIONS:
        y = REFERENCE.affine(x, W, b, activation, np.empty((4, 3)), empty)
        dz = np.empty((4, 3))
        REFERENCE.softmax_cross_entropy(y, labels, dz)
        dx = np.empty_like(x)
        REFERENCE.affine_backward(x, W, y, dz, np.empty_like(W), None, dx, activation, False, empty)
        for i in np.ndindex(x.shape):
            moved = x.astype(complex)
            moved[i] += 1j * step
            z = REFERENCE.affine(moved, W.astype(complex), b, activation, np.empty((4, 3), complex), empty)
            loss = REFERENCE.softmax_cross_entropy(z, labels, np.empty_like(z))
            assert abs(loss.imag / step - dx[i]) < 1e-13


def test_select() -> None:
    single, double = np.zeros(1, F), np.zeros(1)
    assert select("auto")(single).name == select("compiled")(single).name == "compiled"
    assert select("auto")(double).name == select("reference")(single).name == "reference"
    with pytest.raises(UsageError):
        select("fortran")
    with pytest.raises(AttributeError, match="there is no kernel 'afine'"):
        _ = REFERENCE.afine


def test_float64_and_complex_go_to_the_reference() -> None:
    for dtype in (np.float64, np.complex128):
        for name in NAMES:
            inputs, outputs, call = calls((5, 4))[name]
            if dtype == np.complex128 and name in ("count_confusion", "count_binary", "add_moments"):
                continue
            inputs = tuple(i.astype(dtype) if i.dtype == F else i for i in inputs)
            outputs = tuple(o.astype(dtype) if o.dtype == F else o for o in outputs)
            value, got = run(COMPILED, name, inputs, outputs, call)
            expected_value, expected = run(REFERENCE, name, inputs, outputs, call)
            assert value == expected_value
            for a, b in zip(got, expected, strict=True):
                np.testing.assert_array_equal(a, b)


@pytest.mark.slow
@pytest.mark.parametrize("processor", ["haswell", "x86-64"])
def test_other_tiles(processor: str, tmp_path: Any) -> None:
    """The kernels are right on the tile of another processor."""
    if os.uname().machine != "x86_64":
        pytest.skip("an x86-64 processor's name")
    environment = {
        **os.environ,
        "NUMBA_CPU_NAME": processor,
        "NUMBA_CPU_FEATURES": "",
        "NUMBA_CACHE_DIR": str(tmp_path),
    }
    files = [str(Path(__file__).with_name(f"test_{name}.py")) for name in ("kernels", "planar", "pooling")]
    chosen = ["-k", "affine or batch or reference_specifies", "-p", "no:cacheprovider"]
    command = [sys.executable, "-m", "pytest", "-q", "-x", *files, *chosen]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:]


def test_tiles_by_processor() -> None:
    from dltrain.kernels.compiled.processor import registers

    if os.uname().machine == "x86_64":
        assert registers("haswell", "") == "ymm"
        assert registers("znver4", "") == registers("skylake-avx512", "") == "zmm"
        assert registers("znver4", "-avx512f") == "ymm"
        assert registers("x86-64", "") == "other"


def test_machine_code_is_never_that_of_other_sources(tmp_path: Path) -> None:
    from dltrain.kernels.compiled import cache

    shutil.copytree(cache.HERE.parent, tmp_path / "kernels", ignore=shutil.ignore_patterns("__pycache__"))
    assert cache.folder().name == f"dltrain-{cache.digest(tmp_path / 'kernels')[:16]}"
    for part in ("compiled/gemm.py", "reference/activations.py"):  # a kernel's own text, and a constant it takes over
        before = cache.digest(tmp_path / "kernels")
        with (tmp_path / "kernels" / part).open("a") as file:
            file.write("# changed\n")
        assert cache.digest(tmp_path / "kernels") != before


def test_folders_of_other_sources_are_removed_after_a_month(tmp_path: Path) -> None:
    from dltrain.kernels.compiled.cache import MONTH, begin

    old, recent, foreign = (tmp_path / f"dltrain-{end}" for end in (16 * "a", 16 * "b", "examples"))
    for folder in (old, recent, foreign):
        (folder / "kernels").mkdir(parents=True)
        then = time.time() - (0.9 if folder == recent else 1.1) * MONTH
        os.utime(folder, (then, then))
    new = tmp_path / f"dltrain-{16 * 'c'}"
    new.mkdir()
    begin(new)
    assert old.exists()  # nothing is removed where the new folder was there before
    new.rmdir()
    begin(new)
    assert sorted(tmp_path.iterdir()) == sorted([recent, new, foreign])
    (tmp_path / "file").touch()
    begin(tmp_path / "file" / "below")  # cannot be made, which is no error


def test_the_folder_is_begun_before_anything_is_compiled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from dltrain.kernels.compiled import cache

    monkeypatch.setattr(cache, "folder", lambda: tmp_path / "base" / "dltrain-0")
    with cache.kept():
        assert cache.folder().is_dir()


def test_subnormal_numbers_are_zero_where_asked_for_and_nowhere_else() -> None:
    """A decaying moment must not end in numbers that slow each step down, in any thread; NumPy's stay as they are."""
    small = F(1e-39)

    def moment() -> Array:
        value, grad, first, second = (np.full(100_000, small, F) for _ in range(4))
        COMPILED.descend_adam(value, grad, first, second, 1.0, 1e-3, 0.0, 0.9, 0.999, 10.0, 0.0, 1.0, 1e-8)
        return first

    assert np.all(moment() > 0)
    COMPILED.flush_subnormals(True)
    try:
        assert not moment().any()
    finally:
        COMPILED.flush_subnormals(False)
    assert np.all(moment() > 0) and small * F(0.5) > 0
    REFERENCE.flush_subnormals(True)  # does nothing
    assert small * F(0.5) > 0


def test_waiting_threads_spin_for_as_long_as_they_are_told() -> None:
    waiting = importlib.import_module("dltrain.kernels.compiled.waiting")
    if waiting.spin_count(1e-6) == waiting.FALLBACK:
        pytest.skip("the pause of this kind of processor cannot be timed")
    short, long = waiting.spin_count(1e-5), waiting.spin_count(1e-3)
    assert 1 < short < long and 10 < long / short < 1000  # a hundred times, on a machine that may be busy


@pytest.mark.parametrize("kernels", [REFERENCE, COMPILED])
def test_the_derivative_of_gelu_s_tanh_form_is_0_or_1_far_out(kernels: Any) -> None:
    x = np.array([-1e30, -1e15, -1e13, -1e4, 1e4, 1e13, 1e15, 1e30], F)
    with np.errstate(over="ignore"):
        y = kernels.activation(x, "gelu_tanh", 0.0, np.empty_like(x))
    dx = kernels.activation_backward(x, y, np.ones_like(x), "gelu_tanh", 0.0, np.empty_like(x))
    np.testing.assert_allclose(dx, [0, 0, 0, 0, 1, 1, 1, 1], rtol=0, atol=1e-30)
