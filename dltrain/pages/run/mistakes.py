"""The examples that a run gets most wrong."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from dltrain.data import pipeline
from dltrain.data.lazy import select
from dltrain.diagnose.errors import listed
from dltrain.layers.base import Array
from dltrain.pages.material import Material
from dltrain.pages.pictures import gallery
from dltrain.pages.section import LeftOut, note
from dltrain.report.html import Child, element, number, table
from dltrain.training.batch_preview import as_bytes

MOST = 24  # mistakes that are shown


def worst(run: Material) -> Iterator[Child]:
    """The largest losses, with their pictures where the data are pictures, or else with their features."""
    found = run.mistakes
    wrong = found if found.classes is None else found.take(np.flatnonzero(found.wrong))
    if not len(wrong):
        raise LeftOut(f"no sample of the {run.part} part is wrong")
    errors = f", {len(wrong):,} are wrong" if found.classes else ""
    yield note(f"Of the {run.part} part, {len(found):,} samples{errors}.")
    rows = listed(wrong, MOST)
    shape = run.data.shape
    if len(shape) == 3 and shape[2] in (1, 3):
        yield pictures(run, wrong.rows[:MOST], rows)
        return
    headers = ["sample", "is", "predicted", *["confidence"] * bool(found.classes), "loss"]
    keys = ["id", "label", "prediction", *["confidence"] * bool(found.classes), "loss"]
    yield table(headers, [[said(row[key]) for key in keys] for row in rows], "the largest losses")


def said(value: Any) -> Any:
    """A class or a number; several numbers in one text."""
    return ", ".join(map(number, value)) if isinstance(value, list) else value


def pictures(run: Material, rows: Array, told: Sequence[dict[str, Any]]) -> Child:
    """Pictures with what they are and what they are taken for."""
    x = np.asarray(select(run.data.parts[run.part].columns["x"], rows))
    undone = pipeline.undo(run.data.prepare, run.data.constants, x)
    pixels = np.asarray(x if undone is None else undone)
    names = [(said(one["label"]), said(one["prediction"])) for one in told]
    captions = [[element("bdi", true), " as ", element("bdi", taken)] for true, taken in names]
    return gallery([*as_bytes(pixels, pixels)], captions, [f"sample {one['id']}" for one in told])
