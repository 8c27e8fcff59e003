"""Batches made ahead of time, by threads beside the one that trains."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import count
from typing import Any

import numpy as np

from dltrain.data.loader import Batch, Loader
from dltrain.kernels import work_alone

Wish = tuple[int, int]  # epoch and index of a batch
ENOUGH = 2  # workers where batches are decoded or augmented


class Prefetch:
    """A loader whose next batches are made by workers while the last one is used.

    A batch is a function of seed, epoch and index, so it does not matter who makes it: any number of workers
    gives the same.  The order of an epoch is drawn by the thread that asks, and the first batch is made by it,
    since nobody could be faster.  What a worker raises is raised where its batch is asked for.

    Threads are enough: Pillow, NumPy and the kernels let others run while they work.

    Parameters:
        loader: makes the batches
        workers: threads; with 0 every batch is made when it is asked for; None: as many as pay

    Example:
        >>> from dltrain.data.examples import Examples
        >>> columns = {"x": np.arange(5.0)[:, None], "y": np.arange(5)}
        >>> loader = Loader(Examples(columns, np.arange(5)), 2, shuffle=True, seed=0)
        >>> with Prefetch(loader, 2) as ahead:
        ...     made = [ahead.batch(0, index).target.tolist() for index in range(3)]
        >>> made == [loader.batch(0, index).target.tolist() for index in range(3)]
        True
    """

    def __init__(self, loader: Loader, workers: int | None) -> None:
        self.loader = loader
        self.workers = (ENOUGH if loader.laborious else 0) if workers is None else workers
        self.executor: ThreadPoolExecutor | None = None
        self.made: deque[tuple[Wish, Future[Batch]]] = deque()

    @property
    def steps_per_epoch(self) -> int:
        """Batches of an epoch."""
        return self.loader.steps_per_epoch

    @property
    def stateful(self) -> bool:
        """Whether each batch goes on where the one before ended."""
        return self.loader.stateful

    def __enter__(self) -> Prefetch:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def batch(self, epoch: int, index: int, kernels: Any = None) -> Batch:
        """One batch; see `Loader.batch`.

        Raises:
            DataError: when an example cannot be read.
        """
        if not self.workers:
            return self.loader.batch(epoch, index, kernels)
        if self.made and self.made[0][0] == (epoch, index):
            found = self.made.popleft()[1].result()
        else:  # the first one, or one out of the row
            self.drop()
            found = self.loader.batch(epoch, index, kernels, fresh=True)
        self.ask(epoch, index, kernels)
        return found

    def ask(self, epoch: int, index: int, kernels: Any) -> None:
        """Let the workers make the batches after this one, as many as they are and one to take."""
        if self.executor is None:
            self.executor = ThreadPoolExecutor(self.workers, "data", prepare_thread, (kernels,))
        following = after(epoch, index, self.steps_per_epoch)
        for wish in (next(following) for _ in range(self.workers + 1)):
            if len(self.made) <= self.workers and wish not in [known for known, _ in self.made]:
                rows = self.loader.rows(*wish)
                self.made.append((wish, self.executor.submit(self.make, rows, *wish, kernels)))

    def make(self, rows: Any, epoch: int, index: int, kernels: Any) -> Batch:
        """A batch in arrays of its own; like the training, it names no number that is not finite."""
        with np.errstate(all="ignore"):
            return self.loader.gather(rows, epoch, index, kernels, fresh=True)

    def drop(self) -> None:
        """Forget what was made ahead."""
        while self.made:
            self.made.popleft()[1].cancel()

    def close(self) -> None:
        """End the workers; each finishes the batch that it is at."""
        self.drop()
        if self.executor is not None:
            self.executor.shutdown(cancel_futures=True)
            self.executor = None


def after(epoch: int, index: int, steps: int) -> Iterator[Wish]:
    """The batches that follow one, through all epochs."""
    return (divmod(position, steps) for position in count(epoch * steps + index + 1))


def prepare_thread(kernels: Any) -> None:
    """What the thread that trains does too: the kernels start no threads here, and flush subnormal numbers."""
    work_alone()
    if kernels is not None:
        kernels.flush_subnormals(True)
