"""Patterns of the names of tensors, and what an error says of one that fits none."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable

from dltrain.errors import Problem
from dltrain.suggest import hint

SHOWN = 4  # names that an error shows


def fits(pattern: str, name: str) -> bool:
    """Whether a pattern fits a name: `*` stands for anything; without one it is the name, or its first words.

    Example:
        >>> [fits(pattern, "layer4.1.conv2.kernel") for pattern in ("layer4.*", "layer4", "layer", "*.kernel")]
        [True, True, False, True]
    """
    return fnmatch.fnmatchcase(name, pattern) if "*" in pattern else name == pattern or name.startswith(pattern + ".")


def rename(pattern: str, replacement: str, name: str) -> str:
    """A name with what its pattern fits replaced; each `*` stands for the same on both sides.

    Example:
        >>> rename("trunk.*.conv", "body.*.conv", "trunk.0.conv"), rename("trunk", "body", "trunk.0.conv.kernel")
        ('body.0.conv', 'body.0.conv.kernel')
    """
    if "*" not in pattern:
        return replacement + name[len(pattern) :]
    parts = re.fullmatch("(.*)".join(map(re.escape, pattern.split("*"))), name)
    assert parts is not None
    pieces = replacement.split("*")
    return pieces[0] + "".join(part + piece for part, piece in zip(parts.groups(), pieces[1:], strict=True))


def no_match(path: tuple[str | int, ...], pattern: str, names: list[str], at_key: bool) -> Problem:
    """The problem of a pattern that fits nothing."""
    near = dict.fromkeys(".".join(name.split(".")[:count]) for name in names for count in range(1, name.count(".") + 1))
    what, advice = "no tensor has a name like this", hint(pattern, [*near, *names])
    return Problem(path, what, f"such as {some(near)}", repr(pattern), advice, at_key=at_key)


def some(names: Iterable[str]) -> str:
    """The first names of many."""
    shown = [name if name.isprintable() else repr(name) for name in names]
    more = f" and {len(shown) - SHOWN} more" if len(shown) > SHOWN else ""
    return ", ".join(shown[:SHOWN]) + more
