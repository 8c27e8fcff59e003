"""The journal of a sweep: JSON lines that only grow, each with a checksum, written by one process at a time."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dltrain.errors import CorruptFileError, StorageError
from dltrain.runs import files
from dltrain.runs.metrics import LARGEST_LOG

CHECK = "check"
DIGITS = 16  # of the checksum, in hexadecimal
PATIENCE = 60.0  # seconds that a process waits for another one's entry, which takes milliseconds
OPEN = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC


class Journal:
    """All that happened in a sweep, in order.

    A line is a JSON object whose last key, `check`, is the beginning of the SHA-256 of the line without it.  A last
    line that a kill left without its end is dropped by the next writer; any other that does not prove itself is an
    error.

    Parameters:
        path: the file
        lock: the lock file of its writers
        leases: folder of the locks of the trials; default: beside it

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     journal = Journal(Path(folder, "journal.jsonl"), Path(folder, ".lock"))
        ...     with journal.writing() as append:
        ...         append({"event": "asked", "trial": 1})
        ...     list(journal.read())
        [{'event': 'asked', 'trial': 1}]
    """

    poll = 0.05  # seconds between two looks of a leader

    def __init__(self, path: Path, lock: Path, leases: Path | None = None) -> None:
        self.path, self.lock, self.leases = path, lock, leases or path.parent
        self.offset = self.lines = 0  # of what was read

    def read(self) -> Iterator[dict[str, Any]]:
        """The records since the last call; all of them at first.

        Raises:
            StorageError: when the file cannot be read.
            CorruptFileError: when a line does not prove itself.
        """
        if not os.path.lexists(self.path):
            return
        with files.reader(self.path, follow=False) as file:
            file.seek(self.offset)
            *lines, _ = file.read(LARGEST_LOG).split(b"\n")
        for line in lines:
            self.lines += 1
            record = proven(line, f"{self.path}:{self.lines}")
            self.offset += len(line) + 1
            yield record

    @contextmanager
    def writing(self) -> Iterator[Any]:
        """Within it no other process writes; gives the function that appends a record and brings it to the disk.

        Raises:
            StorageError: when another process does not end its entry, or the system refuses.
        """
        from filelock import FileLock, Timeout

        lock = FileLock(self.lock)
        with files.explained(self.lock, "lock the journal"):
            try:
                lock.acquire(timeout=PATIENCE)
            except Timeout:
                hint = "stop the process that hangs, and resume the sweep"
                raise StorageError("the journal is in use", where=str(self.path), hint=hint) from None
        try:
            yield self._append
        finally:
            lock.release()

    def lease(self, trial: int) -> Any:
        """The lock of a trial, taken; None when another process holds it."""
        from filelock import FileLock, Timeout

        lock = FileLock(self.leases / f"trial-{trial:04d}.lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            return None
        return lock

    def _append(self, record: Mapping[str, Any]) -> None:
        with files.explained(self.path, "write the journal"):
            descriptor = os.open(self.path, OPEN, 0o644)
            try:
                end = whole = os.fstat(descriptor).st_size
                if end and os.pread(descriptor, 1, end - 1) != b"\n":
                    whole = os.pread(descriptor, end, 0).rfind(b"\n") + 1
                    os.ftruncate(descriptor, whole)
                try:
                    files.write_all(descriptor, signed(record))
                except OSError:
                    os.ftruncate(descriptor, whole)  # half a line would spoil the next one
                    raise
                os.fsync(descriptor)
            finally:
                os.close(descriptor)


def signed(record: Mapping[str, Any]) -> bytes:
    """A record as a line with its checksum."""
    text = json.dumps(files.plain(record), allow_nan=False, ensure_ascii=False)
    return f"{text[:-1]}, {json.dumps(CHECK)}: {json.dumps(checksum(text))}}}\n".encode()


def checksum(text: str) -> str:
    """The beginning of a text's SHA-256."""
    return hashlib.sha256(text.encode()).hexdigest()[:DIGITS]


def proven(line: bytes, where: str) -> dict[str, Any]:
    """The record of a line.

    Raises:
        CorruptFileError: when it is not the line that was written.
    """
    record = files.decode_json(line, where)
    if isinstance(record, dict):
        record.pop(CHECK, None)
        if signed(record) == line + b"\n":
            return record
    hint = "restore the file from a copy, or start a new sweep"
    raise CorruptFileError("this line of the journal is damaged", where=where, expected="its checksum", hint=hint)
