"""Images inside a border go through the compiled kernels: that pixels lie apart is no reason for the slow way."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from dltrain.kernels import namespace
from dltrain.kernels.pool import Pool

pytest.importorskip("numba")

WINDOWS = Pool((2, 2), (2, 2), (0, 0))
HALVES = (np.full(3, 0.5, np.float32),) * 2


def bordered(side: int, seed: int) -> np.ndarray:
    """Images (2, side, side, 5) inside a border of 1."""
    rng = np.random.default_rng(seed)
    return rng.standard_normal((2, side + 2, side + 2, 5)).astype(np.float32)[:, 1:-1, 1:-1]


def vector(seed: int) -> np.ndarray:
    """A positive number for each channel."""
    return np.random.default_rng(seed).random(5).astype(np.float32) + np.float32(0.5)


X, Y, DY, SMALL = bordered(6, 0), bordered(6, 1), bordered(6, 2), bordered(3, 3)
INDEX = bordered(3, 4).astype(np.int32) % 4
STATISTICS = np.linspace(0.5, 1.5, 20, dtype=np.float32).reshape(2, 2, 5)
GAMMA, BETA, MEAN, DEVIATION = (vector(seed) for seed in range(4))

# name: (the shape of the result, call(function, result, another array for each channel, the same))
CALLS: dict[str, tuple[int, Callable[..., Any]]] = {
    "max_pool": (3, lambda f, out, p, q: f(X, WINDOWS, out, None)),
    "max_pool_backward": (6, lambda f, out, p, q: f(SMALL, INDEX, WINDOWS, out)),
    "pick": (3, lambda f, out, p, q: f(X, INDEX, WINDOWS, out)),
    "sum_pool": (3, lambda f, out, p, q: f(X, WINDOWS, HALVES, out)),
    "sum_pool_backward": (6, lambda f, out, p, q: f(SMALL, WINDOWS, HALVES, out)),
    "add_bias": (6, lambda f, out, p, q: f(X, BETA, out)),
    "bias_gradient": (6, lambda f, out, p, q: (out.fill(0), f(DY, p, False))),
    "group_norm": (6, lambda f, out, p, q: f(X, GAMMA, BETA, 1e-3, out, *STATISTICS.copy())),
    "group_norm_backward": (6, lambda f, out, p, q: f(X, DY, GAMMA, *STATISTICS, p, q, out, False, np.empty)),
    "batch_norm": (6, lambda f, out, p, q: f(X, GAMMA, BETA, 1e-3, "relu", out, p, q, np.empty)),
    "batch_norm_backward": (
        6,
        lambda f, out, p, q: f(X, Y, DY, GAMMA, MEAN, DEVIATION, p, q, out, "relu", False, np.empty),
    ),
    "batch_norm_inference": (
        6,
        lambda f, out, p, q: f(X, GAMMA, BETA, MEAN, DEVIATION, 1e-3, "linear", out),
    ),
    "batch_norm_inference_backward": (
        6,
        lambda f, out, p, q: f(X, Y, DY, GAMMA, MEAN, DEVIATION, 1e-3, p, q, out, "linear", False, np.empty),
    ),
}


@pytest.mark.parametrize("name", CALLS)
def test_a_border_is_no_reason_for_the_slow_way(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    side, call = CALLS[name]
    fast, plain = (namespace(kind).functions[name] for kind in ("compiled", "reference"))
    expected = bordered(side, 9), np.zeros(5, np.float32), np.zeros(5, np.float32)
    call(plain, *expected)
    monkeypatch.setattr(importlib.import_module(plain.__module__), name, None)  # so that calling it is an error
    buffer = np.full((2, side + 2, side + 2, 5), 7, np.float32)
    found = buffer[:, 1:-1, 1:-1], np.zeros(5, np.float32), np.zeros(5, np.float32)
    call(fast, *found)
    for got, right in zip(found, expected, strict=True):
        np.testing.assert_allclose(got, right, rtol=1e-5, atol=1e-5)
    buffer[:, 1:-1, 1:-1] = 7
    assert (buffer == 7).all()  # the border stays as it was
