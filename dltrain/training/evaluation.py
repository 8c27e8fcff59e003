"""Loss and metrics of a model over a part of the data, without training it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from math import prod
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from dltrain.data.prefetch import Prefetch
from dltrain.layers.base import Array
from dltrain.model.mode import Mode

if TYPE_CHECKING:
    from dltrain.data import Batch, Loader
    from dltrain.model.memory import Arena
    from dltrain.tasks import Bound, Tally

MOST = 512  # samples of a batch: large enough for speed
ROOM = 2**30  # bytes that a layer may read and write for a batch; the arena lets its neighbours share them


class Model(Protocol):
    """What can be evaluated: a network, or a baseline."""

    def forward(
        self,
        inputs: Mapping[str, Array],
        train: bool = False,
        mode: Mode | None = None,
        wires: Iterable[str] | None = None,
    ) -> tuple[dict[str, Array], Any]:
        """Outputs by wire, and a backward pass where there is one."""


def evaluation_batch(graph: Any) -> int:
    """Samples of a batch of an evaluation: 512, or the power of two that keeps every layer within 1 GiB.

    It follows from the model alone, so that sums round the same on every machine.

    Parameters:
        graph: a network; a baseline keeps nothing from layer to layer
    """
    nodes = getattr(graph, "plan_nodes", ())
    shapes = {node.path: node.shape for node in nodes} | dict(getattr(graph, "inputs", {}))
    values = max((sum(prod(shapes.get(path, ())) for path in (node.path, *node.inputs)) for node in nodes), default=1)
    fitting = ROOM // (values * graph.dtype.itemsize) if nodes else MOST
    return min(MOST, 1 << max(fitting, 1).bit_length() - 1)


class Evaluator:
    """Runs a model over examples in their order.

    Parameters:
        graph: the model
        task: the bound task
        arena: memory, shared with training (the two never overlap)
        kernels: chooser of an implementation
        interrupted: polled between batches; when it returns True the evaluation is given up
        workers: that make batches ahead, see `Prefetch`
    """

    def __init__(
        self,
        graph: Model,
        task: Bound,
        arena: Arena,
        kernels: Callable[[Array], Any],
        interrupted: Callable[[], bool] = lambda: False,
        workers: int | None = None,
    ) -> None:
        self.graph, self.task, self.interrupted, self.workers = graph, task, interrupted, workers
        self.mode = Mode(False, kernels=kernels, arena=arena, backward=False)

    def run(self, loader: Loader, everything: bool = False) -> Tally | None:
        """Loss and metrics over all batches of one epoch; None when interrupted.

        Parameters:
            loader: the batches
            everything: collect all that the task can, whether a metric reads it or not
        """
        tally = self.task.tally(everything)
        self.mode.states = {} if loader.stateful else None
        with Prefetch(loader, self.workers) as ahead:
            for index in range(loader.steps_per_epoch):
                if self.interrupted():
                    return None
                self._take(ahead.batch(0, index), index, tally)
        return tally

    def take(self, batch: Batch, index: int, tally: Tally) -> dict[str, Array]:
        """Take one batch into a tally; returns copies of the values of the task's wires.

        Parameters:
            batch: the examples
            index: which batch
            tally: the account
        """
        outputs = self._take(batch, index, tally)
        return {wire: outputs[wire].copy() for wire in self.task.evaluated_wires}

    def _take(self, batch: Batch, index: int, tally: Tally) -> dict[str, Array]:
        mode, task = self.mode, self.task
        if tally.timed and index == 0:  # what is loaded, compiled and planned once is not timed
            mode.begin(index, batch.kind)
            self.graph.forward(task.inputs(batch), mode=mode, wires=task.evaluated_wires)
        mode.begin(index, batch.kind)
        started = time.perf_counter()
        outputs, _ = self.graph.forward(task.inputs(batch), mode=mode, wires=task.evaluated_wires)
        if tally.timed:
            tally.time(time.perf_counter() - started, len(batch))
        outputs = task.calibrated(outputs)
        loss, _ = task.loss(outputs, batch, mode)
        tally.add(loss, 0.0, outputs, batch, mode.kernels(outputs[task.evaluated_wires[0]]))
        return outputs

    def outputs(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """The values of the task's wires for all samples, in order: {wire: array (N, …)}.

        Parameters:
            inputs: {input wire: array (N, …)}
        """
        count, size = len(next(iter(inputs.values()))), evaluation_batch(self.graph)
        found: dict[str, list[Array]] = {wire: [] for wire in self.task.evaluated_wires}
        for index, start in enumerate(range(0, count, size)):
            batch = {wire: array[start : start + size] for wire, array in inputs.items()}
            self.mode.begin(index, min(size, count - start))
            outputs, _ = self.graph.forward(batch, mode=self.mode, wires=self.task.evaluated_wires)
            for wire, parts in found.items():
                parts.append(outputs[wire].copy())
        return self.task.calibrated({wire: np.concatenate(parts) for wire, parts in found.items()})
