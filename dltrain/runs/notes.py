"""What people say of a run: its tags and a note, in `notes.json` beside its results."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from dltrain.errors import CorruptFileError, UsageError
from dltrain.runs import files
from dltrain.runs.folder import RunFolder

NAME = "notes.json"
TAG = re.compile(r"[^\W\d_][\w.-]{0,63}")  # begins with a letter, so that none looks like a number or an option
LONGEST = 10_000  # letters of a note


@dataclass(frozen=True)
class Notes:
    """What was said of a run.

    Parameters:
        tags: words that runs are found by, in alphabetical order
        note: a text
    """

    tags: tuple[str, ...] = ()
    note: str = ""


def read_notes(run: RunFolder) -> Notes:
    """What was said of a run; nothing where there is no file.

    Raises:
        CorruptFileError: when the file holds something else.
        StorageError: when it cannot be read.
    """
    path = run.path / NAME
    if not files.is_regular(path):
        return Notes()
    found: Any = files.read_json(path, limit=1 << 20)
    tags, note = (found.get("tags", []), found.get("note", "")) if isinstance(found, dict) else (None, None)
    if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags) or not isinstance(note, str):
        expected = '{"tags": ["word", …], "note": "text"}'
        raise CorruptFileError("these are no notes of a run", where=str(path), expected=expected, hint="remove it")
    return Notes(tuple(sorted(set(tags))), note)


def tag(run: RunFolder, added: Iterable[str] = (), removed: Iterable[str] = ()) -> Notes:
    """Add tags to a run and take others from it; one that it has, or lacks, already is no error.

    Raises:
        UsageError: when a tag has no such form.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as root:
        ...     run = RunFolder.create(root, "digits")
        ...     _ = tag(run, ["good", "baseline"])
        ...     tag(run, removed=["good"])
        Notes(tags=('baseline',), note='')
    """
    added = list(added)
    for word in added:
        if TAG.fullmatch(word) is None:
            expected = "a letter, and then up to 63 letters, digits, '.', '_' or '-'"
            raise UsageError("this is no tag", where=run.name, expected=expected, got=repr(word))
    before = read_notes(run)
    return _write(run, Notes(tuple(sorted({*before.tags, *added} - set(removed))), before.note))


def annotate(run: RunFolder, text: str) -> Notes:
    """Give a run a note in place of its old one; an empty one removes it.

    Raises:
        UsageError: when it is too long.
    """
    text = text.strip()
    if len(text) > LONGEST:
        got = f"{len(text):,} letters"
        raise UsageError("this note is too long", where=run.name, expected=f"at most {LONGEST:,} letters", got=got)
    return _write(run, Notes(read_notes(run).tags, text))


def _write(run: RunFolder, notes: Notes) -> Notes:
    files.write_json(run.path / NAME, {"tags": list(notes.tags), "note": notes.note})
    return notes
