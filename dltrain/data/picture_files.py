"""Where the files of a set lie: below a folder or in an archive, by name, and what part each belongs to."""

from __future__ import annotations

import os
import re
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from dltrain.data.archives import ARCHIVES, read_archive
from dltrain.data.folders import inside
from dltrain.data.opening import too_large
from dltrain.data.pictures import MOST_BYTES, SUFFIXES
from dltrain.data.table_pool import PART_NAMES
from dltrain.errors import CorruptFileError, DataError
from dltrain.runs import files

DEPTH = 8  # folders around a picture, below the folder or in the archive
MOST_FILES = 1_000_000
Listing = tuple[list["PictureFile"], list[PurePosixPath]]


@dataclass(frozen=True)
class PictureFile:
    """A file of a set, such as a picture.

    Parameters:
        name: below the folder of its set
        where: what errors call it
        read: gives its bytes
        stamp: gives what is another when the file has changed
        part: the part that it belongs to
    """

    name: PurePosixPath
    where: str
    read: Callable[[], bytes]
    stamp: Callable[[], str]
    part: str = "train"


def is_picture(name: str) -> bool:
    """Whether a file is a picture by its name; hidden files are none.

    Example:
        >>> is_picture("a/b.JPG"), is_picture("a/b.txt"), is_picture("__MACOSX/a/._b.jpg")
        (True, False, False)
    """
    path = PurePosixPath(name)
    hidden = any(part.startswith((".", "__MACOSX")) and part.strip(".") for part in path.parts)
    return path.suffix.lower() in SUFFIXES and not hidden


class Kind(NamedTuple):
    """A kind of files that a listing holds.

    Parameters:
        word: what errors call one
        accepts: whether a name is that of one
        most: bytes that one may have
        such: endings, for errors
    """

    word: str
    accepts: Callable[[str], bool]
    most: int
    such: tuple[str, ...]


PICTURES = Kind("picture", is_picture, MOST_BYTES, SUFFIXES[:4])


def is_archive(path: Path) -> bool:
    """Whether a file is an archive by its name."""
    return path.name.lower().endswith(ARCHIVES)


def listing(path: Path, kind: Kind = PICTURES) -> Listing:
    """The files of a kind below a folder or in an archive, in the order of their names, and all folders there are.

    Raises:
        DataError: when there is none.
        CorruptFileError: when the archive is damaged, or there are too many.
    """
    found, folders = in_archive(path, kind) if is_archive(path) else in_folder(path, kind)
    if not found:
        expected = f"files such as {', '.join(kind.such)}"
        raise DataError(f"there is no {kind.word}", where=str(path), expected=expected)
    return sorted(found, key=lambda file: natural(file.name)), folders


def natural(name: object) -> tuple[list[tuple[int, str]], str]:
    """A key by which s2 stands before s10, and that no two names share: 01 stands before 1.

    Example:
        >>> sorted(["s10", "1", "s2", "a", "01"], key=natural)
        ['01', '1', 'a', 's2', 's10']
    """
    text = str(name)
    parts = [(int(some), "") if some.isdecimal() else (-1, some) for some in re.split(r"(\d+)", text)]
    return parts, text


def in_archive(path: Path, kind: Kind) -> Listing:
    """The files of an archive, whose bytes are held.

    Raises:
        CorruptFileError: when one lies below too many folders.
    """
    content = read_archive(path, lambda name: kind.most * kind.accepts(name), MOST_FILES)
    found = []
    for name, data in content.items():
        depth = len(PurePosixPath(name).parts) - 1
        if depth > DEPTH:
            what, expected = f"a {kind.word} of the archive lies too deep", f"at most {DEPTH} folders around it"
            raise CorruptFileError(what, where=f"{path} {name[:80]}", expected=expected, got=str(depth))
        here = PurePosixPath(name), f"{path} {name}"
        found.append(PictureFile(*here, lambda data=data: data, lambda data=data: str(zlib.crc32(data))))  # type: ignore[misc]
    return found, []


def in_folder(path: Path, kind: Kind) -> Listing:
    """The files below a folder; links to folders are not followed, links to files not out of it."""
    found, inner = [], []
    for here, folders, names in os.walk(path):
        place = PurePosixPath(Path(here).relative_to(path))
        folders[:] = sorted(name for name in folders if not name.startswith(".") and len(place.parts) < DEPTH)
        inner += [place / name for name in folders]
        for name in filter(kind.accepts, names):
            file = Path(here, name)
            if file.is_symlink():
                inside(file, path, str(file))
            found.append(file_at(file, place / name))
        if len(found) > MOST_FILES:
            what, expected = f"there are too many {kind.word}s", f"at most {MOST_FILES:,}"
            raise CorruptFileError(what, where=str(path), expected=expected)
    return found, inner


def file_at(path: Path, name: PurePosixPath) -> PictureFile:
    """A file of a set that is one of its own."""
    return PictureFile(name, str(path), partial(read, path), partial(stamp, path))


def read(path: Path) -> bytes:
    """The bytes of a file.

    Raises:
        CorruptFileError: when it is too large.
    """
    with files.reader(path) as file:
        if os.fstat(file.fileno()).st_size > MOST_BYTES:
            raise too_large(path, MOST_BYTES, "the file is too large")
        return file.read()


def stamp(path: Path) -> str:
    """Size and time of change of a file."""
    with files.explained(path, "read the file"):
        status = os.stat(path)
    return f"{status.st_size} {status.st_mtime_ns}"


def below(found: Listing, keep: Iterable[str] = ()) -> Listing:
    """A listing without the outer folders that all pictures lie in, but for those that must be kept."""
    pictures, _ = found
    first, depth = pictures[0].name.parts, 0
    most = min(len(file.name.parts) for file in pictures) - 2  # a folder stays, which may be that of a class
    while depth < most and first[depth] not in keep and all(f.name.parts[depth] == first[depth] for f in pictures):
        depth += 1
    return inside_of(found, first[:depth])


def inside_of(found: Listing, outer: tuple[str, ...]) -> Listing:
    """The part of a listing that lies in a folder, whose path is given in parts."""
    pictures, folders = found
    place, depth = PurePosixPath(*outer), len(outer)
    inner = [replace(f, name=f.name.relative_to(place)) for f in pictures if f.name.parts[:depth] == outer]
    return inner, [f.relative_to(place) for f in folders if f.parts[:depth] == outer and len(f.parts) > depth]


def by_part(found: Listing) -> Listing:
    """A listing whose outer folders are train, val, test (or train_signs …), told apart; as it was where they are not.

    They are parts only if all outer folders are, and one of them is that of training.
    """
    pictures, folders = found
    outer = list(dict.fromkeys(file.name.parts[0] for file in pictures if len(file.name.parts) > 1))
    parts = {name: part_of(name) for name in outer}
    lone = any(len(file.name.parts) == 1 for file in pictures)
    if lone or None in parts.values() or "train" not in parts.values():
        return found
    split: Listing = ([], [])
    for name, part in parts.items():
        inner, deeper = inside_of(found, (name,))
        split[0].extend(replace(file, part=str(part)) for file in inner)
        split[1].extend(deeper)
    return split


def part_of(folder: str) -> str | None:
    """The part that a folder's name means; None when it means none.

    Example:
        >>> part_of("val"), part_of("Test-Images"), part_of("train_signs"), part_of("testify")
        ('validation', 'test', 'train', None)
    """
    name = folder.lower()
    return PART_NAMES.get(name) or PART_NAMES.get(re.split(r"[-_. ]", name)[0])


def empty_folders(found: Listing) -> Sequence[str]:
    """The outer folders that hold no picture."""
    pictures, folders = found
    filled = {file.name.parts[0] for file in pictures}
    return [folder.name for folder in folders if len(folder.parts) == 1 and folder.name not in filled]
