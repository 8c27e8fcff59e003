"""Small sounds for tests."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np

RATE = 8000
PITCHES = {"high": 2000, "low": 500}


def tone(pitch: float, seconds: float = 0.1, rate: int = RATE) -> np.ndarray:
    """A sine (n,) of half the largest amplitude."""
    return 0.5 * np.sin(2 * np.pi * pitch * np.arange(round(seconds * rate)) / rate)


def wav(samples: np.ndarray, rate: int = RATE, bits: int = 16, kind: int = 1, extensible: bool = False) -> bytes:
    """The bytes of a wav file of samples (n,) or (n, channels) from -1 to 1, written as the format says."""
    table = samples if samples.ndim == 2 else samples[:, None]
    if kind == 3:
        data = table.astype("<f4").tobytes()
    elif bits == 8:
        data = np.round(table * 127 + 128).astype(np.uint8).tobytes()
    else:
        whole = np.round(table * (2.0 ** (bits - 1) - 1)).astype("<i4")
        data = whole.reshape(-1, 1).view(np.uint8)[:, : bits // 8].tobytes()
    align = table.shape[1] * bits // 8
    form = struct.pack("<HHIIHH", 0xFFFE if extensible else kind, table.shape[1], rate, rate * align, align, bits)
    if extensible:
        tail = bytes.fromhex("000000001000800000aa00389b71")
        form += struct.pack("<HHIH", 22, bits, 0, kind) + tail
    note = b"LIST" + struct.pack("<I", 3) + b"abc\0"  # a part of odd length, which no reader needs
    body = b"WAVEfmt " + struct.pack("<I", len(form)) + form + note + b"data" + struct.pack("<I", len(data)) + data
    return b"RIFF" + struct.pack("<I", len(body)) + body


def tones(folder: Path, count: int = 10) -> Path:
    """A folder of short tones, high and low, each of another length and phase: `high_0.wav` …"""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    for name, pitch in PITCHES.items():
        for k in range(count):
            sound = tone(pitch * rng.uniform(0.9, 1.1), 0.05 + 0.01 * k) + 0.01 * rng.standard_normal(400 + 80 * k)
            (folder / f"{name}_{k}.wav").write_bytes(wav(sound))
    return folder
