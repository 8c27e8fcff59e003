"""Fixed filters: against SciPy's, what each does to a simple image, and what is refused."""

from __future__ import annotations

from typing import Any, get_args

import numpy as np
import pytest
from scipy import ndimage

from dltrain import build_model
from dltrain.config.check import check_spec
from dltrain.errors import ConfigError
from dltrain.layers.fixed_filter import FILTERS, Name

IMAGE = np.random.default_rng(0).standard_normal((6, 7))
SCIPY: dict[str, Any] = {
    "vertical": lambda x: ndimage.prewitt(x, 1, mode="constant"),
    "horizontal": lambda x: ndimage.prewitt(x, 0, mode="constant"),
    "sobel_x": lambda x: ndimage.sobel(x, 1, mode="constant"),
    "sobel_y": lambda x: ndimage.sobel(x, 0, mode="constant"),
    "laplacian": lambda x: ndimage.laplace(x, mode="constant"),
    "blur": lambda x: ndimage.uniform_filter(x, 3, mode="constant"),
    "sharpen": lambda x: x - ndimage.laplace(x, mode="constant"),
}


def filtered(spec: Any, image: np.ndarray) -> np.ndarray:
    """The image behind one layer, which has no parameter."""
    model = build_model({"graph": {"y": [{"fixed_filter": spec}]}}, {"x": (*image.shape, 1)}, dtype="float64")
    assert not model.parameters
    y: np.ndarray = model.forward({"x": image[None, :, :, None]})[0]["y"][0, :, :, 0]
    return y


def test_every_name_has_a_filter() -> None:
    assert set(get_args(Name)) == set(FILTERS)


@pytest.mark.parametrize("name", SCIPY)
def test_filters_are_scipys(name: str) -> None:
    np.testing.assert_allclose(filtered(name, IMAGE), SCIPY[name](IMAGE), atol=1e-13)


def test_a_plane_has_one_slope_everywhere() -> None:
    """Differences over two points, times the sum of the weights; means keep a plane, a laplacian takes it away."""
    down, right = np.mgrid[:5, :6].astype(float)
    plane = 3 * right + 2 * down
    found = {name: filtered({"filter": name, "padding": "valid"}, plane) for name in FILTERS}
    for pair, weight in ((("vertical", "horizontal"), 3), (("sobel_x", "sobel_y"), 4), (("scharr_x", "scharr_y"), 16)):
        for name, slope in zip(pair, (3, 2), strict=True):
            np.testing.assert_allclose(found[name], 2 * weight * slope)
    for name in ("blur", "gaussian", "sharpen"):
        np.testing.assert_allclose(found[name], plane[1:-1, 1:-1])
    np.testing.assert_allclose(found["laplacian"], 0, atol=1e-12)


def test_channels_do_not_mix() -> None:
    x = np.stack([IMAGE, 10 * IMAGE, np.zeros_like(IMAGE)], 2)
    model = build_model({"graph": {"y": [{"fixed_filter": "gaussian"}]}}, {"x": x.shape}, dtype="float32")
    y = model.forward({"x": x[None]})[0]["y"][0]
    alone = filtered("gaussian", IMAGE)
    np.testing.assert_allclose(y, np.stack([alone, 10 * alone, 0 * alone], 2), atol=2e-5)


@pytest.mark.parametrize(
    ("spec", "shape", "words"),
    [
        ("sobel_x", (7, 2), "fixed filters are for images"),
        ([[1, 2], [3, 4, 5]], (7, 7, 2), "the rows of the filter have 2 and 3 numbers"),
        ({"filter": "blur", "padding": "valid"}, (2, 5, 1), "spans 3×3 points does not fit into 2×5"),
    ],
)
def test_what_does_not_fit_is_refused(spec: Any, shape: tuple[int, ...], words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        build_model({"graph": {"y": [{"fixed_filter": spec}]}}, {"x": shape})
    assert "fixed_filter" in str(caught.value) and words in str(caught.value)


@pytest.mark.parametrize("spec", ["prewitt_x", [], 3, [[1, "a"]], [[]]])
def test_what_is_no_filter_is_refused_in_a_config(spec: Any) -> None:
    """With the names that there are, or at the place in the rows that is wrong."""
    (problem,) = check_spec({"fixed_filter": spec}, "layer", ())
    names = all(repr(name) in problem.expected for name in FILTERS) and "rows of numbers" in problem.expected
    assert names or len(problem.path) > 1
