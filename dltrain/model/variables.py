"""The $names of a model: values that are given once and used in many places.  Nothing is calculated."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from dltrain.model.plan import Path, Written
from dltrain.model.report import Report, show
from dltrain.registry import REQUIRED
from dltrain.suggest import hint

REFERENCE = re.compile(r"\$([A-Za-z_][A-Za-z0-9_]*)(?:=([^$].*))?")
LONGEST = 400  # digits of a number; Python refuses to read far longer ones
INT = re.compile(r"[-+]?[0-9]+")
FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
WORDS = {
    word: value
    for text, value in (("true", True), ("false", False), ("null", None), ("~", None))
    for word in (text, text.capitalize(), text.upper())
}
SPECIAL = re.compile(r"([-+]?)\.(inf|Inf|INF|nan|NaN|NAN)")


def scalar(text: str) -> Any:
    """The value of a text by the rules of YAML 1.2: a number, true, false, null, or the text itself.

    Example:
        >>> scalar("3"), scalar("1e-3"), scalar("true"), scalar("010"), scalar("no")
        (3, 0.001, True, 10, 'no')
    """
    if text in WORDS:
        return WORDS[text]
    if special := SPECIAL.fullmatch(text):
        return float(special[1] + special[2])
    if len(text) > LONGEST or not FLOAT.fullmatch(text):
        return text
    return int(text) if INT.fullmatch(text) else float(text)


def is_reference(value: Any) -> bool:
    """Whether a value is meant to be a $name."""
    return isinstance(value, str) and value.startswith("$")


def parameters(tree: Any, place: Path, report: Report) -> dict[str, Any]:
    """The $names of a tree in order of appearance, each with its default, or REQUIRED; what is wrong is reported.

    Example:
        >>> parameters([{"dense": "$units"}, {"dropout": "$rate=0.5"}], (), Report())["rate"]
        0.5
    """
    found: dict[str, Any] = {}
    for text, at in references(tree, place):
        match = REFERENCE.fullmatch(text)
        if match is None:
            advice = "nothing is calculated: give the value a name of its own in `vars`"
            report.add(at, "this is not a $name", "`$name` or `$name=default`", show(text), advice)
            continue
        name, default = match[1], REQUIRED if match[2] is None else scalar(match[2])
        if default is REQUIRED or found.get(name, REQUIRED) is REQUIRED:
            found[name] = found.get(name, REQUIRED) if default is REQUIRED else default
        elif repr(found[name]) != repr(default):
            what = f"${name} has two defaults"
            report.add(at, what, show(found[name]), show(default), "give the default once")
    return found


def references(tree: Any, place: Path) -> Iterable[tuple[str, Path]]:
    """Every text that begins with $, with its place."""
    if is_reference(tree):
        yield tree, place
    elif isinstance(tree, Mapping):
        for key, value in tree.items():
            yield from references(value, (*place, key))
    elif isinstance(tree, (list, tuple)):
        for index, value in enumerate(tree):
            yield from references(value, (*place, index))


class Variables:
    """The names that hold in the whole model.

    Parameters:
        own: the model's `vars`
        injected: names that the task and the data give, such as `classes`; the model's own come first
        place: config path of `vars`
    """

    def __init__(self, own: Mapping[str, Any], injected: Mapping[str, Any], place: Path) -> None:
        self.own, self.injected, self.place = own, injected, place
        self.used: set[str] = set()

    def find(self, name: str, at: Path) -> Written | None:
        """The value of a name and where it is written."""
        if name in self.own:
            self.used.add(name)
            return Written(self.own[name], (*self.place, name))
        return Written(self.injected[name], at) if name in self.injected else None


class Scope:
    """What the $names of one piece of the model stand for: the values given to a block, variables, then defaults.

    Parameters:
        variables: the names that hold in the whole model
        defaults: the $names of this piece, as from `parameters`
        given: what a use of a block gives them
        report: where a name that stands for nothing is noted
    """

    def __init__(
        self,
        variables: Variables,
        defaults: Mapping[str, Any],
        given: Mapping[str, Written],
        report: Report,
    ) -> None:
        self.variables, self.defaults, self.given, self.report = variables, defaults, given, report

    def find(self, name: str, at: Path) -> Written | None:
        """The value of a name, or None."""
        found = self.given.get(name) or self.variables.find(name, at)
        default = self.defaults.get(name, REQUIRED)
        return Written(default, at) if found is None and default is not REQUIRED else found

    def look(self, value: Any, place: Path) -> Written | None:
        """The value itself, or what it stands for where it is a $name; None where that is an error."""
        if not is_reference(value):
            return Written(value, place)
        match = REFERENCE.fullmatch(value)
        if match is None:
            return None  # reported when the parameters were collected
        found = self.find(match[1], place)
        if found is None:
            known = [*self.variables.own, *self.variables.injected]
            advice = hint(match[1], known, f"give it a value: `vars: {{{match[1]}: …}}`")
            self.report.add(place, f"there is no variable {match[1]!r}", ", ".join(known), hint=advice)
        return found

    def fill(self, value: Any, place: Path) -> Written | None:
        """The value with all $names inside it replaced."""
        if is_reference(value):
            return self.look(value, place)
        parts: dict[Any, Written | None]
        if isinstance(value, Mapping):
            parts = {key: self.fill(inner, (*place, key)) for key, inner in value.items()}
        elif isinstance(value, (list, tuple)):
            parts = {index: self.fill(inner, (*place, index)) for index, inner in enumerate(value)}
        else:
            return Written(value, place)
        filled = {key: part.value for key, part in parts.items() if part is not None}
        if len(filled) < len(parts):
            return None
        return Written(filled if isinstance(value, Mapping) else list(filled.values()), place)


def exceeds(tree: Any, values: int, levels: int) -> bool:
    """Whether a tree has more values or levels than this; trees that contain themselves have.

    Example:
        >>> exceeds([1, [2]], values=4, levels=3), exceeds([1, [2]], values=4, levels=2)
        (False, True)
    """
    count, waiting = 0, [(tree, 1)]
    while waiting:
        value, level = waiting.pop()
        count += 1
        if count > values or level > levels:
            return True
        inner = value.values() if isinstance(value, Mapping) else value if isinstance(value, (list, tuple)) else ()
        waiting.extend((child, level + 1) for child in inner)
    return False
