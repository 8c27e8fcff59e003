"""Where every value of a config was written, and how to show that place."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from dltrain.errors import Problem, sentence

Path = tuple["str | int", ...]

WIDEST = 120  # columns of a source line that are shown
MOST_SHOWN = 50  # problems
LONGEST = 250  # characters of one part of a sentence


@dataclass(frozen=True, slots=True)
class Origin:
    """The place a value comes from.

    Parameters:
        kind: "file", "command line", "python", "default" or "inferred"
        file: the file as it was named, or the command line option as it was typed
        line: line of the value, from 1; 0 where there is no text
        column: column of the value, from 1
        key_line: line of the value's key, where it has one
        key_column: column of the value's key
    """

    kind: str
    file: str = ""
    line: int = 0
    column: int = 0
    key_line: int = 0
    key_column: int = 0

    def __str__(self) -> str:
        if self.kind == "file" and self.line:
            return f"{self.file}:{self.line}:{self.column}"
        return self.file or self.kind

    def short(self) -> str:
        """The place without the folder of its file.

        Example:
            >>> Origin("file", "configs/iris.yaml", 3, 9).short()
            'iris.yaml:3:9'
        """
        text = str(self)
        return text.rpartition("/")[2] if self.kind == "file" else text

    def at_key(self) -> Origin:
        """The place of the key instead of the value."""
        if not self.key_line:
            return self
        return Origin(self.kind, self.file, self.key_line, self.key_column, self.key_line, self.key_column)


class Refusal(Problem):
    """A problem no honest config has: the file is damaged, or made to do harm."""


DEFAULT = Origin("default")
INFERRED = Origin("inferred")


@dataclass(slots=True)
class Node:
    """A value of a config with its origin: a scalar, a dict of nodes or a list of nodes."""

    value: Any
    origin: Origin

    def plain(self) -> Any:
        """The value as plain dicts, lists and scalars."""
        if isinstance(self.value, dict):
            return {key: child.plain() for key, child in self.value.items()}
        if isinstance(self.value, list):
            return [child.plain() for child in self.value]
        return self.value

    def walk(self, path: Path = ()) -> Iterator[tuple[Path, Node]]:
        """This node and all below it, with their paths, in the order of the file."""
        yield path, self
        if isinstance(self.value, dict):
            for key, child in self.value.items():
                yield from child.walk((*path, key))
        elif isinstance(self.value, list):
            for index, child in enumerate(self.value):
                yield from child.walk((*path, index))


@dataclass
class Provenance:
    """The origins of all values of a config, and the texts they were read from.

    Parameters:
        written: origin of every value as it was written
        filled: origin of every value of the resolved config
        texts: the lines of every file and option that was read
    """

    written: dict[Path, Origin] = field(default_factory=dict)
    filled: dict[Path, Origin] = field(default_factory=dict)
    texts: dict[str, list[str]] = field(default_factory=dict)

    def add(self, name: str, lines: list[str]) -> None:
        """Remember the lines of a text, to show them in errors."""
        self.texts[name] = lines

    def origin(self, path: Path) -> Origin:
        """Where the value at this path (of the config as written, or resolved) came from."""
        return self.written.get(path) or self.filled.get(path) or DEFAULT

    def place(self, path: Path, at_key: bool = False) -> Origin:
        """The nearest written place to a path: the value itself, else the innermost thing it belongs to."""
        for length in range(len(path), -1, -1):
            origin = self.written.get(path[:length]) or self.filled.get(path[:length])
            if origin is not None and origin.kind not in ("default", "inferred"):
                inner = length < len(path) and length > 0
                return origin.at_key() if (at_key or inner) else origin
        return DEFAULT

    def located(self, problem: Problem, origin: Origin | None = None) -> str:
        """One problem as text: place, sentence, and the source line with a caret."""
        origin = origin or self.place(problem.path, problem.at_key)
        where = printable(str(origin)) if origin.line or origin.kind in ("command line", "python") else ""
        parts = ": ".join(part for part in (where, tidy(problem.dotted)) if part)
        what, expected, got, hint = map(tidy, (problem.what, problem.expected, problem.got, problem.hint))
        text = sentence(what, where=parts, expected=expected, got=got, hint=hint)
        return "\n".join([text, *self.excerpt(origin)])

    def excerpt(self, origin: Origin) -> list[str]:
        """The line of a place and, below it, a caret; nothing where there is no text."""
        lines = self.texts.get(origin.file, [])
        if not 0 < origin.line <= len(lines):
            return []
        line, column = printable(lines[origin.line - 1].replace("\t", " ")), origin.column - 1
        start = max(0, column - WIDEST // 2) if len(line) > WIDEST else 0
        shown = ("…" if start else "") + line[start : start + WIDEST] + ("…" if len(line) > start + WIDEST else "")
        margin = f"{origin.line:6} | " if origin.kind == "file" else "       | "
        return [margin + shown, "       | " + " " * (column - start + bool(start)) + "^"]

    def report(self, problems: Iterable[tuple[Problem, Origin | None]]) -> str:
        """All problems as text, in the order of the files."""
        placed = [(p, o or self.place(p.path, p.at_key)) for p, o in problems]
        order = {name: index for index, name in enumerate(self.texts)}
        placed.sort(key=lambda pair: (order.get(pair[1].file, len(order)), pair[1].line, pair[1].column))
        texts = [self.located(problem, origin) for problem, origin in placed[:MOST_SHOWN]]
        return "\n".join([*texts, *([f"… and {more} more"] if (more := len(placed) - MOST_SHOWN) > 0 else [])])


def tidy(text: str) -> str:
    """A text for one line: not too long, and without characters that change the screen."""
    text = printable(text)
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def printable(text: str) -> str:
    """A text with a dot in place of each character that does not print: control codes, odd spaces, line ends."""
    return text if text.isprintable() else "".join(c if c.isprintable() else "·" for c in text)
