"""The cifar source: CIFAR-10 in its binary layout."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from dltrain.data.archives import ARCHIVES, read_archive
from dltrain.data.arrays import joined
from dltrain.data.examples import Array, Pool
from dltrain.data.folders import DataFolders, SettingError
from dltrain.data.opening import stream, too_large
from dltrain.errors import CorruptFileError, DataError
from dltrain.registry import register

SIDE, COLOURS = 32, 3
RECORD = 1 + SIDE * SIDE * COLOURS  # one byte for the label, then the planes red, green, blue
CLASSES = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
FOLDER = "cifar-10-batches-bin"
BATCHES = {"train": [f"{FOLDER}/data_batch_{k}.bin" for k in range(1, 6)], "test": [f"{FOLDER}/test_batch.bin"]}
BATCH = 10_000 * RECORD
MEMBERS = 1000


@register("source", "cifar")
class Cifar:
    """Colour pictures and labels in the binary layout of CIFAR-10: a byte for the label, 3072 for 32 × 32 pixels.

    Parameters:
        path: the archive cifar-10-binary.tar.gz, or a file (.bin, also gzipped) or a list of such files, relative to
            the config, ./data or $DLTRAIN_DATA
        test_path: a file, or files, that are the test part; the archive brings its own

    Raises:
        DataError: when the archive lacks a batch.
        CorruptFileError: when a file is damaged.

    Example:
        >>> from pathlib import Path; from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     _ = Path(folder, "a.bin").write_bytes(bytes([3]) + bytes(RECORD - 1) + bytes([8]) + bytes(RECORD - 1))
        ...     pool = Cifar("a.bin").load(DataFolders(folder))
        >>> pool.columns["x"].shape, [pool.classes[k] for k in pool.columns["y"]]
        ((2, 32, 32, 3), ['cat', 'ship'])

    Source: Krizhevsky: Learning multiple layers of features from tiny images, 2009.
    """

    def __init__(self, path: str | list[str], test_path: str | list[str] | None = None) -> None:
        self.path, self.test_path = path, test_path

    def load(self, folders: DataFolders) -> Pool:
        """x (N, 32, 32, 3) bytes, y (N,)."""
        parts = []
        for part, paths in (("train", self.path), ("test", self.test_path)):
            for name in [paths] if isinstance(paths, str) else paths or []:
                path = folders.find(name)
                if not name.endswith(ARCHIVES):
                    parts.append((part, str(path), *read_cifar(path)))
                elif part == "train":
                    parts += unpacked(path)
                else:
                    parts += [entry for entry in unpacked(path) if entry[0] == part]
        if not parts or parts[0][0] != "train":
            error = SettingError("the list of files is empty", where="path", expected="at least one file")
            raise error.about(self.path, "path")
        archives = [self.path] if isinstance(self.path, str) else self.path
        if self.test_path is not None and any(name.endswith(ARCHIVES) for name in archives):
            what = "this has no effect: the archive brings its own test part"
            raise SettingError(what, where="test_path", hint="leave `test_path` out").about(self.test_path, "test_path")
        return joined(merged(parts), list(CLASSES))


def read_cifar(path: Path) -> tuple[Array, Array]:
    """Pictures (N, 32, 32, 3) and labels (N,) of a file of records.

    Raises:
        CorruptFileError: when it is damaged.
    """
    with stream(path) as (file, most):
        data = file.read(most + 1)
    if len(data) > most:
        raise too_large(path, most)
    return records(data, str(path))


def merged(parts: list[tuple[str, str, Array, Array]]) -> list[tuple[str, str, Array, Array]]:
    """One entry a part, named after its first file."""
    found = []
    for part in ("train", "test"):
        own = [entry for entry in parts if entry[0] == part]
        if own:
            x, y = np.concatenate([entry[2] for entry in own]), np.concatenate([entry[3] for entry in own])
            found.append((part, own[0][1], x, y))
    return found


def records(data: bytes, where: str) -> tuple[Array, Array]:
    """Pictures (N, 32, 32, 3) and labels (N,).

    Raises:
        CorruptFileError: when the size is wrong, or a label.
    """
    if not data or len(data) % RECORD:
        expected, got = f"records of {RECORD:,} bytes", f"{len(data):,} bytes"
        raise CorruptFileError("this is no whole number of pictures", where=where, expected=expected, got=got)
    table = np.frombuffer(data, np.uint8).reshape(-1, RECORD)
    wrong = np.flatnonzero(table[:, 0] >= len(CLASSES))
    if len(wrong):
        place, got = f"{where}, sample {wrong[0]}", str(table[wrong[0], 0])
        raise CorruptFileError("this label is no class", where=place, expected="0 to 9", got=got)
    planes = table[:, 1:].reshape(-1, COLOURS, SIDE, SIDE)
    return np.ascontiguousarray(planes.transpose(0, 2, 3, 1)), table[:, 0].astype(np.int64)


def unpacked(path: Path) -> list[tuple[str, str, Array, Array]]:
    """The batches of the archive; other files are passed over.

    Raises:
        DataError: when one is missing.
        CorruptFileError: when the archive is damaged, or a batch too large.
    """
    wanted = {name for names in BATCHES.values() for name in names}
    found = read_archive(path, lambda name: BATCH * (name in wanted), MEMBERS)
    missing = next((name for name in sorted(wanted) if name not in found), None)
    if missing is not None:
        got = ", ".join(sorted(found)) or "none of the batches"
        raise DataError("a batch is not in the archive", where=str(path), expected=missing, got=got)
    return [
        (part, f"{path} {name}", *records(found[name], f"{path} {name}"))
        for part, names in BATCHES.items()
        for name in names
    ]
