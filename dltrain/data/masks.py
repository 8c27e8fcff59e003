"""Pictures with a mask each, which says the class of every pixel: drawn shapes, and folders of files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
from annotated_types import Ge

from dltrain.data.budget import check_memory
from dltrain.data.examples import Array, DataSet, Pool
from dltrain.data.folders import DataFolders
from dltrain.data.image_folder import form_like, pixels
from dltrain.data.picture_files import MediaFile, listing
from dltrain.data.pictures import MOST_PIXELS, Form, opened, orientation, oriented, read_head
from dltrain.errors import DataError
from dltrain.registry import register
from dltrain.seeds import generator
from dltrain.types import Fraction, NonNegativeInt, PositiveInt

BESIDE = ("images", "masks")  # folders of pictures and masks, where a run says nothing else
SHAPES = ["background", "circle", "square", "triangle"]
Side = Annotated[int, Ge(16)]
Samples = Annotated[int, Ge(8)]


@register("source", "shapes")
class Shapes:
    """Pictures of circles, squares and triangles in random colours on a random one, each with the mask of its pixels.

    Classes are background, circle, square and triangle; later shapes cover earlier ones.

    Parameters:
        samples: number of pictures
        size: height and width in pixels
        most: shapes in a picture at most; there is one at least
        noise: standard deviation of what is added to each value, as a share of the range
        seed: of the pictures; they are the same in every run, whatever the run's seed

    Example:
        >>> pool = Shapes(samples=8).load(DataFolders())
        >>> pool.columns["x"].shape, pool.columns["y"].shape, pool.columns["y"].max()
        ((8, 32, 32, 3), (8, 32, 32), np.uint8(3))

    Source: drawn here, in the manner of Johnson et al.: CLEVR, 2017.
    """

    def __init__(
        self,
        samples: Samples = 1000,
        size: Side = 32,
        most: PositiveInt = 3,
        noise: Fraction = 0.05,
        seed: NonNegativeInt = 0,
    ) -> None:
        self.samples, self.size, self.most, self.noise, self.seed = samples, size, most, noise, seed

    def load(self, folders: DataFolders) -> Pool:
        """x (N, H, W, 3) bytes, y (N, H, W) class numbers."""
        check_memory(self.samples * self.size**2 * 4, 5, "shapes")
        x = np.empty((self.samples, self.size, self.size, 3), np.uint8)
        y = np.zeros(x.shape[:3], np.uint8)
        for number in range(self.samples):
            x[number], y[number] = self.drawn(generator(self.seed, "shapes", number))
        return Pool({"x": x, "y": y}, "shapes", classes=list(SHAPES), target_names=["mask"])

    def drawn(self, draw: np.random.Generator) -> tuple[Array, Array]:
        """One picture (H, W, 3) and its mask (H, W)."""
        size = self.size
        rows, columns = np.mgrid[:size, :size]
        picture = np.broadcast_to(draw.uniform(0, 255, 3), (size, size, 3)).copy()
        mask = np.zeros((size, size), np.uint8)
        for _ in range(int(draw.integers(1, self.most + 1))):
            reach = draw.uniform(size / 8, size / 4)
            down, right = (grid - draw.uniform(reach, size - reach) for grid in (rows, columns))
            kind = int(draw.integers(1, len(SHAPES)))
            inside = within(kind, down / reach, right / reach)
            picture[inside], mask[inside] = draw.uniform(0, 255, 3), kind
        picture += 255 * self.noise * draw.standard_normal(picture.shape)
        return picture.round().clip(0, 255).astype(np.uint8), mask


def within(kind: int, down: Array, right: Array) -> Array:
    """The points of a shape of radius 1 about the origin: circle, square, or triangle with its tip up."""
    forms = {
        1: lambda: down**2 + right**2 <= 1,
        2: lambda: np.maximum(np.abs(down), np.abs(right)) <= 0.85,
        3: lambda: (down <= 0.8) & (np.abs(right) <= (down + 1) * 0.55),
    }
    return np.asarray(forms[kind]())


@register("source", "mask_folder")
class MaskFolder:
    """Pictures below one folder and masks below another, with the same names: `images/a.jpg` and `masks/a.png`.

    The value of a mask's pixel is the number of its class: of a grey picture its shade, of one with a palette the place
    in it.  Needs Pillow: `pip install "dltrain[images]"`.

    Parameters:
        path: the folder that holds both, relative to the config, ./data or $DLTRAIN_DATA
        classes: names of the classes in the order of their numbers; left out: the numbers themselves
        size: height and width that pictures and masks are brought to, or one number for both; left out: they are alike
        images: name of the folder of the pictures
        masks: name of the folder of the masks

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     for name in ("images", "masks"):
        ...         Path(folder, "set", name).mkdir(parents=True)
        ...         _ = Path(folder, "set", name, "1.pgm").write_bytes(b"P5 2 1 255 " + bytes([0, 1]))
        ...     pool = MaskFolder("set").load(DataFolders(folder))
        >>> pool.columns["x"].shape, pool.columns["y"].tolist()
        ((1, 1, 2, 1), [[[0, 1]]])

    Source: the layout is that of Everingham et al.: The PASCAL visual object classes challenge, 2010.
    """

    def __init__(
        self,
        path: str,
        classes: list[str] | None = None,
        size: PositiveInt | list[PositiveInt] | None = None,
        images: str = BESIDE[0],
        masks: str = BESIDE[1],
    ) -> None:
        self.path, self.classes, self.size, self.images, self.masks = path, classes, size, images, masks

    def load(self, folders: DataFolders) -> Pool:
        """x (N, H, W, C) bytes, y (N, H, W) class numbers.

        Raises:
            DataError: when a picture has no mask, or their sizes differ.
            CorruptFileError: when a file is damaged.
        """
        root = folders.find_any(self.path)
        pictures = listing(inner(root, self.images))[0]
        heads = [read_head(file.read(), file.where) for file in pictures]
        height, width = (
            (heads[0].height, heads[0].width)
            if self.size is None
            else (self.size if isinstance(self.size, list) else [self.size] * 2)
        )
        form = Form(height, width, 1 if all(head.grey for head in heads) else 3, "stretch")
        if self.size is None:
            for head, file in zip(heads, pictures, strict=True):
                if (head.height, head.width) != (height, width):
                    expected, got = f"{height} × {width}", f"{head.height} × {head.width}"
                    hint = "bring all to one size: `size: [height, width]`"
                    raise DataError("pictures differ in size", where=file.where, expected=expected, got=got, hint=hint)
        check_memory(len(pictures) * height * width * (form.channels + 1), 5, self.path)
        x, y = pixels(pictures, form, MOST_PIXELS), masks_of(pictures, inner(root, self.masks), form)
        layout = {
            "pictures": {"size": [height, width], "channels": form.channels, "resize": form.resize},
            "masks": [self.images, self.masks],
        }
        files = tuple((file.where, k) for k, file in enumerate(pictures))
        columns = {"x": x, "y": y}
        return Pool(columns, self.path, classes=self.classes, target_names=["mask"], files=files, layout=layout)


def inner(root: Path, name: str) -> Path:
    """A folder in a folder.

    Raises:
        DataError: when it is not there.
    """
    if not (root / name).is_dir() or Path(name).name != name:
        raise DataError("there is no such folder", where=str(root), expected="folders of pictures and masks", got=name)
    return root / name


def masks_of(pictures: list[MediaFile], folder: Path, form: Form) -> Array:
    """The masks (N, H, W) of pictures.

    Raises:
        DataError: when one has none, or one of colours.
    """
    known = {str(file.name.with_suffix("")): file for file in listing(folder)[0]}
    y = np.empty((len(pictures), form.height, form.width), np.uint8)
    for k, file in enumerate(pictures):
        mask = known.get(str(file.name.with_suffix("")))
        if mask is None:
            expected = f"{file.name.with_suffix('.png')} below {folder}"
            raise DataError("the picture has no mask", where=file.where, expected=expected)
        y[k] = decoded(mask, form)
    return y


def decoded(file: MediaFile, form: Form) -> Array:
    """The class numbers (H, W) of a mask; a pixel of another size takes that of the nearest."""
    from PIL import Image

    with opened(file.read(), file.where, MOST_PIXELS) as image:
        turned = oriented(image, orientation(image))
        if turned.mode not in ("1", "L", "P"):
            expected, got = "shades of grey or a palette, of 8 bits", f"mode {turned.mode}"
            raise DataError("a mask holds class numbers", where=file.where, expected=expected, got=got)
        if turned.size != (form.width, form.height):
            turned = turned.resize((form.width, form.height), Image.Resampling.NEAREST)
        return np.asarray(turned, np.uint8)


def masks_like(path: Path, like: DataSet) -> Pool:
    """New pictures with the masks that lie beside them, as a run's own do."""
    images, masks = like.layout.get("masks", BESIDE)
    form = form_like(like)
    pictures = listing(inner(path, images))[0]
    columns = {"x": pixels(pictures, form, MOST_PIXELS), "y": masks_of(pictures, inner(path, masks), form)}
    files = tuple((file.where, k) for k, file in enumerate(pictures))
    return Pool(columns, str(path), classes=like.classes, target_names=like.target_columns, files=files)
