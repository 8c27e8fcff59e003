"""One process at a time trains in a run folder; the others are told which one."""

from __future__ import annotations

import os
import platform
import sys
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dltrain.errors import CorruptFileError, StorageError
from dltrain.runs import files

if TYPE_CHECKING:
    from filelock import FileLock

LOCK = ".lock"
HOLDER = ".holder.json"


class RunLock:
    """Holds a run folder for this process; the system lets go of it when the process ends, however it ends.

    Parameters:
        folder: the run folder

    Raises:
        StorageError: on entering, when another process holds it; the message names that process.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder, RunLock(folder):
        ...     holder(folder)["process"] == os.getpid()
        True
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self._lock: FileLock | None = None

    def __enter__(self) -> RunLock:
        self.acquire()
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def acquire(self) -> None:
        """Take the lock, clean up after killed processes and say who holds it now."""
        from filelock import FileLock, Timeout

        lock = FileLock(self.folder / LOCK, thread_local=False)
        with files.explained(self.folder, "lock the run"):
            try:
                lock.acquire(timeout=0)
            except Timeout:
                raise self._held() from None
        try:
            for place in (
                self.folder,
                *(entry for entry in self.folder.iterdir() if entry.is_dir() and not entry.is_symlink()),
            ):
                files.clean_leftovers(place)
            files.write_json(self.folder / HOLDER, this_process())
        except BaseException:
            lock.release()
            raise
        self._lock = lock

    def release(self) -> None:
        """Let go of the lock; one that is not held may be released again."""
        lock, self._lock = self._lock, None
        if lock is not None:
            with suppress(OSError):
                os.unlink(self.folder / HOLDER)
            lock.release()

    def _held(self) -> StorageError:
        who = holder(self.folder)
        text = "another process"
        if who:
            text = "process {process} on {host} since {since}: {command}".format_map(who)
        return StorageError(
            "the run is in use", where=str(self.folder), got=text, hint="wait for it or stop it, or start another run"
        )


def this_process() -> dict[str, Any]:
    """What others may want to know of a process that holds a run."""
    since = datetime.now(UTC).astimezone().isoformat(timespec="seconds")
    command = " ".join([Path(sys.argv[0]).name, *sys.argv[1:]])
    shown = "".join(letter if letter.isprintable() else " " for letter in command[:200])
    return {"process": os.getpid(), "host": platform.node(), "since": since, "command": shown}


def holder(folder: str | Path) -> dict[str, Any] | None:
    """The process that holds a run folder, from its note; None when there is none, or it is gone.

    Of a process on another host only the note is known.
    """
    try:
        note = files.read_json(Path(folder, HOLDER), limit=4096)
    except (StorageError, CorruptFileError):
        return None
    texts = [note.get(key) for key in ("host", "since", "command")] if isinstance(note, dict) else [None]
    if not (all(isinstance(text, str) and text.isprintable() for text in texts) and type(note.get("process")) is int):
        return None
    gone = note["host"] == platform.node() and not files.is_alive(note["process"])
    return None if gone else note
