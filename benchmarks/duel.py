"""Contestants at the same work, each in a process of its own, in turn; medians and ratios.

Only one process runs at a time: the others are stopped (SIGSTOP), since the spinning thread pool of one that waits
would halve the speed of the one that is measured.  Order alternates from round to round.
"""

from __future__ import annotations

import json
import os
import signal
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

THREADS = 2
PINS = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")  # halve NumPy's products where an environment sets them
POOLS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
SLICE = 0.15  # seconds that one measurement takes
SETTLE = 0.08  # seconds between waking a contestant and measuring it

WORKER = """
import importlib, json, os, sys, time, warnings
warnings.simplefilter("ignore")
answers = os.fdopen(os.dup(1), "w"); os.dup2(2, 1)
module, function, arguments, slice_ = json.loads(sys.argv[1])
step = getattr(importlib.import_module(module), function)(**arguments)
for _ in range(5): step()
start = time.perf_counter(); step(); once = time.perf_counter() - start
count = max(1, int(slice_ / max(once, 1e-7)))
for _ in range(count): step()
answers.write("ready\\n"); answers.flush()
for line in sys.stdin:
    start = time.perf_counter()
    for _ in range(count): step()
    answers.write(json.dumps((time.perf_counter() - start) / count) + "\\n"); answers.flush()
"""


@dataclass
class Contestant:
    """A function `module.function(**arguments)` that returns a step to be timed, and variables for its process."""

    name: str
    module: str
    function: str
    arguments: dict[str, Any]
    variables: dict[str, str] = field(default_factory=dict)


@dataclass
class Result:
    """Seconds a step by contestant, one for each round."""

    rounds: dict[str, list[float]]

    def median(self, name: str) -> float:
        """Median seconds of a step."""
        return statistics.median(self.rounds[name])

    def ratio(self, ours: str, peer: str) -> float:
        """How many times faster ours is: the median of the ratios of the rounds."""
        pairs = zip(self.rounds[peer], self.rounds[ours], strict=True)
        return statistics.median(theirs / mine for theirs, mine in pairs)


def environment(variables: dict[str, str], pinned: bool = False) -> dict[str, str]:
    """The environment of a contestant: a fixed number of threads, no pinned BLAS unless asked for."""
    kept = {name: value for name, value in os.environ.items() if pinned or name not in PINS}
    return {**kept, **dict.fromkeys(POOLS, str(THREADS)), **variables}


def duel(contestants: list[Contestant], rounds: int = 9, pinned: bool = False) -> Result:
    """Time all contestants in turn, `rounds` times; those that cannot start are left out with a word."""
    here = str(Path(__file__).parent)
    processes: dict[str, subprocess.Popen[str]] = {}
    for one in contestants:
        task = json.dumps([one.module, one.function, one.arguments, SLICE])
        process = subprocess.Popen(
            [sys.executable, "-c", WORKER, task],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=here,
            env=environment(one.variables, pinned),
        )
        assert process.stdout is not None
        if process.stdout.readline().strip() != "ready":
            print(f"  {one.name}: cannot run here, left out", file=sys.stderr)
            continue
        process.send_signal(signal.SIGSTOP)
        processes[one.name] = process
    seconds: dict[str, list[float]] = {name: [] for name in processes}
    try:
        for turn in range(rounds):
            for name in list(processes) if turn % 2 == 0 else list(processes)[::-1]:
                seconds[name].append(measure(processes[name]))
    finally:
        for process in processes.values():
            process.kill()
            process.wait()
    return Result(seconds)


def measure(process: subprocess.Popen[str]) -> float:
    """Wake one contestant, take one measurement, stop it again."""
    assert process.stdin is not None and process.stdout is not None
    process.send_signal(signal.SIGCONT)
    time.sleep(SETTLE)
    process.stdin.write("go\n")
    process.stdin.flush()
    answer = float(json.loads(process.stdout.readline()))
    process.send_signal(signal.SIGSTOP)
    return answer
