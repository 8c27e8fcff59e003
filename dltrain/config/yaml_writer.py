"""Writes plain data as YAML that our reader reads back equal."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any

from dltrain.config.scalars import resolve

WIDTH = 100
PLAIN = re.compile(r"[A-Za-z0-9_$./+-](?:[A-Za-z0-9_$./+=() -]*[A-Za-z0-9_$./+=()-])?")
# What JSON leaves as it is, but our reader refuses or takes for the end of a line.
ESCAPED = re.compile("[\x7f-\x9f\u2028\u2029\ufffe\uffff]")


def dump(mapping: Mapping[str, Any]) -> str:
    """A config as YAML text.

    Parameters:
        mapping: maps with text keys, lists, text, numbers, booleans, None

    Example:
        >>> config = {"train": {"epochs": 3, "keep": 2}, "metrics": ["f1", {"precision": "macro"}], "name": "1e-3"}
        >>> print(dump(config), end="")
        train:
          epochs: 3
          keep: 2
        metrics: [f1, precision: macro]
        name: "1e-3"
    """
    return "".join(line + "\n" for line in map_lines(mapping)) or "{}\n"


def map_lines(mapping: Mapping[str, Any]) -> list[str]:
    """The lines of a map."""
    return [line for key, value in mapping.items() for line in entry_lines(scalar(key), value, nested=True)]


def entry_lines(key: str, value: Any, nested: bool) -> list[str]:
    """The lines of one key and its value: in one line where it fits and is no map with several keys."""
    text = f"{key}: {flow(value)}"
    roomy = isinstance(value, Mapping) and len(value) > 0 and nested and not is_spec(value)
    if len(text) <= WIDTH and not roomy:
        return [text]
    if isinstance(value, Mapping) and value:
        return [f"{key}:", *("  " + line for line in map_lines(value))]
    if isinstance(value, (list, tuple)) and value:
        return [f"{key}:", *("  " + line for item in value for line in item_lines(item))]
    return [text]


def item_lines(item: Any) -> list[str]:
    """The lines of one item of a list."""
    text = f"- {pair(item)}"
    if len(text) <= WIDTH or not isinstance(item, (Mapping, list, tuple)) or not item:
        return [text]
    inner = [map_lines(item)] if isinstance(item, Mapping) else [item_lines(part) for part in item]
    lines = [line for part in inner for line in part]
    return [("- " if index == 0 else "  ") + line for index, line in enumerate(lines)]


def is_spec(value: Mapping[str, Any]) -> bool:
    """Whether a map has the form of a named thing, `{name: …}`, that reads well in one line."""
    return len(value) == 1


def flow(value: Any) -> str:
    """A value in one line."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{scalar(key)}: {flow(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(pair(item) for item in value) + "]"
    return scalar(value)


def pair(item: Any) -> str:
    """An item of a list in one line; `name: value` needs no braces there."""
    text = flow(item)
    return text[1:-1] if isinstance(item, Mapping) and len(item) == 1 else text


def scalar(value: Any) -> str:
    """A scalar; text is quoted where it would be read as something else."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        if math.isnan(value):
            return ".nan"
        return repr(value) if math.isfinite(value) else "-.inf" if value < 0 else ".inf"
    if isinstance(value, int):
        return str(value)
    if not isinstance(value, str):
        raise TypeError(f"a config holds plain data, not {type(value).__name__}")
    if PLAIN.fullmatch(value) and not value.startswith(("-", "---", "...")) and len(value) <= WIDTH and same(value):
        return value
    return ESCAPED.sub(lambda match: f"\\u{ord(match[0]):04x}", json.dumps(value, ensure_ascii=False))


def same(text: str) -> bool:
    """Whether a plain scalar is read back as this very text."""
    try:
        return resolve(text) == text
    except ValueError:
        return False
