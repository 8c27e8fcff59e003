"""Many pictures on one, each with a line of text below it, by Pillow."""

from __future__ import annotations

import math
from collections.abc import Sequence
from io import BytesIO
from typing import Any

SIDE = 96  # pixels that the longer side of a picture has at least; small ones are enlarged
LINE, GAP = 14, 6  # height of a line of text, and the space between pictures
LETTER = 6  # width of a letter


def contact_sheet(pictures: Any, labels: Sequence[str], columns: int = 0) -> tuple[bytes, int, int]:
    """A PNG file, its rows and its columns.

    Parameters:
        pictures: (N, H, W, C) bytes, grey or red, green and blue
        labels: N texts; what does not fit is cut off
        columns: 0: about as many as rows

    Example:
        >>> import numpy as np
        >>> file, rows, columns = contact_sheet(np.zeros((5, 8, 8, 1), np.uint8), list("abcde"))
        >>> file[1:4], rows, columns
        (b'PNG', 2, 3)
    """
    from PIL import Image, ImageDraw, ImageFont

    N, H, W, C = pictures.shape
    scale = -(-SIDE // max(H, W))
    columns = columns or math.ceil(math.sqrt(N))
    rows = math.ceil(N / columns)
    width, height = W * scale + GAP, H * scale + LINE + GAP
    sheet = Image.new("RGB", (columns * width + GAP, rows * height + GAP), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default()
    for k, (picture, label) in enumerate(zip(pictures, labels, strict=True)):
        left, top = k % columns * width + GAP, k // columns * height + GAP
        image = Image.fromarray(picture[..., 0] if C == 1 else picture)
        sheet.paste(image.resize((W * scale, H * scale), Image.Resampling.NEAREST).convert("RGB"), (left, top))
        shown = label.encode("latin-1", "replace").decode("latin-1")[: max(1, W * scale // LETTER)]
        draw.text((left, top + H * scale), shown, fill="black", font=font)
    file = BytesIO()
    sheet.save(file, "PNG")
    return file.getvalue(), rows, columns
