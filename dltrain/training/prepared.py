"""What every kind of model needs before it is trained: its data, and batches of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from dltrain.data import DataFolders, DataSet, Loader, load
from dltrain.errors import ConfigError, DataError, Problem
from dltrain.layers.base import Array
from dltrain.model.memory import Arena
from dltrain.registry import create
from dltrain.tasks import Bound
from dltrain.training.evaluation import BATCH_SIZE, Evaluator
from dltrain.training.goal import Goal, Limit

if TYPE_CHECKING:
    from pathlib import Path

    from dltrain.config.experiment import Experiment
    from dltrain.training.initial_weights import Report
    from dltrain.training.journal import Journal, NoJournal
    from dltrain.training.progress import Progress


@dataclass
class Prepared(ABC):
    """An experiment brought to life: `Session` for a network, `BaselineSession` for a classic method.

    Parameters:
        experiment: the checked config
        data: prepared data
        graph: the model: it runs forward, and its state is saved and loaded
        task: the task, bound to loss, metrics and the output wire
        kernels: chooser of an implementation
        arena: memory of training and evaluation
    """

    experiment: Experiment
    data: DataSet
    graph: Any
    task: Bound
    kernels: Callable[[Array], Any]
    arena: Arena

    def loader(self, part: str, *, batch_size: int = BATCH_SIZE, shuffle: bool = False) -> Loader | None:
        """Batches of one part of the data; None when there is no such part."""
        examples = self.data.parts.get(part)
        if examples is None or len(examples) == 0:
            return None
        return self.loader_of(examples, batch_size=batch_size, shuffle=shuffle)

    def loader_of(self, examples: Any, *, batch_size: int = BATCH_SIZE, shuffle: bool = False) -> Loader:
        """Batches of some examples, fed to the model's inputs."""
        columns = create("task", self.experiment.task).columns
        inputs, stateful = dict(zip(self.graph.inputs, columns, strict=True)), self.stateful
        if stateful:  # as many texts side by side in an evaluation as in training
            batch_size = self.batch_size
            self.check_consecutive(examples)
        settings: Any = {"shuffle": shuffle, "seed": self.experiment.seed, "inputs": inputs, "stateful": stateful}
        loader = Loader(examples, batch_size, **settings)
        if self.cuts_padding and not stateful:
            loader.cut_padding()
        return loader

    @property
    def cuts_padding(self) -> bool:
        """Whether the data are texts whose padding can be cut off without any change."""
        return False

    @property
    def batch_size(self) -> int:
        """Examples that are taken in at once; a network's config says how many in training."""
        return BATCH_SIZE

    @property
    def stateful(self) -> bool:
        """Whether recurrent layers carry their state from batch to batch."""
        return bool(create("task", self.experiment.task).stateful)

    def check_consecutive(self, examples: Any) -> None:
        """Refuse a part whose examples do not follow each other in the text.

        Raises:
            ConfigError: saying which split keeps them together.
        """
        if (np.diff(examples.ids) != 1).any():
            what = "the windows of a part do not follow each other, as a `stateful` task needs"
            path, hint = ("data", "split"), "write `split: chronological`"
            self.experiment.fail([Problem(path, what, "consecutive windows", hint=hint)])

    def evaluator(self, interrupted: Callable[[], bool] = lambda: False) -> Evaluator:
        """Runs the model over a part."""
        workers = self.experiment.data.workers
        return Evaluator(self.graph, self.task, self.arena, self.kernels, interrupted, workers)

    def monitor(self, wanted: str | None) -> str:
        """The metric that says "best": the config's, else the loss of the validation part where there is one."""
        part, metrics = self.part, self.experiment.metrics
        monitor = wanted or f"{part}.{metrics['optimize'] if isinstance(metrics, dict) else 'loss'}"
        where, _, name = monitor.partition(".")
        known = ["loss", *self.task.metrics]
        parts = ("train",) if part == "train" else ("validation", "train")
        if where not in parts or name not in known:
            expected = " or ".join(f"{p}.{m}" for p in parts for m in known)
            self.experiment.fail([Problem(("train", "monitor"), "this is not measured", expected, repr(monitor))])
        return monitor

    def goal(self, wanted: str | None) -> Goal:
        """What says which state is the best.

        Parameters:
            wanted: the config's `train.monitor`
        """
        metric = self.monitor(wanted)
        return Goal(metric, self.task.higher_is_better(metric.partition(".")[2]), self.limits())

    @property
    def part(self) -> str:
        """The part whose metrics say what is best: validation where there is one."""
        return "validation" if self.loader("validation") is not None else "train"

    def limits(self) -> dict[str, Limit]:
        """The bounds that the best state must keep: {part.metric: bound}."""
        metrics, part = self.experiment.metrics, self.part
        written = metrics["satisfy"] if isinstance(metrics, dict) else {}
        timed = next((name for name in written if name.endswith("milliseconds_per_sample")), None)
        if timed and part == "train":
            path, hint = ("metrics", "satisfy", timed), "give the data a validation part"
            self.experiment.fail([Problem(path, "only evaluations are timed, and there is none", hint=hint)])
        return {f"{part}.{name}": Limit.parse(bound) for name, bound in written.items()}

    def begin(self, runs: Path) -> Report | None:
        """Give the model the weights that the config has it begin with; None where it names none.

        Parameters:
            runs: folder in which a run is looked up by its name
        """
        return None

    def reuse_features(self, trainer: Any) -> str:
        """Compute once what frozen layers make of each sample; returns a line for the user, or nothing."""
        return ""

    @abstractmethod
    def trainer(self, journal: Journal | NoJournal, progress: Progress) -> Any:
        """What trains the model, at step 0."""

    @abstractmethod
    def try_out(self) -> Any:
        """Train and validate on a few samples; returns a summary with `as_json()` and `table(width)`."""


def load_data(experiment: Experiment) -> DataSet:
    """The experiment's data: read, checked, split and prepared.

    Raises:
        ConfigError: when a path, a column or the name of an array is not there, or a part would be empty.
        DataError: when the data cannot be used.
    """
    needs = create("task", experiment.task).wanted()
    folders = DataFolders(experiment.folder)
    try:
        return load(experiment.data, needs=needs, seed=experiment.seed, folders=folders, dtype=experiment.dtype)
    except ConfigError as error:
        experiment.fail(error.problems)


def read_parts(data: DataSet, experiment: Experiment, run: str) -> None:
    """Read the examples of a run's data set that came without them, from its checkpoint.

    Parameters:
        data: the data set, whose parts are filled unless they are there
        experiment: says where its data are
        run: name of the run

    Raises:
        DataError: when they are not those the run was trained on.
    """
    if not data.parts:
        now = load_data(experiment)
        same_data(data.fingerprint, now.fingerprint, run)
        data.parts.update(now.parts)


def same_data(was: str, now: str, run: str) -> None:
    """Refuse data that are not those a run was started with.

    Parameters:
        was: fingerprint of the run's data
        now: fingerprint of the data that were read
        run: name of the run

    Raises:
        DataError: when they differ.
    """
    if was != now:
        raise DataError(
            "the data are not those the run was started with",
            where=run,
            expected=f"fingerprint {was[:16]}…",
            got=f"{now[:16]}…",
            hint="restore the data, or start a new run",
        )
