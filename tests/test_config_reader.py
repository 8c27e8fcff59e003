"""YAML texts: scalars, structure, positions, and writing them back."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dltrain.config.yaml_reader import Document, read_bytes
from dltrain.config.yaml_writer import dump


def read(text: str) -> Any:
    document = read_bytes(text.encode())
    assert not document.flaws, document.flaws
    assert document.root is not None
    return document.root.plain()


def flaw(text: str | bytes) -> tuple[str, str]:
    """The sentence of the first flaw, and its place."""
    document = read_bytes(text if isinstance(text, bytes) else text.encode(), "x.yaml")
    problem, origin = document.flaws[0]
    return " | ".join((problem.what, problem.expected, problem.got, problem.hint)), str(origin)


# The 25 scalar traps of figure B2: YAML 1.1, or PyYAML, reads most of them as something else.
TRAPS: list[tuple[str, Any]] = [
    ("1e-3", 0.001),
    ("1E5", 100000.0),
    ("+1.5e+3", 1500.0),
    ("1.", 1.0),
    (".5", 0.5),
    ("no", "no"),
    ("Yes", "Yes"),
    ("on", "on"),
    ("OFF", "OFF"),
    ("y", "y"),
    ("True", True),
    ("010", 10),
    ("0o17", 15),
    ("0x1f", 31),
    ("0b11", "0b11"),
    ("1_000", "1_000"),
    ("12:30", "12:30"),
    ("190:20:30", "190:20:30"),
    ("2024-01-01", "2024-01-01"),
    ("2024-13-99", "2024-13-99"),
    ("=", "="),
    ("~", None),
    (".inf", math.inf),
    ("-.INF", -math.inf),
    ("'1e-3'", "1e-3"),
]


@pytest.mark.parametrize(("text", "value"), TRAPS)
def test_scalar_traps(text: str, value: Any) -> None:
    assert len(TRAPS) == 25
    found = read(f"a: {text}")["a"]
    assert found == value and type(found) is type(value)


def test_nan() -> None:
    assert math.isnan(read("a: .NaN")["a"])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: 1e999", "a number too large for float64"),
        ("a: 1e-999", "a number too small for float64"),
        ("a: 0e-999", ""),
        ("a: " + "1" * 300, ""),
        ("a: " + "1" * 500, "a number of 500 characters"),
    ],
)
def test_numbers_out_of_range_are_refused(text: str, said: str) -> None:
    flaws = read_bytes(text.encode()).flaws
    assert [problem.got for problem, _ in flaws] == ([said] if said else [])


@pytest.mark.parametrize(
    ("text", "said", "place"),
    [
        ("a: 1\nb: 2\na: 3\n", "this key stands twice", "x.yaml:3:1"),
        ("a: 1\nb: {c: 1, c: 2}\n", "again, first in line 2", "x.yaml:2:11"),
        ("1: 2", "this key is not text", "x.yaml:1:1"),
        ("a:\n  true: 2", "this key is not text", "x.yaml:2:3"),
        ("? [a, b]\n: 1", "this is not a key | a name | a list", "x.yaml:1:3"),
        ("a: &x 1", "anchors are not allowed", "x.yaml:1:4"),
        ("a: *x", "aliases are not allowed", "x.yaml:1:4"),
        ("<<: {a: 1}", "merges are not allowed", "x.yaml:1:1"),
        ("a: !!python/object/apply:os.system [ls]", "!!python/object/apply:os.system", "x.yaml:1:4"),
        ("a: !mine 1", "tags are not allowed", "x.yaml:1:4"),
        ("a: 1\n---\nb: 2", "several documents", "x.yaml:2:1"),
        ("%YAML 1.1\n---\na: 1", "another version of YAML", "x.yaml:1:1"),
        ("a:\n\tb: 1", "a tab | indent with spaces", "x.yaml:2:1"),
        ("a: b: c", "not valid YAML", "x.yaml:1:5"),
        ("a: 'x", "a quote that is not closed", "x.yaml:1:6"),
        ("a: [1, 2\nb: 3", "a missing comma, quote or bracket", "x.yaml:2:2"),
        ("a: @x", "put the text in quotes", "x.yaml:1:4"),
        ('a: "\\q"', "single quotes", "x.yaml:1:6"),
        ('a: "\\UFFFFFFFF"', "an escape beyond it", "x.yaml:1:7"),
        ('a: "\\0"', "control character", "x.yaml:1:4"),
        ('a: "\\ud800"', "control character", "x.yaml:1:4"),
        ("a: \x00", "U+0000", "x.yaml:1:4"),
        ("a: 1\nb: \x1b[31m", "U+001B", "x.yaml:2:4"),
        ("a: \u2028", "U+2028", "x.yaml:1:4"),
        (b"a: 1\nbc: \xe9", "0xe9", "x.yaml:2:5"),
        (b"\xff\xfea\x00", "UTF-16", "x.yaml:1:1"),
        ("? |\n  a\n  b\n: 1", "this key cannot be used", "x.yaml:1:3"),
        ("[" * 40, "nesting is too deep", "x.yaml:1:33"),
    ],
)
def test_structure_is_refused_with_its_place(text: str | bytes, said: str, place: str) -> None:
    sentence, where = flaw(text)
    assert said in sentence
    assert where == place


def test_all_flaws_of_a_text_are_noted() -> None:
    document = read_bytes(b"a: &x 1\nb: !t 2\nb: 3\n1: 4\nc: 1e999\n")
    assert [origin.line for _, origin in document.flaws] == [1, 2, 3, 4, 5]


def test_byte_order_mark_and_line_ends() -> None:
    assert read_bytes(b"\xef\xbb\xbfa: 1\r\nb: 2\r").root.plain() == {"a": 1, "b": 2}  # type: ignore[union-attr]


def test_empty_text_has_no_root() -> None:
    assert read_bytes(b"# nothing\n") == Document("config", ["# nothing", ""], None, [])


def test_positions_of_keys_and_values() -> None:
    text = "train:\n  epochs: 3\nmodel:\n  graph:\n    y: [dense: 8, relu]\n"
    positions = read_bytes(text.encode(), "x.yaml").positions()
    found = {path: (o.line, o.column, o.key_line, o.key_column) for path, o in positions.items()}
    assert found == {
        (): (1, 1, 0, 0),
        ("train",): (2, 3, 1, 1),
        ("train", "epochs"): (2, 11, 2, 3),
        ("model",): (4, 3, 3, 1),
        ("model", "graph"): (5, 5, 4, 3),
        ("model", "graph", "y"): (5, 8, 5, 5),
        ("model", "graph", "y", 0): (5, 9, 0, 0),
        ("model", "graph", "y", 0, "dense"): (5, 16, 5, 9),
        ("model", "graph", "y", 1): (5, 19, 0, 0),
    }


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**30), 10**30),
    st.floats(allow_nan=False),
    st.text(
        st.characters(blacklist_categories=["Cs", "Cc"], blacklist_characters="\u2028\u2029\ufffe\uffff"), max_size=12
    ),
    st.sampled_from(
        ["1e-3", "no", "null", "~", "", " a", "a ", "a: b", "# c", "- d", "---", "[x", "$k=3", "0o7", "x\ny\tz"]
    ),
)
KEYS = st.text("abcdef_ $:#-[", min_size=1, max_size=8)
TREES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4), max_leaves=30
)


@given(st.dictionaries(KEYS, TREES, min_size=1, max_size=5))
@settings(max_examples=200, deadline=None)
def test_dump_is_read_back_equal(tree: dict[str, Any]) -> None:
    found = read(dump(tree))
    assert found == tree
    assert repr(found) == repr(tree)  # also the types: 1 is not 1.0 or true


def test_dump_refuses_what_is_not_plain() -> None:
    with pytest.raises(TypeError, match="plain data"):
        dump({"a": object()})
