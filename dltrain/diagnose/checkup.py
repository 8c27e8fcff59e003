"""An experiment before its training, as rules look at it: its layers, its data, and short trainings for a trial."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from dltrain import config
from dltrain.data import DataSet
from dltrain.data.examples import Examples
from dltrain.errors import UsageError
from dltrain.layers.base import Array
from dltrain.model.mode import Mode
from dltrain.optim import Moment
from dltrain.registry import create, parse
from dltrain.training.journal import NoJournal
from dltrain.training.preview import schedules
from dltrain.training.progress import SilentProgress
from dltrain.training.session import Session, prepare

if TYPE_CHECKING:
    from dltrain.config.experiment import Experiment
    from dltrain.data import Batch
    from dltrain.model.nodes import Node
    from dltrain.training.trainer import Trainer

SAMPLES = 512  # that a trial measures on
SECONDS = 6.0  # the longest that a trial trains


class Checkup:
    """An experiment before its training.

    Parameters:
        experiment: the checked config of a network
        data: its data where they are there already

    Raises:
        UsageError: when it is one of a baseline, which is fitted in one go.
    """

    def __init__(self, experiment: Experiment, data: DataSet | None = None) -> None:
        self.experiment = experiment
        session = prepare(experiment, data=data)
        if not isinstance(session, Session):
            what = "a baseline is fitted in one go: there is no training to examine"
            raise UsageError(what, where=experiment.name, expected="a config with a `model`")
        self.session = session
        self.data = session.data
        self.nodes: list[Node] = list(session.graph.plan_nodes)
        self.numbers = np.random.default_rng(experiment.seed)

    @cached_property
    def trainer(self) -> Trainer:
        """The trainer of the whole run, at step 0."""
        return self.session.trainer(NoJournal(), SilentProgress())

    @cached_property
    def optimizer(self) -> tuple[str, dict[str, Any]]:
        """The optimizer's name and the parameters that the config gives it."""
        entry, given = parse(self.experiment.optimizer, "optimizer")
        return entry.name, given

    @cached_property
    def rates(self) -> list[float]:
        """The learning rate over the run."""
        found: list[float] = schedules(self.trainer)["values"]["learning_rate"]
        return found

    def readers(self, node: Node) -> list[Node]:
        """The layers that read a layer's output."""
        return [other for other in self.nodes if node.path in other.inputs]

    def behind(self, node: Node, through: Collection[str] = ()) -> Node | None:
        """The one layer behind a layer, past layers of some kinds; None where there is none or the way divides."""
        following = self.readers(node)
        while len(following) == 1 and following[0].kind in through:
            following = self.readers(following[0])
        return following[0] if len(following) == 1 else None

    def last(self) -> Iterator[Node]:
        """The layers whose outputs the task reads."""
        paths = {self.session.graph.paths[wire] for wire in self.session.task.wires}
        return (node for node in self.nodes if node.path in paths)

    def examples(self, part: str = "train", most: int = SAMPLES) -> Examples:
        """Some examples of a part, drawn where it has more; the same ones each time."""
        there = self.data.parts[part]
        if len(there) <= most:
            return there
        drawn = np.random.default_rng(self.experiment.seed).choice(len(there), most, replace=False)
        return there.take(np.sort(drawn))

    def measure(self, session: Session, examples: Examples) -> dict[str, float]:
        """Loss and metrics of a model over some examples, without dropout."""
        tally = session.evaluator().run(session.loader_of(examples))
        assert tally is not None
        with np.errstate(all="ignore"):
            return tally.results()

    def trained(self, examples: Examples, steps: int, *, penalties: bool = True, batch_size: int = 0) -> Trial:
        """Train a fresh model on some examples, as the config says, for a few seconds at most.

        Parameters:
            examples: what it is trained on
            steps: at most
            penalties: with the regularizers
            batch_size: of a step; 0 takes the config's
        """
        session = prepare(self.experiment, data=self.data)
        if not penalties:
            session.objective.regularizers = ()
        size = min(batch_size or self.session.micro_batch, len(examples))
        loader = session.loader_of(examples, batch_size=size, shuffle=len(examples) > size)
        batches = (loader.batch(epoch, index) for epoch in range(steps) for index in range(loader.steps_per_epoch))
        return self.descend(session, batches, steps)

    def descend(self, session: Session, batches: Iterator[Batch], steps: int) -> Trial:
        """Steps of the optimizer with the learning rates of the run."""
        optimizer, graph = session.optimizer(), session.graph
        constraints = [create("constraint", spec) for spec in self.experiment.constrain]
        kernels = session.kernels(graph.vector.value)
        seed = self.experiment.seed
        mode = Mode(True, kernels=session.kernels, arena=session.arena, seed=seed, input_gradients=False)
        per_epoch, total = self.trainer.loader.steps_per_epoch, self.trainer.total_steps
        until, step = float("inf"), 0
        with np.errstate(all="ignore"):
            for step, batch in zip(range(steps), batches, strict=False):
                mode.begin(step, len(batch))
                value = session.objective(batch, mode)
                if not (np.isfinite(value.loss) and kernels.all_finite(graph.vector.grad)):
                    return Trial(session, step, finite=False)
                optimizer.step(Moment(step, per_epoch, total))
                for constraint in constraints:
                    constraint.apply(graph.parameters.values(), kernels)
                graph.changed()
                if time.monotonic() > until:
                    break
                until = min(until, time.monotonic() + SECONDS)  # from the second step on: the first may compile
        return Trial(session, step + 1, finite=True)


class Trial:
    """A model after a short training.

    Parameters:
        session: the model
        steps: how many were done
        finite: whether loss and gradients stayed finite
    """

    def __init__(self, session: Session, steps: int, finite: bool) -> None:
        self.session, self.steps, self.finite = session, steps, finite


def changed(examples: Examples, **columns: Array) -> Examples:
    """Examples with other columns."""
    return Examples({**examples.columns, **columns}, examples.ids, examples.features)


def of_iris(layers: Any, **keys: Any) -> Checkup:
    """A checkup of a small network on the iris flowers, for examples.

    Parameters:
        layers: the chain of its layers
        keys: further keys of the config

    Example:
        >>> [node.kind for node in of_iris([{"dense": 3}, "tanh", "dense"]).nodes]
        ['dense', 'tanh', 'dense']
    """
    data: Mapping[str, Any] = {"source": "iris", "prepare": ["standardize"]}
    whole = {"data": data, "model": {"graph": {"logits": layers}}, **keys}
    return Checkup(config.from_mapping(whole))
