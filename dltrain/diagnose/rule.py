"""What a rule is, and what it says."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from dltrain.registry import Entry, add

if TYPE_CHECKING:
    from dltrain.diagnose.checkup import Checkup

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


Examine = Callable[["Checkup"], Iterator[Verdict]]


def rule(name: str) -> Callable[[Examine], Examine]:
    """Function decorator: make a rule known by its name, which is its id in waivers and in JSON."""

    def decorate(function: Examine) -> Examine:
        add(Entry("rule", name, function, (), inspect.getdoc(function) or ""))
        return function

    return decorate
