"""The image_folder source: pictures below a folder or in an archive, and where their labels come from."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any, Literal

import numpy as np

from dltrain.data.decoding import CACHES, Wanted, pixels
from dltrain.data.examples import DataSet, Pool
from dltrain.data.folders import DataFolders, SettingError
from dltrain.data.media_labels import check_pattern, given_parts, labelled, labels_of, outer
from dltrain.data.picture_files import Listing, MediaFile, below, by_part, file_at, listing, natural
from dltrain.data.pictures import MOST_PIXELS, SUFFIXES, Form, Resize
from dltrain.data.tables import Column, Csv
from dltrain.errors import DataError
from dltrain.registry import register
from dltrain.types import PositiveInt


@register("source", "image_folder")
class ImageFolder:
    """Pictures (PNG, JPEG, PGM, PPM) below a folder or in a .tar.gz, with a folder for each class, or other labels.

    Outer folders named train, val and test (or such as `train_signs`) are those parts.  Needs Pillow:
    `pip install "dltrain[images]"`.

    Parameters:
        path: the folder or archive, relative to the config, ./data or $DLTRAIN_DATA
        size: height and width that all pictures are brought to, or one number for both; left out: they are alike
        color_mode: rgb or grayscale; left out: grayscale where all pictures are
        resize: how a picture gets another size: crop (it covers the size, and its middle is cut out), pad (it fits in,
            with black beside it) or stretch
        label: the label's place in the name of a file, such as "{label}_*"; left out: the outer folder
        table: a .csv file with a line for each picture, in place of folders
        file: the column of the table with the names of the files, below the folder or the outer ones all share
        target: the column of the table with the targets, or several of them
        part: the column of the table that says train, validation or test
        classes: labels in the order of the class numbers; left out: numbers by their size, else the alphabet
        validation_path: a folder or archive that is the validation part
        test_path: a folder or archive that is the test part
        max_pixels: a picture that has more is refused before it is decoded
        cache: where decoded pictures are kept: memory; disk, in a file of the user's cache, for sets too large for the
            memory; none, where there is no room on the disk either: they are decoded again in every epoch

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     for name in ("set/cat", "set/dog"):
        ...         Path(folder, name).mkdir(parents=True)
        ...         _ = Path(folder, name, "1.pgm").write_bytes(b"P5 2 1 255 " + bytes([7, 9]))
        ...     pool = ImageFolder("set").load(DataFolders(folder))
        >>> pool.columns["x"].shape, pool.columns["y"].tolist()
        ((2, 1, 2, 1), ['cat', 'dog'])

    Source: the layout is that of ImageNet: Russakovsky et al., ImageNet large scale visual recognition challenge, 2015.
    """

    def __init__(
        self,
        path: str,
        size: PositiveInt | list[PositiveInt] | None = None,
        color_mode: Literal["rgb", "grayscale"] | None = None,
        resize: Resize = "crop",
        label: str | None = None,
        table: str | None = None,
        file: Column = "file",
        target: Column | list[Column] = "label",
        part: Column | None = None,
        classes: list[str | int] | None = None,
        validation_path: str | None = None,
        test_path: str | None = None,
        max_pixels: PositiveInt = MOST_PIXELS,
        cache: Literal["memory", "disk", "none"] = "memory",
    ) -> None:
        self.path, self.size, self.color_mode, self.resize, self.label = path, size, color_mode, resize, label
        self.table, self.file, self.target, self.part, self.classes = table, file, target, part, classes
        self.validation_path, self.test_path, self.max_pixels = validation_path, test_path, max_pixels
        self.cache = cache

    def load(self, folders: DataFolders) -> Pool:
        """x (N, H, W, C) bytes, y (N,) labels as text, or the targets of the table.

        Raises:
            SettingError: when a path is not there, or settings contradict each other.
            DataError: when there are no pictures, one has no label, or their sizes differ.
            CorruptFileError: when a picture or the archive is damaged.
        """
        self.check()
        found = listing(folders.find_any(self.path))
        if self.table is not None:
            pool, pictures = tabled(self, found, folders)
        else:
            pictures, labels = labelled(self, below(found), folders)
            names = self.classes or sorted(set(labels), key=natural)
            pool = Pool({"y": np.array(labels)}, self.path, given=given_parts(pictures), classes=names)
        x, form, content = CACHES[self.cache](pictures, self.wanted(folders))
        layout: dict[str, Any] = {"size": [form.height, form.width], "channels": form.channels, "resize": form.resize}
        layout |= {"max_pixels": self.max_pixels, "cut": self.size is not None and form.resize != "stretch"}
        return replace(
            pool,
            columns={**pool.columns, "x": x},
            content=content,
            files=tuple((file.where, k) for k, file in enumerate(pictures)),
            feature_names=[],
            lines=None,
            categories={},
            layout={"pictures": layout, "label": self.label},
        )

    def check(self) -> None:
        """Raise a SettingError when settings contradict each other."""
        if isinstance(self.size, list) and len(self.size) != 2:
            what, hint = "a size has a height and a width", "write `size: [64, 48]`, or one number for both"
            raise SettingError(what, where="size", got=str(self.size), hint=hint).about(self.size, "size")
        check_pattern(self.label)
        of_table = [name for name in ("label", "validation_path", "test_path") if getattr(self, name) is not None]
        if self.table is not None and of_table:
            what, hint = "this has no effect beside `table`", "leave one of them out"
            raise SettingError(what, where=of_table[0], hint=hint).about(getattr(self, of_table[0]), of_table[0])
        columns = {"file": self.file != "file", "target": self.target != "label", "part": self.part is not None}
        given = [name for name, changed in columns.items() if changed]
        if self.table is None and given:
            what, hint = "this has no effect without `table`", "leave it out, or name the table"
            raise SettingError(what, where=given[0], hint=hint).about(getattr(self, given[0]), given[0])

    def wanted(self, folders: DataFolders) -> Wanted:
        """What the pictures are to be."""
        size = [self.size, self.size] if isinstance(self.size, int) else self.size
        paths = [self.path, self.validation_path, self.test_path, self.table]
        places = [path and str(folders.find_any(path).resolve()) for path in paths]
        key = json.dumps([places, size, self.color_mode, self.resize])
        return Wanted(self.path, key, size, self.color_mode, self.resize, self.max_pixels)


def tabled(source: ImageFolder, found: Listing, folders: DataFolders) -> tuple[Pool, list[MediaFile]]:
    """What a table says of pictures, and these in its order.

    Raises:
        SettingError: when a column is not there.
        DataError: when a picture is not there.
    """
    settings: dict[str, Any] = {"features": [source.file], "categorical": [source.file], "part": source.part}
    table = Csv(str(source.table), target=source.target, classes=source.classes, **settings)
    pool = table.load(folders)
    known = by_name(below(found)) | by_name(found)
    words, pictures = pool.categories[0], []
    for row, number in enumerate(pool.columns["x"][:, 0]):
        if np.isnan(number) or words[int(number)] not in known:
            got = "nothing" if np.isnan(number) else repr(words[int(number)])
            expected = f"a file below {source.path}, such as {str(found[0][0].name)!r}"
            raise DataError("there is no such picture", where=pool.place(row), expected=expected, got=got)
        file, *others = known[words[int(number)]]
        if others:
            what, expected = "several pictures have this name", f"its ending too, such as {file.name.name!r}"
            raise DataError(what, where=pool.place(row), expected=expected, got=repr(words[int(number)]))
        pictures.append(file)
    return pool, pictures


def by_name(found: Listing) -> dict[str, list[MediaFile]]:
    """Pictures by their names, and by those without an ending, which several may share."""
    known: dict[str, list[MediaFile]] = {}
    for file in found[0]:
        known.setdefault(str(file.name.with_suffix("")), []).append(file)
    return known | {str(file.name): [file] for file in found[0]}


def pictures_like(path: Path, like: DataSet, target: bool) -> Pool:
    """New pictures, from a folder, an archive or a single file, brought to the form of a run's.

    Raises:
        DataError: when the run learned from no pictures, or labels are wanted that are not there.
    """
    if len(like.raw_shape) != 3 or like.raw_shape[2] not in (1, 3):
        if path.is_dir():
            raise DataError("this is a folder", where=str(path), expected="a file", hint="name a file in it")
        expected, got = f"features of shape {like.raw_shape}", "pictures"
        raise DataError("the run's data are no pictures", where=str(path), expected=expected, got=got)
    form, known = form_like(like), like.layout.get("pictures", {})
    if path.name.lower().endswith(SUFFIXES) and not path.is_dir():
        found: Listing = ([file_at(path, PurePosixPath(path.name))], [])
    else:
        found = below(listing(path), keep=like.classes or ())
        if target and like.layout.get("label") is None:
            check_no_parts(found, path, like.classes or ())
    columns = {"x": pixels(found[0], form, known.get("max_pixels", MOST_PIXELS))}
    if target:
        columns["y"] = np.array(labels_of(found, like.layout.get("label")))
    files = tuple((file.where, k) for k, file in enumerate(found[0]))
    return Pool(columns, str(path), classes=like.classes, target_names=like.target_columns, files=files)


def form_like(like: DataSet) -> Form:
    """The form that new pictures are brought to, as a run's own were; a mask is that of all the picture."""
    height, width, channels = like.raw_shape
    masks = like.needs.get("", {}).get("kind") == "masks"
    return Form(height, width, channels, like.layout.get("pictures", {}).get("resize", "stretch" if masks else "crop"))


def check_no_parts(found: Listing, path: Path, classes: Sequence[str]) -> None:
    """Raise a DataError where outer folders are no classes of a run but the parts of a set, of which one is meant."""
    folders = sorted(outer(found))
    if by_part(found) is not found and not set(folders) <= set(classes):
        hint = f"name one part, such as {path / folders[0]}" if path.is_dir() else "unpack it and name one part"
        what, expected = "the folders are the parts of a set", "a folder for each class"
        raise DataError(what, where=str(path), expected=expected, got=", ".join(folders), hint=hint)
