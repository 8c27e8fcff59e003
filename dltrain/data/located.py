"""Targets that are places in a picture: points and boxes, as shares of its width and height."""

from __future__ import annotations

import numpy as np

from dltrain.data.examples import Array, Pool
from dltrain.errors import DataError
from dltrain.types import Need

NUMBERS = {"points": ("x, y", 2), "boxes": ("left, top, right, bottom", 4)}  # of one, and how many they are
FAR = 2.0  # pictures beside a picture: what lies farther is hardly meant as a share


def check_places(pool: Pool, need: Need, y: Array) -> None:
    """Raise a DataError unless targets (N, M) are places in the pictures of a pool."""
    words, each = NUMBERS[need.places]
    if pool.columns["x"].ndim != 4:
        got = f"features of shape {pool.columns['x'].shape}"
        raise DataError("there are no pictures to find places in", where=pool.where, expected="(N, H, W, C)", got=got)
    if y.shape[1] % each:
        expected = f"{words} of each: {each}, {2 * each}, {3 * each} … columns"
        raise DataError(f"the targets are no {need.places}", where=pool.where, expected=expected, got=str(y.shape[1]))
    if pool.layout.get("pictures", {}).get("cut"):
        what, hint = "places cannot follow pictures that are cut to another size", "say `resize: stretch`"
        raise DataError(what, where=pool.where, got="crop or pad", hint=hint)
    far = np.argwhere(np.abs(y - 0.5) > FAR)
    if len(far):
        row, column = (int(k) for k in far[0])
        expected, got = "shares of its width and height, 0 to 1", f"{float(y[row, column]):.6g}"
        hint = "divide what is told in pixels by the picture's width or height"
        raise DataError("this is no place in the picture", where=pool.place(row), expected=expected, got=got, hint=hint)
