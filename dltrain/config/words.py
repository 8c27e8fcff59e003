"""Types, ranges and values in plain words."""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from dltrain.config.interval import Interval
from dltrain.config.sections import is_section, keys_of
from dltrain.registry import Reference


def shorten(text: str, width: int = 60) -> str:
    """A text cut to a width."""
    return text if len(text) <= width else text[: width - 1] + "…"


def join(parts: list[str], last: str = "or") -> str:
    """`a, b or c`."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} {last} {parts[-1]}" if parts else ""


def show(value: Any) -> str:
    """A value as the user wrote it, in words.

    Example:
        >>> show("ten"), show(3), show(True), show(None), show([1, 2]), show({"a": 1})
        ("the text 'ten'", '3', 'true', 'nothing', 'a list of 2', "a map with the key 'a'")
    """
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f"the text {shorten(repr(value))}"
    if isinstance(value, Mapping):
        keys = shorten(", ".join(repr(str(key)) for key in value))
        return f"a map with the key{'s' * (len(value) > 1)} {keys}" if value else "an empty map"
    if isinstance(value, (list, tuple)):
        return f"a list of {len(value)}" if value else "an empty list"
    return shorten(repr(value))


def unwrap(annotation: Any) -> tuple[Any, tuple[Any, ...]]:
    """The type below all Annotated, and the marks on it."""
    marks: tuple[Any, ...] = ()
    while typing.get_origin(annotation) is Annotated:
        marks = (*annotation.__metadata__, *marks)
        annotation = annotation.__origin__
    return annotation, marks


def members(annotation: Any) -> tuple[Any, ...]:
    """The members of a union; none for every other type."""
    return typing.get_args(annotation) if typing.get_origin(annotation) in (typing.Union, types.UnionType) else ()


def bound(marks: tuple[Any, ...], name: str) -> Any:
    """The `ge`, `gt`, `le`, `lt`, `min_length` … of the marks, or None."""
    return next((value for mark in marks if (value := getattr(mark, name, None)) is not None), None)


def describe(annotation: Any) -> str:
    """A type with its range in words.

    Example:
        >>> from dltrain.types import PositiveInt, Rate
        >>> describe(PositiveInt), describe(Rate), describe(Literal["a", "b"])
        ('a whole number of at least 1', 'a number from 0 up to but not including 1', "one of 'a', 'b'")
    """
    kind, marks = unwrap(annotation)
    said = next((mark.words for mark in marks if hasattr(mark, "words")), "")
    reference = next((mark for mark in marks if isinstance(mark, Reference)), None)
    if said:
        return str(said)
    if reference is not None:
        return describe_reference(reference)
    if options := members(kind):
        return join(list(dict.fromkeys(describe(option) for option in options)))
    if is_section(kind):
        return f"a map with {join([key.name for key in keys_of(kind)], 'and')}"
    if typing.get_origin(kind) is Literal:
        values = [show_literal(value) for value in typing.get_args(kind)]
        return values[0] if len(values) == 1 else f"one of {', '.join(values)}"
    if kind in (int, float):
        return ("a whole number" if kind is int else "a number") + describe_range(marks)
    return describe_container(kind, marks)


def show_literal(value: Any) -> str:
    """A value as written in a config, text in quotes."""
    return repr(value) if isinstance(value, str) else show(value)


def article(kind: str) -> str:
    """A kind with its article: `an optimizer`."""
    return ("an " if kind[0] in "aeiou" else "a ") + kind


def describe_reference(reference: Reference) -> str:
    """The types that may stand where a registered thing is named."""
    named = f"the name of {article(reference.kind)}"
    return f"{describe(reference.literal)}, or {named}" if reference.literal is not None else named


def describe_container(kind: Any, marks: tuple[Any, ...]) -> str:
    """Text, switches, lists and maps in words."""
    origin, inner = typing.get_origin(kind) or kind, typing.get_args(kind)
    if origin is Interval:
        return Interval.describe()
    if origin is tuple and inner and inner[-1] is not Ellipsis:
        return f"a list of {len(inner)}: {', '.join(describe(i) for i in inner)}"
    if origin in (list, tuple):
        least = bound(marks, "min_length")
        size = f" of at least {least}" if least else ""
        return f"a list{size}" + (f", each {describe(inner[0])}" if inner and inner[0] is not Any else "")
    simple = {str: "text", bool: "true or false", type(None): "null", Any: "a value", dict: "a map"}
    return simple.get(origin, "a map")


def describe_range(marks: tuple[Any, ...]) -> str:
    """The range of a number, as it stands behind `a number`."""
    ge, gt, le, lt = (bound(marks, name) for name in ("ge", "gt", "le", "lt"))
    if ge is not None and le is not None:
        return f" from {ge} to {le}"
    if ge is not None and lt is not None:
        return f" from {ge} up to but not including {lt}"
    low = f"of at least {ge}" if ge is not None else f"above {gt}" if gt is not None else ""
    high = f"at most {le}" if le is not None else f"below {lt}" if lt is not None else ""
    return (" " + " and ".join(part for part in (low, high) if part)) if low or high else ""
