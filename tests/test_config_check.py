"""Values against annotated types, and types in words."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Optional

import pytest
from annotated_types import Ge, Gt, Interval, Le, Lt, MaxLen, MinLen

from dltrain import registry
from dltrain.config import Interval as Every
from dltrain.config.check import check, check_spec
from dltrain.config.resolve import Resolver
from dltrain.config.words import describe, show
from dltrain.types import Fraction, NonNegativeFloat, PositiveInt, Rate, Scheduled

ROOT = Path(__file__).parent.parent

GOOD: list[tuple[Any, Any]] = [
    (3, int),
    (-3, int),
    (3, float),
    (0.0, Rate),
    (1, Fraction),
    (10**400, int),
    (True, bool),
    ("x", str),
    (None, Optional[int]),  # noqa: UP045
    (None, int | None),
    (2, int | list[int]),
    ([2, 3], int | list[int]),
    ([], list[int]),
    ([1, "a", None], list),
    ([3, 3], tuple[int, int]),
    ([1, 2, 3], tuple[int, ...]),
    ((1, 2), list[int]),
    ({"a": 1}, dict[str, int]),
    ({"a": 1}, Mapping[str, int]),
    ({"a": [1]}, dict),
    ("b", Literal["a", "b"]),
    (2, Literal[1, 2]),
    (object, Any),
    ("1 epoch", Every),
    ("2.5 hours", Every),
    (0.1, Scheduled),
    ({"cosine": 0.1}, Scheduled),
    (5, Annotated[int, Interval(ge=1, le=5)]),
    ([1], Annotated[list[int], MinLen(1), MaxLen(2)]),
]

# value, type, what is expected, what was received
BAD: list[tuple[Any, Any, str, str]] = [
    (True, int, "a whole number", "true"),
    (False, float, "a number", "false"),
    (3.0, int, "a whole number", "3.0"),
    (3.5, PositiveInt, "a whole number of at least 1", "3.5"),
    (0, PositiveInt, "a whole number of at least 1", "0"),
    (1, Rate, "a number from 0 up to but not including 1", "1"),
    (1.01, Fraction, "a number from 0 to 1", "1.01"),
    (0, Annotated[float, Gt(0), Lt(1)], "a number above 0 and below 1", "0"),
    (7, Annotated[int, Le(6)], "a whole number at most 6", "7"),
    (float("nan"), float, "a number", "nan"),
    (float("inf"), NonNegativeFloat, "a number of at least 0", "inf"),
    (10**400, float, "a number", "1" + "0" * 58 + "…"),
    ("1e-3", float, "a number", "the text '1e-3'"),
    (1, bool, "true or false", "1"),
    ("yes", bool, "true or false", "the text 'yes'"),
    (1, str, "text", "1"),
    (None, str, "text", "nothing"),
    ("c", Literal["a", "b"], "one of 'a', 'b'", "the text 'c'"),
    (True, Literal[1, 2], "one of 1, 2", "true"),
    (3, list[int], "a list, each a whole number", "3"),
    ([1], tuple[int, int], "a list of 2: a whole number, a whole number", "a list of 1"),
    ({}, list, "a list", "an empty map"),
    ([], dict, "a map", "an empty list"),
    ([], Annotated[list[int], MinLen(1)], "a list of at least 1, each a whole number", "an empty list"),
    ("x", int | list[int], "a whole number or a list, each a whole number", "the text 'x'"),
    ("x", int | None, "a whole number", "the text 'x'"),
    (["x"], int | list[int], "a whole number", "the text 'x'"),
    ("1 epohc", Every, Every.describe(), "the text '1 epohc'"),
    (1, Every, Every.describe(), "1"),
    ([1], Scheduled, "a number of at least 0", "a list of 1"),
    (-1, Scheduled, "a number of at least 0", "-1"),
]


@pytest.mark.parametrize(("value", "annotation"), GOOD, ids=str)
def test_good_values(value: Any, annotation: Any) -> None:
    assert check(value, annotation) == []


@pytest.mark.parametrize(("value", "annotation", "expected", "got"), BAD, ids=str)
def test_bad_values(value: Any, annotation: Any, expected: str, got: str) -> None:
    (problem,) = check(value, annotation)
    assert (problem.expected, problem.got) == (expected, got)


def test_all_items_of_a_list_are_looked_at() -> None:
    problems = check(["a", 1, 2.5], list[int], ("x",))
    assert [problem.path for problem in problems] == [("x", 0), ("x", 2)]


@pytest.mark.parametrize(
    ("annotation", "words"),
    [
        (Annotated[int, Ge(2), Lt(5)], "a whole number from 2 up to but not including 5"),
        (Annotated[float, Gt(0), Le(1)], "a number above 0 and at most 1"),
        (Annotated[Any, registry.Reference("optimizer")], "the name of an optimizer"),
        (Scheduled, "a number of at least 0, or the name of a schedule"),
        (bool | None, "true or false or null"),
        (dict[str, int], "a map"),
        (Literal["a"], "'a'"),
    ],
)
def test_types_in_words(annotation: Any, words: str) -> None:
    assert describe(annotation) == words


def test_values_in_words_are_short() -> None:
    assert all(len(show(value)) < 90 for value in ("x" * 1000, 10**1000, {"x" * 500: 1}, list(range(1000))))


@pytest.mark.parametrize(
    "text", ["", "epoch", "0 epochs", "-1 epochs", "1.5 steps", "1 day", "1e3 steps", "1", "1 Epoch"]
)
def test_intervals_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        Every.parse(text)


@pytest.mark.parametrize(
    ("text", "again"), [("1 epochs", "1 epoch"), ("500steps", "500 steps"), ("2.0 hours", "2 hours")]
)
def test_intervals(text: str, again: str) -> None:
    assert str(Every.parse(text)) == again
    assert Every.parse(Every.parse(text)) == Every.parse(again)


EVERYTHING = [(kind, name) for kind in registry.kinds() for name in registry.entries(kind)]


@pytest.mark.parametrize(("kind", "name"), EVERYTHING)
def test_everything_registered_can_be_described_and_its_defaults_are_valid(kind: str, name: str) -> None:
    entry = registry.entries(kind)[name]
    for argument in entry.arguments:
        assert argument.summary, f"{argument.name} has no line in the docstring"
        assert describe(argument.annotation)
        if not argument.required and argument.default is not None:
            assert check(argument.default, argument.annotation) == [], argument
    if not any(argument.required for argument in entry.arguments):
        assert check(Resolver({}).thing(name, kind, (), ()), Annotated[Any, registry.Reference(kind)]) == []


def test_importing_configs_imports_nothing_heavy() -> None:
    heavy = "numpy", "numba", "yaml", "pydantic", "click", "rich"
    program = f"import sys, dltrain.config; print([name for name in {heavy!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("kind", ["random", "stratified"])
def test_parts_are_shares_or_whole_numbers(kind: str) -> None:
    for good in (0, 0.5, 0.99, 1, 1.0, 20):
        assert check_spec({kind: {"validation": good, "test": None}}, "split", ("data", "split")) == []
    for part in ("validation", "test"):
        (problem,) = check_spec({kind: {part: 1.5}}, "split", ("data", "split"))
        assert problem.path == ("data", "split", kind, part) and problem.what.endswith("whole number of examples")
