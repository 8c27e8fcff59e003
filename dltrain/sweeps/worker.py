"""A worker: takes a trial, trains it, tells what came of it, and so on until there is nothing left to do.

Any number of workers share a sweep through its folder.  Who holds the lock of a trial works on it; the system lets go
of it when the process ends, however it ends, and another worker takes the trial up where its run stands.
"""

from __future__ import annotations

import math
import statistics
import time
from typing import Any

from dltrain.errors import CorruptFileError, DltrainError, StorageError
from dltrain.registry import create
from dltrain.runs.folder import RunFolder
from dltrain.sweeps.folder import SweepFolder
from dltrain.sweeps.pruning import Bracket
from dltrain.sweeps.samplers import Sampler, Wait
from dltrain.sweeps.trials import ASKED, COMPLETE, FAILED, PRUNED, RUNG, TAKEN, TOLD, Trial

PAUSE = 0.1  # seconds until a worker that waits for others looks again
MOST_DEATHS = 5  # of processes that worked on one trial, until it has failed
ONE_FAILED = 3  # exit code where a failed trial ends the sweep


class Interrupted(Exception):
    """A signal came; the trial goes on when the sweep is resumed.

    Parameters:
        exit_code: of the process
    """

    def __init__(self, exit_code: int) -> None:
        self.exit_code = exit_code


class Worker:
    """Works on a sweep until nothing is left to do.

    Parameters:
        folder: of the sweep
        fail_fast: whether the first trial that fails ends it
    """

    def __init__(self, folder: SweepFolder, fail_fast: bool = False) -> None:
        self.folder, self.fail_fast = folder, fail_fast
        self.sweep = folder.sweep()
        self.sampler: Sampler = create("sampler", self.sweep.sampler)
        self.journal = folder.journal()
        self.trials = folder.no_trials()
        self.started = time.monotonic()
        base = folder.experiment({}, {})
        self.base_seed, self.epochs = base.seed, base.train.epochs or 0
        self.pruner = None if self.sweep.prune is None else create("pruner", self.sweep.prune)
        self._read()
        self.before = self.trials.elapsed

    def work(self) -> int:
        """Take one trial after the other; returns the exit code."""
        while True:
            with self.journal.writing() as append:
                self._read()
                taken = self._take(append)
            if taken is None:
                return 0
            if taken is Wait:
                time.sleep(max(PAUSE, self.journal.poll))
                continue
            trial, lease = taken
            try:
                told = self._train(trial)
                with self.journal.writing() as append:
                    append({**told, "trial": trial.number, "elapsed": round(self.elapsed(), 3)})
                    self._read()
            except Interrupted as end:
                return end.exit_code
            finally:
                lease.release()
            if self.fail_fast and trial.state == FAILED:
                return ONE_FAILED

    def elapsed(self) -> float:
        """Seconds that the sweep has taken so far, those before it was resumed too."""
        return self.before + time.monotonic() - self.started

    def _read(self) -> None:
        for record in self.journal.read():
            self.trials.see(record)

    def _take(self, append: Any) -> Any:
        """A trial and its lease; Wait while others must end first; None when all is done."""
        self._prune(append)
        running = [trial for trial in self.trials if trial.running]
        for trial in running:
            if self._paused(trial):
                continue
            lease = self.journal.lease(trial.number)
            if lease is not None:
                append({"event": TAKEN, "trial": trial.number})
                self._read()
                return trial, lease
        proposal = self._propose()
        if proposal is None:
            return Wait if running else None
        if proposal is Wait:
            return Wait
        number = len(self.trials) + 1
        lease = self.journal.lease(number)
        if lease is None:  # of one who was killed before the journal heard of it, and is not quite gone
            return Wait
        record: dict[str, Any] = {
            "event": ASKED,
            "trial": number,
            "point": proposal.point,
            "settings": proposal.settings,
        }
        if proposal.bounds is not None or proposal.round > 1:
            record["round"] = proposal.round
        append(record | ({"bounds": proposal.bounds} if proposal.bounds else {}))
        self._read()
        return self.trials.by_number[number], lease

    def _prune(self, append: Any) -> None:
        """Tell of the trials that are behind at a rung."""
        for trial in self.trials:
            if trial.running and trial.rungs and self.pruner is not None:
                bracket = self._bracket(trial.number)
                reason = bracket.behind(trial, self.trials)
                if reason:
                    rung = trial.rungs[-1]
                    nothing: dict[str, Any] = {"deviation": None, "values": [], "seconds": 0.0}
                    told = {"state": PRUNED, "reason": reason, **nothing}
                    result = {key: rung[key] for key in ("value", "violation")}
                    append({"event": TOLD, "trial": trial.number, **told, **result})
        self._read()

    def _bracket(self, number: int) -> Bracket:
        """The bracket of a trial."""
        assert self.pruner is not None and self.sweep.trials is not None
        bracket: Bracket = self.pruner.bracket(number, self.sweep.trials, self.epochs)
        return bracket

    def _paused(self, trial: Trial) -> bool:
        """Whether a trial waits at a rung for others."""
        if self.pruner is None or not trial.rungs:
            return False
        survivors = self._bracket(trial.number).survivors(len(trial.rungs), self.trials)
        return survivors is None or trial.number not in survivors

    def _until(self, trial: Trial) -> int | None:
        """The epochs of the rung that a trial is trained to; None for its end."""
        rungs = [] if self.pruner is None else self._bracket(trial.number).rungs
        return rungs[len(trial.rungs)] if len(trial.rungs) < len(rungs) else None

    def _propose(self) -> Any:
        """The next point; None when trials, time or points are over."""
        sweep, number = self.sweep, len(self.trials) + 1
        if (sweep.trials is not None and number > sweep.trials) or self.elapsed() >= (sweep.seconds or math.inf):
            return None
        return self.sampler.propose(number, sweep.space, sweep.seed, self.trials)

    def _train(self, trial: Trial) -> dict[str, Any]:
        """Train a trial's runs, and return what is told of it: its result, or why it failed.

        Raises:
            Interrupted: when a signal came.
            StorageError: when the disk is at fault, not the trial.
            CorruptFileError: likewise.
        """
        started = time.monotonic()
        if trial.taken > MOST_DEATHS:
            return failed(f"{MOST_DEATHS} processes that worked on it were killed", started)
        try:
            found = [self._run(trial, run) for run in range(1, self.sweep.seeds + 1)]
        except (StorageError, CorruptFileError):
            raise
        except DltrainError as error:
            return failed(str(error).partition("\n")[0], started)
        except MemoryError:
            return failed("the memory was not enough", started)
        best = [result for result in found if result is not None]
        if len(best) < len(found):
            return failed("nothing was measured that is a number", started)
        values = [float(result["value"]) for result in best]
        result: dict[str, Any] = {
            "value": statistics.fmean(values),
            "violation": statistics.fmean(float(result.get("violation", 0.0)) for result in best),
            "seconds": round(time.monotonic() - started, 3),
        }
        until = self._until(trial)
        if until is not None:
            return {"event": RUNG, "epochs": until, **result}
        if self.trials.objectives:
            result["objectives"] = {
                metric: statistics.fmean(result["objectives"][metric] for result in best)
                for metric in self.trials.objectives
            }
        deviation = statistics.stdev(values) if len(values) > 1 else None
        return {"event": TOLD, "state": COMPLETE, **result, "deviation": deviation, "values": values, "reason": ""}

    def _run(self, trial: Trial, number: int) -> dict[str, Any] | None:
        """Train one run of a trial, from where it stands; returns its best evaluation.

        Raises:
            Interrupted: when a signal came.
        """
        from dltrain.runs.signals import Stopped
        from dltrain.training.running import begin, train

        name = f"trial-{trial.number:04d}"
        seed = {} if "seed" in trial.settings else {"seed": self.base_seed + number - 1}
        experiment = self.folder.experiment(trial.settings, {"name": name, **seed})
        run = RunFolder.at(self.folder.run_path(trial.number, number), lambda made: begin(made, experiment))
        try:
            summary = train(run, experiment, until=self._until(trial))
        except Stopped as stop:
            raise Interrupted(128 + stop.number) from None
        if summary["exit_code"]:
            raise Interrupted(summary["exit_code"])
        return summary["best"] and {**summary["best"], "objectives": self._objectives(run, summary["best"]["step"])}

    def _objectives(self, run: RunFolder, step: int) -> dict[str, float]:
        """What the objectives were where a run was at its best."""
        from dltrain.runs.metrics import read_log
        from dltrain.training.goal import lookup

        if not self.trials.objectives:
            return {}
        records = [record for record in read_log(run.metrics_path) if record["step"] == step]
        found = {metric: lookup(records[-1], metric) for metric in self.trials.objectives} if records else {}
        if None in found.values() or not found:
            raise DltrainError(
                "an objective was not measured as a number where the run was at its best", where=run.name
            )
        return {metric: value for metric, value in found.items() if value is not None}


def failed(reason: str, started: float) -> dict[str, Any]:
    """What is told of a trial that failed.

    Parameters:
        reason: why
        started: when, on the monotonic clock
    """
    nothing: dict[str, Any] = {"value": None, "deviation": None, "values": [], "violation": 0.0}
    told = {"event": TOLD, "state": FAILED, **nothing, "reason": reason}
    return told | {"seconds": round(time.monotonic() - started, 3)}
