"""The hook for TensorBoard: its event files, read back by TensorBoard's own reader."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import Any

import pytest
from small_runs import StopAt, iris, result, unbroken

from dltrain import api
from dltrain.errors import UsageError
from dltrain.runs.metrics import read_log
from dltrain.training.event_files import append, begin, scalars

HOOK = {"train__epochs": 4, "train__checkpoint_every": "2 epochs", "hooks": ["tensorboard"]}


def read(run: str | Path) -> dict[str, list[tuple[int, float]]]:
    """What TensorBoard reads of a run: {tag: [(step, value)]}."""
    loading = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    found = loading.EventAccumulator(str(Path(run, "tensorboard")))
    found.Reload()
    return {tag: [(e.step, e.value) for e in found.Scalars(tag)] for tag in found.Tags()["scalars"]}


def logged(run: str | Path) -> dict[str, list[tuple[int, Any]]]:
    """The same of the run's own metric log."""
    found: dict[str, list[tuple[int, Any]]] = {}
    for record in read_log(Path(run, "metrics.jsonl")):
        for tag, value in scalars(record).items():
            found.setdefault(tag, []).append((record["step"], pytest.approx(value)))
    return found


def test_tensorboard_reads_what_the_metric_log_holds(tmp_path: Path) -> None:
    run = api.fit(iris(**HOOK), runs=tmp_path)["run"]
    assert read(run) == logged(run) and {"validation/loss", "train/accuracy", "learning_rate"} <= set(read(run))


def test_after_a_resume_no_step_is_there_twice_and_no_bit_is_different(tmp_path: Path) -> None:
    plain = unbroken(iris(**{**HOOK, "hooks": []}), tmp_path)
    run = api.fit(iris(**HOOK), runs=tmp_path, progress=StopAt(9, signal.SIGINT))["run"]
    api.resume(run)
    assert len(list(Path(run, "tensorboard").iterdir())) == 2
    assert read(run) == logged(run)
    found = result(run)
    assert {key: value for key, value in found.items() if key != "trainer"} == {
        key: value for key, value in plain.items() if key != "trainer"
    }


def test_a_cut_file_and_steps_that_were_lost_do_not_count(tmp_path: Path) -> None:
    """A kill: the first process wrote two steps that no checkpoint holds, and half a third one."""
    first = begin(tmp_path, 0)
    for step in (1, 2, 3):
        append(first, {"step": step, "validation": {"loss": 1.0 / step}})
    first.write_bytes(first.read_bytes()[:-9])
    append(begin(tmp_path, 1), {"step": 2, "validation": {"loss": 0.25}})
    assert read(tmp_path) == {"validation/loss": [(1, 1.0), (2, 0.25)]}


def test_without_the_package_the_sentence_says_how_to_install_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tensorboard.compat.proto.event_pb2", None)  # as if it were not installed
    with pytest.raises(UsageError, match=r'pip install "dltrain\[tensorboard\]"'):
        api.fit(iris(**HOOK), runs=tmp_path)
    assert not list(tmp_path.iterdir())
