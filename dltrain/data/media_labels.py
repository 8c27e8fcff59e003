"""The labels of pictures and sounds: from the names of their files, or their outer folders."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any

import numpy as np

from dltrain.data.examples import PARTS, Array
from dltrain.data.folders import DataFolders, SettingError
from dltrain.data.picture_files import PICTURES, Listing, MediaFile, below, by_part, empty_folders, listing
from dltrain.errors import DataError

BY_NAME = 'say where the label is: `label: "{label}_*"` for the name of the file'
BY_TABLE = ", `table: labels.csv` for a table"


def check_pattern(pattern: str | None) -> None:
    """Raise a SettingError when a pattern for names does not say where the label is."""
    if pattern is not None and "{label}" not in pattern:
        what, expected = "the pattern does not say where the label is", '"{label}" in it, such as "{label}_*"'
        error = SettingError(what, where="label", expected=expected, got=pattern)
        raise error.about(pattern, "label")


def labelled(source: Any, found: Listing, folders: DataFolders) -> tuple[list[MediaFile], list[str]]:
    """All files of a source, each with its part, and their labels.

    Parameters:
        source: has path, label, validation_path and test_path
        found: the files below its path
        folders: where data files are looked up

    Raises:
        SettingError: when a part is given twice.
    """
    listings, kind = [by_part(found)], found[0][0].kind
    own = {file.part for file in listings[0][0]}
    for part, path in (("validation", source.validation_path), ("test", source.test_path)):
        if path is None:
            continue
        if part in own:
            what = f"this has no effect: {source.path} brings its own {part} part"
            raise SettingError(what, where=f"{part}_path", hint="leave it out").about(path, f"{part}_path")
        files, inner = below(listing(folders.find_any(path), kind), keep=outer(listings[0]))
        listings.append(([replace(file, part=part) for file in files], inner))
    everything = [file for files, _ in listings for file in files]
    return everything, [label for some in listings for label in labels_of(some, source.label)]


def given_parts(files: list[MediaFile]) -> dict[str, Array]:
    """{part: positions} of the files that belong to a part but training."""
    positions = {part: [k for k, file in enumerate(files) if file.part == part] for part in PARTS[1:]}
    return {part: np.array(index, np.int64) for part, index in positions.items() if index}


def outer(found: Listing) -> set[str]:
    """The outer folders of the files of a listing."""
    return {file.name.parts[0] for file in found[0] if len(file.name.parts) > 1}


def labels_of(found: Listing, pattern: str | None) -> list[str]:
    """The label of each file, from its name or its outer folder.

    Raises:
        DataError: when one has none, or a class no file.
    """
    files, _ = found
    if pattern is not None:
        return [label_in(file, pattern) for file in files]
    noun = files[0].kind.noun
    for empty in empty_folders(found):
        where, hint = str(PurePosixPath(files[0].where).parent.parent), "remove the folder"
        raise DataError(f"the class has no {noun}", where=where, expected="at least one", got=repr(empty), hint=hint)
    for file in files:
        if len(file.name.parts) < 2:
            what, expected = f"the {noun} lies in no folder of a class", "a folder for each class"
            hint = BY_NAME + BY_TABLE * (file.kind is PICTURES)
            raise DataError(what, where=file.where, expected=expected, hint=hint)
    return [file.name.parts[0] for file in files]


def label_in(file: MediaFile, pattern: str) -> str:
    """The label in the name of a file.

    Raises:
        DataError: when the name does not have the pattern's form.

    Example:
        >>> label_in(MediaFile(PurePosixPath("a/3_left.png"), "a/3_left.png", bytes, str), "{label}_*")
        '3'
    """
    words = re.split(r"(\{label\}|\*)", pattern)
    form = "".join({"{label}": "(.+?)", "*": ".*"}.get(word) or re.escape(word) for word in words)
    match = re.fullmatch(form, file.name.name)
    if match is None:
        raise DataError("the name of the file has no label", where=file.where, expected=f"a name like {pattern!r}")
    return match[1]
