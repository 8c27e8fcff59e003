"""Checking features and targets once, when they are loaded, and giving them their final form."""

from __future__ import annotations

from typing import Any

import numpy as np

from dltrain.data.examples import Array, Pool, chunks
from dltrain.data.pipeline import FILL
from dltrain.errors import DataError

LARGEST = 2**53  # up to here floats hold every whole number
MANY = 20  # that many classes may be as many as there are samples


def check_features(pool: Pool, missing: bool = False) -> Array:
    """The features (N, …) of a pool.

    Parameters:
        pool: as it was read
        missing: whether values may be missing (NaN)

    Raises:
        DataError: when there are none, they are not numbers, or one is not finite.
    """
    x = pool.columns["x"]
    if x.dtype.kind not in "biuf":
        raise DataError("features are not numbers", where=pool.where, expected="integers or floats", got=str(x.dtype))
    if x.ndim == 1:
        x = x[:, None]  # (N, 1)
    if x.ndim == 0 or not x.size:
        raise DataError("there are no examples or no features", where=pool.where, got=f"features of shape {x.shape}")
    y = pool.columns.get("y")
    if y is not None and (y.ndim == 0 or len(y) != len(x)):
        count = 0 if y.ndim == 0 else len(y)
        raise DataError("features and targets differ in number", where=pool.where, got=f"{len(x)} and {count}")
    check_finite(x, pool, "feature", pool.feature_names, missing)
    return x


def check_finite(values: Array, pool: Pool, kind: str, names: list[str], missing: bool = False) -> None:
    """Raise a DataError that names the first value that is not finite, its sample and column.

    Parameters:
        values: (N, …)
        pool: where they come from
        kind: what they are called
        names: of their columns
        missing: whether NaN passes
    """
    if values.dtype.kind != "f":
        return
    for rows in chunks(values):
        finite = ~np.isinf(values[rows]) if missing else np.isfinite(values[rows])
        if finite.all():
            continue
        row, *place = (int(i) for i in np.argwhere(~finite)[0])
        column = repr(names[place[0]]) if len(place) == 1 and names else ", ".join(map(str, place))
        if kind == "feature" and place and place[0] in pool.missing and np.isnan(values[(rows.start + row, *place)]):
            where, got = f"{pool.place(rows.start + row)}, {column}", repr(pool.missing[place[0]])
            raise DataError("a value is missing", where=where, expected="a number", got=got, hint=FILL)
        raise DataError(
            f"{kind} {column} is not a finite number" if place else f"this {kind} is not a finite number",
            where=pool.place(rows.start + row),
            got=f"{values[(rows.start + row, *place)]}",
            hint=FILL if kind == "feature" else "take the sample out or fill the value in",
        )


def labels_of(pool: Pool, needs: str) -> tuple[Array, list[str]]:
    """Labels (N,) int64 from 0 on, and the names of the classes.

    Raises:
        DataError: when a label is not a class, or the classes are not as many as the task needs.
    """
    y = pool.columns["y"]
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    if y.ndim != 1:
        hint = "for one-hot rows store the position of the 1; for several numbers use `task: regression`"
        raise DataError(
            "a sample has more than one target", where=pool.where, got=f"targets of shape {y.shape}", hint=hint
        )
    labels, classes = named(y, pool) if y.dtype.kind == "U" else numbered(y, pool)
    if len(classes) < 2:
        raise DataError("all samples are of one class", where=pool.where, expected="at least 2", got=", ".join(classes))
    if needs == "binary" and len(classes) != 2:
        hint = "use `task: classification`"
        raise DataError("this task takes two classes", where=pool.where, expected="2", got=str(len(classes)), hint=hint)
    return labels, classes


def named(y: Array, pool: Pool) -> tuple[Array, list[str]]:
    """Labels from text: numbered in the order of `classes`, or of the alphabet."""
    text = np.char.strip(y)
    names, first, labels = np.unique(text, return_index=True, return_inverse=True)
    if not names[0]:
        raise DataError("the label is missing", where=pool.place(int(first[0])))
    if pool.classes is None:
        if len(names) > max(MANY, len(y) // 2):
            hint = "use `task: regression` for numbers, or name the right target column"
            raise DataError(
                "nearly every sample has a label of its own", where=pool.where, got=f"{len(names)} classes", hint=hint
            )
        return labels.reshape(-1).astype(np.int64), [str(name) for name in names]
    known = {str(name): k for k, name in enumerate(pool.classes)}
    for name, position in zip(names, first, strict=True):
        if str(name) not in known:
            raise DataError(
                "this label is not one of the classes",
                where=pool.place(int(position)),
                expected=", ".join(known),
                got=repr(str(name)),
            )
    order = np.array([known[str(name)] for name in names], np.int64)
    return order[labels.reshape(-1)], list(known)


def numbered(y: Array, pool: Pool) -> tuple[Array, list[str]]:
    """Labels from numbers 0 … C-1; other numbers only where `classes` lists them."""
    whole = whole_numbers(y, pool)
    values, first = np.unique(whole, return_index=True)
    listed = [str(name) for name in pool.classes or ()]
    if listed and all(str(v) in listed for v in values):
        positions = np.array([listed.index(str(v)) for v in values], np.int64)
        return positions[np.searchsorted(values, whole)], listed
    count = len(listed) or int(values[-1]) + 1
    bad = values[(values < 0) | (values >= count)]
    if len(bad):
        place = int(first[np.searchsorted(values, bad[0])])
        raise DataError(
            "this label is not a class number",
            where=pool.place(place),
            expected=f"0 to {count - 1}" if listed else "whole numbers from 0 on",
            got=str(bad[0]),
            hint="number the classes from 0 on, or list the labels as `classes`",
        )
    if not listed:
        check_contiguous(values, first, pool)
    return whole, listed or [str(v) for v in values]


def whole_numbers(y: Array, pool: Pool) -> Array:
    """Targets as int64.

    Raises:
        DataError: naming the first that is not a whole number.
    """
    if y.dtype.kind not in "biuf":
        raise DataError("labels are neither numbers nor text", where=pool.where, got=str(y.dtype))
    check_finite(y, pool, "label", [])
    floats = y.astype(np.float64)
    wrong = np.flatnonzero((floats != np.trunc(floats)) | (np.abs(floats) > LARGEST))
    if len(wrong):
        place = int(wrong[0])
        hint = "use `task: regression` to learn numbers"
        raise DataError(
            "this label is not a class number",
            where=pool.place(place),
            expected="a whole number",
            got=str(y[place]),
            hint=hint,
        )
    return y.astype(np.int64)


def check_contiguous(values: Array, first: Array, pool: Pool) -> None:
    """Raise a DataError when class numbers leave a gap."""
    gap = np.flatnonzero(values != np.arange(len(values)))
    if len(gap):
        missing, after = int(gap[0]), int(values[gap[0]])
        raise DataError(
            f"no sample is of class {missing}, though there are higher ones",
            where=pool.place(int(first[gap[0]])),
            expected=f"classes 0 to {len(values) - 1} without a gap",
            got=str(after),
            hint="use `task: regression` to learn numbers"
            if len(values) > MANY
            else "number the classes without gaps, or list the labels as `classes`",
        )


def values_of(pool: Pool, dtype: str) -> tuple[Array, list[str]]:
    """Targets (N, M) of the given float type, and the names of their columns.

    Raises:
        DataError: when one is not a finite number.
    """
    y = pool.columns["y"]
    if y.dtype.kind not in "biuf":
        hint = "use `task: classification` for labels in words"
        raise DataError("targets are not numbers", where=pool.place(0), got=str(y[0]), hint=hint)
    y = y.reshape(len(y), -1)  # (N, M)
    names = pool.target_names or (["y"] if y.shape[1] == 1 else [f"y{k}" for k in range(y.shape[1])])
    check_finite(y, pool, "target", names)
    with np.errstate(over="ignore"):
        cast = y.astype(dtype)
    if not np.isfinite(cast).all():
        row, column = (int(i) for i in np.argwhere(~np.isfinite(cast))[0])
        hint = "use `dtype: float64`, or another unit"
        raise DataError(
            f"target {names[column]!r} is too large for {dtype}",
            where=pool.place(row),
            got=str(y[row, column]),
            hint=hint,
        )
    return np.ascontiguousarray(cast), list(names)


def guess_needs(pool: Pool) -> str:
    """What the targets look like: "classes" or "values"."""
    y: Any = pool.columns["y"]
    if pool.classes is not None or y.dtype.kind in "USb":
        return "classes"
    if y.ndim > 1 and y.shape[1] > 1:
        return "values"
    whole = y.dtype.kind in "iu" or bool((y == np.trunc(y)).all())
    return "classes" if whole and len(np.unique(y)) <= max(2, len(y) // 10) else "values"


def steps_of(pool: Pool) -> Array:
    """Targets (N, T) int32: 0 or 1 for each step of a sequence.

    Raises:
        DataError: when the source gives something else.
    """
    y = pool.columns["y"]
    if y.ndim != 2 or y.dtype.kind not in "biu" or "events" not in pool.layout:
        got = f"targets of shape {y.shape} and type {y.dtype}"
        what, hint = "the data have no label for each step", "take the source `sound_mix`"
        raise DataError(what, where=pool.where, expected="0 or 1 (N, T)", got=got, hint=hint)
    return y.astype(np.int32)
