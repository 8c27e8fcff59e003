"""Whole small models give PyTorch's values and gradients (figure N2)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from parity_models import MODELS
from small_models import graph_of

from dltrain.kernels import select
from dltrain.model.fusion import FUSIONS
from dltrain.model.memory import Arena
from dltrain.model.mode import Mode
from dltrain.registry import create


@pytest.fixture(scope="module")
def stored() -> dict[str, np.ndarray]:
    """PyTorch's results, by `model/what/path`."""
    file = Path(__file__).with_name("fixtures") / "parity.npz"
    assert file.stat().st_size < 300_000
    with np.load(file) as arrays:
        return dict(arrays)


def part(stored: dict[str, np.ndarray], name: str, what: str) -> dict[str, np.ndarray]:
    prefix = f"{name}/{what}/"
    return {key.removeprefix(prefix): array for key, array in stored.items() if key.startswith(prefix)}


def run(name: str, stored: dict[str, np.ndarray], dtype: str, fusions: Any, mode: Mode) -> dict[str, np.ndarray]:
    """What dltrain computes, by the names under which PyTorch's results are stored."""
    model = MODELS[name]
    inputs = {wire: list(shape) for wire, shape in model.inputs.items()}
    graph = graph_of({"inputs": inputs, "graph": model.graph}, model.inputs, dtype=dtype, fusions=fusions)
    graph.load_state({**part(stored, name, "value"), **part(stored, name, "before")})
    mode.begin(0)
    given = {wire: x.astype(dtype) for wire, x in part(stored, name, "input").items()}
    outputs, backward = graph.forward(given, mode=mode)
    y, target = outputs["y"], stored[f"{name}/target"]
    if model.loss is None:
        loss, dy = (y * target).sum(), target.astype(dtype)
    else:
        target = target if target.dtype.kind == "i" else target.astype(dtype)
        loss, dy = create("loss", model.loss).forward(y, target, mode)
    found = {"y": y, "loss": np.asarray(loss)}
    found |= {f"dinput/{wire}": dx for wire, dx in backward({"y": dy}).items()}
    found |= {f"grad/{path}": p.grad for path, p in graph.parameters.items()}
    if model.train:
        found |= {f"after/{path}": s.value for path, s in graph.statistics.items()}
    return {key: np.copy(array) for key, array in found.items()}


@pytest.mark.parametrize("fusions", [FUSIONS, ()], ids=["fused", "plain"])
@pytest.mark.parametrize(
    ("dtype", "kernels", "tolerance"),
    [("float64", "reference", 1e-10), ("float32", "reference", 1e-5), ("float32", "auto", 1e-5)],
)
@pytest.mark.parametrize("name", MODELS)
def test_values_and_gradients_are_pytorchs(
    name: str, dtype: str, kernels: str, tolerance: float, fusions: Any, stored: dict[str, np.ndarray]
) -> None:
    mode = Mode(MODELS[name].train, kernels=select(kernels), arena=Arena())
    for _ in range(2):  # the second time in planned memory
        found = run(name, stored, dtype, fusions, mode)
        results = ("y", "loss", "dinput/", "grad/", "after/")
        expected = {key.removeprefix(f"{name}/") for key in stored if key.startswith(f"{name}/")}
        assert set(found) == {key for key in expected if key.startswith(results)}
        gradients = [np.linalg.norm(stored[f"{name}/{key}"]) for key in found if key.startswith("grad/")]
        floor = 0.1 * max(gradients)  # a bias under a batch norm has no gradient but rounding
        for key, value in found.items():
            right = stored[f"{name}/{key}"]
            assert value.shape == right.shape
            assert np.linalg.norm(value - right) <= tolerance * max(np.linalg.norm(right), floor), key
