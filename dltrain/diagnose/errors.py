"""The folder of an error analysis: the table to tag, and the worst mistakes on one sheet of pictures."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dltrain.data import DataSet, pipeline
from dltrain.diagnose.mistakes import Mistakes, mistakes_of
from dltrain.diagnose.slices import slices
from dltrain.diagnose.tags import analysis, as_csv, is_tagged, read_tags
from dltrain.errors import UsageError
from dltrain.report.contact_sheet import contact_sheet
from dltrain.runs.files import atomic_write, make_folders
from dltrain.runs.folder import safe_name
from dltrain.suggest import hint as suggestion
from dltrain.training.batch_preview import as_bytes

if TYPE_CHECKING:
    from dltrain.data.examples import Examples
    from dltrain.layers.base import Array
    from dltrain.training.trained import Run

PICTURES = 48  # of a sheet
TABLE, SHEET = "errors.csv", "errors.png"


def look(
    run: Run,
    part: str,
    examples: Examples,
    folder: Path,
    most: int,
    tags: Path | None,
    head: str | None = None,
    by: str | None = None,
) -> dict[str, Any]:
    """What a run gets wrong, as numbers, and as files to look at.

    Parameters:
        run: the run, with its data
        part: name of the part, or of the file
        examples: of it
        folder: of the files; a table that is there keeps its tags
        most: how many single mistakes are listed
        tags: a table with tags, to be added up
        head: of a multi_task, or a label; left out: the one with the largest error
        by: a column, whose values or ranges are compared

    Raises:
        UsageError: when the task has no such mistakes.
        DataError: when the table of tags does not fit.
        StorageError: when the system refuses.
    """
    heads = mistakes_of(run, examples)
    head = worst_of(heads) if head is None else head
    if head not in heads:
        advice = suggestion(head, heads, f"there are {', '.join(heads)}" if "" not in heads else "it has one task")
        raise UsageError("the run has no such head or label", where=run.folder.name, got=repr(head), hint=advice)
    found, folder = heads[head], folder / safe_name(head) if head else folder
    wrong = found.take(np.flatnonzero(found.wrong)) if found.classes is not None else found
    certain = wrong if wrong.confidence is None else wrong.take(np.argsort(-wrong.confidence, kind="stable"))
    table = analysis(read_tags(tags), found, str(tags)) if tags is not None else None
    files, notes = [], []
    if found.classes is not None:
        make_folders(folder)
        kept = tags_kept(folder / TABLE, wrong)
        atomic_write(folder / TABLE, as_csv(wrong, kept))
        files.append(TABLE)
        shape = run.session.data.shape
        if len(wrong) and len(shape) == 3 and shape[2] in (1, 3):
            shown = wrong.take(np.arange(min(len(wrong), PICTURES)))
            try:
                atomic_write(folder / SHEET, pictures_of(run.session.data, examples, shown))
                files.append(SHEET)
            except ModuleNotFoundError:
                notes.append('a sheet of the pictures takes Pillow: `pip install "dltrain[images]"`')
    return {
        "run": str(run.folder.path),
        "checkpoint": run.step,
        "decision": run.decision,
        "split": part,
        "head": head or None,
        "heads": [] if "" in heads else [told(name, each) for name, each in heads.items()],
        "slices": None if by is None else slices(run, found, by),
        "samples": len(found),
        "errors": int(found.wrong.sum()) if found.classes is not None else None,
        "error": found.error if found.classes is not None else None,
        "classes": found.by_class() if found.classes is not None else None,
        "confused": found.confused() if found.classes is not None else None,
        "concentration": found.concentration() if found.classes is None else None,
        "worst": listed(wrong, most),
        "most_confident": None if found.classes is None else listed(certain, most),
        "tags": table,
        "folder": str(folder) if files else None,
        "files": files,
        "notes": notes,
    }


def worst_of(heads: Mapping[str, Mistakes]) -> str:
    """The head that is wrong most often; where none has mistakes, the one with the largest loss."""
    return max(heads, key=lambda name: (heads[name].error, float(heads[name].loss.mean()) if len(heads[name]) else 0.0))


def told(name: str, found: Mistakes) -> dict[str, Any]:
    """A head as a line of a table."""
    wrong = None if found.classes is None else int(found.wrong.sum())
    error = float(found.loss.mean()) if found.classes is None else found.error
    return {"head": name, "samples": len(found), "errors": wrong, "error": error}


def tags_kept(path: Path, wrong: Mistakes) -> dict[str, dict[str, str]]:
    """What was filled in by hand in a table that is about to be written again.

    Raises:
        UsageError: when tagged examples are no mistakes now, whose tags would be lost.
    """
    if not path.is_file():
        return {}
    table, still = read_tags(path), {str(number) for number in wrong.ids}
    lost = [number for number, row in table.items() if number not in still and is_tagged(row)]
    if lost:
        what = f"{len(lost)} tagged examples, such as {lost[0]}, are no mistakes now: their tags would be lost"
        hint = "`--out DIR` writes another table, or move this one away"
        raise UsageError(what, where=str(path), hint=hint)
    return table


def listed(mistakes: Mistakes, most: int) -> list[dict[str, Any]]:
    """The first of them as plain data."""
    return [
        {
            "id": int(mistakes.ids[k]),
            "label": mistakes.labels[k],
            "prediction": mistakes.predictions[k],
            "confidence": None if mistakes.confidence is None else float(mistakes.confidence[k]),
            "loss": float(mistakes.loss[k]),
            **({} if mistakes.texts is None else {"text": mistakes.texts[k]}),
        }
        for k in range(min(most, len(mistakes)))
    ]


def pictures_of(data: DataSet, examples: Examples, mistakes: Mistakes) -> bytes:
    """A sheet of pictures, each with what it is and what it was taken for.

    Raises:
        ModuleNotFoundError: when Pillow is not installed.
    """
    x: Array = examples.columns["x"][mistakes.rows]
    undone = pipeline.undo(data.prepare, data.constants, x)
    shown = np.asarray(x if undone is None else undone)
    labels = [f"{a} as {b}" for a, b in zip(mistakes.labels, mistakes.predictions, strict=True)]
    return contact_sheet(as_bytes(shown, shown), labels)[0]
