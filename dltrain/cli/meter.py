"""How fast a training goes, and how long it will take."""

from __future__ import annotations

import math

WINDOW = 10.0  # seconds after which a speed has lost most of its weight


class Meter:
    """Speed and remaining time, from the few moments at which it is told how far the training is."""

    def __init__(self) -> None:
        self.total_epochs: int | None = None
        self.total_steps: int | None = None
        self.total_seconds: float | None = None
        self.steps_per_epoch = 1
        self.samples_per_step = 0.0
        self.started = False
        self.step, self.seconds = 0, 0.0
        self.recent = 0.0, 0.0  # steps and seconds, the older the smaller their weight
        self.first = 0.0, 0.0  # those before the first evaluation, which compiles: told until there are others
        self.evaluated = False

    def start(self, epochs: int | None, steps: int | None, steps_per_epoch: int, seconds: float | None) -> None:
        """Take in the limits of the training."""
        self.total_epochs, self.total_steps, self.total_seconds = epochs, steps, seconds
        self.steps_per_epoch = steps_per_epoch

    def at(self, step: int, seconds: float) -> None:
        """The training is here."""
        passed, elapsed = step - self.step, seconds - self.seconds
        if self.started and elapsed > 0:  # not the first step, which compiles
            weight = math.exp(-elapsed / WINDOW)
            self.recent = self.recent[0] * weight + passed, self.recent[1] * weight + elapsed
        self.started, self.step, self.seconds = True, step, seconds

    def evaluation(self, step: int, seconds: float) -> None:
        """The training is here, and has been evaluated."""
        if self.evaluated or not self.recent[1]:
            self.at(step, seconds)
        if not self.evaluated:
            self.first, self.recent, self.evaluated = self.recent, (0.0, 0.0), True
            self.started, self.step, self.seconds = True, step, seconds

    def count(self, step: int, samples: int) -> None:
        """So many samples of the epoch have been seen."""
        self.samples_per_step = samples / ((step - 1) % self.steps_per_epoch + 1)

    @property
    def steps_per_second(self) -> float | None:
        """Of the last seconds, evaluations included, compiling excluded; None until it is known."""
        steps, seconds = self.recent if self.recent[0] else self.first
        return steps / seconds if seconds else None

    @property
    def samples_per_second(self) -> float | None:
        """None until it is known."""
        speed = self.steps_per_second
        return speed * self.samples_per_step if speed and self.samples_per_step else None

    @property
    def left(self) -> float | None:
        """Seconds until the first of the limits, None where that is not known."""
        speed = self.steps_per_second
        times = []
        if self.total_steps is not None and speed:
            times.append(max(self.total_steps - self.step, 0) / speed)
        if self.total_seconds is not None:
            times.append(max(self.total_seconds - self.seconds, 0))
        return min(times, default=None)

    @property
    def share(self) -> float:
        """How much of the training is done, 0 to 1."""
        shares = [self.step / self.total_steps if self.total_steps else 0.0]
        shares.append(self.seconds / self.total_seconds if self.total_seconds else 0.0)
        return min(1.0, max(shares))

    def epoch(self, epoch: int) -> str:
        """`3/30`, or `3` where the end is not known."""
        return f"{epoch}/{self.total_epochs}" if self.total_epochs else str(epoch)
