"""From a checked experiment to everything that runs: data, model, task, optimizer, trainer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dltrain.config.monitored import named
from dltrain.data import DataSet, Loader
from dltrain.data.augmentations.places import drawn_in
from dltrain.data.orders import Balance
from dltrain.data.prefetch import Prefetch
from dltrain.errors import ConfigError, Problem, UsageError
from dltrain.kernels import select
from dltrain.machine import available, size_of
from dltrain.model.graph import Graph
from dltrain.model.memory import Arena
from dltrain.model.mode import Mode
from dltrain.model.notation import parse_model
from dltrain.model.summary import Summary, summarize
from dltrain.optim import Optimizer
from dltrain.registry import create
from dltrain.training.averaging import Averaging
from dltrain.training.baseline import prepare_baseline
from dltrain.training.features import reuse_features
from dltrain.training.goal import measured
from dltrain.training.hooks import Hook
from dltrain.training.journal import Journal, NoJournal
from dltrain.training.limits import Limits
from dltrain.training.objective import Objective
from dltrain.training.prepared import Prepared, load_data
from dltrain.training.preview import schedules
from dltrain.training.progress import Progress, SilentProgress
from dltrain.training.trainer import Trainer
from dltrain.training.triggers import Every

if TYPE_CHECKING:
    from dltrain.config.experiment import Experiment
    from dltrain.training.initial_weights import Report


@dataclass
class Session(Prepared):
    """An experiment with a network, brought to life; see `Prepared`.

    Parameters:
        objective: what is minimised
    """

    graph: Graph
    objective: Objective

    def begin(self, runs: Path) -> Report | None:
        """Give the network the weights that the config has it begin with; None where it names none."""
        from dltrain.training.initial_weights import initialize  # reads runs, which are sessions again
        from dltrain.training.word_vectors import begin_with_vectors

        vectors = (self.experiment.init_from or {}).get("word_vectors")
        if vectors is not None:
            return begin_with_vectors(self.graph, self.data, self.experiment, vectors)
        return initialize(self.graph, self.experiment, runs)

    @cached_property
    def cuts_padding(self) -> bool:
        """Whether the data are texts whose padding can be cut off without any change."""
        from dltrain.training.padding import changes_nothing  # builds graphs as this module does

        return bool(self.data.vocabularies) and len(self.graph.inputs) == 1 and changes_nothing(self)

    def reuse_features(self, trainer: Trainer) -> str:
        """Compute once what frozen layers make of each sample; returns a line for the user, or nothing."""
        return reuse_features(self, trainer)

    def trainer(self, journal: Journal | NoJournal, progress: Progress) -> Trainer:
        """The trainer at step 0."""
        experiment, train = self.experiment, self.experiment.train
        optimizer = self.optimizer()
        loader = Prefetch(self.training_loader(), experiment.data.workers)
        validation = self.loader("validation")
        optimizers = named("monitor", experiment.optimizer, ("optimizer",))
        hooks = (found for i, hook in enumerate(experiment.hooks) for found in named("monitor", hook, ("hooks", i)))
        for path, watched in (*optimizers, *hooks):
            if validation is None and watched.startswith("validation."):
                what, hint = "there are no validation examples to measure this on", "watch train.loss"
                experiment.fail([Problem(path, what, "a metric that is measured", repr(watched), hint)])
        goal = self.goal(train.monitor)
        average = self.average()
        trainer = Trainer(
            objective=self.objective,
            optimizer=optimizer,
            loader=loader,
            validation=validation,
            train_dev=self.loader("train_dev"),
            evaluator=self.evaluator(journal.interrupted),
            mode=Mode(True, kernels=self.kernels, arena=self.arena, seed=experiment.seed, input_gradients=False),
            limits=Limits(train.epochs, train.steps, None if train.time is None else train.time.seconds),
            hooks=self.hooks(goal.metric),
            evaluate=Every(train.evaluate_every),
            checkpoint=Every(train.checkpoint_every),
            goal=goal,
            journal=journal,
            progress=progress,
            micro_batch=self.micro_batch,
            constraints=[create("constraint", spec) for spec in experiment.constrain],
            average=average,
        )
        self.look_ahead(trainer)
        return trainer

    def training_loader(self) -> Loader:
        """Batches as the training sees them: shuffled, balanced, augmented.

        Raises:
            ConfigError: when nothing is left to train on, or the data cannot be balanced or augmented.
        """
        experiment = self.experiment
        shuffle = experiment.train.shuffle
        if shuffle and self.stateful:
            what = "this has no effect: a `stateful` task reads the text in its order"
            experiment.fail([Problem(("train", "shuffle"), what, "false", "true", "leave `shuffle` out")])
        shuffle = not self.stateful if shuffle is None else shuffle
        loader = self.loader("train", batch_size=self.batch_size, shuffle=shuffle)
        if loader is None:
            experiment.fail([Problem(("data", "split"), "no sample is left to train on", "smaller other parts")])
        self.balance(loader)
        if experiment.data.augment:
            try:
                loader.augment(experiment.data.augment, drawn_in(self.data))
            except ConfigError as error:
                experiment.fail(error.problems)
        return loader

    @property
    def batch_size(self) -> int:
        """Examples in a training step."""
        given, examples = self.experiment.train.batch_size, self.data.parts["train"]
        if given != "all":
            return given
        how = self.experiment.data.balance
        seen = examples if how is None or self.data.classes is None else Balance(how, examples.columns["y"])
        return max(len(seen), 1)

    def optimizer(self) -> Optimizer:
        """The optimizer, bound to the model, whose frozen parameters are told to it."""
        optimizer: Optimizer = create("optimizer", self.experiment.optimizer)
        try:
            self.graph.freeze(optimizer.frozen(self.graph.parameters, None))
            self.budget(self.micro_batch, optimizer)  # of the epochs in which most is trained
            self.graph.freeze(optimizer.frozen(self.graph.parameters))
            optimizer.bind(self.graph.vector, self.kernels)
        except ConfigError as error:
            self.experiment.fail(error.problems)
        return optimizer

    @property
    def micro_batch(self) -> int:
        """Examples that are in memory at once."""
        return -(-self.batch_size // self.experiment.train.accumulate)

    def average(self) -> Averaging | None:
        """The average of the weights that the experiment asks for, not begun."""
        spec = self.experiment.average
        return None if spec is None else Averaging(create("average", spec), self.graph, self.kernels)

    def look_ahead(self, trainer: Trainer) -> None:
        """Find what would go wrong, or do nothing, only in the course of the run.

        Raises:
            ConfigError: when the average, or the training of a group, would begin after the last epoch.
            DltrainError: when a schedule leaves the range of its number.
        """
        schedules(trainer)
        average, total, per_epoch = trainer.average, trainer.total_steps, trainer.loader.steps_per_epoch
        for pattern, begin in trainer.optimizer.thaws.items():
            if total is not None and begin * per_epoch >= total:
                what, most = "the training of this group would begin after the last epoch", (total - 1) // per_epoch
                path = (*trainer.optimizer.where, pattern, "frozen", "until_epoch")
                expected, hint = f"at most {most}" if most else "", "`frozen: true` freezes for the whole run"
                self.experiment.fail([Problem(path, what, expected, str(begin), hint)])
        if average is None or total is None or any(average.rule.due(step, per_epoch) for step in range(total)):
            return
        what, path = "the average would begin after the last epoch", ("average", "swa", "start")
        expected, got = f"at most {total // per_epoch}, the whole epochs of the run", str(average.rule.start)
        self.experiment.fail([Problem(path, what, expected, got)])

    def hooks(self, monitor: str) -> list[Hook]:
        """The experiment's hooks.

        Parameters:
            monitor: the metric that says "best" for the whole run

        Raises:
            ConfigError: when one would restore weights that are the best by another metric.
        """
        hooks: list[Hook] = [create("hook", spec) for spec in self.experiment.hooks]
        for index, hook in enumerate(hooks):
            hook.check()
            if hook.restore_best_weights and hook.monitor not in (None, monitor):
                what = "the weights that are restored are the best by another metric"
                path = ("hooks", index, next(iter(self.experiment.hooks[index])), "monitor")
                hint = "set train.monitor to the same"
                self.experiment.fail([Problem(path, what, f"{monitor!r}, train.monitor", repr(hook.monitor), hint)])
        return hooks

    def balance(self, loader: Loader) -> None:
        """Balance the classes of the training batches, where the config asks for it.

        Raises:
            ConfigError: when there are no classes, or nothing is shuffled.
        """
        how = self.experiment.data.balance
        if how is None:
            return
        if self.data.classes is None or loader.targets.ndim > 1 or not loader.shuffle:
            what = "the task has no classes to balance" if loader.shuffle else "this has no effect without shuffling"
            hint = "leave it out" if loader.shuffle else "say `shuffle: true` in `train`"
            self.experiment.fail([Problem(("data", "balance"), what, "", repr(how), hint)])
        loader.rebalance(how)

    def budget(self, batch_size: int, optimizer: Any) -> None:
        """Refuse a training step that does not fit into the memory.

        Raises:
            ConfigError: with the figures.
        """
        needed, there = summarize(self.graph, batch_size, optimizer).memory_bytes, available()
        if needed > there:
            what = "a training step does not fit into the memory"
            path = ("train", "batch_size")
            hint = "make the batch or the model smaller, or cut the batch with `train.accumulate`"
            self.experiment.fail([Problem(path, what, f"at most {size_of(there)}", size_of(needed), hint)])

    def try_out(self) -> Summary:
        """One step of training and one evaluation, on a few samples."""
        self.begin(Path("runs"))
        parts, size = self.data.parts, self.micro_batch
        self.budget(size, self.optimizer())  # before the parts are cut, whose size `batch_size: all` means
        parts.update({name: examples.take(np.arange(min(len(examples), 16))) for name, examples in parts.items()})
        trainer = self.trainer(NoJournal(), SilentProgress())
        summary = summarize(self.graph, size, trainer.optimizer)
        with trainer.loader:
            trainer.train_step()
        if trainer.validation is not None:
            trainer.evaluator.run(trainer.validation)
        return summary


def prepare(experiment: Experiment, implementation: str = "auto", data: DataSet | None = None) -> Any:
    """Load the data, build the model and bind the task; a `Session`, or a `BaselineSession`.

    Parameters:
        experiment: the checked config
        implementation: of the kernels, see `kernels.select`
        data: the data set where it is there already

    Raises:
        ConfigError: when model, loss or metrics do not fit the data, or the config names data that are not there.
        DataError: when the data cannot be used.
    """
    task = create("task", experiment.task)
    try:
        data = load_data(experiment) if data is None else data
        if experiment.baseline is not None:
            return prepare_baseline(experiment, task, data)
        graph = build_graph(experiment, data, experiment.seed, experiment.dtype)
        bound = task.bind(data, graph.outputs, experiment.loss, measured(experiment.metrics, task))
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
    plan = parse_model(
        experiment.model, variables=task.variables(data), output_units=task.widths(data), input_wires=task.columns
    )
    return Graph(plan, shapes or input_shapes(plan.inputs, data, task.columns), dtype, seed)


def input_shapes(declared: Any, data: DataSet, columns: Sequence[str]) -> dict[str, tuple[int, ...]]:
    """{input wire: shape}: those of the data, which those of the config must agree with.

    Parameters:
        declared: what the config says of them
        data: what the shapes are taken of
        columns: of the data, which the inputs are fed
    """
    if declared and len(declared) != len(columns):
        path = ("model", "inputs", [*declared][min(len(columns), len(declared) - 1)])
        expected = f"{'one input' if len(columns) == 1 else f'{len(columns)} inputs'}: {', '.join(columns)}"
        what = f"the data have {'one input column' if len(columns) == 1 else f'{len(columns)} input columns'}"
        raise ConfigError([Problem(path, what, expected, f"{len(declared)} inputs")])
    shapes = [data.given_shape if column == "given" else data.shape for column in columns]
    for (wire, shape), there in zip(declared.items(), shapes, strict=False):
        if shape is not None and tuple(shape) != there:
            path = ("model", "inputs", wire)
            raise ConfigError([Problem(path, "the data have another shape", str(list(there)), str(list(shape)))])
    return dict(zip(declared or columns, shapes, strict=True))
