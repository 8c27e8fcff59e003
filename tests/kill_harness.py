"""Kills a training process at random moments, again and again, and reports what was lost (figure R1).

    python kill_harness.py KILLS FOLDER

This process imports everything once and then forks; it never trains itself, so no thread pool is alive at a fork.
Prints JSON: kills, finished runs, acknowledged checkpoints that were lost, runs that ended differently.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from pathlib import Path

from small_runs import iris, result

from dltrain import api
from dltrain.runs.folder import RunFolder, is_run
from dltrain.training import checkpoint, session  # noqa: F401  (imported before the fork, so that a child starts at once)

CONFIG = iris(train__checkpoint_every="2 steps", train__epochs=6)


def child(run: Path | None, runs: Path, acknowledge: int) -> int:
    """Start a process that trains; it writes each step to the pipe once its checkpoint is said to be saved."""
    pid = os.fork()
    if pid:
        return pid
    save = checkpoint.save

    def saved(folder, step, arrays, meta):  # type: ignore[no-untyped-def]
        path = save(folder, step, arrays, meta)
        os.write(acknowledge, f"{step}\n".encode())
        return path

    checkpoint.save = saved
    code = 1
    try:
        api.fit(CONFIG, runs=runs) if run is None else api.resume(run)
        code = 0
    finally:
        os._exit(code)


def attempt(runs: Path, delay: float | None) -> tuple[bool, list[int]]:
    """Train (on), kill after a delay; returns whether it had ended by itself, and the acknowledged steps.

    Raises:
        RuntimeError: when the process failed: every kill must leave a run that can be resumed.
    """
    started = [path for path in runs.glob("iris-*") if is_run(path)]
    reader, writer = os.pipe()
    pid = child(started[0] if started else None, runs, writer)
    os.close(writer)
    if delay is not None:
        time.sleep(delay)
        os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    with os.fdopen(reader) as pipe:
        steps = [int(line) for line in pipe.read().split("\n")[:-1]]
    killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
    if not killed and os.WEXITSTATUS(status) != 0:
        raise RuntimeError(f"a training process failed with status {status}")
    return not killed, steps


def main() -> None:
    """Kill as often as asked for, over as many runs as that takes."""
    count, folder = int(sys.argv[1]), Path(sys.argv[2])
    random.seed(int(os.environ.get("DLTRAIN_TEST_SEED", "1")))
    warm, _ = attempt(folder / "warm", None)  # compiles the kernels, where nothing has done so before
    started = time.monotonic()
    finished, _ = attempt(folder / "unbroken", None)
    assert warm and finished
    expected = result(folder / "unbroken" / "iris-1")
    length = time.monotonic() - started
    done = killed = 0
    lost, different = [], []
    while killed < count:
        runs = folder / f"runs-{done}"
        acknowledged = -1
        finished = False
        while not finished:
            delay = random.uniform(0, 0.6 * length) if killed < count else None
            finished, steps = attempt(runs, delay)
            killed += not finished
            acknowledged = max([acknowledged, *steps])
            started_runs = [path for path in runs.glob("iris-*") if is_run(path)]
            if started_runs and acknowledged >= 0:
                newest = checkpoint.newest_valid(RunFolder.open(started_runs[0]).checkpoints_path).path
                if newest is None or int(newest.stem.partition("-")[2]) < acknowledged:
                    lost.append([done, acknowledged, str(newest)])
        done += 1
        if result(next(path for path in runs.glob("iris-*") if is_run(path))) != expected:
            different.append(done)
    print(json.dumps({"kills": killed, "finished": done, "lost": lost, "different": different}))


if __name__ == "__main__":
    main()
