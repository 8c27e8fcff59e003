"""Plain YAML scalars by the core schema of YAML 1.2: what is a number, what is text."""

from __future__ import annotations

import math
import re
from typing import Any

LONGEST_NUMBER = 400  # characters; the longest float64 in positional notation has fewer

NULLS = {"", "~", "null", "Null", "NULL"}
BOOLEANS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
INTEGER = re.compile(r"[-+]?[0-9]+")
BASED = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
INFINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)")
NOT_A_NUMBER = {".nan", ".NaN", ".NAN"}


def resolve(text: str) -> Any:
    """The value of a plain scalar.

    Example:
        >>> [resolve(text) for text in ("1e-3", "no", "010", "0o17", "12:30", "2024-01-01", "~")]
        [0.001, 'no', 10, 15, '12:30', '2024-01-01', None]

    Raises:
        ValueError: when it is a number that cannot be represented; the text says why.
    """
    if text in NULLS:
        return None
    if text in BOOLEANS:
        return BOOLEANS[text]
    if text[0] not in "+-.0123456789":
        return text
    if BASED.fullmatch(text) or FLOAT.fullmatch(text):
        return number(text)
    if INFINITE.fullmatch(text):
        return -math.inf if text[0] == "-" else math.inf
    return math.nan if text in NOT_A_NUMBER else text


def number(text: str) -> int | float:
    """The value of a text that has the form of a number.

    Raises:
        ValueError: when it is too long, or leaves the range of float64.
    """
    if len(text) > LONGEST_NUMBER:
        raise ValueError(f"a number of {len(text)} characters")
    if text[:2] in ("0o", "0x"):
        return int(text, 0)
    if INTEGER.fullmatch(text):
        return int(text)
    value = float(text)
    if math.isinf(value):
        raise ValueError("a number too large for float64")
    if value == 0.0 and re.search("[1-9]", re.split("[eE]", text)[0]):
        raise ValueError("a number too small for float64")
    return value
