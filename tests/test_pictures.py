"""Pictures from folders and archives: what is read of them, and what is refused."""

from __future__ import annotations

import builtins
import io
import itertools
import os
import shutil
import tarfile
import time
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from data_files import loaded
from picture_files import archive, folder, noise, packed, png
from PIL import Image, ImageFile, ImageOps

from dltrain.data import DataSet, budget, decoding, load_like
from dltrain.data.picture_files import natural
from dltrain.data.pictures import Form, decode, read_head
from dltrain.errors import ConfigError, CorruptFileError, DataError, StorageError

DATA = Path(os.environ.get("DLTRAIN_DATA", "/nowhere"))


def bytes_of(data: DataSet, part: str) -> dict[bytes, str]:
    """{pixels: label} of a part that is not prepared."""
    columns = data.parts[part].columns
    names = data.classes or []
    return {x.astype(np.uint8).tobytes(): names[y] for x, y in zip(columns["x"], columns["y"], strict=True)}


def test_a_folder_for_each_class(tmp_path: Path) -> None:
    folder(tmp_path / "set", "s2 s10 s1", channels=1)
    data = loaded({"image_folder": "set"}, tmp_path)
    assert data.classes == ["s1", "s2", "s10"] and data.shape == (6, 5, 1)
    found = {key: label for part in data.parts for key, label in bytes_of(data, part).items()}
    assert len(found) == 60
    assert all(
        found[noise(1000 * k + i, channels=1).tobytes()] == f"s{n}" for k, n in ((0, 2), (1, 10)) for i in (0, 9)
    )


def test_equal_numbers_have_one_order(tmp_path: Path) -> None:
    """Classes 01 and 1 were numbered, and their files sorted, as a set and the disk happened to bring them."""
    for names in itertools.permutations(["1", "01", "2", "001"]):
        assert sorted(names, key=natural) == ["001", "01", "1", "2"]
    folder(tmp_path / "set", "1 01 2 001", count=5)
    assert loaded({"image_folder": "set"}, tmp_path).classes == ["001", "01", "1", "2"]


@pytest.mark.parametrize(
    "names", ["train val test", "Train validation Test-images", "train_signs dev_signs test_signs"]
)
def test_folders_of_parts(names: str, tmp_path: Path) -> None:
    for k, name in enumerate(names.split()):
        folder(tmp_path / "set" / name, count=4 + k)
    data = loaded({"image_folder": "set"}, tmp_path, split=None)
    assert {part: len(examples) for part, examples in data.parts.items()} == {"train": 8, "validation": 10, "test": 12}
    expected = {noise(i).tobytes(): "cat" for i in range(4)} | {noise(1000 + i).tobytes(): "dog" for i in range(4)}
    assert bytes_of(data, "train") == expected


def test_classes_that_are_called_like_parts_stay_classes(tmp_path: Path) -> None:
    folder(tmp_path / "set", "bus car train")
    assert loaded({"image_folder": "set"}, tmp_path).classes == ["bus", "car", "train"]


def test_parts_of_their_own(tmp_path: Path) -> None:
    folder(tmp_path / "set", count=10)
    folder(tmp_path / "more", count=3)
    archive(tmp_path / "new.tgz", {f"new/{c}/{i}.png": packed(noise(i)) for c in ("cat", "dog") for i in range(2)})
    source = {"image_folder": {"path": "set", "validation_path": "more", "test_path": "new.tgz"}}
    data = loaded(source, tmp_path, split=None)
    assert {part: len(examples) for part, examples in data.parts.items()} == {"train": 20, "validation": 6, "test": 4}


def test_the_label_in_the_name(tmp_path: Path) -> None:
    members = {
        f"set/{part}_x/{i % 3}_{i} (1).jpg": packed(noise(i), "JPEG") for part in ("train", "test") for i in range(9)
    }
    archive(tmp_path / "set.tar.gz", members)
    data = loaded(
        {"image_folder": {"path": "set.tar.gz", "label": "{label}_*"}}, tmp_path, split={"random": {"validation": 3}}
    )
    assert data.classes == ["0", "1", "2"] and len(data.parts["test"]) == 9
    with pytest.raises(
        DataError, match=r"set\.tar\.gz set/test_x/0_0 \(1\)\.jpg: .*no label; expected a name like 'a\{label\}'"
    ):
        loaded({"image_folder": {"path": "set.tar.gz", "label": "a{label}"}}, tmp_path)
    with pytest.raises(ConfigError, match=r'does not say where the label is; expected "\{label\}" in it.*got \*\.png'):
        loaded({"image_folder": {"path": "set.tar.gz", "label": "*.png"}}, tmp_path)


def test_a_table_of_labels(tmp_path: Path) -> None:
    folder(tmp_path / "set", count=10)
    lines = [f"cat/{i}.png,{i * 0.5},{'test' if i < 3 else 'train'}" for i in range(10)] + ["dog/7,9,validation"]
    (tmp_path / "a.csv").write_text("\n".join(["name,age,part", *lines]) + "\n")
    options = {"path": "set", "table": "a.csv", "file": "name", "target": "age", "part": "part"}
    data = loaded({"image_folder": options}, tmp_path, needs="values", split=None)
    assert {part: len(examples) for part, examples in data.parts.items()} == {"train": 7, "validation": 1, "test": 3}
    assert data.parts["validation"].columns["x"].astype(np.uint8).tobytes() == noise(1007).tobytes()
    assert data.parts["test"].columns["y"].tolist() == [[0.0], [0.5], [1.0]]
    assert data.shape == (6, 5, 3) and data.target_names == ["age"]
    (tmp_path / "a.csv").write_text("name,age,part\ncat/0.png,1,train\ncat/77.png,1,train\n")
    with pytest.raises(
        DataError, match=r"a\.csv:3: there is no such picture; expected a file below set, such as 'cat/0"
    ):
        loaded({"image_folder": options}, tmp_path, needs="values")
    with pytest.raises(ConfigError, match="no effect beside `table`"):
        loaded({"image_folder": {**options, "label": "{label}"}}, tmp_path)


def test_a_table_names_files_as_they_lie(tmp_path: Path) -> None:
    """Below the folder that is given, or below the outer ones that all pictures share; one file for each name."""
    for outer in ("images", "images/all"):
        place = tmp_path / "set" / outer
        folder(place, count=4)
        for before in (f"{outer}/", "", "all/")[: 2 + (outer == "images/all")]:
            rows = [f"{before}cat/{i}.png,{i % 2}" for i in range(4)]
            (tmp_path / "a.csv").write_text("\n".join(["file,label", *rows]) + "\n")
            options = {"path": "set", "table": "a.csv"}
            if before == "all/":
                with pytest.raises(
                    DataError, match=r"no such picture; expected a file below set, such as 'images/all/"
                ):
                    loaded({"image_folder": options}, tmp_path)
                continue
            data = loaded({"image_folder": options}, tmp_path, split={"random": {"validation": 0, "test": 0}})
            assert len(data.parts["train"]) == 4
        shutil.rmtree(tmp_path / "set")
    folder(tmp_path / "set", count=2)
    (tmp_path / "set" / "cat" / "0.jpg").write_bytes(packed(noise(9), "JPEG"))
    (tmp_path / "a.csv").write_text("file,label\ncat/1,0\ncat/0,1\ndog/1,1\n")
    with pytest.raises(
        DataError, match=r"a\.csv:3: several pictures have this name; expected its ending too, such as '"
    ):
        loaded({"image_folder": {"path": "set", "table": "a.csv"}}, tmp_path)


@pytest.mark.parametrize("setting", [{"part": "p"}, {"file": "name"}, {"target": "age"}])
def test_columns_need_a_table(setting: dict[str, Any], tmp_path: Path) -> None:
    folder(tmp_path / "set", count=3)
    [name] = setting
    with pytest.raises(ConfigError, match=rf"{name}: .*this has no effect without `table`"):
        loaded({"image_folder": {"path": "set", **setting}}, tmp_path)


def decoded(data: bytes, **form: Any) -> np.ndarray[Any, Any]:
    """The pixels of a picture in its own size."""
    head = read_head(data, "a picture")
    plain = {"height": head.height, "width": head.width, "channels": 1 if head.grey else 3}
    return decode(data, "a picture", Form(**{**plain, **form}))


def test_pixels_are_those_of_the_file() -> None:
    for channels in (1, 3):
        pixels = noise(0, 7, 4, channels)
        for form in ("PNG", "PPM"):
            np.testing.assert_array_equal(decoded(packed(pixels, form)), pixels)
    np.testing.assert_array_equal(decoded(b"P2\n# by hand\n3 1\n255\n1 2 3\n"), [[[1], [2], [3]]])
    wide = np.array([[0, 255, 256, 65535]], np.uint16)
    stream = io.BytesIO()
    Image.fromarray(wide).save(stream, "PNG")
    np.testing.assert_array_equal(decoded(stream.getvalue())[..., 0], wide >> 8)


def test_colours_become_grey_and_back() -> None:
    pixels = noise(1)
    grey = decoded(packed(pixels), channels=1)[..., 0]
    np.testing.assert_allclose(grey, pixels @ [0.299, 0.587, 0.114], atol=1)
    np.testing.assert_array_equal(decoded(packed(grey[..., None]), channels=3), np.repeat(grey[..., None], 3, 2))


def test_transparent_pixels_lie_on_white() -> None:
    pixels = np.zeros((1, 3, 4), np.uint8)
    pixels[0, :, 3] = 0, 255, 51
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    np.testing.assert_array_equal(decoded(stream.getvalue())[0, :, 0], [255, 0, 204])


def test_a_photo_is_turned_as_its_camera_says() -> None:
    pixels = np.zeros((16, 8, 3), np.uint8)
    pixels[:8] = 255
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: its upper side is the right side of the picture
    turned = decoded(packed(pixels, "JPEG", exif=exif))
    assert turned.shape == (8, 16, 3) and turned[:, 9:].min() > 250 and turned[:, :7].max() < 5


@pytest.mark.parametrize("held", range(1, 9))
def test_all_eight_ways_to_hold_a_camera(held: int) -> None:
    """As Pillow turns them, in a head too, which decodes no pixel for it."""
    pixels, exif = noise(held, 6, 9), Image.Exif()
    exif[0x0112] = held
    data = packed(pixels, exif=exif)
    expected = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ImageFile.ImageFile, "load", lambda self: pytest.fail("a pixel was decoded"))
        assert read_head(data, "a picture")[:2] == read_head(packed(expected), "a picture")[:2] == expected.shape[:2]
    np.testing.assert_array_equal(decoded(data), expected)


def test_the_limit_of_pixels_is_the_runs_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pillow's, which is lower than one that a config may give, does not count; that of a run holds for new data."""
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    folder(tmp_path / "set", count=6)
    source: dict[str, Any] = {"path": "set", "max_pixels": 30}
    data = loaded({"image_folder": source}, tmp_path)
    assert data.shape == (6, 5, 3) and Image.MAX_IMAGE_PIXELS == 10
    kept = DataSet.from_info(data.info(), data.constants)
    (tmp_path / "a.png").write_bytes(packed(noise(0, 6, 6)))
    with pytest.raises(DataError, match=r"a\.png: the picture has too many pixels; expected at most 30; got 36"):
        load_like(tmp_path / "a.png", kept)
    with pytest.raises(DataError, match="too many pixels; expected at most 20; got 30"):
        loaded({"image_folder": source | {"max_pixels": 20}}, tmp_path)


def test_heads_are_read_where_they_are_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder(tmp_path / "set", count=6)
    monkeypatch.setattr(decoding, "read_head", lambda *a: pytest.fail("a head was read for nothing"))
    data = loaded({"image_folder": {"path": "set", "size": 4, "color_mode": "rgb"}}, tmp_path)
    assert data.shape == (4, 4, 3)


@pytest.mark.parametrize("resize", ["crop", "pad", "stretch"])
def test_another_size(resize: Any, tmp_path: Path) -> None:
    """A picture 40 high and 20 wide whose upper and lower quarters are black."""
    pixels = np.full((40, 20, 1), 100, np.uint8)
    pixels[:10] = pixels[30:] = 0
    found = decoded(packed(pixels), height=20, width=20, resize=resize)[..., 0]
    assert found.shape == (20, 20) and found[10, 10] == 100
    assert found[10, 0] == (0 if resize == "pad" else 100)  # beside the picture
    assert found[1, 10] == (100 if resize == "crop" else 0)  # the black quarters are cut off
    folder(tmp_path / "set2", count=6, height=9, width=4)
    data = loaded(
        {"image_folder": {"path": "set2", "size": [4, 3], "color_mode": "grayscale", "resize": resize}}, tmp_path
    )
    assert data.shape == (4, 3, 1) and data.layout["pictures"] == {
        "size": [4, 3],
        "channels": 1,
        "resize": resize,
        "max_pixels": 50_000_000,
        "cut": resize != "stretch",
    }


def test_new_pictures_for_a_run(tmp_path: Path) -> None:
    folder(tmp_path / "set", count=8)
    data = loaded({"image_folder": "set"}, tmp_path, prepare=[{"scale": 255}])
    kept = DataSet.from_info(data.info(), data.constants)
    examples = load_like(tmp_path / "set", kept, target=True)
    np.testing.assert_array_equal(examples.columns["y"], np.repeat([0, 1], 8))
    np.testing.assert_allclose(examples.columns["x"][3], noise(3) / 255, rtol=1e-6)
    one = load_like(tmp_path / "set" / "dog" / "5.png", kept)
    np.testing.assert_allclose(one.columns["x"], noise(1005)[None] / 255, rtol=1e-6)
    (tmp_path / "big.png").write_bytes(packed(noise(3, 60, 80)))
    assert load_like(tmp_path / "big.png", kept).columns["x"].shape == (1, 6, 5, 3)
    folder(tmp_path / "only", "dog", count=2)
    assert load_like(tmp_path / "only", kept, target=True).columns["y"].tolist() == [1, 1]
    folder(tmp_path / "wrong", "cow dog", count=2)
    with pytest.raises(DataError, match=r"wrong/cow/0.png.*not one of the classes; expected cat, dog; got 'cow'"):
        load_like(tmp_path / "wrong", kept, target=True)
    with pytest.raises(DataError, match="lies in no folder of a class"):
        load_like(tmp_path / "big.png", kept, target=True)
    with pytest.raises(DataError, match="the run's data are no pictures"):
        load_like(tmp_path / "big.png", loaded({"npz": arrays_file(tmp_path)}, tmp_path))


@pytest.mark.parametrize("resize", ["crop", "pad", "stretch"])
def test_new_pictures_are_resized_as_the_runs_were(resize: Any, tmp_path: Path) -> None:
    folder(tmp_path / "set", count=6, height=8, width=8)
    data = loaded({"image_folder": {"path": "set", "size": 8, "resize": resize}}, tmp_path)
    kept = DataSet.from_info(data.info(), data.constants)
    wide = noise(3, 8, 16)
    (tmp_path / "wide.png").write_bytes(packed(wide))
    found = load_like(tmp_path / "wide.png", kept).columns["x"][0]
    np.testing.assert_array_equal(found, decode(packed(wide), "wide", Form(8, 8, 3, resize)))
    assert (found[:2] == 0).all() == (resize == "pad")
    assert (found == wide[:, 4:12]).all() == (resize == "crop")


def test_one_part_of_a_set_is_evaluated(tmp_path: Path) -> None:
    for part in ("train", "test"):
        folder(tmp_path / "set" / part, count=6)
    data = loaded({"image_folder": "set"}, tmp_path)
    kept = DataSet.from_info(data.info(), data.constants)
    said = (
        r"set: the folders are the parts of a set; expected a folder for each class; got test, train; name one part, "
    )
    with pytest.raises(DataError, match=said + r"such as .*set/test"):
        load_like(tmp_path / "set", kept, target=True)
    assert len(load_like(tmp_path / "set" / "test", kept, target=True)) == 12
    assert len(load_like(tmp_path / "set", kept)) == 24  # to predict, all will do


def arrays_file(path: Path) -> str:
    np.savez(path / "a.npz", x=np.arange(80.0).reshape(40, 2), y=np.arange(40) % 2)
    return "a.npz"


GOOD = packed(noise(0))
BAD: dict[str, tuple[bytes, str]] = {
    "empty": (b"", r"x\.png: the file is empty"),
    "text": (b"hello", r"x\.png: this is no picture; expected a PNG, JPEG, PGM or PPM file; got b'hello'"),
    "cut off": (GOOD[:-30], r"x\.png: the picture is damaged"),
    "damaged": (GOOD[:60] + bytes(10) + GOOD[70:], r"x\.png: the picture is damaged"),
    "no pixels": (GOOD[:33], r"x\.png: this is no picture; .* got b'.x89PNG"),
    "another format": (packed(noise(0), "GIF"), r"x\.png: this is no picture.*GIF"),
    "another size": (
        packed(noise(0, 5, 5)),
        r"x\.png: pictures differ in size; expected 6 × 5 as in .*; got 5 × 5; .*size",
    ),
    "bomb of pixels": (png(60_000, 60_000), r"x\.png: the picture has too many pixels; expected at most 50,000,000"),
    "large": (png(10_000, 10_000), r"x\.png: the picture has too many pixels; .* got 100,000,000; .*max_pixels"),
    "declared too much": (png(6, 5), r"x\.png: (the picture is damaged|pictures differ)"),
    "text in a PGM": (b"P5 6 x 255 ", r"x\.png: the picture is damaged"),
    "PGM cut off": (b"P6 5 6 255 abc", r"x\.png: the picture is damaged"),
    "huge PGM": (b"P5 999999999 999999999 255 ", r"x\.png: the picture has too many pixels"),
    "negative PGM": (b"P5 -5 -6 255 ", r"x\.png: this is no picture"),
}


@pytest.mark.parametrize("packing", ["folder", "archive"])
@pytest.mark.parametrize("name", BAD)
def test_bad_pictures_are_refused(name: str, packing: str, tmp_path: Path) -> None:
    content, said = BAD[name]
    files = {f"set/{c}/{i}.png": packed(noise(i)) for c in ("cat", "dog") for i in range(9)} | {
        "set/dog/x.png": content
    }
    if packing == "archive":
        archive(tmp_path / "set.tar.gz", files)
    else:
        for file, data in files.items():
            (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / file).write_bytes(data)
    tracemalloc.start()
    start = time.monotonic()
    with pytest.raises((DataError, CorruptFileError), match=said) as caught:
        loaded({"image_folder": "set.tar.gz" if packing == "archive" else "set"}, tmp_path)
    assert "\n" not in str(caught.value) and time.monotonic() - start < 2
    assert tracemalloc.get_traced_memory()[1] < 1 << 26
    tracemalloc.stop()


@pytest.mark.parametrize("form", ["PNG", "JPEG", "PPM"])
def test_damaged_pictures_never_crash(form: str) -> None:
    good, draw = packed(noise(0, 20, 20), form), np.random.default_rng(0)
    for _ in range(300):
        damaged = bytearray(good)
        for place in draw.integers(0, len(good), draw.integers(1, 4)):
            damaged[place] = draw.integers(256)
        try:
            found = decode(bytes(damaged[: draw.integers(len(good) // 2, len(good) + 1)]), "x", Form(20, 20, 3))
            assert found.shape == (20, 20, 3)
        except (DataError, CorruptFileError) as error:
            assert "\n" not in str(error)


def test_bad_folders_are_refused(tmp_path: Path) -> None:
    folder(tmp_path / "set", count=3)
    (tmp_path / "set" / "bird").mkdir()
    with pytest.raises(DataError, match=r"set: the class has no picture; expected at least one; got 'bird'"):
        loaded({"image_folder": "set"}, tmp_path)
    (tmp_path / "set" / "bird").rmdir()
    (tmp_path / "set" / "lone.png").write_bytes(GOOD)
    with pytest.raises(DataError, match=r"lone\.png: the picture lies in no folder of a class.*say where the label is"):
        loaded({"image_folder": "set"}, tmp_path)
    (tmp_path / "none").mkdir()
    with pytest.raises(DataError, match=r"none: there is no picture; expected files such as \.png"):
        loaded({"image_folder": "none"}, tmp_path)
    with pytest.raises(ConfigError, match="there is no such data file"):
        loaded({"image_folder": "nowhere"}, tmp_path)
    with pytest.raises(ConfigError, match="must stay inside its folder"):
        loaded({"image_folder": "../set"}, tmp_path)
    with pytest.raises(ConfigError, match="a size has a height and a width"):
        loaded({"image_folder": {"path": "set", "size": [4, 4, 3]}}, tmp_path)
    with pytest.raises(DataError, match="do not fit into the memory; expected at most .* GiB"):
        loaded({"image_folder": {"path": "set", "size": 1_000_000, "label": "{label}.*"}}, tmp_path)
    folder(tmp_path / "parts" / "train")
    folder(tmp_path / "parts" / "test")
    with pytest.raises(ConfigError, match="test_path: this has no effect: parts brings its own test part"):
        loaded({"image_folder": {"path": "parts", "test_path": "set"}}, tmp_path)


def test_memory_is_counted_by_the_type_of_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bytes of the pictures, of their parts, and as float32 or float64; against what the machine can still give."""
    folder(tmp_path / "set", count=10)
    values = 20 * 6 * 5 * 3
    for there, dtype, fits in (
        (6, "float32", True),
        (6, "float64", False),
        (9, "float64", True),
        (5, "float32", False),
    ):
        monkeypatch.setattr(budget, "available", lambda there=there: there * values)
        if fits:
            assert loaded({"image_folder": "set"}, tmp_path, dtype=dtype).shape == (6, 5, 3)
            continue
        with pytest.raises(DataError, match="set: the data do not fit into the memory; expected at most .*; got .*; "):
            loaded({"image_folder": "set"}, tmp_path, dtype=dtype)


def test_links_lead_nowhere(tmp_path: Path) -> None:
    folder(tmp_path / "set", count=3)
    (tmp_path / "secret.png").write_bytes(GOOD)
    (tmp_path / "set" / "cat" / "link.png").symlink_to(tmp_path / "secret.png")
    with pytest.raises(DataError, match="a link leads out of the data folder"):
        loaded({"image_folder": "set"}, tmp_path)


def test_archives_hold_no_links_and_no_ways_out(tmp_path: Path) -> None:
    files = {f"set/{c}/{i}.png": packed(noise(i)) for c in ("cat", "dog") for i in range(9)}
    archive(tmp_path / "set.tar.gz", files)
    plain = loaded({"image_folder": "set.tar.gz"}, tmp_path)
    with tarfile.open(tmp_path / "linked.tar.gz", "w:gz") as tar:
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE):
            info = tarfile.TarInfo("set/cat/z.png")
            info.type, info.linkname = kind, "/etc/passwd"
            tar.addfile(info)
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    assert loaded({"image_folder": "linked.tar.gz"}, tmp_path).fingerprint == plain.fingerprint
    for name in ("../x/cat/1.png", "/x/cat/1.png", "set/cat/\x1b[1m.png"):
        archive(tmp_path / "out.tar.gz", {**files, name: GOOD})
        with pytest.raises(CorruptFileError, match="a name that leads out of it, or cannot be shown") as caught:
            loaded({"image_folder": "out.tar.gz"}, tmp_path)
        assert "\x1b" not in str(caught.value)
    content = (tmp_path / "set.tar.gz").read_bytes()
    (tmp_path / "cut.tar.gz").write_bytes(content[: len(content) // 2])
    with pytest.raises(CorruptFileError, match=r"cut\.tar\.gz"):
        loaded({"image_folder": "cut.tar.gz"}, tmp_path)


def test_an_archive_is_as_deep_as_a_folder_may_be(tmp_path: Path) -> None:
    """A call for each outer folder that all pictures share ended in Python's limit of calls."""
    for depth in (8, 9, 1500):
        outer = "/".join("a" * (depth - 1))
        archive(tmp_path / "set.tar", {f"{outer}/{c}/{i}.png": packed(noise(i)) for c in "bc" for i in range(9)})
        if depth == 8:
            assert loaded({"image_folder": "set.tar"}, tmp_path).classes == ["b", "c"]
            continue
        said = rf"set\.tar a/a/.*lies too deep; expected at most 8 folders around it; got {depth}"
        with pytest.raises(CorruptFileError, match=said):
            loaded({"image_folder": "set.tar"}, tmp_path)


def test_without_pillow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder(tmp_path / "set", count=3)
    real = builtins.__import__

    def absent(name: str, *rest: Any) -> Any:
        if name.partition(".")[0] == "PIL":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", absent)
    with pytest.raises(
        StorageError, match=r'Pillow, which is absent; install it with `pip install "dltrain\[images\]"`'
    ):
        loaded({"image_folder": "set"}, tmp_path)


@pytest.mark.skipif(not (DATA / "signs").is_dir(), reason="$DLTRAIN_DATA has no pictures")
def test_real_sets() -> None:
    signs = loaded({"image_folder": {"path": "signs/64x64_SIGNS.tar.gz", "label": "{label}_*"}}, Path(), split=None)
    assert {part: len(examples) for part, examples in signs.parts.items()} == {
        "train": 864,
        "validation": 216,
        "test": 120,
    }
    assert signs.shape == (64, 64, 3) and signs.classes == list("012345")
    faces = loaded({"image_folder": "orl-faces/att_faces.tar.gz"}, Path(), split="stratified")
    assert faces.shape == (112, 92, 1) and faces.classes == [f"s{k}" for k in range(1, 41)]
