"""Arrays stored in files: reading .npy and .npz as if each were made to do harm, and the npz source."""

from __future__ import annotations

import errno
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast

import numpy as np

from dltrain.data.examples import Array, Pool
from dltrain.data.folders import DataFolders, SettingError
from dltrain.data.opening import allowance, read_exactly, stream
from dltrain.errors import CorruptFileError, DataError
from dltrain.registry import register
from dltrain.suggest import hint as suggestion
from dltrain.suggest import listed

if TYPE_CHECKING:
    from zipfile import ZipFile, ZipInfo

AXES = 8
MEMBERS = 1000  # most arrays of a .npz
HEADER = 10_000  # longest header of an array, in bytes
FORM = re.compile(
    r"\{ *'descr': *'(?P<descr>[<>=|]?[biufcmMOSUV]\d{0,6})', *'fortran_order': *(?P<fortran_order>True|False),"
    r" *'shape': *\((?P<shape>(?:\d{1,19}, *)*(?:\d{1,19})?)\),? *\} *\n?"
)
LONGEST_TEXT = 1024  # bytes of one text


@register("source", "npz")
class Npz:
    """Arrays in a NumPy file: `numpy.savez("set.npz", x=features, y=targets)`.

    Features are (N, …) numbers, targets (N,) or (N, M) numbers, or (N,) text.  No object of Python is made.

    Parameters:
        path: the .npz file, relative to the config, ./data or $DLTRAIN_DATA
        x: name of the array with the features
        y: name of the array with the targets
        test_path: a .npz file that is the test part, with the same names unless `x_test` and `y_test` say otherwise
        x_test: name of the array with the features of the test part
        y_test: name of the array with the targets of the test part
        classes: labels, or their names, in the order of the class numbers
        validation_path: a .npz file that is the validation part, named like the test part
        x_validation: name of the array with the features of the validation part
        y_validation: name of the array with the targets of the validation part
        weight: name of the array with how much each example counts in the loss
        weight_test: name of that of the test part, where it lies in the same file
        weight_validation: name of that of the validation part, where it lies in the same file

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     np.savez(Path(folder, "a.npz"), x=np.eye(3), y=[0, 1, 1])
        ...     pool = Npz("a.npz").load(DataFolders(folder))
        >>> pool.columns["x"].shape, pool.columns["y"].tolist()
        ((3, 3), [0, 1, 1])

    Source: NumPy enhancement proposal 1: A simple file format for NumPy arrays, 2007.
    """

    def __init__(
        self,
        path: str,
        x: str = "x",
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
        return paired(self, folders, read_npz)


def paired(source: Any, folders: DataFolders, read: Any) -> Pool:
    """The pool of a source of arrays, with a part of its own where the source names one.

    Parameters:
        source: has path, x, y, weight, classes, and for validation and test each PART_path, x_PART, y_PART, weight_PART
        folders: where files are looked up
        read: function from a path and names to {name: array}
    """
    path, weight = folders.find(source.path), source.weight
    parts = [("train", path, source.x, source.y, weight)]
    for part in ("validation", "test"):
        own, x, y = (getattr(source, name) for name in (f"{part}_path", f"x_{part}", f"y_{part}"))
        w = getattr(source, f"weight_{part}")
        if own is None and x is None and y is None:
            continue
        if own is None and (x is None or y is None):
            what, hint = f"`x_{part}` and `y_{part}` belong together", "name both arrays"
            given = f"x_{part}" if y is None else f"y_{part}"
            raise SettingError(what, where=str(path), hint=hint).about(x or y, given)
        if (weight is None and w is not None) or (weight is not None and w is None and own is None):
            given, missing = ("weight", f"weight_{part}") if w is None else (f"weight_{part}", "weight")
            what = f"`weight` and `weight_{part}` belong together"
            raise SettingError(what, where=str(path), hint=f"name `{missing}` too").about(weight or w, given)
        parts.append((part, folders.find(own) if own else path, x or source.x, y or source.y, w or weight))
    found = [read(file, tuple(filter(None, names))) for _, file, *names in parts]
    shown = [str(file) if k == 0 or file != path else f"{path} {x}" for k, (_, file, x, *_) in enumerate(parts)]
    whole = list(zip(parts, shown, found, strict=True))
    pairs = [(part, where, some[x], some[y]) for (part, _, x, y, _), where, some in whole]
    pool = joined(pairs, source.classes)
    layout = {"x": list({part[2]: 0 for part in parts}), "y": list({part[3]: 0 for part in parts})}
    if weight is None:
        return replace(pool, layout=layout)
    weights = []
    for (_, _, _, y, name), where, some in whole:
        if some[str(name)].size != len(some[y]):
            expected, got = f"{len(some[y])}, one for each example", str(some[str(name)].size)
            raise DataError("weights and examples differ in number", where=where, expected=expected, got=got)
        weights.append(some[str(name)].reshape(-1))
    layout["weight"] = list({part[4]: 0 for part in parts})
    return replace(pool, layout=layout, columns={**pool.columns, "weight": np.concatenate(weights)})


def joined(parts: list[tuple[str, str, Array, Array]], classes: list[Any] | None) -> Pool:
    """One pool from (part, file, features, targets) for each part, training first.

    Raises:
        DataError: when shapes or types do not fit together.
    """
    _, where, x, y = parts[0]
    for _, name, features, targets in parts:
        if features.ndim == 0 or targets.ndim == 0 or len(features) != len(targets):
            got = f"features {features.shape} and targets {targets.shape}"
            raise DataError("features and targets differ in number", where=name, got=got)
    if len(parts) == 1:
        return Pool({"x": x, "y": y}, where, classes=classes, files=((where, 0),))
    for part, other, features, targets in parts[1:]:
        for first, second, what in ((x, features, "features"), (y, targets, "targets")):
            if first.shape[1:] != second.shape[1:] or (first.dtype.kind in "US") != (second.dtype.kind in "US"):
                expected = f"{first.dtype} of shape {first.shape[1:]} as in {where}"
                got = f"{second.dtype} of shape {second.shape[1:]}"
                what = f"the {what} of the {part} part are unlike the others"
                raise DataError(what, where=other, expected=expected, got=got)
    columns = {name: np.concatenate([part[k] for part in parts]) for name, k in (("x", 2), ("y", 3))}
    starts = np.cumsum([0, *(len(part[2]) for part in parts)])
    given = {part[0]: np.arange(*starts[k : k + 2]) for k, part in enumerate(parts) if part[0] != "train"}
    files = tuple((part[1], int(start)) for part, start in zip(parts, starts, strict=False))
    return Pool(columns, where, given=given, classes=classes, files=files)


def read_npz(path: Path, names: tuple[str, ...] | None = None) -> dict[str, Array]:
    """Some or all arrays of a .npz file.

    Raises:
        DataError: when an array is not there.
        CorruptFileError: when the file is damaged, or declares more than it holds.
    """
    import zipfile

    from dltrain.data.archives import BROKEN_ZIP

    where = str(path)
    with stream(path) as (file, size):
        try:
            with zipfile.ZipFile(file) as archive:
                return read_members(archive, names, size, where)
        except (*BROKEN_ZIP, OSError) as error:
            if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
                raise  # the disk's fault; a damaged directory leads to seeks that are invalid
            reason = str(error).partition("\n")[0][:120]
            raise CorruptFileError("this is not a whole .npz file", where=where, got=reason) from error


def read_members(archive: ZipFile, names: Iterable[str] | None, size: int, where: str) -> dict[str, Array]:
    """Some or all arrays of a .npz file of `size` bytes."""
    members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()[: MEMBERS + 1]}
    if len(members) > MEMBERS:
        raise CorruptFileError("the file has too many arrays", where=where, expected=f"at most {MEMBERS}")
    wanted = dict.fromkeys(members if names is None else names)
    return {name: read_member(archive, members, name, size, where) for name in wanted}


def read_member(archive: ZipFile, members: Mapping[str, ZipInfo], name: str, size: int, where: str) -> Array:
    """One array of a .npz file of `size` bytes."""
    if name not in members:
        have = listed(members) or "none"
        error = SettingError(
            f"there is no array {name!r}", where=where, expected=f"one of {have}", hint=suggestion(name, list(members))
        )
        raise error.about(name)
    info = members[name]
    if info.compress_size > size or info.file_size > allowance(info.compress_size):
        hint = "store it with numpy.savez, without compression, if you trust it"
        got = f"{info.file_size:,} bytes"
        raise CorruptFileError(f"the array {name!r} unpacks to too much", where=where, got=got, hint=hint)
    with archive.open(info) as member:
        return read_array(cast(BinaryIO, member), info.file_size, f"{where} {name}")


def read_npy(path: Path) -> Array:
    """The array of a .npy file.

    Raises:
        CorruptFileError: when the file is damaged, or declares more than it holds.
    """
    with stream(path) as (file, size):
        return read_array(file, size, str(path))


def read_array(file: BinaryIO, size: int, where: str) -> Array:
    """Read one array in NumPy's format; nothing is allocated before its header and the file's size agree."""
    prefix = file.read(12)
    version = tuple(prefix[6:8])
    wide = version == (2, 0)
    if prefix[:6] != b"\x93NUMPY" or version not in ((1, 0), (2, 0)) or len(prefix) < 12:
        raise CorruptFileError("this is not a NumPy array", where=where, expected="format 1 or 2", got=repr(prefix[:8]))
    length = int.from_bytes(prefix[8:12] if wide else prefix[8:10], "little")
    if length > HEADER:
        raise CorruptFileError(
            "the header is too long", where=where, expected=f"at most {HEADER} bytes", got=str(length)
        )
    if length < 16:
        raise CorruptFileError("the header is too short", where=where, got=f"{length} bytes")
    start = (12 if wide else 10) + length
    shape, fortran, dtype = read_header(prefix[start - length :] + file.read(start - 12), where)
    count = dtype.itemsize
    for axis in shape:
        count *= axis
    if len(shape) > AXES or count != size - start:
        expected, got = f"{count:,} bytes for {shape}", f"{size - start:,}"
        raise CorruptFileError("header and size disagree", where=where, expected=expected, got=got)
    flat = np.frombuffer(read_exactly(file, count, where), dtype)
    array = flat.reshape(shape[::-1]).T if fortran else flat.reshape(shape)
    return np.ascontiguousarray(array, dtype.newbyteorder("="))


def read_header(text: bytes, where: str) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """(shape, whether the first axis runs fastest, type) from the text in which NumPy writes them."""
    found = FORM.fullmatch(text.decode("latin-1"))
    try:
        dtype = np.dtype(found["descr"]) if found else None
    except TypeError:
        dtype = None
    if found is None or dtype is None:
        got = repr(text.decode("latin-1").strip())[:80]
        raise CorruptFileError("this header is not read", where=where, expected="a plain array of one type", got=got)
    check_type(dtype, where)
    shape = tuple(int(axis) for axis in re.findall(r"\d+", found["shape"]))
    return shape, found["fortran_order"] == "True", dtype


def check_type(dtype: Any, where: str) -> None:
    """Raise a CorruptFileError unless elements are plain numbers or short text."""
    if dtype.hasobject:
        hint = "store numbers or text: numpy.asarray(values, dtype=float)"
        raise CorruptFileError("the array holds objects of Python, which are never loaded", where=where, hint=hint)
    text = dtype.kind in "US" and 0 < dtype.itemsize <= LONGEST_TEXT
    number = dtype.kind in "biuf" and dtype.itemsize <= 8
    if not (text or number):
        raise CorruptFileError(
            "the array has a type that is not read", where=where, expected="numbers or text", got=str(dtype)
        )
