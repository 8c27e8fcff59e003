"""What a sweep is made of: its file, its space, its journal; and whether its samplers find what they should."""

from __future__ import annotations

import json
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from small_runs import iris

from dltrain.cli.main import run
from dltrain.errors import ConfigError, CorruptFileError, UsageError
from dltrain.registry import create
from dltrain.sweeps.folder import SweepFolder
from dltrain.sweeps.journal import Journal, signed
from dltrain.sweeps.leading import start, table
from dltrain.sweeps.settings import from_mapping, read
from dltrain.sweeps.space import Space
from dltrain.sweeps.trials import Trials

RATE = "optimizer.adamw.learning_rate"

WRONG = {
    "spaec: {}": "sweep.yaml:2:1: spaec: there is no key 'spaec' at the top level",
    "space: {}": "space: there is nothing to vary",
    "space: {train.epochs: {integr: [1, 2]}}": "there is no dimension of this name",
    "space: {train.epochs: {integer: [2, 1]}}": "sweep.yaml:2:24: space.train.epochs.integer.bounds: these bounds",
    "space: {train.epochs: {integer: [2, 2.5]}}": "this is not a whole number",
    "space: {train.epochs: {choice: []}}": "this list is too short",
    "space: {a: {one_minus_log: [0.5, 1.0]}}": "this decay would keep everything",
    "space: {a: {log_uniform: [0, 1]}}": "this number is out of its range",
    "space: {optimizer: {choice: [adam, sgd]}, optimizer.sgd.momentum: {uniform: [0, 0.9]}}": "lies below optimizer",
    "space: {a: {uniform: {bounds: [0, 1], when: {b: 1}}}}": "names no dimension above this one",
    "space: {b: {integer: [0, 3]}, a: {uniform: {bounds: [0, 1], when: {b: 1}}}}": "can only be on a choice",
    "space: {b: {choice: [0, 3]}, a: {uniform: {bounds: [0, 1], when: {b: 1}}}}": "this is not among the choices",
    "space: {a: {uniform: [0, 1]}}\nsampler: randm": "did you mean 'random'?",
    "space: {a: {uniform: [0, 1]}}\ntrials: 0": "this number is out of its range",
    "space: {a: {uniform: [0, 1]}}\ntime: 3 epochs": "this is not a time",
    "space: [1": "sweep.yaml",
}


@pytest.mark.parametrize("text", WRONG)
def test_a_wrong_file_is_refused_with_its_place(text: str, tmp_path: Path) -> None:
    path = tmp_path / "sweep.yaml"
    path.write_text(f"config: digits-mlp\n{text}\n")
    with pytest.raises(ConfigError) as caught:
        read(path)
    assert WRONG[text] in str(caught.value) and "sweep.yaml:" in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"space": {"train.batch_size": {"integer": [0, 5]}}}, "the config refuses 0"),
        ({"space": {"optimizer.adamw.learning_rat": {"uniform": [0, 1]}}}, "did you mean 'learning_rate'?"),
        ({"space": {"model.graph.logits.99.dense": {"integer": [1, 5]}}}, "is a list"),
        ({"config": "../digits-mlp"}, "there is no such config"),
        ({"config": "digits-mpl"}, "there is no such config"),
        ({"prune": "hyperband", "time": "3 minutes"}, "pruning needs a count of trials"),
        ({"prune": "hyperband", "set": {"train.steps": 7}}, "pruning needs a count of trials"),
        ({"set": {"train.epoch": 7}}, "did you mean 'epochs'?"),
    ],
)
def test_the_config_must_know_the_space(changes: dict[str, Any], said: str, tmp_path: Path) -> None:
    from dltrain.config import dump

    path = tmp_path / "sweep.yaml"
    path.write_text(dump({"config": "digits-mlp", "space": {RATE: {"log_uniform": [1e-4, 0.1]}}, **changes}))
    with pytest.raises((ConfigError, UsageError)) as caught:
        start(path, runs=tmp_path / "runs")
    assert said in str(caught.value) and not (tmp_path / "runs").exists()


def test_the_resolved_sweep_is_the_same_sweep() -> None:
    sweep = from_mapping({"config": "digits-mlp", "space": {RATE: {"log_uniform": [1e-4, 0.1]}}})
    assert from_mapping(sweep.resolved).resolved == sweep.resolved and sweep.trials == 20
    assert from_mapping({**sweep.resolved, "trials": None, "sampler": "grid"}).trials is None


def test_a_space_sets_vars_and_blocks() -> None:
    from dltrain.config import from_mapping as experiment_of

    model = {
        "vars": {"width": 8},
        "blocks": {"layer": [{"dense": "$units"}, "relu"]},
        "graph": {"logits": [{"layer": "$width"}, "dense"]},
    }
    space = Space({"model.vars.width": {"log_integer": [4, 64]}, "model.blocks.layer.1": {"choice": ["relu", "tanh"]}})
    _, settings = space.walk(lambda path, dimension: 0.9)
    changed = experiment_of(iris(model=model), extra=settings)
    assert changed.model["vars"] == {"width": settings["model.vars.width"]} and settings["model.vars.width"] > 30
    assert changed.model["blocks"]["layer"][1] == "tanh"


def test_a_journal_takes_whole_lines_only(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.jsonl", tmp_path / ".lock")
    with journal.writing() as append:
        append({"event": "asked", "trial": 1, "text": "ä\n"})
    with open(journal.path, "ab") as file:
        file.write(b'{"event": "told", "tr')
    assert [record["text"] for record in journal.read()] == ["ä\n"]
    with journal.writing() as append:
        append({"event": "told", "trial": 1, "value": float("nan")})
    assert list(journal.read()) == [{"event": "told", "trial": 1, "value": None}]
    whole = journal.path.read_bytes()
    for position in range(0, len(whole) - 1, 7):
        damaged = bytearray(whole)
        damaged[position] ^= 1
        journal.path.write_bytes(damaged)
        with pytest.raises(CorruptFileError):
            list(Journal(journal.path, journal.lock).read())


def test_without_optuna_the_sentence_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)  # as if it were not installed
    for name in ("tpe", "cma_es"):
        with pytest.raises(UsageError, match=r'pip install "dltrain\[sweep\]"'):
            create("sampler", name).propose(1, Space({"a": {"uniform": [0, 1]}}), 0, Trials(True))
    assert create("sampler", "sobol").propose(1, Space({"a": {"uniform": [0, 1]}}), 0, Trials(True)) is not None


FUNCTION = Space({"x": {"uniform": [0.0, 1.0]}, "y": {"uniform": [0.0, 1.0]}})


def best_of(sampler: Any, seed: int, count: int, function: Any) -> float:
    """The smallest value of a function that a sampler finds."""
    made, trials = create("sampler", sampler), Trials(higher=False)
    for number in range(1, count + 1):
        proposal = made.propose(number, FUNCTION, seed, trials)
        trials.see({"event": "asked", "trial": number, "point": proposal.point, "settings": proposal.settings,
                    "round": proposal.round})  # fmt: skip
        value = function(**proposal.settings)
        told = {"state": "complete", "value": value, "values": [value], "deviation": None, "reason": ""}
        trials.see({"event": "told", "trial": number, "violation": 0.0, "seconds": 1.0, **told})
    return float(trials.ranked()[0].value or 0.0)


def over_seeds(sampler: Any, count: int, function: Any) -> float:
    """The mean over ten seeds of the best value."""
    return statistics.fmean(best_of(sampler, seed, count, function) for seed in range(10))


def test_a_grid_tries_each_value_once() -> None:
    space = Space({"width": {"log_integer": [1, 4]}, "rate": {"uniform": [0.0, 1.0]}})
    proposed = [create("sampler", {"grid": 5}).propose(n, space, 0, Trials(higher=False)) for n in range(1, 21)]
    assert len({(p.settings["width"], p.settings["rate"]) for p in proposed}) == 4 * 5


def test_random_beats_a_grid_where_one_dimension_does_not_matter() -> None:
    def one_matters(x: float, y: float) -> float:
        return abs(x - 0.37)

    assert over_seeds("random", 25, one_matters) < 0.5 * over_seeds({"grid": 5}, 25, one_matters)


@pytest.mark.parametrize("sampler", ["tpe", "cma_es", {"coarse_to_fine": 15}], ids=["tpe", "cma_es", "coarse_to_fine"])
def test_what_learns_beats_random(sampler: Any) -> None:
    def bowl(x: float, y: float) -> float:
        return (x - 0.37) ** 2 + (y - 0.71) ** 2

    assert over_seeds(sampler, 60, bowl) < 0.5 * over_seeds("random", 60, bowl)


def test_the_report_says_what_matters(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from xml.etree import ElementTree

    from dltrain.config import from_mapping as experiment_of
    from dltrain.training.goal import Goal

    space = {name: {"uniform": [0.0, 1.0]} for name in ("matters", "hardly", "not")}
    sweep = from_mapping({"config": "…", "name": "few", "space": space})
    folder = SweepFolder.create(tmp_path, sweep, experiment_of(iris()), Goal("validation.loss", False))
    assert run(["sweep", "report", str(folder.path)]) == 2
    assert "no trial is complete" in capsys.readouterr().err
    lines: list[dict[str, Any]] = []
    for number in range(1, 41):
        proposal = create("sampler", "random").propose(number, sweep.space, 0, Trials(False))
        point, settings = proposal.point, proposal.settings
        lines.append({"event": "asked", "trial": number, "point": point, "settings": settings, "round": 1})
        value = abs(settings["matters"] - 0.3) + 0.15 * settings["hardly"]
        told = {"state": "complete", "value": value, "values": [value], "deviation": None, "reason": ""}
        lines.append({"event": "told", "trial": number, "violation": 0.0, "seconds": 1.0, **told})
    (folder.path / "journal.jsonl").write_bytes(b"".join(map(signed, lines)))
    assert run(["sweep", "report", str(folder.path), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert list(found["importance"])[0] == "matters" and found["importance"]["matters"] > 0.7
    assert sum(found["importance"].values()) == pytest.approx(1)
    assert found["files"] == ["history.svg", "parallel.svg", "matters.svg", "hardly.svg", "not.svg"]
    for name in found["files"]:
        assert ElementTree.fromstring(Path(found["folder"], name).read_text()).tag.endswith("svg")
    assert run(["sweep", "report", str(folder.path)]) == 0
    assert "importance" in capsys.readouterr().out


def test_a_thousand_trials_are_listed_in_half_a_second(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from dltrain.config import from_mapping as experiment_of
    from dltrain.training.goal import Goal

    sweep = from_mapping({"config": "…", "name": "many", "space": {RATE: {"log_uniform": [1e-4, 0.1]}}})
    folder = SweepFolder.create(tmp_path, sweep, experiment_of(iris()), Goal("validation.loss", False))
    lines = []
    for number in range(1, 1001):
        lines.append({"event": "asked", "trial": number, "point": {RATE: 0.5}, "settings": {RATE: number / 1e4}})
        told = {"state": "complete", "value": 1 / number, "values": [1 / number], "deviation": None, "reason": ""}
        lines.append({"event": "told", "trial": number, "violation": 0.0, "seconds": 1.0, **told})
    (folder.path / "journal.jsonl").write_bytes(b"".join(map(signed, lines)))
    table(folder)  # imports what it needs
    begun = time.perf_counter()
    found = table(folder)
    assert time.perf_counter() - begun < 0.5
    assert len(found["trials"]) == 1000 and found["best"]["trial"] == 1000
    assert run(["sweep", "status", str(folder.path)]) == 0
    assert "1000 of 20 trials" in capsys.readouterr().out
