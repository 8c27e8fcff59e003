"""Randomly damaged data files: loaded, or refused with one sentence; never another exception."""

from __future__ import annotations

import gzip
import zipfile
from pathlib import Path

import numpy as np
import pytest
from data_files import arrays, csv_text, idx, images, loaded, npy, npz

from dltrain.data.folders import SettingError
from dltrain.errors import ConfigError, CorruptFileError, DataError

MEMBERS = {name: npy(array) for name, array in arrays().items()}
SOUND = {
    "csv": csv_text().encode(),
    "csv packed": gzip.compress(csv_text().encode()),
    "npz": npz(MEMBERS),
    "npz packed": npz(MEMBERS, zipfile.ZIP_DEFLATED),
    "idx": idx(images()),
    "idx packed": gzip.compress(idx(images())),
}


def damaged(content: bytes, rng: np.random.Generator) -> bytes:
    """One to three bytes changed, or some left out or put in."""
    found = bytearray(content)
    for _ in range(rng.integers(1, 4)):
        place, kind = int(rng.integers(len(found))), int(rng.integers(3))
        if kind == 0:
            found[place] = rng.integers(256)
        elif kind == 1:
            del found[place : place + int(rng.integers(1, 20))]
        else:
            found[place:place] = rng.bytes(int(rng.integers(1, 8)))
    return bytes(found)


@pytest.mark.parametrize("kind", SOUND)
@pytest.mark.parametrize("count", [120, pytest.param(3000, marks=pytest.mark.slow)])
def test_damaged_files_are_loaded_or_refused(kind: str, count: int, tmp_path: Path) -> None:
    seed = int(np.random.SeedSequence().entropy or 0) % 2**32
    print(f"seed {seed}")
    rng = np.random.default_rng(seed)
    (tmp_path / "labels").write_bytes(idx(np.arange(40) % 2))
    name = kind.split()[0]
    source = {"idx": {"images": "file", "labels": "labels"}} if name == "idx" else {name: "file"}
    for _ in range(count):
        (tmp_path / "file").write_bytes(damaged(SOUND[kind], rng))
        try:
            data = loaded(source, tmp_path)
        except (DataError, CorruptFileError) as error:
            assert "\n" not in str(error)
        except ConfigError as error:  # the damage hit the name of an array
            assert isinstance(error.__cause__, SettingError) and "\n" not in str(error)
        else:
            assert all(np.isfinite(part.columns["x"]).all() for part in data.parts.values())
