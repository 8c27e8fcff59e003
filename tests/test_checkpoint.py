"""Checkpoints: what is saved comes back equal, and what is damaged is refused before it is parsed (figure R4)."""

from __future__ import annotations

import hashlib
import os
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from dltrain.errors import CorruptFileError, StorageError
from dltrain.training import checkpoint

DTYPES = ["f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "?"]
SHAPES = [(), (0,), (3, 0), (1,), (7,), (2, 3, 4)]


def arrays_of(step: int) -> dict[str, np.ndarray[Any, Any]]:
    rng = np.random.default_rng(step)
    return {
        "parameters/logits.0.dense.kernel": rng.standard_normal((20, 30)).astype("f4"),
        "parameters/logits.0.dense.bias": rng.standard_normal(30).astype("f4"),
        "optimizer/count": np.array(step),
    }


def save(folder: Path, *steps: int) -> None:
    for step in steps:
        checkpoint.save(folder, step, arrays_of(step), {"step": step})


def test_everything_comes_back_equal(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    arrays = {
        f"group/{dtype.replace('?', 'b')}.{number}": np.asarray(rng.integers(0, 2, shape)).astype(dtype)
        for dtype in DTYPES
        for number, shape in enumerate(SHAPES)
    }
    arrays["columns"] = np.arange(12.0).reshape(3, 4).T  # not contiguous
    arrays["swapped"] = np.arange(5, dtype=">f4")
    arrays["Gewicht/größe"] = np.array([np.nan, np.inf, -0.0])
    meta = {"generator": 2**128 - 1, "best": float("inf"), "text": "ä\n'\"", "none": None, "list": [1, 2.5, [True]]}
    path = checkpoint.save(tmp_path, 12, arrays, meta)
    assert path.name == "step-00000012.h5"
    found, found_meta = checkpoint.load(path)
    assert found_meta == meta
    assert list(found) == sorted(arrays)
    for name, array in arrays.items():
        assert found[name].dtype == array.dtype.newbyteorder("=")
        assert found[name].shape == array.shape
        np.testing.assert_array_equal(found[name], array)
        assert found[name].flags.writeable
        assert found[name].flags.c_contiguous


def test_large_arrays_are_cut_into_chunks(tmp_path: Path) -> None:
    array = np.arange(1_500_000, dtype="f4").reshape(3, 500_000)
    path = checkpoint.save(tmp_path, 1, {"a": array, "b": array.ravel()}, {})
    found, _ = checkpoint.load(path)
    np.testing.assert_array_equal(found["a"], array)
    np.testing.assert_array_equal(found["b"], array.ravel())
    assert checkpoint.chunk_shape((3, 500, 1 << 21), 4) == (1, 1, 1 << 20)


def test_bytes_depend_on_the_content_only(tmp_path: Path) -> None:
    a, b = tmp_path / "a", tmp_path / "b"
    a.mkdir()
    b.mkdir()
    one = checkpoint.save(a, 5, arrays_of(5), {"x": 1, "y": 2}).read_bytes()
    time.sleep(1.1)  # HDF5 stamps whole seconds
    two = checkpoint.save(b, 5, dict(reversed(arrays_of(5).items())), {"y": 2, "x": 1}).read_bytes()
    assert one == two


def test_plain_h5py_opens_the_file(tmp_path: Path) -> None:
    path = checkpoint.save(tmp_path, 3, arrays_of(3), {"step": 3})
    with h5py.File(path) as file:
        kernel = file["arrays/parameters/logits.0.dense.kernel"]
        np.testing.assert_array_equal(kernel[()], arrays_of(3)["parameters/logits.0.dense.kernel"])
        assert kernel.fletcher32
        assert bytes(file["meta"][()]) == b'{"step": 3}'
    assert path.read_bytes().startswith(b"dltrain checkpoint 1 step=3 length=")


def test_large_meta(tmp_path: Path) -> None:
    meta = {"text": "x" * 200_000}
    assert checkpoint.load(checkpoint.save(tmp_path, 1, {}, meta)) == ({}, meta)


@pytest.mark.parametrize("name", ["", "/a", "a/", "a//b", "../a", "a/./b", "a\0", "a\n", "/".join("abcdefghi")])
def test_names_that_mean_another_place_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="cannot name a tensor"):
        checkpoint.save(tmp_path, 1, {name: np.zeros(1)}, {})
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("dtype", ["O", "c16", "U3", "f2", "M8[s]", [("a", "f4")]])
def test_other_dtypes_are_refused(tmp_path: Path, dtype: Any) -> None:
    with pytest.raises(TypeError, match="of dtype"):
        checkpoint.save(tmp_path, 1, {"a": np.zeros(2, dtype)}, {})


def test_meta_that_would_not_come_back_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="key 3"):
        checkpoint.save(tmp_path, 1, {}, {"a": [{3: "x"}]})
    with pytest.raises(TypeError):
        checkpoint.save(tmp_path, 1, {}, {"a": np.int64(3)})


def test_newest_valid_and_prune(tmp_path: Path) -> None:
    assert checkpoint.newest_valid(tmp_path) == (None, [])
    assert checkpoint.newest_valid(tmp_path / "absent") == (None, [])
    save(tmp_path, 5, 10, 15, 20, 100_000_000)
    assert checkpoint.list_steps(tmp_path) == [5, 10, 15, 20, 100_000_000]
    for path in checkpoint.list_steps(tmp_path):
        os.utime(checkpoint.path_of(tmp_path, path), (1e9 - path, 1e9 - path))  # file times do not count
    assert checkpoint.newest_valid(tmp_path).path == checkpoint.path_of(tmp_path, 100_000_000)
    gone = checkpoint.prune(tmp_path, keep=2, also=[5])
    assert [path.name for path in gone] == ["step-00000015.h5", "step-00000010.h5"]
    assert checkpoint.list_steps(tmp_path) == [5, 20, 100_000_000]
    checkpoint.prune(tmp_path, keep=0)
    assert checkpoint.list_steps(tmp_path) == [100_000_000]


def test_prune_touches_only_the_runs_own_files(tmp_path: Path) -> None:
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    save(folder, 1, 2, 3)
    precious = tmp_path / "precious.h5"
    precious.write_bytes(b"x")
    (folder / "step-00000000.h5").symlink_to(precious)
    (folder / "step-00000009.h5").mkdir()
    for name in ("step-0.h5", "step-00000001.h5.bak", "notes.txt", "xstep-00000001.h5", "step-000000001.h5"):
        (folder / name).write_bytes(b"mine")
    before = set(os.listdir(folder))
    assert checkpoint.list_steps(folder) == [1, 2, 3]
    checkpoint.prune(folder, keep=1)
    assert before - set(os.listdir(folder)) == {"step-00000001.h5", "step-00000002.h5"}
    assert precious.exists()


def test_prune_does_not_count_cut_files(tmp_path: Path) -> None:
    save(tmp_path, 1, 2, 3, 4)
    for step in (3, 4):
        path = checkpoint.path_of(tmp_path, step)
        path.write_bytes(path.read_bytes()[: 700 if step == 3 else 0])
    checkpoint.prune(tmp_path, keep=1)
    assert checkpoint.list_steps(tmp_path) == [2, 3, 4]


def test_a_checkpoint_in_place_of_another_is_refused(tmp_path: Path) -> None:
    save(tmp_path, 1, 2)
    checkpoint.path_of(tmp_path, 2).write_bytes(checkpoint.path_of(tmp_path, 1).read_bytes())
    found = checkpoint.newest_valid(tmp_path)
    assert found.path == checkpoint.path_of(tmp_path, 1)
    assert "the file's name is of another checkpoint; expected step 2; got step 1" in found.damaged[0][1]
    copy = tmp_path / "copy.h5"
    copy.write_bytes(checkpoint.path_of(tmp_path, 1).read_bytes())
    assert checkpoint.load(copy)[1] == {"step": 1}


def test_a_missing_checkpoint_says_so(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"step-00000007\.h5: cannot read the file; got No such file"):
        checkpoint.load(checkpoint.path_of(tmp_path, 7))


def test_pipes_and_folders_are_refused_at_once(tmp_path: Path) -> None:
    pipe = tmp_path / "step-00000001.h5"
    os.mkfifo(pipe)
    (tmp_path / "folder").mkdir()
    assert checkpoint.newest_valid(tmp_path) == (None, [])
    for path in (pipe, tmp_path / "folder"):
        with pytest.raises(CorruptFileError, match="expected a regular file"):
            checkpoint.load(path)


def test_a_file_larger_than_the_memory_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "step-00000001.h5"
    size = 1 << 42
    with open(path, "wb") as file:
        file.write(checkpoint.header(1, size - checkpoint.BLOCK, "0" * 64))
        file.truncate(size)
    with pytest.raises(CorruptFileError, match="too large for this machine"):
        checkpoint.load(path)


def damaged(data: bytes, rng: random.Random) -> bytes:
    """One mutation of a file: bits, bytes, blocks, cuts, additions, swaps."""
    while True:
        changed = bytearray(data)
        kind = rng.randrange(8)
        at, length = rng.randrange(len(data)), rng.choice([1, 1, 1, 4, 64, 512, 4096])
        other = rng.randrange(len(data))
        if kind == 0:
            changed[at] ^= 1 << rng.randrange(8)
        elif kind == 1:
            for _ in range(rng.choice([1, 2, 16])):
                changed[rng.randrange(len(data))] = rng.choice([0, 255, rng.randrange(256)])
        elif kind == 2:
            del changed[at:]
        elif kind == 3:
            changed += rng.randbytes(length)
        elif kind == 4:
            changed[at : at + length] = bytes(len(changed[at : at + length]))
        elif kind == 5:
            changed[at : at + length] = data[other : other + len(changed[at : at + length])]
        elif kind == 6:
            del changed[at : at + length]
        else:
            changed[rng.randrange(600)] = rng.randrange(256)  # the beginning is small and would seldom be hit
        if changed != data:
            return bytes(changed)


def refuse_corrupted(folder: Path, count: int, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    print(f"seed {seed}")
    save(folder, 1, 2)
    path, rng = checkpoint.path_of(folder, 2), random.Random(seed)
    data = path.read_bytes()

    def parse(*_: object, **__: object) -> None:
        raise AssertionError("a damaged file reached the HDF5 library")

    monkeypatch.setattr(checkpoint, "read_hdf5", parse)
    for _ in range(count):
        path.write_bytes(damaged(data, rng))
        with pytest.raises(CorruptFileError) as caught:
            checkpoint.load(path)
        assert str(path) in str(caught.value)
        found = checkpoint.newest_valid(folder)
        assert found.path == checkpoint.path_of(folder, 1)
        assert found.damaged == [(path, str(caught.value))]
    monkeypatch.undo()
    assert checkpoint.load(checkpoint.path_of(folder, 1))[1] == {"step": 1}


def test_corrupted_checkpoints_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refuse_corrupted(tmp_path, 300, 1, monkeypatch)


@pytest.mark.slow
def test_many_corrupted_checkpoints_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refuse_corrupted(tmp_path, 3000, 2, monkeypatch)


def test_every_byte_of_the_first_block_counts(tmp_path: Path) -> None:
    save(tmp_path, 2)
    path = checkpoint.path_of(tmp_path, 2)
    data = path.read_bytes()
    for at in range(checkpoint.BLOCK):
        changed = bytearray(data)
        changed[at] ^= 1
        path.write_bytes(changed)
        assert checkpoint.newest_valid(tmp_path).path is None, at


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ({"meta": np.frombuffer(b"{}", "u1"), "other": np.zeros(1)}, "entries meta and arrays"),
        ({"arrays/a": np.zeros(1)}, "entries meta and arrays"),
        ({"meta": np.zeros(3)}, "entries meta and arrays"),
        ({"meta": np.frombuffer(b"[1]", "u1")}, "a JSON object"),
        ({"meta": np.frombuffer(b"{1}", "u1")}, "this is not JSON"),
        ({"meta": np.frombuffer(b"[" * 100_000, "u1")}, "this is not JSON"),
        ({"meta": np.frombuffer(b"\xff\xfe", "u1")}, "this is not JSON"),
    ],
)
def test_well_signed_but_wrong_content(tmp_path: Path, entries: dict[str, Any], message: str) -> None:
    path = tmp_path / "made.h5"
    with h5py.File(path, "w", userblock_size=512) as file:
        for name, array in entries.items():
            file.create_dataset(name, data=array)
    data = path.read_bytes()
    digest = hashlib.sha256(data[512:]).hexdigest()
    path.write_bytes(checkpoint.header(1, len(data) - 512, digest) + data[512:])
    with pytest.raises(CorruptFileError, match=message):
        checkpoint.load(path)


def test_a_killed_process_leaves_a_loadable_checkpoint(tmp_path: Path) -> None:
    program = (
        "import sys, itertools, numpy as np\n"
        "from dltrain.training import checkpoint\n"
        "for step in itertools.count(1):\n"
        "    checkpoint.save(sys.argv[1], step, {'a': np.full(50_000, float(step))}, {'step': step})\n"
        "    print(step, flush=True)\n"
        "    checkpoint.prune(sys.argv[1], keep=2)\n"
    )
    rng = random.Random(3)
    for _ in range(2):
        process = subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(rng.uniform(0, 0.05))
        process.kill()
        acknowledged = [int(line) for line in process.communicate()[0].split()]
        found = checkpoint.newest_valid(tmp_path)
        assert found.path is not None
        arrays, meta = checkpoint.load(found.path)
        assert meta["step"] >= max(acknowledged, default=1)
        np.testing.assert_array_equal(arrays["a"], np.full(50_000, float(meta["step"])))
