"""What makes one state of a run better than another: a metric to optimize, and bounds that others must keep."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dltrain.tasks import Task

FORM = re.compile(r"(<=|>=|<|>) *(\S+)")
HARDLY = 1e-12  # the violation of a strict bound that is just met
WHOLLY = sys.float_info.max  # the violation of a bound on what was not measured, or is not a number


@dataclass(frozen=True)
class Limit:
    """A bound on a metric.

    Parameters:
        sign: one of <=, >=, <, >
        value: the number
    """

    sign: str
    value: float

    @staticmethod
    def parse(text: str) -> Limit:
        """Read a bound such as `>= 0.9`.

        Example:
            >>> Limit.parse(">= 0.9")
            Limit(sign='>=', value=0.9)
        """
        found = FORM.fullmatch(text)
        assert found is not None  # the config is checked
        return Limit(found[1], float(found[2]))

    def violation(self, measured: float | None) -> float:
        """By how much a value misses the bound, as a share of it; 0 where it keeps it.

        Example:
            >>> Limit(">=", 0.8).violation(0.6).__round__(6), Limit("<=", 0.1).violation(0.1)
            (0.25, 0.0)
        """
        if measured is None or measured != measured:
            return WHOLLY
        missing = measured - self.value if self.sign[0] == "<" else self.value - measured
        if missing > 0:
            return min(max(missing / (abs(self.value) or 1.0), HARDLY), WHOLLY)
        return HARDLY if missing == 0 and len(self.sign) == 1 else 0.0


def violation(limits: Mapping[str, Limit], record: Mapping[str, Any]) -> float:
    """By how much a record misses all bounds together; 0 where it keeps them.

    Parameters:
        limits: {part.metric: bound}
        record: {part: {metric: value}}

    Example:
        >>> limits = {"validation.recall": Limit(">=", 0.8), "validation.precision": Limit(">=", 0.5)}
        >>> round(violation(limits, {"validation": {"recall": 0.6, "precision": 0.4}}), 6)  # 0.25 + 0.2
        0.45
    """
    total = 0.0
    for name, limit in limits.items():
        part, _, metric = name.partition(".")
        total += limit.violation(record.get(part, {}).get(metric))
    return min(total, WHOLLY)


def measured(metrics: Any, task: Task) -> list[Any] | None:
    """Specs of the metrics that a config asks for: its list, or that of its goals with what they name.

    Parameters:
        metrics: as resolved: None, a list, or {optimize, satisfy, measure}
        task: for the metrics that are measured unless told otherwise
    """
    if not isinstance(metrics, Mapping):
        return metrics
    if task.needs == "heads":
        found: list[Any] | None = metrics["measure"]
        return found
    specs = list(task.metrics if metrics["measure"] is None else metrics["measure"])
    named = [spec if isinstance(spec, str) else next(iter(spec)) for spec in specs]
    return specs + [n for n in dict.fromkeys((metrics["optimize"], *metrics["satisfy"])) if n not in ("loss", *named)]
