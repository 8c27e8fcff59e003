"""Small pictures for tests, and folders and archives of them."""

from __future__ import annotations

import io
import struct
import tarfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

Pixels = np.ndarray[Any, Any]


def noise(seed: int, height: int = 6, width: int = 5, channels: int = 3) -> Pixels:
    """Random bytes (H, W, C)."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, channels), np.uint8)


def packed(pixels: Pixels, form: str = "PNG", **options: Any) -> bytes:
    """A picture file."""
    stream = io.BytesIO()
    Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels).save(stream, form, **options)
    return stream.getvalue()


def folder(path: Path, classes: str = "cat dog", count: int = 20, **shape: int) -> Path:
    """A folder with a folder for each class; no two pictures are alike."""
    for k, name in enumerate(classes.split()):
        (path / name).mkdir(parents=True)
        for i in range(count):
            (path / name / f"{i}.png").write_bytes(packed(noise(1000 * k + i, **shape)))
    return path


def archive(path: Path, members: dict[str, bytes]) -> None:
    """A .tar.gz of files."""
    with tarfile.open(path, "w:gz") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))


def png(width: int, height: int, data: bytes = b"", depth: int = 8, colour: int = 2) -> bytes:
    """A PNG file whose head declares any size."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")
