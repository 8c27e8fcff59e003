"""Small data files for tests: sound ones, and the means to damage them."""

from __future__ import annotations

import io
import struct
import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from dltrain.data import DataFolders, DataSet, load


def loaded(source: Any, folder: Path, *, needs: str = "classes", split: Any = "random", **options: Any) -> DataSet:
    """Load a source whose files lie in a folder."""
    section = SimpleNamespace(source=source, split=split, prepare=options.pop("prepare", []), prepare_target=[])
    options = {"seed": 0, "dtype": "float32", **options}
    return load(section, needs=needs, folders=DataFolders(folder), **options)


def csv_text(rows: int = 40, header: str = "a,b,label\n", line: str = "{i}.5,{j},{k}\n") -> str:
    """A sound table: two features, two classes."""
    return header + "".join(line.format(i=i, j=i * i % 7, k=i % 2) for i in range(rows))


def arrays(rows: int = 40) -> dict[str, np.ndarray[Any, Any]]:
    """Sound features (rows, 3) and labels of two classes."""
    x = np.arange(rows * 3, dtype=np.float64).reshape(rows, 3)
    return {"x": x, "y": np.arange(rows) % 2}


def npy(array: Any, **options: Any) -> bytes:
    """The bytes of a .npy file."""
    stream = io.BytesIO()
    np.lib.format.write_array(stream, np.asarray(array), **options)
    return stream.getvalue()


def npy_header(description: str, body: bytes = b"", version: tuple[int, int] = (1, 0)) -> bytes:
    """A .npy file with any header."""
    text = description.encode()
    length = struct.pack("<H" if version == (1, 0) else "<I", len(text))
    return b"\x93NUMPY" + bytes(version) + length + text + body


def npz(members: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    """A .npz file of any members."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)
    return stream.getvalue()


def idx(array: Any, code: int = 0x08, shape: tuple[int, ...] | None = None) -> bytes:
    """The bytes of an IDX file; another shape may be declared."""
    array = np.asarray(array)
    shape = array.shape if shape is None else shape
    types = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
    head = bytes([0, 0, code, len(shape)]) + struct.pack(f">{len(shape)}I", *shape)
    return head + array.astype(types.get(code, ">u1")).tobytes()


def images(rows: int = 40) -> np.ndarray[Any, Any]:
    """Sound images (rows, 4, 3) of bytes."""
    return (np.arange(rows * 12) % 251).reshape(rows, 4, 3).astype(np.uint8)
