"""The metric log: JSON lines that only grow, whose offset is in every checkpoint, and that survive any kill."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dltrain.errors import CorruptFileError
from dltrain.runs import files

APPEND = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
LARGEST_LOG = 1 << 30
TAIL = 1 << 16


class MetricLog:
    """An append-only file of JSON lines.

    The content of a metric log depends on the training only, never on the clock: a resumed run writes the same
    bytes as an unbroken one.  Times go to a second log, `timing.jsonl`.  A last line that a kill left without
    its end is dropped when the log is opened.

    Parameters:
        path: the file; made when it is not there

    Raises:
        StorageError: when it cannot be opened.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder, MetricLog(Path(folder, "metrics.jsonl")) as log:
        ...     log.append({"epoch": 1, "loss": 0.5})
        ...     offset = log.sync()                 # goes into the checkpoint
        ...     log.append({"epoch": 2, "loss": 0.25})
        ...     log.truncate(offset)                # a resumed run starts here
        ...     read_log(log.path)
        [{'epoch': 1, 'loss': 0.5}]
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        with files.explained(self.path, "open the log"):
            self._descriptor = os.open(self.path, APPEND, 0o644)
            self.offset = os.fstat(self._descriptor).st_size  # of the end, in bytes
            whole = self._end_of_last_line()
            if whole < self.offset:
                self._cut(whole)
            files.sync_folder(self.path.parent)

    def __enter__(self) -> MetricLog:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def append(self, record: Mapping[str, Any]) -> None:
        """Add one line; numbers that are not finite become null.

        Raises:
            StorageError: when it cannot be written; the log then ends where it ended before.
        """
        line = json.dumps(files.plain(record), allow_nan=False, ensure_ascii=False).encode() + b"\n"
        with files.explained(self.path, "write the log"):
            try:
                files.write_all(self._descriptor, line)
            except OSError:
                os.ftruncate(self._descriptor, self.offset)  # half a line would spoil the next one
                raise
        self.offset += len(line)

    def sync(self) -> int:
        """Bring all lines to the disk and return the offset of the end, for the checkpoint that follows."""
        with files.explained(self.path, "write the log"):
            os.fsync(self._descriptor)
        return self.offset

    def truncate(self, offset: int) -> None:
        """Drop everything after a checkpoint's offset.

        Raises:
            CorruptFileError: when the log is shorter, or no line ends there.
        """
        with files.explained(self.path, "cut the log"):
            inside = 0 <= offset <= self.offset
            if not inside or (offset > 0 and os.pread(self._descriptor, 1, offset - 1) != b"\n"):
                raise CorruptFileError(
                    "the log does not belong to this checkpoint",
                    where=str(self.path),
                    expected=f"a line that ends at byte {offset}",
                    got=f"{self.offset} bytes",
                    hint="resume from another checkpoint, or start a new run",
                )
            self._cut(offset)

    def close(self) -> None:
        """Close the file; a closed log may be closed again."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            with files.explained(self.path, "write the log"):
                os.close(descriptor)

    def _cut(self, offset: int) -> None:
        os.ftruncate(self._descriptor, offset)
        self.offset = offset

    def _end_of_last_line(self) -> int:
        """Offset after the last newline of the file."""
        end = self.offset
        while end > 0:
            start = max(0, end - TAIL)
            found = os.pread(self._descriptor, end - start, start).rfind(b"\n")
            if found >= 0:
                return start + found + 1
            end = start
        return 0


def read_log(path: str | Path) -> list[dict[str, Any]]:
    """All whole lines of a log; one that a kill left without its end is dropped, a missing file is an empty log.

    Raises:
        StorageError: when it cannot be read.
        CorruptFileError: when a line is not a JSON object.
    """
    if not os.path.lexists(path):
        return []
    *lines, _ = files.read_bytes(path, LARGEST_LOG).split(b"\n")
    records = [files.decode_json(line, f"{path}:{number}") for number, line in enumerate(lines, 1)]
    for number, record in enumerate(records, 1):
        if not isinstance(record, dict):
            raise CorruptFileError("this line is not a record", where=f"{path}:{number}", expected="a JSON object")
    return records


def as_map(value: Any) -> dict[str, Any]:
    """A map of a file that anyone may have written, or an empty one."""
    return value if isinstance(value, dict) else {}


def numbers(value: Any) -> dict[str, float]:
    """The numbers of a map that a float holds.

    Example:
        >>> numbers({"loss": 0.5, "accuracy": None, "name": "a"}), numbers("x")
        ({'loss': 0.5}, {})
    """
    return {
        str(key): float(one)
        for key, one in as_map(value).items()
        if isinstance(one, (int, float)) and not isinstance(one, bool) and abs(one) <= sys.float_info.max
    }
