"""Pictures with what lies in them: their masks beside them, points and boxes drawn into them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from dltrain.report.mask_picture import palette

MARK = (255, 0, 160)  # a colour that photographs hardly have


def annotated(pictures: Any, drawn: Sequence[tuple[str, Any]]) -> Any:
    """Pictures (N, H, W or 2 W, 3) with what lies in them.

    Parameters:
        pictures: (N, H, W, C) bytes, grey or red, green and blue
        drawn: (masks, (N, H, W) class numbers), negative where there is none, or (points, (N, 2 P)) and
            (boxes, (N, 4 B)) as shares of the sides

    Example:
        >>> import numpy as np
        >>> found = annotated(np.zeros((1, 2, 4, 1), np.uint8), [("points", np.array([[1.0, 0.0]]))])
        >>> found[0, :, :, 0].tolist()
        [[0, 0, 0, 255], [0, 0, 0, 0]]
    """
    if drawn:
        pictures = np.broadcast_to(pictures, (*pictures.shape[:3], 3)).copy()
    for kind, values in drawn:
        pictures = DRAW[kind](pictures, values)
    return pictures


def beside_masks(pictures: Any, masks: Any) -> Any:
    """Pictures with their masks to the right; a pixel without a class is white."""
    colours = np.array(palette(), np.uint8).reshape(-1, 3)
    shown = np.where((masks < 0)[..., None], np.uint8(255), colours[np.maximum(masks, 0) % len(colours)])
    return np.concatenate([pictures, shown], axis=2)


def with_points(pictures: Any, points: Any) -> Any:
    """Pictures with the pixels of points in a colour; those beside a picture are not seen."""
    height, width = pictures.shape[1:3]
    for picture, own in zip(pictures, points.reshape(len(points), -1, 2), strict=True):
        for x, y in own:
            if 0 <= x <= 1 and 0 <= y <= 1:
                picture[min(int(y * height), height - 1), min(int(x * width), width - 1)] = MARK
    return pictures


def with_boxes(pictures: Any, boxes: Any) -> Any:
    """Pictures with the outlines of boxes; a side beside a picture is not seen."""
    height, width = pictures.shape[1:3]
    ends = np.array([0, 0, 1, 1])  # a box ends with the pixel before its right and lower side
    for picture, own in zip(pictures, boxes.reshape(len(boxes), -1, 4), strict=True):
        for box in own:
            left, top, right, bottom = (np.rint(box * [width, height, width, height]) - ends).astype(int)
            rows, columns = slice(max(top, 0), max(bottom + 1, 0)), slice(max(left, 0), max(right + 1, 0))
            for row in {top, bottom} & set(range(height)):
                picture[row, columns] = MARK
            for column in {left, right} & set(range(width)):
                picture[rows, column] = MARK
    return pictures


DRAW: dict[str, Callable[[Any, Any], Any]] = {"masks": beside_masks, "points": with_points, "boxes": with_boxes}
