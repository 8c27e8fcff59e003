"""Axes of figures: from data to positions, with ticks at round numbers."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

DECADE = (1, 2, 5)  # round numbers of a decade
LARGEST = 1e300  # magnitude up to which a difference of two numbers is finite


@dataclass(frozen=True)
class Scale:
    """A linear or logarithmic axis.

    Parameters:
        low: smallest value that is shown
        high: largest one
        log: whether it is logarithmic
        step: from tick to tick on a linear one, whose ends are multiples of it

    Example:
        >>> scale = Scale.of([0.3, 9.4])
        >>> scale.low, scale.high, scale.ticks()
        (0.0, 10.0, [0.0, 2.0, 4.0, 6.0, 8.0, 10.0])
        >>> Scale.of([0.02, 30], log=True).share(1.0)
        0.5
    """

    low: float
    high: float
    log: bool = False
    step: float = 0.2

    @staticmethod
    def of(values: Iterable[float], log: bool = False) -> Scale:
        """The axis that shows all finite values (on a logarithmic one: those above 0), with round ends."""
        shown = [float(v) for v in values if drawable(v, log)]
        if not shown:
            return Scale(1.0, 10.0, True) if log else Scale(0.0, 1.0)
        low, high = min(shown), max(shown)
        if log:
            low, high = 10.0 ** math.floor(math.log10(low)), 10.0 ** math.ceil(math.log10(high))
            return Scale(low, high if high > low else low * 10, True)
        if low == high:
            low, high = low - (abs(low) / 2 or 0.5), high + (abs(high) / 2 or 0.5)
        step = round_step((high - low) / 5)
        return Scale(math.floor(low / step + 1e-9) * step, math.ceil(high / step - 1e-9) * step, False, step)

    def share(self, value: float) -> float:
        """Where a value stands between the ends, 0 to 1."""
        if self.log:
            return math.log(value / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)

    def shows(self, value: float) -> bool:
        """Whether a value has a place: it is finite, and above 0 on a logarithmic axis."""
        return drawable(value, self.log)

    def ticks(self) -> list[float]:
        """Round values from end to end."""
        if not self.log:
            first, last = round(self.low / self.step), round(self.high / self.step)
            return [round(i * self.step, 12 - _exponent(self.step)) for i in range(first, last + 1)]
        first, last = round(math.log10(self.low)), round(math.log10(self.high))
        if last - first <= 2:
            many = [float(f"{digit}e{power}") for power in range(first, last) for digit in DECADE]
            return [*many, float(f"1e{last}")]
        return [float(f"1e{power}") for power in range(first, last + 1, math.ceil((last - first) / 6))]

    def label(self, tick: float) -> str:
        """A tick in words, with as many digits as the others."""
        if self.log or tick == 0 or not 1e-4 <= max(abs(self.low), abs(self.high)) < 1e6:
            return f"{tick:.6g}"
        return f"{tick:.{max(0, -_exponent(self.step))}f}"


def drawable(value: float, log: bool) -> bool:
    """Whether a value has a place on an axis."""
    return math.isfinite(value) and abs(value) < LARGEST and (not log or value > 0)


def round_step(wanted: float) -> float:
    """The next round number above: 1, 2 or 5 times a power of ten.

    Example:
        >>> round_step(0.3), round_step(7)
        (0.5, 10.0)
    """
    power = _exponent(wanted)
    digit = next((d for d in DECADE if float(f"{d}e{power}") >= wanted * (1 - 1e-9)), 10)
    return float(f"{digit}e{power}")


def _exponent(value: float) -> int:
    return math.floor(math.log10(value) + 1e-9)
