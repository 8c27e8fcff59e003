"""How long a run trains."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """How long to train: whichever limit is met first.

    Parameters:
        epochs: passes over the training examples
        steps: optimizer steps
        seconds: of the whole run
    """

    epochs: int | None
    steps: int | None
    seconds: float | None

    def met(self, epoch: int, step: int, seconds: float) -> str | None:
        """The name of the limit that is met; None while there is none.

        Example:
            >>> Limits(epochs=3, steps=None, seconds=60.0).met(2, 900, 61.0)
            'time'
        """
        for name, limit, reached in (
            ("epochs", self.epochs, epoch),
            ("steps", self.steps, step),
            ("time", self.seconds, seconds),
        ):
            if limit is not None and reached >= limit:
                return name
        return None

    def total_steps(self, per_epoch: int) -> int | None:
        """Steps until the limit in epochs or steps; None when time alone limits the run.

        Parameters:
            per_epoch: steps of an epoch
        """
        totals = [self.steps, None if self.epochs is None else self.epochs * per_epoch]
        return min((total for total in totals if total is not None), default=None)
