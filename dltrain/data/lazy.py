"""A column that is not in memory: its rows are made when they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from dltrain.data.examples import Array, chunks


class Lazy:
    """Rows that look like an array (N, …) and are read, decoded or computed one batch at a time.

    A slice or positions give an array of these rows; `select` gives some rows that are still to be made, `then`
    what a function makes of them.  `np.asarray` makes all.

    Parameters:
        shape: (N, …)
        dtype: of the rows
        read: makes the rows at some positions (n,), in a thread of its own at times

    Example:
        >>> squares = Lazy((4, 1), np.int64, lambda rows: rows[:, None] ** 2)
        >>> squares[1:3].tolist(), squares.select(np.array([3, 0]))[:1].tolist(), squares.max().tolist()
        ([[1], [4]], [[9]], 9)
    """

    def __init__(self, shape: Sequence[int], dtype: Any, read: Callable[[Array], Array]) -> None:
        self.shape, self.dtype, self.read = tuple(shape), np.dtype(dtype), read

    @property
    def ndim(self) -> int:
        """Axes, with that of the rows."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Numbers in all rows."""
        return int(np.prod(self.shape))

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: slice | Array) -> Array:
        return self.read(np.arange(len(self))[rows])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        return self[:].astype(dtype or self.dtype, copy=False)

    def select(self, rows: Array) -> Lazy:
        """Some rows, in another order perhaps, still to be made."""
        positions = np.arange(len(self))[rows]
        return Lazy((len(positions), *self.shape[1:]), self.dtype, lambda some: self.read(positions[some]))

    def then(self, work: Callable[[Array, Array], Array], shape: Sequence[int], dtype: Any) -> Lazy:
        """What `work(rows, positions)` makes of rows, each (…) of the given shape, still to be made."""
        return Lazy((len(self), *shape), dtype, lambda some: work(self.read(some), some))

    def min(self, axis: Any = None) -> Array:
        """The smallest values, over all rows at least."""
        return self._fold(np.min, np.minimum, axis)

    def max(self, axis: Any = None) -> Array:
        """The largest values, over all rows at least."""
        return self._fold(np.max, np.maximum, axis)

    def _fold(self, within: Callable[..., Any], between: Callable[..., Any], axis: Any) -> Array:
        found = None
        for rows in chunks(self):
            part = within(self[rows], axis=axis)
            found = part if found is None else between(found, part)
        return np.asarray(found)


def select(column: Any, rows: Array) -> Any:
    """Some rows of a column, copied from an array; those of a lazy one are still to be made."""
    return column.select(rows) if isinstance(column, Lazy) else column[rows]
