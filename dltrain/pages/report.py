"""The page of what a user names: one run, several runs, or a sweep."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dltrain.errors import UsageError
from dltrain.pages.page import page
from dltrain.runs import files
from dltrain.runs.folder import RunFolder
from dltrain.sweeps.folder import SweepFolder

FILE = "report.html"


def report(names: Sequence[str | Path], runs: Path, out: Path | None) -> dict[str, Any]:
    """Write the page.

    Parameters:
        names: one run or sweep, or several runs
        runs: folder of the runs
        out: the file; left out: `report.html` in the folder of the run or sweep, or here for several runs

    Returns:
        ``{file, bytes, seconds, kind, subjects, sections, left_out: {title: reason}}``.

    Raises:
        UsageError: when there is no such run or sweep, or a run is named twice.
        StorageError: when the file cannot be written.
    """
    started = time.monotonic()
    folders = [found(name, runs) for name in names]
    kind, text, sections, left_out = made(folders, [str(name) for name in names])
    folder = folders[0].path if len(folders) == 1 else Path.cwd()
    file = (folder / FILE if out is None else out).absolute()
    if file.is_dir():
        raise UsageError("this is a folder", where=str(file), expected="a file, as report.html")
    files.make_folders(file.parent)
    files.atomic_write(file, text)
    return {
        "file": str(file),
        "bytes": len(text.encode()),
        "seconds": round(time.monotonic() - started, 3),
        "kind": kind,
        "subjects": [str(one.path) for one in folders],
        "sections": sections,
        "left_out": left_out,
    }


def found(name: str | Path, runs: Path) -> RunFolder | SweepFolder:
    """The run or the sweep of a name; of a run where both have it.

    Raises:
        UsageError: when there is neither.
    """
    try:
        return RunFolder.find(name, runs)
    except UsageError as error:
        try:
            return SweepFolder.find(name, runs)
        except UsageError:
            raise error from None


def made(folders: Sequence[RunFolder | SweepFolder], names: list[str]) -> tuple[str, str, list[str], dict[str, str]]:
    """What kind of page it is, its text, the titles of its sections, and what is left out.

    Raises:
        UsageError: when a sweep stands beside something else, or a run is named twice.
    """
    from dltrain.pages import comparison, run, study
    from dltrain.pages.material import Material

    single = folders[0] if len(folders) == 1 else None
    if isinstance(single, SweepFolder):
        return "sweep", *page(single.name, "A sweep by dltrain.", study.SECTIONS, study.Study(single))
    if isinstance(single, RunFolder):
        return "run", *page(single.name, "A run of dltrain.", run.SECTIONS, Material(single))
    sweeps = [folder.name for folder in folders if isinstance(folder, SweepFolder)]
    if sweeps:
        what = "a sweep has a page of its own"
        raise UsageError(what, where=sweeps[0], expected="one sweep, or several runs", got=", ".join(names))
    if len({folder.path for folder in folders}) < len(folders):
        what = "a run is named twice"
        raise UsageError(what, expected="each run once", got=", ".join(folder.name for folder in folders))
    materials = [Material(folder) for folder in folders if isinstance(folder, RunFolder)]
    title = f"{len(materials)} runs"
    return "runs", *page(title, ", ".join(comparison.names_of(materials)), comparison.SECTIONS, materials)
