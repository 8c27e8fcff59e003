"""Where training stands: all that a schedule may know."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

from dltrain.errors import UsageError

Per = Literal["epoch", "step"]


class Moment(NamedTuple):
    """Where training stands.

    Parameters:
        step: optimizer steps that are finished
        steps_per_epoch: batches in one pass over the training data
        total_steps: steps of the whole run; None when only a time budget limits it
        seen: what the evaluations have shown so far, for schedules that watch a metric; the optimizer fills it in

    Example:
        >>> Moment(step=25, steps_per_epoch=10, total_steps=100).epoch
        2
    """

    step: int
    steps_per_epoch: int
    total_steps: int | None
    seen: Any = None

    @property
    def epoch(self) -> int:
        """Epochs that are finished."""
        return self.step // self.steps_per_epoch

    def count(self, per: Per) -> int:
        """Finished epochs or finished steps."""
        return self.epoch if per == "epoch" else self.step

    def total(self, name: str, length: int | None, per: Per) -> float:
        """How many epochs or steps a schedule takes: its length, else the whole run.

        Parameters:
            name: of the schedule, for the error
            length: as given in the config
            per: what is counted

        Raises:
            UsageError: when length is None and the run has no known number of steps.
        """
        if length is not None:
            return length
        if self.total_steps is None:
            what = f"the run's number of steps is not known, so the {name} schedule cannot end with it"
            raise UsageError(what, where=f"schedule {name}", hint="give `length`, or train by epochs or steps")
        return max(self.total_steps / (self.steps_per_epoch if per == "epoch" else 1), 1)


Schedule = Callable[[Moment], float]
