"""What stands at a path of a config, by the types of sections and of everything registered; and an example of it."""

from __future__ import annotations

import typing
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal

from dltrain import registry
from dltrain.config.interval import Interval
from dltrain.config.sections import EXTENDS, Fields, Model, Notation, UnitsOnly, is_section, keys_of
from dltrain.config.words import bound, members, unwrap
from dltrain.errors import UsageError
from dltrain.registry import Argument, Entry, Reference
from dltrain.suggest import closest
from dltrain.types import Form

Thing = Entry | Argument
Trail = list[tuple[str, Thing]]  # the names of a path that the house gives, with what they are

TEXT = "…"  # stands for a text in an example
NAME = "name"  # stands for a name of the user's own: of a wire, a variable, a pattern
LISTED = 20  # names that an error shows


def walk(path: str) -> Trail:
    """What each step of a path is; positions in lists and names of the user's own are passed over.

    Parameters:
        path: keys joined by dots, from the top level or from a registered thing on

    Example:
        >>> [name for name, _ in walk("model.graph.logits.0.dense.units")]
        ['model', 'graph', 'dense', 'units']

    Raises:
        UsageError: when a step is no key, with the nearest path.
    """
    steps = path.split(".")
    known, trail, free = start(steps[0]), [], False  # type: Mapping[str, Thing], Trail, bool
    for index, step in enumerate(steps):
        if step in known:
            trail.append((step, known[step]))
            free, known = is_map(known[step]), inside(known[step])
        elif free:
            free = False  # a name of the user's own
        elif not (trail and step.isdigit()):
            raise no_key(steps, index, known)
    return trail


def no_key(steps: list[str], index: int, known: Mapping[str, Thing]) -> UsageError:
    """The error of a path whose step at this position is no key, with the nearest path."""
    before, step, after = steps[:index], steps[index], steps[index + 1 :]
    place = f"in {'.'.join(before)!r}" if before else "at the top level"
    between = next(([name, step] for name, thing in known.items() if step in inside(thing)), None)
    near = between or [name for name in (closest(step, known),) if name]
    advice = f"did you mean {'.'.join([*before, *near, *after])!r}?" if near else ""
    expected = ", ".join(list(known)[:LISTED]) + ", …" * (len(known) > LISTED)
    what = f"there is no key {step!r} {place}"
    return UsageError(what, expected=expected or "nothing below it", got=repr(".".join(steps)), hint=advice)


def start(name: str) -> Mapping[str, Thing]:
    """What a path may begin with: the keys of the top level; a registered thing, where it is no key."""
    keys = top_level()
    owner = next((entries[name] for kind in registry.kinds() if name in (entries := registry.entries(kind))), None)
    return keys if name in keys or owner is None else {**keys, name: owner}


def top_level() -> dict[str, Thing]:
    """The keys of a config."""
    return by_name((*keys_of(Fields), EXTENDS))


def by_name(arguments: Iterable[Argument]) -> dict[str, Thing]:
    """Arguments by their names."""
    return {argument.name: argument for argument in arguments}


def inside(thing: Thing) -> Mapping[str, Thing]:
    """What may be named below a thing: parameters of an entry, keys of a section, the entries of a kind."""
    return by_name(thing.arguments) if isinstance(thing, Entry) else below(thing.annotation)


def below(annotation: Any) -> Mapping[str, Thing]:
    """What may be named below a value of a type."""
    kind, marks = unwrap(annotation)
    section = section_of(annotation)
    if section is not None:
        return by_name(keys_of(section))
    if (reference := reference_of(marks)) is not None:
        return registry.entries(reference.kind)
    found: dict[str, Thing] = {}
    for inner in members(kind) or (typing.get_args(kind)[-1:] if typing.get_origin(kind) in (list, dict) else ()):
        found |= below(inner)
    return found


def parameters(entry: Entry) -> Iterator[Trail]:
    """The way to every parameter of a registered thing, and to every key of a map among their values.

    Example:
        >>> ["/".join(name for name, _ in trail) for trail in parameters(registry.entries("optimizer")["adam"])][-2:]
        ['adam/groups/frozen', 'adam/groups/frozen/until_epoch']
    """
    yield from ways([(entry.name, entry)])


def ways(trail: Trail) -> Iterator[Trail]:
    """All that go on from the end of a trail, without entering other registered things."""
    for name, thing in inside(trail[-1][1]).items():
        if isinstance(thing, Argument):
            yield [*trail, (name, thing)]
            yield from ways([*trail, (name, thing)])


def section_of(annotation: Any) -> Any:
    """The section whose keys stand directly in a value of a type; None when there is none."""
    kind, marks = unwrap(annotation)
    if any(isinstance(mark, Notation) for mark in marks):
        return Model
    return kind if is_section(kind) else None


def reference_of(marks: Iterable[Any]) -> Reference | None:
    """The mark that names a kind of registered things, if there is one."""
    return next((mark for mark in marks if isinstance(mark, Reference)), None)


def is_map(thing: Thing) -> bool:
    """Whether names of the user's own stand below a thing."""
    if isinstance(thing, Entry) or section_of(thing.annotation) is not None:
        return False
    kind = unwrap(thing.annotation)[0]
    return any(typing.get_origin(unwrap(option)[0]) is dict for option in (members(kind) or (kind,)))


def continuations(text: str) -> Iterator[str]:
    """All paths that continue a text by one name, for the shell.

    Example:
        >>> list(continuations("train.ep"))
        ['train.epochs']
    """
    before, dot, begun = text.rpartition(".")
    try:
        known = inside(walk(before)[-1][1]) if dot else top_level()
    except UsageError:
        return
    yield from (before + dot + name for name in known if name.startswith(begun))


def choices(annotation: Any) -> list[str]:
    """The names and words that a value of a type may be, where they are a closed list."""
    kind, marks = unwrap(annotation)
    if (reference := reference_of(marks)) is not None:
        return list(reference.entries())
    if typing.get_origin(kind) is Literal:
        return [str(option) for option in typing.get_args(kind)]
    inner = members(kind) or (typing.get_args(kind) if typing.get_origin(kind) is list else ())
    found = [choices(option) for option in inner if option is not type(None)]
    return [choice for names in found for choice in names] if all(found) else []


def example(trail: Trail) -> dict[str, Any]:
    """A piece of a config that holds the last thing of a trail, whole enough to be checked.

    Example:
        >>> example(walk("hooks.early_stopping.patience"))
        {'hooks': [{'early_stopping': {'patience': 10}}]}
    """
    name, thing = trail[-1]
    value = spec(thing) if isinstance(thing, Entry) else {name: sample(thing)}
    for (_, inner), (name, outer) in zip(trail[:0:-1], trail[-2::-1], strict=True):
        if isinstance(outer, Entry):
            value = {name: {**required(outer.arguments), **value}}
        else:
            value = {name: around(value, inner, outer.annotation)}
    return value if isinstance(value, dict) else {name: value}


def around(value: Any, inner: Thing, annotation: Any) -> Any:
    """A value inside the lists and maps of a type."""
    kind, _ = unwrap(annotation)
    section, origin = section_of(annotation), typing.get_origin(kind)
    if section is not None:
        return {**required(keys_of(section)), **value} if inner in keys_of(section) else value
    if origin is list:
        return [around(value, inner, typing.get_args(kind)[0])]
    if origin is dict:
        return {NAME: around(value, inner, typing.get_args(kind)[1])}
    holder = next((option for option in members(kind) if inner in below(option).values()), None)
    holder = holder or next((option for option in members(kind) if below(option)), None)
    return value if holder is None else around(value, inner, holder)


def required(arguments: Iterable[Argument]) -> dict[str, Any]:
    """The arguments that cannot be left out."""
    return {argument.name: sample(argument) for argument in arguments if argument.required}


def spec(entry: Entry) -> Any:
    """A registered thing with as little as it takes."""
    needed = required(entry.arguments)
    return {entry.name: needed} if needed else entry.name


def sample(argument: Argument) -> Any:
    """A value that an argument may have: its default, where that says something."""
    if not argument.required and argument.default is not None and argument.default not in ([], {}, ()):
        return argument.default
    return sample_of(argument.annotation)


def sample_of(annotation: Any) -> Any:
    """A value of a type."""
    kind, marks = unwrap(annotation)
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if (section := section_of(annotation)) is not None:
        return required(keys_of(section)) or {keys_of(section)[0].name: sample(keys_of(section)[0])}
    if (reference := reference_of(marks)) is not None:
        entries = registry.entries(reference.kind).values()
        simplest = min(entries, key=lambda entry: sum(argument.required for argument in entry.arguments))
        return spec(simplest) if reference.literal is None else sample_of(reference.literal)
    if options := members(kind):
        return sample_of(next(option for option in options if option is not type(None)))
    if origin is Literal:
        return inner[0]
    if origin is list or kind is list:
        return [sample_of(inner[0]) if inner else 1] * max(1, bound(marks, "min_length") or 1)
    if origin is tuple:
        return [sample_of(part) for part in inner if part is not Ellipsis]
    if origin is dict:
        return {NAME: sample_of(inner[1])}
    if (form := next((mark for mark in marks if isinstance(mark, Form)), None)) is not None:
        return form.example
    if kind is Interval:
        return "10 minutes" if any(isinstance(mark, UnitsOnly) for mark in marks) else "1 epoch"
    return {str: TEXT, bool: True}[kind] if kind in (str, bool) else number(kind, marks)


def number(kind: Any, marks: tuple[Any, ...]) -> int | float:
    """A number in the range of its marks: 10 or 0.1, where that lies in it."""
    usual: int | float = 0.1 if kind is float else 10
    low = bound(marks, "ge") if bound(marks, "ge") is not None else bound(marks, "gt")
    high = bound(marks, "le") if bound(marks, "le") is not None else bound(marks, "lt")
    if low is not None and usual < low:
        return low + (bound(marks, "gt") is not None)
    return high if high is not None and usual > high else usual
