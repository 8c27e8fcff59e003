"""From the raw targets of a source to what a task needs: labels, numbers, sets of labels, or several of these."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from dltrain.data.examples import Array, Pool
from dltrain.data.targets import labels_of, steps_of, values_of
from dltrain.errors import DataError
from dltrain.types import Need

IGNORED = -1  # stands for the label that is ignored


@dataclass(frozen=True)
class Target:
    """Targets in their final form.

    Parameters:
        y: (N,) class numbers, -1 for an ignored label, or (N, H, W) of them; or (N, M) numbers, or 0 and 1
        classes: names of the classes, or None
        names: names of the columns
    """

    y: Array
    classes: list[str] | None
    names: list[str]

    @property
    def columns(self) -> int:
        """How many numbers a sample has."""
        return 1 if self.y.ndim == 1 else int(self.y.shape[1])

    def info(self) -> dict[str, Any]:
        """Its names, as plain data."""
        return {"classes": self.classes, "target_names": self.names}


def read_target(pool: Pool, need: Need, dtype: str, known: list[str] | None = None) -> Target:
    """The targets of a pool for one task.

    Parameters:
        pool: with raw targets "y"; its `classes` and `target_names` say what is known of them
        need: what the task needs
        dtype: of numbers
        known: names of the classes or labels where a run has them already

    Raises:
        DataError: when they are not what the task needs.
    """
    pool = targets_for(pool, need)
    if known is not None:
        pool = replace(pool, classes=list(known))
    if need.kind == "tokens":
        return Target(sequences_of(pool), None, ["token"])
    if need.kind == "values":
        y, names = values_of(pool, dtype)
        return Target(y, None, names)
    if need.kind == "masks":
        return masks_of(pool, need)
    if need.kind == "steps":
        return Target(steps_of(pool), ["nothing", "event"], ["event"])
    if need.kind == "labels":
        if need.separator not in (None, ";") and known is None and pool.columns["y"].dtype.kind != "U":
            what, hint = "labels in columns of 0 and 1 have no separator", "leave `separator` out"
            raise DataError(what, where=pool.where, got=f"`separator: {need.separator}`", hint=hint)
        return label_sets(pool, need.separator or ";", dtype)
    names = pool.target_names or ["y"]
    y, classes = labels_of(pool, need.kind) if need.ignore is None else known_labels(pool, need, known is None)
    return Target(y, classes, names)


def sequences_of(pool: Pool) -> Array:
    """Targets (N, T): a character for each step of a text.

    Raises:
        DataError: when the source gives something else.
    """
    x, y = pool.columns["x"], pool.columns["y"]
    if y.dtype.kind not in "iu" or y.shape != x.shape or y.ndim != 2:
        hint = "take the source `text` or `text_lines`"
        raise DataError(
            "the data are no text", where=pool.where, expected="characters (N, T)", got=str(y.shape), hint=hint
        )
    return y


def read_targets(pool: Pool, needs: Mapping[str, Need], dtype: str) -> tuple[Array, dict[str, dict[str, Any]]]:
    """The targets of several tasks, side by side (N, columns) in float64, and each one's classes, names, columns."""
    found = {name: read_target(pool, need, "float64" if need.prepare else dtype) for name, need in needs.items()}
    heads, start = {}, 0
    for name, target in found.items():
        stop = start + target.columns
        heads[name] = {**target.info(), "columns": [start, stop], "prepare_target": list(needs[name].prepare)}
        start = stop
    blocks = [target.y.reshape(len(target.y), -1).astype(np.float64) for target in found.values()]
    return np.concatenate(blocks, axis=1), heads


def targets_for(pool: Pool, need: Need) -> Pool:
    """A pool with the targets that a task takes, text as such."""
    y = pool.columns["y"]
    if y.dtype.kind == "S":
        pool = replace(pool, columns={**pool.columns, "y": np.char.decode(y, "utf-8", "replace")})
    return only(pool, need.columns) if need.columns else pool


def numbering(pool: Pool, need: Need) -> Need:
    """What a task needs, with the classes by whose positions the source numbers labels of which one is ignored."""
    names = () if need.ignore is None else targets_for(pool, need).classes or ()
    return need._replace(classes=tuple(str(name) for name in names))


def only(pool: Pool, columns: tuple[str | int, ...]) -> Pool:
    """A pool with some columns of its targets, which are named or numbered from 0.

    Raises:
        DataError: when one is not there.
    """
    y = pool.columns["y"].reshape(len(pool.columns["y"]), -1)
    names = pool.target_names if len(pool.target_names) == y.shape[1] else [f"y{k}" for k in range(y.shape[1])]
    places = []
    for column in columns:
        if isinstance(column, int) and 0 <= column < len(names):
            places.append(column)
        elif column in names:
            places.append(names.index(str(column)))
        else:
            hint = "name all targets in the source, as `target: [a, b]` of a csv file"
            got, expected = repr(column), ", ".join(map(repr, names))
            raise DataError("the source has no such target", where=pool.where, expected=expected, got=got, hint=hint)
    chosen = y[:, places[0]] if len(places) == 1 else y[:, places]
    if chosen.dtype.kind == "U" and all_numbers(chosen):
        chosen = chosen.astype(np.float64)  # numbers that were read as text, since words stand beside them
    classes = pool.classes if y.shape[1] == 1 else None
    return replace(
        pool, columns={**pool.columns, "y": chosen}, target_names=[names[k] for k in places], classes=classes
    )


def all_numbers(texts: Array) -> bool:
    """Whether every text is a number."""
    try:
        texts.astype(np.float64)
    except ValueError:
        return False
    return True


def known_labels(pool: Pool, need: Need, first: bool) -> tuple[Array, list[str]]:
    """Labels and classes, with -1 in place of the label that is ignored.

    Parameters:
        pool: with raw labels
        need: names the label
        first: whether these are the data of a run to come, in which the label occurs

    Raises:
        DataError: when no sample has another label, or none of a run to come has this one.
    """
    y = pool.columns["y"].reshape(-1) if pool.columns["y"].ndim == 2 else pool.columns["y"]
    listed = [str(name) for name in need.classes or pool.classes or ()]
    wanted = str(need.ignore)
    if listed and y.dtype.kind in "biuf":
        y, wanted = spelled(y, listed, wanted)
    ignored = np.char.strip(y) == wanted if y.dtype.kind == "U" else y.astype(np.float64) == number(need.ignore)
    if ignored.all():
        raise DataError("all labels are ignored", where=pool.where, got=f"`ignore_label: {need.ignore}`")
    if first and not ignored.any():
        what, hint = "no sample has the label that is ignored", "leave `ignore_label` out, or correct it"
        raise DataError(what, where=pool.where, got=f"`ignore_label: {need.ignore}`", hint=hint)
    filled = y.copy()
    filled[ignored] = y[~ignored][0]  # any other, so that checks name the true places
    classes = [name for name in listed if name != wanted] or None
    labels, names = labels_of(replace(pool, columns={**pool.columns, "y": filled}, classes=classes), need.kind)
    return np.where(ignored, IGNORED, labels), names


def spelled(y: Array, listed: list[str], ignored: str) -> tuple[Array, str]:
    """Labels that are numbers as the names of their classes, and so the one that is ignored.

    Numbers are names themselves where all but the ignored one are listed, and else positions in the list.

    Parameters:
        y: (N,) numbers
        listed: names of the classes
        ignored: a name, or a number

    Example:
        >>> y, ignored = spelled(np.array([0, 2, 1]), ["red", "green", "blue"], "2")
        >>> y.tolist(), ignored
        (['red', 'blue', 'green'], 'blue')
        >>> spelled(np.array([7, 9, 255]), ["7", "9"], "255")[0].tolist()
        ['7', '9', '255']
    """
    values, inverse = np.unique(y * 1, return_inverse=True)  # yes and no are 1 and 0
    words = [str(value).removesuffix(".0") for value in values]
    if all(word in listed for word in words if word != ignored):
        names = words
    else:
        positions = {str(k): name for k, name in enumerate(listed)}
        names = [positions.get(word, word) for word in words]
        ignored = ignored if ignored in listed else positions.get(ignored, ignored)
    return np.array(names)[inverse.reshape(-1)], ignored


def masks_of(pool: Pool, need: Need) -> Target:
    """Masks (N, H, W) of class numbers, with -1 in place of the label that is ignored.

    Raises:
        DataError: when they are no masks, of another size than the pictures, or a pixel is of no class.
    """
    x, y = pool.columns["x"], pool.columns["y"]
    y = y[..., 0] if y.ndim == 4 and y.shape[-1] == 1 else y
    if y.ndim != 3 or y.dtype.kind not in "biu":
        hint = "use `task: classification` for one class a picture"
        got = f"targets of shape {y.shape} and type {y.dtype}"
        raise DataError(
            "the targets are no masks", where=pool.where, expected="whole numbers (N, H, W)", got=got, hint=hint
        )
    if y.shape[1:] != x.shape[1:3]:
        size, got = (" × ".join(map(str, sides)) for sides in (x.shape[1:3], y.shape[1:]))
        raise DataError("pictures and masks differ in size", where=pool.where, expected=size, got=got)
    labels = y.astype(np.int32)
    ignored = labels == int(need.ignore) if need.ignore is not None else np.zeros(labels.shape, bool)
    if ignored.all():
        raise DataError("all pixels are ignored", where=pool.where, got=f"`ignore_label: {need.ignore}`")
    most = int(labels[~ignored].max())
    classes = [str(name) for name in pool.classes or ()] or [str(k) for k in range(max(2, most + 1))]
    wrong = ~ignored & ((labels < 0) | (labels >= len(classes)))
    if wrong.any():
        row, *place = (int(k) for k in np.argwhere(wrong)[0])
        where, got = f"{pool.place(row)}, pixel {', '.join(map(str, place))}", str(labels[(row, *place)])
        hint = "name all classes, or say `ignore_label` for pixels of no class"
        raise DataError(
            "this pixel is of no class", where=where, expected=f"0 to {len(classes) - 1}", got=got, hint=hint
        )
    return Target(np.where(ignored, IGNORED, labels).astype(np.int32), classes, pool.target_names or ["mask"])


def number(text: str | int | None) -> float:
    """A label as a number; NaN where it is none."""
    try:
        return float(text)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return float("nan")


def label_sets(pool: Pool, separator: str, dtype: str) -> Target:
    """Targets (N, M) of 0 and 1 from such columns, or from text with the labels of each sample.

    Raises:
        DataError: when a value is something else, or a label is not known.
    """
    y = pool.columns["y"]
    if y.dtype.kind == "U":
        return from_text(pool, separator, dtype)
    y = y.reshape(len(y), -1)
    wrong = np.argwhere((y != 0) & (y != 1))
    if len(wrong):
        row, column = (int(i) for i in wrong[0])
        raise DataError(
            "this says neither yes nor no", where=pool.place(row), expected="0 or 1", got=str(y[row, column])
        )
    listed = next((some for some in (pool.target_names, pool.classes) if some and len(some) == y.shape[1]), None)
    names = [str(name) for name in listed or ()] or [f"y{k}" for k in range(y.shape[1])]
    return Target(y.astype(dtype), None, names)


def from_text(pool: Pool, separator: str, dtype: str) -> Target:
    """Targets (N, M) of 0 and 1 from text such as `beach;sunset`; an empty text has no label.

    Raises:
        DataError: when there is more than one column, or a label is not one of the classes.
    """
    y = pool.columns["y"]
    if y.ndim == 2 and y.shape[1] > 1:
        hint = "take one column of text, or columns of 0 and 1"
        raise DataError("the labels of a sample stand in several columns of text", where=pool.where, hint=hint)
    sets = [[label.strip() for label in str(text).split(separator) if label.strip()] for text in y.reshape(-1)]
    names = [str(c) for c in pool.classes] if pool.classes else sorted({label for labels in sets for label in labels})
    places = {name: k for k, name in enumerate(names)}
    found = np.zeros((len(sets), len(names)), dtype)
    for row, labels in enumerate(sets):
        for label in labels:
            if label not in places:
                expected = ", ".join(names)
                raise DataError("this label is not known", where=pool.place(row), expected=expected, got=repr(label))
            found[row, places[label]] = 1
    if not names:
        raise DataError("no sample has a label", where=pool.where)
    return Target(found, None, names)
