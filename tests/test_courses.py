"""The shipped configs of the course beside its networks in plain NumPy: the same curve from the same start."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from dltrain import config
from dltrain.config.shipped import find_shipped
from dltrain.model.mode import Mode
from dltrain.optim.moment import Moment
from dltrain.training.session import prepare

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def courses() -> ModuleType:
    """benchmarks/courses.py, which is no part of the package."""
    spec = importlib.util.spec_from_file_location("courses", ROOT / "benchmarks" / "courses.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["courses"] = module
    spec.loader.exec_module(module)
    return module


def curve(name: str, x: Any, y: Any, weights: list[Any], steps: int, folder: Path, sets: Any = ()) -> list[float]:
    """The losses of a shipped config, in float64, on these data and from these weights (O, I), (O, 1)."""
    np.savez(folder / "points.npz", x=x.T, y=y[0].astype(int))
    own = [*sets, "data.source={npz: points.npz}", "data.prepare=[]", "dtype=float64"]
    experiment = config.load(find_shipped(name), [*own, "data.split={random: {validation: 0, test: 0}}"])
    session = prepare(experiment, "reference")
    objective, optimizer, losses = session.objective, session.optimizer(), []
    for parameter, value in zip(session.graph.parameters.values(), weights, strict=True):
        parameter.value[...] = value.T.reshape(parameter.value.shape)
    loader = session.loader("train", batch_size=x.shape[1])
    for step in range(steps):
        losses.append(float(objective(loader.batch(0, 0), Mode(True)).loss))
        optimizer.step(Moment(step, 1, steps))
        session.graph.changed()
    return losses


@pytest.mark.parametrize(
    ("name", "course", "sets"),
    [
        ("planar-flower", "flower 4", ()),
        ("planar-flower", "flower 2", ("model.vars.hidden=2",)),
        ("circles-init", "circles normal", ("model.vars.start={normal: 10}",)),
        ("circles-init", "circles he", ()),
        ("football", "football", ()),
        ("football-l2", "football l2", (f"regularize=[{{l2: {0.7 / 422}}}]",)),  # where the config rounds
        ("cats-two-layers", "cats two", ()),
        ("cats-four-layers", "cats four", ()),
    ],
)
def test_the_curve_is_the_course_s(
    courses: ModuleType, name: str, course: str, sets: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On points that need no file; the width of the input is theirs, the rest is the config's and the course's."""
    monkeypatch.setenv("DLTRAIN_DATA", str(tmp_path))
    taken = courses.COURSES[course]
    steps = 100 if course == "circles normal" else 300  # from so large a start the last bit is seen after 190
    x, y, _, _ = courses.flower() if "flower" in course else courses.circles()
    x, y = (x[:, :211], y[:, :211]) if "football" in course else (x, y)  # the decay is of so many examples
    weights = courses.first_weights(taken, len(x), taken.seed)
    found = curve(name, x, y, weights, steps, tmp_path, sets)
    expected = list(courses.losses(taken, weights, x, y, steps))
    assert expected[0] - expected[-1] > 1e-6  # it learns
    np.testing.assert_allclose(found, expected, rtol=1e-6)


@pytest.mark.parametrize("course", ["flower 2", "circles he"])
def test_the_course_s_seed_gives_its_figure(courses: ModuleType, course: str) -> None:
    taken = courses.COURSES[course]
    assert courses.reached(taken, taken.seed) == pytest.approx(taken.known, abs=1e-9)
