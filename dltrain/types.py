"""Types of constructor parameters: a Python type, the range it must lie in, or the registry it refers to.

They are read by `registry.arguments_of`; the config checker, `dltrain explain` and the JSON Schema
take ranges and references from them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Any, NamedTuple

from annotated_types import Ge, Gt, Le, Lt

from dltrain.registry import Reference


@dataclass(frozen=True)
class Words:
    """A mark on a type: how errors and documentation describe it."""

    words: str


@dataclass(frozen=True)
class Form:
    """A mark on text: it must match a pattern.

    Parameters:
        pattern: regular expression for the whole text
        words: the form in words, for errors
        example: such a text
    """

    pattern: str
    words: str
    example: str

    def problem(self, value: str) -> str:
        """What is wrong with the text; empty when nothing is."""
        return "" if re.fullmatch(self.pattern, value) else "this text has the wrong form"


PositiveInt = Annotated[int, Ge(1)]
NonNegativeInt = Annotated[int, Ge(0)]
PositiveFloat = Annotated[float, Gt(0)]
Epsilon = Annotated[float, Ge(1e-30)]  # what keeps a division finite must be more than zero in float32 too
NonNegativeFloat = Annotated[float, Ge(0)]
Rate = Annotated[float, Ge(0), Lt(1)]  # a share that may not be everything: dropout, momentum, beta
Fraction = Annotated[float, Ge(0), Le(1)]
SomeText = Annotated[str, Form(r"[\s\S]+", "text of a character or more", ";")]

Initializer = Annotated[Any, Reference("initializer")]
Scheduled = Annotated[Any, Reference("schedule", literal=NonNegativeFloat)]  # a number, or a schedule of it
ScheduledRate = Annotated[Any, Reference("schedule", literal=Rate)]
Numbers = Annotated[
    float | list[float] | list[list[float]], Words("a number, a list of numbers, or a list of rows of numbers")
]


class Need(NamedTuple):
    """What a task needs of a target.

    Parameters:
        kind: classes, binary (two classes), values (numbers), labels (any number of labels a sample), masks (a class
            for each pixel) or steps (0 or 1 for each step)
        columns: names or positions of the targets it takes; none: all that the source gives
        ignore: the label of samples whose class is not known
        separator: what stands between the labels of a sample in text
        classes: the names by which the source numbers its labels, the ignored one among them; none: it does not
        prepare: specs of the preparations of the numbers that one of several heads learns
    """

    kind: str
    columns: tuple[str | int, ...] = ()
    ignore: str | int | None = None
    separator: str | None = None
    classes: tuple[str, ...] = ()
    prepare: tuple[Any, ...] = ()

    def plain(self) -> dict[str, Any]:
        """As JSON values; `Need(**plain)` makes it again."""
        lists = {key: list(getattr(self, key)) for key in ("columns", "classes", "prepare")}
        return {**self._asdict(), **lists}
