"""What makes one state of a run better than another: a metric to optimize, and bounds that others must keep."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from dltrain.registry import entries, titles

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


@dataclass(frozen=True)
class Goal:
    """What says which state of a run is the best: of those that keep the bounds, or miss them least, the best metric.

    Parameters:
        metric: as `validation.loss`
        higher: whether a larger value is the better one
        bounds: {part.metric: bound}
    """

    metric: str
    higher: bool
    bounds: Mapping[str, Limit] = field(default_factory=dict)

    def violation(self, record: Mapping[str, Any]) -> float:
        """By how much a record misses the bounds; 0 where it keeps them, or there are none."""
        return violation(self.bounds, record)

    def best(self, record: Mapping[str, Any], before: Mapping[str, Any] | None) -> dict[str, Any] | None:
        """A record as the best so far, or None where it is not.

        Parameters:
            record: {epoch, step, part: {metric: value}}
            before: the best until now

        Example:
            >>> goal = Goal("validation.loss", higher=False)
            >>> best = goal.best({"epoch": 1, "step": 9, "validation": {"loss": 0.5}}, None)
            >>> best["value"], goal.best({"epoch": 2, "step": 18, "validation": {"loss": 0.6}}, best)
            (0.5, None)
        """
        value, missed = lookup(record, self.metric), self.violation(record)
        if value is None:
            return None
        if before is not None:
            best = before.get("violation", 0.0), before["value"]
            if not ahead((missed, value), best, self.higher):
                return None
        found = {"epoch": record["epoch"], "step": record["step"], "metric": self.metric, "value": value}
        return found | ({"satisfied": missed == 0, "violation": missed} if self.bounds else {})


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


def lookup(record: Mapping[str, Any], metric: str) -> float | None:
    """The value of `part.name` in a record; None where it is absent or not a number.

    Example:
        >>> lookup({"validation": {"loss": 0.5}}, "validation.loss")
        0.5
    """
    part, _, name = metric.partition(".")
    value = record.get(part, {}).get(name)
    return None if value is None or value != value else float(value)


def better(value: float, best: float, higher: bool, margin: float = 0.0) -> bool:
    """Whether a value beats the best by more than a margin."""
    return value > best + margin if higher else value < best - margin


def ahead(now: tuple[float, float], best: tuple[float, Any], higher: bool, margin: float = 0.0) -> bool:
    """Whether (violation of the bounds, value) beats the best: it keeps them better, or as well with a better value.

    Example:
        >>> ahead((0.0, 0.5), (0.2, 0.9), higher=True), ahead((0.0, 0.5), (0.0, 0.9), higher=True)
        (True, False)
    """
    return now[0] < best[0] or (now[0] == best[0] and better(now[1], best[1], higher, margin))


def merit(violation: float, value: float | None, higher: bool) -> tuple[float, float]:
    """What sorts results, the best first; one without a value is the last.

    Example:
        >>> merit(0.0, 0.9, higher=True) < merit(0.0, 0.8, higher=True) < merit(0.5, 0.99, higher=True)
        True
    """
    if value is None:
        return math.inf, math.inf
    return violation, -value if higher else value


def higher_is_better(metric: str) -> bool | None:
    """Whether a larger value of a metric is the better one; None for a metric that nobody knows.

    Parameters:
        metric: as in a log, with its part: `validation.accuracy`, `test.top_k_accuracy_5`, `validation.head.f1`

    Example:
        >>> [higher_is_better(f"validation.{name}") for name in ("loss", "top_k_accuracy_5", "luck")]
        [False, True, None]
    """
    title = metric.rpartition(".")[2]
    known = [entry for name, entry in entries("metric").items() if title == name or title.startswith(f"{name}_")]
    return bool(max(known, key=lambda entry: len(entry.name)).make.higher_is_better) if known else None  # type: ignore[attr-defined]


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
    named = titles(specs, "metric")
    return specs + [n for n in dict.fromkeys((metrics["optimize"], *metrics["satisfy"])) if n not in ("loss", *named)]
