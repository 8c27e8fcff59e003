"""Bad data sets of every kind (figure B3): each is refused with its file, place and value, or handled as documented."""

from __future__ import annotations

import gzip
import pickle
import struct
import time
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from data_files import arrays, csv_text, idx, images, loaded, npy, npy_header, npz

from dltrain.errors import ConfigError, CorruptFileError, DataError, DltrainError, StorageError

GOOD = csv_text()
LINES = GOOD.splitlines(keepends=True)


def changed(line: int, text: str) -> str:
    """The sound table with another text in one line (from 1 on)."""
    return "".join([*LINES[: line - 1], text, *LINES[line:]])


# name: content, options of the source, what the targets must be, what the message must say
CSV: dict[str, tuple[str | bytes, dict[str, Any], str, list[str]]] = {
    "empty": ("", {}, "classes", ["bad.csv", "empty"]),
    "only blank lines": ("\n\n  \n".replace(" ", ""), {}, "classes", ["bad.csv", "empty"]),
    "header only": ("a,b,label\n", {}, "classes", ["bad.csv", "no rows"]),
    "missing value": (changed(5, "1,,0\n"), {}, "classes", ["bad.csv:5", "'b'", "missing", "''"]),
    "NA": (changed(6, "NA,1,0\n"), {}, "classes", ["bad.csv:6", "'a'", "missing", "'NA'"]),
    "question mark": (changed(6, "1,?,0\n"), {}, "classes", ["bad.csv:6", "'b'", "missing", "'?'"]),
    "nan": (changed(7, "1,nan,0\n"), {}, "classes", ["bad.csv:7", "'b'", "missing", "'nan'"]),
    "infinite": (changed(8, "inf,1,0\n"), {}, "classes", ["bad.csv:8", "'a'", "'inf'"]),
    "overflow": (changed(8, "1e999,1,0\n"), {}, "classes", ["bad.csv:8", "'a'", "'1e999'"]),
    "word": (changed(9, "1,two,0\n"), {}, "classes", ["bad.csv:9", "'b'", "not a number", "'two'"]),
    "formula": (changed(9, "1,=1+1,0\n"), {}, "classes", ["bad.csv:9", "'=1+1'"]),
    "comma as point": (changed(9, '1,"2,5",0\n'), {}, "classes", ["bad.csv:9", "'2,5'", "with a point"]),
    "thousands": (changed(9, "1,2_000,0\n"), {}, "classes", ["bad.csv:9", "'2_000'", "separators"]),
    "hexadecimal": (changed(9, "1,0x10,0\n"), {}, "classes", ["bad.csv:9", "'0x10'"]),
    "date": (changed(9, "1,2020-01-02,0\n"), {}, "classes", ["bad.csv:9", "'2020-01-02'"]),
    "long row": (changed(10, "1,2,3,0\n"), {}, "classes", ["bad.csv:10", "3 entries", "got 4"]),
    "short row": (changed(10, "1,0\n"), {}, "classes", ["bad.csv:10", "3 entries", "got 2"]),
    "last row cut": (GOOD[:-3], {}, "classes", ["bad.csv:41", "entries"]),
    "blank row of spaces": (changed(10, "   \n"), {}, "classes", ["bad.csv:10", "got 1"]),
    "duplicate header": (changed(1, "a,a,label\n"), {}, "classes", ["bad.csv:1", "'a'", "columns 1 and 2"]),
    "missing label": (changed(11, "1,2,\n"), {}, "classes", ["bad.csv:11", "label", "missing"]),
    "words among numbers": (changed(11, "1,2,yes\n"), {}, "classes", ["bad.csv:11", "label", "'yes'"]),
    "label with fraction": (changed(11, "1,2,0.5\n"), {}, "classes", ["bad.csv:11", "whole number", "0.5"]),
    "negative label": (changed(11, "1,2,-1\n"), {}, "classes", ["bad.csv:11", "-1", "from 0 on"]),
    "label NaN": (changed(11, "1,2,nan\n"), {}, "classes", ["bad.csv:11", "nan"]),
    "gap in the labels": (changed(11, "1,2,3\n"), {}, "classes", ["bad.csv:11", "class 2", "got 3"]),
    "huge label": (changed(11, "1,2,1e18\n"), {}, "classes", ["bad.csv:11", "whole number"]),
    "not a listed class": (changed(11, "1,2,7\n"), {"classes": [0, 1]}, "classes", ["bad.csv:11", "0 to 1", "7"]),
    "not a listed word": (
        csv_text(line="{i},{j},c{k}\n"), {"classes": ["c0", "d1"]}, "classes", ["bad.csv:3", "c0, d1", "'c1'"],
    ),
    "one class": (csv_text(line="{i},{j},0\n"), {}, "classes", ["bad.csv", "one class", "at least 2"]),
    "three classes for two": (changed(11, "1,2,2\n"), {}, "binary", ["bad.csv", "two classes", "got 3"]),
    "class of its own each": (
        csv_text(line="{i},{j},n{i}\n"), {}, "classes", ["bad.csv", "label of its own", "40 classes"],
    ),
    "words for regression": (csv_text(line="{i},{j},c{k}\n"), {}, "values", ["bad.csv:2", "not numbers", "c0"]),
    "missing target": (changed(11, "1,2,\n"), {}, "values", ["bad.csv:11", "label", "missing"]),
    "target nan": (changed(11, "1,2,nan\n"), {}, "values", ["bad.csv:11", "'label'", "nan"]),
    "target too large": (changed(11, "1,2,1e300\n"), {}, "values", ["bad.csv:11", "float32", "1e+300"]),
    "feature too large": (changed(11, "1e300,2,1\n"), {}, "classes", ["bad.csv:11", "float32", "1e+300"]),
    "no such target": (GOOD, {"target": "lable"}, "classes", ["'lable' is missing", "'a', 'b', 'label'"]),
    "no such position": (GOOD, {"target": 3}, "classes", ["bad.csv", "-3 to 2", "at least 4", "got 3"]),
    "no header to search": (GOOD, {"target": "b", "header": False}, "classes", ["bad.csv", "no header", "'b'"]),
    "header taken for data": (GOOD, {"header": False}, "classes", ["bad.csv:1", "'a'", "header: true"]),
    "target among features": (GOOD, {"features": ["a", "label"]}, "classes", ["bad.csv", "'label'", "twice"]),
    "feature twice": (GOOD, {"features": ["a", "a"]}, "classes", ["bad.csv", "'a'", "twice"]),
    "wrong delimiter": (GOOD, {"delimiter": ";"}, "classes", ["bad.csv", "1 column", "delimiter"]),
    "NUL": (GOOD.encode().replace(b"1.5", b"1\x005", 1), {}, "classes", ["bad.csv:3", "NUL"]),
    "Latin-1": (changed(1, "a,größe,label\n").encode("latin-1"), {}, "classes", ["bad.csv:1", "UTF-8", "0xf6"]),
    "UTF-16": (GOOD.encode("utf-16"), {}, "classes", ["bad.csv", "UTF-16"]),
    "open quote": (changed(12, '"1,2,0\n'), {}, "classes", ["bad.csv:", "cut into columns"]),
    "broken quote": (changed(12, '"1"x,2,0\n'), {}, "classes", ["bad.csv:12", "cut into columns"]),
    "binary": (bytes(range(1, 256)) * 9, {}, "classes", ["bad.csv"]),
    "too few rows": ("a,b,label\n1,2,0\n3,4,1\n", {}, "classes", ["bad.csv", "validation part would be empty"]),
    "enormous field": ("1" * 200_000 + ",2,0\n", {}, "classes", ["bad.csv:", "cut into columns"]),
    "gzip cut off": (gzip.compress(GOOD.encode())[:-20], {}, "classes", ["bad.csv", "gzip"]),
    "gzip damaged": (gzip.compress(b"1,2,3\n" * 900)[:15] + b"\xff" * 60, {}, "classes", ["bad.csv", "gzip"]),
    "gzip bomb": (gzip.compress(b"1,2,0\n" * 5_000_000), {}, "classes", ["bad.csv", "unpacks to too much"]),
    "gzip bomb in disguise": (
        gzip.compress(b"1,2,0\n" + b" " * 30_000_000)[:-4] + bytes(4), {}, "classes", ["bad.csv", "unpacks to"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CSV)
def test_bad_tables_are_refused(name: str, tmp_path: Path) -> None:
    content, options, needs, said = CSV[name]
    (tmp_path / "bad.csv").write_bytes(content.encode() if isinstance(content, str) else content)
    refused({"csv": {"path": "bad.csv", **options}}, tmp_path, needs, said)


def refused(source: Any, folder: Path, needs: str, said: list[str]) -> DltrainError:
    """The one-sentence error that a source must give."""
    with pytest.raises((ConfigError, DataError, CorruptFileError)) as caught:
        loaded(source, folder, needs=needs)
    message = str(caught.value)
    assert all(words in message for words in said), message
    assert "\n" not in message and len(message) < 600
    return caught.value


GOOD_ARRAYS = {name: npy(array) for name, array in arrays().items()}


def with_value(value: Any, place: tuple[int, ...], array: str = "x", dtype: Any = None) -> dict[str, bytes]:
    """The sound arrays with one value changed."""
    found = {name: a.astype(dtype) if dtype and name == array else a.copy() for name, a in arrays().items()}
    found[array][place] = value
    return {name: npy(a) for name, a in found.items()}


class Harmful:
    """Would leave a trace if it were unpickled."""

    def __reduce__(self) -> Any:
        return Path.touch, (Path("unpickled"),)


OBJECTS = np.array([Harmful()] * 40, dtype=object)
DECLARED = "{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000, 3), }" + " " * 50 + "\n"

# name: content of the file, what the message must say
NPZ: dict[str, tuple[bytes, list[str]]] = {
    "empty": (b"", ["bad.npz", "whole"]),
    "text": (b"1,2,3\n" * 40, ["bad.npz", "whole"]),
    "cut off": (npz(GOOD_ARRAYS)[:-30], ["bad.npz", "whole"]),
    "damaged": (npz(GOOD_ARRAYS).replace(np.float64(5).tobytes(), np.float64(6).tobytes(), 1), ["bad.npz", "CRC"]),
    "no features": (npz({"y": GOOD_ARRAYS["y"]}), ["bad.npz", "'x'", "one of y"]),
    "no targets": (npz({"x": GOOD_ARRAYS["x"]}), ["bad.npz", "'y'", "one of x"]),
    "objects": (npz({**GOOD_ARRAYS, "x": npy(OBJECTS, allow_pickle=True)}), ["bad.npz x", "never loaded"]),
    "pickle as member": (npz({**GOOD_ARRAYS, "x": pickle.dumps([1.0])}), ["bad.npz x", "not a NumPy array"]),
    "structured": (npz({**GOOD_ARRAYS, "x": npy(np.zeros(40, [("a", "f8")]))}), ["bad.npz x", "plain array"]),
    "complex": (npz({**GOOD_ARRAYS, "x": npy(np.zeros((40, 2), complex))}), ["bad.npz x", "complex128"]),
    "dates": (npz({**GOOD_ARRAYS, "x": npy(np.zeros(40, "M8[s]"))}), ["bad.npz x", "M8"]),
    "features of text": (npz({**GOOD_ARRAYS, "x": npy(np.full((40, 2), "a"))}), ["bad.npz", "not numbers"]),
    "NaN": (npz(with_value(np.nan, (7, 1))), ["bad.npz, sample 7", "feature 1", "nan"]),
    "infinite": (npz(with_value(-np.inf, (8, 2), dtype=np.float32)), ["bad.npz, sample 8", "feature 2", "-inf"]),
    "label too high": (npz(with_value(5, (9,), "y")), ["bad.npz, sample 9", "class 2", "got 5"]),
    "label negative": (npz(with_value(-1, (9,), "y")), ["bad.npz, sample 9", "-1"]),
    "label fraction": (npz(with_value(0.5, (9,), "y", float)), ["bad.npz, sample 9", "0.5"]),
    "label NaN": (npz(with_value(np.nan, (9,), "y", float)), ["bad.npz, sample 9", "nan"]),
    "labels unsigned beyond int64": (npz(with_value(2**64 - 1, (9,), "y", np.uint64)), ["bad.npz, sample 9", "1844"]),
    "another count": (npz({**GOOD_ARRAYS, "y": npy(np.zeros(39, int))}), ["bad.npz", "(40, 3)", "(39,)"]),
    "one-hot": (npz({**GOOD_ARRAYS, "y": npy(np.eye(2)[np.arange(40) % 2])}), ["bad.npz", "one-hot", "(40, 2)"]),
    "scalar": (npz({**GOOD_ARRAYS, "x": npy(3.0)}), ["bad.npz", "number"]),
    "no samples": (npz({"x": npy(np.zeros((0, 3))), "y": npy(np.zeros(0, int))}), ["bad.npz", "no examples"]),
    "no columns": (npz({**GOOD_ARRAYS, "x": npy(np.zeros((40, 0)))}), ["bad.npz", "no features"]),
    "declares 10^12": (npz({**GOOD_ARRAYS, "x": npy_header(DECLARED)}), ["bad.npz x", "disagree"]),
    "negative shape": (npz({**GOOD_ARRAYS, "x": npy_header(DECLARED.replace("1000", "-100"))}), ["bad.npz x"]),
    "code in the header": (
        npz({**GOOD_ARRAYS, "x": npy_header("__import__('os').system('touch unpickled')" + " " * 30)}), ["bad.npz x"],
    ),
    "nested header": (npz({**GOOD_ARRAYS, "x": npy_header("(" * 9000)}), ["bad.npz x", "header"]),
    "long header": (npz({**GOOD_ARRAYS, "x": npy_header("{" + " " * 60_000)}), ["bad.npz x", "too long"]),
    "header of 4 GB": (
        npz({**GOOD_ARRAYS, "x": b"\x93NUMPY\x02\x00" + struct.pack("<I", 2**32 - 1)}), ["bad.npz x", "too long"],
    ),
    "unknown format": (npz({**GOOD_ARRAYS, "x": b"\x93NUMPY\x09\x00" + bytes(80)}), ["bad.npz x", "not a NumPy"]),
    "goes on": (npz({**GOOD_ARRAYS, "x": GOOD_ARRAYS["x"] + b"x"}), ["bad.npz x", "disagree"]),
    "ends early": (npz({**GOOD_ARRAYS, "x": GOOD_ARRAYS["x"][:-1]}), ["bad.npz x", "disagree"]),
    "bomb": (
        npz({**GOOD_ARRAYS, "x": npy(np.zeros((4_000_000, 8), np.uint8))}, zipfile.ZIP_DEFLATED), ["bad.npz", "'x'"],
    ),
    "many members": (npz({**GOOD_ARRAYS, **{f"m{k}": b"" for k in range(1500)}}), ["bad.npz", "too many"]),
}  # fmt: skip


@pytest.mark.parametrize("name", NPZ)
def test_bad_numpy_files_are_refused(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content, said = NPZ[name]
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bad.npz").write_bytes(content)
    refused({"npz": "bad.npz"}, tmp_path, "classes", said)
    assert not Path("unpickled").exists()


LABELS = idx(np.arange(40) % 2)

# name: images, labels, what the message must say
IDX: dict[str, tuple[bytes, bytes, list[str]]] = {
    "empty": (b"", LABELS, ["bad-images", "not an IDX"]),
    "text": (b"hello, world", LABELS, ["bad-images", "not an IDX", "68 65"]),
    "wrong type": (b"\0\0\x0a\x03" + idx(images())[4:], LABELS, ["bad-images", "not an IDX"]),
    "no axes": (b"\0\0\x08\0", LABELS, ["bad-images", "not an IDX"]),
    "200 axes": (b"\0\0\x08\xc8" + bytes(800), LABELS, ["bad-images", "not an IDX"]),
    "header cut off": (idx(images())[:9], LABELS, ["bad-images", "header"]),
    "cut off": (idx(images())[:-1], LABELS, ["bad-images", "480"]),
    "goes on": (idx(images()) + b"x", LABELS, ["bad-images", "goes on"]),
    "declares 10^12": (idx(images(), shape=(10**6, 1000, 1000)), LABELS, ["bad-images", "1,000,000,000,000"]),
    "declares 10^28": (idx(images(), shape=(2**32 - 1,) * 3), LABELS, ["bad-images", "declares more"]),
    "declares too little": (idx(images(), shape=(39, 4, 3)), LABELS, ["bad-images", "goes on"]),
    "packed, declares 10^12": (
        gzip.compress(idx(images(), shape=(10**6, 1000, 1000))), LABELS, ["bad-images", "1,000,000,000,000"],
    ),
    "packed, cut off": (gzip.compress(idx(images()))[:-9], LABELS, ["bad-images", "gzip"]),
    "packed, wrong sum": (gzip.compress(idx(images()))[:-8] + bytes(8), LABELS, ["bad-images", "gzip"]),
    "labels missing": (idx(images()), idx(np.arange(39) % 2), ["bad-images", "(40, 4, 3, 1)", "(39,)"]),
    "swapped": (LABELS, idx(images()), ["bad-labels", "one axis", "swapped"]),
    "no pictures": (LABELS, LABELS, ["bad-images", "two axes", "swapped"]),
    "gap in the labels": (idx(images()), idx(np.arange(40) % 2 * 5), ["bad-images, sample 1", "class 1", "got 5"]),
    "NaN": (idx(np.where(images() == 77, np.nan, 1), 0x0E), LABELS, ["bad-images, sample 6", "1, 2, 0", "nan"]),
}  # fmt: skip


@pytest.mark.parametrize("name", IDX)
def test_bad_idx_files_are_refused(name: str, tmp_path: Path) -> None:
    pictures, labels, said = IDX[name]
    (tmp_path / "bad-images").write_bytes(pictures)
    (tmp_path / "bad-labels").write_bytes(labels)
    refused({"idx": {"images": "bad-images", "labels": "bad-labels"}}, tmp_path, "classes", said)


def write_h5(path: Path, **changes: Any) -> None:
    """A sound HDF5 file with some data sets changed or, when None, left out."""
    with h5py.File(path, "w") as file:
        for name, value in {**arrays(), **changes}.items():
            if value is not None:
                file[name] = value


HDF5 = b"\x89HDF\r\n\x1a\n"

H5: dict[str, tuple[dict[str, Any], list[str]]] = {
    "no features": ({"x": None}, ["bad.h5", "'x'", "y"]),
    "another count": ({"y": np.zeros(39, int)}, ["bad.h5", "(39,)"]),
    "external link": ({"x": h5py.ExternalLink("other.h5", "x")}, ["bad.h5", "'x'", "link"]),
    "soft link": ({"x": h5py.SoftLink("/y")}, ["bad.h5", "'x'", "link"]),
    "structured": ({"x": np.zeros(40, [("a", "f8")])}, ["bad.h5", "'x'", "type"]),
    "infinite": ({"x": np.full((40, 2), np.inf)}, ["bad.h5, sample 0", "inf"]),
    "unlisted word": ({"y": np.array([b"a", b"b"] * 20), "names": np.array([b"a"])}, ["bad.h5, sample 1", "'b'"]),
}


@pytest.mark.parametrize("name", H5)
def test_bad_hdf5_files_are_refused(name: str, tmp_path: Path) -> None:
    changes, said = H5[name]
    write_h5(tmp_path / "bad.h5", **changes)
    options = {"classes": "names"} if "names" in changes else {}
    refused({"hdf5": {"path": "bad.h5", **options}}, tmp_path, "classes", said)


@pytest.mark.parametrize("content", [b"", b"text", HDF5 + bytes(50), HDF5 + b"\x02" + b"\xff" * 500])
def test_what_is_no_hdf5_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "bad.h5").write_bytes(content)
    refused({"hdf5": "bad.h5"}, tmp_path, "classes", ["bad.h5"])


def test_there_are_enough_bad_sets() -> None:
    assert len(CSV) + len(NPZ) + len(IDX) + len(H5) >= 80


@pytest.mark.parametrize("kind", ["npz", "idx", "packed"])
def test_hostile_headers_cost_neither_memory_nor_time(kind: str, tmp_path: Path) -> None:
    declared = idx(images(), shape=(10**6, 1000, 1000))
    (tmp_path / "labels").write_bytes(LABELS)
    contents = {"npz": NPZ["declares 10^12"][0], "idx": declared, "packed": gzip.compress(declared)}
    (tmp_path / "bad").write_bytes(contents[kind])
    source = {"npz": "bad"} if kind == "npz" else {"idx": {"images": "bad", "labels": "labels"}}
    tracemalloc.start()
    start = time.monotonic()
    refused(source, tmp_path, "classes", ["bad"])
    assert time.monotonic() - start < 1.0
    assert tracemalloc.get_traced_memory()[1] < 1 << 24
    tracemalloc.stop()


HANDLED = {
    "byte order mark": b"\xef\xbb\xbf" + GOOD.encode(),
    "Windows line ends": GOOD.replace("\n", "\r\n").encode(),
    "no last line end": GOOD.rstrip("\n").encode(),
    "blank lines": GOOD.replace("\n", "\n\n").encode(),
    "spaces": GOOD.replace(",", " ,  ").encode(),
    "quotes": "\n".join(",".join(f'"{e}"' for e in line.split(",")) for line in GOOD.splitlines()).encode(),
    "semicolons": GOOD.replace(",", ";").encode(),
    "tabs": GOOD.replace(",", "\t").encode(),
    "no header": GOOD.partition("\n")[2].encode(),
    "exponents": GOOD.replace(".5,", "5e-1,").encode(),
    "whole numbers as floats": "".join([LINES[0], *(f"{line.rstrip()}.0\n" for line in LINES[1:])]).encode(),
    "gzip": gzip.compress(GOOD.encode()),
}


@pytest.mark.parametrize("name", HANDLED)
def test_sound_tables_in_other_clothes_are_the_same(name: str, tmp_path: Path) -> None:
    (tmp_path / "good.csv").write_text(GOOD)
    (tmp_path / "other.csv").write_bytes(HANDLED[name])
    good, other = (loaded({"csv": f"{file}.csv"}, tmp_path) for file in ("good", "other"))
    for part in good.parts:
        for column in ("x", "y"):
            np.testing.assert_array_equal(good.parts[part].columns[column], other.parts[part].columns[column])
    assert good.classes == other.classes == ["0", "1"]


@pytest.mark.parametrize(
    "path, said",
    [
        ("../up.csv", "'..'"),
        ("a/../../up.csv", "'..'"),
        ("a\\..\\up.csv", "'..'"),
        ("/etc/passwd", "relative"),
        ("C:\\data.csv", "relative"),
        ("\\\\host\\share.csv", "relative"),
        ("a\0b.csv", "control"),
        ("a\nb.csv", "control"),
        ("", "control"),
        ("none.csv", "DLTRAIN_DATA"),
        ("loop.csv", "no such data file"),
        ("folder", "this is a folder; expected a file"),
        ("link.csv", "leads out"),
        ("linked/secret.csv", "leads out"),
    ],
)
def test_paths_stay_in_their_folders(path: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DLTRAIN_DATA", raising=False)
    inner, outer = tmp_path / "inner", tmp_path / "outer"
    (inner / "folder").mkdir(parents=True)
    outer.mkdir()
    for secret in (outer / "secret.csv", tmp_path / "up.csv"):
        secret.write_text(GOOD)
    (inner / "link.csv").symlink_to(outer / "secret.csv")
    (inner / "linked").symlink_to(outer)
    (inner / "loop.csv").symlink_to("loop.csv")
    error = refused({"csv": path}, inner, "classes", [said])
    assert isinstance(error, ConfigError) and error.problems[0].path == ("data", "source", "csv", "path")
    (inner / "good.csv").write_text(GOOD)
    error = refused({"csv": {"path": "good.csv", "test_path": path}}, inner, "classes", [said])
    assert isinstance(error, ConfigError) and error.problems[0].path == ("data", "source", "csv", "test_path")


def test_a_name_that_is_too_long_is_said(tmp_path: Path) -> None:
    with pytest.raises((DataError, StorageError), match="read the file|no such data file"):
        loaded({"csv": "a" * 300}, tmp_path)


def test_pipes_are_not_waited_for(tmp_path: Path) -> None:
    import os

    os.mkfifo(tmp_path / "pipe.csv")
    refused({"csv": "pipe.csv"}, tmp_path, "classes", ["pipe.csv", "not a file"])


def test_splits_that_cannot_be_are_refused(tmp_path: Path) -> None:
    (tmp_path / "few.csv").write_text(changed(2, "1,2,2\n"))
    source = {"csv": "few.csv"}
    with pytest.raises(DataError, match=r"few\.csv: class '2' has too few examples.*at least 3; got 1"):
        loaded(source, tmp_path, split="stratified")
    with pytest.raises(ConfigError, match="stratified needs classes"):
        loaded(source, tmp_path, split="stratified", needs="values")
    for split in ("random", "stratified"):
        with pytest.raises(ConfigError, match=rf"data\.split\.{split}\.test: nothing is left.*40 examples.*19 \+ 21"):
            loaded(source, tmp_path, split={split: {"validation": 19, "test": 21}})
    with pytest.raises(ConfigError, match=r"validation part would be empty; got 0\.001 of the 40"):
        loaded(source, tmp_path, split={"random": 0.001})
    with pytest.raises(ConfigError, match=r"data\.split\.random\.validation: .* no whole number"):
        loaded(source, tmp_path, split={"random": 1.5})
    with pytest.raises(DataError, match="class '[012]' has no example in the training part"):
        for seed in range(20):
            loaded(source, tmp_path, split={"random": {"validation": 18, "test": 18}}, seed=seed)
