"""What to do about the usual traps of scalars."""

from __future__ import annotations

import math
import re
import typing
from typing import Any, Literal

from dltrain.config.scalars import BOOLEANS, resolve
from dltrain.config.words import members, unwrap
from dltrain.suggest import hint


def quoted(text: str) -> Any:
    """What a text would be without its quotes."""
    try:
        return resolve(text.strip())
    except ValueError:
        return text


def advise(value: Any, annotation: Any) -> str:
    """What to do about the usual traps of scalars."""
    kind, _ = unwrap(annotation)
    kinds = {unwrap(option)[0] for option in (members(kind) or (kind,))}
    if typing.get_origin(kind) is Literal:
        texts = [str(choice) for choice in typing.get_args(kind)]
        return hint(str(value), texts) if isinstance(value, (str, int, float)) else ""
    if isinstance(value, float) and int in kinds and math.isfinite(value) and value == int(value):
        return f"write {int(value)}"
    if isinstance(value, (int, float)) and kinds == {str}:
        return "put it in quotes"
    if isinstance(value, bool) and kinds == {str}:
        return "put it in quotes"
    if not isinstance(value, str):
        return "write true or false" if kinds == {bool} else ""
    return advise_text(value, kinds)


def advise_text(text: str, kinds: set[Any]) -> str:
    """What to do about text that stands where a number or a switch should be."""
    if text.startswith("$"):
        return "$names are known inside `model:` only"
    if bool in kinds:
        yes = text.lower() in ("yes", "on", "y")
        no = text.lower() in ("no", "off", "n")
        meant = BOOLEANS.get(text, True if yes else False if no else None)
        return "write true or false" if meant is None else f"write {str(meant).lower()} without quotes"
    if not kinds & {int, float}:
        return ""
    if isinstance(quoted(text), (int, float)):
        return "take the quotes off: text is not a number"
    if re.fullmatch(r"[0-9.]+ *%", text):
        return f"write {float(text.rstrip('% ') or 0) / 100:g}" if text.count(".") < 2 else ""
    plain = re.sub(r"(?<=[0-9])[_,' ](?=[0-9])", "", text)
    if plain != text and isinstance(quoted(plain), (int, float)):
        return f"write {plain}"
    if re.fullmatch(r"[-+]?[0-9.]+ *(\*\*|\^|/|\*) *[-+]?[0-9.]+", text):
        return "nothing is calculated here: write the number itself"
    return ""
