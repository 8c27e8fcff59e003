"""A mask as a picture: its pixels are class numbers, its palette gives each class a colour."""

from __future__ import annotations

from io import BytesIO
from typing import Any

from dltrain.report.svg import COLOURS


def mask_picture(mask: Any) -> bytes:
    """A PNG file with a palette; class 0 is black.

    Parameters:
        mask: (H, W) class numbers from 0 to 255

    Example:
        >>> import numpy as np
        >>> mask_picture(np.array([[0, 1]], np.uint8))[1:4]
        b'PNG'
    """
    from PIL import Image

    image = Image.fromarray(mask, "P")
    image.putpalette(palette())
    file = BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def palette() -> list[int]:
    """Red, green and blue of 256 classes: black, then the colours of charts, again and again."""
    colours = [[int(text[k : k + 2], 16) for k in (1, 3, 5)] for text in COLOURS]
    return [value for number in range(256) for value in ([0, 0, 0] if number == 0 else colours[(number - 1) % 7])]
