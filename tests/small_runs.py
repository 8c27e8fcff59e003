"""Small experiments that train in a fraction of a second, and what is compared of their runs."""

from __future__ import annotations

import hashlib
import signal
from pathlib import Path
from typing import Any

from dltrain import api
from dltrain.runs.folder import RunFolder
from dltrain.training import checkpoint
from dltrain.training.progress import SilentProgress


def iris(**changes: Any) -> dict[str, Any]:
    """A config on the iris flowers: 3 epochs of 7 batches, dropout, batch norm, Adam; `changes` by dotted path."""
    config: dict[str, Any] = {
        "name": "iris",
        "seed": 5,
        "task": "classification",
        "data": {
            "source": "iris",
            "split": {"stratified": {"validation": 0.15, "test": 0.15}},
            "prepare": ["standardize"],
        },
        "model": {"graph": {"logits": [{"dense": 8}, "batch_norm", "relu", {"dropout": 0.2}, "dense"]}},
        "optimizer": {"adam": {"learning_rate": 0.01}},
        "metrics": ["accuracy", "f1"],
        "regularize": [{"l2": 0.001}],
        "train": {"epochs": 3, "batch_size": 15},
        "hooks": [{"early_stopping": {"patience": 50}}],
    }
    for path, value in changes.items():
        *above, last = path.split("__")
        place = config
        for key in above:
            place = place[key]
        place[last] = value
    return config


class StopAt(SilentProgress):
    """Sends this process a signal when the trainer has finished a step.

    Parameters:
        step: which
        number: the signal
    """

    def __init__(self, step: int, number: int = signal.SIGINT) -> None:
        self.at, self.number = step, number
        self.next_poll = 0.0

    def step(self, now: Any, tally: Any, rate: float) -> None:
        """Called after every step, since `next_poll` stays in the past."""
        if now.step == self.at:
            signal.raise_signal(self.number)


def result(run: str | Path) -> dict[str, str]:
    """Hashes of all that training decides: every array and value of the last checkpoint, and the metric log."""
    folder = RunFolder.open(run)
    newest = checkpoint.newest_valid(folder.checkpoints_path).path
    assert newest is not None
    arrays, meta = checkpoint.load(newest)
    hashes = {name: hashlib.sha256(array.tobytes()).hexdigest() for name, array in arrays.items()}
    hashes["trainer"] = repr(meta["trainer"])
    hashes["log"] = folder.metrics_path.read_text()
    return hashes


def unbroken(config: dict[str, Any], runs: Path) -> dict[str, str]:
    """The result of a run that nothing disturbed."""
    summary = api.fit(config, runs=runs / "unbroken")
    assert summary["stopped"] == "epochs"
    return result(summary["run"])
