"""The idx source: MNIST's file format."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from dltrain.data.arrays import joined
from dltrain.data.examples import Array, Pool
from dltrain.data.folders import DataFolders, SettingError
from dltrain.data.opening import read_exactly, stream
from dltrain.errors import CorruptFileError, DataError
from dltrain.registry import register

TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
AXES = 6


@register("source", "idx")
class Idx:
    """Images and labels in IDX files, as MNIST and Fashion-MNIST come (.gz is unpacked).

    Grey images (N, H, W) become (N, H, W, 1).

    Parameters:
        images: file with the images, relative to the config, ./data or $DLTRAIN_DATA
        labels: file with the labels
        test_images: file with the images of the test part
        test_labels: file with the labels of the test part
        classes: names of the classes, in the order of their numbers

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     _ = Path(folder, "x").write_bytes(bytes([0, 0, 8, 3, *(0, 0, 0, 2) * 3, *range(8)]))
        ...     _ = Path(folder, "y").write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, 2, 5, 7]))
        ...     pool = Idx("x", "y").load(DataFolders(folder))
        >>> pool.columns["x"].shape, pool.columns["y"].tolist()
        ((2, 2, 2, 1), [5, 7])

    Source: Y. LeCun, C. Cortes, C. Burges: The MNIST database, 1998.
    """

    def __init__(
        self,
        images: str,
        labels: str,
        test_images: str | None = None,
        test_labels: str | None = None,
        classes: list[str | int] | None = None,
    ) -> None:
        self.images, self.labels, self.test_images, self.test_labels = images, labels, test_images, test_labels
        self.classes = classes

    def load(self, folders: DataFolders) -> Pool:
        """x (N, H, W, 1), y (N,).

        Raises:
            SettingError: when one of the two files of the test part is not named.
            CorruptFileError: when a file is not what its header says.
        """
        if (self.test_images is None) != (self.test_labels is None):
            given = "test_images" if self.test_labels is None else "test_labels"
            error = SettingError(
                "`test_images` and `test_labels` belong together", where=self.images, hint="name both files"
            )
            raise error.about(getattr(self, given), given)
        parts = [("train", *pair(folders.find(self.images), folders.find(self.labels)))]
        if self.test_images is not None and self.test_labels is not None:
            parts.append(("test", *pair(folders.find(self.test_images), folders.find(self.test_labels))))
        return joined(parts, self.classes)


def pair(images: Path, labels: Path) -> tuple[str, Array, Array]:
    """(file, images, labels) of one part."""
    x, y = read_idx(images), read_idx(labels)
    if y.ndim != 1:
        raise DataError(
            "labels have one axis", where=str(labels), got=f"shape {y.shape}", hint="are the files swapped?"
        )
    if x.ndim < 2:
        raise DataError(
            "images have two axes or more", where=str(images), got=f"shape {x.shape}", hint="are the files swapped?"
        )
    return str(images), x[..., None] if x.ndim == 3 else x, y


def read_idx(path: Path) -> Array:
    """The array of an IDX file; nothing is allocated before header and size agree.

    Raises:
        CorruptFileError: when the header is wrong, or the data shorter or longer than it says.

    Source: Y. LeCun, C. Cortes, C. Burges: The MNIST database, 1998: "The IDX file format".
    """
    where = str(path)
    with stream(path) as (file, most):
        magic = file.read(4)
        if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] not in TYPES or not 1 <= magic[3] <= AXES:
            expected = "00 00, a type and a number of axes"
            raise CorruptFileError(
                "this is not an IDX file", where=where, expected=expected, got=magic.hex(" ") or "nothing"
            )
        head = file.read(4 * magic[3])
        if len(head) < 4 * magic[3]:
            raise CorruptFileError("the file ends in its header", where=where)
        shape = tuple(int.from_bytes(head[k : k + 4], "big") for k in range(0, len(head), 4))
        dtype = np.dtype(TYPES[magic[2]])
        count = dtype.itemsize
        for length in shape:
            count *= length
        if count > most:
            expected, got = f"at most {most:,} bytes", f"{count:,} for {shape}"
            raise CorruptFileError(
                "the header declares more than the file holds", where=where, expected=expected, got=got
            )
        data = read_exactly(file, count, where)
    return np.frombuffer(data, dtype).reshape(shape).astype(dtype.newbyteorder("="))
