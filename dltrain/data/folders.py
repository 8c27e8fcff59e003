"""Where files named in a config are looked up, and how they are kept inside those folders."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any, Self

from dltrain.data.collection import COLLECTIONS
from dltrain.errors import DataError
from dltrain.runs.files import explained

VARIABLE = "DLTRAIN_DATA"


class SettingError(DataError):
    """A setting of a source and what its files hold do not agree: a path, a column, the name of an array.

    Where the setting stands in a config, it is a mistake in the config (`assemble.load` shows it there); a file given
    to a command has no config to point at.

    Parameters:
        written: the value as it was given, such as a path; looked up among the source's parameters; None where no
            setting is to blame
        at: the parameter and, in a list, the position, where the value alone does not tell them
    """

    written: Any = None
    at: tuple[str | int, ...] = ()

    def about(self, written: Any, *at: str | int) -> Self:
        """The same error, saying which setting it is about."""
        self.written, self.at = written, at
        return self


class PathError(SettingError):
    """A path names no data file, or none that a config may name."""


class DataFolders:
    """The folders in which a config's data files may lie: the config's own, ``./data``, ``$DLTRAIN_DATA``.

    Parameters:
        config_folder: folder of the config, or None when there is no file

    Example:
        >>> DataFolders(None).find("../a.csv")
        Traceback (most recent call last):
        dltrain.data.folders.PathError: ../a.csv: a data path must stay inside its folder; expected a path without '..'
    """

    def __init__(self, config_folder: Path | str | None = None) -> None:
        folders = [] if config_folder is None else [Path(config_folder)]
        folders.append(Path("data"))
        if os.environ.get(VARIABLE):
            folders.append(Path(os.environ[VARIABLE]))
        self.folders = tuple(folders)

    def find(self, path: str) -> Path:
        """The file that a relative path names: the first of the folders that has it.

        Raises:
            PathError: when the path is not a plain relative one, leaves its folder, or is not there.
            StorageError: when the system does not let us look.
        """
        found = self.find_any(path)
        if not found.is_file():
            what = "this is a folder" if found.is_dir() else "this is not a file"
            raise PathError(what, where=str(found), expected="a file").about(path)
        return found

    def find_any(self, path: str) -> Path:
        """The file or folder that a relative path names; see `find`."""
        try:
            return self._find(path)
        except PathError as error:
            raise error.about(path) from None

    def _find(self, path: str) -> Path:
        check_relative(path)
        for folder in self.folders:
            candidate = folder / path
            with explained(candidate, "read the file"):
                if not candidate.exists():
                    continue
            inside(candidate, folder, path)
            return candidate
        raise PathError("there is no such data file", where=path, expected=self._searched(), hint=self._hint(path))

    def _searched(self) -> str:
        return "it in " + ", ".join(f"{folder}{os.sep}" for folder in self.folders)

    def _hint(self, path: str) -> str:
        name = PurePosixPath(path).parts[0]
        if name in COLLECTIONS:
            return f"`dltrain data fetch {name}` brings it into ./data"
        if os.environ.get(VARIABLE):
            return f"{VARIABLE} is searched last"
        return f"set {VARIABLE} to the folder that holds your data sets"


def check_relative(path: str) -> None:
    """Raise a PathError unless a path is relative, without ``..`` and without control characters."""
    shown = repr(path)[1:-1]
    if not path or not path.isprintable():
        raise PathError("a data path has no control characters and is not empty", where=shown or "data path")
    if PurePosixPath(path).is_absolute() or PureWindowsPath(path).drive or path.startswith("\\"):
        hint = f"put the file beside the config, into ./data, or below ${VARIABLE}"
        raise PathError("a data path must be relative", where=shown, hint=hint)
    if ".." in PurePosixPath(path).parts or ".." in PureWindowsPath(path).parts:
        raise PathError("a data path must stay inside its folder", where=shown, expected="a path without '..'")


def inside(candidate: Path, folder: Path, path: str) -> None:
    """Raise a PathError when links lead a path out of its folder."""
    real = candidate.resolve()
    if not real.is_relative_to(folder.resolve()):
        expected = f"a file that lies in {folder}{os.sep}"
        raise PathError("a link leads out of the data folder", where=path, expected=expected, got=str(real))
