"""The one function that reads HDF5, for checkpoints and for data files, as if each were made to do harm.

h5py follows external and soft links, virtual data sets and raw external storage wherever they point, and allocates
what a file declares.  Here nothing is opened but what a hard link of this very file leads to, one path component
at a time, and nothing is read before its type, filters and size have been checked.
"""

from __future__ import annotations

import io
import os
import zlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dltrain.errors import CorruptFileError
from dltrain.runs import files
from dltrain.suggest import listed

if TYPE_CHECKING:
    import h5py
    import numpy as np

SIGNATURE = b"\x89HDF\r\n\x1a\n"
FLOOR = 1 << 24  # a file may always declare this many bytes, however small it is
NUMBERS = ("b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8")
# What the HDF5 library and h5py raise on malformed files.
MALFORMED = (OSError, RuntimeError, ValueError, TypeError, LookupError, ArithmeticError, MemoryError, zlib.error)


class NoDataSet(CorruptFileError):
    """A wanted data set is not in the file.

    Parameters:
        path: of the data set
        have: what there is in its place
        where: the file
    """

    def __init__(self, path: str, have: str, where: str) -> None:
        self.path = path
        super().__init__(f"there is no data set {path!r}", where=where, got=have)


@dataclass(frozen=True)
class Limits:
    """What a file may ask for.

    Parameters:
        depth: most path components of a data set
        objects: most groups and data sets together
        ratio: most bytes all data sets together may need in memory, as a multiple of the file's size
        filters: names of the filters its data may have gone through
        strings: whether texts of fixed length are read besides numbers
    """

    depth: int = 8
    objects: int = 20_000
    ratio: int = 100
    filters: tuple[str, ...] = ("gzip", "shuffle", "fletcher32")
    strings: bool = True


def read_hdf5(
    source: bytes | str | Path, wanted: Collection[str] | None = None, *, limits: Limits | None = None, where: str = ""
) -> dict[str, np.ndarray[Any, Any]]:
    """Read data sets of an HDF5 file into memory.

    Parameters:
        source: a path, or the whole file as bytes
        wanted: paths of the data sets to read, `train/images`; None for all
        limits: what the file may ask for
        where: the file's name in errors; by default the path

    Returns:
        Arrays by path, in the machine's byte order.  Object, reference, compound and variable-length types, links
        other than hard ones, virtual and external storage are refused.

    Raises:
        StorageError: when the file cannot be read.
        CorruptFileError: when it is malformed, asks for too much, or lacks a wanted data set.

    Example:
        >>> read_hdf5(b"no HDF5", where="x.h5")
        Traceback (most recent call last):
        dltrain.errors.CorruptFileError: x.h5: this is not an HDF5 file; expected the HDF5 signature
    """
    where = where or (str(source) if not isinstance(source, bytes) else "HDF5 file")
    with io.BytesIO(source) if isinstance(source, bytes) else files.reader(source) as stream:
        size = stream.seek(0, os.SEEK_END)
        if not _signed(stream, size):
            raise CorruptFileError("this is not an HDF5 file", where=where, expected="the HDF5 signature")
        try:
            return _read(stream, wanted, _Budget(limits or Limits(), size, where))
        except MALFORMED as error:
            reason = str(error).partition("\n")[0][:160] or type(error).__name__
            raise CorruptFileError("the HDF5 file is damaged", where=where, got=reason) from error


def names_in_hdf5(path: str | Path) -> list[str]:
    """The names at the top of an HDF5 file; nothing of it is read.

    Raises:
        StorageError: when the file cannot be read.
        CorruptFileError: when it is malformed, or holds too many names.
    """
    import h5py

    where = str(path)
    with files.reader(path) as stream:
        size = stream.seek(0, os.SEEK_END)
        if not _signed(stream, size):
            raise CorruptFileError("this is not an HDF5 file", where=where, expected="the HDF5 signature")
        try:
            with h5py.File(stream, "r") as file:
                _Budget(Limits(), size, where).count("", len(file))
                return sorted(file)
        except MALFORMED as error:
            reason = str(error).partition("\n")[0][:160] or type(error).__name__
            raise CorruptFileError("the HDF5 file is damaged", where=where, got=reason) from error


def _signed(stream: Any, size: int) -> bool:
    """Whether the signature stands at 0, 512, 1024, 2048, … as the format asks."""
    offset = 0
    while offset + len(SIGNATURE) <= size:
        stream.seek(offset)
        if stream.read(len(SIGNATURE)) == SIGNATURE:
            return True
        offset = max(512, 2 * offset)
    return False


def _read(stream: Any, wanted: Collection[str] | None, budget: _Budget) -> dict[str, np.ndarray[Any, Any]]:
    import h5py

    with h5py.File(stream, "r") as file:
        if wanted is None:
            found = dict(_walk(file, "", budget))
        else:
            found = {path: _resolve(file, path, budget) for path in wanted}
        for path, dataset in found.items():
            budget.charge(path, dataset)
        return {path: _array(path, dataset, budget) for path, dataset in found.items()}


def _walk(group: h5py.Group, path: str, budget: _Budget) -> Iterator[tuple[str, h5py.Dataset]]:
    """All data sets below a group, in the order of their names."""
    import h5py

    budget.count(path, len(group))
    for name in sorted(group):
        below = f"{path}/{name}" if path else name
        thing = _member(group, name, below, budget)
        if isinstance(thing, h5py.Group):
            yield from _walk(thing, below, budget)
        else:
            yield below, thing


def _resolve(file: h5py.File, path: str, budget: _Budget) -> h5py.Dataset:
    """The data set at a path, one component at a time."""
    import h5py

    thing: Any = file
    done = ""
    for name in path.split("/"):
        if not isinstance(thing, h5py.Group) or name not in set(thing):
            have = listed(sorted(thing)) if isinstance(thing, h5py.Group) else f"the data set {done}"
            raise NoDataSet(path, have, budget.where)
        done = f"{done}/{name}" if done else name
        thing = _member(thing, name, done, budget)
    if not isinstance(thing, h5py.Dataset):
        raise budget.refusal(f"{path!r} is a group, not a data set", got=", ".join(sorted(thing)[:8]))
    return thing


def _member(group: h5py.Group, name: str, path: str, budget: _Budget) -> h5py.Group | h5py.Dataset:
    """One member of a group, if a hard link leads to a group or a data set."""
    import h5py

    budget.depth(path)
    if "/" in name or name in (".", ".."):
        raise budget.refusal(f"{path!r} has a name that is not allowed")
    link = group.get(name, getlink=True)
    if not isinstance(link, h5py.HardLink):
        raise budget.refusal(f"{path!r} is a link to another place", expected="a data set stored in the file itself")
    thing = group[name]
    if not isinstance(thing, (h5py.Group, h5py.Dataset)):
        raise budget.refusal(f"{path!r} is neither a group nor a data set")
    return thing


def _array(path: str, dataset: h5py.Dataset, budget: _Budget) -> np.ndarray[Any, Any]:
    """Read a data set that has been checked."""
    import numpy as np

    if dataset.compression == "gzip":
        _check_inflation(path, dataset, budget)
    array = np.asarray(dataset[()])
    return array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))


def _check_inflation(path: str, dataset: h5py.Dataset, budget: _Budget) -> None:
    """Refuse chunks that unpack to more than a chunk: the library would allocate whatever they make."""
    chunk = dataset.dtype.itemsize
    for length in dataset.chunks:
        chunk *= length
    for index in range(dataset.id.get_num_chunks()):
        offset = dataset.id.get_chunk_info(index).chunk_offset
        _, raw = dataset.id.read_direct_chunk(offset)
        if len(zlib.decompressobj().decompress(raw, chunk + 65)) > chunk + 64:  # 64: room for checksums
            raise budget.refusal(f"{path!r} unpacks to more than it declares")


class _Budget:
    """Counts what a file asks for, and refuses what is beyond the limits."""

    def __init__(self, limits: Limits, size: int, where: str) -> None:
        self.limits, self.size, self.where = limits, size, where
        self.objects = 0
        self.most = limits.ratio * size if limits.ratio == 1 else max(limits.ratio * size, FLOOR)
        self.left = self.most

    def refusal(self, what: str, *, expected: str = "", got: str = "") -> CorruptFileError:
        return CorruptFileError(what, where=self.where, expected=expected, got=got)

    def count(self, path: str, members: int) -> None:
        self.objects += members
        if self.objects > self.limits.objects:
            raise self.refusal("the file holds too many things", expected=f"at most {self.limits.objects:,}")

    def depth(self, path: str) -> None:
        if path.count("/") >= self.limits.depth:
            raise self.refusal(f"{path[:80]!r} lies too deep", expected=f"at most {self.limits.depth} levels")

    def charge(self, path: str, dataset: h5py.Dataset) -> None:
        """Check where and how a data set is stored, its type, and what it needs in memory."""
        self._check_storage(path, dataset)
        self._check_type(path, dataset)
        if dataset.shape is None:
            raise self.refusal(f"{path!r} has no shape")
        need = dataset.dtype.itemsize
        for length in dataset.shape:
            need *= length
        chunk = dataset.dtype.itemsize if dataset.chunks else 0
        for length in dataset.chunks or ():
            chunk *= length
        self.left -= max(need, chunk if need else 0)
        if self.left < 0:
            raise self.refusal(
                f"{path!r} declares {need:,} bytes", expected=f"at most {self.most:,} in a file of {self.size:,}"
            )

    def _check_storage(self, path: str, dataset: h5py.Dataset) -> None:
        import h5py

        layouts = (h5py.h5d.COMPACT, h5py.h5d.CONTIGUOUS, h5py.h5d.CHUNKED)
        plist = dataset.id.get_create_plist()
        if plist.get_layout() not in layouts or plist.get_external_count() > 0:
            raise self.refusal(f"{path!r} is stored in another file", expected="data stored in the file itself")
        known = {
            h5py.h5z.FILTER_DEFLATE: "gzip",
            h5py.h5z.FILTER_SHUFFLE: "shuffle",
            h5py.h5z.FILTER_FLETCHER32: "fletcher32",
        }
        for index in range(plist.get_nfilters()):
            code = plist.get_filter(index)[0]
            if known.get(code) not in self.limits.filters:
                raise self.refusal(
                    f"{path!r} is packed",
                    expected=", ".join(self.limits.filters),
                    got=known.get(code, f"filter {code}"),
                )

    def _check_type(self, path: str, dataset: h5py.Dataset) -> None:
        import h5py

        stored = dataset.id.get_type()
        kind = stored.get_class()
        text = kind == h5py.h5t.STRING and self.limits.strings and not stored.is_variable_str()
        number = kind in (h5py.h5t.INTEGER, h5py.h5t.FLOAT, h5py.h5t.ENUM) and dataset.dtype.str[1:] in NUMBERS
        same = (text or number) and stored.equal(h5py.h5t.py_create(dataset.dtype, logical=True))
        if not same:  # also odd widths, which h5py would convert
            raise self.refusal(f"{path!r} has a type that is not read", expected="numbers", got=_type_name(stored))


def _type_name(stored: h5py.h5t.TypeID) -> str:
    import h5py

    kinds = ("INTEGER", "FLOAT", "STRING", "BITFIELD", "OPAQUE", "COMPOUND", "REFERENCE", "ENUM", "VLEN", "ARRAY")
    names = {getattr(h5py.h5t, kind): kind.lower() for kind in kinds if hasattr(h5py.h5t, kind)}
    return f"{names.get(stored.get_class(), 'unknown')} of {stored.get_size()} bytes"
