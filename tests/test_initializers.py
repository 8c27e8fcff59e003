"""Initializers: their stated moments, and the same weights in float32 and float64."""

from __future__ import annotations

import numpy as np
import pytest

from dltrain import registry

FANS, SHAPE = (300, 100), (300, 1000)

# spec: (mean, variance, limit of the absolute value)
STATED = {
    "zeros": (0, 0, 0),
    "ones": (1, 0, 1),
    "constant": (0.25, 0, 0.25),
    "normal": (0, 0.05**2, np.inf),
    "truncated_normal": (0, 0.05**2 * 0.773741, 0.1),
    "uniform": (0, 0.05**2 / 3, 0.05),
    "lecun_normal": (0, 1 / 300, np.inf),
    "lecun_uniform": (0, 1 / 300, (3 / 300) ** 0.5),
    "glorot_normal": (0, 1 / 200, np.inf),
    "glorot_uniform": (0, 1 / 200, (3 / 200) ** 0.5),
    "he_normal": (0, 2 / 300, np.inf),
    "he_uniform": (0, 2 / 300, (6 / 300) ** 0.5),
}


def filled(name, dtype=np.float64, seed=5):
    value = np.full(SHAPE, np.nan, dtype)
    spec = {name: 0.25} if name == "constant" else name
    registry.create("initializer", spec).fill(value, FANS, np.random.default_rng(seed))
    return value


MATRICES = {"orthogonal", "identity"}  # their elements are not independent: they have tests of their own


def test_every_initializer_is_tested():
    assert set(STATED) | MATRICES == set(registry.entries("initializer"))


@pytest.mark.parametrize("name", STATED)
def test_moments(name):
    mean, variance, limit = STATED[name]
    value = filled(name)
    deviation = variance**0.5
    assert value.mean() == pytest.approx(mean, abs=4 * deviation / value.size**0.5)
    assert value.var() == pytest.approx(variance, rel=6 * (2 / value.size) ** 0.5)
    assert abs(value).max() <= limit
    if 0 < limit < np.inf and variance:
        assert abs(value).max() > 0.999 * limit
    if limit == np.inf:
        assert abs(value).max() > 4 * deviation  # not truncated
        kurtosis = ((value / deviation) ** 4).mean()
        assert kurtosis == pytest.approx(3, abs=0.1)


@pytest.mark.parametrize("name", STATED)
def test_float32_and_float64_models_start_from_the_same_weights(name):
    assert np.array_equal(filled(name, np.float32), filled(name, np.float64).astype(np.float32))


@pytest.mark.parametrize("name", [name for name, (_, variance, _) in STATED.items() if variance])
def test_the_generator_decides(name):
    assert np.array_equal(filled(name, seed=1), filled(name, seed=1))
    assert not np.array_equal(filled(name, seed=1), filled(name, seed=2))


@pytest.mark.parametrize("name", STATED)
def test_an_empty_parameter_and_one_without_fans(name):
    initializer = registry.create("initializer", {name: 0.25} if name == "constant" else name)
    initializer.fill(np.empty((0, 3)), (0, 3), np.random.default_rng(0))
    value = np.empty(3)
    initializer.fill(value, (0, 0), np.random.default_rng(0))
    assert np.isfinite(value).all()
