"""Orders of an epoch: classes equally frequent, or consecutive examples side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

from dltrain.data.examples import Array

SIZES: dict[str, Callable[[Iterable[int]], int]] = {"oversample": max, "undersample": min}


class Balance:
    """Which examples an epoch sees where all classes are to be equally frequent.

    With "oversample" every class is as frequent as the largest: all its examples as often as they fit, and of the
    rest a draw without replacement, another one in every epoch.  With "undersample" every class is as frequent as
    the smallest, of which all are seen; the others' are drawn anew in every epoch.

    Parameters:
        how: oversample or undersample
        labels: (N,) class numbers

    Example:
        >>> labels = np.array([0, 0, 0, 0, 1])
        >>> [sorted(Balance(how, labels).order(np.random.default_rng(0)).tolist()) for how in SIZES]
        [[0, 1, 2, 3, 4, 4, 4, 4], [3, 4]]
    """

    def __init__(self, how: str, labels: Array) -> None:
        members = [np.flatnonzero(labels == k) for k in range(int(labels.max()) + 1)]
        self.members = [group for group in members if len(group)]
        self.size = SIZES[how](len(group) for group in self.members)

    def __len__(self) -> int:
        return self.size * len(self.members)

    def order(self, draw: np.random.Generator) -> Array:
        """(len,) positions in the order of an epoch."""
        chosen = []
        for group in self.members:
            whole, rest = divmod(self.size, len(group))
            chosen += [np.tile(group, whole), draw.choice(group, rest, replace=False)]
        return draw.permutation(np.concatenate(chosen))


def side_by_side(count: int, size: int) -> Array:
    """An order of consecutive examples in which each place of a batch goes on where it was in the batch before.

    The examples are cut into as many runs as a batch has places; where they do not divide evenly, the first runs are
    one longer, and the last batch holds only these.

    Parameters:
        count: of the examples
        size: of a batch

    Example:
        >>> side_by_side(8, 3).tolist()  # the runs 0 1 2, 3 4 5 and 6 7
        [0, 3, 6, 1, 4, 7, 2, 5]
    """
    runs = np.array_split(np.arange(count), min(size, count))
    return np.array([run[k] for k in range(len(runs[0])) for run in runs if k < len(run)])
