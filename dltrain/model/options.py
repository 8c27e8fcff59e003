"""What stands behind the name of a layer or a block: arguments, `with` and `repeat`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from dltrain.model.plan import Path, Written
from dltrain.model.report import Report, show
from dltrain.model.variables import Scope, exceeds
from dltrain.registry import Entry, unknown_argument
from dltrain.suggest import hint

MAX_VALUES = 1_000  # in one argument: values that are handed from block to block could double at each step
MAX_LEVELS = 64
# Parameters that the notation adds to layers: (what they mean, an example).
WORDS = {
    "with": (
        "further wires of a layer that takes several, after the value of the chain; {name: wire} says what each is",
        "graph: {a: [dense: 8], y: [from: x, dense: 8, add: {with: a}]}",
    ),
    "repeat": (
        "how many copies of a layer or block stand one behind the other, each with weights of its own",
        "graph: {y: [dense: {units: 8, repeat: 3}]}",
    ),
}


class Options(NamedTuple):
    """Arguments by name, the ends of the wires in `with` by what they are, and how many copies are wanted."""

    values: dict[str, Written]
    wires: dict[str, str]
    repeat: int


class Wires:
    """The wires that are known so far, and the path at which each ends.

    Parameters:
        inputs: the model's inputs
        graph: names of all wires, known and to come
        report: where a wrong name is noted
    """

    def __init__(self, inputs: Sequence[str], graph: Iterable[str], report: Report) -> None:
        self.inputs, self.graph, self.report = tuple(inputs), set(graph), report
        self.ends = {name: name for name in inputs}

    def name(self, written: Written | None, word: str) -> str | None:
        """The name of a wire that stands above; None where there is none of that name.

        Parameters:
            written: the name as it is written
            word: the word of the notation that takes it, for the error
        """
        if written is None:
            return None
        name, place = written
        known = ", ".join(self.ends)
        if not isinstance(name, str):
            self.report.add(place, f"`{word}` takes the name of a wire", known, show(name))
        elif name in self.ends:
            return name
        elif name in self.graph:
            self.report.add(place, f"wire {name!r} is not there yet: a chain may use the wires above it", known)
        else:
            self.report.add(place, f"there is no wire {name!r}", known, hint=hint(name, self.ends))
        return None

    def further(self, value: Any, place: Path, scope: Scope, known: Sequence[str]) -> dict[str, str] | None:
        """The ends of `with: wire`, `with: [wire, wire]` or `with: {name: wire}`; None where a name is wrong.

        Parameters:
            value: what is written
            place: where
            scope: what $names stand for
            known: what the layer calls its further wires, in the order of a list; others are called by their number
        """
        written = scope.look(value, place)
        if written is None:
            return None
        value, place = written
        if isinstance(value, Mapping) and value:
            wrong = next((key for key in value if key not in known), None)
            if wrong is not None:
                what, expected = "the layer takes no such wire", ", ".join(known) or "`with: wire`"
                self.report.add((*place, wrong), what, expected, show(wrong), hint(wrong, known), key=True)
                return None
            names = {key: scope.look(value[key], (*place, key)) for key in known if key in value}
        elif isinstance(value, (list, tuple)) and value:
            called = [*known, *map(str, range(len(known), len(value)))]
            names = {called[i]: scope.look(wire, (*place, i)) for i, wire in enumerate(value)}
        else:
            names = {[*known, "0"][0]: written}
        found = {key: self.name(name, "with") for key, name in names.items()}
        return None if None in found.values() else {key: self.ends[name] for key, name in found.items() if name}


def read_options(
    value: Written, names: Sequence[str], scope: Scope, wires: Wires, owner: Entry | str
) -> Options | None:
    """Read what stands behind a name; None where it is wrong, which is then reported.

    Parameters:
        value: one value for the first parameter, or a map of parameters, `with` and `repeat`
        names: the parameters that there are
        scope: what $names stand for
        wires: the wires that `with` may name
        owner: the layer's entry, or the block's name
    """
    report, name = wires.report, owner if isinstance(owner, str) else owner.name
    seen = scope.look(*value)
    if seen is None or seen.value is None:
        return None if seen is None else Options({}, {}, 1)
    given, place = seen
    if not isinstance(given, Mapping):
        if not names:
            report.add(place, f"{name} takes no parameters", f"`{name}`", show(given))
            return None
        first = filled(given, place, scope, report)
        return None if first is None else Options({names[0]: first}, {}, 1)
    values: dict[str, Written | None] = {}
    further, repeat = {}, 1  # type: dict[str, str] | None, int | None
    known = () if isinstance(owner, str) else getattr(owner.make, "further", ())
    for key, inner in given.items():
        at = (*place, key)
        if key == "with":
            further = wires.further(inner, at, scope, known)
        elif key == "repeat":
            repeat = times(inner, at, scope, report)
        elif key in names:
            values[key] = filled(inner, at, scope, report)
        else:
            values[key] = None
            report_parameter(key, at, names, owner, report)
    found = {key: written for key, written in values.items() if written is not None}
    return None if len(found) < len(values) or further is None or repeat is None else Options(found, further, repeat)


def filled(value: Any, place: Path, scope: Scope, report: Report) -> Written | None:
    """A value with its $names replaced."""
    written = scope.fill(value, place)
    if written is not None and exceeds(written.value, MAX_VALUES, MAX_LEVELS):
        report.add(place, "this value is too large", f"at most {MAX_VALUES} parts and {MAX_LEVELS} levels")
        return None
    return written


def times(value: Any, place: Path, scope: Scope, report: Report) -> int | None:
    """`repeat: n`."""
    written = scope.look(value, place)
    if written is None:
        return None
    count = written.value
    if isinstance(count, int) and not isinstance(count, bool) and count >= 1:
        return count
    report.add(written.place, "`repeat` says how many copies follow each other", "a whole number ≥ 1", show(count))
    return None


def report_parameter(key: Any, place: Path, names: Sequence[str], owner: Entry | str, report: Report) -> None:
    """Report a parameter that a layer or a block does not have."""
    if isinstance(owner, Entry):
        report.take(unknown_argument(owner, key, place))
        return
    expected = ", ".join(names) or "no parameters"
    advice = hint(key, names, "a block's parameters are the $names in its chain")
    report.add(place, f"block {owner!r} has no parameter {str(key)!r}", expected, hint=advice, key=True)
