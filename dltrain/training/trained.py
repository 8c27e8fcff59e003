"""A trained run, brought back: its config, records, and its model with the weights of a checkpoint."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dltrain import config
from dltrain.data import DataSet, load_like
from dltrain.errors import CorruptFileError, DataError, UsageError
from dltrain.layers.base import Array
from dltrain.model.graph import Graph
from dltrain.runs.files import read_json
from dltrain.runs.folder import RunFolder
from dltrain.runs.metrics import read_log
from dltrain.tasks import Tally
from dltrain.training import checkpoint as checkpoints
from dltrain.training.session import Session, load_data, prepare, same_data
from dltrain.training.trainer import part

if TYPE_CHECKING:
    from dltrain.config.experiment import Experiment

ORIGIN = "origin.json"


class Run:
    """A trained run: its config, records, and its model with the weights of a checkpoint.

    The data are read when a part of them is evaluated; predictions need only what the checkpoint holds.

    Parameters:
        folder: the run folder
        session: the model, and how new data are prepared
        step: of the checkpoint whose weights the model has
    """

    def __init__(self, folder: RunFolder, session: Session, step: int) -> None:
        self.folder, self.session, self.step = folder, session, step

    @property
    def graph(self) -> Graph:
        """The model."""
        return self.session.graph

    @property
    def config(self) -> dict[str, Any]:
        """The complete config."""
        return self.session.experiment.resolved

    @property
    def metrics(self) -> list[dict[str, Any]]:
        """All records, one a line of metrics.jsonl."""
        return read_log(self.folder.metrics_path)

    def predict(self, inputs: str | Path | Array) -> list[dict[str, Any]]:
        """Predictions for a file or an array of raw features, one dict for each sample.

        Raises:
            DataError: when the features are not those the model was trained on, or lead out of the finite numbers.
        """
        session = self.session
        source = inputs if isinstance(inputs, np.ndarray) else Path(inputs)
        examples = load_like(source, session.data)
        outputs = session.evaluator().outputs(dict.fromkeys(session.graph.inputs, examples.columns["x"]))
        finite = np.logical_and.reduce([np.isfinite(y).all(1) for y in outputs.values()])
        if not finite.all():
            sample = int(np.flatnonzero(~finite)[0])
            hint = "are its features in the range of the training data?"
            raise DataError("the model's output is not finite", where=f"{inputs}, sample {sample}", hint=hint)
        return session.task.predict(outputs)

    def evaluate(self, split: str = "test", data: str | Path | None = None) -> dict[str, float]:
        """Loss and metrics over a part of the run's data, or over a file."""
        return self.tally(split, data).results()

    def read_data(self) -> None:
        """Read the run's data, unless that is done.

        Raises:
            DataError: when they are not those the model was trained on.
        """
        data = self.session.data
        if not data.parts:
            now = load_data(self.session.experiment)
            same_data(data.fingerprint, now.fingerprint, self.folder.name)
            data.parts.update(now.parts)

    def tally(self, split: str, data: str | Path | None = None, everything: bool = False) -> Tally:
        """Sums over a part of the run's data, or over a file; see `Evaluator.run`."""
        session = self.session
        if data is not None:
            loader = session.loader_of(load_like(Path(data), session.data, target=True))
        else:
            self.read_data()
            found = session.loader(split)
            if found is None:
                parts = ", ".join(name for name, examples in session.data.parts.items() if len(examples))
                raise UsageError("the run's data have no such part", expected=parts, got=repr(split))
            loader = found
        tally = session.evaluator().run(loader, everything)
        assert tally is not None
        return tally


def load_run(run: str | Path, *, runs: str | Path = "runs", checkpoint: str | int = "best") -> Run:
    """Load a run with the weights of a checkpoint.

    Parameters:
        run: path or name of the run
        runs: folder of the run folders
        checkpoint: best, last or a step
    """
    folder = RunFolder.find(run, runs)
    arrays, meta = checkpoints.load(checkpoint_path(folder, checkpoint))
    data = DataSet.from_info(meta["data"], part(arrays, "data"))
    session = prepare(stored_experiment(folder), data=data)
    session.graph.load_state(part(arrays, "model"))
    return Run(folder, session, int(meta["trainer"]["step"]))


def checkpoint_path(run: RunFolder, which: str | int) -> Path:
    """The file of the best or last checkpoint, or of a step.

    Raises:
        UsageError: when there is no such checkpoint.
        CorruptFileError: when it is damaged or gone; another one is never taken in its place.
    """
    steps = checkpoints.list_steps(run.checkpoints_path)
    if which not in ("best", "last"):
        if not str(which).isdigit() or int(which) not in steps:
            known = ", ".join(["best", "last", *map(str, steps)])
            raise UsageError("the run has no such checkpoint", where=run.name, expected=known, got=str(which))
        return checkpoints.path_of(run.checkpoints_path, int(which))
    newest, damaged = checkpoints.newest_valid(run.checkpoints_path)
    if newest is None and not damaged:
        what = "the run has no checkpoint: it was stopped before the first, or they were removed"
        raise CorruptFileError(what, where=str(run.checkpoints_path), hint="start a new run")
    hint = f"`--checkpoint {step_of(newest)}` takes the newest that is whole" if newest else "start a new run"
    if damaged or newest is None:
        raise CorruptFileError(f"the newest checkpoint is damaged ({damaged[0][1]})", where=run.name, hint=hint)
    best = checkpoints.load(newest)[1]["trainer"]["best"] if which == "best" else None
    if best is None:
        return newest
    path = checkpoints.path_of(run.checkpoints_path, int(best["step"]))
    if int(best["step"]) not in steps:
        raise CorruptFileError("the best checkpoint is gone", where=str(path), hint=hint)
    return path


def step_of(path: Path) -> int:
    """The step in a checkpoint's name."""
    return int(path.stem.rpartition("-")[2])


def store_experiment(run: RunFolder, experiment: Experiment) -> None:
    """Write the complete config into a run's folder, and beside it where relative paths of its data start."""
    run.write(run.config_path, config.dump(experiment.resolved))
    run.write(run.path / ORIGIN, {"folder": str(experiment.folder), **whose()})


def stored_experiment(run: RunFolder) -> Experiment:
    """The experiment that a run was started with.

    The folder of its data is taken only where this user on this machine made the run: one from elsewhere finds its
    data in `data/` or $DLTRAIN_DATA, and cannot name files of its choice.
    """
    experiment = config.load(run.config_path)
    if (run.path / ORIGIN).is_file():
        origin = read_json(run.path / ORIGIN)
        if isinstance(origin, dict) and {**origin, **whose()} == origin and isinstance(origin.get("folder"), str):
            experiment.folder = Path(origin["folder"])
    return experiment


def whose() -> dict[str, Any]:
    """This user on this machine."""
    return {"host": platform.node(), "user": os.getuid()}
