"""Batches, as a pure function of epoch and position: nothing to save, nothing that a resume could lose."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from dltrain.data.augmentations import Augmenter
from dltrain.data.examples import Array, Examples
from dltrain.data.lazy import Lazy
from dltrain.data.lengths import grouped, lengths_of, steps_of
from dltrain.data.orders import Balance, side_by_side
from dltrain.errors import DataError
from dltrain.seeds import generator


class Mixed(NamedTuple):
    """What examples are mixed with.

    Parameters:
        target: (n,) or (n, M) the targets of the others
        share: (n,) how much the first targets count, 0.5 or more; the second count 1 - share
        weight: (n,) how much the others count in the loss; None: all alike
    """

    target: Array
    share: Array
    weight: Array | None = None

    def take(self, some: slice) -> Mixed:
        """Those of some examples."""
        return Mixed(self.target[some], self.share[some], None if self.weight is None else self.weight[some])


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
        whole: the batch that this micro-batch was cut from, if it was
        mixed: the second targets of examples that are mixed with others, if they are
    """

    __slots__ = ("_all_ids", "epoch", "index", "inputs", "mixed", "rows", "target", "weight", "whole")

    def __init__(
        self,
        inputs: dict[str, Array],
        target: Array,
        rows: Array | slice,
        epoch: int,
        index: int,
        all_ids: Array,
        weight: Array | None = None,
        whole: Batch | None = None,
        mixed: Mixed | None = None,
    ) -> None:
        self.inputs, self.target, self.rows, self.epoch, self.index = inputs, target, rows, epoch, index
        self._all_ids, self.weight, self.whole, self.mixed = all_ids, weight, whole, mixed

    def __len__(self) -> int:
        return len(self.target)

    @property
    def ids(self) -> Array:
        """(n,) positions of the examples in the source."""
        return self._all_ids[self.rows]

    @property
    def kind(self) -> tuple[int, ...]:
        """What the memory of a step depends on: how many examples, and their shape, which differs where texts end."""
        return len(self), *next(iter(self.inputs.values())).shape[1:]

    def pieces(self, size: int) -> list[Batch]:
        """This batch cut into micro-batches of at most so many examples, which are views; itself where it is no larger.

        Parameters:
            size: the most examples of a micro-batch
        """
        if len(self.target) <= size:
            return [self]
        found = []
        rows = self.rows
        if isinstance(rows, slice):
            rows = np.arange(*rows.indices(len(self._all_ids)))
        for start in range(0, len(self), size):
            some = slice(start, start + size)
            inputs = {wire: array[some] for wire, array in self.inputs.items()}
            weight = None if self.weight is None else self.weight[some]
            mixed = None if self.mixed is None else self.mixed.take(some)
            place = (self.epoch, self.index, self._all_ids)
            found.append(Batch(inputs, self.target[some], rows[some], *place, weight, self, mixed))
        return found

    def told(self, select: Callable[[Array], Array]) -> Batch:
        """The same examples with other targets, which a function makes of theirs."""
        whole = None if self.whole is None else self.whole.told(select)
        mixed = None if self.mixed is None else self.mixed._replace(target=select(self.mixed.target))
        place = (self.rows, self.epoch, self.index, self._all_ids)
        return Batch(self.inputs, select(self.target), *place, self.weight, whole, mixed)

    def sides(self) -> tuple[Batch, ...]:
        """This batch; where examples are mixed, one for the first targets and one for the second, weighted."""
        if self.mixed is None:
            return (self,)
        place, found = (self.rows, self.epoch, self.index, self._all_ids), []
        first = Mixed(self.target, self.mixed.share, self.weight)
        for target, share, weight in (first, self.mixed._replace(share=1 - self.mixed.share)):
            found.append(Batch(self.inputs, target, *place, share if weight is None else share * weight))
        return tuple(found)


class Loader:
    """Cuts examples into batches.

    With `shuffle` each epoch has an order of its own that depends on seed and epoch only, and batches
    are gathered into buffers that are reused: a batch is valid until the next one is asked for.
    Without, batches are views of the examples.  The last batch of an epoch may be smaller.  Texts that are filled up
    come by their length where `cut_padding` says so.

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
        stateful: bool = False,
    ) -> None:
        if not len(examples):
            raise DataError("there are no examples to cut into batches")
        self.examples, self.batch_size, self.shuffle, self.seed = examples, int(batch_size), shuffle, seed
        self.sources: dict[str, Any] = {wire: examples.columns[name] for wire, name in (inputs or {"x": "x"}).items()}
        self.targets = examples.columns.get(target, np.empty((len(examples), 0)))
        self.stateful = stateful
        self.balance: Balance | None = None
        self.augmenter: Augmenter | None = None
        self.lengths: Array | None = None
        self.weights = examples.columns.get("weight")
        self.steps_per_epoch = -(-len(examples) // self.batch_size)
        self._epoch, self._order = -1, np.empty(0, np.int64)
        self._buffers: dict[int, tuple[dict[str, Array], Array]] = {}  # by length: full batches and the last one

    @property
    def laborious(self) -> bool:
        """Whether a batch is more than gathered: decoded, prepared or augmented."""
        return self.augmenter is not None or any(isinstance(x, Lazy) for x in self.sources.values())

    def rebalance(self, how: str) -> None:
        """Balance the classes of a loader that shuffles: "oversample" or "undersample"."""
        self.balance = Balance(how, self.targets)
        self.steps_per_epoch = -(-len(self.balance) // self.batch_size)

    def cut_padding(self) -> None:
        """Cut off what fills up all texts of a batch; where they are shuffled, those of about the same length meet."""
        (tokens,) = self.sources.values()
        lengths = lengths_of(tokens, self.targets)
        if lengths.min() < tokens.shape[1]:
            self.lengths = lengths

    def augment(self, specs: Sequence[Any]) -> None:
        """Augment the pictures of all batches.

        Parameters:
            specs: the augmentations, in their order

        Raises:
            ConfigError: when they do not suit the data.
        """
        self.augmenter = Augmenter(specs, next(iter(self.sources.values())), self.seed)

    def feed(self, sources: Mapping[str, Array]) -> None:
        """Take other inputs for the same examples: {wire: array}, such as what a network makes of them."""
        self.sources = dict(sources)
        self._buffers.clear()

    def order(self, epoch: int) -> Array:
        """The order of the examples in an epoch."""
        if epoch != self._epoch:
            draw = generator(self.seed, "order", epoch)
            if self.stateful:
                self._order = side_by_side(len(self.examples), self.batch_size)
            else:
                self._order = self.balance.order(draw) if self.balance else draw.permutation(len(self.examples))
                if self.lengths is not None:
                    self._order = grouped(self._order, self.lengths, self.batch_size, draw)
            self._epoch = epoch
        return self._order

    def rows(self, epoch: int, index: int) -> Array | slice:
        """Positions of the examples of a batch.

        Raises:
            IndexError: when the epoch has no such batch.
        """
        if not 0 <= index < self.steps_per_epoch:
            raise IndexError(f"batch {index} of {self.steps_per_epoch}")
        start = index * self.batch_size
        stop, gathered = start + self.batch_size, self.shuffle or self.stateful
        return self.order(epoch)[start:stop] if gathered else slice(start, min(stop, len(self.examples)))

    def batch(self, epoch: int, index: int, kernels: Any = None, *, fresh: bool = False) -> Batch:
        """The batch at this position; see `gather`.

        Raises:
            IndexError: when the epoch has no such batch.
        """
        return self.gather(self.rows(epoch, index), epoch, index, kernels, fresh=fresh)

    def gather(self, rows: Array | slice, epoch: int, index: int, kernels: Any = None, *, fresh: bool = False) -> Batch:
        """The batch of these rows, which several threads may make at once if they are fresh.

        Parameters:
            rows: positions of its examples
            epoch: which epoch
            index: which batch of the epoch
            kernels: an implementation, whose `take_rows(x, rows, out)` gathers; None: NumPy
            fresh: whether it gets arrays of its own in place of those that all batches share
        """
        if isinstance(rows, slice):
            inputs, target = {wire: x[rows] for wire, x in self.sources.items()}, self.targets[rows]
        else:
            inputs, target = self._taken(rows, kernels, fresh)
        if self.lengths is not None:
            inputs, target = self._cut(inputs, target, self.lengths[rows])
        weight = None if self.weights is None else self.weights[rows]
        batch = Batch(inputs, target, rows, epoch, index, self.examples.ids, weight)
        if self.augmenter is None:
            return batch
        return self._augmented(batch, index * self.batch_size, self.augmenter, kernels)

    def _taken(self, rows: Array, kernels: Any, fresh: bool) -> tuple[dict[str, Array], Array]:
        buffers = None if fresh else self._buffers.get(len(rows))
        inputs, target = buffers or self._allocate(len(rows))
        if not fresh:
            self._buffers[len(rows)] = inputs, target
        for wire, out in inputs.items():
            x = self.sources[wire]
            if isinstance(x, Lazy):
                out[...] = x[rows]
            elif kernels is None:
                x.take(rows, 0, out, "clip")  # with "raise" NumPy would buffer `out`
            else:
                kernels.take_rows(x, rows, out)
        self.targets.take(rows, 0, target, "clip")
        return inputs, target

    def _cut(self, inputs: dict[str, Array], target: Array, lengths: Array) -> tuple[dict[str, Array], Array]:
        """Tokens, and targets that have one for each of them, up to the longest text."""
        ((wire, tokens),) = inputs.items()
        steps = steps_of(lengths, tokens.shape[1])
        aligned = target.shape == tokens.shape and target.dtype.kind == "i"
        return {wire: tokens[:, :steps]}, target[:, :steps] if aligned else target

    def _augmented(self, batch: Batch, start: int, augmenter: Augmenter, kernels: Any) -> Batch:
        """The batch with other pictures; of mixed targets the one with the larger share comes first."""
        places = np.arange(start, start + len(batch))
        order = self.order(batch.epoch) if self.shuffle else None
        found = {wire: augmenter(x, batch.epoch, places, kernels, order) for wire, x in batch.inputs.items()}
        batch.inputs = {wire: x for wire, (x, _, _) in found.items()}
        _, share, rows = next(iter(found.values()))
        if share is not None and rows is not None:
            first, second, minor = batch.target, self.targets[rows], share < 0.5
            across = minor.reshape(-1, *[1] * (first.ndim - 1))
            batch.target = np.where(across, second, first)
            batch.mixed = Mixed(np.where(across, first, second), np.where(minor, 1 - share, share))
            if self.weights is not None and batch.weight is not None:
                own, others = batch.weight, self.weights[rows]
                batch.weight = np.where(minor, others, own)
                batch.mixed = batch.mixed._replace(weight=np.where(minor, own, others))
        return batch

    def _allocate(self, count: int) -> tuple[dict[str, Array], Array]:
        inputs = {wire: np.empty((count, *x.shape[1:]), x.dtype) for wire, x in self.sources.items()}
        return inputs, np.empty((count, *self.targets.shape[1:]), self.targets.dtype)
