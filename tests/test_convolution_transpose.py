"""Transposed convolution: the adjoint of convolution, its extents, and what is refused (values: test_layers.py)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dltrain import build_model
from dltrain.errors import ConfigError
from dltrain.layers.geometry import fit, fit_transposed
from dltrain.model.graph import Graph
from dltrain.model.summary import summarize


def alone(kind: str, options: dict[str, Any], shape: tuple[int, ...], dtype: str = "float64") -> Graph:
    """A model of one layer."""
    return build_model({"graph": {"y": [{kind: options}]}}, {"x": shape}, dtype=dtype)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(
    ("space", "options"),
    [
        ((9, 7), {}),
        ((8, 12), {"strides": [2, 3]}),
        ((10, 9), {"kernel_size": [4, 2], "strides": 2, "padding": 1}),
        ((9, 10), {"kernel_size": 3, "strides": [2, 3], "padding": "valid"}),
        ((11,), {"kernel_size": 5, "strides": 3, "dilation_rate": 2, "padding": 4}),
        ((12, 10), {"kernel_size": 3, "groups": 2, "strides": 2}),
        ((12, 10), {"kernel_size": 3, "groups": 4}),
        ((4, 6, 5), {"kernel_size": [2, 3, 1], "strides": [2, 3, 1]}),
    ],
)
def test_it_is_the_adjoint_of_the_convolution_with_its_kernel(
    space: tuple[int, ...], options: dict[str, Any], dtype: str
) -> None:
    """⟨A x, y⟩ = ⟨x, A' y⟩, where the convolution leads from the image back to the places."""
    rng = np.random.default_rng(len(space))
    conv = alone("conv", {"filters": 4, "use_bias": False, **options}, (*space, 4), dtype)
    x = rng.standard_normal((3, *space, 4)).astype(dtype)
    there = conv.forward({"x": x})[0]["y"]
    sizes, strides, padding, dilation = (
        options.get(key, default)
        for key, default in (("kernel_size", 3), ("strides", 1), ("padding", "same"), ("dilation_rate", 1))
    )
    rest = [0] * len(space)
    if padding != "same":  # what the strides leave over
        short = fit_transposed(there.shape[1:-1], sizes, strides, padding, dilation, 0).places
        rest = [extent - made for extent, made in zip(space, short, strict=True)]
    back = alone(
        "conv_transpose", {"filters": 4, "use_bias": False, "output_padding": rest, **options}, there.shape[1:], dtype
    )
    (kernel,), (other,) = conv.parameters.values(), back.parameters.values()
    other.value[...] = kernel.value
    back.changed()
    y = rng.standard_normal(there.shape).astype(dtype)
    made = back.forward({"x": y})[0]["y"]
    assert made.shape == x.shape
    scale = np.linalg.norm(there) * np.linalg.norm(y)
    assert abs(float((there * y).sum() - (x * made).sum())) <= (1e-13 if dtype == "float64" else 1e-5) * scale


@pytest.mark.parametrize("size", range(1, 6))
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("padding", ["same", "valid", 0, 1])
def test_a_convolution_leads_back_to_the_extents(size: int, stride: int, padding: Any) -> None:
    for extent in range(3, 9):
        for more in range(stride if padding != "same" else 1):
            made = fit_transposed((extent,), size, stride, padding, 1, more)
            back = fit(made.places, size, stride, padding, 1)
            assert (back.places, back.window) == ((extent,), made.window)


@pytest.mark.parametrize(
    ("options", "shape", "words"),
    [
        ({}, (7,), "takes sequences, images or volumes"),
        ({"output_padding": 1}, (4, 4, 2), "output_padding 1 has no meaning with `padding: same`"),
        ({"padding": 1, "strides": 2, "output_padding": [1, 2]}, (4, 4, 2), "makes room for another place"),
        ({"padding": 2}, (2, 2, 2), "padding 2 leaves nothing of the 4×4 points"),
        ({"kernel_size": [3, 3], "strides": [2]}, (4, 4, 2), "strides [2] is for an image of 1 axis,"),
        ({"groups": 3}, (4, 4, 6), "6 channels and 4 filters make no 3 groups"),
    ],
)
def test_what_does_not_fit_is_refused(options: dict[str, Any], shape: tuple[int, ...], words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        alone("conv_transpose", {"filters": 4, **options}, shape)
    assert "y.0.conv_transpose" in str(caught.value) and words in str(caught.value)


def test_initial_weights_keep_the_variance() -> None:
    """Every value of the output is a sum of K·C / strides terms on average: the fan in."""
    options = {"filters": 64, "kernel_size": 4, "strides": 2, "kernel_initializer": "lecun_normal"}
    model = alone("conv_transpose", options, (32, 32, 16))
    x = np.random.default_rng(0).standard_normal((4, 32, 32, 16))
    assert model.forward({"x": x})[0]["y"][:, 2:-2, 2:-2].var() == pytest.approx(1, rel=0.1)


def test_the_number_of_weights_and_multiply_adds() -> None:
    options = {"filters": 6, "kernel_size": 4, "strides": 2, "groups": 2}
    (row,) = summarize(alone("conv_transpose", options, (7, 5, 8)), 1).rows
    assert (row.output_shape, row.parameters) == ((14, 10, 6), 16 * 3 * 8 + 6)
    assert (row.macs, row.receptive_field) == (7 * 5 * 8 * 16 * 3, 2)
