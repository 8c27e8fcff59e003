"""How often, or how long: `1 epoch`, `500 steps`, `10 minutes`."""

from __future__ import annotations

import re
from dataclasses import dataclass

SECONDS = {"seconds": 1.0, "minutes": 60.0, "hours": 3600.0}
UNITS = ("epochs", "steps", *SECONDS)
FORM = re.compile(r"([0-9]+(?:\.[0-9]+)?|\.[0-9]+) *([a-z]+)")


@dataclass(frozen=True)
class Interval:
    """A count of epochs, of steps, or a time.

    Parameters:
        count: how many; whole for epochs and steps
        unit: epochs, steps, seconds, minutes or hours

    Example:
        >>> Interval.parse("1 epoch")
        Interval(count=1, unit='epochs')
        >>> Interval.parse("1.5 minutes").seconds
        90.0
        >>> str(Interval.parse("1 epochs"))
        '1 epoch'
    """

    count: int | float
    unit: str

    @classmethod
    def parse(cls, text: str | Interval) -> Interval:
        """Read an interval; one that is already read passes through.

        Raises:
            ValueError: when the text is no interval; the message says why.
        """
        if isinstance(text, Interval):
            return text
        match = FORM.fullmatch(text.strip()) if isinstance(text, str) else None
        unit = "" if match is None else match[2] if match[2].endswith("s") else match[2] + "s"
        if match is None or unit not in UNITS:
            raise ValueError("this is not an interval")
        if unit in SECONDS:
            count: int | float = float(match[1])
        elif "." in match[1]:
            raise ValueError(f"{unit} are counted in whole numbers")
        else:
            count = int(match[1])
        if not 0 < count < 1e12:
            raise ValueError("an interval is more than 0, and less than 1e12")
        return cls(int(count) if count == int(count) else count, unit)

    @staticmethod
    def describe() -> str:
        """The form of an interval in words."""
        return "a number and a unit out of epochs, steps, seconds, minutes, hours, such as '1 epoch'"

    @property
    def seconds(self) -> float | None:
        """The time in seconds; None for epochs and steps."""
        return float(self.count) * SECONDS[self.unit] if self.unit in SECONDS else None

    def __str__(self) -> str:
        return f"{self.count} {self.unit.removesuffix('s') if self.count == 1 else self.unit}"
