"""Sweeps that are killed again and again, and what became of every trial."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

from dltrain.sweeps.folder import SweepFolder
from dltrain.sweeps.leading import table

PATIENCE = 240.0  # seconds for anything to happen


def command(*words: str, folder: Path) -> subprocess.Popen[bytes]:
    """Start a `dltrain sweep` in a folder."""
    return subprocess.Popen(
        [sys.executable, "-m", "dltrain", "sweep", *words],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def children(process: int) -> list[int]:
    """The processes that a process has started and that live."""
    return [int(word) for word in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


def told(folder: Path) -> int:
    """How many trials of the only sweep in `folder/runs` are over."""
    journals = list(folder.glob("runs/*/journal.jsonl"))
    return journals[0].read_text().count('"event": "told"') if journals else 0


def wait_for(what: Any) -> None:
    """Wait until something is true.

    Raises:
        TimeoutError: when it never is.
    """
    end = time.monotonic() + PATIENCE
    while not what():
        if time.monotonic() > end:
            raise TimeoutError
        time.sleep(0.005)


def killed(folder: Path, file: str, moments: list[tuple[int, str]], workers: int = 2) -> dict[str, Any]:
    """Run a sweep to its end with kills, and return its table.

    Parameters:
        folder: where it runs
        file: of the sweep
        moments: after how many trials, and who is killed: worker, leader or both
        workers: processes
    """
    process = command(file, "--workers", str(workers), "--threads", str(workers), folder=folder)
    for count, who in moments:
        wait_for(lambda least=count: told(folder) >= least)
        time.sleep(0.05)  # into the next trial
        below = children(process.pid)
        if not below:
            raise RuntimeError(f"nobody is left to kill: {told(folder)} trials are over, the leader: {process.poll()}")
        if who in ("worker", "both"):
            os.kill(below[0], signal.SIGKILL)
        if who in ("leader", "both"):
            process.kill()
            process.wait()
            wait_for(lambda gone=below: not any(alive(child) for child in gone))
            name = next(folder.glob("runs/*")).name
            process = command("resume", name, "--workers", str(workers), "--threads", str(workers), folder=folder)
    if process.wait(PATIENCE) != 0:
        raise RuntimeError(f"the sweep ended with {process.returncode}")
    return table(SweepFolder.open(next(folder.glob("runs/*"))))


def alive(process: int) -> bool:
    """Whether a process lives; one that only waits to be collected does not."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def results(found: dict[str, Any]) -> list[Any]:
    """What must not depend on kills, workers or time."""
    keys = ("trial", "state", "value", "deviation", "values", "violation", "settings", "round", "reason", "runs")
    return [{key: trial[key] for key in keys} for trial in found["trials"]] + [found["best"]["trial"], found["rounds"]]


def events(found: dict[str, Any]) -> Counter[tuple[str, int]]:
    """How often the journal tells of an event of a trial."""
    lines = Path(found["sweep"], "journal.jsonl").read_text().splitlines()
    records = [json.loads(line) for line in lines]
    return Counter((record["event"], record["trial"]) for record in records)
