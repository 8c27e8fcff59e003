"""Collects what is wrong with a model, each thing once."""

from __future__ import annotations

import reprlib
from typing import Any, NoReturn

from dltrain.errors import ConfigError, Problem
from dltrain.model.plan import Path

MOST = 200  # problems; whoever has more reads no further anyway


class Report:
    """The problems of a model, in the order in which they were met."""

    def __init__(self) -> None:
        self._problems: dict[Problem, None] = {}

    def __len__(self) -> int:
        return len(self._problems)

    def add(self, path: Path, what: str, expected: str, got: str = "", hint: str = "", key: bool = False) -> None:
        """Note a problem; a block's is met at each use and noted once.

        Parameters:
            path: config path
            what: what is wrong
            expected: what would have been right
            got: what was found
            hint: what to do
            key: it is the name at the end of the path that is wrong, not the value behind it
        """
        self.take(Problem(path, what, expected, got, hint, key))

    def take(self, problem: Problem) -> None:
        """Note a problem that is made already."""
        self._problems[problem] = None
        if len(self) >= MOST:
            self.give_up(problem.path, f"the model has {MOST} problems; the rest is not looked at")

    def give_up(self, path: Path, what: str) -> NoReturn:
        """Stop at something that makes it useless to go on."""
        raise ConfigError([*self._problems, Problem(path, what)])

    def finish(self) -> None:
        """Raise a ConfigError if anything is wrong."""
        if self._problems:
            raise ConfigError(self._problems)


def show(value: Any) -> str:
    """A value as it is quoted in an error: short, however large it is.

    Example:
        >>> show([{"dense": "$units"}, True]), show(None)
        ("[{'dense': '$units'}, True]", 'nothing')
    """
    if value is None or isinstance(value, bool):
        return {None: "nothing", True: "true", False: "false"}[value]
    short = reprlib.Repr()
    short.maxstring, short.maxother, short.maxlong, short.maxlevel = 60, 60, 30, 3
    return short.repr(value)
