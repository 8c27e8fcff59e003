"""Decoded pictures in a file that is mapped into memory, so that a set may be larger than it.

The file is a head, a mark for each picture, and the pixels.  Nothing in it is believed: the head names the
files of the set with their sizes and times and is compared with what it should be, and a mark is the checksum of its
picture's pixels, which is compared whenever they are read.  What does not agree, or was never written, is decoded.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import zlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from dltrain.data.examples import Array
from dltrain.data.pictures import Form
from dltrain.runs import files

HEAD = 4096  # bytes, a page of memory
MARKED = 1 << 32  # above the checksums: a mark of 0 is that of no picture


def folder() -> Path:
    """Where caches of pictures lie: in the user's cache."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "dltrain" / "pictures"


class PictureCache:
    """The pixels of a set on disk; decoded when they are first read.

    Several processes may use one file: they write the same bytes, and what is half written has no valid mark.

    Parameters:
        path: the file, which is there
        head: what its head says: form, content and stamp of the set
        decode: (position) -> pixels (H, W, C)
    """

    def __init__(self, path: Path, head: dict[str, Any], decode: Callable[[int], Array]) -> None:
        self.form, self.content, self.decode = Form(*head["form"]), str(head["content"]), decode
        form, count = self.form, int(head["count"])
        with files.explained(path, "map the file"):
            memory = np.memmap(path, np.uint8, "r+", shape=size_of(form, count)).view(np.ndarray)
        self.marks = memory[HEAD : HEAD + 8 * count].view("<u8")  # (N,)
        self.pixels = memory[HEAD + 8 * count :].reshape(count, form.height, form.width, form.channels)

    def read(self, positions: Array) -> Array:
        """The pictures (n, H, W, C) at some positions."""
        found = np.empty((len(positions), *self.pixels.shape[1:]), np.uint8)
        for row, k in zip(found, positions.tolist(), strict=True):
            row[...] = self.pixels[k]
            if self.marks[k] != mark_of(row, k):
                row[...] = self.pixels[k] = self.decode(k)
                self.marks[k] = mark_of(row, k)
        return found


def mark_of(pixels: Array, position: int) -> int:
    """The mark of a picture at its position.

    Example:
        >>> pixels = np.zeros((1, 2, 3), np.uint8)
        >>> mark_of(pixels, 0) == mark_of(pixels, 1), mark_of(pixels, 0) >= MARKED
        (False, True)
    """
    return MARKED | zlib.crc32(pixels.data, position)


def size_of(form: Form, count: int) -> int:
    """Bytes of the file."""
    return HEAD + count * (8 + form.height * form.width * form.channels)


def kept(key: str) -> Path:
    """The file of a set, by what tells it from others: its folders and the form that is asked for."""
    return folder() / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.pixels"


def head_of(path: Path, stamp: str) -> dict[str, Any] | None:
    """The head of a file that is whole and belongs to these very pictures; None when it is not.

    Parameters:
        path: the file
        stamp: of the pictures' files, see `stamp_of`
    """
    with suppress(OSError, ValueError, TypeError, KeyError):
        with open(path, "rb") as file:
            text, _, digest = file.read(HEAD).rstrip(b"\0").rpartition(b"\n")
            size = os.fstat(file.fileno()).st_size
        if hashlib.sha256(text).hexdigest().encode() == digest:
            head: dict[str, Any] = json.loads(text)
            if head["stamp"] == stamp and size == size_of(Form(*head["form"]), head["count"]):
                return head
    return None


def create(path: Path, stamp: str, form: Form, content: str, count: int) -> dict[str, Any]:
    """Make a file without pictures in place of what is there, and return its head.

    Processes that have the old one mapped keep it.

    Raises:
        StorageError: when the disk has no room for all pictures, or may not be written to.
    """
    head = {"stamp": stamp, "form": list(form), "content": content, "count": count}
    text = json.dumps(head).encode()
    first = (text + b"\n" + hashlib.sha256(text).hexdigest().encode()).ljust(HEAD, b"\0")
    files.make_folders(path.parent)
    new = path.with_name(f".{path.name}.{os.getpid()}-{os.urandom(4).hex()}.tmp")
    try:
        with files.explained(path, "make the cache of pictures"):
            descriptor = os.open(new, files.NEW_FILE, 0o600)
            try:
                files.write_all(descriptor, first)
                allocate(descriptor, size_of(form, count))
            finally:
                os.close(descriptor)
            os.replace(new, path)
    finally:
        with suppress(OSError):
            os.unlink(new)
    return head


def allocate(descriptor: int, size: int) -> None:
    """Make a file so large, with room on the disk for all of it: a mapped file that finds none ends the process."""
    room = os.fstatvfs(descriptor)
    if room.f_bavail * room.f_frsize < size:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(descriptor, 0, size)
    else:  # macOS
        os.ftruncate(descriptor, size)
