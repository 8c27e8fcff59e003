"""Runs the step that left the finite numbers again, from the file that it left, up to the very operation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from dltrain import config
from dltrain.data import Batch, DataSet
from dltrain.errors import CorruptFileError, DltrainError
from dltrain.layers.base import Array
from dltrain.model.memory import Arena
from dltrain.model.mode import Mode
from dltrain.model.trunk import cut
from dltrain.optim import Moment
from dltrain.registry import create
from dltrain.training.autopsy import sentence, weights
from dltrain.training.postmortem import Remains, digest, read
from dltrain.training.session import Session, prepare
from dltrain.training.state import part
from dltrain.training.trainer import flushed
from dltrain.training.walk import Operation, operations, update

HUGE = 1e4  # of a weight, from which steps were far too long
GROWN = 1e3  # times that values become larger from the first layer to the last, from which that is the cause

REMEDIES = {
    "weights": "look at where they come from: `model.init`, `kernel_initializer`, or the file of initial weights",
    "data": "look at these samples (`dltrain data lint`), and leave them out or mend them",
    "forward": "keep what the layer takes in its range: scale the inputs (`prepare: [standardize]`), put `batch_norm` "
    "in front of it, lower the learning rate",
    "loss": "scale the targets (`prepare_target: [standardize]`), lower the learning rate, or start weights smaller",
    "backward": "keep what the layer takes away from where its slope is infinite, clip the gradient (`clip_norm: 1`), "
    "or lower the learning rate",
    "penalty": "make the penalty smaller (`regularize`)",
    "update": "lower the learning rate, or clip the gradient (`clip_norm: 1`)",
    "constraint": "leave the constraint out (`constrain`), or lower the learning rate",
}


@dataclass(frozen=True)
class Range:
    """What an array holds.

    Parameters:
        role: takes, weights or gives
        name: of the array
        shape: of it
        smallest: of its finite values; None where there is none
        largest: of them
        not_finite: share of the values that are NaN or infinite
    """

    role: str
    name: str
    shape: tuple[int, ...]
    smallest: float | None
    largest: float | None
    not_finite: float

    @property
    def magnitude(self) -> float:
        """The largest of the absolute values that are finite."""
        return max((abs(value) for value in (self.smallest, self.largest) if value is not None), default=0.0)


def range_of(role: str, name: str, array: Array) -> Range:
    """What an array holds.

    Example:
        >>> range_of("gives", "y", np.array([1.0, -3.0, np.inf, 2.0]))
        Range(role='gives', name='y', shape=(4,), smallest=-3.0, largest=2.0, not_finite=0.25)
    """
    finite = np.isfinite(array)
    some = array[finite]
    smallest, largest = (float(some.min()), float(some.max())) if some.size else (None, None)
    return Range(role, name, array.shape, smallest, largest, float(1 - finite.mean()) if array.size else 0.0)


@dataclass(frozen=True)
class Found:
    """What a replay found.

    Parameters:
        place: {step, epoch, batch, samples}
        told: what the run said
        identical: whether the step gave the same weights and gradients as in the run, bit for bit
        phase: weights, data, forward, loss, backward, penalty, update or constraint; empty where all is finite now
        path: of the layer or parameter
        kind: of the operation
        what: in one sentence
        ranges: of what the operation takes, works with and gives
        chain: the operations that lead there, each with its largest value: [{phase, path, kind, largest, not_finite}]
        advice: what to do
    """

    place: dict[str, Any]
    told: str
    identical: bool
    phase: str = ""
    path: str = ""
    kind: str = ""
    what: str = "all operations of the step give finite numbers"
    ranges: list[Range] = field(default_factory=list)
    chain: list[dict[str, Any]] = field(default_factory=list)
    advice: str = "the cause is not in the step: another version of dltrain, or another machine"


def replay(path: Path) -> Found:
    """Run a step again from the file that it left.

    Parameters:
        path: of the file

    Raises:
        StorageError: when the file cannot be read.
        CorruptFileError: when it is damaged, or is no such file.
    """
    remains = read(path)
    try:
        return Replay(remains).found()
    except (DltrainError, KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        what = "the step in the file does not fit its config"
        raise CorruptFileError(what, where=str(path), got=f"{error}"[:300] or type(error).__name__) from error


class Replay:
    """A step that is run again: once as in the run, for its bits, and once operation by operation.

    Parameters:
        remains: what the run left
    """

    def __init__(self, remains: Remains) -> None:
        self.remains, self.place, self.batch = remains, remains.meta["autopsy"], remains.batch
        data = DataSet.from_info(remains.meta["data"], part(remains.arrays, "data"))
        session = prepare(config.from_mapping(remains.meta["config"]), data=data)
        if not isinstance(session, Session):
            raise ValueError("the config is one of a baseline")
        self.session, self.objective = session, session.objective
        self.whole = session.graph
        self.optimizer = create("optimizer", session.experiment.optimizer)
        self.constraints = [create("constraint", spec) for spec in session.experiment.constrain]
        place = self.place
        self.moment = Moment(place["step"], place["steps_per_epoch"], place["total_steps"])
        self.begin()

    def begin(self) -> None:
        """Bring model and optimizer to the state before the step."""
        graph, optimizer, arrays = self.whole, self.optimizer, self.remains.arrays
        graph.load_state(part(arrays, "model"))
        graph.freeze(optimizer.frozen(graph.parameters))
        optimizer.bind(graph.vector, self.session.kernels)
        optimizer.load_state({**part(arrays, "optimizer"), **self.remains.meta["optimizer"]})
        graph.freeze(optimizer.frozen(graph.parameters, self.place["epoch"]))
        self.objective.graph = graph
        if set(self.batch.inputs) != set(graph.inputs):  # the batch holds what frozen layers make of the samples
            trunk = cut(graph, optimizer.frozen(graph.parameters, None))
            if trunk is not None and set(self.batch.inputs) == {trunk.path}:
                self.objective.graph = trunk.above
        self.objective.graph.check_inputs({wire: self.filled(wire, x) for wire, x in self.batch.inputs.items()})

    def filled(self, wire: str, x: Array) -> Array:
        """An input with the padding of its texts, where batches are cut to the longest of their own."""
        shape = self.objective.graph.inputs.get(wire, ())
        short = shape[0] - x.shape[1] if len(shape) == 1 and x.ndim == 2 else 0
        cuts = short > 0 and self.session.cuts_padding and not self.session.stateful
        return np.pad(x, ((0, 0), (0, short))) if cuts else x

    def mode(self, arena: Arena | None = None) -> Mode:
        """The mode of the step."""
        experiment, session = self.session.experiment, self.session
        mode = Mode(True, kernels=session.kernels, arena=arena, seed=experiment.seed, input_gradients=False)
        mode.update_statistics = bool(self.place["retraced"])
        carried = part(self.remains.arrays, "carried")
        mode.states = carried if session.stateful else None
        return mode

    def found(self) -> Found:
        """Run the step twice."""
        batch, place = self.batch, self.place
        where = {"step": place["step"], "epoch": place["epoch"] + 1, "batch": place["index"] + 1}
        kernels = self.session.kernels(self.whole.vector.value)
        with np.errstate(all="ignore"), flushed(kernels):
            self.as_trained(kernels)
            same = digest(self.whole) == place["sha256"]
            self.begin()
            facts = {**where, "samples": [int(number) for number in batch.ids]}, str(place["what"]), same
            return self.walked(*facts)

    def as_trained(self, kernels: Any) -> None:
        """The step as the run did it."""
        mode, vector, value = self.mode(Arena()), self.whole.vector, None
        for number, piece in enumerate(self.batch.pieces(self.place["micro_batch"])):
            mode.begin(self.place["step"], len(piece), number)
            value = self.objective(piece, mode, value)
            if not (np.isfinite(value.loss) and kernels.all_finite(vector.grad)):
                return
        self.optimizer.step(self.moment)
        for constraint in self.constraints:
            constraint.apply(self.whole.parameters.values(), kernels)

    def operations(self) -> Iterator[tuple[Operation, Batch]]:
        """Every operation of the step, and the examples that it is for."""
        graph, mode = self.whole, self.mode()
        yield from ((operation, self.batch) for operation in weights(graph))
        for number, piece in enumerate(self.batch.pieces(self.place["micro_batch"])):
            mode.begin(self.place["step"], part=number)
            yield from ((each, piece) for each in operations(self.objective, piece, mode, fresh=not number))
        kernels = self.session.kernels(graph.vector.value)
        steps = update(graph, self.optimizer, self.moment, self.constraints, kernels)
        yield from ((operation, self.batch) for operation in steps)

    def walked(self, place: Mapping[str, Any], told: str, identical: bool) -> Found:
        """Operation by operation, up to the one that leaves the finite numbers."""
        chain: list[dict[str, Any]] = []
        for operation, batch in self.operations():
            chain.append(link(operation))
            if not operation.finite:
                what = sentence(operation, batch, self.place["step"])
                facts = operation.phase, operation.path, operation.kind, what
                return Found(dict(place), told, identical, *facts, ranges(operation), chain, advice(operation, chain))
        return Found(dict(place), told, identical, chain=chain)


def ranges(operation: Operation) -> list[Range]:
    """What an operation takes, works with and gives."""
    roles = {"takes": operation.takes, "weights": operation.weights, "gives": operation.gives}
    return [range_of(role, name, array) for role, arrays in roles.items() for name, array in arrays.items()]


def link(operation: Operation) -> dict[str, Any]:
    """An operation as one of a chain: how large what it gives is; None where nothing of it is finite."""
    found = [range_of("gives", name, array) for name, array in operation.gives.items()]
    largest = max((each.magnitude for each in found if each.smallest is not None), default=None)
    share = max((each.not_finite for each in found), default=0.0)
    facts = {"phase": operation.phase, "path": operation.path, "kind": operation.kind}
    return {**facts, "largest": largest, "not_finite": share}


def advice(operation: Operation, chain: list[dict[str, Any]]) -> str:
    """What to do: by weights that are very large, by values that grew on the way, and by the kind of the operation."""
    said, remedy = [], REMEDIES[operation.phase]
    largest = max((one["largest"] or 0.0 for one in chain if one["phase"] == "weights"), default=0.0)
    if operation.phase in ("forward", "loss", "backward") and largest > HUGE:
        said.append(f"weights are as large as {largest:.3g}: steps were far too long, lower the learning rate")
    way = [one["largest"] for one in chain if one["phase"] == operation.phase and one["largest"]]
    if operation.phase in ("forward", "backward") and len(way) > 2 and way[-1] > GROWN * way[0]:
        factor = (way[-1] / way[0]) ** (1 / (len(way) - 1))
        said.append(f"values grew {factor:.3g} times an operation on the way: smaller initial weights, or `batch_norm`")
    return "; ".join([*said, remedy])
