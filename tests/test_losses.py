"""Losses and regularizers: PyTorch's values, derivatives, extremes, shapes that do not fit."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from dltrain import registry
from dltrain.errors import DataError
from dltrain.kernels import select

PARITY = np.load(Path(__file__).with_name("fixtures") / "optim.npz")
LOSSES = list(registry.entries("loss"))


def mode(implementation="auto"):
    return SimpleNamespace(kernels=select(implementation), empty=lambda shape, dtype: np.full(shape, np.nan, dtype))


def case(name, count=4, classes=3, dtype=np.float64):
    rng = np.random.default_rng(3)
    outputs = rng.standard_normal((count, classes)).astype(dtype)
    if name == "softmax_cross_entropy":
        return outputs, rng.integers(0, classes, count)
    if name == "binary_cross_entropy":
        return outputs, rng.integers(0, 2, (count, classes)).astype(dtype)
    return outputs, rng.standard_normal((count, classes)).astype(dtype)


@pytest.mark.parametrize("implementation", ["auto", "reference"])
@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-10), (np.float32, 1e-5)])
@pytest.mark.parametrize("name", LOSSES)
def test_values_and_gradients_are_pytorchs(name, dtype, tolerance, implementation):
    targets = PARITY[f"loss/{name}/targets"]
    targets = targets if targets.dtype.kind == "i" else targets.astype(dtype)
    outputs = PARITY["loss/logits"].astype(dtype)
    loss, gradient = registry.create("loss", name).forward(outputs, targets, mode(implementation))
    assert loss == pytest.approx(PARITY[f"loss/{name}/loss"].item(), rel=tolerance)
    scale = abs(PARITY[f"loss/{name}/gradient"]).max()
    np.testing.assert_allclose(gradient, PARITY[f"loss/{name}/gradient"], rtol=tolerance, atol=tolerance * scale)
    assert gradient.dtype == dtype and isinstance(loss, float)


@pytest.mark.parametrize("name", LOSSES)
def test_the_gradient_is_the_derivative_by_complex_step(name):
    loss = registry.create("loss", name)
    outputs, targets = case(name)
    _, gradient = loss.forward(outputs, targets, mode())
    assert loss.complex_safe
    for place in np.ndindex(outputs.shape):
        moved = outputs.astype(np.complex128)
        moved[place] += 1e-30j
        value, _ = loss.forward(moved, targets, mode())
        assert value.imag / 1e-30 == pytest.approx(gradient[place], rel=1e-12, abs=1e-15)


@pytest.mark.parametrize("name", LOSSES)
def test_the_mean_is_over_the_batch(name):
    outputs, targets = case(name)
    loss = registry.create("loss", name)
    once, gradient = loss.forward(outputs, targets, mode())
    twice, halved = loss.forward(np.concatenate([outputs] * 2), np.concatenate([targets] * 2), mode())
    assert twice == pytest.approx(once, rel=1e-14)
    np.testing.assert_allclose(halved[:4], gradient / 2, rtol=1e-14)


@pytest.mark.parametrize("extreme", [0.0, 1e4, -1e4])
@pytest.mark.parametrize("name", LOSSES)
def test_extreme_outputs_stay_finite(name, extreme):
    for dtype in (np.float32, np.float64):
        outputs, targets = case(name, dtype=dtype)
        outputs[:, 0] = extreme
        loss, gradient = registry.create("loss", name).forward(outputs, targets, mode())
        assert np.isfinite(loss) and np.isfinite(gradient).all()


@pytest.mark.parametrize("name", LOSSES)
def test_targets_that_would_broadcast_are_refused(name):
    outputs, targets = case(name)
    wrong = targets[:, None] if targets.ndim == 1 else targets[:, :1]
    with pytest.raises(DataError, match="targets do not fit the outputs"):
        registry.create("loss", name).forward(outputs, wrong, mode())


def test_labels_out_of_range_are_refused():
    with pytest.raises(IndexError, match="label -1"):
        registry.create("loss", "softmax_cross_entropy").forward(np.zeros((1, 3)), np.array([-1]), mode())


def penalised(name, value, decayed=None, implementation="auto"):
    vector = SimpleNamespace(value=value, grad=np.ones_like(value), decayed=slice(0, decayed or len(value) - 2))
    return registry.create("regularizer", {name: 0.3}).add(vector, select(implementation)), vector.grad - 1


@pytest.mark.parametrize("implementation", ["auto", "reference"])
@pytest.mark.parametrize("size", [5, 50_000])
@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-13), (np.float32, 1e-6)])
@pytest.mark.parametrize("name", ["l1", "l2"])
def test_penalties_and_their_gradients(name, dtype, tolerance, size, implementation):
    value = np.random.default_rng(0).standard_normal(size).astype(dtype)
    value[1] = 0
    kernels = value[:-2].astype(np.float64)
    penalty, gradient = penalised(name, value, implementation=implementation)
    expected = 0.3 * (abs(kernels) if name == "l1" else kernels**2).sum()
    assert penalty == pytest.approx(expected, rel=1e-12)  # float32 values are summed in float64
    slope = 0.3 * np.sign(kernels) if name == "l1" else 0.6 * kernels
    np.testing.assert_allclose(gradient, [*slope, 0, 0], rtol=tolerance, atol=tolerance)
    assert isinstance(penalty, float)


@pytest.mark.parametrize("name", ["l1", "l2"])
def test_penalties_are_differentiated_by_complex_step(name):
    value = np.array([1.5, -0.5, 2.0, 4.0])
    _, gradient = penalised(name, value, decayed=4)
    for place in range(4):
        moved = value.astype(np.complex128)
        moved[place] += 1e-30j
        penalty, _ = penalised(name, moved, decayed=4)
        assert penalty.imag / 1e-30 == pytest.approx(gradient[place], rel=1e-14)


def test_every_regularizer_is_tested():
    assert set(registry.entries("regularizer")) == {"l1", "l2"}
