"""What a trainer tells to whoever shows its progress, and the one who shows nothing."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from dltrain.tasks import Tally
    from dltrain.training.triggers import Now


class Progress(Protocol):
    """A listener of a training run.  It draws no random number and changes nothing.

    `step` is called only when `next_poll` seconds of training are over, so that a step without news
    costs one comparison; whoever wants to be called again sets `next_poll` anew.
    """

    next_poll: float

    def start(
        self,
        total_epochs: int | None,
        total_steps: int | None,
        steps_per_epoch: int,
        metric_names: list[str],
        total_seconds: float | None = None,
    ) -> None:
        """The training begins, or goes on after a resume.

        Parameters:
            total_epochs: passes over the data until the end, where it is known
            total_steps: optimizer steps until the end, where it is known
            steps_per_epoch: optimizer steps of one pass
            metric_names: what is measured, the loss first
            total_seconds: training time until the end, where it is limited
        """

    def step(self, now: Now, tally: Tally, learning_rate: float) -> None:
        """Where the training stands between two evaluations.

        Parameters:
            now: finished epochs and steps, and the seconds
            tally: loss and metrics of the epoch so far
            learning_rate: of the last step
        """

    def evaluated(self, record: dict[str, Any], seconds: float) -> None:
        """New metrics: a record of the metric log.

        Parameters:
            record: epoch, step, learning_rate, and metrics of the parts train and validation
            seconds: of training so far
        """

    def message(self, text: str) -> None:
        """One line for the user."""

    def finish(self, summary: dict[str, Any]) -> None:
        """The training is over.

        Parameters:
            summary: what `dltrain.fit` returns
        """


class SilentProgress:
    """Shows nothing, and is never polled."""

    next_poll = math.inf

    def start(
        self,
        total_epochs: int | None,
        total_steps: int | None,
        steps_per_epoch: int,
        metric_names: list[str],
        total_seconds: float | None = None,
    ) -> None:
        """Nothing."""

    def step(self, now: Now, tally: Tally, learning_rate: float) -> None:
        """Nothing."""

    def evaluated(self, record: dict[str, Any], seconds: float) -> None:
        """Nothing."""

    def message(self, text: str) -> None:
        """Nothing."""

    def finish(self, summary: dict[str, Any]) -> None:
        """Nothing."""
