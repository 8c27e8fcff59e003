"""What a rule is, and what it says."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from dltrain.registry import Entry, add

if TYPE_CHECKING:
    from dltrain.data import DataSet
    from dltrain.diagnose.checkup import Checkup
    from dltrain.diagnose.course import Course

Severity = Literal["fault", "doubt", "fine", "skipped"]


@dataclass(frozen=True)
class Verdict:
    """What a rule says of an experiment.

    Parameters:
        severity: fault (this will not work), doubt (the field advises against it), fine, or skipped
        what: what was found, with its numbers
        advice: what to do, with the config keys to try
        where: the layer, wire or key of the config it is about
        evidence: the numbers by name
    """

    severity: Severity
    what: str
    advice: str = ""
    where: str = ""
    evidence: dict[str, Any] = field(default_factory=dict)


Subject = TypeVar("Subject")
Examine = Callable[[Subject], Iterator[Verdict]]


def rule(name: str) -> Callable[[Examine[Checkup]], Examine[Checkup]]:
    """Function decorator: a rule on experiments before their training; its name is its id in waivers and in JSON."""
    return known("rule", name)


def diagnosis(name: str) -> Callable[[Examine[Course]], Examine[Course]]:
    """Function decorator: a diagnosis of runs that are over."""
    return known("diagnosis", name)


def lint(name: str) -> Callable[[Examine[DataSet]], Examine[DataSet]]:
    """Function decorator: a rule on data alone."""
    return known("lint", name)


def known(kind: str, name: str) -> Callable[[Examine[Subject]], Examine[Subject]]:
    """Function decorator: register what gives verdicts."""

    def decorate(function: Examine[Subject]) -> Examine[Subject]:
        add(Entry(kind, name, function, (), inspect.getdoc(function) or ""))
        return function

    return decorate
