"""From a trained run to what a view sees, in a folder."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dltrain.errors import UsageError
from dltrain.looking.reading import reading
from dltrain.looking.seen import Seen, Tell
from dltrain.looking.subject import subject
from dltrain.registry import create, parse
from dltrain.report.contact_sheet import contact_sheet
from dltrain.runs.results import write

if TYPE_CHECKING:
    from dltrain.training.trained import Run


def show(spec: Any, run: Run, *, runs: Path, out: Path | None, tell: Tell, **asked: Any) -> dict[str, Any]:
    """Look into a trained run, and write down what is seen.

    Parameters:
        spec: a view, by the grammar
        run: the trained run
        runs: folder in which `<run>-<view>-<number>` is made
        out: the folder itself, in place of that
        tell: is told how far the work is
        asked: layer, sample, split, file and class_, as for `subject`, and text, as for `reading`

    Returns:
        What `result.json` holds, and under `lines` what a terminal shows.

    Raises:
        UsageError: when the view does not suit the network.
        DataError: when the data are no pictures.
        StorageError: when the system refuses to write.
    """
    entry, _ = parse(spec, "view")
    view = create("view", spec)
    seen = view.look(subject_of(run, view.reads, **asked), tell)
    facts = {
        "view": entry.name,
        "parameters": {a.name: getattr(view, a.name) for a in entry.arguments},
        "run": str(run.folder.path),
        "checkpoint": run.step,
        "notes": seen.notes,
        "result": seen.result,
    }
    written = write(files_of(seen), facts, f"{run.folder.name}-{entry.name}", runs, out)
    return {**written, "lines": seen.lines}


def subject_of(run: Run, reads: str, *, text: str | None, **asked: Any) -> Any:
    """What a view looks at: a picture or a network, or a text.

    Raises:
        UsageError: when something is named that the view does not read.
    """
    if reads != "text":
        if text is not None:
            raise UsageError("the view reads no text", where="--text", expected="the view `attention`", got=repr(text))
        return subject(run, reads, **asked)
    wrong = next((name for name in ("file", "class_") if asked[name] is not None), None)
    if wrong is not None:
        where = {"file": "--input", "class_": "--class"}[wrong]
        raise UsageError("the view reads a text", where=where, expected="--text, or --split and --sample")
    return reading(run, text=text, sample=asked["sample"], split=asked["split"], layer=asked["layer"])


def files_of(seen: Seen) -> dict[str, bytes]:
    """The sheets as PNG files, the figures as SVG, and the numbers behind them in arrays.npz."""
    files = {
        f"{name}.png": contact_sheet(sheet.stacked(), sheet.labels, sheet.columns)[0]
        for name, sheet in seen.sheets.items()
    }
    stream = io.BytesIO()
    np.savez_compressed(stream, **{name.replace("/", "-"): array for name, array in seen.arrays.items()})  # type: ignore[arg-type]
    figures = {f"{name}.svg": figure.encode() for name, figure in seen.figures.items()}
    return {**files, **figures, "arrays.npz": stream.getvalue()}
