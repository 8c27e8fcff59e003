"""Spectrograms of sounds, as preparations."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from dltrain.data.examples import Array, Examples, Features
from dltrain.data.preparation import Constants
from dltrain.errors import ConfigError, Problem
from dltrain.registry import register
from dltrain.types import PositiveFloat, PositiveInt

SILENCE = 1e-6  # added to energies: their logarithm is at least -13.8
SOME = 64  # sounds worked on in one go


@register("preparation", "log_mel")
class LogMel:
    """The spectrum of a sound at each time, in bands as wide as the ear's: its log-mel spectrogram.

        P[f, k] = |Σ_n w_n x[fh + n] exp(-2πikn / K)|²,  w_n = ½ - ½ cos(2πn / F)        frames f of F samples
        E[f, b] = Σ_k M[k, b] P[f, k]        M: triangles whose tips lie evenly on mel(f) = 2595 log10(1 + f / 700)
        x'[f, b] = (ln(E[f, b] + 10⁻⁶) - mean_b) / deviation_b        sounds (N, L, 1) -> (N, T, B)

    F is `frame` and h `hop` in samples, K the next power of two from F on.  Mean and deviation of each band are those
    of the training part's frames.  Frames that reach behind the end of a sound are zeros, as `padding_mask` takes them.

    Parameters:
        bands: how many bands B from 0 Hz to half the rate
        frame: seconds of a frame
        hop: seconds from one frame to the next

    Example:
        >>> x = np.sin(2 * np.pi * 1000 * np.arange(800) / 8000)[None, :, None]
        >>> examples = Examples({"x": x}, np.arange(1), Features((800, 1), rate=8000))
        >>> step = LogMel(bands=10)
        >>> constants = step.fit(examples)
        >>> step.apply(x, constants).shape, int(constants["mean"].argmax())  # a tone of 1000 Hz is in the fifth band
        ((1, 8, 10), 4)

    Source: Davis and Mermelstein, Comparison of parametric representations for monosyllabic word recognition, 1980.
    """

    takes = "numbers"
    fills_missing = False
    in_place = True
    columns = None

    def __init__(self, bands: PositiveInt = 40, frame: PositiveFloat = 0.025, hop: PositiveFloat = 0.01) -> None:
        self.bands, self.frame, self.hop = bands, frame, hop

    def fit(self, examples: Examples) -> Constants:
        """{"sizes": F and h in samples, "bank": M (K / 2 + 1, B), "mean": (B,), "deviation": (B,)}.

        Raises:
            ConfigError: when the features are no sounds, or a frame or band has no room.
        """
        shape, rate = examples.described().shape, examples.described().rate
        if not rate:
            got, hint = f"features of shape {shape}", "take the source `sounds`"
            raise ConfigError([Problem(("data", "prepare"), "log_mel takes sounds", "sounds", got, hint)])
        sizes = np.array([round(self.frame * rate), round(self.hop * rate)], np.int64)
        if not 2 <= sizes[0] <= shape[0] or not sizes[1]:
            expected, got = f"2 to {shape[0]} samples, hops of 1 and more", f"{sizes[0]} and {sizes[1]}"
            raise ConfigError([Problem(("data", "prepare"), "frames of log_mel do not fit the sounds", expected, got)])
        bank = mel_bank(rate, power_of_two(int(sizes[0])), self.bands)
        if not bank.any(0).all():
            hint = "take fewer `bands`, or a longer `frame`"
            got = f"{self.bands} for {len(bank)} frequencies"
            raise ConfigError([Problem(("data", "prepare"), "a band of log_mel is empty", "fewer bands", got, hint)])
        plain = {"sizes": sizes, "bank": bank}
        x, sums = examples.columns["x"], np.zeros((3, self.bands))
        for start in range(0, len(x), SOME):
            values, valid = log_energies(x[start : start + SOME], plain)
            values = values[valid]
            sums += [np.full(self.bands, len(values)), values.sum(0), np.square(values).sum(0)]
        count = np.maximum(sums[0], 1)
        mean = sums[1] / count
        variance = np.maximum(sums[2] / count - mean**2, 0)
        return {**plain, "mean": mean, "deviation": np.sqrt(np.where(variance > 1e-12, variance, 1.0))}

    def apply(self, x: Array, constants: Mapping[str, Array]) -> Array:
        """Spectrograms (N, T, B) in float64."""
        values, valid = log_energies(x, constants)
        values = (values - constants["mean"]) / constants["deviation"]
        values[~valid] = 0
        return values

    def output(self, features: Features, constants: Mapping[str, Array]) -> Features:
        """(L, 1) -> (T, B)."""
        frame, hop = constants["sizes"].tolist()
        return Features((1 + (features.shape[0] - frame) // hop, constants["bank"].shape[1]))


def log_energies(x: Array, constants: Mapping[str, Array]) -> tuple[Array, Array]:
    """ln(E + 10⁻⁶) (N, T, B) of sounds (N, L, 1), and (N, T) whether a frame lies in the sound."""
    frame, hop = constants["sizes"].tolist()
    sounds = x.reshape(len(x), -1)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(frame) / frame)
    frames = np.lib.stride_tricks.sliding_window_view(sounds, frame, axis=1)[:, ::hop]  # (N, T, F)
    spectrum = np.fft.rfft(frames * window, power_of_two(frame))  # (N, T, K / 2 + 1)
    energies = (spectrum.real**2 + spectrum.imag**2) @ constants["bank"]  # (N, T, B)
    ends = sounds.shape[1] - (sounds != 0)[:, ::-1].argmax(1)  # where the zeros begin
    ends = np.where((sounds != 0).any(1), np.maximum(ends, frame), 0)  # a short sound has a frame
    valid = np.arange(frames.shape[1]) * hop + frame <= ends[:, None]
    return np.log(energies + SILENCE), valid


def power_of_two(least: int) -> int:
    """The smallest power of two that is not smaller.

    Example:
        >>> power_of_two(200), power_of_two(256)
        (256, 256)
    """
    return 1 << (least - 1).bit_length()


def mel_bank(rate: int, points: int, bands: int) -> Array:
    """The weights M (points / 2 + 1, bands) of frequencies in bands: triangles from the tip before to that behind.

    Parameters:
        rate: samples a second
        points: of the Fourier transform
        bands: how many

    Example:
        >>> mel_bank(8000, 8, 2).round(2).tolist()
        [[0.0, 0.0], [0.68, 0.32], [0.0, 0.91], [0.0, 0.45], [0.0, 0.0]]
    """
    frequencies = np.arange(points // 2 + 1) * rate / points
    tips = 700 * (10 ** (np.linspace(0, 2595 * np.log10(1 + rate / 2 / 700), bands + 2) / 2595) - 1)
    rising = (frequencies[:, None] - tips[:-2]) / np.diff(tips)[:-1]
    falling = (tips[2:] - frequencies[:, None]) / np.diff(tips)[1:]
    return np.asarray(np.maximum(0, np.minimum(rising, falling)))
