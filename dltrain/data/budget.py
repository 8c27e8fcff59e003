"""Memory of examples is counted before it is asked for: too much is refused with the figures."""

from __future__ import annotations

from dltrain.errors import DataError
from dltrain.machine import available, size_of

HINT = "take fewer or smaller examples, or `dtype: float32`"


def check_memory(values: int, each: int, where: str, hint: str = HINT) -> None:
    """Refuse examples that do not fit into the memory that this machine can still give.

    Parameters:
        values: numbers of all examples together
        each: bytes that each of them takes beside what is taken already
        where: what errors call them
        hint: what to do

    Raises:
        DataError: with the figures.

    Example:
        >>> check_memory(10**6, 5, "a.npz")
    """
    needed, there = values * each, available()
    if needed > there:
        expected = f"at most {size_of(there)}"
        what = "the data do not fit into the memory"
        raise DataError(what, where=where, expected=expected, got=size_of(needed), hint=hint)
