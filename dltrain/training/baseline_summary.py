"""What `dltrain check` says about a baseline."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any


@dataclass(frozen=True)
class BaselineSummary:
    """A baseline and what it will be fitted to.

    Parameters:
        name: its registered name
        samples: of the training part
        shape: of a sample's features
        outputs: classes, or target columns
        seconds: what a fit may take, roughly
    """

    name: str
    samples: int
    shape: tuple[int, ...]
    outputs: int
    seconds: float

    def as_json(self) -> dict[str, Any]:
        """In the form of a network's summary: one layer, without numbers that are trained step by step."""
        layer = {"path": "y", "kind": self.name, "output_shape": [self.outputs], "parameters": 0, "macs": 0}
        return {
            "layers": [layer],
            "parameters": 0,
            "frozen": 0,
            "macs": 0,
            "memory_bytes": self.samples * prod(self.shape) * 8,
        }

    def table(self, width: int = 80) -> Any:
        """Draw it for a terminal.

        Parameters:
            width: columns of the terminal
        """
        from rich import box
        from rich.table import Table

        facts = {
            "baseline": self.name,
            "training samples": f"{self.samples:,}",
            "features": "×".join(map(str, self.shape)),
            "outputs": str(self.outputs),
            "time of a fit": "about " + duration(self.seconds),
        }
        made = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, show_header=False)
        made.width = max(map(len, facts)) + 3 + max(map(len, facts.values()))
        for name, value in facts.items():
            made.add_row(name, value)
        return made


def in_words(name: str, samples: int, seconds: float) -> str:
    """An announcement of a slow fit.

    Example:
        >>> in_words("svm", 48_000, 3000.0)
        'fitting svm to 48,000 samples and measuring it may take about 50 minutes; Ctrl-C stops it'
    """
    return f"fitting {name} to {samples:,} samples and measuring it may take about {duration(seconds)}; Ctrl-C stops it"


def duration(seconds: float) -> str:
    """A rough time in words.

    Example:
        >>> duration(0.2), duration(30), duration(600), duration(9000)
        ('a second', '30 seconds', '10 minutes', '2.5 hours')
    """
    if seconds < 2:
        return "a second"
    if seconds < 120:
        return f"{seconds:.0f} seconds"
    return f"{seconds / 60:.0f} minutes" if seconds < 7200 else f"{seconds / 3600:.2g} hours"
