"""The sound_mix source: words laid over a background at random, and for each step whether a trigger word just ended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Annotated

import numpy as np
from annotated_types import Ge

from dltrain.data.budget import check_memory
from dltrain.data.examples import Array, Pool
from dltrain.data.folders import DataFolders, SettingError
from dltrain.data.picture_files import SOUNDS, MediaFile, below, listing
from dltrain.data.sounds import decoded
from dltrain.errors import DataError
from dltrain.registry import register
from dltrain.seeds import generator
from dltrain.types import NonNegativeInt, PositiveFloat, PositiveInt

SHARES = {"train": (0, 1, 2), "validation": (3,), "test": (4,)}  # of every five recordings, or of a background's time
QUIET = 0.05  # of the largest amplitude, below which a recording has not begun, or is over
WORD, BACKGROUND = (0.05, 0.2), (0.005, 0.03)  # lowest and highest root mean square in a clip
TRIES = 20  # places that are tried for a word that must overlap no other


@register("source", "sound_mix")
class SoundMix:
    """Clips in which words are laid over a background at random, drawn anew from a seed.

    x = background + Σ words, none over another; y[t] = 1 for `after` seconds from the end of a trigger word, else 0

    The clips of validation and test are made of recordings that training does not have: of every five words the fourth
    and the fifth, and of every background the last fifths of its time.  Silence around a word is cut off, and loudness
    is drawn.  For the task `event_detection`; the model ends in as many steps as `steps` says.

    Parameters:
        path: folder or archive of wav files, relative to the config, ./data or $DLTRAIN_DATA
        trigger: names of the recordings of the trigger word
        others: names of the recordings of other words
        backgrounds: names of the recordings of backgrounds
        background_path: folder or archive of the backgrounds; left out: that of the words
        samples: clips to learn from
        validation: clips for validation; there is no mix without, for a split would take them from training
        test: clips for the test, at least one as well
        seconds: length of a clip
        steps: labels of a clip, T
        after: seconds behind the end of a trigger word that are labelled 1
        most: trigger words in a clip at most, and other words at most
        rate: samples a second
        seed: of the clips; they are the same in every run, whatever the run's seed

    Example:
        >>> import wave
        >>> from pathlib import Path; from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     for name, count in (("activates", 5), ("negatives", 5), ("backgrounds", 1)):
        ...         Path(folder, name).mkdir()
        ...         for k in range(count):
        ...             with wave.open(f"{folder}/{name}/{k}.wav", "wb") as file:
        ...                 file.setparams((1, 2, 1000, 0, "NONE", ""))
        ...                 file.writeframes(np.full(100, 9000, "<i2").tobytes())
        ...     pool = SoundMix(".", samples=10, validation=2, test=2, seconds=1, steps=20, rate=1000).load(
        ...         DataFolders(folder)
        ...     )
        >>> pool.columns["x"].shape, pool.columns["y"].shape, pool.given["test"].tolist()
        ((14, 1000, 1), (14, 20), [12, 13])

    Source: Ng, Katanforoosh, Bensouda Mourri: Sequence models, Coursera, 2018, week 3: trigger word detection.
    """

    def __init__(
        self,
        path: str,
        trigger: str = "activates/*",
        others: str = "negatives/*",
        backgrounds: str = "backgrounds/*",
        background_path: str | None = None,
        samples: Annotated[int, Ge(8)] = 300,
        validation: PositiveInt = 60,
        test: PositiveInt = 60,
        seconds: PositiveFloat = 10.0,
        steps: PositiveInt = 250,
        after: PositiveFloat = 0.5,
        most: PositiveInt = 4,
        rate: PositiveInt = 8000,
        seed: NonNegativeInt = 0,
    ) -> None:
        self.path, self.trigger, self.others, self.backgrounds = path, trigger, others, backgrounds
        self.background_path = background_path
        self.samples, self.validation, self.test, self.seconds, self.steps = samples, validation, test, seconds, steps
        self.after, self.most, self.rate, self.seed = after, most, rate, seed

    def load(self, folders: DataFolders) -> Pool:
        """x (N, L, 1) float32, y (N, T) 0 and 1; the parts of validation and test.

        Raises:
            SettingError: when no recording has such a name.
            DataError: when there are too few.
        """
        files, _ = below(listing(folders.find_any(self.path), SOUNDS))
        beside = files
        if self.background_path is not None:
            beside, _ = below(listing(folders.find_any(self.background_path), SOUNDS))
        words = [[trimmed(s) for s in self.recordings(files, role)] for role in ("trigger", "others")]
        for role, found in zip(("trigger", "others"), words, strict=True):
            if len(found) < 5:
                what, expected = f"too few recordings of `{role}` for three parts", "at least 5"
                raise DataError(what, where=self.path, expected=expected, got=str(len(found)))
        backgrounds = self.recordings(beside, "backgrounds")
        counts = {"train": self.samples, "validation": self.validation, "test": self.test}
        total, length = sum(counts.values()), round(self.seconds * self.rate)
        check_memory(total * length, 4, self.path)
        x, y = np.zeros((total, length, 1), np.float32), np.zeros((total, self.steps), np.int32)
        given, row = {}, 0
        for part, count in counts.items():
            own = [[some[k] for k in range(len(some)) if k % 5 in SHARES[part]] for some in words]
            noises = [fifths(sound, SHARES[part]) for sound in backgrounds]
            for k in range(row, row + count):
                clip = Clip(length, generator(self.seed, "clip", k))
                ends = clip.mixed(own[0], own[1], noises, self.most)
                x[k, :, 0] = clip.samples
                label(y[k], [end / self.rate for end in ends], self.seconds, self.after)
            given[part] = np.arange(row, row + count)
            row += count
        layout = {"sounds": {"rate": self.rate}, "events": {"steps": self.steps, "seconds": self.seconds}}
        own_parts = {part: index for part, index in given.items() if part != "train"}
        return Pool({"x": x, "y": y}, self.path, given=own_parts, layout=layout)

    def recordings(self, files: Sequence[MediaFile], role: str) -> list[Array]:
        """The recordings whose names a setting gives, at one rate.

        Raises:
            SettingError: when there is none.
        """
        names = getattr(self, role)
        found = [file for file in files if fnmatchcase(str(file.name), names)]
        if not found:
            what, expected = "no recording has such a name", f"names such as {str(files[0].name)!r}"
            raise SettingError(what, where=role, expected=expected, got=names).about(names, role)
        return decoded(found, self.rate)[0]


@dataclass
class Clip:
    """A clip in the making.

    Parameters:
        length: in samples
        draw: what its random numbers come from
    """

    length: int
    draw: np.random.Generator

    def mixed(self, trigger: list[Array], others: list[Array], noises: list[Array], most: int) -> list[int]:
        """Fill the clip; returns where its trigger words end."""
        noise = noises[self.draw.integers(len(noises))]
        start = self.draw.integers(len(noise))
        turned = np.resize(np.roll(noise, -start), self.length)  # a short one again and again
        self.samples = loud(turned, self.draw.uniform(*BACKGROUND))
        self.taken = np.zeros(self.length, bool)
        ends = []
        for words, triggers in ((trigger, True), (others, False)):
            for _ in range(self.draw.integers(most + 1)):
                end = self.lay(words[self.draw.integers(len(words))])
                if triggers and end:
                    ends.append(end)
        return ends

    def lay(self, word: Array) -> int:
        """Lay a word where no other is; returns where it ends, 0 where there was no room."""
        for _ in range(TRIES if len(word) < self.length else 0):
            start = int(self.draw.integers(self.length - len(word)))
            end = start + len(word)
            if not self.taken[start:end].any():
                self.taken[start:end] = True
                self.samples[start:end] += loud(word, self.draw.uniform(*WORD))
                return end
        return 0


def label(y: Array, ends: Sequence[float], seconds: float, after: float) -> None:
    """Mark the steps in the seconds behind each end.

    Example:
        >>> y = np.zeros(10, int)
        >>> label(y, [2.5, 8.9], 10.0, 2.0)
        >>> y.tolist()
        [0, 0, 0, 1, 1, 0, 0, 0, 0, 1]
    """
    for end in ends:
        first = int(end * len(y) / seconds) + 1
        y[first : first + max(1, round(after * len(y) / seconds))] = 1


def loud(sound: Array, wanted: float) -> Array:
    """A sound with a root mean square; silence stays."""
    level = float(np.sqrt(np.mean(np.square(sound, dtype=np.float64))))
    return sound * np.float32(wanted / level if level else 0)


def trimmed(sound: Array) -> Array:
    """A recording without the silence before and behind it.

    Example:
        >>> trimmed(np.array([0.0, 0.01, 0.9, 0.01, -0.5, 0.0])).tolist()
        [0.9, 0.01, -0.5]
    """
    heard = np.flatnonzero(np.abs(sound) >= QUIET * np.abs(sound).max())
    return sound[heard[0] : heard[-1] + 1]


def fifths(sound: Array, which: Sequence[int]) -> Array:
    """Some of the five equal pieces of a sound, one after the other.

    Example:
        >>> fifths(np.arange(10), (0, 1, 2)).tolist(), fifths(np.arange(10), (4,)).tolist()
        ([0, 1, 2, 3, 4, 5], [8, 9])
    """
    size = max(1, len(sound) // 5)
    return sound[which[0] * size : (which[-1] + 1) * size]
