"""The first training batch of a run that has not begun, as pictures to look at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from dltrain.data import Batch, DataSet, pipeline
from dltrain.data.augmentations.places import drawn_in
from dltrain.data.examples import chunks
from dltrain.data.wanted import IGNORED
from dltrain.errors import DataError
from dltrain.layers.base import Array
from dltrain.registry import parse

if TYPE_CHECKING:
    from dltrain.training.session import Session

MOST = 64  # pictures that are shown


def first_batch(session: Session) -> dict[str, Any]:
    """What the network sees first: shuffled, balanced, augmented; preparation is undone to look at it.

    Returns ``{pictures: (n, H, W, C) bytes, labels: [text], drawn, samples, shape, notes}``; n is at most 64 of the
    samples.  ``drawn`` is what lies in the pictures: (masks, (n, H, W) class numbers), or (points, (n, M)) and
    (boxes, (n, M)) as shares of the sides.

    Raises:
        DataError: when the data are no pictures.
    """
    data = session.data
    if len(data.shape) != 3 or data.shape[2] not in (1, 3):
        expected, got = "features of shape (H, W, 1) or (H, W, 3)", f"features of shape {data.shape}"
        raise DataError("the data are no pictures", where=data.description, expected=expected, got=got)
    loader = session.training_loader()
    batch = loader.batch(0, 0)
    x = next(iter(batch.inputs.values()))[:MOST]
    train = next(iter(loader.sources.values()))
    notes, specs = [], data.prepare
    if pipeline.undo(specs, data.constants, x) is None:
        names = ", ".join(parse(spec, "preparation")[0].name for spec in data.prepare)
        notes.append(f"the preparation ({names}) cannot be undone: black and white are its smallest and largest value")
        specs = []

    def as_read(some: Array) -> Array:
        return np.asarray(pipeline.undo(specs, data.constants, some))

    if len(batch) > MOST:
        notes.append(f"the first {MOST} of the {len(batch)} pictures of a batch")
    extremes = [(some.min(), some.max()) for some in (as_read(train[rows]) for rows in chunks(train))]
    pictures = as_bytes(as_read(x), np.array(extremes))
    labels = [label_of(batch, data, row) for row in range(len(x))]
    drawn = [(some.kind, batch.target[:MOST, some.columns]) for some in drawn_in(data)]
    about = {"samples": len(batch), "shape": list(data.shape), "notes": notes}
    return {"pictures": pictures, "labels": labels, "drawn": drawn, **about}


def as_bytes(x: Array, known: Array) -> Array:
    """Values as bytes: the smallest and the largest of those that are known are black and white."""
    low, high = float(known.min()), float(known.max())
    return np.rint(((x - low) * (255 / ((high - low) or 1.0))).clip(0, 255)).astype(np.uint8)


def label_of(batch: Batch, data: DataSet, row: int) -> str:
    """The target of an example in words; both of one that is mixed, with their shares."""
    first = in_words(batch.target[row : row + 1], data)
    if batch.mixed is None or batch.mixed.share[row] == 1:
        return first
    share, second = float(batch.mixed.share[row]), in_words(batch.mixed.target[row : row + 1], data)
    return f"{first} {share:.2f} + {second} {1 - share:.2f}"


def in_words(target: Array, data: DataSet) -> str:
    """One target (1,) or (1, M): its class, its labels, its values, or those of each head."""
    if data.heads:
        parts = {name: data.restore(target[:, slice(*head["columns"])], name) for name, head in data.heads.items()}
        return ", ".join(
            f"{name} {one(part, head['classes'], head['target_names'], data.needs[name])}"
            for (name, part), head in zip(parts.items(), data.heads.values(), strict=True)
        )
    plain = target if data.classes is not None else data.restore(target)
    return one(plain, data.classes, data.target_names, data.needs[""])


def one(target: Array, classes: list[str] | None, names: list[str], need: Any) -> str:
    """The target of one task in words."""
    values = target.reshape(-1)
    if need["kind"] == "masks" and classes is not None:
        return ", ".join(str(classes[k]) for k in np.unique(values[values >= 0]))
    if classes is not None:
        return "(ignored)" if values[0] == IGNORED else classes[int(values[0])]
    if need["kind"] == "labels":
        return ", ".join(name for name, there in zip(names, values, strict=True) if there) or "(none)"
    return ", ".join(f"{float(value):.4g}" for value in values)
