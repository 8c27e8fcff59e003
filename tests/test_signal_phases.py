"""A signal in any phase ends the process soon, and the resumed run is byte for byte the unbroken one (figure R5)."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from small_runs import iris, result, unbroken

from dltrain import api
from dltrain.config import dump
from dltrain.runs.signals import Interruption, Stopped

SOON = 2.0  # seconds from a signal to the end
BEFORE = ("loading", "splitting", "building")  # the phases before a run has anything to save


def signals(count: int, folder: Path) -> list[dict[str, Any]]:
    """Run the harness; its report, a row for each signal."""
    command = [sys.executable, str(Path(__file__).with_name("signal_harness.py")), str(count), str(folder)]
    finished = subprocess.run(command, capture_output=True, text=True, timeout=550, check=False)
    assert finished.returncode == 0, finished.stderr
    report: list[dict[str, Any]] = json.loads(finished.stdout)
    return report


def check(report: list[dict[str, Any]], count: int) -> None:
    assert len(report) == count
    for row in report:
        assert row["seconds"] is not None and row["seconds"] < SOON, row
        assert row["code"] == row["expected_code"], row
        assert (row["checkpoints"] == 0) == (row["phase"] in BEFORE), row  # there it ends at once, else it saves
        assert row["leftovers"] == [], row
        assert row["resumed"] == 0 and row["same"], row


def test_signals_in_the_first_phases(tmp_path: Path) -> None:
    check(signals(4, tmp_path), 4)  # loading, splitting, building, training


@pytest.mark.slow
def test_a_hundred_signals_in_all_phases(tmp_path: Path) -> None:
    check(signals(100, tmp_path), 100)


def test_where_nothing_has_to_be_finished_a_signal_raises() -> None:
    with pytest.raises(Stopped) as caught, Interruption() as interruption, interruption.at_once():
        signal.raise_signal(signal.SIGTERM)
        pytest.fail("the signal did not end the work")
    assert caught.value.number == signal.SIGTERM
    assert interruption.exit_code == 143


def test_a_signal_that_a_finalizer_swallows_is_told_at_the_end() -> None:
    with pytest.raises(Stopped), Interruption() as interruption, interruption.at_once(), contextlib.suppress(Stopped):
        signal.raise_signal(signal.SIGINT)  # swallowed here, as the interpreter does with what a finalizer raises


def test_a_signal_from_before_is_not_forgotten() -> None:
    with Interruption() as interruption:
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(Stopped), interruption.at_once():
            pytest.fail("the work was begun")


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("delay", [0.3, 2.0, 5.0])
def test_a_signal_while_the_kernels_compile(number: signal.Signals, delay: float, tmp_path: Path) -> None:
    config = iris()
    (tmp_path / "config.yaml").write_text(dump(config), encoding="utf-8")
    command = [sys.executable, "-m", "dltrain", "fit", str(tmp_path / "config.yaml"), "--runs", str(tmp_path / "runs")]
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / "cold")}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment) as fit:
        assert fit.stdout is not None
        assert any("compiling" in line for line in fit.stdout)
        time.sleep(delay)
        fit.send_signal(number)
        sent = time.monotonic()
        fit.stdout.read()
        assert fit.wait(60) == 128 + number
        assert time.monotonic() - sent < SOON
    (run,) = (tmp_path / "runs").iterdir()
    assert result(api.resume(run)["run"]) == unbroken(config, tmp_path)
