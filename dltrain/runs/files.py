"""Every change dltrain makes to a disk: a crash, a kill or a full disk loses nothing that was there before.

All state-changing system calls of runs and checkpoints are made here and in `metrics.py`, and by the name `os.…`,
so that a test can put a recording or failing `os` in its place.
"""

from __future__ import annotations

import errno
import json
import math
import os
import re
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from dltrain.errors import CorruptFileError, StorageError

NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
LEFTOVER = re.compile(r"\..+\.(\d+)-[0-9a-f]{8}\.tmp")

ADVICE = {
    errno.ENOSPC: "free some space, or choose another folder",
    errno.EDQUOT: "your disk quota is used up: free some space, or choose another folder",
    errno.EROFS: "this file system is read-only: choose another folder",
    errno.EACCES: "give yourself permission for it, or choose another folder",
    errno.EPERM: "give yourself permission for it, or choose another folder",
    errno.EIO: "the disk reports a fault: save what you can and choose another disk",
    errno.ENOENT: "check that the folder is still there",
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.EMFILE: "too many files are open: close some, or raise the limit with `ulimit -n`",
    errno.ELOOP: "a symbolic link stands in its place: remove the link",
}


def storage_error(error: OSError, path: str | Path, action: str) -> StorageError:
    """The error of a failed system call: path, reason and what to do.

    Parameters:
        error: what the system said
        path: the file or folder it said it about
        action: what was to be done, "write the file"
    """
    name = errno.errorcode.get(error.errno or 0, "unknown")
    hint = ADVICE.get(error.errno or 0, "check the folder and its disk")
    return StorageError(f"cannot {action}", where=str(path), got=f"{error.strerror or error} ({name})", hint=hint)


@contextmanager
def explained(path: str | Path, action: str) -> Iterator[None]:
    """Turn an OSError of the block into the StorageError that explains it."""
    try:
        yield
    except OSError as error:
        raise storage_error(error, path, action) from error


def atomic_write(path: str | Path, data: bytes | bytearray | memoryview | str) -> None:
    """Write a whole file so that at any moment either the old or the new content is there, never a mixture.

    Temporary file in the same folder, all bytes, fsync, close, rename, fsync of the folder; when this returns,
    the file survives a power loss.  Others may read the file where they may read its folder; only the owner may
    write it.

    Parameters:
        path: where to; what is there is replaced (a symbolic link itself, not what it points to)
        data: the content; text becomes UTF-8

    Raises:
        StorageError: when a system call fails; the old content is then still there unless only the very last
            step, the folder's fsync, failed.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{os.urandom(4).hex()}.tmp")
    try:
        _write_new(temporary, data.encode() if isinstance(data, str) else data)
        os.replace(temporary, path)
        sync_folder(path.parent)
    except BaseException as error:
        with suppress(OSError):
            os.unlink(temporary)
        if isinstance(error, OSError):
            raise storage_error(error, path, "write the file") from error
        raise


def _write_new(path: Path, data: bytes | bytearray | memoryview) -> None:
    """Make a file that must not exist yet, and bring all its bytes to the disk."""
    mode = 0o600 | (os.stat(path.parent).st_mode & 0o044)
    descriptor = os.open(path, NEW_FILE, 0o600)
    try:
        write_all(descriptor, data)
        os.fchmod(descriptor, mode)
        os.fsync(descriptor)
    except BaseException:
        with suppress(OSError):
            os.close(descriptor)
        raise
    os.close(descriptor)  # some network file systems report a full disk only here


def write_all(descriptor: int, data: bytes | bytearray | memoryview) -> None:
    """Write all bytes, however few the system takes at a time."""
    rest = memoryview(data).cast("B")
    while rest:
        count = os.write(descriptor, rest)
        if count <= 0:
            raise OSError(errno.EIO, "the system took no more bytes")
        rest = rest[count:]


def sync_folder(folder: str | Path) -> None:
    """Make the names in a folder (new, renamed and removed files) survive a power loss."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # file systems whose folders need no fsync say so
            raise
    finally:
        os.close(descriptor)


def make_folder(path: str | Path) -> None:
    """Make a folder that must not exist yet, and make its name durable.

    Raises:
        FileExistsError: when something of this name is there.
        StorageError: when the system refuses for another reason.
    """
    path = Path(path)
    try:
        os.mkdir(path)
        sync_folder(path.parent)
    except FileExistsError:
        raise
    except OSError as error:
        raise storage_error(error, path, "make the folder") from error


def make_folders(path: Path) -> None:
    """Make a folder and those above it, as far as they are missing, and make their names durable.

    Raises:
        StorageError: when the system refuses.
    """
    if not path.is_dir() and path != path.parent:
        make_folders(path.parent)
        with suppress(FileExistsError):
            make_folder(path)


def remove_file(path: str | Path) -> None:
    """Remove a regular file; one that is gone already is fine.

    Raises:
        StorageError: when the system refuses.
    """
    with explained(path, "remove the file"), suppress(FileNotFoundError):
        os.unlink(path)


def is_regular(path: str | Path) -> bool:
    """Whether this is a regular file itself: no link, folder, pipe or device."""
    try:
        return stat.S_ISREG(os.lstat(path).st_mode)
    except OSError:
        return False


def clean_leftovers(folder: str | Path) -> list[Path]:
    """Remove temporary files that killed processes left in a folder, and say which.

    Only for the holder of the run's lock: nobody else writes there.  A file of a process that lives is kept.
    """
    gone = []
    for name in sorted(os.listdir(folder)):
        match = LEFTOVER.fullmatch(name)
        path = Path(folder, name)
        if match and is_regular(path) and (int(match[1]) == os.getpid() or not is_alive(int(match[1]))):
            with suppress(OSError):
                os.unlink(path)
                gone.append(path)
    return gone


def is_alive(process: int) -> bool:
    """Whether a process of this id runs on this machine."""
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        return True  # it is somebody else's
    return True


@contextmanager
def reader(path: str | Path, follow: bool = True) -> Iterator[BinaryIO]:
    """Open a regular file for reading; a pipe or device is refused instead of waited for.

    Parameters:
        path: the file
        follow: whether it may be a symbolic link

    Raises:
        StorageError: when it cannot be opened or read.
        CorruptFileError: when it is not a regular file.
    """
    with explained(path, "read the file"):
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | (0 if follow else os.O_NOFOLLOW))
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise CorruptFileError("this is not a file", where=str(path), expected="a regular file")
        with open(descriptor, "rb") as file:
            yield file


def read_bytes(path: str | Path, limit: int) -> bytes:
    """The content of a regular file of a run, which is never a symbolic link.

    Parameters:
        path: the file
        limit: most bytes it may have

    Raises:
        StorageError: when it cannot be read.
        CorruptFileError: when it is larger, or not a regular file.
    """
    with reader(path, follow=False) as file:
        content = file.read(limit + 1)
    if len(content) > limit:
        raise CorruptFileError("the file is too large", where=str(path), expected=f"at most {limit:,} bytes")
    return content


def plain(value: Any) -> Any:
    """The JSON form of a value: NumPy numbers as Python's, numbers that are not finite as null, tuples as lists.

    Example:
        >>> plain({"loss": float("nan"), "shape": (2, 3)})
        {'loss': None, 'shape': [2, 3]}
    """
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if hasattr(value, "tolist"):  # NumPy arrays and scalars, without importing NumPy
        return plain(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def write_json(path: str | Path, value: Any) -> None:
    """Write a small JSON file atomically, indented for human readers."""
    atomic_write(path, json.dumps(plain(value), indent=2, allow_nan=False, ensure_ascii=False) + "\n")


def read_json(path: str | Path, limit: int = 1 << 24) -> Any:
    """Read a small JSON file.

    Raises:
        StorageError: when it cannot be read.
        CorruptFileError: when it is not JSON.
    """
    return decode_json(read_bytes(path, limit), str(path))


def decode_json(data: bytes | str, where: str) -> Any:
    """Parse JSON; every kind of malformed text gives a CorruptFileError."""
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise CorruptFileError("this is not JSON", where=where, got=str(error)[:100]) from error
