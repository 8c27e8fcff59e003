"""The closed list of everything a config may name, and the one grammar by which it names it.

A thing is written ``name``, or ``name: value`` (its first parameter), or ``name: {parameters}``.  Its
parameters are exactly its constructor's: names, types, ranges and defaults are read from the
signature, the documentation from the docstring.  Names are looked up here and nowhere else.
"""

from __future__ import annotations

import importlib
import inspect
import types
import typing
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from dltrain.errors import ConfigError, Problem
from dltrain.suggest import hint, listed

REQUIRED: Any = inspect.Parameter.empty

# Importing the module of a kind registers all its entries.
PROVIDERS = {
    "layer": "dltrain.layers",
    "initializer": "dltrain.initializers",
    "baseline": "dltrain.baselines",
    "loss": "dltrain.losses",
    "metric": "dltrain.metrics",
    "regularizer": "dltrain.regularizers",
    "constraint": "dltrain.constraints",
    "optimizer": "dltrain.optim",
    "schedule": "dltrain.optim",
    "source": "dltrain.data",
    "vocabulary": "dltrain.data",
    "split": "dltrain.data",
    "preparation": "dltrain.data",
    "augmentation": "dltrain.data",
    "task": "dltrain.tasks",
    "hook": "dltrain.training.hooks",
    "average": "dltrain.training.averaging",
    "exploration": "dltrain.explore",
    "rule": "dltrain.diagnose",
    "diagnosis": "dltrain.diagnose",
    "lint": "dltrain.diagnose",
    "view": "dltrain.looking",
    "dimension": "dltrain.sweeps",
    "sampler": "dltrain.sweeps",
    "pruner": "dltrain.sweeps",
}


@dataclass(frozen=True)
class Reference:
    """Marks a constructor parameter that names a registered thing: ``Annotated[Any, Reference("initializer")]``.

    Parameters:
        kind: which registry
        literal: plain values that may stand there too (a number where a schedule may stand)
        having: a method that only some of the kind have, and that is needed here
    """

    kind: str
    literal: Any = None
    having: str = ""

    def entries(self) -> dict[str, Entry]:
        """Those that may stand there, by name."""
        known = entries(self.kind)
        return {name: entry for name, entry in known.items() if not self.having or hasattr(entry.make, self.having)}


@dataclass(frozen=True)
class Argument:
    """One parameter of a registered thing.

    Parameters:
        name: as written in a config
        annotation: its type with ranges, as in the constructor
        default: its default, or REQUIRED
        summary: its line of the docstring
    """

    name: str
    annotation: Any
    default: Any = REQUIRED
    summary: str = ""

    @property
    def required(self) -> bool:
        """Whether a config must give it."""
        return self.default is REQUIRED


@dataclass(frozen=True)
class Entry:
    """A registered thing: its name, how to make it, its parameters and its documentation."""

    kind: str
    name: str
    make: Callable[..., Any]
    arguments: tuple[Argument, ...]
    doc: str

    @property
    def summary(self) -> str:
        """First line of the documentation."""
        return self.doc.strip().partition("\n")[0]

    def argument(self, name: str) -> Argument | None:
        """The parameter of this name, or None."""
        return next((a for a in self.arguments if a.name == name), None)


_entries: dict[str, dict[str, Entry]] = {kind: {} for kind in PROVIDERS}


def register(kind: str, name: str) -> Callable[[Any], Any]:
    """Class or function decorator: make a thing known to configs as `name`.

    Raises:
        ValueError: when the kind is unknown, the name is taken or the docstring is missing.
    """

    def decorate(thing: Any) -> Any:
        add(Entry(kind, name, thing, arguments_of(thing), inspect.getdoc(thing) or ""))
        return thing

    return decorate


def add(entry: Entry) -> None:
    """Put an entry into its registry (for tables, whose rows are not classes)."""
    known = _entries[entry.kind]
    if entry.name in known:
        raise ValueError(f"{entry.kind} {entry.name!r} is registered twice")
    if not entry.doc:
        raise ValueError(f"{entry.kind} {entry.name!r} has no docstring")
    known[entry.name] = entry


def arguments_of(thing: Any) -> tuple[Argument, ...]:
    """The parameters of a class' constructor or of a function, with types, defaults and their docstring lines."""
    function = thing.__init__ if inspect.isclass(thing) else thing
    if function is object.__init__:
        return ()
    hints = typing.get_type_hints(function, include_extras=True)
    lines = parameter_lines(inspect.getdoc(thing) or "")
    return tuple(
        Argument(p.name, hints.get(p.name, Any), p.default, lines.get(p.name, ""))
        for p in inspect.signature(function).parameters.values()
        if p.name != "self"
    )


def parameter_lines(doc: str) -> dict[str, str]:
    """The lines of a docstring's ``Parameters:`` section, by name.

    Example:
        >>> parameter_lines("Sum.\\n\\nParameters:\\n    rate: share of\\n        units\\n\\nRaises:\\n    x: y")
        {'rate': 'share of units'}
    """
    found: dict[str, str] = {}
    _, _, section = doc.partition("Parameters:\n")
    name = ""
    for line in section.splitlines():
        if not line.startswith("    "):
            break
        if line.startswith("        ") and name:
            found[name] += " " + line.strip()
        elif ":" in line:
            name, _, text = line.strip().partition(":")
            found[name] = text.strip()
    return found


def kinds() -> list[str]:
    """All kinds of registered things."""
    return list(PROVIDERS)


def entries(kind: str) -> dict[str, Entry]:
    """All entries of a kind, by name; imports the modules that define them."""
    importlib.import_module(PROVIDERS[kind])
    return _entries[kind]


def find(kind: str, name: str, path: tuple[str | int, ...] = ()) -> Entry:
    """The entry of this name.

    Raises:
        ConfigError: when there is none, with the nearest name.
    """
    known = entries(kind)
    if name not in known:
        raise ConfigError([unknown(kind, name, known, path)])
    return known[name]


def unknown(
    kind: str, name: Any, known: Iterable[str], path: tuple[str | int, ...] = (), at_key: bool = True
) -> Problem:
    """The problem of a name that is not registered."""
    known = list(known)
    other = next((other for other in PROVIDERS if other != kind and name in entries(other)), None)
    advice = f"{name!r} is {_article(other)}" if other else hint(name, known)
    expected = f"one of {', '.join(known) if len(known) <= 8 else listing(kind)}"
    return Problem(path, f"there is no {kind} of this name", expected, _shown(name), advice, at_key=at_key)


def listing(kind: str) -> str:
    """The command that shows all names of a kind."""
    return f"`dltrain list {kind}{'es' if kind.endswith('s') else 's'}`"


@dataclass(frozen=True)
class Reading:
    """What `read` found in one spec.

    Parameters:
        entry: the registered thing that is named; None when it cannot be told
        arguments: its known parameters by name
        paths: where the value of each stands in the config
        problems: all that is wrong with name and parameters (not with the parameters' values)
    """

    entry: Entry | None
    arguments: dict[str, Any]
    paths: dict[str, tuple[str | int, ...]]
    problems: list[Problem]


def read(spec: Any, kind: str, path: tuple[str | int, ...] = ()) -> Reading:
    """Read one thing by the grammar, with everything that is wrong instead of an error.

    Example:
        >>> read({"dense": {"units": 3, "bais": 1}}, "layer", ("x",)).problems[0].dotted
        'x.dense.bais'
    """
    form = f"the name of one {kind}, or `name: value`, or `name: {{parameters}}`"
    single = isinstance(spec, Mapping) and len(spec) == 1
    if not (isinstance(spec, str) or single):
        return Reading(None, {}, {}, [Problem(path, f"this does not name {_article(kind)}", form, _shown(spec))])
    name, value = next(iter(spec.items())) if single else (spec, None)
    at = (*path, name) if single else path
    known = entries(kind)
    if not isinstance(name, str) or name not in known:
        return Reading(None, {}, {}, [unknown(kind, name, known, at, single)])
    return _read_arguments(known[name], value, at, single)


def _read_arguments(entry: Entry, value: Any, at: tuple[str | int, ...], at_key: bool) -> Reading:
    if value is None:
        value, paths = {}, {}
    elif not isinstance(value, Mapping) or takes_mapping(entry, value):
        if not entry.arguments:
            problem = Problem(at, f"{entry.name} takes no parameters", f"`{entry.name}`", _shown(value))
            return Reading(entry, {}, {}, [problem])
        first = entry.arguments[0].name
        value, paths = {first: value}, {first: at}
    else:
        paths = {given: (*at, given) for given in value}
    problems = [unknown_argument(entry, given, paths[given]) for given in value if entry.argument(given) is None]
    problems += [
        Problem(at, f"{entry.name} needs a value for {a.name!r}", expected=a.summary or a.name, at_key=at_key)
        for a in entry.arguments
        if a.required and a.name not in value
    ]
    known = {name: given for name, given in value.items() if entry.argument(name) is not None}
    return Reading(entry, known, paths, problems)


def parse(spec: Any, kind: str, path: tuple[str | int, ...] = ()) -> tuple[Entry, dict[str, Any]]:
    """Read one thing by the grammar; returns its entry and its parameters by name.

    Example:
        >>> entry, arguments = parse({"dense": 10}, "layer")
        >>> entry.name, arguments
        ('dense', {'units': 10})

    Raises:
        ConfigError: when the form is wrong, the name unknown or a parameter does not exist.
    """
    reading = read(spec, kind, path)
    if reading.entry is None or reading.problems:
        raise ConfigError(reading.problems)
    return reading.entry, reading.arguments


def titles(specs: Iterable[Any], kind: str) -> list[str]:
    """What things of a kind are called side by side: by their names, and by their values where a name returns.

    Example:
        >>> titles(["accuracy", {"top_k_accuracy": 2}, {"top_k_accuracy": {"k": 5}}], "metric")
        ['accuracy', 'top_k_accuracy_2', 'top_k_accuracy_5']
    """
    read_ones = [parse(spec, kind) for spec in specs]
    count = Counter(entry.name for entry, _ in read_ones)
    return [
        "_".join([entry.name, *(str(values.get(a.name, a.default)) for a in entry.arguments)])
        if count[entry.name] > 1
        else entry.name
        for entry, values in read_ones
    ]


def takes_mapping(entry: Entry, value: Mapping[str, Any]) -> bool:
    """Whether a map given to an entry is its first parameter's value (a registered thing), not its parameters."""
    if not entry.arguments or len(value) != 1:
        return False
    reference = reference_of(entry.arguments[0].annotation)
    name = next(iter(value))
    return reference is not None and entry.argument(name) is None and name in entries(reference.kind)


def unknown_argument(entry: Entry, name: Any, path: tuple[str | int, ...]) -> Problem:
    """The problem of a parameter that a thing does not have."""
    names = [a.name for a in entry.arguments]
    others = [other.name for other in _entries[entry.kind].values() if other.argument(name)]
    described = f"`dltrain explain {entry.name}` describes it"
    advice = hint(name, names, f"it is a parameter of {listed(others)}" if others else described)
    expected = ", ".join(names) or "no parameters"
    return Problem(path, f"{entry.name} has no parameter {_shown(name)}", expected=expected, hint=advice, at_key=True)


def _article(kind: str) -> str:
    return ("an " if kind[0] in "aeiou" else "a ") + kind


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:59] + "…"


def reference_of(annotation: Any) -> Reference | None:
    """The Reference mark of an annotation, or of a member of its union, if it has one."""
    marks = getattr(annotation, "__metadata__", None)
    if marks is not None:
        return next((mark for mark in marks if isinstance(mark, Reference)), None)
    if typing.get_origin(annotation) not in (typing.Union, types.UnionType):
        return None
    return next((mark for option in typing.get_args(annotation) if (mark := reference_of(option))), None)


def create(kind: str, spec: Any, **context: Any) -> Any:
    """Make a registered thing from its spec; an instance that is already made passes through.

    Example:
        >>> create("layer", {"dropout": 0.5}).rate
        0.5
    """
    if not isinstance(spec, (str, Mapping)):
        return spec
    entry, arguments = parse(spec, kind)
    return entry.make(**arguments, **context)
