"""Reads YAML texts into plain values with the line and column of every key and value.

The reading itself is in `yaml_builder`; here are files, encodings and what no text may hold.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path as FilePath

from dltrain.config.provenance import Node, Origin, Path, Refusal
from dltrain.config.words import shorten
from dltrain.config.yaml_builder import Builder, Stop, forbidden
from dltrain.errors import Problem, StorageError, UsageError

MOST_BYTES = 2**18

LINE_END = re.compile("\r\n|\r|\n")


@dataclass
class Document:
    """What was read from one text.

    Parameters:
        name: file name, as it stands in errors
        lines: its lines, for the excerpts of errors
        root: its value with positions; None when it could not be read
        flaws: what is wrong with the text itself
    """

    name: str
    lines: list[str] = field(default_factory=list)
    root: Node | None = None
    flaws: list[tuple[Problem, Origin]] = field(default_factory=list)

    def positions(self) -> dict[Path, Origin]:
        """The line and column of every key and value, by path."""
        return {path: node.origin for path, node in self.root.walk()} if self.root else {}


def read_file(path: FilePath, name: str = "") -> Document:
    """Read one YAML file.

    Parameters:
        path: the file
        name: how errors name it; default: the path

    Raises:
        UsageError: when there is no such file.
        StorageError: when it cannot be read.
    """
    name = name or str(path)
    try:
        if not path.is_file():
            what = "this is not a file" if path.exists() else "there is no such file"
            hint = "`dltrain list configs` shows the configs that come with dltrain"
            raise UsageError(what, where=shorten(name), expected="a YAML file", hint=hint)
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except (OSError, ValueError) as error:
        raise StorageError("the config cannot be read", where=shorten(name), got=str(error)) from error
    return read_bytes(data, name)


def read_bytes(data: bytes, name: str = "config") -> Document:
    """Read a YAML text in UTF-8.

    Example:
        >>> read_bytes(b"a: [1e-3, no]").root.plain()
        {'a': [0.001, 'no']}
    """
    document = Document(name)
    try:
        text = decode(data)
        document.lines = LINE_END.split(text)
        refuse_control_characters(text)
        builder = Builder(name, document.flaws)
        document.root = builder.document(text)
    except Stop as stop:
        document.root = None
        document.flaws.append((stop.problem, Origin("file", name, stop.line, stop.column, stop.line, stop.column)))
    return document


def decode(data: bytes) -> str:
    """The text of UTF-8 bytes, without a byte order mark."""
    if len(data) > MOST_BYTES:
        raise Stop(Refusal((), "the file is too large for a config", "at most 256 KiB"), 1, 1)
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise Stop(Refusal((), "the file is not in UTF-8", "UTF-8", "UTF-16", "save it as UTF-8"), 1, 1)
    data = data.removeprefix(b"\xef\xbb\xbf")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8")
        got = f"the byte 0x{data[error.start]:02x}"
        problem = Refusal((), "the file is not in UTF-8", "UTF-8", got, "save it as UTF-8")
        raise Stop(problem, *position(before)) from None


def refuse_control_characters(text: str) -> None:
    """Refuse NUL, control characters and invisible line separators."""
    found = forbidden(text)
    if found:
        got = f"the character U+{ord(found[0]):04X}"
        problem = Refusal((), "there is a control character in the file", "text", got, "remove it")
        raise Stop(problem, *position(text[: found.start()]))


def position(before: str) -> tuple[int, int]:
    """Line and column, from 1, of what follows a text."""
    lines = LINE_END.split(before)
    return len(lines), len(lines[-1]) + 1
