"""Batches, as a pure function of epoch and position: nothing to save, nothing that a resume could lose."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from dltrain.data.examples import Array, Examples
from dltrain.errors import DataError
from dltrain.seeds import generator


class Batch:
    """Some examples, as a training step takes them.

    The arrays may be reused by the next batch of the same loader: copy what is to be kept.

    Parameters:
        inputs: {wire: array (n, …)}
        target: (n,) class numbers or (n, M) values
        rows: (n,) positions in the part, or a slice of it
        epoch: which epoch, from 0
        index: which batch of the epoch, from 0
        all_ids: ids of the whole part
        weight: (n,) how much each example counts in the loss; None: all alike
    """

    __slots__ = ("_all_ids", "epoch", "index", "inputs", "rows", "target", "weight")

    def __init__(
        self,
        inputs: dict[str, Array],
        target: Array,
        rows: Array | slice,
        epoch: int,
        index: int,
        all_ids: Array,
        weight: Array | None = None,
    ) -> None:
        self.inputs, self.target, self.rows, self.epoch, self.index = inputs, target, rows, epoch, index
        self._all_ids, self.weight = all_ids, weight

    def __len__(self) -> int:
        return len(self.target)

    @property
    def ids(self) -> Array:
        """(n,) positions of the examples in the source."""
        return self._all_ids[self.rows]


class Loader:
    """Cuts examples into batches.

    With `shuffle` each epoch has an order of its own that depends on seed and epoch only, and batches
    are gathered into buffers that are reused: a batch is valid until the next one is asked for.
    Without, batches are views of the examples.  The last batch of an epoch may be smaller.

    Parameters:
        examples: what to cut
        batch_size: examples a batch
        shuffle: a new order in every epoch
        seed: of the run
        inputs: {wire: column} that the model is fed
        target: the column with the targets; examples without it give targets of shape (n, 0)

    Example:
        >>> examples = Examples({"x": np.arange(5.0)[:, None], "y": np.arange(5)}, np.arange(5))
        >>> loader = Loader(examples, 2, shuffle=False, seed=0)
        >>> [loader.batch(0, i).target.tolist() for i in range(loader.steps_per_epoch)]
        [[0, 1], [2, 3], [4]]
    """

    def __init__(
        self,
        examples: Examples,
        batch_size: int,
        *,
        shuffle: bool,
        seed: int,
        inputs: Mapping[str, str] | None = None,
        target: str = "y",
    ) -> None:
        if not len(examples):
            raise DataError("there are no examples to cut into batches")
        self.examples, self.batch_size, self.shuffle, self.seed = examples, int(batch_size), shuffle, seed
        self.sources = {wire: examples.columns[name] for wire, name in (inputs or {"x": "x"}).items()}
        self.targets = examples.columns.get(target, np.empty((len(examples), 0)))
        self.weights = examples.columns.get("weight")
        self.steps_per_epoch = -(-len(examples) // self.batch_size)
        self._epoch, self._order = -1, np.empty(0, np.int64)
        self._buffers: dict[int, tuple[dict[str, Array], Array]] = {}  # by length: full batches and the last one

    def order(self, epoch: int) -> Array:
        """The order of the examples in an epoch."""
        if epoch != self._epoch:
            self._order = generator(self.seed, "order", epoch).permutation(len(self.examples))
            self._epoch = epoch
        return self._order

    def batch(self, epoch: int, index: int, kernels: Any = None) -> Batch:
        """The batch at this position; gathered by `kernels.take_rows(x, index, out)` where given.

        Raises:
            IndexError: when the epoch has no such batch.
        """
        if not 0 <= index < self.steps_per_epoch:
            raise IndexError(f"batch {index} of {self.steps_per_epoch}")
        start = index * self.batch_size
        if not self.shuffle:
            rows = slice(start, min(start + self.batch_size, len(self.examples)))
            inputs = {wire: x[rows] for wire, x in self.sources.items()}
            return self._batch(inputs, self.targets[rows], rows, epoch, index)
        order = self.order(epoch)[start : start + self.batch_size]
        inputs, target = self._buffers.get(len(order)) or self._allocate(len(order))
        for wire, out in inputs.items():
            if kernels is None:
                self.sources[wire].take(order, 0, out, "clip")  # with "raise" NumPy would buffer `out`
            else:
                kernels.take_rows(self.sources[wire], order, out)
        self.targets.take(order, 0, target, "clip")
        return self._batch(inputs, target, order, epoch, index)

    def _batch(self, inputs: dict[str, Array], target: Array, rows: Array | slice, epoch: int, index: int) -> Batch:
        weight = None if self.weights is None else self.weights[rows]
        return Batch(inputs, target, rows, epoch, index, self.examples.ids, weight)

    def _allocate(self, count: int) -> tuple[dict[str, Array], Array]:
        inputs = {wire: np.empty((count, *x.shape[1:]), x.dtype) for wire, x in self.sources.items()}
        target = np.empty((count, *self.targets.shape[1:]), self.targets.dtype)
        self._buffers[count] = inputs, target
        return inputs, target
