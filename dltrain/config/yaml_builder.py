"""Builds the tree of one YAML text out of PyYAML's events.

The events are those of the pure Python parser (the C parser can be crashed by deep nesting).  A small,
safe part of YAML 1.2 is accepted: maps, lists and scalars.  Aliases, anchors, merges and tags, duplicate
keys, several documents and keys that are not text are refused, each in a sentence.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from dltrain.config.provenance import Node, Origin, Path, Refusal
from dltrain.config.scalars import resolve
from dltrain.config.words import shorten
from dltrain.errors import Problem

MOST_VALUES = 10_000  # bounds the time of the pure Python parser
MOST_DEPTH = 32
MOST_FLAWS = 100
LONGEST_KEY = 200

CONTROL = re.compile("[\\x00-\\x08\\x0b\\x0c\\x0e-\\x1f\\x7f-\\x9f]")
SEPARATORS = "[\u2028\u2029\ud800-\udfff\ufffe\uffff]"  # compiled at first use: that takes milliseconds

# What PyYAML's parser says: what it was looking for, and what to do.
ADVICE = (
    ("'\\t'", "spaces", "indent with spaces, not tabs"),
    (
        "mapping values are not allowed",
        "one key in a line",
        "quote text that holds ': '; a line above may lack its ':'",
    ),
    ("could not find expected ':'", "': ' behind a key", "text over several lines needs quotes"),
    ("but found '<block mapping start>'", "the indentation of the line above", "look at the indentation"),
    ("but found '-'", "the indentation of the line above", "a list stands one level below its key"),
    ("expected <block end>", "the next key or the end of this part", "look at the indentation, and for brackets above"),
    ("expected ',' or", "',' or a closing bracket", "look for a missing comma, quote or bracket"),
    ("unexpected end of stream", "the end of a quoted text", "look for a quote that is not closed"),
    ("cannot start any token", "a key or a value", "put the text in quotes"),
    ("expected the node content", "a value", "look for a value that is missing"),
    ("escape", "an escape such as \\n or \\u00e9", "use single quotes for text with backslashes"),
)
TOKENS = {
    "'?'": "a key",
    "'<block mapping start>'": "a key",
    "'<scalar>'": "text",
    "'<stream end>'": "the end of the text",
    "unexpected end of stream": "the end of the text",
    "'\\t'": "a tab",
}


class Stop(Exception):
    """The text cannot be read any further."""

    def __init__(self, problem: Problem, line: int, column: int) -> None:
        super().__init__(problem.what)
        self.problem, self.line, self.column = problem, line, column


class Builder:
    """Builds the tree of one document out of PyYAML's events.

    Parameters:
        name: file name for the origins
        flaws: receives what is wrong with the text
    """

    def __init__(self, name: str, flaws: list[tuple[Problem, Origin]]) -> None:
        self.name, self.flaws, self.count = name, flaws, 0
        self.events: Iterator[Any] = iter(())

    def document(self, text: str) -> Node | None:
        """The one document of a text; None when it is empty."""
        import yaml

        parser = yaml.SafeLoader(text)
        self.events = iter(parser.get_event, None)
        root, documents = None, 0
        try:
            for event in self.events:
                if isinstance(event, yaml.DocumentStartEvent):
                    documents += 1
                    self.refuse_document(event, documents)
                elif isinstance(event, yaml.NodeEvent):
                    root = self.node(event, (), 1, None)
        except yaml.MarkedYAMLError as error:
            raise syntax_error(error) from None
        except (ValueError, OverflowError):
            mark = parser.get_mark()
            problem = Problem((), "this is not valid YAML", "a character of Unicode", "an escape beyond it")
            raise Stop(problem, mark.line + 1, mark.column + 1) from None
        finally:
            parser.dispose()
        return root

    def refuse_document(self, event: Any, number: int) -> None:
        """Refuse a second document, and other versions of YAML."""
        if number > 1:
            raise self.stop((), event, "there are several documents in the file", "one", "'---'", "remove it")
        if event.version not in (None, (1, 2)):
            got = ".".join(map(str, event.version))
            self.flaw((), event, "this is another version of YAML", "1.2", got, "remove the line")

    def node(self, event: Any, path: Path, depth: int, key: Any) -> Node:
        """The value that starts with this event, and everything in it."""
        import yaml

        self.count += 1
        if self.count > MOST_VALUES:
            raise self.stop(path[:1], event, "there are too many values for a config", f"at most {MOST_VALUES:,}")
        if depth > MOST_DEPTH:
            raise self.stop(path[:1], event, "the nesting is too deep", f"at most {MOST_DEPTH} levels")
        self.refuse_specials(event, path)
        origin = self.origin(event, key)
        if isinstance(event, yaml.MappingStartEvent):
            return Node(self.mapping(path, depth), origin)
        if isinstance(event, yaml.SequenceStartEvent):
            return Node(self.sequence(path, depth), origin)
        return Node(None if isinstance(event, yaml.AliasEvent) else self.scalar(event, path), origin)

    def sequence(self, path: Path, depth: int) -> list[Node]:
        """The items of a list."""
        import yaml

        items: list[Node] = []
        while not isinstance(event := next(self.events), yaml.SequenceEndEvent):
            items.append(self.node(event, (*path, len(items)), depth + 1, None))
        return items

    def mapping(self, path: Path, depth: int) -> dict[str, Node]:
        """The keys and values of a map; a key that stands twice keeps its first value."""
        import yaml

        items: dict[str, Node] = {}
        while not isinstance(event := next(self.events), yaml.MappingEndEvent):
            key = self.key(event, path, depth)
            child = self.node(next(self.events), (*path, key), depth + 1, event)
            if key in items:
                first = f"{key!r} again, first in line {items[key].origin.key_line}"
                self.flaw((*path, key), event, "this key stands twice", "each key once", first, "remove one of the two")
            else:
                items[key] = child
        return items

    def key(self, event: Any, path: Path, depth: int) -> str:
        """The name of a key; what is no name is reported and gets a stand-in."""
        import yaml

        if not isinstance(event, yaml.ScalarEvent):
            got = "a list" if isinstance(event, yaml.SequenceStartEvent) else "a map"
            raise self.stop(
                path, event, "this is not a key", "a name", got, "put text that starts with [ or { in quotes"
            )
        self.refuse_specials(event, path)
        name = str(event.value)
        if event.style is None and name == "<<":
            hint = "use `extends:` or `model.vars` for what repeats"
            self.refuse((*path, name), event, "merges are not allowed", "<<", hint)
        elif len(name) > LONGEST_KEY or not name.isprintable():
            expected = f"at most {LONGEST_KEY} characters, all of them visible"
            raise self.stop(path, event, "this key cannot be used", expected, f"{len(name)} characters")
        elif event.style is None and not isinstance(self.scalar(event, (*path, name)), str):
            got = shorten(name) or "nothing"
            self.flaw((*path, name), event, "this key is not text", "a name", got, "put it in quotes if it is meant")
        return name

    def scalar(self, event: Any, path: Path) -> Any:
        """The value of a scalar: quoted and block scalars are text."""
        text = event.value
        try:
            value = resolve(text) if event.style is None else text
        except ValueError as error:
            self.flaw(path, event, "this number cannot be used", "a number within the range of float64", str(error))
            return None
        found = forbidden(text) if event.style == '"' else None
        if found:
            got = f"U+{ord(found[0]):04X}"
            self.refuse(path, event, "there is a control character in this text", got, "remove it")
        return value

    def refuse_specials(self, event: Any, path: Path) -> None:
        """Report tags, anchors and aliases."""
        import yaml

        hint = "use `model.vars`, `model.blocks` or `extends:` for what repeats"
        if isinstance(event, yaml.AliasEvent):
            self.refuse(path, event, "aliases are not allowed", shorten(f"*{event.anchor}"), hint)
        elif event.anchor is not None:
            self.refuse(path, event, "anchors are not allowed", shorten(f"&{event.anchor}"), hint)
        tag = getattr(event, "tag", None)
        if tag is not None:
            got = shorten(tag.replace("tag:yaml.org,2002:", "!!"))
            self.refuse(path, event, "tags are not allowed", got, "remove the tag")

    def origin(self, event: Any, key: Any) -> Origin:
        """The position of a value and of its key."""
        mark = event.start_mark
        if key is None:
            return Origin("file", self.name, mark.line + 1, mark.column + 1)
        at = key.start_mark
        return Origin("file", self.name, mark.line + 1, mark.column + 1, at.line + 1, at.column + 1)

    def flaw(self, path: Path, event: Any, what: str, expected: str = "", got: str = "", hint: str = "") -> None:
        """Note something wrong, and go on."""
        self.note(event, Problem(path, what, expected, got, hint))

    def refuse(self, path: Path, event: Any, what: str, got: str, hint: str) -> None:
        """Note something that no honest config has, and go on."""
        self.note(event, Refusal(path, what, "a plain value", got, hint))

    def note(self, event: Any, problem: Problem) -> None:
        """Note a problem at an event; too many of them end the reading."""
        self.flaws.append((problem, self.origin(event, None)))
        if len(self.flaws) > MOST_FLAWS:
            what = "the rest of the file was not read"
            raise self.stop(problem.path, event, what, f"at most {MOST_FLAWS} problems")

    def stop(self, path: Path, event: Any, what: str, expected: str = "", got: str = "", hint: str = "") -> Stop:
        """Something wrong after which reading cannot go on."""
        mark = event.start_mark
        return Stop(Refusal(path, what, expected, got, hint), mark.line + 1, mark.column + 1)


def forbidden(text: str) -> re.Match[str] | None:
    """The first character that no config may hold: control characters, line separators, half characters."""
    return CONTROL.search(text) or (None if text.isascii() else re.search(SEPARATORS, text))


def syntax_error(error: Any) -> Stop:
    """What PyYAML's parser did not understand, as a problem."""
    mark = error.problem_mark or error.context_mark
    said = " ".join(part for part in (error.context, error.problem) if part)
    expected, hint = next(
        ((right, advice) for sign, right, advice in ADVICE if sign in said), ("one value, list or map", "")
    )
    found = re.search(r"but (?:found|got) ('.*')|character ('.*') that", str(error.problem))
    got = (found[1] or found[2]) if found else str(error.problem or said).removeprefix("found ")
    problem = Problem((), "this is not valid YAML", expected, shorten(TOKENS.get(got, got), 100), hint)
    return Stop(problem, mark.line + 1, mark.column + 1) if mark else Stop(problem, 1, 1)
