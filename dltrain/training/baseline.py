"""A baseline in the place of a network: the same data, evaluation, run folder and checkpoints."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from dltrain.baselines import estimate
from dltrain.data import DataSet, Examples
from dltrain.errors import CorruptFileError, Problem, UsageError
from dltrain.kernels import select
from dltrain.model.memory import Arena
from dltrain.registry import create, parse
from dltrain.tasks import Task
from dltrain.training.baseline_model import WIRE, BaselineModel
from dltrain.training.baseline_summary import BaselineSummary, in_words
from dltrain.training.goal import measured
from dltrain.training.prepared import Prepared
from dltrain.training.state import part

if TYPE_CHECKING:
    from dltrain.config.experiment import Experiment
    from dltrain.training.journal import Journal, NoJournal
    from dltrain.training.progress import Progress

SLOW = 20.0  # seconds that are announced
TRIED = 500  # samples of a try


@dataclass
class BaselineSession(Prepared):
    """An experiment with a baseline, brought to life; see `Prepared`."""

    graph: BaselineModel

    @property
    def objective(self) -> Any:
        """There is none.

        Raises:
            UsageError: always.
        """
        what = "a baseline has no gradients"
        raise UsageError(what, where=self.experiment.name, expected="a config with a `model`", got=self.graph.name)

    def trainer(self, journal: Journal | NoJournal, progress: Progress) -> Fitter:
        """What fits it."""
        if self.loader("train") is None:
            self.experiment.fail([Problem(("data", "split"), "no sample is left to train on", "smaller other parts")])
        return Fitter(self, journal, progress)

    def try_out(self) -> BaselineSummary:
        """Fit some samples and validate with a few."""
        data, graph = self.data, self.graph
        whole = data.parts["train"]
        summary = BaselineSummary(graph.name, len(whole), data.shape, graph.wires[WIRE][0], self.seconds())
        count = max(TRIED, getattr(graph.baseline, "n_neighbors", 0))
        parts = {**data.parts, "train": some(whole, count, data.classes is not None)}
        parts |= {name: parts[name].take(np.arange(min(16, len(parts[name])))) for name in parts if name != "train"}
        tried = replace(self, data=replace(data, parts=parts))
        tried.graph = BaselineModel(graph.baseline, graph.name, self.task.task, tried.data, self.experiment)
        tried.graph.fit()
        for name in parts:
            if (loader := tried.loader(name)) is not None:
                tried.evaluator().run(loader)
        return summary

    def seconds(self) -> float:
        """About how long a fit takes."""
        return estimate(self.graph.baseline, len(self.data.parts["train"]), int(np.prod(self.data.shape)))


class Fitter:
    """Fits a baseline once, measures it and saves the run: what a trainer is to a network.

    Parameters:
        session: the baseline and its data
        journal: keeps record and checkpoint
        progress: shows them
    """

    def __init__(self, session: BaselineSession, journal: Journal | NoJournal, progress: Progress) -> None:
        self.session, self.journal, self.progress = session, journal, progress
        self.goal = session.goal(None)
        self.epoch = self.step = 0  # 1 when it is fitted
        self.settled = True  # a fit is whole, or nothing
        self.seconds = 0.0
        self.best: dict[str, Any] | None = None
        self.metrics: dict[str, dict[str, float]] = {"train": {}, "validation": {}}

    def run(self) -> str:
        """Fit and measure, unless that is done; returns why it ended: fitted or signal."""
        if self.step:
            return "fitted"
        session, started = self.session, time.monotonic()
        self.progress.start(1, 1, 1, session.task.tally().names)
        expected = session.seconds()
        if expected > SLOW:
            self.progress.message(in_words(session.graph.name, len(session.data.parts["train"]), expected))
        if not session.graph.fit(self.journal.interrupted):
            return "signal"
        assert session.graph.fitted is not None
        for complaint in session.graph.fitted.complaints:
            self.progress.message(f"scikit-learn: {complaint}")
        measured = self.measure()
        if measured is None:
            return "signal"
        self.epoch = self.step = 1
        self.seconds = time.monotonic() - started
        self.metrics |= measured
        record = {"epoch": 1, "step": 1, "learning_rate": None, **measured}
        self.best = self.goal.best(record, None)
        self.journal.record(record)
        self.progress.evaluated(record, self.seconds)
        self.journal.save(self)
        return "fitted"

    def measure(self) -> dict[str, dict[str, float]] | None:
        """Metrics of the parts but for the test part; None when a signal came."""
        found = {}
        for name in ("train", "train_dev", "validation"):
            loader = self.session.loader(name)
            tally = None if loader is None else self.session.evaluator(self.journal.interrupted).run(loader)
            if tally is not None:
                found[name] = tally.results()
            elif loader is not None:
                return None
        return found

    def measured(self) -> dict[str, dict[str, float]]:
        """Metrics of the parts train and validation."""
        return self.metrics

    def state(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """The proof of the fit, and its results: (arrays, JSON values)."""
        arrays = {f"model/{name}": array for name, array in self.session.graph.state().items()}
        return arrays, {"epoch": self.epoch, "step": self.step, "best": self.best, "metrics": self.metrics}

    def load_state(self, arrays: dict[str, Any], meta: dict[str, Any], where: str = "") -> None:
        """Go on from `state()`: fit again, and compare.

        Parameters:
            arrays: the proof of the fit
            meta: its results
            where: the file they came from

        Raises:
            CorruptFileError: when the state is neither before a fit nor after it.
        """
        if (meta["epoch"], meta["step"]) not in ((0, 0), (1, 1)):
            what, got = "no moment of this run has such a step", str(meta["step"])
            raise CorruptFileError(what, where=where, expected="0 or 1", got=got, hint="start a new run")
        self.session.graph.load_state(part(arrays, "model"))
        self.epoch, self.step = meta["epoch"], meta["step"]
        self.best, self.metrics = meta["best"], meta["metrics"]

    def set_clock(self, seconds: float) -> None:
        """Count the time from here."""
        self.seconds = seconds


def prepare_baseline(experiment: Experiment, task: Task, data: DataSet) -> BaselineSession:
    """A baseline for its data, and the task bound to it.

    Raises:
        ConfigError: when loss or metrics do not fit the data.
    """
    name = parse(experiment.baseline, "baseline", ("baseline",))[0].name
    model = BaselineModel(create("baseline", experiment.baseline), name, task, data, experiment)
    bound = task.bind(data, (WIRE,), experiment.loss, measured(experiment.metrics, task))
    # the reference: scikit-learn computes in float64, and compiling for one pass would take longer than the pass
    return BaselineSession(experiment, data, model, bound, select("reference"), Arena())


def some(examples: Examples, count: int, classes: bool) -> Examples:
    """About so many examples, evenly spread, with one of each class at least."""
    chosen = np.linspace(0, len(examples) - 1, min(len(examples), count)).astype(np.int64)
    first = np.unique(examples.columns["y"], return_index=True)[1] if classes else chosen[:0]
    return examples.take(np.union1d(chosen, first))
