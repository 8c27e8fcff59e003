"""Pictures inside a page, each a small PNG file of its own."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO

from dltrain.layers.base import Array
from dltrain.pages.section import LeftOut
from dltrain.report.html import Child, Element, element, picture

LARGEST = 96  # pixels of a side that are kept; the browser enlarges smaller ones


def gallery(pictures: Sequence[Array], captions: Sequence[Child], alts: Sequence[str]) -> Element:
    """Pictures side by side.

    Parameters:
        pictures: each (H, W, 1) or (H, W, 3) bytes
        captions: under each
        alts: what each shows, for those who do not see it
    """
    shown = zip(pictures, captions, alts, strict=True)
    figures = [element("figure", picture(png(a), alt, "small"), element("figcaption", text)) for a, text, alt in shown]
    return element("div", figures, class_="pictures")


def png(pixels: Array) -> bytes:
    """A picture (H, W, 1) or (H, W, 3) as a PNG file.

    Raises:
        LeftOut: when Pillow is not installed.
    """
    try:
        from PIL import Image
    except ModuleNotFoundError:
        raise LeftOut('pictures take Pillow: `pip install "dltrain[images]"`') from None
    image = Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)
    image.thumbnail((LARGEST, LARGEST))
    file = BytesIO()
    image.save(file, "PNG", optimize=True)
    return file.getvalue()
