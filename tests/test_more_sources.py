"""The sources mat, cifar, logic, planar_flower and the regressions, and pictures as courses hand them out."""

from __future__ import annotations

import gzip
import io
import struct
import tarfile
import time
import tracemalloc
import zlib
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from data_files import arrays, loaded
from scipy.io import loadmat, savemat

from dltrain.data import DataFolders, DataSet, Pool, load_like
from dltrain.data.matlab import read_mat
from dltrain.errors import ConfigError, CorruptFileError, DataError
from dltrain.registry import create

PIXELS = 3072


def pool(spec: Any, folder: Path = Path("nowhere")) -> Pool:
    found = create("source", spec).load(DataFolders(folder))
    assert isinstance(found, Pool)
    return found


def mat(folder: Path, compressed: bool = False, name: str = "a.mat", **changes: Any) -> bytes:
    """The bytes of a sound file with some arrays changed."""
    stored = {"X": arrays()["x"], "y": arrays()["y"][:, None], **changes}
    savemat(folder / name, stored, do_compression=compressed)
    return (folder / name).read_bytes()


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("dtype", ["f8", "f4", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "?", ">f8", ">i4"])
def test_matlab_arrays_of_every_type_are_scipys(dtype: str, compressed: bool, tmp_path: Path) -> None:
    stored = {f"a{k}": (np.arange(24).reshape(shape) % 7).astype(dtype) for k, shape in enumerate([(4, 6), (2, 3, 4)])}
    stored["v"], stored["empty"] = np.arange(3).astype(dtype)[None], np.zeros((0, 4), dtype)
    savemat(
        tmp_path / "a.mat", {**stored, "text": "words", "cell": np.array([1, "a"], object)}, do_compression=compressed
    )
    ours, theirs = read_mat(tmp_path / "a.mat"), loadmat(tmp_path / "a.mat")
    assert sorted(ours) == sorted(stored)
    for name, array in ours.items():
        np.testing.assert_array_equal(array, theirs[name])
        assert array.dtype.isnative and (dtype == "?" or array.dtype == theirs[name].dtype.newbyteorder("="))


def test_matlab_parts_by_name_and_file(tmp_path: Path) -> None:
    more = {"Xval": arrays(10)["x"], "yval": arrays(10)["y"][:, None]}
    mat(tmp_path, **more)
    mat(tmp_path, name="b.mat", X=arrays(12)["x"], y=arrays(12)["y"][:, None])
    source = {"path": "a.mat", "x_validation": "Xval", "y_validation": "yval", "test_path": "b.mat"}
    data = loaded({"mat": source}, tmp_path)
    assert {part: len(e) for part, e in data.parts.items()} == {"train": 40, "validation": 10, "test": 12}
    np.testing.assert_array_equal(data.parts["validation"].columns["x"], arrays(10)["x"])
    kept = DataSet.from_info(data.info(), data.constants)
    again = load_like(tmp_path / "b.mat", kept, target=True)
    np.testing.assert_array_equal(again.columns["x"], data.parts["test"].columns["x"])
    np.testing.assert_array_equal(again.columns["y"], data.parts["test"].columns["y"])


def element(kind: int, data: bytes) -> bytes:
    return struct.pack("<II", kind, len(data)) + data + bytes(-len(data) % 8)


def handmade(shape: tuple[int, ...] = (2, 2), data: bytes = bytes(32), flags: int = 6, name: bytes = b"X") -> bytes:
    """A file with one array, made by hand."""
    head = element(6, struct.pack("<II", flags, 0)) + element(5, struct.pack(f"<{len(shape)}i", *shape))
    body = head + element(1, name) + element(9, data)
    return b"MATLAB 5.0".ljust(124) + b"\x00\x01IM" + element(14, body)


def packed(content: bytes) -> bytes:
    """The same file with its array compressed."""
    return content[:128] + struct.pack("<II", 15, len(zlib.compress(content[128:]))) + zlib.compress(content[128:])


# content, or what is changed in a sound file; what the message must say
BAD_MAT: dict[str, tuple[bytes | dict[str, Any], str]] = {
    "empty": (b"", "not a MATLAB file"),
    "text": (b"1,2,3\n" * 99, "not a MATLAB file"),
    "version 7.3": (b"MATLAB 7.3 MAT-file".ljust(600), "HDF5.*source `hdf5`"),
    "no array": ({"X": None}, "'X'"),
    "words": ({"X": "abc"}, "'X' is not read.*text"),
    "complex": ({"X": np.full((40, 2), 1j)}, "'X' is not read.*complex"),
    "objects": ({"X": np.array([1, "a"], object)}, "'X' is not read"),
    "another count": ({"y": np.zeros((39, 1))}, "differ in number"),
    "NaN": ({"X": np.full((40, 2), np.nan)}, r"bad\.mat, sample 0.*nan"),
    "label with fraction": ({"y": np.full((40, 1), 0.5)}, r"bad\.mat, sample 0.*0\.5"),
    "negative extent": (handmade((-2, 2)), "'X' is damaged"),
    "extent of 10^9": (handmade((10**9, 10**9)), "disagree.*8,000,000,000,000,000,000 bytes"),
    "too little": (handmade((2, 3)), "disagree"),
    "element too long": (handmade()[:-8], "declares more than the file holds"),
    "head cut off": (handmade()[:132], "ends in the head"),
    "no head": (handmade()[:128] + element(14, b""), "head of an array is damaged"),
    "not an array": (handmade()[:128] + element(9, bytes(16)), "no array; got type 9"),
    "200 axes": (handmade((1,) * 200), "head of an array is damaged"),
    "packing cut off": (packed(handmade())[:-9], "declares more|packing"),
    "packing damaged": (packed(handmade())[:140] + b"\xff" * 40, "packing|declares"),
    "packed too much": (packed(handmade((4_000_000, 8), bytes(256_000_000))), "unpacks to too much"),
}


@pytest.mark.parametrize("name", BAD_MAT)
def test_bad_matlab_files_are_refused(name: str, tmp_path: Path) -> None:
    content, said = BAD_MAT[name]
    if isinstance(content, dict):
        present = {key: value for key, value in content.items() if value is not None}
        mat(tmp_path, name="bad.mat", **present)
        if "X" in content and content["X"] is None:
            savemat(tmp_path / "bad.mat", {"y": arrays()["y"]})
    else:
        (tmp_path / "bad.mat").write_bytes(content)
    tracemalloc.start()
    start = time.monotonic()
    with pytest.raises((ConfigError, DataError, CorruptFileError), match=said) as caught:
        loaded({"mat": "bad.mat"}, tmp_path)
    assert "bad.mat" in str(caught.value) and "\n" not in str(caught.value)
    assert time.monotonic() - start < 2 and tracemalloc.get_traced_memory()[1] < 1 << 26
    tracemalloc.stop()


@pytest.mark.parametrize("compressed", [False, True])
def test_damaged_matlab_files_never_crash(compressed: bool, tmp_path: Path) -> None:
    good, draw = mat(tmp_path, compressed), np.random.default_rng(0)
    (tmp_path / "a.mat").write_bytes(good)
    for _ in range(400):
        damaged = bytearray(good)
        for place in draw.integers(0, len(good), draw.integers(1, 4)):
            damaged[place] = draw.integers(256)
        (tmp_path / "bad.mat").write_bytes(bytes(damaged[: draw.integers(len(good) // 2, len(good) + 1)]))
        try:
            read_mat(tmp_path / "bad.mat", ("X", "y"))
        except (DataError, CorruptFileError) as error:
            assert "\n" not in str(error)


def course(folder: Path, part: str, count: int, **changes: Any) -> None:
    """A file of pictures as the courses hand them out."""
    draw = np.random.default_rng(count)
    stored = {
        f"{part}_set_x": draw.integers(0, 256, (count, 4, 4, 3), np.uint8),
        f"{part}_set_y": np.arange(count) % 2,
        "list_classes": np.array([b"non-cat", b"cat"]),
    }
    with h5py.File(folder / f"{part}.h5", "w") as file:
        for name, value in {**stored, **changes}.items():
            if value is not None:
                file[name] = value


def test_pictures_of_a_course_take_two_lines(tmp_path: Path) -> None:
    course(tmp_path, "train", 40)
    course(tmp_path, "test", 10)
    data = loaded({"hdf5": {"path": "train.h5", "test_path": "test.h5"}}, tmp_path, split="stratified")
    assert data.classes == ["non-cat", "cat"] and data.shape == (4, 4, 3) and len(data.parts["test"]) == 10
    named = {"x": "train_set_x", "y": "train_set_y", "x_test": "test_set_x", "y_test": "test_set_y"}
    same = loaded(
        {"hdf5": {"path": "train.h5", "test_path": "test.h5", **named, "classes": "list_classes"}}, tmp_path,
        split="stratified",
    )  # fmt: skip
    assert same.fingerprint == data.fingerprint and same.classes == data.classes
    kept = DataSet.from_info(data.info(), data.constants)
    again = load_like(tmp_path / "test.h5", kept, target=True)
    np.testing.assert_array_equal(again.columns["x"], data.parts["test"].columns["x"])
    course(tmp_path, "train", 40, train_set_x=None)
    with pytest.raises(ConfigError, match="there is no data set 'x'; got list_classes, train_set_y"):
        loaded({"hdf5": "train.h5"}, tmp_path)


def batch(labels: Any, seed: int = 0) -> bytes:
    draw = np.random.default_rng(seed)
    return b"".join(bytes([k]) + draw.integers(0, 256, PIXELS, np.uint8).tobytes() for k in labels)


def archive(folder: Path, members: dict[str, bytes]) -> None:
    with tarfile.open(folder / "a.tar.gz", "w:gz") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))


FOLDER = "cifar-10-batches-bin"
MEMBERS = {
    **{f"{FOLDER}/data_batch_{k}.bin": batch([2 * k - 2, 2 * k - 1, k], k) for k in range(1, 6)},
    f"{FOLDER}/readme.html": b"hello",
    f"{FOLDER}/test_batch.bin": batch([0, 9], 9),
}


def test_cifar_from_the_archive_and_from_files(tmp_path: Path) -> None:
    archive(tmp_path, MEMBERS)
    names = []
    for k, (name, content) in enumerate(MEMBERS.items()):
        if name.endswith(".bin"):
            names.append(f"{k}.bin.gz")
            (tmp_path / names[-1]).write_bytes(gzip.compress(content) if k % 2 else content)
    one = pool({"cifar": "a.tar.gz"}, tmp_path)
    other = pool({"cifar": {"path": names[:-1], "test_path": names[-1]}}, tmp_path)
    for found in (one, other):
        assert found.columns["y"].tolist() == [label for k in range(1, 6) for label in (2 * k - 2, 2 * k - 1, k)] + [
            0,
            9,
        ]
        assert found.given["test"].tolist() == [15, 16] and found.classes is not None and found.classes[3] == "cat"
        first = np.frombuffer(MEMBERS[f"{FOLDER}/data_batch_1.bin"], np.uint8)
        assert found.columns["x"][0, 2, 5].tolist() == [first[1 + c * 1024 + 2 * 32 + 5] for c in range(3)]
    np.testing.assert_array_equal(one.columns["x"], other.columns["x"])
    data = loaded({"cifar": {"path": names[:-1], "test_path": names[-1]}}, tmp_path, split={"random": 0})
    (tmp_path / "new.bin").write_bytes(MEMBERS[f"{FOLDER}/test_batch.bin"])
    new = load_like(tmp_path / "new.bin", DataSet.from_info(data.info(), data.constants), target=True)
    np.testing.assert_array_equal(new.columns["x"], data.parts["test"].columns["x"])
    assert new.columns["y"].tolist() == [0, 9]


BAD_CIFAR: dict[str, tuple[dict[str, bytes] | bytes, str]] = {
    "cut off": (batch([1, 2])[:-1], "no whole number of pictures; expected records of 3,073 bytes"),
    "empty": (b"", "no whole number"),
    "label": (batch([1, 10]), r"sample 1: this label is no class; expected 0 to 9; got 10"),
    "no test batch": ({k: v for k, v in MEMBERS.items() if "test" not in k}, "test_batch.bin"),
    "batch cut off": ({**MEMBERS, f"{FOLDER}/data_batch_2.bin": b"123"}, "data_batch_2.bin: this is no whole number"),
    "path that leads out": ({**MEMBERS, "../evil.bin": b"1", f"{FOLDER}/data_batch_1.bin": b""}, "data_batch_1.bin"),
}


@pytest.mark.parametrize("name", BAD_CIFAR)
def test_bad_cifar_files_are_refused(name: str, tmp_path: Path) -> None:
    content, said = BAD_CIFAR[name]
    if isinstance(content, dict):
        archive(tmp_path, content)
    else:
        (tmp_path / "a.bin").write_bytes(content)
    with pytest.raises((DataError, CorruptFileError), match=said):
        pool({"cifar": "a.tar.gz" if isinstance(content, dict) else "a.bin"}, tmp_path)
    assert not (tmp_path.parent / "evil.bin").exists()


def test_an_archive_that_is_none_is_refused(tmp_path: Path) -> None:
    archive(tmp_path, MEMBERS)
    whole = (tmp_path / "a.tar.gz").read_bytes()
    for content in (b"", b"text", gzip.compress(b"text" * 999), whole[: len(whole) // 2]):
        (tmp_path / "a.tar.gz").write_bytes(content)
        with pytest.raises((DataError, CorruptFileError), match=r"a\.tar\.gz"):
            pool({"cifar": "a.tar.gz"}, tmp_path)


@pytest.mark.parametrize("inputs", [2, 5])
def test_gates_are_their_truth_tables(inputs: int) -> None:
    for gate, rule in {
        "and": all, "or": any, "nand": lambda b: not all(b), "nor": lambda b: not any(b),
        "xor": lambda b: sum(b) % 2 == 1, "xnor": lambda b: sum(b) % 2 == 0,
    }.items():  # fmt: skip
        found = pool({"logic": {"gate": gate, "inputs": inputs}})
        rows = found.columns["x"].astype(int).tolist()
        assert len({tuple(row) for row in rows}) == 2**inputs
        assert found.columns["y"].tolist() == [int(rule(row)) for row in rows]  # type: ignore[operator]
    data = loaded({"logic": "xor"}, Path("nowhere"), needs="binary", split={"random": {"validation": 0, "test": 0}})
    assert list(data.parts) == ["train"] and len(data.parts["train"]) == 4
    noisy = pool({"logic": {"gate": "xor", "samples": 4000, "noise": 0.1}})
    assert (noisy.columns["x"] - np.round(noisy.columns["x"])).std() == pytest.approx(0.1, rel=0.05)


@pytest.mark.parametrize("waves", [3, 4])
def test_the_flower_is_its_formula(waves: int) -> None:
    found = pool({"planar_flower": {"samples": 400, "noise": 0, "waves": waves, "radius": 2}})
    x, half = found.columns["x"], np.concatenate([np.linspace(0, np.pi, 200), np.linspace(np.pi, 2 * np.pi, 200)])
    np.testing.assert_allclose(np.hypot(*x.T), np.abs(2 * np.sin(waves * half)), atol=1e-12)
    assert found.columns["y"].tolist() == [0] * 200 + [1] * 200
    noisy = pool({"planar_flower": {"seed": 1}}), pool({"planar_flower": {"seed": 1}}), pool("planar_flower")
    np.testing.assert_array_equal(noisy[0].columns["x"], noisy[1].columns["x"])
    assert not np.array_equal(noisy[0].columns["x"], noisy[2].columns["x"])


def test_regressions_are_their_formulas() -> None:
    line = pool({"linear_regression": {"samples": 4000, "weights": [1.5, -2.0], "bias": 0.5, "noise": 0.3}}).columns
    w, *_ = np.linalg.lstsq(np.column_stack([line["x"], np.ones(4000)]), line["y"], rcond=None)
    np.testing.assert_allclose(w, [1.5, -2.0, 0.5], atol=0.03)
    assert (line["y"] - line["x"] @ [1.5, -2.0] - 0.5).std() == pytest.approx(0.3, rel=0.05)
    with pytest.raises(DataError, match="weights and features differ in number; expected 3 weights.*; got 2"):
        pool({"linear_regression": {"features": 3, "weights": [1.0, 2.0]}})
    spec = {"samples": 4000, "coefficients": [1.0, 0.0, -3.0], "low": -1, "high": 2, "noise": 0.2}
    curve = pool({"polynomial_regression": spec}).columns
    assert -1 <= curve["x"].min() < -0.99 and 1.99 < curve["x"].max() <= 2
    assert (curve["y"] - 1 + 3 * curve["x"][:, 0] ** 2).std() == pytest.approx(0.2, rel=0.05)
    for wrong, said in (({"low": 2.0, "high": 2.0}, "range is empty"), ({"coefficients": []}, "no coefficients")):
        with pytest.raises(DataError, match=said):
            pool({"polynomial_regression": wrong})


def test_validation_parts_of_arrays(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", **arrays(), x_val=arrays(6)["x"], y_val=arrays(6)["y"])
    source = {"path": "a.npz", "x_validation": "x_val", "y_validation": "y_val"}
    data = loaded({"npz": source}, tmp_path, split={"random": {"test": 8}})
    assert {part: len(e) for part, e in data.parts.items()} == {"train": 32, "validation": 6, "test": 8}
    with pytest.raises(ConfigError, match=r"validation: this has no effect"):
        loaded({"npz": source}, tmp_path, split={"random": 4})
    with pytest.raises(ConfigError, match="`x_validation` and `y_validation` belong together"):
        loaded({"npz": {"path": "a.npz", "x_validation": "x_val"}}, tmp_path)
