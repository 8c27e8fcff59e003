"""A trained run, brought back: its config, records, and its model with the weights of a checkpoint."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dltrain import config
from dltrain.data import DataSet, Loader, load_like
from dltrain.data.fresh_texts import shown, words_like
from dltrain.errors import CorruptFileError, DataError, UsageError
from dltrain.layers.base import Array
from dltrain.model.graph import Graph
from dltrain.registry import parse
from dltrain.runs.files import read_json
from dltrain.runs.folder import RunFolder
from dltrain.runs.metrics import read_log
from dltrain.tasks import Tally
from dltrain.training import checkpoint as checkpoints
from dltrain.training.averaging import mean_of
from dltrain.training.prepared import Prepared, read_parts
from dltrain.training.session import prepare
from dltrain.training.state import part, weights_of

if TYPE_CHECKING:
    from dltrain.config.experiment import Experiment

ORIGIN = "origin.json"
IN_RANGE = "are the features in the range of the training data?"


class Run:
    """A trained run: its config, records, and its model with the weights of a checkpoint.

    The data are read when a part of them is evaluated; predictions need only what the checkpoint holds.

    Parameters:
        folder: the run folder
        session: the model, and how new data are prepared
        step: of the checkpoint whose weights the model has; several where it has their mean
    """

    def __init__(self, folder: RunFolder, session: Prepared, step: int | list[int]) -> None:
        self.folder, self.session, self.step = folder, session, step

    @property
    def graph(self) -> Graph:
        """The model; of a baseline what stands in its place."""
        graph: Graph = self.session.graph
        return graph

    @property
    def config(self) -> dict[str, Any]:
        """The complete config."""
        return self.session.experiment.resolved

    @property
    def metrics(self) -> list[dict[str, Any]]:
        """All records, one a line of metrics.jsonl."""
        return read_log(self.folder.metrics_path)

    @property
    def kind(self) -> str:
        """The name of its task."""
        return parse(self.session.experiment.task, "task")[0].name

    def predict(self, inputs: str | Path | Array) -> list[dict[str, Any]]:
        """Predictions for a file or an array of raw features, one dict for each sample; see `outputs`."""
        return self.with_texts(inputs, self.session.task.predict(self.outputs(inputs)))

    def with_texts(self, inputs: str | Path | Array, said: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Predictions with the texts that they are about, as the model reads them; others as they are."""
        data = self.session.data
        vocabulary = data.vocabulary()
        if vocabulary is None:
            return said
        if said and "tags" in said[0]:
            words = words_like(str(inputs), data)
            return [{"words": some, "tags": row["tags"][: len(some)]} for some, row in zip(words, said, strict=True)]
        texts = shown(load_like(inputs, data).columns["x"], vocabulary)
        return [{"text": text, **row} for text, row in zip(texts, said, strict=True)]

    def outputs(self, inputs: str | Path | Array) -> dict[str, Array]:
        """The values of the task's wires for a file or an array of raw features.

        Raises:
            DataError: when the features are not those the model was trained on, or lead out of the finite numbers.
        """
        session = self.session
        source = inputs if isinstance(inputs, (np.ndarray, str)) else Path(inputs)
        examples = load_like(source, session.data)
        outputs = session.evaluator().outputs(dict.fromkeys(session.graph.inputs, examples.columns["x"]))
        finite = session.task.finite(outputs)
        if not finite.all():
            sample = int(np.flatnonzero(~finite)[0])
            given = "the array given" if isinstance(inputs, np.ndarray) else inputs
            raise DataError("the model's output is not finite", where=f"{given}, sample {sample}", hint=IN_RANGE)
        return outputs

    def evaluate(self, split: str = "test", data: str | Path | None = None) -> dict[str, float]:
        """Loss and metrics over a part of the run's data, or over a file."""
        return self.tally(split, data).results()

    def read_data(self) -> None:
        """Read the run's data, unless that is done.

        Raises:
            DataError: when they are not those the model was trained on.
        """
        read_parts(self.session.data, self.session.experiment, self.folder.name)

    def tally(self, split: str, data: str | Path | None = None, everything: bool = False) -> Tally:
        """Sums over a part of the run's data, or over a file; see `Evaluator.run`."""
        tally = self.session.evaluator().run(self.loader(split, data), everything)
        assert tally is not None
        return measured(tally, f"{self.folder.name}, {split if data is None else data}")

    def loader(self, split: str, data: str | Path | None = None) -> Loader:
        """Batches of a part of the run's data, or of a file.

        Raises:
            UsageError: when there is no such part.
        """
        session = self.session
        if data is not None:
            return session.loader_of(load_like(Path(data), session.data, target=True))
        self.read_data()
        found = session.loader(split)
        if found is None:
            parts = ", ".join(name for name, examples in session.data.parts.items() if len(examples))
            what = "the run's data have no such part"
            raise UsageError(what, where=self.folder.name, expected=parts, got=repr(split))
        return found


def load_run(run: str | Path, *, runs: str | Path = "runs", checkpoint: str | int = "best") -> Run:
    """Load a run with the weights of a checkpoint, or with the mean of the weights of several.

    Weights that were averaged in training are taken in place of those that were trained.

    Parameters:
        run: path or name of the run
        runs: folder of the run folders
        checkpoint: best, last or a step; steps with commas between them, or `average` for all there are, mean the mean
            of their weights
    """
    folder = RunFolder.find(run, runs)
    loaded = [checkpoints.load(path) for path in checkpoint_paths(folder, checkpoint)]
    arrays, meta = loaded[-1]
    data = DataSet.from_info(meta["data"], part(arrays, "data"))
    session = prepare(stored_experiment(folder), data=data)
    session.graph.load_state(mean_of([weights_of(arrays) for arrays, _ in loaded]))
    steps = [int(meta["trainer"]["step"]) for _, meta in loaded]
    return Run(folder, session, steps if len(steps) > 1 else steps[0])


def load_runs(
    names: str | Path | Sequence[str | Path], runs: str | Path = "runs", checkpoint: str | int = "best"
) -> list[Run]:
    """One run or several, each with the weights of a checkpoint.

    Raises:
        UsageError: when there is none, or one is named twice.
    """
    given = [names] if isinstance(names, (str, Path)) else list(names)
    loaded = [load_run(name, runs=runs, checkpoint=checkpoint) for name in given]
    if not loaded:
        raise UsageError("no run is named", expected="one run, or several for an ensemble")
    for position, one in enumerate(loaded):
        if any(one.folder.path == other.folder.path for other in loaded[:position]):
            raise UsageError("the run is named twice", where=one.folder.name, expected="each run once in an ensemble")
    return loaded


def measured(tally: Tally, where: str) -> Tally:
    """A tally whose sums are finite.

    Raises:
        DataError: when they are not, since an output was not, or lay too far from its target.
    """
    if not tally.finite:
        raise DataError(
            "loss and metrics are not finite, since an output of the model is not", where=where, hint=IN_RANGE
        )
    return tally


def checkpoint_paths(run: RunFolder, which: str | int) -> list[Path]:
    """The files whose weights are wanted, in the order of their steps; see `load_run`.

    Raises:
        UsageError: when there is no such checkpoint, or one is named twice.
    """
    names = str(which).replace(" ", "").split(",")
    if names == ["average"]:
        names = [str(step) for step in checkpoints.list_steps(run.checkpoints_path) if step] or ["last"]
    paths = [checkpoint_path(run, name) for name in names]
    if len(paths) != len(set(paths)):
        raise UsageError("a checkpoint is named twice", where=run.name, expected="each step once", got=str(which))
    return sorted(paths)  # names hold as many digits as any step has


def checkpoint_path(run: RunFolder, which: str | int) -> Path:
    """The file of the best or last checkpoint, or of a step.

    Raises:
        UsageError: when there is no such checkpoint.
        CorruptFileError: when it is damaged or gone; another one is never taken in its place.
    """
    steps = checkpoints.list_steps(run.checkpoints_path)
    if which not in ("best", "last"):
        if not str(which).isdigit() or int(which) not in steps:
            known = ", ".join(["best", "last", "average", *map(str, steps)])
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


def stored_experiment(run: RunFolder, extra: Mapping[str, Any] | None = None) -> Experiment:
    """The experiment that a run was started with.

    The folder of its data is taken only where this user on this machine made the run: one from elsewhere finds its
    data in `data/` or $DLTRAIN_DATA, and cannot name files of its choice.

    Parameters:
        run: its folder
        extra: changes by dotted path
    """
    experiment = config.load(run.config_path, extra=extra)
    if (run.path / ORIGIN).is_file():
        origin = read_json(run.path / ORIGIN)
        if isinstance(origin, dict) and {**origin, **whose()} == origin and isinstance(origin.get("folder"), str):
            experiment.folder = Path(origin["folder"])
    return experiment


def whose() -> dict[str, Any]:
    """This user on this machine."""
    return {"host": platform.node(), "user": os.getuid()}
