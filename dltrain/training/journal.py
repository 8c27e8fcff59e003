"""What a run writes down: records, times and checkpoints; and how it goes on from them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from copy import deepcopy
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dltrain.errors import CorruptFileError
from dltrain.runs.files import atomic_write
from dltrain.runs.metrics import MetricLog
from dltrain.training import checkpoint
from dltrain.training.prepared import same_data

if TYPE_CHECKING:
    from dltrain.runs.folder import RunFolder
    from dltrain.training.baseline import Fitter
    from dltrain.training.trainer import Trainer


State = tuple[int, dict[str, Any], dict[str, Any]]  # step, arrays, JSON values


class Journal:
    """Writes a run's folder while it trains.

    Parameters:
        run: the folder, locked by this process
        keep: how many checkpoints stay beside the best
        fixed: what every checkpoint holds beside the trainer's state: (arrays, JSON values)
        interrupted: whether a signal has asked for the end
        at_once: context in which a signal need not wait
        message: tells the user something
    """

    def __init__(
        self,
        run: RunFolder,
        *,
        keep: int,
        fixed: tuple[Mapping[str, Any], Mapping[str, Any]],
        interrupted: Callable[[], bool] = lambda: False,
        at_once: Callable[[], AbstractContextManager[None]] = nullcontext,
        message: Callable[[str], None] = lambda text: None,
    ) -> None:
        self.run, self.keep, self.fixed = run, keep, fixed
        self.interrupted, self.at_once, self.message = interrupted, at_once, message
        self.log = MetricLog(run.metrics_path)
        self.timing = MetricLog(run.timing_path)
        self.started = time.monotonic()
        self._held: State | None = None

    @property
    def folder(self) -> Path | None:
        """The run's folder, for what hooks write."""
        return self.run.path

    def record(self, record: dict[str, Any]) -> None:
        """Write down the metrics of a step; the seconds go to a file of their own."""
        self.log.append(record)
        self.timing.append({"step": record["step"], "seconds": round(time.monotonic() - self.started, 3)})

    def hold(self, trainer: Trainer) -> None:
        """Keep this state, the best so far, in memory until the next checkpoint: a best one every epoch is no reason
        to write a file every epoch.  Whoever kills the run loses nothing, for it is found again after a resume."""
        self._held = self._state(trainer)

    def save(self, trainer: Trainer | Fitter) -> None:
        """Write a checkpoint, and before it the best state that is held; only then remove old ones."""
        if self._held is not None and self._held[0] == trainer.step:
            self._held = None  # this very state
        self.write_held()
        self._write(self._state(trainer))
        best = () if trainer.best is None else (int(trainer.best["step"]),)
        checkpoint.prune(self.run.checkpoints_path, self.keep, best)

    def best(self, trainer: Trainer) -> tuple[dict[str, Any], dict[str, Any]] | None:
        """The trainer's state in the best checkpoint; None where that is its present step, or there is none."""
        if trainer.best is None or trainer.best["step"] == trainer.step:
            return None
        arrays, meta = checkpoint.load(checkpoint.path_of(self.run.checkpoints_path, int(trainer.best["step"])))
        return arrays, meta["trainer"]

    def write_held(self) -> None:
        """Write the state that is held, if there is one."""
        if self._held is not None:
            self._write(self._held)
            self._held = None

    def _state(self, trainer: Trainer | Fitter) -> State:
        arrays, meta = trainer.state()
        trained = {"trainer": deepcopy(meta), "log_offset": self.log.offset, "seconds": trainer.seconds}
        return trainer.step, arrays, trained

    def _write(self, state: State) -> None:
        step, arrays, meta = state
        self.log.sync()
        checkpoint.save(self.run.checkpoints_path, step, {**self.fixed[0], **arrays}, {**self.fixed[1], **meta})

    def restore(self, trainer: Trainer | Fitter) -> bool:
        """Bring a trainer to the newest valid checkpoint, and cut the log to it; damaged files are reported.

        Returns: whether there is one.

        Raises:
            CorruptFileError: when no checkpoint is whole, or it belongs to other data, or to no moment of this run.
        """
        path, damaged = checkpoint.newest_valid(self.run.checkpoints_path)
        for broken, reason in damaged:
            self.message(f"passed over a damaged checkpoint: {reason or broken}")
        if path is None:
            if damaged:
                raise CorruptFileError(
                    "no checkpoint is whole", where=str(self.run.checkpoints_path), hint="start a new run"
                )
            self.log.truncate(0)
            return False
        arrays, meta = checkpoint.load(path)
        same_data(meta["data"]["fingerprint"], self.fixed[1]["data"]["fingerprint"], self.run.name)
        trainer.load_state(arrays, meta["trainer"], str(path))
        trainer.set_clock(meta["seconds"])
        self.started -= trainer.seconds
        self.log.truncate(meta["log_offset"])
        return True

    def last(self) -> tuple[dict[str, Any], dict[str, Any]] | None:
        """The trainer's state in the newest checkpoint; None where none is whole."""
        path = checkpoint.newest_valid(self.run.checkpoints_path).path
        if path is None:
            return None
        arrays, meta = checkpoint.load(path)
        return arrays, meta["trainer"]

    def leave(self, step: int, arrays: Mapping[str, Any], meta: Mapping[str, Any]) -> Path | None:
        """Write the step that met a number that is not finite, in the format of checkpoints; returns its path.

        Raises:
            StorageError: when the system refuses.
        """
        written = json.dumps(self.fixed[1]["config"])  # as text, since meta is sorted by name and wires have an order
        content = checkpoint.image(step, {**self.fixed[0], **arrays}, {**self.fixed[1], **meta, "config": written})
        atomic_write(self.run.autopsy_path, content)
        return self.run.autopsy_path

    def close(self) -> None:
        """Close the logs."""
        self.log.close()
        self.timing.close()


class NoJournal:
    """Keeps nothing, for a look or a measurement."""

    folder: Path | None = None

    def interrupted(self) -> bool:
        """Never."""
        return False

    def at_once(self) -> AbstractContextManager[None]:
        """No signal is waited for."""
        return nullcontext()

    def record(self, record: dict[str, Any]) -> None:
        """Nothing."""

    def save(self, trainer: Trainer | Fitter) -> None:
        """Nothing."""

    def hold(self, trainer: Trainer) -> None:
        """Nothing."""

    def best(self, trainer: Trainer) -> None:
        """None."""

    def last(self) -> None:
        """None."""

    def leave(self, step: int, arrays: Mapping[str, Any], meta: Mapping[str, Any]) -> None:
        """Nothing."""

    def write_held(self) -> None:
        """Nothing."""
