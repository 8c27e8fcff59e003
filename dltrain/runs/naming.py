"""How run folders and checkpoints are named: numbers behind the name of a run, steps in that of a file."""

from __future__ import annotations

import os
import re
import unicodedata
from pathlib import Path

from dltrain.runs import files

LONGEST_NAME = 120  # bytes; with number and temporary suffix it stays below the 255 of common file systems
CHECKPOINT = re.compile(r"step-(\d{8,15})\.h5")


def next_folder(root: str | Path, name: str) -> Path:
    """Make `<root>/<name>-<number>` with the next number; any number of processes may do so at once.

    Parameters:
        root: folder of the folders; made when it is not there
        name: what does not fit into a file name becomes a dash

    Raises:
        StorageError: when the system refuses.
    """
    root, name = Path(root).absolute(), safe_name(name)
    files.make_folders(root)
    number = max((taken for base, taken, _ in numbered(root) if base == name), default=0)
    while True:
        number += 1
        try:
            files.make_folder(root / f"{name}-{number}")
        except FileExistsError:
            continue  # another process was faster
        return root / f"{name}-{number}"


def checkpoint_files(folder: str | Path) -> dict[int, Path]:
    """The checkpoint files of a folder by step, in order of the steps; links and foreign names do not count."""
    found = {}
    for name in listed(Path(folder)):
        step = checkpoint_step(name)
        if step is not None and files.is_regular(Path(folder, name)):
            found[step] = Path(folder, name)
    return dict(sorted(found.items()))


def checkpoint_name(step: int) -> str:
    """File name of a step's checkpoint."""
    return f"step-{step:08d}.h5"


def checkpoint_step(name: str) -> int | None:
    """The step of a checkpoint's file name; None for every other name.

    Example:
        >>> checkpoint_step("step-00001234.h5"), checkpoint_step("step-1234.h5")
        (1234, None)
    """
    match = CHECKPOINT.fullmatch(name)
    return int(match[1]) if match and checkpoint_name(int(match[1])) == name else None


def names(root: Path) -> list[str]:
    """Names of all that lies in the folder of the runs; hidden things do not count."""
    return [name for name in listed(root) if not name.startswith(".")]


def listed(folder: Path) -> list[str]:
    """All names in a folder, sorted; none where there is no folder."""
    with files.explained(folder, "list the folder"):
        try:
            return sorted(os.listdir(folder))
        except FileNotFoundError:
            return []


def split_name(name: str) -> tuple[str, int]:
    """A folder's name as run name and number.

    Example:
        >>> split_name("digits-mlp-12"), split_name("notes")
        (('digits-mlp', 12), ('notes', 0))
    """
    base, dash, number = name.rpartition("-")
    return (base, int(number)) if dash and number.isascii() and number.isdigit() and len(number) < 10 else (name, 0)


def numbered(root: Path) -> list[tuple[str, int, str]]:
    """All that lies in the folder of the runs, as (run name, number, folder name)."""
    return [(*split_name(name), name) for name in names(root)]


def safe_name(name: str) -> str:
    """A name that is one harmless path component: letters, digits, `.`, `_` and `-`.

    Example:
        >>> safe_name("../my run (2)"), safe_name("")
        ('my-run-2', 'run')
    """
    text = unicodedata.normalize("NFC", name)
    text = re.sub(r"[^\w.]+", "-", text).strip("-.")
    while len(text.encode()) > LONGEST_NAME:
        text = text[:-1]
    return text.rstrip("-.") or "run"
