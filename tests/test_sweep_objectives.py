"""Sweeps with several objectives: the Pareto front, its bounds, its samplers, its pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from small_runs import iris

from dltrain import api
from dltrain.errors import ConfigError, UsageError
from dltrain.registry import create
from dltrain.report.parallel import Axis, Line, parallel_chart
from dltrain.sweeps.leading import start
from dltrain.sweeps.space import Space
from dltrain.sweeps.trials import Trials

BOTH = {"validation.accuracy": True, "validation.loss": False}
SPACE = {"optimizer.adam.learning_rate": {"log_uniform": [1e-4, 0.5]}}


def see(
    trials: Trials, number: int, accuracy: float, loss: float, violation: float = 0.0, state: str = "complete"
) -> None:
    """Tell of a trial."""
    trials.see({"event": "asked", "trial": number, "point": {"x": loss}, "settings": {"x": loss}})
    told = {"state": state, "value": accuracy, "values": [accuracy], "deviation": None, "reason": "", "seconds": 1.0}
    objectives = {"validation.accuracy": accuracy, "validation.loss": loss}
    trials.see({"event": "told", "trial": number, "violation": violation, "objectives": objectives, **told})


def test_the_front_is_what_nothing_dominates() -> None:
    trials = Trials(True, BOTH)
    points = [(0.9, 0.5), (0.8, 0.3), (0.8, 0.4), (0.7, 0.3), (0.95, 0.9), (0.5, 0.1), (0.5, 0.2), (0.9, 0.5)]
    for number, (accuracy, loss) in enumerate(points, start=1):
        see(trials, number, accuracy, loss)
    see(trials, 9, 0.99, 0.01, state="pruned")
    assert [trial.number for trial in trials.front()] == [5, 1, 8, 2, 6]
    see(trials, 10, 0.99, 0.01, violation=0.2)  # misses a bound: however good, it dominates none that keeps it
    assert [trial.number for trial in trials.front()] == [5, 1, 8, 2, 6]
    for number in range(1, 9):
        trials.by_number[number].violation = 0.5
    assert [trial.number for trial in trials.front()] == [10]
    assert Trials(True).front() == []


def test_tpe_spreads_along_the_front() -> None:
    """Two bowls at both ends of a line: all between them is the front, and most proposals should lie there."""
    space, sampler, trials = Space({"x": {"uniform": [-5.0, 5.0]}}), create("sampler", "tpe"), Trials(True, BOTH)
    found = []
    for number in range(1, 61):
        proposal = sampler.propose(number, space, 3, trials)
        x = proposal.settings["x"]
        trials.see({"event": "asked", "trial": number, "point": proposal.point, "settings": proposal.settings})
        told = {"state": "complete", "values": [], "deviation": None, "reason": "", "seconds": 1.0, "violation": 0.0}
        objectives = {"validation.accuracy": -((x - 1) ** 2), "validation.loss": (x + 1) ** 2}
        trials.see({"event": "told", "trial": number, "value": -((x - 1) ** 2), "objectives": objectives, **told})
        found.append(-1 <= x <= 1)
    assert sum(found[10:]) >= 20  # of 50; random points would reach 10 on average, and 20 once in a thousand times


def test_a_sweep_with_two_objectives(tmp_path: Path) -> None:
    given = {"config": iris(), "space": SPACE, "trials": 5, "seeds": 2, "objectives": ["validation.f1"]}
    found = api.sweep(given, runs=tmp_path)
    assert found["objectives"] == {"validation.loss": False, "validation.f1": True} and found["front"]
    for trial in found["trials"]:
        logs = [best_record(Path(found["sweep"], "trials", name)) for name in trial["runs"]]
        assert trial["objectives"]["validation.f1"] == pytest.approx(sum(log["f1"] for log in logs) / 2)
        assert trial["objectives"]["validation.loss"] == pytest.approx(trial["value"])
    assert found["best"]["trial"] == found["front"][0]
    other = next(t["trial"] for t in found["trials"] if t["trial"] != found["front"][0])
    best = api.best_of_sweep(found["sweep"], trial=other)
    assert best["trial"] == other and best["front"] == found["front"]
    with pytest.raises(UsageError, match="there is no complete trial of this number"):
        api.best_of_sweep(found["sweep"], trial=9)
    pictures = api.report_of_sweep(found["sweep"])
    assert {"parallel.svg", "front.svg"} <= set(pictures["files"])
    for name in ("parallel.svg", "front.svg"):
        assert ElementTree.fromstring(Path(pictures["folder"], name).read_text()).tag.endswith("svg")


def best_record(run: Path) -> Any:
    """The metrics of the evaluation with the smallest loss."""
    from dltrain.runs.metrics import read_log

    return min((r["validation"] for r in read_log(run / "metrics.jsonl") if "validation" in r), key=lambda m: m["loss"])


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"objectives": ["validation.luck"]}, "objectives.0: this is not measured"),
        (
            {"objectives": ["validation.f1"], "sampler": {"coarse_to_fine": 5}},
            "sampler: this ranks trials by one metric",
        ),
        ({"objectives": ["validation.f1"], "sampler": "cma_es"}, "sampler: this ranks trials by one metric"),
        ({"objectives": ["validation.f1"], "prune": "hyperband"}, "prune: this ranks trials by one metric"),
    ],
)
def test_what_cannot_have_several_objectives_is_refused(changes: dict[str, Any], said: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        start({"config": iris(), "space": SPACE, "trials": 9, **changes}, runs=tmp_path / "runs")
    assert said in str(caught.value) and not (tmp_path / "runs").exists()


def test_one_objective_that_is_the_metric_anyway_is_none(tmp_path: Path) -> None:
    given = {"config": iris(), "space": SPACE, "trials": 1, "objectives": ["validation.loss"], "prune": "hyperband"}
    found = api.sweep(given, runs=tmp_path)
    assert found["objectives"] == {} and found["front"] == []


def test_parallel_coordinates() -> None:
    axes = [Axis("a", {0.0: "0", 1.0: "<1>"}), Axis("b"), Axis("c")]
    lines = [
        Line([0.0, None, 1.0], "weak", 0.1),
        Line([1.0, 0.5, 0.0], "best", 1.0, marked=True),
        Line([0.5] * 3, "two", 0.5),
    ]
    root = ElementTree.fromstring(parallel_chart("trials", axes, lines))
    drawn = [e for e in root.iter() if e.tag.endswith("polyline")]
    assert [e[0].text for e in drawn] == ["weak", "two", "best"]  # what matters lies on top
    assert [len(e.get("points", "").split()) for e in drawn] == [2, 3, 3]
    opacity = [float(e.get("opacity", "0")) for e in drawn]
    assert opacity == sorted(opacity)
    with pytest.raises(ValueError):
        parallel_chart("trials", axes, [Line([0.0], "short")])
