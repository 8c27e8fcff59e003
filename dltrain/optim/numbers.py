"""The numbers of an optimizer: constant, or changed by a schedule from step to step."""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import replace
from numbers import Real
from typing import Any

from dltrain.errors import ConfigError, UsageError
from dltrain.optim.moment import Moment, Schedule
from dltrain.optim.schedules import schedule_of

Path = tuple[str | int, ...]
Value = float | Callable[[Moment], float]

LIMITS = {  # attribute of a mark on a type -> what must hold, in words
    "ge": (operator.ge, "at least"),
    "gt": (operator.gt, "above"),
    "le": (operator.le, "at most"),
    "lt": (operator.lt, "below"),
}


class Number:
    """A scheduled number that knows its name, and the range that its schedule may not leave.

    Parameters:
        name: as in a config, `momentum`
        schedule: its value as a function of the moment
        marks: the marks of its type, `Ge(0)` …

    Raises:
        UsageError: at the step at which the schedule leaves the range.

    Example:
        >>> from dltrain.types import ScheduledRate
        >>> rise = {"polynomial": {"learning_rate": 0.5, "floor": 0.9, "length": 10}}
        >>> momentum = number("momentum", rise, ScheduledRate)
        >>> momentum(Moment(5, 10, None))
        0.7
    """

    def __init__(self, name: str, schedule: Schedule, marks: tuple[Any, ...] = ()) -> None:
        self.name, self.schedule = name, schedule
        self.observer = getattr(schedule, "observer", None)
        self._limits = [
            (holds, f"{words} {limit}", limit)
            for mark in marks
            for attribute, (holds, words) in LIMITS.items()
            if (limit := getattr(mark, attribute, None)) is not None
        ]

    def __call__(self, moment: Moment) -> float:
        """The value for the step at this moment."""
        if self.observer is not None:
            moment = moment._replace(seen=moment.seen.get(self.name) if moment.seen else None)
        value = self.schedule(moment)
        for holds, expected, limit in self._limits:
            if not holds(value, limit):
                what, where = f"the schedule of {self.name} leaves its range", f"step {moment.step}"
                raise UsageError(what, where=where, expected=expected, got=f"{value:g}", hint="change its numbers")
        return value


def number(name: str, spec: Any, annotation: Any = None, path: Path = ()) -> Value:
    """What a config gives for a number: a plain one stays as it is, a schedule becomes a Number.

    Parameters:
        name: of the parameter
        spec: a number or a schedule
        annotation: its type, which refers to the schedules and holds the range of plain numbers
        path: where it stands in a config

    Raises:
        ConfigError: when the schedule's own parameters do not fit together.
    """
    if isinstance(spec, (Real, Number)):
        return spec if isinstance(spec, Number) else float(spec)
    literal = next((mark.literal for mark in getattr(annotation, "__metadata__", ())), None)
    try:
        return Number(name, schedule_of(spec), getattr(literal, "__metadata__", ()))
    except ConfigError as error:
        raise ConfigError([replace(problem, path=(*path, *problem.path)) for problem in error.problems]) from None


def at(value: Value, moment: Moment) -> float:
    """The value of a number at a moment."""
    return value(moment) if callable(value) else value
