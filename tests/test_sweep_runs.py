"""Sweeps as processes: killed, interrupted, shared between workers; and what the commands say."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from small_runs import iris
from sweep_kills import command, events, killed, results, told, wait_for

from dltrain import api
from dltrain.cli.main import run
from dltrain.config import dump
from dltrain.errors import UsageError
from dltrain.runs.folder import RunFolder

SPACE = {"optimizer.adam.learning_rate": {"log_uniform": [1e-4, 0.1]}, "train.batch_size": {"choice": [15, 30]}}


def write(folder: Path, **changes: Any) -> None:
    """A small sweep in a folder: `sweep.yaml` and the config that it varies."""
    folder.mkdir(exist_ok=True)
    sweep = {"config": "iris.yaml", "name": "small", "space": SPACE, "trials": 6, **changes}
    (folder / "iris.yaml").write_text(dump(iris()))
    (folder / "sweep.yaml").write_text(dump(sweep))


def json_of(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> dict[str, Any]:
    """What a command prints with --json."""
    assert run([*words, "--json"]) == code, capsys.readouterr().err
    found = json.loads(capsys.readouterr().out)
    assert isinstance(found, dict)
    return found


def test_kills_change_nothing(tmp_path: Path) -> None:
    """A worker, the leader, and both are killed; every trial is told once, with the result of an undisturbed sweep."""
    for name in ("killed", "unbroken"):
        write(tmp_path / name, trials=8, set={"train.epochs": 10, "train.checkpoint_every": "7 steps"})
    found = killed(tmp_path / "killed", "sweep.yaml", [(2, "worker"), (4, "leader"), (6, "both")])
    other = killed(tmp_path / "unbroken", "sweep.yaml", [], workers=1)
    assert results(found) == results(other) and len(found["trials"]) == 8
    counts = events(found)
    assert all(counts["asked", n] == counts["told", n] == 1 for n in range(1, 9)) and len(counts) > 16
    for trial in found["trials"]:
        (name,) = trial["runs"]
        same = [Path(table["sweep"], "trials", name) for table in (found, other)]
        assert len({(path / "metrics.jsonl").read_bytes() for path in same}) == 1


@pytest.mark.slow
@pytest.mark.parametrize("sampler", ["random", {"coarse_to_fine": 20}], ids=["random", "coarse_to_fine"])
def test_sixty_trials_on_digits(tmp_path: Path, sampler: Any) -> None:
    space = {
        "optimizer.adamw.learning_rate": {"log_uniform": [1e-4, 0.1]},
        "model.graph.logits.2.dropout": {"uniform": [0.0, 0.6]},
    }
    sweep = {"config": "digits-mlp", "name": "digits", "space": space, "trials": 60, "sampler": sampler}
    sweep["set"] = {"train.epochs": 3}
    for name in ("killed", "unbroken"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "sweep.yaml").write_text(dump(sweep))
    found = killed(tmp_path / "killed", "sweep.yaml", [(9, "worker"), (23, "leader"), (41, "both")])
    other = killed(tmp_path / "unbroken", "sweep.yaml", [])
    assert results(found) == results(other) and len(found["trials"]) == 60
    counts = events(found)
    assert all(counts["asked", n] == counts["told", n] == 1 for n in range(1, 61))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_saves_and_the_sweep_goes_on(tmp_path: Path, number: signal.Signals) -> None:
    write(tmp_path / "a", trials=3, set={"train.epochs": 300, "train.checkpoint_every": "10 epochs"})
    process = command("sweep.yaml", "--workers", "2", "--threads", "2", folder=tmp_path / "a")
    runs = tmp_path / "a" / "runs" / "small-1" / "trials"
    wait_for(lambda: len(list(runs.glob("*/checkpoints/step-*"))) > 2)
    process.send_signal(number)
    assert process.wait(60) == 128 + number and told(tmp_path / "a") < 3
    assert RunFolder.open(runs / "trial-0001-1").summary_path.is_file()
    found = api.resume_sweep("small", runs=tmp_path / "a" / "runs", trials=2, workers=2)
    assert found["counts"]["complete"] == 2 and found["exit_code"] == 0
    assert events(found)["taken", 1] == 1


def test_seeds_bounds_and_failures_are_results(tmp_path: Path) -> None:
    space = {"optimizer.adam.learning_rate": {"choice": [0.01, 1e200]}, "train.epochs": {"choice": [1, 3]}}
    metrics = {"optimize": "accuracy", "satisfy": {"loss": "<= 0.57"}}
    given = {"config": iris(metrics=metrics, dtype="float64"), "space": space, "sampler": "grid", "seeds": 3}
    found = api.sweep(given, runs=tmp_path, workers=2)
    assert found["metric"] == "validation.accuracy" and found["counts"] == {
        "complete": 2, "pruned": 0, "failed": 2, "running": 0,
    }  # fmt: skip
    one, three, *broken = found["trials"]
    assert one["violation"] > 0 == three["violation"] and found["best"]["trial"] == 2
    assert three["value"] == pytest.approx(sum(three["values"]) / 3) and three["deviation"] is not None
    assert len(set(three["runs"])) == 3 and all(
        (Path(found["sweep"], "trials", r, "summary.json")).is_file() for r in three["runs"]
    )
    assert all(trial["reason"] and trial["value"] is None for trial in broken)
    again = api.sweep(given, runs=tmp_path, fail_fast=True)
    assert again["exit_code"] == 3 and again["counts"]["failed"] == 1


@pytest.mark.parametrize("prune", [{"successive_halving": {"reduction": 2}}, {"hyperband": {"reduction": 2}}])
def test_pruning_is_the_same_with_any_number_of_workers(tmp_path: Path, prune: Any) -> None:
    config = iris(train__epochs=4, optimizer={"adam": {"learning_rate": {"cosine": {"learning_rate": 0.01}}}})
    space = {"optimizer.adam.learning_rate.cosine.learning_rate": {"log_uniform": [1e-5, 0.1]}}
    given = {"config": config, "space": space, "prune": prune, "trials": 6}
    one, two = (api.sweep(given, runs=tmp_path / str(count), workers=count, threads=count) for count in (1, 2))
    assert results(one) == results(two) and one["counts"]["pruned"] > 0 < one["counts"]["complete"]
    pruned = next(trial for trial in one["trials"] if trial["state"] == "pruned")
    assert "it was number" in pruned["reason"] and pruned["value"] is not None
    best = one["best"]
    whole = api.fit(best_config(one), runs=tmp_path / "whole")
    assert whole["best"]["value"] == best["value"]  # pausing at rungs changed no bit
    log = Path(one["sweep"], "trials", best["runs"][0], "metrics.jsonl")
    assert log.read_bytes() == Path(whole["run"], "metrics.jsonl").read_bytes()


def best_config(found: dict[str, Any]) -> dict[str, Any]:
    """The config of the best trial."""
    config: dict[str, Any] = api.best_of_sweep(found["sweep"])["config"]
    return config


@pytest.mark.slow
def test_a_trial_costs_hardly_more_than_a_fit(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Ten trials by a worker and ten plain fits of the same configs, side by side in this process."""
    from dltrain.sweeps.folder import SweepFolder
    from dltrain.sweeps.settings import from_mapping
    from dltrain.sweeps.worker import Worker

    found = api.sweep({"config": iris(), "space": SPACE, "trials": 1}, runs=tmp_path)  # compiles, imports
    folder = SweepFolder.open(found["sweep"])
    folder.extend(from_mapping({**folder.sweep().resolved, "trials": 11}), folder.experiment({}, {}))
    begun = time.perf_counter()
    assert Worker(folder).work() == 0
    sweep = time.perf_counter() - begun
    configs = [api.best_of_sweep(folder.path, trial=number)["config"] for number in range(2, 12)]
    begun = time.perf_counter()
    for config in configs:
        api.fit(config, runs=tmp_path / "plain")
    overhead = (sweep - (time.perf_counter() - begun)) / 10
    with capsys.disabled():
        print(f"overhead of a trial: {overhead:.3f} s")
    assert overhead < 0.3


def test_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path, trials=2)
    monkeypatch.chdir(tmp_path)
    found = json_of(capsys, "sweep", "sweep.yaml")
    assert found["counts"]["complete"] == 2 and found["best"]["value"] == min(t["value"] for t in found["trials"])
    assert run(["sweep", "status", "small"]) == 0
    assert "2 of 2 trials (2 complete)" in capsys.readouterr().out
    best = json_of(capsys, "sweep", "best", "small", "--write", "best.yaml")
    assert best["config"]["optimizer"]["adam"]["learning_rate"] == best["settings"]["optimizer.adam.learning_rate"]
    assert run(["sweep", "best", "small", "--write", "best.yaml"]) == 2
    assert "this file is there already" in capsys.readouterr().err
    assert run(["check", "best.yaml"]) == 0
    capsys.readouterr()
    again = json_of(capsys, "sweep", "sweep.yaml", "--resume", "--trials", "3")
    assert len(again["trials"]) == 3 and again["sweep"] == found["sweep"] and again["trials"][:2] == found["trials"]
    (tmp_path / "iris.yaml").write_text(dump(iris(regularize=[{"l2": 0.5}])))
    assert run(["sweep", "sweep.yaml", "--resume", "--trials", "4"]) == 2
    assert "the config was changed since the sweep was started: regularize" in capsys.readouterr().err
    write(tmp_path, trials=3, sampler="sobol")
    assert run(["sweep", "sweep.yaml", "--resume"]) == 2
    assert "sampler: random → sobol" in capsys.readouterr().err
    shown = json_of(capsys, "runs", "ls", "--runs", "runs/small-1/trials")
    assert [r["name"] for r in shown["runs"]] == ["trial-0001-1", "trial-0002-1", "trial-0003-1"]


def test_one_leads_and_a_damaged_journal_is_refused(tmp_path: Path) -> None:
    found = api.sweep({"config": iris(), "space": SPACE, "trials": 1}, runs=tmp_path)
    from dltrain.sweeps.folder import SweepFolder

    folder = SweepFolder.open(found["sweep"])
    with folder.lock(), pytest.raises(Exception, match="is in use"):
        api.resume_sweep(folder.path, trials=2)
    journal = folder.path / "journal.jsonl"
    whole = journal.read_bytes()
    journal.write_bytes(whole[:-20])  # a kill within the last line: the trial is taken up again
    assert api.resume_sweep(folder.path)["trials"][0]["value"] == found["trials"][0]["value"]
    journal.write_bytes(whole.replace(b'"complete"', b'"failed"'))
    with pytest.raises(Exception, match=r"journal.jsonl:2: this line of the journal is damaged"):
        api.sweep_table(folder.path)
    with pytest.raises(UsageError, match="there is no such sweep"):
        api.sweep_table("nothing", runs=tmp_path)
