"""Checks plain values against annotated types: leaves, lists, maps, sections and registered things.

A small exact checker of our own: the types are few, the sentences are the point, and a validation
library would cost more start-up time than all the rest of reading a config.
"""

from __future__ import annotations

import math
import typing
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Literal

from dltrain import registry
from dltrain.config.advice import advise, quoted
from dltrain.config.interval import Interval
from dltrain.config.provenance import Path
from dltrain.config.sections import SECTIONS, Data, Fields, Model, Notation, Train, is_section, keys_of
from dltrain.config.words import bound, describe, members, show, unwrap
from dltrain.errors import Problem
from dltrain.registry import Argument, Reference
from dltrain.suggest import closest, hint

Problems = list[Problem]


def check(value: Any, annotation: Any, path: Path = ()) -> Problems:
    """All that is wrong with a value.

    Example:
        >>> from dltrain.types import PositiveInt
        >>> check(3, PositiveInt), check(True, PositiveInt)[0].got
        ([], 'true')
    """
    kind, marks = unwrap(annotation)
    if options := members(kind):
        return check_union(value, annotation, options, path)
    reference = next((mark for mark in marks if isinstance(mark, Reference)), None)
    if reference is not None:
        return check_reference(value, reference, path)
    if any(isinstance(mark, Notation) for mark in marks):
        return [] if isinstance(value, Mapping) else [wrong(value, annotation, path, "this is not a model")]
    if is_section(kind):
        return check_section(value, kind, path)
    origin = typing.get_origin(kind) or kind
    if origin in (list, tuple):
        return check_list(value, annotation, path)
    if origin in (dict, Mapping) or typing.get_origin(kind) is Mapping:
        return check_map(value, annotation, path)
    return check_leaf(value, annotation, path)


def wrong(value: Any, annotation: Any, path: Path, what: str = "", advice: str = "") -> Problem:
    """The problem of a value that is not of its type."""
    expected = describe(annotation)
    what = what or f"this is not {'one of the choices' if expected.startswith('one of') else expected.split(',')[0]}"
    return Problem(path, what, expected, show(value), advice or advise(value, annotation))


def check_leaf(value: Any, annotation: Any, path: Path) -> Problems:
    """Numbers, text, switches, choices and intervals."""
    kind, marks = unwrap(annotation)
    if kind is Any or kind is object:
        return []
    if typing.get_origin(kind) is Literal:
        fits = any(value == choice and type(value) is type(choice) for choice in typing.get_args(kind))
        return [] if fits else [wrong(value, annotation, path)]
    if kind is Interval:
        return check_interval(value, annotation, path)
    if kind is None or kind is type(None):
        return [] if value is None else [wrong(value, annotation, path)]
    if kind in (int, float):
        return check_number(value, annotation, path)
    if kind in (str, bool) and type(value) is not kind:
        return [wrong(value, annotation, path, f"this is not {describe(kind)}")]
    return [wrong(value, annotation, path, said) for mark in marks if (said := complaint(mark, value))]


def complaint(mark: Any, value: Any) -> str:
    """What a mark with a `problem` method says about a value."""
    return str(mark.problem(value)) if hasattr(mark, "problem") else ""


def check_number(value: Any, annotation: Any, path: Path) -> Problems:
    """Whole numbers and numbers: never a bool, never text, always finite and in range."""
    kind, marks = unwrap(annotation)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return [wrong(value, annotation, path, f"this is not {describe(kind)}")]
    if isinstance(value, float) and (kind is int or not math.isfinite(value)):
        what = "this number is not finite" if not math.isfinite(value) else "this is not a whole number"
        return [wrong(value, annotation, path, what)]
    if isinstance(value, int) and kind is float and abs(value) > 2**1000:
        return [wrong(value, annotation, path, "this number is too large for float64")]
    low, above = bound(marks, "ge"), bound(marks, "gt")
    high, below = bound(marks, "le"), bound(marks, "lt")
    inside = (low is None or value >= low) and (above is None or value > above)
    inside = inside and (high is None or value <= high) and (below is None or value < below)
    if not inside:
        return [wrong(value, annotation, path, "this number is out of its range")]
    return [wrong(value, annotation, path, said) for mark in marks if (said := complaint(mark, value))]


def check_interval(value: Any, annotation: Any, path: Path) -> Problems:
    """An interval, perhaps of certain units."""
    try:
        interval = Interval.parse(value)
    except ValueError as error:
        return [wrong(value, annotation, path, str(error))]
    said = [complaint(mark, interval) for mark in unwrap(annotation)[1]]
    return [wrong(value, annotation, path, text) for text in said if text]


def check_list(value: Any, annotation: Any, path: Path) -> Problems:
    """A list and its items; a tuple type of fixed length."""
    kind, marks = unwrap(annotation)
    if not isinstance(value, (list, tuple)):
        advice = "write it in brackets: [ … ]" if value is not None else ""
        return [wrong(value, annotation, path, "this is not a list", advice)]
    inner = typing.get_args(kind)
    if (typing.get_origin(kind) or kind) is tuple and inner and inner[-1] is not Ellipsis:
        if len(value) != len(inner):
            return [wrong(value, annotation, path, "this list has the wrong length")]
        return [p for i, (v, t) in enumerate(zip(value, inner, strict=True)) for p in check(v, t, (*path, i))]
    if (least := bound(marks, "min_length")) is not None and len(value) < least:
        return [wrong(value, annotation, path, "this list is too short")]
    if (most := bound(marks, "max_length")) is not None and len(value) > most:
        return [wrong(value, annotation, path, "this list is too long")]
    item = inner[0] if inner else Any
    return [p for index, v in enumerate(value) for p in check(v, item, (*path, index))]


def check_map(value: Any, annotation: Any, path: Path) -> Problems:
    """A map with free names."""
    if not isinstance(value, Mapping):
        return [wrong(value, annotation, path, "this is not a map")]
    inner = typing.get_args(unwrap(annotation)[0])
    item = inner[1] if len(inner) == 2 else Any
    return [p for key, v in value.items() for p in check(v, item, (*path, key))]


def check_union(value: Any, annotation: Any, options: tuple[Any, ...], path: Path) -> Problems:
    """One of several types; the sentence is that of the only one that fits the form, else of all."""
    found = [check(value, option, path) for option in options]
    if not all(found):
        return []
    if value is None:
        return [wrong(value, annotation, path, "a value is missing")]
    close = [problems for option, problems in zip(options, found, strict=True) if same_form(value, option)]
    maps = isinstance(value, Mapping)
    sections = [problems for option, problems in zip(options, found, strict=True) if is_section(option)]
    if maps and sections:
        return sections[0]
    others = [option for option in options if option is not type(None) and (maps or not is_section(option))]
    if len(close) == 1 and (len(others) == 1 or len(close[0]) > 1 or close[0][0].path != path):
        return close[0]
    if len(others) != 1:
        return [wrong(value, annotation, path)]
    problems = found[options.index(others[0])]
    return [or_map(problems[0], value, annotation, options)] if sections else problems


def or_map(problem: Problem, value: Any, annotation: Any, options: Iterable[Any]) -> Problem:
    """The problem of a value of one type, where a map with fixed keys may stand too.

    Parameters:
        problem: as it is without the map
        value: what was found
        annotation: the whole type
        options: its members
    """
    keys = [key for option in options if is_section(option) for key in keys_of(option)]
    meant = len(keys) == 1 and not check(value, keys[0].annotation)
    advice = f"write {{{keys[0].name}: {value}}}" if meant else problem.hint
    return replace(problem, expected=describe(annotation), hint=advice)


def same_form(value: Any, option: Any) -> bool:
    """Whether a value has the outer form of a type: list for list, text for text, number for number."""
    if registry.reference_of(option) is not None:
        return isinstance(value, (str, Mapping))
    kind = unwrap(option)[0]
    origin = typing.get_origin(kind) or kind
    if isinstance(value, bool) or value is None:
        return origin in (bool, type(None))
    forms: list[tuple[Any, Any]] = [(str, (str, Interval, Literal)), ((int, float), (int, float))]
    forms += [((list, tuple), (list, tuple)), (Mapping, (dict, Mapping, *SECTIONS))]
    return any(isinstance(value, form) and origin in kinds for form, kinds in forms)


def check_reference(value: Any, reference: Reference, path: Path) -> Problems:
    """A registered thing, with all its parameters; or a plain value where that may stand too."""
    if reference.literal is not None and not isinstance(value, Mapping):
        known = isinstance(value, str) and not isinstance(quoted(value), (int, float, bool))
        if not known:
            return check(value, reference.literal, path)
    return check_spec(value, reference.kind, path)


def check_spec(spec: Any, kind: str, path: Path) -> Problems:
    """One thing by the grammar `name`, `name: value` or `name: {parameters}`, and its parameters' values."""
    if not isinstance(spec, (str, Mapping)) or len(spec) == 0 or (isinstance(spec, Mapping) and len(spec) > 1):
        return [malformed(spec, kind, path)]
    reading = registry.read(spec, kind, path)
    if reading.entry is None:
        return reading.problems
    return reading.problems + check_arguments(reading.entry.arguments, reading.arguments, reading.paths)


def malformed(spec: Any, kind: str, path: Path) -> Problem:
    """The problem of something that stands where a thing should be named, but names none."""
    form = f"`name`, `name: value` or `name: {{parameters}}` of one {kind}"
    advice = ""
    if isinstance(spec, Mapping) and "name" in spec:
        advice = f"write `{spec['name']}: {{…}}`" if isinstance(spec["name"], str) else ""
    elif isinstance(spec, Mapping) and len(spec) > 1 and next(iter(spec)) in registry.entries(kind):
        advice = f"indent the parameters below `{next(iter(spec))}:`"
    elif isinstance(spec, list) and len(spec) == 1:
        advice = "leave the brackets out"
    return Problem(path, f"this does not name one {kind}", form, show(spec), advice)


def check_arguments(arguments: Iterable[Argument], values: Mapping[str, Any], paths: Mapping[str, Path]) -> Problems:
    """The values of a thing's parameters."""
    known = {argument.name: argument for argument in arguments}
    return [
        problem
        for name, value in values.items()
        if not (value is None and known[name].default is None)
        for problem in check(value, known[name].annotation, paths[name])
    ]


def check_section(value: Any, section: Any, path: Path) -> Problems:
    """A map with fixed keys."""
    if not isinstance(value, Mapping):
        keys = ", ".join(a.name for a in keys_of(section))
        return [Problem(path, "this is not a map", f"a map with keys out of {keys}", show(value))]
    arguments = keys_of(section)
    known = {argument.name: value[argument.name] for argument in arguments if argument.name in value}
    problems = [unknown_key(key, value[key], section, path) for key in value if key not in known]
    problems += [
        Problem(path, f"{a.name!r} is missing", expected=a.summary)
        for a in arguments
        if a.required and a.name not in value
    ]
    return problems + check_arguments(arguments, known, {name: (*path, name) for name in known})


def unknown_key(key: Any, value: Any, section: Any, path: Path) -> Problem:
    """The problem of a key that a section does not have, with the key or the place that was meant."""
    names = [argument.name for argument in keys_of(section)]
    place = f"in '{'.'.join(map(str, path))}'" if path else "at the top level"
    advice = hint(str(key), names) if same_home(key, names) else (elsewhere(key, section) or hint(str(key), names))
    return Problem((*path, key), f"there is no key {show_key(key)} {place}", ", ".join(names), "", advice, at_key=True)


def same_home(key: Any, names: list[str]) -> bool:
    """Whether a key is a spelling of one of these names, not only near to it."""
    near = closest(str(key), names)
    return near is not None and near[:2].lower() == str(key)[:2].lower()


def elsewhere(key: Any, section: Any) -> str:
    """Where else in a config a key belongs; empty when nowhere."""
    if section not in SECTIONS:
        return ""
    places = ((Data, "data."), (Train, "train."), (Fields, ""))
    others = [(home, cls) for cls, home in places if cls is not section]
    homes = {a.name: home + a.name for home, cls in others for a in keys_of(cls)}
    homes |= {key.name: f"model.{key.name}" for key in keys_of(Model)}
    homes |= {"learning_rate": "optimizer: {adam: {learning_rate: …}}", "l2": "regularize: [l2: …]"}
    near = closest(str(key), homes)
    return f"did you mean `{homes[near]}`?" if near else ""


def show_key(key: Any) -> str:
    """A key in quotes, cut to a readable length."""
    return show(str(key)).removeprefix("the text ")
