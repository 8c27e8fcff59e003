"""The mat source: arrays in a MATLAB file (version 5), read as if each file were made to do harm."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from itertools import islice
from math import prod
from pathlib import Path

import numpy as np

from dltrain.data.arrays import paired
from dltrain.data.examples import Array, Pool
from dltrain.data.folders import DataFolders, SettingError
from dltrain.data.opening import allowance, stream
from dltrain.errors import CorruptFileError, DataError
from dltrain.registry import register
from dltrain.suggest import hint as suggestion
from dltrain.suggest import listed

HEADER = 128
TYPES = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
MATRIX, COMPRESSED = 14, 15
# class of an array -> type of its elements in memory; text, cells, structures, objects and sparse ones are not read
CLASSES = {6: "f8", 7: "f4", 8: "i1", 9: "u1", 10: "i2", 11: "u2", 12: "i4", 13: "u4", 14: "i8", 15: "u8"}
COMPLEX, LOGICAL = 0x08, 0x02
AXES = 8
MOST_VALUES = 1 << 40  # a shape beyond that NumPy cannot make, even with a side of 0
MEMBERS = 1000

Element = tuple[int, memoryview]


@register("source", "mat")
class Mat:
    """Arrays in a MATLAB file as `save` writes it (version 5 and 7; 7.3 is HDF5).

    Features are (N, …) numbers, targets (N,), (N, 1) or (N, M) numbers.

    Parameters:
        path: the .mat file, relative to the config, ./data or $DLTRAIN_DATA
        x: name of the array with the features
        y: name of the array with the targets
        test_path: a .mat file that is the test part, with the same names unless `x_test` and `y_test` say otherwise
        x_test: name of the array with the features of the test part
        y_test: name of the array with the targets of the test part
        classes: labels, or their names, in the order of the class numbers
        validation_path: a .mat file that is the validation part, named like the test part
        x_validation: name of the array with the features of the validation part, such as Xval
        y_validation: name of the array with the targets of the validation part
        weight: name of the array with how much each example counts in the loss
        weight_test: name of that of the test part, where it lies in the same file
        weight_validation: name of that of the validation part, where it lies in the same file

    Example:
        >>> from pathlib import Path; from tempfile import TemporaryDirectory
        >>> from scipy.io import savemat
        >>> with TemporaryDirectory() as folder:
        ...     savemat(Path(folder, "a.mat"), {"X": np.eye(3), "y": [[0], [1], [1]]})
        ...     pool = Mat("a.mat").load(DataFolders(folder))
        >>> pool.columns["x"].shape, pool.columns["y"].ravel().tolist()
        ((3, 3), [0, 1, 1])

    Source: MathWorks: MAT-File Format, Level 5.
    """

    def __init__(
        self,
        path: str,
        x: str = "X",
        y: str = "y",
        test_path: str | None = None,
        x_test: str | None = None,
        y_test: str | None = None,
        classes: list[str | int] | None = None,
        validation_path: str | None = None,
        x_validation: str | None = None,
        y_validation: str | None = None,
        weight: str | None = None,
        weight_test: str | None = None,
        weight_validation: str | None = None,
    ) -> None:
        self.path, self.x, self.y, self.test_path, self.x_test, self.y_test = path, x, y, test_path, x_test, y_test
        self.classes, self.validation_path = classes, validation_path
        self.x_validation, self.y_validation = x_validation, y_validation
        self.weight, self.weight_test, self.weight_validation = weight, weight_test, weight_validation

    def load(self, folders: DataFolders) -> Pool:
        """x (N, …), y (N, …) as stored.

        Raises:
            DataError: when an array is not there or does not fit the others.
            CorruptFileError: when a file is damaged.
        """
        return paired(self, folders, read_mat)


def read_mat(path: Path, names: tuple[str, ...] | None = None) -> dict[str, Array]:
    """Some or all arrays of numbers of a MATLAB file.

    Raises:
        DataError: when an array is not there, or holds something else than numbers.
        CorruptFileError: when the file is damaged, or declares more than it holds.
    """
    where = str(path)
    with stream(path) as (file, most):
        header = file.read(HEADER)
        if header[:8] == b"\x89HDF\r\n\x1a\n" or header.startswith(b"MATLAB 7.3"):
            raise DataError("this MATLAB file is HDF5", where=where, hint="read it with the source `hdf5`")
        order = {b"IM": "<", b"MI": ">"}.get(header[126:128])
        if order is None:
            expected = "a MATLAB file of version 5"
            got = repr(header[:12])
            raise CorruptFileError("this is not a MATLAB file", where=where, expected=expected, got=got)
        left = min(most, allowance(most))
        body = file.read(left)
    found: dict[str, Array | str] = {}
    left = allowance(len(body))
    for kind, data in elements(memoryview(body), order, where):
        if kind == COMPRESSED:
            data = inflated(data, left, where)
            left -= len(data)
            kind, data = next(elements(data, order, where), (0, data))
        if kind != MATRIX:
            raise CorruptFileError("an element of the file is no array", where=where, got=f"type {kind}")
        if len(found) > MEMBERS:
            raise CorruptFileError("the file has too many arrays", where=where, expected=f"at most {MEMBERS}")
        name, array = matrix(data, order, where, allowance(len(body)))
        found[name] = array
    return {name: wanted(name, found, where) for name in (names or [n for n in found if not isinstance(found[n], str)])}


def wanted(name: str, found: dict[str, Array | str], where: str) -> Array:
    """The array of a name."""
    array = found.get(name)
    if array is None:
        have = listed(found) or "none"
        hint = suggestion(name, list(found))
        error = SettingError(f"there is no array {name!r}", where=where, expected=f"one of {have}", hint=hint)
        raise error.about(name)
    if isinstance(array, str):
        raise DataError(f"the array {name!r} is not read", where=where, expected="real numbers", got=array)
    return array


def elements(data: memoryview, order: str, where: str) -> Iterator[Element]:
    """The elements of a MATLAB file or array: (type, content)."""
    start = 0
    while start < len(data):
        if start + 8 > len(data):
            raise CorruptFileError("the file ends in the head of an element", where=where)
        first, count = np.frombuffer(data[start : start + 8], order + "u4").tolist()
        if first >> 16:  # a small element: size, type and up to four bytes in eight
            kind, count, at = first & 0xFFFF, first >> 16, start + 4
            start += 8
        else:
            kind, at = first, start + 8
            start = at + count + (-count % 8 if kind != COMPRESSED else 0)
        if at + count > len(data) or (at == start - 4 and count > 4):
            what = "an element declares more than the file holds"
            raise CorruptFileError(what, where=where, expected=f"at most {len(data) - at:,} bytes", got=f"{count:,}")
        yield kind, data[at : at + count]


def inflated(data: memoryview, most: int, where: str) -> memoryview:
    """A packed element."""
    unpack = zlib.decompressobj()
    try:
        found = unpack.decompress(data, max(most, 1))
    except zlib.error as error:
        raise CorruptFileError("the packing of an array is damaged", where=where, got=str(error)) from error
    if unpack.unconsumed_tail:
        raise CorruptFileError("an array unpacks to too much", where=where, expected=f"at most {most:,} bytes")
    if not unpack.eof:
        raise CorruptFileError("the packing of an array is damaged", where=where, got="no end")
    return memoryview(found)


def matrix(data: memoryview, order: str, where: str, most: int) -> tuple[str, Array | str]:
    """(name, array) of an array's element, of `most` bytes; what it is in words, where it holds no real numbers."""
    parts = list(islice(elements(data, order, where), 4))
    if len(parts) < 3 or len(parts[0][1]) < 8 or len(parts[1][1]) % 4 or not 8 <= len(parts[1][1]) <= 4 * AXES:
        raise CorruptFileError("the head of an array is damaged", where=where)
    flags = int(np.frombuffer(parts[0][1][:4], order + "u4")[0])
    shape = np.frombuffer(parts[1][1], order + "i4").tolist()
    name = bytes(parts[2][1]).decode("latin-1")
    kind, options = flags & 0xFF, flags >> 8 & 0xFF
    if kind not in CLASSES or options & COMPLEX:
        return name, "complex numbers" if kind in CLASSES else "text, a cell, a structure, a sparse array or an object"
    if len(parts) < 4 or parts[3][0] not in TYPES or min(shape) < 0:
        raise CorruptFileError(f"the array {name!r} is damaged", where=where)
    stored = np.dtype(order + TYPES[parts[3][0]])
    count = stored.itemsize
    for extent in shape:
        count *= extent
    if count != len(parts[3][1]):
        got = f"{len(parts[3][1]):,}"
        what = f"shape and size of the array {name!r} disagree"
        raise CorruptFileError(what, where=where, expected=f"{count:,} bytes for {tuple(shape)}", got=got)
    read = np.dtype(bool if options & LOGICAL else CLASSES[kind])
    if read.itemsize * count // stored.itemsize > most or prod(max(extent, 1) for extent in shape) > MOST_VALUES:
        raise CorruptFileError(f"the array {name!r} is too large", where=where, expected=f"at most {most:,} bytes")
    values = np.frombuffer(parts[3][1], stored).reshape(shape[::-1]).T
    if read.kind in "iu" and stored.kind == "f" and not np.isfinite(values).all():
        raise CorruptFileError(f"the array {name!r} of whole numbers holds others", where=where)
    return name, np.ascontiguousarray(values, read)
