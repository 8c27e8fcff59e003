"""When something happens: every so many epochs, steps or seconds."""

from __future__ import annotations

from typing import NamedTuple, Protocol


class Now(NamedTuple):
    """Where a run stands after a step.

    Parameters:
        epoch: finished epochs
        step: finished steps
        epoch_end: whether the step was the last of its epoch
        seconds: of training so far, by the monotonic clock
    """

    epoch: int
    step: int
    epoch_end: bool
    seconds: float


class Interval(Protocol):
    """A number of a unit: `2 epochs`, `500 steps`, `10 minutes`."""

    @property
    def count(self) -> float:
        """How many."""

    @property
    def unit(self) -> str:
        """epochs, steps, or a unit of time."""


SECONDS = {"seconds": 1, "minutes": 60, "hours": 3600}


class Every:
    """Due each time an interval has passed.

    Steps and epochs count from the start of the run, so a resumed run does things at the same steps.

    Parameters:
        interval: the interval; None is never due

    Example:
        >>> from types import SimpleNamespace
        >>> every = Every(SimpleNamespace(count=2, unit="epochs"))
        >>> [every.due(Now(epoch, 10 * epoch, True, 0.0)) for epoch in (1, 2, 3, 4)]
        [False, True, False, True]
    """

    def __init__(self, interval: Interval | None) -> None:
        self.count = 0.0 if interval is None else interval.count
        self.unit = "" if interval is None else interval.unit
        self.period = self.count * SECONDS.get(self.unit, 0)
        self.last = 0.0

    def due(self, now: Now) -> bool:
        """Whether it is time."""
        if self.unit == "epochs":
            return now.epoch_end and now.epoch % self.count == 0
        if self.unit == "steps":
            return now.step % self.count == 0
        if self.period and now.seconds - self.last >= self.period:
            self.last = now.seconds
            return True
        return False
