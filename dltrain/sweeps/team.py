"""The workers of a sweep as processes: started, watched, replaced when they are killed, and stopped together."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from dltrain.errors import DltrainError
from dltrain.runs.signals import Interruption
from dltrain.sweeps.folder import SweepFolder
from dltrain.sweeps.trials import TOLD, Trials

MOST_DEATHS = 10  # of workers in a row without any news in the journal


class Team:
    """Leads the workers of a sweep.

    Every worker has a pipe as its standard input, which closes when this process ends, however it ends: then it saves
    and ends too.

    Parameters:
        folder: of the sweep
        workers: how many processes
        threads: of each
        fail_fast: whether the first trial that fails ends the sweep
        plugins: Python files that register further things
        told: called with each trial that is over, and all trials
    """

    def __init__(
        self,
        folder: SweepFolder,
        workers: int,
        threads: int,
        fail_fast: bool = False,
        plugins: Sequence[str | Path] = (),
        told: Callable[[Any, Trials], None] = lambda trial, trials: None,
    ) -> None:
        self.folder, self.workers, self.told = folder, workers, told
        options = ["--threads", str(threads), *(["--fail-fast"] if fail_fast else [])]
        options += [word for plugin in plugins for word in ("--plugin", str(plugin))]
        self.command = [sys.executable, "-m", "dltrain", "sweep", "worker", str(folder.path), "--led", *options]
        self.journal = folder.journal()
        self.trials = folder.no_trials()
        self.processes: list[subprocess.Popen[bytes]] = []
        self.code = 0

    def run(self) -> int:
        """Work until the sweep is over, a worker fails or a signal comes; returns the exit code.

        Raises:
            StorageError: when another process leads this sweep.
            DltrainError: when workers are killed again and again.
        """
        for record in self.journal.read():
            self.trials.see(record)
        with Interruption() as stop, self.folder.lock():
            try:
                self._lead(stop)
            finally:
                self._stop(stop.requested or 15)
                self._news()
        return self.code or stop.exit_code

    def _lead(self, stop: Interruption) -> None:
        self.processes = [self._start() for _ in range(self.workers)]
        deaths = 0
        while self.processes and not stop:
            time.sleep(self.journal.poll)
            ended = [process for process in self.processes if process.poll() is not None]
            deaths = 0 if self._news() else deaths
            for process in ended:
                self.processes.remove(process)
                closed(process)
                if process.returncode < 0:  # killed: its trial is taken up by the next one
                    deaths += 1
                    self.processes.append(self._start())
                elif process.returncode > 0:
                    self.code = process.returncode
                    return
            if deaths > MOST_DEATHS:
                what = f"{deaths} workers were killed one after the other by signal {-process.returncode}"
                raise DltrainError(what, where=self.folder.name, hint="is there enough memory? try fewer --workers")

    def _start(self) -> subprocess.Popen[bytes]:
        """Start a worker in a process group of its own, so that Ctrl-C reaches it through this process alone."""
        return subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, process_group=0)

    def _stop(self, number: int) -> None:
        """Let the workers finish their step and save."""
        for process in self.processes:
            if process.poll() is None:
                process.send_signal(number)
        for process in self.processes:
            process.wait()
            closed(process)

    def _news(self) -> bool:
        """Read what is new in the journal and tell of it; returns whether there was anything."""
        found = list(self.journal.read())
        for record in found:
            self.trials.see(record)
            if record["event"] == TOLD:
                self.told(self.trials.by_number[record["trial"]], self.trials)
        return bool(found)


def closed(process: subprocess.Popen[bytes]) -> None:
    """Close the pipe to a process that has ended."""
    if process.stdin is not None:
        process.stdin.close()


def end_with_leader() -> None:
    """Ask this process to end as by SIGTERM when the one that started it is gone, which closes its standard input."""
    import signal
    import threading

    def watch() -> None:
        while os.read(0, 1):
            pass
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, daemon=True).start()
