"""Reading wav files as if each were made to do harm, and bringing sounds to one rate."""

from __future__ import annotations

import struct
from math import gcd
from typing import NamedTuple

import numpy as np

from dltrain.data.examples import Array
from dltrain.errors import CorruptFileError

SUFFIXES = (".wav",)
MOST_BYTES = 1 << 28  # of a file
RATES = (1_000, 400_000)  # samples a second
PCM, FLOAT, EXTENSIBLE = 1, 3, 0xFFFE
CONVERT = "convert it: `ffmpeg -i IN -c:a pcm_s16le OUT.wav`"


class Form(NamedTuple):
    """How the samples of a wav file are written.

    Parameters:
        kind: 1: whole numbers (PCM), 3: floats
        channels: side by side
        rate: samples a second
        bytes_a_second: of all channels
        align: bytes of one sample of all channels
        bits: of one number
    """

    kind: int
    channels: int
    rate: int
    bytes_a_second: int
    align: int
    bits: int


def decode(data: bytes, where: str) -> tuple[Array, int]:
    """The samples (n,) float32 of a wav file, between -1 and 1, and how many there are a second.

    PCM with 8 bits (unsigned), 16, 24 or 32 (signed), or floats of 32 bits; several channels become one, their mean.

    Parameters:
        data: the bytes of the file
        where: what errors call it

    Raises:
        CorruptFileError: when it is damaged, or another kind of file.

    Example:
        >>> import io, wave
        >>> file = io.BytesIO()
        >>> with wave.open(file, "wb") as out:
        ...     out.setparams((2, 2, 8000, 0, "NONE", ""))
        ...     out.writeframes(np.array([[16384, 0], [-32768, -32768]], "<i2").tobytes())
        >>> samples, rate = decode(file.getvalue(), "a.wav")
        >>> samples.tolist(), rate
        ([0.25, -1.0], 8000)

    Source: IBM and Microsoft, Multimedia programming interface and data specifications 1.0, 1991.
    """
    form, frames = chunks_of(data, where)
    bits = {PCM: (8, 16, 24, 32), FLOAT: (32,)}.get(form.kind, ())
    if form.bits not in bits or not form.channels or form.align != form.channels * form.bits // 8:
        got = f"format {form.kind}, {form.bits} bits, {form.channels} channels"
        expected = "PCM of 8, 16, 24 or 32 bits, or floats of 32"
        what = "this kind of wav file is not read"
        raise CorruptFileError(what, where=where, expected=expected, got=got, hint=CONVERT)
    if not RATES[0] <= form.rate <= RATES[1]:
        expected, got = f"{RATES[0]:,} to {RATES[1]:,}", f"{form.rate:,}"
        raise CorruptFileError("the wav file has no plausible rate", where=where, expected=expected, got=got)
    if not frames or len(frames) % form.align:
        expected, got = f"a multiple of {form.align} bytes", f"{len(frames):,}"
        raise CorruptFileError("the wav file has no whole samples", where=where, expected=expected, got=got)
    samples = numbers(frames, form.bits // 8) if form.kind == PCM else np.frombuffer(frames, "<f4")
    if not np.isfinite(samples).all():
        raise CorruptFileError("the wav file holds samples that are no numbers", where=where)
    return samples.reshape(-1, form.channels).mean(1, dtype=np.float32), form.rate


def chunks_of(data: bytes, where: str) -> tuple[Form, bytes]:
    """The form of the samples, and their bytes.

    Raises:
        CorruptFileError: when one is missing, or ends too early.
    """
    if data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        raise CorruptFileError("this is no wav file", where=where, expected="RIFF … WAVE", hint=CONVERT)
    form, place = None, 12
    while place + 8 <= len(data):
        name, size = data[place : place + 4], int.from_bytes(data[place + 4 : place + 8], "little")
        content, place = data[place + 8 : place + 8 + size], place + 8 + size + size % 2
        if name == b"fmt " and len(content) >= 16:
            form = Form(*struct.unpack("<HHIIHH", content[:16]))
            if form.kind == EXTENSIBLE and len(content) >= 26:
                form = form._replace(kind=int.from_bytes(content[24:26], "little"))
        if name == b"data" and form is not None:
            if len(content) < size:
                expected, got = f"{size:,} bytes of samples", f"{len(content):,}"
                raise CorruptFileError("the wav file ends too early", where=where, expected=expected, got=got)
            return form, content
    expected = "a part `fmt ` and then a part `data`"
    raise CorruptFileError("the wav file is damaged", where=where, expected=expected, hint=CONVERT)


def numbers(frames: bytes, width: int) -> Array:
    """PCM samples of so many bytes as float32 from -1 to below 1.

    Example:
        >>> numbers(bytes([0, 128]), 1).tolist(), numbers(bytes([0, 0, 192]), 3).tolist()
        ([-1.0, 0.0], [-0.5])
    """
    if width == 1:
        return (np.frombuffer(frames, np.uint8).astype(np.float32) - 128) / 128
    if width == 3:  # into the upper bytes of 32 bits
        wide = np.zeros((len(frames) // 3, 4), np.uint8)
        wide[:, 1:] = np.frombuffer(frames, np.uint8).reshape(-1, 3)
        return numbers(wide.tobytes(), 4)
    return (np.frombuffer(frames, f"<i{width}") / 2.0 ** (8 * width - 1)).astype(np.float32)


def resampled(samples: Array, rate: int, wanted: int) -> Array:
    """Sound (n,) at another rate: between zeros a low-pass filter, then every so manieth value.

    Parameters:
        samples: at `rate`
        rate: samples a second
        wanted: those that are wanted

    Example:
        >>> resampled(np.ones(400, np.float32), 16000, 8000).shape
        (200,)

    Source: Crochiere and Rabiner, Multirate digital signal processing, 1983, by `scipy.signal.resample_poly`.
    """
    if rate == wanted:
        return samples
    from scipy.signal import resample_poly  # 0.3 s

    common = gcd(rate, wanted)
    return np.asarray(resample_poly(samples, wanted // common, rate // common)).astype(np.float32)


def taps(rate: int, wanted: int) -> int:
    """How many float64 numbers the low-pass filter of `resampled` has.

    Example:
        >>> taps(8000, 8000), taps(44100, 8000)
        (0, 8821)
    """
    return 0 if rate == wanted else 20 * (max(rate, wanted) // gcd(rate, wanted)) + 1
