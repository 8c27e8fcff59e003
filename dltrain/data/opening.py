"""Opening data files: plain or gzipped, never a pipe or device, never more unpacked than is plausible."""

from __future__ import annotations

import gzip
import io
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from dltrain.errors import CorruptFileError, DataError
from dltrain.runs import files

RATIO = 100  # most unpacked bytes for each packed one; pictures and tables stay far below
FLOOR = 1 << 24  # a file may always unpack to this many bytes
PIECE = 1 << 24  # bytes read in one go: between two of them a signal is heard


def allowance(packed: int) -> int:
    """How many bytes something packed may unpack to."""
    return max(FLOOR, RATIO * packed)


def check_file(path: Path) -> None:
    """Raise a DataError when there is nothing at a path, or a folder."""
    with files.explained(path, "read the file"):
        there, folder = path.exists(), path.is_dir()
    if not there:
        raise DataError(
            "there is no such file", where=str(path), expected="a data file", hint="check its name and folder"
        )
    if folder:
        raise DataError("this is a folder", where=str(path), expected="a file", hint="name a file in it")


@contextmanager
def stream(path: Path) -> Iterator[tuple[BinaryIO, int]]:
    """Open a file for reading; gzip is recognised by its first two bytes.

    Returns:
        The stream, and how many bytes it may give at most.

    Raises:
        DataError: when there is none, or a folder.
        StorageError: when it cannot be read.
        CorruptFileError: when it is not a regular file, or its packing is damaged.
    """
    check_file(path)
    with files.reader(path) as file:
        size = os.fstat(file.fileno()).st_size
        packed = file.read(2) == b"\x1f\x8b"
        if packed and size > 18:
            file.seek(-4, os.SEEK_END)  # a gzip file ends in its unpacked size: an honest bomb is refused unopened
            if int.from_bytes(file.read(4), "little") > allowance(size):
                raise too_large(path, allowance(size), "the gzip file is cut off, or unpacks to too much")
        file.seek(0)
        if not packed:
            yield file, size
            return
        try:
            with io.BufferedReader(cast(io.RawIOBase, gzip.GzipFile(fileobj=file)), 1 << 17) as unpacked:
                yield cast(BinaryIO, unpacked), allowance(size)
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            reason = str(error).partition("\n")[0]
            raise CorruptFileError("the gzip file is damaged", where=str(path), got=reason) from error


def too_large(path: Path | str, most: int, what: str = "the file unpacks to too much") -> CorruptFileError:
    """The error of a file that unpacks to more than is plausible."""
    hint = "fetch it again, or unpack it yourself if you trust it"
    return CorruptFileError(what, where=str(path), expected=f"at most {most:,} bytes", hint=hint)


def read_exactly(file: BinaryIO, count: int, where: str) -> bytearray:
    """Read the declared rest of a file, no more and no less.

    Raises:
        CorruptFileError: when it is shorter or longer.
    """
    data = bytearray()  # grows in place: nothing is allocated that the file does not hold
    while piece := file.read(min(count - len(data), PIECE)):
        data += piece
    if len(data) < count:
        raise CorruptFileError(
            "the file ends too early", where=where, expected=f"{count:,} bytes", got=f"{len(data):,}"
        )
    if file.read(1):
        raise CorruptFileError("the file goes on after its end", where=where, expected=f"{count:,} bytes of data")
    return data
