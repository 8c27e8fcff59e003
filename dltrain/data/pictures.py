"""One picture from bytes that come from anywhere: its head is checked before a pixel is decoded, by Pillow."""

from __future__ import annotations

import struct
import threading
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from types import ModuleType
from typing import Any, Literal, NamedTuple

import numpy as np

from dltrain.data.examples import Array
from dltrain.errors import CorruptFileError, DataError, StorageError

FORMATS = ("PNG", "JPEG", "PPM")  # the last reads PBM, PGM and PPM
SUFFIXES = (".png", ".jpg", ".jpeg", ".pgm", ".ppm", ".pbm", ".pnm")
GREY = frozenset(("1", "L", "LA", "La", "I", "F")) | {"I;16", "I;16B", "I;16L", "I;16N"}
MOST_BYTES = 1 << 27  # of a packed picture
MOST_PIXELS = 50_000_000
LOCK = threading.Lock()  # held while Pillow's limit is another
ORIENTATION, TURNED = 0x0112, (5, 6, 7, 8)  # values of the EXIF tag that change width and height over
# What Pillow raises on files that are damaged or made to do harm.
BROKEN = (
    *(OSError, SyntaxError, ValueError, EOFError, LookupError, TypeError, ArithmeticError, AttributeError),
    *(struct.error, zlib.error, NotImplementedError),
)

Resize = Literal["crop", "pad", "stretch"]


class Head(NamedTuple):
    """What a picture says of itself: height and width as it is looked at, and whether it is grey."""

    height: int
    width: int
    grey: bool


class Form(NamedTuple):
    """What every picture of a set is brought to.

    Parameters:
        height: in pixels
        width: in pixels
        channels: 1: grey, 3: red, green and blue
        resize: how a picture of another size becomes this one; see `ImageFolder`
    """

    height: int
    width: int
    channels: int
    resize: Resize = "crop"


def pillow() -> ModuleType:
    """Pillow's `Image`, imported when it is first needed.

    Raises:
        StorageError: when it is not installed.
    """
    try:
        from PIL import Image
    except ImportError as error:
        hint = 'install it with `pip install "dltrain[images]"`'
        raise StorageError("pictures need the package Pillow, which is absent", hint=hint) from error
    warnings.filterwarnings("ignore", module=r"PIL\.")  # what matters of a picture is checked here
    return Image


@contextmanager
def opened(data: bytes, where: str, most: int = MOST_PIXELS) -> Iterator[Any]:
    """A picture whose head alone has been read.

    Parameters:
        data: the file's bytes
        where: what errors call it
        most: pixels it may have

    Raises:
        DataError: when it has more, or the file is empty.
        CorruptFileError: when it is damaged, now or when it is decoded, or is no PNG, JPEG, PGM or PPM.
    """
    library = pillow()
    if not data:
        raise DataError("the file is empty", where=where, expected="a picture")
    try:
        with head_of(data, library) as image:
            if image.width * image.height > most:
                raise too_many(f"{image.width * image.height:,}", most, where)
            yield image
    except library.UnidentifiedImageError as error:
        expected = "a PNG, JPEG, PGM or PPM file"
        raise CorruptFileError("this is no picture", where=where, expected=expected, got=repr(data[:8])) from error
    except BROKEN as error:
        reason = str(error).partition("\n")[0][:80]
        raise CorruptFileError("the picture is damaged", where=where, got=reason) from error


def head_of(data: bytes, library: Any) -> Any:
    """A picture whose head alone has been read, of any size: Pillow's own limit is another than that of a config."""
    with LOCK:
        limit, library.MAX_IMAGE_PIXELS = library.MAX_IMAGE_PIXELS, None
        try:
            return library.open(BytesIO(data), formats=FORMATS)
        finally:
            library.MAX_IMAGE_PIXELS = limit


def too_many(got: str, most: int, where: str) -> DataError:
    """The error of a picture that would fill the memory."""
    hint = "make it smaller, or raise `max_pixels` if you trust it"
    return DataError("the picture has too many pixels", where=where, expected=f"at most {most:,}", got=got, hint=hint)


def read_head(data: bytes, where: str, most: int = MOST_PIXELS) -> Head:
    """Size and colours of a picture; nothing is decoded.

    Raises:
        DataError: when it has too many pixels.
        CorruptFileError: when its head is damaged.
    """
    with opened(data, where, most) as image:
        turned = orientation(image) in TURNED
        height, width = (image.width, image.height) if turned else (image.height, image.width)
        return Head(height, width, image.mode in GREY)


def decode(data: bytes, where: str, form: Form, most: int = MOST_PIXELS) -> Array:
    """The pixels (H, W, C) of a picture as bytes.

    It is turned as its camera says; transparent pixels lie on white; of 16 bits the upper 8 are kept.

    Parameters:
        data: the file's bytes
        where: what errors call it
        form: size and channels it is brought to
        most: pixels it may have

    Raises:
        DataError: when it has too many pixels.
        CorruptFileError: when it is damaged.
    """
    with opened(data, where, most) as image:
        plain = eight_bits(oriented(image, orientation(image))).convert("L" if form.channels == 1 else "RGB")
        if plain.size != (form.width, form.height):
            plain = resized(plain, form)
        return np.asarray(plain).reshape(form.height, form.width, form.channels)


def orientation(image: Any) -> Any:
    """How the camera was held, as far as it stands before the pixels, which are not decoded for it."""
    return pillow().Image.getexif(image).get(ORIENTATION)  # that of PNG would read on to the end


def oriented(image: Any, held: Any) -> Any:
    """A picture turned as its camera says."""
    from PIL.Image import Transpose as T

    turns = {2: T.FLIP_LEFT_RIGHT, 3: T.ROTATE_180, 4: T.FLIP_TOP_BOTTOM, 5: T.TRANSPOSE, 6: T.ROTATE_270}
    turns |= {7: T.TRANSVERSE, 8: T.ROTATE_90}
    return image.transpose(turns[held]) if held in turns else image


def eight_bits(image: Any) -> Any:
    """A picture of 8 bits a channel, without transparency."""
    library = pillow()
    if image.mode.startswith("I"):
        return library.fromarray((np.asarray(image).astype(np.int64) >> 8).clip(0, 255).astype(np.uint8))
    if not image.has_transparency_data:
        return image
    colours = image.convert("RGBA")
    return library.alpha_composite(library.new("RGBA", colours.size, "white"), colours)


def resized(image: Any, form: Form) -> Any:
    """A picture of the form's size."""
    from PIL import Image, ImageOps

    how: Any = {"crop": ImageOps.fit, "pad": ImageOps.pad, "stretch": Image.Image.resize}[form.resize]
    return how(image, (form.width, form.height), Image.Resampling.BILINEAR)
