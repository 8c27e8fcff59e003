"""How the processor treats numbers that are almost zero."""

from __future__ import annotations


def flush_subnormals(on: bool) -> None:
    """Take numbers nearer to zero than 1.2e-38 (in float64, 2.2e-308) for zero, in all threads of the kernels.

    The moments of a unit that has died fade by a factor each step until they reach these numbers, stay there for
    good, and each operation on one costs a hundred others.  NumPy can't do without them: nothing is done here.

    Parameters:
        on: whether to begin or to end it
    """
