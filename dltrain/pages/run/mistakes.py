"""The examples that a run gets most wrong."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from dltrain.data import pipeline
from dltrain.data.lazy import select
from dltrain.diagnose.errors import listed
from dltrain.diagnose.mistakes import Mistakes
from dltrain.layers.base import Array
from dltrain.pages.material import Material
from dltrain.pages.pictures import gallery
from dltrain.pages.section import LeftOut, note
from dltrain.report.html import Child, element, number, table
from dltrain.training.batch_preview import as_bytes

MOST = 24  # mistakes that are shown


def worst(run: Material) -> Iterator[Child]:
    """The largest losses, with their pictures where the data are pictures, or else with their texts or features."""
    wrong = {head: mistaken(found) for head, found in run.mistakes.items()}
    if not any(map(len, wrong.values())):
        raise LeftOut(f"no sample of the {run.part} part is wrong")
    for head, some in wrong.items():
        found = run.mistakes[head]
        if head:
            yield element("h3", head)
        errors = f", {len(some):,} are wrong" if found.classes else ""
        yield note(f"Of the {run.part} part, {len(found):,} samples{errors}.")
        if len(some):
            yield shown(run, some)


def mistaken(found: Mistakes) -> Mistakes:
    """The examples that are wrong; of a regression all."""
    return found if found.classes is None else found.take(np.flatnonzero(found.wrong))


def shown(run: Material, wrong: Mistakes) -> Child:
    """The worst of some mistakes: pictures, or a table."""
    rows, shape = listed(wrong, MOST), run.data.shape
    if len(shape) == 3 and shape[2] in (1, 3):
        return pictures(run, wrong.rows[:MOST], rows)
    columns = {"sample": "id", "text": "text", "is": "label", "predicted": "prediction", "confidence": "confidence"}
    columns |= {"loss": "loss"}
    there = {header: key for header, key in columns.items() if rows[0].get(key) is not None}
    return table(list(there), [[said(row[key]) for key in there.values()] for row in rows], "the largest losses")


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
