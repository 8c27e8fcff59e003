"""Sends a signal to a training process in a phase of its life, and sees how it ends (figure R5).

    python signal_harness.py COUNT FOLDER

This process imports everything once and then forks, as `kill_harness.py` does.  In the child, a hook raises the signal
at the n-th call of a function of the phase; the command line runs in it as a user runs it.  Prints JSON: for each
signal its phase, exit code, checkpoints it left, seconds from the signal to the end, and whether the resumed run equals
the unbroken one.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from small_runs import iris, result

from dltrain.cli.main import main
from dltrain.config import dump
from dltrain.data import assemble, rows
from dltrain.runs.folder import is_run
from dltrain.training import checkpoint, running, session
from dltrain.training.evaluation import Evaluator
from dltrain.training.trainer import Trainer

LINES = 20_000  # 79 blocks of rows
# {phase: (owner of a function, its name, how often it is called in a run)}
PHASES: dict[str, tuple[Any, str, int]] = {
    "loading": (rows, "islice", 70),
    "splitting": (assemble, "fingerprint", 1),
    "building": (session, "build_graph", 1),
    "training": (Trainer, "train_step", 18),
    "evaluating": (Evaluator, "run", 4),
    "saving": (checkpoint, "image", 4),
    "end": (running, "evaluate_best", 1),
}


def write_table(folder: Path) -> None:
    """A table that takes a moment to read."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((LINES, 4))
    lines = [f"{a:.4f},{b:.4f},{c:.4f},{d:.4f},{'abc'[k % 3]}" for k, (a, b, c, d) in enumerate(x)]
    (folder / "table.csv").write_text("a,b,c,d,label\n" + "\n".join(lines) + "\n", encoding="utf-8")


def raise_at(phase: str, call: int, number: int, pipe: int) -> None:
    """Let a function of the phase send this process the signal, before the work of its n-th call."""
    owner, name, _ = PHASES[phase]
    function: Callable[..., Any] = getattr(owner, name)
    calls = 0

    def hooked(*arguments: Any, **options: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == call:
            os.write(pipe, f"{time.monotonic()}".encode())
            os.kill(os.getpid(), number)
        return function(*arguments, **options)

    setattr(owner, name, hooked)


def command(words: list[str], hook: Callable[[], None] = lambda: None) -> tuple[int, float]:
    """Run the command line in a process of its own; returns its exit code and the time of its end."""
    pid = os.fork()
    if pid:
        _, status = os.waitpid(pid, 0)
        return os.waitstatus_to_exitcode(status), time.monotonic()
    code = 1
    try:
        quiet = os.open(os.devnull, os.O_WRONLY)
        os.dup2(quiet, 1)
        os.dup2(quiet, 2)
        hook()
        main(words)
    except SystemExit as end:
        code = int(end.code or 0)
    finally:
        os._exit(code)


def run_of(runs: Path) -> Path | None:
    """The only run of a folder; None where none has been begun."""
    found = list(runs.iterdir()) if runs.is_dir() else []
    assert all(is_run(path) for path in found) and len(found) <= 1, found  # nothing half-made
    return found[0] if found else None


def attempt(phase: str, call: int, number: int, folder: Path, runs: Path, expected: dict[str, str]) -> dict[str, Any]:
    """Train, send the signal, and resume."""
    fit = ["fit", str(folder / "config.yaml"), "--runs", str(runs)]
    reader, writer = os.pipe()
    code, end = command(fit, lambda: raise_at(phase, call, number, writer))
    os.close(writer)
    with os.fdopen(reader) as pipe:
        sent = pipe.read()
    run = run_of(runs)
    checkpoints = 0 if run is None else len(list(run.glob("checkpoints/*.h5")))
    leftovers = [] if run is None else [path.name for path in run.rglob("*.tmp*")]
    resumed, _ = command(["resume", str(run)] if run else fit)
    run = run_of(runs)
    return {
        "phase": phase,
        "call": call,
        "expected_code": 128 + number,
        "code": code,
        "seconds": end - float(sent) if sent else None,
        "checkpoints": checkpoints,
        "leftovers": leftovers,
        "resumed": resumed,
        "same": run is not None and result(run) == expected,
    }


def main_harness() -> None:
    """As many signals as asked for, over the phases in turn."""
    count, folder = int(sys.argv[1]), Path(sys.argv[2])
    rng = random.Random(int(os.environ.get("DLTRAIN_TEST_SEED", "1")))
    write_table(folder)
    config = iris(train__batch_size=2500, data__source={"csv": {"path": "table.csv", "target": "label"}})
    (folder / "config.yaml").write_text(dump(config), encoding="utf-8")
    for name in ("warm", "unbroken"):  # the first compiles the kernels, where nothing has done so before
        code, _ = command(["fit", str(folder / "config.yaml"), "--runs", str(folder / name)])
        assert code == 0, name
    unbroken = run_of(folder / "unbroken")
    assert unbroken is not None
    expected = result(unbroken)
    report = []
    for index in range(count):
        phase = list(PHASES)[index % len(PHASES)]
        number = (signal.SIGINT, signal.SIGTERM)[index // len(PHASES) % 2]
        call = rng.randint(1, PHASES[phase][2])
        report.append(attempt(phase, call, number, folder, folder / f"runs-{index}", expected))
    print(json.dumps(report))


if __name__ == "__main__":
    main_harness()
