"""What is particular to layers that resize: pairs of layers that undo each other, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dltrain import build_model
from dltrain.errors import ConfigError


def through(chain: list[Any], x: np.ndarray) -> np.ndarray:
    """The output of a model in float64."""
    model = build_model({"graph": {"y": chain}}, {"x": x.shape[1:]}, dtype="float64")
    y: np.ndarray = model.forward({"x": x})[0]["y"]
    return y


@pytest.mark.parametrize("shape", [(5, 2), (4, 5, 3), (3, 4, 5, 2)])
@pytest.mark.parametrize("way", ["zero_padding", "reflect_padding"])
def test_cropping_undoes_padding(way: str, shape: tuple[int, ...]) -> None:
    x = np.random.default_rng(0).standard_normal((2, *shape))
    ends = [[1, 2], [0, 1], [2, 0]][: len(shape) - 1]
    np.testing.assert_array_equal(through([{way: ends}, {"cropping": ends}], x), x)


@pytest.mark.parametrize("interpolation", ["nearest", "bilinear"])
def test_a_mean_undoes_up_sampling_of_a_straight_line(interpolation: str) -> None:
    x = np.arange(12.0).reshape(1, 3, 4, 1)
    y = through([{"up_sample": {"size": 3, "interpolation": interpolation}}, {"avg_pool": 3}], x)
    np.testing.assert_allclose(y[:, 1, 1:-1], x[:, 1, 1:-1], rtol=1e-12)


def test_unpooled_maxima_lie_where_they_were() -> None:
    x = np.random.default_rng(0).permutation(64.0 * np.ones(96) + np.arange(96)).reshape(1, 4, 8, 3)
    chains: Any = {"p": ["max_pool"], "y": [{"max_unpool": {"with": "x"}}]}
    model = build_model({"graph": chains}, {"x": (4, 8, 3)}, dtype="float64")
    y = model.forward({"x": x})[0]["y"]
    assert (y > 0).sum() == 24 and ((y == x) | (y == 0)).all()
    np.testing.assert_array_equal(through(["max_pool"], y), through(["max_pool"], x))


@pytest.mark.parametrize(
    ("chain", "shape", "words"),
    [
        (["up_sample"], (4,), "up_sample takes sequences, images or volumes"),
        ([{"up_sample": [2, 2]}], (4, 1), "size [2, 2] is for an image of 2 axes, but this one has 1"),
        ([{"cropping": 2}], (4, 6, 1), "cropping leaves nothing of the image"),
        ([{"cropping": [[1, 0], 1]}], (4, 1), "cropping [[1, 0], 1] is for an image of 2 axes"),
        ([{"reflect_padding": 4}], (4, 6, 1), "the mirror image is larger than the image"),
        (["pixel_shuffle"], (2, 2, 6), "6 channels do not make pixels"),
        (["max_pool", {"max_unpool": {"pool_size": 3, "with": "x"}}], (6, 6, 1), "settings of the max_pool"),
    ],
)
def test_what_does_not_fit_is_refused(chain: list[Any], shape: tuple[int, ...], words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        through(chain, np.zeros((1, *shape)))
    assert words in str(caught.value)
