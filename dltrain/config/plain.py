"""Plain Python data as a config tree."""

from __future__ import annotations

import numbers
from collections.abc import Mapping
from typing import Any

from dltrain.config.compose import Flaws
from dltrain.config.provenance import Node, Origin, Path
from dltrain.config.words import shorten
from dltrain.config.yaml_builder import LONGEST_KEY, MOST_DEPTH
from dltrain.errors import Problem


def node_of(value: Any, origin: Origin, flaws: Flaws, path: Path = ()) -> Node:
    """A tree of plain data; NumPy's numbers become Python's, tuples lists.

    Parameters:
        value: maps with text keys, lists, tuples, text, numbers, booleans, None
        origin: where it comes from
        flaws: receives what is not plain
        path: where it stands
    """
    if len(path) > MOST_DEPTH:
        flaws.append((Problem(path[:1], "the nesting is too deep", f"at most {MOST_DEPTH} levels"), None))
        return Node(None, origin)
    if isinstance(value, Mapping):
        items = {}
        for key, inner in value.items():
            if not isinstance(key, str):
                got, hint = shorten(repr(key)), "put it in quotes if it is meant"
                flaws.append((Problem(path, "this key is not text", "a name", got, hint), None))
                continue
            if len(key) > LONGEST_KEY:
                expected = f"text of at most {LONGEST_KEY} characters"
                flaws.append((Problem(path, "this key cannot be used", expected, shorten(repr(key))), None))
                continue
            items[key] = node_of(inner, origin, flaws, (*path, key))
        return Node(items, origin)
    if isinstance(value, (list, tuple)):
        return Node([node_of(inner, origin, flaws, (*path, i)) for i, inner in enumerate(value)], origin)
    if value is None or type(value) in (bool, int, float, str):
        return Node(value, origin)
    if isinstance(value, numbers.Integral):
        return Node(int(value), origin)
    if isinstance(value, numbers.Real):
        return Node(float(value), origin)
    expected = "maps, lists, text, numbers, true, false or None"
    flaws.append((Problem(path, "this is not plain data", expected, type(value).__name__), None))
    return Node(None, origin)
