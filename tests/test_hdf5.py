"""The HDF5 reader: good files come back whole; hostile ones give one clear error, quickly, and reach nothing (S1)."""

from __future__ import annotations

import hashlib
import io
import subprocess
import sys
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from dltrain.errors import CorruptFileError, DltrainError, StorageError
from dltrain.runs.envelope import BLOCK, header
from dltrain.runs.hdf5 import Limits, read_hdf5
from dltrain.training import checkpoint

SECRET = 8_675_309.0
Make = Callable[[h5py.File, Path], None]
HOSTILE: dict[str, tuple[Make, str]] = {}


def hostile(message: str) -> Callable[[Make], Make]:
    """Puts a function that fills an HDF5 file into the table, with what the error must say."""

    def add(make: Make) -> Make:
        HOSTILE[make.__name__] = (make, message)
        return make

    return add


# --- links and storage elsewhere


@hostile("is a link to another place")
def external_link(file: h5py.File, secret: Path) -> None:
    file["arrays/a"] = h5py.ExternalLink(str(secret), "/secret")


@hostile("is a link to another place")
def external_link_to_a_group(file: h5py.File, secret: Path) -> None:
    file["arrays"] = h5py.ExternalLink(str(secret), "/")


@hostile("is a link to another place")
def external_link_to_no_hdf5(file: h5py.File, secret: Path) -> None:
    file["arrays/a"] = h5py.ExternalLink("/etc/passwd", "/")


@hostile("is a link to another place")
def soft_link(file: h5py.File, secret: Path) -> None:
    file["b"] = np.zeros(3)
    file["arrays/a"] = h5py.SoftLink("/b")


@hostile("is a link to another place")
def dangling_soft_link(file: h5py.File, secret: Path) -> None:
    file["arrays/a"] = h5py.SoftLink("/nowhere")


@hostile("is a link to another place")
def soft_link_through_an_external_one(file: h5py.File, secret: Path) -> None:
    file["arrays/a"] = h5py.SoftLink("/z/secret")
    file["z"] = h5py.ExternalLink(str(secret), "/")


@hostile("is a link to another place")
def soft_link_to_itself(file: h5py.File, secret: Path) -> None:
    file["arrays/a"] = h5py.SoftLink("/arrays/a")


@hostile("stored in another file")
def virtual(file: h5py.File, secret: Path) -> None:
    layout = h5py.VirtualLayout((3,), "f8")
    layout[:] = h5py.VirtualSource(str(secret), "secret", (3,))
    file.create_virtual_dataset("arrays/a", layout)


@hostile("stored in another file")
def external_storage(file: h5py.File, secret: Path) -> None:
    file.create_dataset("arrays/a", (24,), "u1", external=[(str(secret), 0, 24)])


@hostile("stored in another file")
def external_storage_of_a_device(file: h5py.File, secret: Path) -> None:
    file.create_dataset("arrays/a", (1 << 20,), "u1", external=[("/dev/zero", 0, h5py.h5f.UNLIMITED)])


# --- too much of something


@hostile("declares")
def huge_contiguous(file: h5py.File, secret: Path) -> None:
    space = h5py.h5s.create_simple((1 << 50,))
    h5py.h5d.create(file.id, b"a", h5py.h5t.NATIVE_DOUBLE, space)


@hostile("declares")
def huge_chunked(file: h5py.File, secret: Path) -> None:
    file.create_dataset("a", (1 << 40, 1 << 20), "f8", chunks=(1, 8))


@hostile("declares")
def more_elements_than_64_bits_count(file: h5py.File, secret: Path) -> None:
    file.create_dataset("a", (1 << 62,), "f8", chunks=(8,))


@hostile("declares")
def huge_chunk_of_a_small_data_set(file: h5py.File, secret: Path) -> None:
    file.create_dataset("a", (10,), "f8", chunks=(1 << 28,), maxshape=(None,), compression="gzip")


@hostile("declares")
def many_that_are_large_together(file: h5py.File, secret: Path) -> None:
    for number in range(64):
        file.create_dataset(f"a{number}", (1 << 20,), "f4", chunks=(1024,), fletcher32=True)


@hostile("declares")
def one_data_set_under_many_names(file: h5py.File, secret: Path) -> None:
    file["a"] = np.zeros(1 << 16)
    for number in range(200):
        file[f"b{number}"] = file["a"]


@hostile("declares|is packed")
def bomb(file: h5py.File, secret: Path) -> None:
    file.create_dataset("a", data=np.zeros(1 << 22), chunks=(1 << 20,), compression="gzip", compression_opts=1)


@hostile("unpacks to more than it declares|is packed")
def chunk_that_unpacks_to_more(file: h5py.File, secret: Path) -> None:
    data = file.create_dataset("a", (1 << 10,), "u1", chunks=(1 << 10,), compression="gzip")
    data.id.write_direct_chunk((0,), zlib.compress(bytes(1 << 25), 1))


@hostile("lies too deep")
def deep(file: h5py.File, secret: Path) -> None:
    group = file
    for _ in range(300):
        group = group.create_group("g")
    group["a"] = np.zeros(1)


@hostile("lies too deep")
def group_in_itself(file: h5py.File, secret: Path) -> None:
    group = file.create_group("g")
    group["g"] = group


@hostile("holds too many things|lies too deep")
def groups_with_many_ways(file: h5py.File, secret: Path) -> None:
    groups = [file.create_group(f"g{number}") for number in range(12)]
    for above, below in zip(groups, groups[1:], strict=False):
        for number in range(12):
            above[f"w{number}"] = below


@hostile("holds too many things")
def many_names(file: h5py.File, secret: Path) -> None:
    group = file.create_group("g")
    for number in range(21_000):
        file.id.links.create_hard(f"n{number}".encode(), group.id, b".")


# --- types


@hostile("type that is not read")
def text_of_any_length(file: h5py.File, secret: Path) -> None:
    file.create_dataset("a", data=["x", "yy"], dtype=h5py.string_dtype())


@hostile("type that is not read")
def arrays_of_any_length(file: h5py.File, secret: Path) -> None:
    file.create_dataset("a", (2,), h5py.vlen_dtype(np.dtype("i4")))


@hostile("type that is not read")
def references(file: h5py.File, secret: Path) -> None:
    file.create_dataset("a", data=file.ref, dtype=h5py.ref_dtype)


@hostile("type that is not read")
def region_references(file: h5py.File, secret: Path) -> None:
    file.create_dataset("a", (1,), h5py.regionref_dtype)


@hostile("type that is not read")
def compound(file: h5py.File, secret: Path) -> None:
    file["a"] = np.zeros(2, [("x", "f4"), ("y", "i8")])


@hostile("type that is not read")
def complex_numbers(file: h5py.File, secret: Path) -> None:
    file["a"] = np.zeros(2, "c16")


@hostile("type that is not read")
def opaque(file: h5py.File, secret: Path) -> None:
    file["a"] = np.zeros(2, "V7")


@hostile("type that is not read")
def array_type(file: h5py.File, secret: Path) -> None:
    file.create_dataset("a", (2,), np.dtype(("f4", (3,))))


@hostile("type that is not read|damaged")
def odd_float(file: h5py.File, secret: Path) -> None:
    kind = h5py.h5t.IEEE_F64LE.copy()
    kind.set_fields(50, 40, 9, 0, 40)
    h5py.h5d.create(file.id, b"a", kind, h5py.h5s.create_simple((4,)))


@hostile("type that is not read|damaged")
def wide_integers(file: h5py.File, secret: Path) -> None:
    kind = h5py.h5t.STD_I64LE.copy()
    kind.set_size(16)
    h5py.h5d.create(file.id, b"a", kind, h5py.h5s.create_simple((1,)))


@hostile("neither a group nor a data set")
def stored_type(file: h5py.File, secret: Path) -> None:
    file["a"] = np.dtype("f8")


@hostile("has no shape")
def no_space(file: h5py.File, secret: Path) -> None:
    file["a"] = h5py.Empty("f4")


@hostile("is packed")
def other_filter(file: h5py.File, secret: Path) -> None:
    file.create_dataset("a", data=np.zeros(100), chunks=(10,), compression="lzf")


@hostile("is packed")
def scaled(file: h5py.File, secret: Path) -> None:
    file.create_dataset("a", data=np.arange(100), chunks=(10,), scaleoffset=4)


@hostile("is packed")
def unknown_filter(file: h5py.File, secret: Path) -> None:
    plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plist.set_chunk((4,))
    plist.set_filter(32_015, h5py.h5z.FLAG_OPTIONAL, (1,))
    h5py.h5d.create(file.id, b"a", h5py.h5t.NATIVE_DOUBLE, h5py.h5s.create_simple((4,)), plist)


@hostile("name that is not allowed")
def name_of_the_folder_above(file: h5py.File, secret: Path) -> None:
    group = file.create_group("g")
    group.id.links.create_hard(b"..", group.id, b".")


def written(make: Make, path: Path, signed: bool = False) -> Path:
    """A hostile file beside a file with a secret; signed: as a checkpoint whose first line is right."""
    secret = path.with_name("secret.h5")
    with h5py.File(secret, "w") as file:
        file["secret"] = np.full(3, SECRET)
    with h5py.File(path, "w", userblock_size=BLOCK if signed else 0) as file:
        if signed:
            file["meta"] = np.frombuffer(b"{}", "u1")
        make(file, secret)
    if signed:
        data = path.read_bytes()
        path.write_bytes(header(1, len(data) - BLOCK, hashlib.sha256(data[BLOCK:]).hexdigest()) + data[BLOCK:])
    return path


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_data_file(tmp_path: Path, name: str) -> None:
    make, message = HOSTILE[name]
    path = written(make, tmp_path / "hostile.h5")
    start = time.monotonic()
    with pytest.raises(CorruptFileError, match=message) as caught:
        read_hdf5(path)
    assert time.monotonic() - start < 2
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_checkpoint(tmp_path: Path, name: str) -> None:
    """The first line is right, so the reader must refuse it; a group's name alone is no array."""
    make, _ = HOSTILE[name]
    path = written(make, tmp_path / "hostile.h5", signed=True)
    start = time.monotonic()
    with pytest.raises(CorruptFileError) as caught:
        checkpoint.load(path)
    assert time.monotonic() - start < 2
    assert str(path) in str(caught.value)


def test_hostile_files_need_little_memory(tmp_path: Path) -> None:
    """All of them one after the other in a process that may have 256 MiB more than it starts with."""
    paths = []
    for name, (make, _) in HOSTILE.items():
        for signed in (False, True):
            folder = tmp_path / f"{name}-{signed}"
            folder.mkdir()
            paths.append(str(written(make, folder / "hostile.h5", signed)))
    program = (
        "import resource, sys\n"
        "from pathlib import Path\n"
        "from dltrain.errors import CorruptFileError\n"
        "from dltrain.runs.hdf5 import read_hdf5\n"
        "from dltrain.training.checkpoint import load, save\n"
        "folder = Path(sys.argv[1])\n"
        "load(save(folder, 1, {}, {}))\n"
        "pages = int(Path('/proc/self/statm').read_text().split()[0])\n"
        "limit = pages * resource.getpagesize() + (256 << 20)\n"
        "resource.setrlimit(resource.RLIMIT_AS, (limit, limit))\n"
        "for path in sys.argv[2:]:\n"
        "    try:\n"
        "        (load if '-True/' in path else read_hdf5)(path)\n"
        "    except CorruptFileError as error:\n"
        "        print(error)\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path), *paths], capture_output=True, text=True, timeout=60, check=False
    )
    assert (result.returncode, result.stderr) == (0, "")
    assert len(result.stdout.splitlines()) == len(paths)
    assert "MemoryError" not in result.stdout
    assert str(SECRET) not in result.stdout


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x89HDF",
        b"x" * 5000,
        b"PK\x03\x04" + bytes(100),
        b"\x89HDF\r\n\x1a\n",
        b"\x89HDF\r\n\x1a\n" + bytes(5000),
    ],
)
def test_what_is_no_hdf5(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "no.h5"
    path.write_bytes(data)
    with pytest.raises(CorruptFileError, match=r"no\.h5: (this is not an HDF5 file|the HDF5 file is damaged)"):
        read_hdf5(path)


@pytest.mark.parametrize("kind", ["empty", "garbage", "cut", "longer", "text"])
def test_a_right_first_line_over_what_is_no_whole_hdf5(tmp_path: Path, kind: str) -> None:
    good = checkpoint.save(tmp_path, 1, {"a": np.arange(1000.0)}, {}).read_bytes()[BLOCK:]
    body = {
        "empty": b"",
        "garbage": b"\x89HDF\r\n\x1a\n" + np.random.default_rng(0).bytes(5000),
        "cut": good[: len(good) // 2],
        "longer": good,
        "text": b"name: digits\n",
    }[kind]
    end = b"x" * 100 if kind == "longer" else b""
    first = header(1, len(body), hashlib.sha256(body).hexdigest())
    (tmp_path / "made.h5").write_bytes(first + body + end)
    with pytest.raises(CorruptFileError):
        checkpoint.load(tmp_path / "made.h5")


def good_file(path: Path) -> dict[str, np.ndarray[Any, Any]]:
    arrays = {
        "train/x": np.arange(600, dtype="u1").reshape(10, 60),
        "train/y": np.arange(10),
        "big_endian": np.arange(5, dtype=">f4"),
        "half": np.ones(3, "f2"),
        "flags": np.array([True, False]),
        "names": np.array([b"cat", b"dog"]),
        "scalar": np.array(3.5),
        "empty": np.zeros((0, 4)),
    }
    with h5py.File(path, "w") as file:
        for name, array in arrays.items():
            packed = {"compression": "gzip", "shuffle": True, "fletcher32": True} if array.size > 100 else {}
            file.create_dataset(name, data=array, **packed)
    return arrays


def test_good_files_come_back_whole(tmp_path: Path) -> None:
    arrays = good_file(tmp_path / "good.h5")
    for source in (tmp_path / "good.h5", str(tmp_path / "good.h5"), (tmp_path / "good.h5").read_bytes()):
        found = read_hdf5(source)
        assert set(found) == set(arrays)
        for name, array in arrays.items():
            np.testing.assert_array_equal(found[name], array)
            assert found[name].dtype == array.dtype.newbyteorder("=")
    wanted = read_hdf5(tmp_path / "good.h5", ["train/y", "names"])
    assert list(wanted) == ["train/y", "names"]


def test_only_what_is_wanted_is_looked_at(tmp_path: Path) -> None:
    path = written(external_link, tmp_path / "mixed.h5")
    with h5py.File(path, "a") as file:
        file["good/x"] = np.arange(3)
    np.testing.assert_array_equal(read_hdf5(path, ["good/x"])["good/x"], np.arange(3))
    with pytest.raises(CorruptFileError, match="is a link to another place"):
        read_hdf5(path, ["arrays/a"])


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ("train/z", r"there is no data set 'train/z'; got x, y"),
        ("valid/x", r"there is no data set 'valid/x'; got big_endian, empty"),
        ("train/x/y", r"there is no data set 'train/x/y'; got the data set train/x"),
        ("train", r"'train' is a group, not a data set; got x, y"),
        ("../good.h5", "there is no data set"),
        ("", "there is no data set"),
        ("/train/x", "there is no data set"),
    ],
)
def test_a_missing_data_set_names_those_there_are(tmp_path: Path, wanted: str, message: str) -> None:
    good_file(tmp_path / "good.h5")
    with pytest.raises(CorruptFileError, match=message):
        read_hdf5(tmp_path / "good.h5", [wanted])


def test_limits_are_the_callers(tmp_path: Path) -> None:
    good_file(tmp_path / "good.h5")
    with pytest.raises(CorruptFileError, match="type that is not read; expected numbers; got string of 3 bytes"):
        read_hdf5(tmp_path / "good.h5", limits=Limits(strings=False))
    with pytest.raises(CorruptFileError, match=r"is packed; expected fletcher32; got (gzip|shuffle)"):
        read_hdf5(tmp_path / "good.h5", limits=Limits(filters=("fletcher32",)))
    with pytest.raises(CorruptFileError, match="lies too deep"):
        read_hdf5(tmp_path / "good.h5", limits=Limits(depth=1))


def test_every_cut_of_a_file_is_an_error_or_complete(tmp_path: Path) -> None:
    arrays = good_file(tmp_path / "good.h5")
    data = (tmp_path / "good.h5").read_bytes()
    for length in range(0, len(data), 97):
        try:
            found = read_hdf5(data[:length])
        except CorruptFileError:
            continue
        assert set(found) == set(arrays)


def test_a_missing_file_is_a_storage_error(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="No such file"):
        read_hdf5(tmp_path / "absent.h5")


def test_errors_have_the_right_exit_code(tmp_path: Path) -> None:
    with pytest.raises(DltrainError) as caught:
        read_hdf5(io.BytesIO(b"x").getvalue(), where="x")
    assert caught.value.exit_code == 4
