"""The range test of the learning rate: it rises from step to step until the loss does too.

Source: Smith: Cyclical learning rates for training neural networks, 2017.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from dltrain.errors import NumericsError
from dltrain.training.trainer import flushed

if TYPE_CHECKING:
    from dltrain.training.trainer import Trainer

LOW, HIGH, STEPS = 1e-6, 10.0, 150
SMOOTH = 0.9  # decay of the average of the losses
RISEN = 4.0  # times the best loss, at which the test ends
FALLEN = 0.02  # share of the first loss by which the best one must be lower
BELOW = 10.0  # how far below the rate of the best loss the suggested one lies


@dataclass(frozen=True)
class Ramp:
    """What a range test has seen.

    Parameters:
        rates: of the steps, rising
        losses: of their batches
        smooth: their average, which weighs the last steps most
        ended: why it ended
    """

    rates: list[float]
    losses: list[float]
    smooth: list[float]
    ended: str

    def suggestion(self) -> tuple[float, str]:
        """A rate to train with, two significant digits, and why it is this one.

        Raises:
            NumericsError: when the loss fell at no rate, or was no number from the first step on.
        """
        if not self.smooth:
            hint = "look at inputs and initial weights: `dltrain doctor CONFIG` tells more"
            what = "the loss is not finite at the first step"
            raise NumericsError(what, expected="a finite loss", got=self.ended, hint=hint)
        best = int(np.argmin(self.smooth))
        first = self.smooth[min(len(self.smooth) // 10, best)]
        if self.smooth[best] > first * (1 - FALLEN) if first > 0 else self.smooth[best] >= first:
            expected, hint = (
                "a loss that falls",
                "look at data, loss and initial weights, or try other --low and --high",
            )
            raise NumericsError("the loss falls at no learning rate", expected=expected, got=self.ended, hint=hint)
        rate = float(f"{self.rates[best] / BELOW:.1e}")
        reason = f"a tenth of {self.rates[best]:.2g}, at which the average of the loss was lowest; {self.ended}"
        return rate, reason


def ramp(trainer: Trainer, low: float = LOW, high: float = HIGH, steps: int = STEPS) -> Ramp:
    """Train while the learning rate rises from `low` to `high`, evenly on a logarithmic scale; then undo it all.

    Weights, statistics, optimizer, average and position are afterwards what they were before, byte for byte.

    Parameters:
        trainer: at any step
        low: the first rate
        high: the last one
        steps: how many, unless the loss rises to four times its best or leaves the finite numbers
    """
    arrays, meta = trainer.state()
    before = {name: np.array(value) for name, value in arrays.items()}, meta
    optimizer, given = trainer.optimizer, trainer.optimizer.learning_rate
    rates: list[float] = []
    losses: list[float] = []
    smooth: list[float] = []
    average, ended = 0.0, f"it did not rise up to {high:g}"
    try:
        with np.errstate(all="ignore"), flushed(trainer.kernels):
            for step in range(steps):
                optimizer.learning_rate = low * (high / low) ** (step / max(steps - 1, 1))
                trainer.tally.reset()
                try:
                    trainer.train_step()
                except NumericsError:
                    ended = f"it left the finite numbers at {optimizer.learning_rate:.2g}"
                    break
                if trainer.index == trainer.loader.steps_per_epoch:
                    trainer.epoch, trainer.index = trainer.epoch + 1, 0
                loss = trainer.tally.results()["loss"]
                average = SMOOTH * average + (1 - SMOOTH) * loss
                rates.append(optimizer.learning_rate)
                losses.append(loss)
                smooth.append(average / (1 - SMOOTH ** (step + 1)))
                if not math.isfinite(loss) or smooth[-1] > RISEN * abs(min(smooth)) > 0:
                    ended = f"it rose to four times that at {rates[-1]:.2g}"
                    break
    finally:
        optimizer.learning_rate = given
        trainer.load_state(*before)
        trainer.saved = -1
    return Ramp(rates, losses, smooth, ended)


def rate_path(optimizer: Any) -> tuple[str, ...] | None:
    """Where the learning rate of a resolved optimizer stands, that of its schedule where it has one.

    None where a schedule has no single rate.

    Example:
        >>> rate_path({"adam": {"learning_rate": {"cosine": {"learning_rate": 0.1}}}})
        ('optimizer', 'adam', 'learning_rate', 'cosine', 'learning_rate')
    """
    ((name, arguments),) = optimizer.items()
    path, value = ("optimizer", name, "learning_rate"), arguments.get("learning_rate")
    if isinstance(value, dict):
        ((schedule, inside),) = value.items()
        return (*path, schedule, "learning_rate") if "learning_rate" in (inside or {}) else None
    return path
