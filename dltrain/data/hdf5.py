"""The hdf5 source: arrays in an HDF5 file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from dltrain.data.arrays import paired
from dltrain.data.examples import Array, Pool
from dltrain.data.folders import DataFolders, SettingError
from dltrain.registry import register
from dltrain.suggest import hint as suggestion

# the pictures of cats, signs and happy faces as the courses of deeplearning.ai hand them out
COURSE = {
    "x": "train_set_x",
    "y": "train_set_y",
    "x_test": "test_set_x",
    "y_test": "test_set_y",
    "classes": "list_classes",
}


@register("source", "hdf5")
class Hdf5:
    """Arrays in an HDF5 file, by their paths in it.

    Only plain numbers and text stored in the file itself are read: no links, no external storage.

    Parameters:
        path: the file, relative to the config, ./data or $DLTRAIN_DATA
        x: path of the features; left out: x, or train_set_x where the file has that
        y: path of the targets; left out: y, or train_set_y
        test_path: a file that is the test part
        x_test: path of the features of the test part; left out: as `x`, or test_set_x
        y_test: path of the targets of the test part; left out: as `y`, or test_set_y
        classes: names of the classes in the order of their numbers, or the path of an array in the file that holds
            them; left out: list_classes beside train_set_x
        validation_path: a file that is the validation part, named like the test part
        x_validation: path of the features of the validation part
        y_validation: path of the targets of the validation part
        weight: path of the array with how much each example counts in the loss
        weight_test: path of that of the test part, where it lies in the same file
        weight_validation: path of that of the validation part, where it lies in the same file

    Example:
        >>> import h5py; from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     with h5py.File(Path(folder, "a.h5"), "w") as file:
        ...         file["x"], file["y"] = np.eye(3), [0, 1, 1]
        ...     pool = Hdf5("a.h5").load(DataFolders(folder))
        >>> pool.columns["x"].shape, pool.columns["y"].tolist()
        ((3, 3), [0, 1, 1])

    Source: The HDF Group: HDF5 file format specification.
    """

    def __init__(
        self,
        path: str,
        x: str | None = None,
        y: str | None = None,
        test_path: str | None = None,
        x_test: str | None = None,
        y_test: str | None = None,
        classes: list[str | int] | str | None = None,
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
            SettingError: when an array is not there.
            DataError: when the arrays do not fit together.
            CorruptFileError: when a file is damaged.
        """
        names = self.named(folders)
        pool = paired(SimpleNamespace(**names), folders, read)
        classes = names["classes"]
        if not isinstance(classes, str):
            return pool
        stored = read(folders.find(self.path), (classes,))[classes].reshape(-1)
        text = np.char.decode(stored, "utf-8", "replace") if stored.dtype.kind == "S" else stored
        return replace(pool, classes=[str(name) for name in text.tolist()])

    def named(self, folders: DataFolders) -> dict[str, Any]:
        """All parameters, with the names of the arrays that were left out."""
        given = dict(vars(self))
        missing = [name for name in ("x", "y") if given[name] is None]
        course = bool(missing) and COURSE["x"] in names_in(folders.find(self.path))
        usual = COURSE if course else {"x": "x", "y": "y"}
        filled = [*missing, *(["classes"] if course and self.classes is None else [])]
        if course and self.test_path is not None:
            filled += [name for name in ("x_test", "y_test") if given[name] is None]
        return {**given, **{name: usual[name] for name in filled}}


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


def names_in(path: Path) -> list[str]:
    """The names at the top of an HDF5 file."""
    from dltrain.runs.hdf5 import names_in_hdf5

    return names_in_hdf5(path)
