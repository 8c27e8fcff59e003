"""All runs as data: list them, show one, compare two, remove one.  The command line draws what is returned here."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from dltrain.errors import DltrainError, UsageError
from dltrain.runs import files
from dltrain.runs.envelope import verify
from dltrain.runs.folder import RunFolder, is_run
from dltrain.runs.lock import holder
from dltrain.runs.metrics import read_log
from dltrain.runs.naming import names, split_name
from dltrain.runs.notes import Notes, read_notes

STATES = {
    "epochs": "done",
    "steps": "done",
    "time": "done",
    "fitted": "done",
    "early_stopping": "done early",
    "signal": "interrupted",
}  # why a run stopped, in words


@dataclass(frozen=True)
class RunRow:
    """One line of the list of runs.

    Parameters:
        name: folder name
        path: the folder
        status: running, unfinished (no summary: it was killed), damaged, or why it stopped (epochs, signal, …)
        step: step of the newest checkpoint file; None without one
        summary: content of `summary.json`, empty when there is none
        bytes: size of all files
        tags: words that it was given
        note: text that it was given
    """

    name: str
    path: Path
    status: str
    step: int | None
    summary: dict[str, Any]
    bytes: int
    tags: tuple[str, ...] = ()
    note: str = ""

    @property
    def over(self) -> bool:
        """Whether its training came to an end: it neither runs, nor was killed or interrupted."""
        return self.status not in ("running", "unfinished", "damaged", "signal")

    @property
    def state(self) -> str:
        """Its status in words."""
        return STATES.get(self.status, self.status)


def rows(root: str | Path) -> list[RunRow]:
    """All runs of a folder, by name and number.

    Raises:
        StorageError: when the folder cannot be read.
    """
    found = [RunFolder(Path(root, name)) for name in names(Path(root)) if is_run(Path(root, name))]
    return [row(run) for run in sorted(found, key=lambda run: split_name(run.name))]


def row(run: RunFolder) -> RunRow:
    """The line of one run."""
    summary: dict[str, Any] = {}
    status, notes = "unfinished", Notes()
    if files.is_regular(run.summary_path):
        try:
            summary = dict(files.read_json(run.summary_path))
            status = str(summary.get("stopped", "finished"))
        except (DltrainError, TypeError, ValueError):
            status = "damaged"
    try:
        notes = read_notes(run)
    except DltrainError:
        status = "damaged"
    if holder(run.path) is not None:
        status = "running"
    step = max(run.checkpoints(), default=None)
    return RunRow(run.name, run.path, status, step, summary, size(run.path), notes.tags, notes.note)


def details(run: RunFolder) -> dict[str, Any]:
    """Everything about one run: its row, holder, environment, metric records and checkpoints (each verified).

    Raises:
        StorageError: when a file cannot be read.
        CorruptFileError: when a file is damaged.
    """
    environment = files.read_json(run.environment_path) if files.is_regular(run.environment_path) else {}
    return {
        **asdict(row(run)),
        "path": str(run.path),
        "holder": holder(run.path),
        "environment": environment,
        "metrics": read_log(run.metrics_path),
        "checkpoints": [_checkpoint(step, path) for step, path in run.checkpoints().items()],
    }


def _checkpoint(step: int, path: Path) -> dict[str, Any]:
    problem = ""
    try:
        verify(path)
    except DltrainError as error:
        problem = str(error)
    return {"step": step, "file": path.name, "bytes": bytes_of(path), "problem": problem}


def size(folder: Path) -> int:
    """Bytes of all files of a folder; links count as themselves."""
    return sum(bytes_of(Path(place, name)) for place, _, contained in os.walk(folder) for name in contained)


def bytes_of(path: Path) -> int:
    """Bytes of a file itself, not of what it links to; 0 when a training has removed it meanwhile."""
    with suppress(FileNotFoundError):
        return os.lstat(path).st_size
    return 0


def flat(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Leaves of nested maps and lists with dotted paths.

    Example:
        >>> dict(flat({"train": {"epochs": 3}, "metrics": ["accuracy"]}))
        {'train.epochs': 3, 'metrics.0': 'accuracy'}
    """
    if isinstance(value, (Mapping, list, tuple)) and value:
        items = value.items() if isinstance(value, Mapping) else enumerate(value)
        for key, item in items:
            yield from flat(item, f"{path}.{key}" if path else str(key))
    else:
        yield path, value


def differences(first: Mapping[str, Any], second: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Where two nested maps (configs, summaries) differ: `path`, and what stands there in `first` and `second`.

    Where one of them has nothing, the entry lacks that key.

    Example:
        >>> differences({"seed": 0, "name": "a"}, {"seed": 1, "name": "a", "dtype": "float64"})
        [{'path': 'dtype', 'second': 'float64'}, {'path': 'seed', 'first': 0, 'second': 1}]
    """
    a, b = dict(flat(first)), dict(flat(second))
    found = []
    for path in sorted({*a, *b}):
        if path in a and path in b and a[path] == b[path] and type(a[path]) is type(b[path]):
            continue
        sides = (("first", a), ("second", b))
        found.append({"path": path} | {side: values[path] for side, values in sides if path in values})
    return found


@contextmanager
def removed_if_empty(run: RunFolder) -> Iterator[None]:
    """When this fails before anything is saved, the run is removed: an empty one would be the newest of its name.

    A signal is no failure: the run can be gone on with.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as root:
        ...     try:
        ...         with removed_if_empty(RunFolder.create(root, "digits")):
        ...             raise ValueError
        ...     except ValueError:
        ...         names(Path(root))
        []
    """
    try:
        yield
    except Exception:
        if not run.checkpoints() and not run.autopsy_path.is_file():
            with suppress(DltrainError):  # what failed matters more
                remove(run)
        raise


def remove(run: RunFolder) -> None:
    """Delete a run folder; what links inside it point to is not touched.

    The folder first gets a hidden name, so the run is gone as a whole even when the deletion is interrupted.

    Raises:
        UsageError: when it is not a run folder.
        StorageError: when a process trains in it, or the system refuses.
    """
    if not is_run(run.path):
        raise UsageError("this is not a run folder", where=str(run.path), hint="`dltrain runs ls` shows all runs")
    with run.lock(), files.explained(run.path, "remove the run"):
        doomed = run.path.with_name(f".removed-{run.name}-{os.urandom(4).hex()}")
        os.rename(run.path, doomed)
        shutil.rmtree(doomed)
