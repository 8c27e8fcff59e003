"""Runs brought back: what is refused, and what is never silently replaced by something else."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_runs import StopAt, iris

from dltrain import api, config
from dltrain.errors import ConfigError, CorruptFileError, DataError, StorageError, UsageError
from dltrain.runs.folder import RunFolder


def damage(path: Path) -> None:
    """Flip a byte in the middle of a file."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def test_a_damaged_checkpoint_is_never_replaced_by_another_one(tmp_path: Path) -> None:
    run = api.fit(iris(), runs=tmp_path)["run"]
    paths = RunFolder.open(run).checkpoints()
    last, before = sorted(paths)[-1], sorted(paths)[-2]
    damage(paths[last])
    for which in ("best", "last", last):
        with pytest.raises(CorruptFileError, match="damaged"):
            api.evaluate(run, checkpoint=which)
    with pytest.raises(CorruptFileError, match=f"--checkpoint {before}"):
        api.evaluate(run)
    assert api.evaluate(run, checkpoint=before)["checkpoint"] == before
    for step in sorted(paths)[:-1]:
        damage(paths[step])
    with pytest.raises(CorruptFileError, match="start a new run"):
        api.evaluate(run)
    with pytest.raises(CorruptFileError, match="start a new run"):
        api.resume(run)


def test_a_best_checkpoint_that_is_gone_is_said_to_be_gone(tmp_path: Path) -> None:
    summary = api.fit(iris(optimizer={"adam": 0.5}, train__epochs=12, regularize=[]), runs=tmp_path)
    paths = RunFolder.open(summary["run"]).checkpoints()
    assert summary["best"]["step"] != max(paths)
    paths[summary["best"]["step"]].unlink()
    with pytest.raises(CorruptFileError, match="best checkpoint is gone"):
        api.evaluate(summary["run"])
    assert api.evaluate(summary["run"], checkpoint="last")["checkpoint"] == max(paths)


def test_other_data_under_the_same_name_are_refused(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((60, 4)), np.arange(60) % 3
    np.savez(tmp_path / "some.npz", x=x, y=y)
    (tmp_path / "some.yaml").write_text(config.dump(iris(data__source={"npz": "some.npz"})))
    run = api.fit(tmp_path / "some.yaml", runs=tmp_path / "runs")["run"]
    api.evaluate(run)
    np.savez(tmp_path / "some.npz", x=x + 1e-9, y=y)
    for use in (api.evaluate, api.resume, api.gradcheck):
        with pytest.raises(DataError, match="not those the run was started with"):
            use(run)
    assert len(api.load_run(run).predict(x)) == 60  # needs only what the checkpoint holds


def test_resume_by_another_config_is_refused(tmp_path: Path) -> None:
    api.fit(iris(), runs=tmp_path, progress=StopAt(3))
    other = iris(model__graph={"logits": ["dense"]})
    with pytest.raises(UsageError, match="another config"):
        api.fit(other, runs=tmp_path, resume=True)
    longer = api.fit(iris(train__epochs=4), runs=tmp_path, resume=True)
    assert longer["epochs"] == 4


def test_a_fast_dev_run_evaluates_and_saves_each_step_under_its_own_name(tmp_path: Path) -> None:
    summary = api.fit(iris(), runs=tmp_path, fast_dev_run=True)
    assert summary["name"].startswith("fast-dev-run")
    assert summary["steps"] == 2
    assert set(summary["metrics"]["validation"]) == {"loss", "accuracy", "f1"}
    assert set(RunFolder.open(summary["run"]).checkpoints()) == {1, 2}


@pytest.mark.parametrize("widths", [[100_000, 3_000_000], [2_000_000_000]])
def test_a_model_larger_than_the_memory_is_refused_with_figures(widths: list[int]) -> None:
    chain: list[Any] = [{"dense": width} for width in widths]
    with pytest.raises(ConfigError, match=r"GiB.*got [0-9,.]+ GiB") as caught:
        api.build_model({"graph": {"y": chain}}, {"x": (4,)})
    assert f"model.graph.y.{len(widths) - 1}" in str(caught.value)


def test_a_batch_larger_than_the_memory_is_refused_with_figures(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"train\.batch_size.*GiB"):
        api.fit(iris(train__batch_size=10**12), runs=tmp_path)


@pytest.mark.parametrize(("text", "line"), [("x = 1\nraise OSError('no')\n", 2), ("def f(:\n", 1)])
def test_a_plugin_that_fails_is_named_with_its_line(text: str, line: int, tmp_path: Path) -> None:
    (tmp_path / "bad.py").write_text(text)
    with pytest.raises(UsageError, match=rf"bad\.py:{line}: the plugin fails"):
        api.fit(iris(), plugins=[tmp_path / "bad.py"], runs=tmp_path)
    with pytest.raises(UsageError, match="no such Python file"):
        api.fit(iris(), plugins=[tmp_path], runs=tmp_path)


def test_a_refused_resume_changes_nothing_in_the_folder(tmp_path: Path) -> None:
    run = RunFolder.open(api.fit(iris(), runs=tmp_path, progress=StopAt(3))["run"])
    holder = "import sys, time; from dltrain.runs.folder import RunFolder\n"
    holder += "with RunFolder.open(sys.argv[1]).lock(): print('held', flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", holder, str(run.path)], stdout=subprocess.PIPE, text=True) as other:
        try:
            assert other.stdout is not None and other.stdout.readline() == "held\n"
            before = {path: path.read_bytes() for path in run.path.rglob("*") if path.is_file()}
            with pytest.raises(StorageError, match="in use"):
                api.fit(iris(train__epochs=9), runs=tmp_path, resume=True)
            assert {path: path.read_bytes() for path in run.path.rglob("*") if path.is_file()} == before
        finally:
            other.kill()


def test_a_folder_is_a_run_only_when_all_it_begins_with_is_there(tmp_path: Path) -> None:
    def killed(run: RunFolder) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        RunFolder.create(tmp_path, "iris", killed)
    assert [path.name for path in tmp_path.iterdir()] == ["iris-1"]
    with pytest.raises(UsageError, match="no such run"):
        RunFolder.find("iris", tmp_path)
    assert api.fit(iris(), runs=tmp_path, resume=True)["name"] == "iris-2"


def test_a_budget_in_steps_ends_with_metrics_that_are_not_logged(tmp_path: Path) -> None:
    cut = api.fit(iris(train={"steps": 10, "batch_size": 15}), runs=tmp_path)
    assert cut["stopped"] == "steps"
    assert set(cut["metrics"]["train"]) >= {"loss", "accuracy"}
    assert cut["metrics"]["validation"] == api.evaluate(cut["run"], split="validation", checkpoint="last")["metrics"]
    assert [record["step"] for record in api.load_run(cut["run"]).metrics] == [7]


def test_every_forward_pass_in_training_drops_other_units() -> None:
    model = api.build_model({"graph": {"y": [{"dropout": 0.5}]}}, {"x": (100,)}, dtype="float64")
    ones = np.ones((4, 100))
    first, second = (model.forward({"x": ones}, train=True)[0]["y"] for _ in range(2))
    assert (first != second).any()
    again = api.build_model({"graph": {"y": [{"dropout": 0.5}]}}, {"x": (100,)}, dtype="float64")
    assert (again.forward({"x": ones}, train=True)[0]["y"] == first).all()


def test_wrong_use_of_a_model_is_said_in_a_sentence() -> None:
    model = api.build_model({"graph": {"y": [{"dense": 2}]}}, {"x": (3,)})
    outputs, backward = model.forward({"x": np.ones((1, 3), np.float32)})
    with pytest.raises(UsageError, match="no such wire; expected x, y; got 'z'"):
        backward({"z": outputs["y"]})
    backward({"y": outputs["y"]})
    with pytest.raises(UsageError, match="has been run"):
        backward({"y": outputs["y"]})
    with pytest.raises(UsageError, match="no such wire"):
        model.forward({"x": np.ones((1, 3), np.float32)}, wires=["h"])
    with pytest.raises(UsageError, match="type of number"):
        api.build_model({"graph": {"y": [{"dense": 2}]}}, {"x": (3,)}, dtype="int32")


def test_an_output_that_no_loss_reads_is_refused() -> None:
    model = {"graph": {"aux": [{"dense": 2}], "logits": ["dense"]}, "outputs": ["aux", "logits"]}
    with pytest.raises(ConfigError, match="no loss reads the output 'aux'"):
        api.check(iris(model=model))
