"""The hdf5 source: arrays in an HDF5 file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from dltrain.data.arrays import paired
from dltrain.data.examples import Array, Pool
from dltrain.data.folders import DataFolders, SettingError
from dltrain.registry import register
from dltrain.suggest import hint as suggestion


@register("source", "hdf5")
class Hdf5:
    """Arrays in an HDF5 file, by their paths in it.

    Only plain numbers and text stored in the file itself are read: no links, no external storage.

    Parameters:
        path: the file, relative to the config, ./data or $DLTRAIN_DATA
        x: path of the features, such as train_set_x
        y: path of the targets
        test_path: a file that is the test part
        x_test: path of the features of the test part; left out: as `x`
        y_test: path of the targets of the test part; left out: as `y`
        classes: names of the classes in the order of their numbers, or the path of an array in the file that holds them
    """

    def __init__(
        self,
        path: str,
        x: str = "x",
        y: str = "y",
        test_path: str | None = None,
        x_test: str | None = None,
        y_test: str | None = None,
        classes: list[str | int] | str | None = None,
    ) -> None:
        self.path, self.x, self.y, self.test_path, self.x_test, self.y_test = path, x, y, test_path, x_test, y_test
        self.classes = classes

    def load(self, folders: DataFolders) -> Pool:
        """x (N, …), y (N, …) as stored.

        Raises:
            SettingError: when an array is not there.
            DataError: when the arrays do not fit together.
            CorruptFileError: when a file is damaged.
        """
        pool = paired(self, folders, read)
        if not isinstance(self.classes, str):
            return pool
        stored = read(folders.find(self.path), (self.classes,))[self.classes].reshape(-1)
        text = np.char.decode(stored, "utf-8", "replace") if stored.dtype.kind == "S" else stored
        return replace(pool, classes=[str(name) for name in text.tolist()])


def read(path: Path, names: tuple[str, ...] | None) -> dict[str, Array]:
    """Some or all arrays of an HDF5 file.

    Raises:
        SettingError: when one is not there.
        CorruptFileError: when the file is damaged.
    """
    from dltrain.runs.hdf5 import NoDataSet, read_hdf5

    try:
        return read_hdf5(path, None if names is None else tuple(dict.fromkeys(names)))
    except NoDataSet as error:
        hint = suggestion(error.path, error.got.split(", "))
        raise SettingError(error.what, where=str(path), got=error.got, hint=hint).about(error.path) from None
