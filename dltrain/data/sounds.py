"""The sounds source: wav files below a folder or in an archive, brought to one rate and one length."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

import numpy as np

from dltrain.data import wav
from dltrain.data.budget import check_memory
from dltrain.data.examples import Array, DataSet, Pool
from dltrain.data.folders import DataFolders, SettingError
from dltrain.data.media_labels import check_pattern, given_parts, labelled, labels_of
from dltrain.data.opening import check_file
from dltrain.data.picture_files import SOUNDS, Listing, MediaFile, below, file_at, listing, natural
from dltrain.errors import DataError
from dltrain.registry import register
from dltrain.types import PositiveFloat, PositiveInt


@register("source", "sounds")
class Sounds:
    """Sounds in wav files below a folder or in a .tar.gz or .zip, with a folder for each class, or other labels.

    PCM of 8, 16, 24 or 32 bits becomes numbers from -1 to 1, several channels their mean; each sound is brought to
    `rate`, and filled up with zeros to the longest.  The preparation `log_mel` makes spectrograms of them.  Outer
    folders named train, val and test are those parts.

    Parameters:
        path: the folder or archive, relative to the config, ./data or $DLTRAIN_DATA
        rate: samples a second that all sounds are brought to; left out: they are alike
        label: the label's place in the name of a file, such as "{label}_*"; left out: the outer folder
        seconds: length that all are filled up to; a longer sound is an error; left out: that of the longest
        classes: labels in the order of the class numbers; left out: numbers by their size, else the alphabet
        test_files: names of the files that are the test part, such as "*_[0-4].wav"
        validation_files: names of those that are the validation part
        test_path: a folder or archive that is the test part
        validation_path: a folder or archive that is the validation part

    Example:
        >>> import wave
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     for name in ("high_1.wav", "low_1.wav"):
        ...         with wave.open(f"{folder}/{name}", "wb") as file:
        ...             file.setparams((1, 2, 8000, 0, "NONE", ""))
        ...             file.writeframes(np.array([16384, -16384], "<i2").tobytes())
        ...     pool = Sounds(".", label="{label}_*").load(DataFolders(folder))
        >>> pool.columns["x"].tolist(), pool.columns["y"].tolist()
        ([[[0.5], [-0.5]], [[0.5], [-0.5]]], ['high', 'low'])

    Source: of the layout with names: Jackson et al., Free spoken digit dataset, 2018.
    """

    def __init__(
        self,
        path: str,
        rate: PositiveInt | None = None,
        label: str | None = None,
        seconds: PositiveFloat | None = None,
        classes: list[str | int] | None = None,
        test_files: str | None = None,
        validation_files: str | None = None,
        test_path: str | None = None,
        validation_path: str | None = None,
    ) -> None:
        self.path, self.rate, self.label, self.seconds, self.classes = path, rate, label, seconds, classes
        self.test_files, self.validation_files = test_files, validation_files
        self.test_path, self.validation_path = test_path, validation_path

    def load(self, folders: DataFolders) -> Pool:
        """x (N, L, 1) float32, y (N,) labels as text.

        Raises:
            SettingError: when a path is not there, or settings contradict each other.
            DataError: when there are no sounds, one has no label, is too long, or has another rate.
            CorruptFileError: when a file is damaged, or of another kind.
        """
        check_pattern(self.label)
        files, labels = labelled(self, below(listing(folders.find_any(self.path), SOUNDS)), folders)
        for part, names in (("validation", self.validation_files), ("test", self.test_files)):
            files = with_part(files, part, names)
        sounds, rate = decoded(files, self.rate)
        longest = max(map(len, sounds)) if self.seconds is None else round(self.seconds * rate)
        return Pool(
            {"x": filled_up(sounds, longest, rate, files), "y": np.array(labels)},
            self.path,
            given=given_parts(files),
            classes=self.classes or sorted(set(labels), key=natural),
            files=tuple((file.where, k) for k, file in enumerate(files)),
            layout={"sounds": {"rate": rate}, "label": self.label},
        )


def with_part(files: list[MediaFile], part: str, names: str | None) -> list[MediaFile]:
    """Files, of which those with such names belong to a part.

    Raises:
        SettingError: when there is none, or all of them belong to it anyway.
    """
    if names is None:
        return files
    found = [replace(file, part=part) if fnmatchcase(file.name.name, names) else file for file in files]
    if found == files:
        there = any(fnmatchcase(file.name.name, names) for file in files)
        what = f"files of such a name are in the {part} part already" if there else "no file has such a name"
        expected = f"names such as {files[0].name.name!r}"
        raise SettingError(what, where=f"{part}_files", expected=expected, got=names).about(names, f"{part}_files")
    return found


def decoded(files: Sequence[MediaFile], wanted: int | None) -> tuple[list[Array], int]:
    """The samples (n,) float32 of each file at one rate, and that rate.

    Raises:
        DataError: when none is wanted, and the files differ; when they do not fit into the memory at that rate.
    """
    found = [wav.decode(file.read(), file.where) for file in files]
    rates = [rate for _, rate in found]
    odd = next((k for k, rate in enumerate(rates) if rate != rates[0]), None)
    if wanted is None and odd is not None:
        expected, hint = f"{rates[0]:,} samples a second", f"bring all to one: `rate: {min(rates)}`"
        what = "the sounds differ in their rate"
        raise DataError(what, where=files[odd].where, expected=expected, got=f"{rates[odd]:,}", hint=hint)
    rate = wanted or rates[0]
    anew = sum(len(samples) * rate // own for samples, own in found if own != rate)
    widest = max(wav.taps(own, rate) for own in rates)
    check_memory(anew + 2 * widest, 4, files[0].where)
    return [wav.resampled(samples, own, rate) for samples, own in found], rate


def filled_up(sounds: Sequence[Array], longest: int, rate: int, files: Sequence[MediaFile]) -> Array:
    """Sounds (N, L, 1) with zeros behind their ends.

    Raises:
        DataError: when one is longer.
    """
    check_memory(len(sounds) * longest, 4, files[0].where)
    x = np.zeros((len(sounds), longest, 1), np.float32)
    for row, sound, file in zip(x, sounds, files, strict=True):
        if len(sound) > longest:
            expected, got = f"at most {longest / rate:g} seconds", f"{len(sound) / rate:g}"
            hint = "give a larger `seconds`, or cut the sound"
            raise DataError("the sound is too long", where=file.where, expected=expected, got=got, hint=hint)
        row[: len(sound), 0] = sound
    return x


def sounds_like(path: Path, like: DataSet, target: bool) -> Pool:
    """New sounds, from a folder, an archive or a single file, brought to the rate and length of a run's."""
    if target and "events" in like.layout:
        what, hint = "a sound has no labels for its steps to compare with", "`dltrain predict` says when events are"
        raise DataError(what, where=str(path), hint=hint)
    rate, longest = like.layout["sounds"]["rate"], like.raw_shape[0]
    if path.name.lower().endswith(SOUNDS.suffixes) and not path.is_dir():
        check_file(path)
        found: Listing = ([file_at(path, PurePosixPath(path.name), SOUNDS)], [])
    else:
        found = below(listing(path, SOUNDS), keep=like.classes or ())
    files = found[0]
    columns = {"x": filled_up(decoded(files, rate)[0], longest, rate, files)}
    if target:
        columns["y"] = np.array(labels_of(found, like.layout.get("label")))
    places = tuple((file.where, k) for k, file in enumerate(files))
    return Pool(columns, str(path), classes=like.classes, target_names=like.target_columns, files=places)
