"""The folder of a result that is no run: files, and beside them result.json, which says what they are."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dltrain.runs.files import atomic_write, make_folders, plain
from dltrain.runs.naming import next_folder
from dltrain.runs.signals import Interruption, Stopped


def write(
    files: Mapping[str, str | bytes], facts: Mapping[str, Any], name: str, runs: Path, out: Path | None
) -> dict[str, Any]:
    """Write all files, and return what `result.json` holds; a signal in between waits for the end.

    Parameters:
        files: {name: content}
        facts: what `result.json` says beside
        name: of the folder, where it is numbered
        runs: folder in which `<name>-<number>` is made
        out: the folder itself, in place of that; files of the same names are replaced

    Raises:
        StorageError: when the system refuses.
        Stopped: when a signal came.
    """
    with Interruption() as interruption:
        if out is None:
            folder = next_folder(runs, name)
        else:
            folder = out.absolute()
            make_folders(folder)
        for file, content in files.items():
            atomic_write(folder / file, content)
        whole = {**facts, "folder": str(folder), "files": ["result.json", *files]}
        text = json.dumps(plain(whole), allow_nan=False, indent=1, ensure_ascii=False)
        atomic_write(folder / "result.json", text + "\n")
    if interruption.requested is not None:
        raise Stopped(interruption.requested)
    return whole
