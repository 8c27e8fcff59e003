"""The first 512 bytes of a checkpoint: one line of text by which the whole file proves itself.

    dltrain checkpoint 1 step=1234 length=81920 sha256=9f86d0…

HDF5 allows such a *user block* before its own data.  It is checked before any other program code sees the file.
"""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path
from typing import BinaryIO

from dltrain.errors import CorruptFileError, DltrainError
from dltrain.runs import files
from dltrain.runs.naming import checkpoint_step

FORMAT = 1
BLOCK = 512
PIECE = 1 << 22
HEADER = re.compile(rb"dltrain checkpoint (\d{1,9}) step=(\d{1,15}) length=(\d{1,15}) sha256=([0-9a-f]{64})\n\0*")


def header(step: int, length: int, sha256: str) -> bytes:
    """The user block: one line of text, filled up with zeros to 512 bytes."""
    line = f"dltrain checkpoint {FORMAT} step={step} length={length} sha256={sha256}\n"
    return line.encode().ljust(BLOCK, b"\0")


def verify(path: str | Path) -> int:
    """Check that a file is a whole checkpoint, in constant memory and without the HDF5 library; returns its step.

    Raises:
        StorageError: when the file cannot be read.
        CorruptFileError: when it is not.
    """
    with files.reader(path) as file:
        step, size = _begin(file, path)
        digest = hashlib.sha256()
        while piece := file.read(PIECE):
            digest.update(piece)
        file.seek(0)
        _compare(file.read(BLOCK), step, size, digest.hexdigest(), path)
    return step


def looks_whole(path: str | Path) -> bool:
    """Whether a file's first line and length are those of a checkpoint; its content is not read."""
    try:
        with files.reader(path) as file:
            _begin(file, path)
    except DltrainError:
        return False
    return True


def read_verified(path: str | Path) -> bytes:
    """All bytes of a checkpoint, verified.

    Raises:
        StorageError: when the file cannot be read.
        CorruptFileError: when it is damaged, or too large for this machine.
    """
    with files.reader(path) as file:
        step, size = _begin(file, path)
        half = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
        if size > half:
            raise _refusal(path, "the file is too large for this machine", f"at most {half:,} bytes", f"{size:,}")
        file.seek(0)
        content = file.read()
    _compare(content[:BLOCK], step, size, hashlib.sha256(memoryview(content)[BLOCK:]).hexdigest(), path)
    return content


def _begin(file: BinaryIO, path: str | Path) -> tuple[int, int]:
    """Read the first line and compare it with the file's size and name; returns step and size."""
    size = os.fstat(file.fileno()).st_size
    match = HEADER.fullmatch(file.read(BLOCK))
    if match is None or size < BLOCK:
        raise _refusal(path, "this is not a checkpoint, or its beginning is damaged", "a line `dltrain checkpoint …`")
    version, step, length = (int(match[group]) for group in (1, 2, 3))
    if version != FORMAT:
        raise _refusal(path, "the checkpoint is of another version of dltrain", f"format {FORMAT}", str(version))
    if length != size - BLOCK:
        expected = f"{length:,} bytes after the first line"
        raise _refusal(path, "the checkpoint is cut or has bytes too many", expected, f"{size - BLOCK:,}")
    named = checkpoint_step(Path(path).name)
    if named is not None and named != step:
        raise _refusal(path, "the file's name is of another checkpoint", f"step {named}", f"step {step}")
    return step, size


def _compare(block: bytes, step: int, size: int, sha256: str, path: str | Path) -> None:
    """Compare the whole user block with the one that belongs to this content: no bit of it may differ."""
    if block != header(step, size - BLOCK, sha256):
        raise _refusal(path, "the checkpoint is damaged", "the content its SHA-256 was taken of")


def _refusal(path: str | Path, what: str, expected: str, got: str = "") -> CorruptFileError:
    return CorruptFileError(what, where=str(path), expected=expected, got=got, hint="use another checkpoint")
