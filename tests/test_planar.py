"""The convolution of few results a pixel: when it is chosen, and what its planes may not mix."""

from __future__ import annotations

import numpy as np
import pytest
from test_convolution import REFERENCE, Drawn, assert_as_specified, empty
from test_winograd import chosen

from dltrain.kernels import namespace
from dltrain.kernels.arrays import Array
from dltrain.kernels.window import Window

pytest.importorskip("numba")


class Few(Drawn):
    """A convolution of an image with so few channels and filters that all three passes are planar.

    Parameters:
        seed: of the draw
        space: rows and columns of the image
        batch: how many images
    """

    def __init__(self, seed: int, space: tuple[int, int] = (20, 48), batch: int = 3) -> None:
        from dltrain.kernels.compiled.convolution_planar import MOST_RESULTS

        rng = np.random.default_rng(seed)
        sizes, dilation, padding = rng.integers(2, 6, 2), rng.integers(1, 3, 2), rng.integers(0, 5, 2)
        channels, filters = (int(n) for n in rng.integers(1, MOST_RESULTS + 1, 2))
        places = tuple(int(n) for n in np.array(space) + 2 * padding - (sizes - 1) * dilation)
        self.seed, self.activation, self.add = seed, str(rng.choice(["linear", "relu", "tanh", "sigmoid"])), True
        self.window = Window((1, 1), tuple(map(int, dilation)), tuple(map(int, padding)))
        self.about = f"{space}x{channels}->{filters} {sizes} {self.window} {self.activation}"
        normal = rng.standard_normal
        self.x, self.W = normal((batch, *space, channels)), normal((*sizes, channels, filters)) / sizes.prod()
        self.b, self.db, self.dy = normal(filters), normal(filters), normal((batch, *places, filters))
        self.dW = normal(self.W.shape)


@pytest.mark.parametrize("seed", range(40))
def test_it_does_what_the_reference_specifies(seed: int) -> None:
    case = Few(seed)
    assert chosen(case.x.shape, case.W.shape, case.dy.shape, case.window) == "planar"
    assert_as_specified(case)


def test_a_large_image_is_done_in_blocks() -> None:
    assert_as_specified(Few(0, (301, 250), 1))
    assert_as_specified(Few(1, (301, 250), 2))


@pytest.mark.parametrize("seed", range(40, 60))
def test_its_backward_is_the_adjoint_of_its_forward(seed: int) -> None:
    """⟨Ax, y⟩ = ⟨x, A'y⟩ for the data, ⟨A W, y⟩ = ⟨W, A'y⟩ for the weights, as exactly as float32 can say."""
    case = Few(seed)
    case.activation, case.b, case.db, case.add = "linear", None, None, False
    found = case.run(namespace("compiled"), np.float32)
    value = (found["y"].astype(float) * case.dy).sum()
    scale = np.linalg.norm(found["y"]) * np.linalg.norm(case.dy)
    for a, b in ((case.x, found["dx"]), (case.W, found["dW"])):
        assert abs((a * b.astype(float)).sum() - value) <= 1e-6 * scale, case.about


def test_a_sample_s_result_does_not_depend_on_its_neighbours(all_threads: None) -> None:
    rng = np.random.default_rng(0)
    x, W = rng.standard_normal((7, 28, 28, 3), np.float32), rng.standard_normal((5, 5, 3, 4), np.float32)

    def run(part: Array) -> Array:
        y = empty((*part.shape[:-1], 4), np.float32)
        return namespace("compiled").convolution(part, W, None, "tanh", Window((1, 1), (1, 1), (2, 2)), y, empty)

    whole = run(x)
    for i in range(len(x)):
        np.testing.assert_array_equal(run(x[i : i + 1])[0], whole[i])


def test_nan_reaches_what_the_kernel_meets_and_nothing_else() -> None:
    rng = np.random.default_rng(0)
    window, rest = Window((1, 1), (1, 1), (1, 1)), ("relu", Window((1, 1), (1, 1), (1, 1)))
    x, W = rng.standard_normal((3, 9, 14, 2), np.float32), rng.standard_normal((3, 3, 2, 4), np.float32)
    x[1, 4, 13, 1] = x[1, 8, 0, 0] = np.nan
    for kernels in (namespace("compiled"), REFERENCE):
        y = kernels.convolution(x, W, None, *rest, empty((*x.shape[:-1], 4), np.float32), empty)
        assert np.isnan(y[1, 3:6, 12:]).all() and np.isnan(y[1, 7:, :2]).all()
        assert np.isnan(y).sum() == 4 * (6 + 4)
        dy = np.ones_like(y)
        dy[1, 4, 13, 1] = np.nan
        dx = kernels.convolution_inputs(W, y, dy, empty(x.shape, np.float32), "linear", window, empty)
        assert np.isnan(dx).sum() == 2 * 6
