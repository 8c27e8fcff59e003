"""Reading .tar archives, plain or gzipped, and .zip, in memory: nothing is written, links and devices passed over."""

from __future__ import annotations

import errno
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Self, cast

from dltrain.data.opening import allowance, stream, too_large
from dltrain.errors import CorruptFileError

ARCHIVES = (".tar.gz", ".tgz", ".tar", ".zip")
# What zipfile raises on archives that are damaged, or packed in a way that it does not know.
BROKEN_ZIP = (
    *(zipfile.BadZipFile, zlib.error, EOFError),
    *(NotImplementedError, RuntimeError, ValueError, OverflowError),
)
LONGEST_NAME = 1 << 16  # bytes of a long name, or of further settings, of a file in an archive


def read_archive(path: Path, most: Callable[[str], int], members: int) -> dict[str, bytes]:
    """{name: content} of the regular files of an archive that are wanted.

    Parameters:
        path: of the archive
        most: how many bytes the file of a name may have; 0 when it is not wanted
        members: how many entries the archive may have

    Raises:
        CorruptFileError: when the archive is damaged, too large, or holds a name that leads out of it.
    """
    if path.name.lower().endswith(".zip"):
        return read_zip(path, most, members)
    found: dict[str, bytes] = {}
    with stream(path) as (file, allowed):
        try:
            limited = cast(BinaryIO, Limited(file, allowed, path))
            with tarfile.open(fileobj=limited, mode="r|", tarinfo=ShortNames) as archive:
                for count, member in enumerate(archive):
                    if count >= members:
                        raise too_many(path, members)
                    limit = most(member.name) if member.isreg() else 0
                    if limit:
                        check_name(member.name, path)
                        found[member.name] = content(archive, member, path, limit)
        except (tarfile.TarError, EOFError, zlib.error, ValueError, RecursionError) as error:
            reason = str(error).partition("\n")[0][:120]
            raise CorruptFileError("the archive is damaged", where=str(path), got=reason) from error
    return found


def read_zip(path: Path, most: Callable[[str], int], members: int) -> dict[str, bytes]:
    """The same of a .zip: see `read_archive`."""
    found: dict[str, bytes] = {}
    with stream(path) as (file, size):
        try:
            with zipfile.ZipFile(file) as archive:
                left = allowance(size)
                for count, member in enumerate(archive.infolist()):
                    if count >= members:
                        raise too_many(path, members)
                    limit = 0 if member.is_dir() else most(member.filename)
                    if limit:
                        check_name(member.filename, path)
                        left -= member.file_size
                        if member.file_size > limit or left < 0:
                            raise too_large(f"{path} {member.filename}", limit, "this file of the archive is too large")
                        with archive.open(member) as opened:
                            found[member.filename] = opened.read(member.file_size)
        except (*BROKEN_ZIP, OSError) as error:
            if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
                raise  # the disk's fault; a damaged directory leads to seeks that are invalid
            reason = str(error).partition("\n")[0][:120]
            raise CorruptFileError("the archive is damaged", where=str(path), got=reason) from error
    return found


def too_many(path: Path, members: int) -> CorruptFileError:
    """The error of an archive with more files than are plausible."""
    return CorruptFileError("the archive holds too many files", where=str(path), expected=f"at most {members:,}")


def check_name(name: str, path: Path) -> None:
    """Raise a CorruptFileError unless a name in an archive is a plain relative one."""
    parts = PurePosixPath(name).parts
    if not name.isprintable() or ".." in parts or name.startswith("/") or "\\" in name:
        what = "a file of the archive has a name that leads out of it, or cannot be shown"
        raise CorruptFileError(what, where=str(path), expected="a relative name", got=repr(name[:80]))


def content(archive: tarfile.TarFile, member: tarfile.TarInfo, path: Path, most: int) -> bytes:
    """The bytes of a file of the archive."""
    if member.size > most:
        raise too_large(f"{path} {member.name}", most, "this file of the archive is too large")
    file: BinaryIO | None = archive.extractfile(member)  # type: ignore[assignment]
    return b"" if file is None else file.read(member.size)


class Limited:
    """A stream that gives no more than a number of bytes.

    Parameters:
        file: the stream
        most: bytes
        path: of the file, for the error
    """

    def __init__(self, file: BinaryIO, most: int, path: Path) -> None:
        self.file, self.left, self.most, self.path = file, most, most, path

    def read(self, size: int) -> bytes:
        """Some bytes more.

        Raises:
            CorruptFileError: when they are too many.
        """
        data = self.file.read(size)
        self.left -= len(data)
        if self.left < 0:
            raise too_large(self.path, self.most)
        return data


class ShortNames(tarfile.TarInfo):
    """The head of a file in an archive, whose long name is not so long that reading it fills the memory."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        """Read a head.

        Raises:
            CorruptFileError: when it announces too much.
        """
        head = super().frombuf(buf, encoding, errors)
        extra = (tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK, tarfile.XHDTYPE, tarfile.XGLTYPE)
        if head.type in extra and head.size > LONGEST_NAME:
            raise CorruptFileError("a name in the archive is too long", where="archive", got=f"{head.size:,} bytes")
        return head
