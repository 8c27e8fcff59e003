"""A run folder: its files, how it is made, and how it is found again.

`<root>/<name>-<number>/` holds `config.yaml` (complete), `metrics.jsonl`, `timing.jsonl`, `environment.json`,
`summary.json` and `checkpoints/step-<number>.h5`.  `docs/runs.md` describes each.
"""

from __future__ import annotations

import difflib
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dltrain.errors import CorruptFileError, UsageError
from dltrain.runs import files
from dltrain.runs.lock import RunLock
from dltrain.runs.naming import checkpoint_files, names, next_folder, numbered, safe_name, split_name

FORMAT = 1
MARKER = ".dltrain-run.json"


@dataclass(frozen=True)
class RunFolder:
    """One run's folder.

    Parameters:
        path: the folder

    Example:
        >>> import tempfile
        >>> root = tempfile.TemporaryDirectory()
        >>> [RunFolder.create(root.name, "digits").name for _ in range(2)]
        ['digits-1', 'digits-2']
        >>> RunFolder.find("digits", root.name).name     # the newest of this name
        'digits-2'
        >>> root.cleanup()
    """

    path: Path

    @staticmethod
    def create(root: str | Path, name: str, fill: Callable[[RunFolder], None] = lambda run: None) -> RunFolder:
        """Make the next folder of a name; any number of processes may do so at once.

        The folder counts as a run only when all of it is there: the marker is written last.

        Parameters:
            root: folder of all runs; made when it is not there
            name: the run's name; what does not fit into a file name becomes a dash
            fill: writes the files it begins with

        Raises:
            StorageError: when the system refuses.
        """
        return RunFolder(next_folder(root, name)).begun(fill)

    @staticmethod
    def create_at(path: str | Path, fill: Callable[[RunFolder], None] = lambda run: None) -> RunFolder:
        """Make a run folder at a path where nothing is yet.

        Raises:
            UsageError: when something is there.
            StorageError: when the system refuses.
        """
        path = Path(path).absolute()
        files.make_folders(path.parent)
        try:
            files.make_folder(path)
        except FileExistsError:
            raise UsageError("there is something already", where=str(path), expected="a new folder") from None
        return RunFolder(path).begun(fill)

    @staticmethod
    def at(path: str | Path, fill: Callable[[RunFolder], None] = lambda run: None) -> RunFolder:
        """The run folder of exactly this path; made where there is none, or only what a killed process left of one.

        For a caller who holds the path for itself, by a lock of its own.

        Parameters:
            path: the folder; those above it are made when they are not there
            fill: writes the files it begins with

        Raises:
            StorageError: when the system refuses.
        """
        path = Path(path).absolute()
        if is_run(path):
            return RunFolder.open(path)
        with files.explained(path, "make the folder"):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
        files.make_folders(path.parent)
        files.make_folder(path)
        return RunFolder(path).begun(fill)

    def begun(self, fill: Callable[[RunFolder], None]) -> RunFolder:
        """This run, whose folder is new, with all files that it begins with; the marker is written last."""
        files.make_folder(self.checkpoints_path)
        fill(self)
        files.write_json(self.path / MARKER, {"format": FORMAT})
        return self

    @staticmethod
    def open(path: str | Path) -> RunFolder:
        """The run folder at a path.

        Raises:
            UsageError: when it is not a run folder.
            CorruptFileError: when it is one of a later version of dltrain.
        """
        path = Path(path).absolute()
        if not is_run(path):
            raise UsageError("this is not a run folder", where=str(path), hint="`dltrain runs ls` shows all runs")
        marker = files.read_json(path / MARKER, limit=4096)
        if not isinstance(marker, dict) or marker.get("format") != FORMAT:
            raise CorruptFileError(
                "the run has another format", where=str(path), expected=f"format {FORMAT}", got=repr(marker)[:100]
            )
        run = RunFolder(path)
        if run.checkpoints_path.is_symlink():  # old checkpoints are removed there: it must be the run's own
            raise CorruptFileError("a link stands for the folder of the checkpoints", where=str(run.checkpoints_path))
        return run

    @staticmethod
    def find(name_or_path: str | Path, root: str | Path = "runs") -> RunFolder:
        """The run a user means: a path, a folder's name, a run's name (its newest), or the beginning of one.

        Raises:
            UsageError: when there is none, or the beginning fits several names.
        """
        text, root = str(name_or_path), Path(root)
        if is_run(Path(text)):
            return RunFolder.open(text)
        known = [name for name in names(root) if is_run(root / name)]
        if text in known:
            return RunFolder.open(root / text)
        same = [name for name in known if split_name(name)[0] == text]
        begin = same or [name for name in known if text and name.startswith(text)]
        bases = sorted({split_name(name)[0] for name in begin})
        if len(bases) == 1:
            return RunFolder.open(root / max(begin, key=split_name))
        raise _not_found(text, root, bases, known)

    @staticmethod
    def newest(root: str | Path, name: str) -> RunFolder | None:
        """The run of exactly this name with the highest number; None when there is none."""
        root, name = Path(root), safe_name(name)
        same = [(number, folder) for base, number, folder in numbered(root) if base == name and is_run(root / folder)]
        return RunFolder.open(root / max(same)[1]) if same else None

    @property
    def name(self) -> str:
        """Name and number, `digits-3`."""
        return self.path.name

    @property
    def config_path(self) -> Path:
        """The complete config."""
        return self.path / "config.yaml"

    @property
    def metrics_path(self) -> Path:
        """The metric log: JSON lines, a function of the training alone."""
        return self.path / "metrics.jsonl"

    @property
    def timing_path(self) -> Path:
        """The timing log: JSON lines with seconds."""
        return self.path / "timing.jsonl"

    @property
    def checkpoints_path(self) -> Path:
        """Folder of the checkpoints."""
        return self.path / "checkpoints"

    @property
    def environment_path(self) -> Path:
        """Versions and machine that the run started on."""
        return self.path / "environment.json"

    @property
    def summary_path(self) -> Path:
        """The result, written when a run ends or stops."""
        return self.path / "summary.json"

    @property
    def decision_path(self) -> Path:
        """Thresholds and temperature that were tuned after the training."""
        return self.path / "decision.json"

    @property
    def autopsy_path(self) -> Path:
        """The step that met a number that is not finite, for `dltrain replay`."""
        return self.path / "autopsy.h5"

    def checkpoints(self) -> dict[int, Path]:
        """The checkpoint files by step, in order of the steps, whether valid or not."""
        return checkpoint_files(self.checkpoints_path)

    def lock(self) -> RunLock:
        """The lock of this run, to be held while anything is written: `with run.lock(): …`."""
        return RunLock(self.path)

    def write(self, path: Path, content: str | dict[str, Any]) -> None:
        """Write one of the run's files atomically: text as it is, a mapping as JSON.

        Raises:
            StorageError: when the system refuses.
        """
        if isinstance(content, str):
            files.atomic_write(path, content)
        else:
            files.write_json(path, content)


def is_run(path: Path) -> bool:
    """Whether a path is a run folder itself, not a link to one."""
    return path.is_dir() and not path.is_symlink() and files.is_regular(path / MARKER)


def _not_found(text: str, root: Path, bases: list[str], known: list[str]) -> UsageError:
    if bases:
        return UsageError("several runs begin like this", where=text, got=", ".join(bases[:8]), hint="name one of them")
    choices = sorted({*known, *(split_name(name)[0] for name in known)})
    near = difflib.get_close_matches(text, choices, 3)
    hint = "did you mean " + " or ".join(map(repr, near)) + "?" if near else "`dltrain runs ls` shows all runs"
    return UsageError(
        "there is no such run", where=text, expected=f"a run folder, or the name of one in {root}", hint=hint
    )
