"""From a checked experiment to everything that runs: data, model, task, optimizer, trainer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from dltrain.data import DataSet
from dltrain.errors import ConfigError, Problem, UsageError
from dltrain.kernels import select
from dltrain.model.budget import available, gibibytes
from dltrain.model.graph import Graph
from dltrain.model.memory import Arena
from dltrain.model.mode import Mode
from dltrain.model.notation import parse_model
from dltrain.model.summary import Summary, summarize
from dltrain.registry import create
from dltrain.tasks import Bound
from dltrain.training.baseline import prepare_baseline
from dltrain.training.hooks import Hook
from dltrain.training.journal import Journal, NoJournal
from dltrain.training.objective import Objective
from dltrain.training.prepared import Prepared, load_data
from dltrain.training.progress import Progress, SilentProgress
from dltrain.training.trainer import Limits, Trainer
from dltrain.training.triggers import Every

if TYPE_CHECKING:
    from dltrain.config.experiment import Experiment


@dataclass
class Session(Prepared):
    """An experiment with a network, brought to life; see `Prepared`.

    Parameters:
        objective: what is minimised
    """

    graph: Graph
    objective: Objective

    def trainer(self, journal: Journal | NoJournal, progress: Progress) -> Trainer:
        """The trainer at step 0."""
        experiment, train = self.experiment, self.experiment.train
        optimizer = create("optimizer", experiment.optimizer)
        self.budget(train.batch_size, optimizer)
        optimizer.bind(self.graph.vector, self.kernels)
        loader = self.loader("train", batch_size=train.batch_size, shuffle=train.shuffle)
        if loader is None:
            experiment.fail([Problem(("data", "split"), "no sample is left to train on", "smaller other parts")])
        validation = self.loader("validation")
        hooks: list[Hook] = [create("hook", spec) for spec in experiment.hooks]
        return Trainer(
            objective=self.objective,
            optimizer=optimizer,
            loader=loader,
            validation=validation,
            evaluator=self.evaluator(journal.interrupted),
            mode=Mode(True, kernels=self.kernels, arena=self.arena, seed=experiment.seed, input_gradients=False),
            limits=Limits(train.epochs, train.steps, None if train.time is None else train.time.seconds),
            hooks=hooks,
            evaluate=Every(train.evaluate_every),
            checkpoint=Every(train.checkpoint_every),
            monitor=self.monitor(train.monitor),
            journal=journal,
            progress=progress,
        )

    def budget(self, batch_size: int, optimizer: Any) -> None:
        """Refuse a training step that does not fit into the memory.

        Raises:
            ConfigError: with the figures.
        """
        needed, there = summarize(self.graph, batch_size, optimizer).memory_bytes, available()
        if needed > there:
            what = "a training step does not fit into the memory"
            path, hint = ("train", "batch_size"), "make the batch or the model smaller"
            self.experiment.fail([Problem(path, what, f"at most {gibibytes(there)}", gibibytes(needed), hint)])

    def try_out(self) -> Summary:
        """One step of training and one evaluation, on a few samples."""
        parts = self.data.parts
        parts.update({name: examples.take(np.arange(min(len(examples), 16))) for name, examples in parts.items()})
        trainer = self.trainer(NoJournal(), SilentProgress())
        summary = summarize(self.graph, self.experiment.train.batch_size, trainer.optimizer)
        trainer.train_step()
        if trainer.validation is not None:
            trainer.evaluator.run(trainer.validation)
        return summary

    def monitor(self, wanted: str | None) -> str:
        """The metric that says "best": the config's, else the loss of the validation part where there is one."""
        part = "validation" if self.loader("validation") is not None else "train"
        monitor = wanted or f"{part}.loss"
        where, _, name = monitor.partition(".")
        known = ["loss", *self.task.metrics]
        parts = ("train",) if part == "train" else ("validation", "train")
        if where not in parts or name not in known:
            expected = " or ".join(f"{p}.{m}" for p in parts for m in known)
            self.experiment.fail([Problem(("train", "monitor"), "this is not measured", expected, repr(monitor))])
        return monitor


def prepare(experiment: Experiment, implementation: str = "auto", data: DataSet | None = None) -> Any:
    """Load the data, build the model and bind the task; a `Session`, or a `BaselineSession`.

    Parameters:
        experiment: the checked config
        implementation: of the kernels, see `kernels.select`
        data: the data set where it is there already

    Raises:
        ConfigError: when model, loss or metrics do not fit the data.
        DataError: when the data cannot be used.
    """
    task = create("task", experiment.task)
    try:
        data = load_data(experiment) if data is None else data
        if experiment.baseline is not None:
            return prepare_baseline(experiment, task, data)
        graph = build_graph(experiment, data, experiment.seed, experiment.dtype)
        unread = graph.outputs[:-1]
        if unread:
            path, hint = ("model", "outputs", 0), f"leave it out: the loss reads {graph.outputs[-1]!r}"
            raise ConfigError([Problem(path, f"no loss reads the output {unread[0]!r}", "one output", hint=hint)])
        bound = Bound(task, data, graph.outputs[-1], experiment.loss, experiment.metrics)
        bound.check(graph)
    except ConfigError as error:
        experiment.fail(error.problems)
    objective = Objective(graph, bound, [create("regularizer", spec) for spec in experiment.regularize])
    return Session(experiment, data, graph, bound, select(implementation), Arena(), objective)


def build_graph(experiment: Experiment, data: DataSet, seed: int, dtype: Any, shapes: Any = None) -> Graph:
    """The experiment's model for its data, or for inputs of other shapes.

    Raises:
        ConfigError: when it does not fit.
        UsageError: when the experiment is one of a baseline.
    """
    if experiment.baseline is not None:
        raise UsageError("a baseline has no graph", where=experiment.name, expected="a config with a `model`")
    task = create("task", experiment.task)
    plan = parse_model(experiment.model, variables=task.variables(data), output_units=task.units(data))
    return Graph(plan, shapes or input_shapes(plan.inputs, data), dtype, seed)


def input_shapes(declared: Any, data: DataSet) -> dict[str, tuple[int, ...]]:
    """{input wire: shape}: those of the data, which those of the config must agree with."""
    if len(declared) > 1:
        path = ("model", "inputs", list(declared)[1])
        raise ConfigError([Problem(path, "the data have one input column", "one input", f"{len(declared)} inputs")])
    for wire, shape in declared.items():
        if shape is not None and tuple(shape) != data.shape:
            path = ("model", "inputs", wire)
            raise ConfigError([Problem(path, "the data have another shape", str(list(data.shape)), str(list(shape)))])
    return {next(iter(declared), "x"): data.shape}
