"""Checkpoints: one file a step that proves itself, is written so that no crash can lose it, and holds everything.

The file is HDF5 behind a user block of 512 bytes: a line of text with magic, format version, step, length and
SHA-256 of what follows.  Any HDF5 program opens it; dltrain verifies the line before a byte reaches the HDF5
library.  Inside, `/meta` is JSON text and `/arrays/…` are the tensors.  `docs/runs.md` describes the format.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from dltrain.errors import CorruptFileError, DltrainError
from dltrain.runs import files
from dltrain.runs.envelope import BLOCK, header, looks_whole, read_verified, verify
from dltrain.runs.hdf5 import Limits, read_hdf5
from dltrain.runs.naming import checkpoint_files, checkpoint_name

if TYPE_CHECKING:
    import h5py
    import numpy as np

CHUNK_BYTES = 1 << 22
DEPTH = 8
LIMITS = Limits(depth=DEPTH + 1, ratio=1, filters=("fletcher32",), strings=False)


class Newest(NamedTuple):
    """Result of `newest_valid`: the file to load, None when there is none, and what was passed over and why."""

    path: Path | None
    damaged: list[tuple[Path, str]]


def path_of(folder: str | Path, step: int) -> Path:
    """Where the checkpoint of a step lies."""
    return Path(folder, checkpoint_name(step))


def save(folder: str | Path, step: int, arrays: Mapping[str, np.ndarray[Any, Any]], meta: Mapping[str, Any]) -> Path:
    """Write a checkpoint; when this returns, it survives a kill, a crash and a power loss.

    The bytes depend on the arguments only.

    Parameters:
        folder: folder of the checkpoints
        step: finished optimizer steps
        arrays: tensors by path, `parameters/logits.0.dense.kernel`; integers, floats of 4 or 8 bytes, booleans
        meta: everything else; what JSON can say, with integers of any size

    Raises:
        StorageError: when it cannot be written; checkpoints that were there before are untouched.
        ValueError, TypeError: when a name, a dtype or a value of `meta` does not fit the format.
    """
    path = path_of(folder, step)
    files.atomic_write(path, image(step, arrays, meta))
    return path


def load(path: str | Path) -> tuple[dict[str, np.ndarray[Any, Any]], dict[str, Any]]:
    """Read a checkpoint back: arrays by path, and meta.

    Raises:
        StorageError: when the file cannot be read.
        CorruptFileError: when it is damaged, or is not a checkpoint of this format.
    """
    content = read_verified(path)
    found = read_hdf5(content, limits=LIMITS, where=str(path))
    text = found.pop("meta", None)
    names = {name.removeprefix("arrays/") for name in found}
    if text is None or text.dtype != "u1" or text.ndim != 1 or any(not name.startswith("arrays/") for name in found):
        raise CorruptFileError("this is not a checkpoint", where=str(path), expected="the entries meta and arrays/…")
    meta = files.decode_json(text.tobytes(), f"{path}: meta")
    if not isinstance(meta, dict):
        raise CorruptFileError("this is not a checkpoint", where=f"{path}: meta", expected="a JSON object")
    return {name: found[f"arrays/{name}"] for name in sorted(names)}, meta


def list_steps(folder: str | Path) -> list[int]:
    """Steps of all checkpoint files, valid or not, lowest first."""
    return list(checkpoint_files(folder))


def newest_valid(folder: str | Path) -> Newest:
    """The checkpoint of the highest step that proves itself; no pointer file and no file time is trusted.

    Parameters:
        folder: folder of the checkpoints
    """
    damaged = []
    for _, path in sorted(checkpoint_files(folder).items(), reverse=True):
        try:
            verify(path)
        except DltrainError as error:
            damaged.append((path, str(error)))
        else:
            return Newest(path, damaged)
    return Newest(None, damaged)


def prune(folder: str | Path, keep: int, also: Collection[int] = ()) -> list[Path]:
    """Remove old checkpoints; call it only after a newer one has been saved.

    Only regular files of a checkpoint's exact name are touched.  A file that is cut or empty does not count as kept.

    Parameters:
        folder: folder of the checkpoints
        keep: how many of the highest steps stay, at least 1
        also: further steps that stay (the best one)

    Raises:
        StorageError: when a file cannot be removed.
    """
    steps = sorted(checkpoint_files(folder).items(), reverse=True)
    good = 0
    gone = []
    for step, path in steps:
        if good < max(keep, 1):
            good += looks_whole(path)
        elif step not in also:
            files.remove_file(path)
            gone.append(path)
    return gone


def image(step: int, arrays: Mapping[str, np.ndarray[Any, Any]], meta: Mapping[str, Any]) -> memoryview:
    """All bytes of a checkpoint, made in memory: a full disk inside the HDF5 library may crash the interpreter.

    Raises:
        ValueError, TypeError: when a name, a dtype or a value of `meta` does not fit the format.
    """
    import h5py
    import numpy as np

    buffer = io.BytesIO()
    with h5py.File(buffer, "w", userblock_size=BLOCK) as file:
        _put(file, "meta", np.frombuffer(meta_text(meta), np.uint8))
        file.create_group("arrays")
        for name in sorted(arrays):
            check_name(name)
            _put(file, f"arrays/{name}", np.asarray(arrays[name]))
    content = buffer.getbuffer()
    digest = hashlib.sha256(content[BLOCK:]).hexdigest()
    content[:BLOCK] = header(step, len(content) - BLOCK, digest)
    return content


def _put(file: h5py.File, name: str, array: np.ndarray[Any, Any]) -> None:
    """Write one data set: in chunks with checksums where HDF5 can, without time stamps, so bytes repeat."""
    if array.dtype.str[1:] not in ("f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "b1"):
        raise TypeError(f"a checkpoint cannot hold {name!r} of dtype {array.dtype}")
    if array.size == 0 or array.ndim == 0:
        file.create_dataset(name, data=array, track_times=False)
    else:
        chunks = chunk_shape(array.shape, array.itemsize)
        file.create_dataset(name, data=array, chunks=chunks, fletcher32=True, track_times=False)


def chunk_shape(shape: tuple[int, ...], itemsize: int) -> tuple[int, ...]:
    """A shape of at most 4 MiB that covers the array by as few chunks as its rows allow.

    Example:
        >>> chunk_shape((784, 256), 4), chunk_shape((10_000_000,), 4)
        ((784, 256), (1048576,))
    """
    chunk = list(shape)
    for axis, length in enumerate(shape):
        rest = itemsize
        for below in shape[axis + 1 :]:
            rest *= below
        chunk[axis] = max(1, min(length, CHUNK_BYTES // rest))
        if chunk[axis] > 1 or rest <= CHUNK_BYTES:
            break
    return tuple(chunk)


def check_name(name: str) -> None:
    """Refuse a tensor's path that HDF5 would read as another place.

    Raises:
        ValueError: when a part is empty, `.` or `..`, or holds a control character, or there are too many parts.
    """
    parts = name.split("/")
    if len(parts) > DEPTH or any(part in ("", ".", "..") or not part.isprintable() for part in parts):
        raise ValueError(f"{name!r} cannot name a tensor of a checkpoint")


def meta_text(meta: Mapping[str, Any]) -> bytes:
    """Meta as JSON; NaN and infinities are kept as Python's JSON writes them, so that everything reads back equal.

    Raises:
        TypeError: when a value or a key would not read back.
    """
    _check_keys(meta)
    return json.dumps(meta, sort_keys=True, ensure_ascii=False).encode()


def _check_keys(value: Any) -> None:
    if isinstance(value, Mapping):
        for key, item in value.items():
            if not isinstance(key, str):
                raise TypeError(f"JSON would turn the key {key!r} into text")
            _check_keys(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            _check_keys(item)
