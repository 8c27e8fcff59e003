"""Winograd's convolution: its identity, its rounding error against the reference in float64, and when it is chosen."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from test_convolution import REFERENCE, Kept, empty

from dltrain.kernels import namespace
from dltrain.kernels.arrays import Array
from dltrain.kernels.reference.activations import ACTIVATIONS
from dltrain.kernels.window import Window

pytest.importorskip("numba")

ERROR = 5e-6  # of the root mean square; the direct sum's own errors are a third to a fifth of these
LARGEST = 4 * ERROR  # of the largest value


class Case:
    """A convolution that Winograd's algorithm is chosen for, with everything else drawn at random."""

    def __init__(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        while True:
            padding = [int(p) for p in rng.integers(0, 4, 2)]
            space = [int(n) for n in rng.choice([5, 6, 7, 8, 11, 12, 13, 18], 2)]
            places = [n + 2 * p - 2 for n, p in zip(space, padding, strict=True)]
            if 2 * np.prod(places) >= np.prod([-(-n // 4) * 4 for n in places]):
                break
        channels, filters = (
            int(n) for n in rng.choice([24, 33, 48, 64, 100, 300], 2, p=[0.3, 0.2, 0.2, 0.1, 0.1, 0.1])
        )
        self.window = Window((1, 1), (1, 1), tuple(padding))
        self.activation = str(rng.choice(["linear", "relu", "tanh", "sigmoid"]))
        self.about = f"{space} x{channels}->{filters} padding {padding} {self.activation}"
        normal = rng.standard_normal
        self.x = normal((int(rng.integers(1, 6)), *space, channels))
        self.W = normal((3, 3, channels, filters)) / np.sqrt(9 * channels)
        self.b = normal(filters) if rng.random() < 0.7 else None
        self.dy = normal((len(self.x), *places, filters))
        self.add = bool(rng.random() < 0.5)
        self.dW, self.db = normal(self.W.shape), None if self.b is None else normal(filters)
        z = REFERENCE.convolution(self.x, self.W, self.b, "linear", self.window, empty(self.dy.shape, float), empty)
        self.z, self.y = z, ACTIVATIONS[self.activation][0](z, 0.0)

    def run(self, kernels: Any, dtype: Any) -> dict[str, Array]:
        """Output and gradients, by these kernels; both backwards meet one y, whose relu is the same for all."""

        def cast(array: Array | None) -> Any:
            return None if array is None else array.astype(dtype)

        x, W, b, y, dy, dW, db = map(cast, (self.x, self.W, self.b, self.y, self.dy, self.dW, self.db))
        rest = self.activation, self.window
        out = kernels.convolution(x, W, b, *rest, empty(dy.shape, dtype), empty)
        kernels.convolution_weights(x, y, dy, dW, db, *rest, self.add, empty)
        dx = kernels.convolution_inputs(W, y, dy, empty(x.shape, dtype), *rest, empty)
        return {"y": out, "dW": dW, "dx": dx} | ({} if db is None else {"db": db})


def chosen(x: tuple[int, ...], W: tuple[int, ...], out: tuple[int, ...], window: Window) -> str:
    """Name of the algorithm for these shapes."""
    from dltrain.kernels.compiled.convolution import algorithm
    from dltrain.kernels.compiled.convolution_job import job

    of = job(x, W, out, window, 2)
    return algorithm(of, of.out).__name__.rsplit("_", 1)[1]


def test_the_transforms_make_a_convolution_of_a_line() -> None:
    """Rᵀ [(G w) ⊙ (D x)] = Σ_k w[k] x[o + k], for every pair of unit vectors."""
    from dltrain.kernels.compiled.winograd import D, G, R

    for k, i in np.ndindex(3, 6):
        y = R.T @ (G[:, k] * D[:, i])
        np.testing.assert_allclose(y, [float(o + k == i) for o in range(4)], atol=1e-15)


@pytest.mark.parametrize("seed", range(40))
def test_the_error_is_within_the_bound(seed: int) -> None:
    """Every output and gradient; inference with transformed weights is bit for bit the same."""
    compiled, case = namespace("compiled"), Case(seed)
    assert chosen(case.x.shape, case.W.shape, case.dy.shape, case.window) == "winograd"
    found, expected = case.run(compiled, np.float32), case.run(REFERENCE, np.float64)
    for name, array in expected.items():
        error = found[name] - array
        scale = case.z if name == "y" else array  # no activation makes an error larger
        assert np.sqrt(np.mean(error**2)) <= ERROR * np.sqrt(np.mean(scale**2)), (name, case.about)
        assert np.abs(error).max() <= LARGEST * np.abs(scale).max(), (name, case.about)
    x, W, b = (None if array is None else array.astype(np.float32) for array in (case.x, case.W, case.b))
    y = compiled.convolution_inference(
        x, Kept(W), b, case.activation, case.window, empty(found["y"].shape, np.float32), empty, Kept.derived
    )
    np.testing.assert_array_equal(y, found["y"])


@pytest.mark.parametrize("seed", range(40, 60))
def test_its_backward_is_the_adjoint_of_its_forward(seed: int) -> None:
    """⟨Ax, y⟩ = ⟨x, A'y⟩ for the data, ⟨A W, y⟩ = ⟨W, A'y⟩ for the weights, as exactly as float32 can say."""
    case = Case(seed)
    case.activation, case.b, case.db, case.add = "linear", None, None, False
    found = case.run(namespace("compiled"), np.float32)
    value = (found["y"].astype(float) * case.dy).sum()
    scale = np.linalg.norm(found["y"]) * np.linalg.norm(case.dy)
    for a, b in ((case.x, found["dx"]), (case.W, found["dW"])):
        assert abs((a * b.astype(float)).sum() - value) <= 1e-6 * scale, case.about


def test_a_sample_s_result_depends_neither_on_its_neighbours_nor_on_the_threads() -> None:
    from dltrain.kernels import set_threads, threads

    rng = np.random.default_rng(0)
    x = rng.standard_normal((7, 12, 9, 48), dtype=np.float32)
    W, b = rng.standard_normal((3, 3, 48, 40), dtype=np.float32), rng.standard_normal(40, dtype=np.float32)

    def run(part: Array) -> Array:
        y = empty((*part.shape[:-1], 40), np.float32)
        return namespace("compiled").convolution(part, W, b, "relu", Window((1, 1), (1, 1), (1, 1)), y, empty)

    whole, before = run(x), threads()
    for i in range(len(x)):
        np.testing.assert_array_equal(run(x[i : i + 1])[0], whole[i])
    try:
        set_threads(1)
        np.testing.assert_array_equal(run(x), whole)
    finally:
        set_threads(before)


def test_nan_reaches_the_output() -> None:
    x, W = np.ones((1, 8, 8, 32), np.float32), np.ones((3, 3, 32, 32), np.float32)
    x[0, 4, 4, 3] = np.nan
    y = namespace("compiled").convolution(
        x, W, None, "relu", Window((1, 1), (1, 1), (1, 1)), empty((1, 8, 8, 32), np.float32), empty
    )
    assert np.isnan(y[0, 3:6, 3:6]).all()


@pytest.mark.parametrize(
    ("channels", "filters", "extent", "options", "expected"),
    [
        (64, 64, 8, {}, "winograd"),
        (64, 24, 3, {}, "winograd"),
        (64, 64, 2, {}, "direct"),
        (3, 64, 8, {}, "direct"),
        (64, 2, 14, {}, "planar"),
        (64, 2, 9, {"dilation": 2}, "direct"),
        (64, 2, 30, {"dilation": 2}, "planar"),
        (64, 2, 30, {"strides": 2}, "direct"),
        (64, 2, 30, {"kernel_size": 1}, "dense"),
        (64, 23, 8, {}, "direct"),
        (64, 64, 8, {"strides": 2}, "direct"),
        (64, 64, 8, {"dilation": 2}, "direct"),
        (64, 64, 8, {"kernel_size": 5}, "direct"),
        (64, 64, 8, {"groups": 2}, "direct"),
        (64, 64, 8, {"groups": 64}, "depthwise"),
    ],
)
def test_the_algorithm_is_chosen_by_the_shapes(
    channels: int, filters: int, extent: int, options: dict[str, int], expected: str
) -> None:
    from dltrain.layers.geometry import fit

    arguments = {"kernel_size": 3, "strides": 1, "dilation": 1, "groups": 1} | options
    size, strides, dilation, groups = arguments.values()
    made = fit((extent, extent), size, strides, "same", dilation, groups)
    W = (*made.sizes, channels // groups, filters)
    for batch in (1, 500):
        assert chosen((batch, extent, extent, channels), W, (batch, *made.places, filters), made.window) == expected


def test_sequences_and_volumes_are_summed_directly() -> None:
    assert chosen((2, 9, 64), (3, 64, 64), (2, 9, 64), Window((1,), (1,), (1,))) == "direct"
    volume = (2, 4, 8, 8, 64)
    assert chosen(volume, (3, 3, 3, 64, 64), volume, Window((1,) * 3, (1,) * 3, (1,) * 3)) == "direct"
    assert chosen(volume, (1, 3, 3, 64, 64), volume, Window((1,) * 3, (1,) * 3, (0, 1, 1))) == "direct"
