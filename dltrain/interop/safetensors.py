"""Reading .safetensors: the length of a JSON header, the header, and the numbers of all tensors without a gap."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from dltrain.errors import CorruptFileError
from dltrain.runs.files import decode_json, reader

Array = np.ndarray[Any, Any]

PREFIX = 8  # bytes of the header's length
HEADER = 1 << 24  # bytes; a header has about a hundred for each tensor
TENSORS = 20_000
AXES = 8
BFLOAT = "BF16"  # the upper half of a float32, a type that NumPy lacks
TYPES = {
    name: "?" if name == "BOOL" else "<" + name[0].lower() + str(int(name[1:]) // 8)
    for name in ("F64", "F32", "F16", "I64", "I32", "I16", "I8", "U64", "U32", "U16", "U8", "BOOL")
} | {BFLOAT: "<u2"}


def read_safetensors(path: str | Path) -> dict[str, Array]:
    """All tensors of a file by name, in the order in which their numbers lie in it.

    Nothing is allocated before header and size of the file agree to the byte.

    Parameters:
        path: the file

    Raises:
        StorageError: when it cannot be read.
        CorruptFileError: when it is malformed, or declares what it does not hold.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> header = b'{"w": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}'
        >>> with TemporaryDirectory() as folder:
        ...     file = Path(folder, "w.safetensors")
        ...     size = file.write_bytes(len(header).to_bytes(8, "little") + header + np.float32([1, 2]).tobytes())
        ...     read_safetensors(file)["w"].tolist()
        [1.0, 2.0]

    Source: Hugging Face: Safetensors, the format, 2022.
    """
    where = str(path)
    with reader(path) as file:
        size = os.fstat(file.fileno()).st_size
        length = int.from_bytes(file.read(PREFIX), "little")
        if size < PREFIX or not 2 <= length <= min(HEADER, size - PREFIX):
            expected = f"a header of 2 to {max(2, min(HEADER, size - PREFIX)):,} bytes"
            raise CorruptFileError("this is not a .safetensors file", where=where, expected=expected, got=f"{length:,}")
        header = decode_json(file.read(length), f"{where}: header")
        places = list(placed(header, size - PREFIX - length, where))
        numbers = np.frombuffer(file.read(size - PREFIX - length), np.uint8)
        if len(numbers) != size - PREFIX - length:
            raise CorruptFileError("the file ends too early", where=where, expected=f"{size:,} bytes")
    return {name: tensor(numbers[place], kind, shape) for name, kind, shape, place in places}


def placed(header: Any, size: int, where: str) -> Iterator[tuple[str, str, tuple[int, ...], slice]]:
    """(name, type, shape, place among the numbers) of each tensor, in the order of the places.

    Parameters:
        header: as read
        size: bytes of all numbers, which the tensors must fill without gap and overlap
        where: the file

    Raises:
        CorruptFileError: when the header is malformed, or does not fit the numbers.
    """
    if not isinstance(header, dict) or len(header) > TENSORS:
        expected = f"a map of at most {TENSORS:,} tensors"
        raise CorruptFileError("the header is not one of tensors", where=where, expected=expected)
    end = 0
    found = [(name, *declared(name, entry, where)) for name, entry in header.items() if name != "__metadata__"]
    for name, kind, shape, (start, stop) in sorted(found, key=lambda entry: entry[3]):
        need = np.dtype(TYPES[kind]).itemsize
        for axis in shape:
            need *= axis
        if start != end or stop - start != need:
            got = f"bytes {start:,} to {stop:,}"
            what = f"the tensor {name[:80]!r} overlaps another, leaves a gap or has another size"
            raise CorruptFileError(what, where=where, expected=f"bytes {end:,} to {end + need:,}", got=got)
        end = stop
        yield name, kind, shape, slice(start, stop)
    if end != size:
        what = "header and size of the file disagree"
        raise CorruptFileError(what, where=where, expected=f"{end:,} bytes of numbers", got=f"{size:,}")


def declared(name: str, entry: Any, where: str) -> tuple[str, tuple[int, ...], tuple[int, int]]:
    """(type, shape, (start, stop)) that a header says of one tensor."""
    fields = entry if isinstance(entry, dict) else {}
    kind, shape, ends = (fields.get(key) for key in ("dtype", "shape", "data_offsets"))
    if not isinstance(kind, str) or kind not in TYPES:
        got = repr(kind)[:40]
        what = f"the tensor {name[:80]!r} has a type that is not read"
        raise CorruptFileError(what, where=where, expected=", ".join(TYPES), got=got)
    if not isinstance(shape, list) or not isinstance(ends, list) or len(shape) > AXES or len(ends) != 2:
        shape = ends = [-1]
    if not all(type(number) is int and 0 <= number < 2**63 for number in (*shape, *ends)):
        what = f"shape or place of the tensor {name[:80]!r} is malformed"
        raise CorruptFileError(what, where=where, expected=f"at most {AXES} axes, and two offsets")
    return kind, tuple(shape), (ends[0], ends[1])


def tensor(raw: Array, kind: str, shape: tuple[int, ...]) -> Array:
    """One tensor from its bytes."""
    found = raw.copy().view(TYPES[kind]) if len(raw) else np.empty(0, TYPES[kind])  # aligned
    if kind == BFLOAT:
        found = (found.astype(np.uint32) << 16).view(np.float32)
    return found.reshape(shape)
