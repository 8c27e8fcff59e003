"""The sources: embedded sets equal scikit-learn's, files give what is stored in them, formulas hold."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from data_files import arrays, idx, images, loaded, npy, npz

from dltrain.data import DataFolders, Pool, embedded
from dltrain.errors import DataError
from dltrain.registry import create, entries

NOWHERE = DataFolders(None)


def pool(spec: Any, folder: Path | None = None) -> Pool:
    found = create("source", spec).load(NOWHERE if folder is None else DataFolders(folder))
    assert isinstance(found, Pool)
    return found


@pytest.mark.parametrize("name", ["digits", "iris", "wine", "breast_cancer", "diabetes", "linnerud"])
def test_embedded_sets_equal_scikit_learns(name: str) -> None:
    datasets = importlib.import_module("sklearn.datasets")
    options = {"scaled": False} if name == "diabetes" else {}
    theirs, ours = getattr(datasets, f"load_{name}")(**options), pool(name)
    np.testing.assert_array_equal(ours.columns["x"], theirs.data)
    np.testing.assert_array_equal(ours.columns["y"], theirs.target)
    assert ours.feature_names == [str(n) for n in theirs.feature_names]
    if ours.classes is not None:
        assert ours.classes == [str(n) for n in theirs.target_names]


@pytest.mark.parametrize("name", ["digits", "iris", "wine", "breast_cancer", "diabetes", "linnerud"])
def test_embedded_sets_are_found_where_the_files_moved(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = pool(name)
    monkeypatch.setattr(Path, "is_file", lambda self: False)
    found = pool(name)
    for column in ("x", "y"):
        np.testing.assert_array_equal(found.columns[column], expected.columns[column])


def test_absent_scikit_learn_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(DataError, match="pip install scikit-learn"):
        pool("iris")


def test_embedded_sets_do_not_import_scikit_learn() -> None:
    code = (
        "import sys; from dltrain.data import DataFolders; from dltrain.registry import create;"
        "create('source', 'digits').load(DataFolders(None)); print('sklearn' in sys.modules, 'h5py' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]


def test_digits_as_images() -> None:
    flat, square = pool("digits").columns["x"], pool({"digits": {"images": True}}).columns["x"]
    assert square.shape == (1797, 8, 8, 1)
    np.testing.assert_array_equal(square.reshape(-1, 64), flat)


@pytest.mark.parametrize("name", ["moons", "circles", "spirals"])
def test_synthetic_sets(name: str) -> None:
    plain, again = pool({name: {"samples": 101}}), pool({name: {"samples": 101}})
    other, exact = pool({name: {"samples": 101, "seed": 1}}), pool({name: {"samples": 101, "noise": 0}})
    x, y = plain.columns["x"], plain.columns["y"]
    assert x.shape == (101, 2) and len(y) == 101
    counts = np.bincount(y)
    assert counts.max() - counts.min() <= 1 and len(counts) == len(plain.classes or [])
    np.testing.assert_array_equal(x, again.columns["x"])
    assert not np.array_equal(x, other.columns["x"])
    deviation = (x - exact.columns["x"]).std()
    assert deviation == pytest.approx({"moons": 0.1, "circles": 0.1, "spirals": 0.02}[name], rel=0.2)


def test_synthetic_shapes_are_what_the_formulas_say() -> None:
    rings = pool({"circles": {"noise": 0, "factor": 0.25}})
    np.testing.assert_allclose(
        np.linalg.norm(rings.columns["x"], axis=1), np.where(rings.columns["y"] == 0, 1, 0.25), rtol=1e-12
    )
    arms = pool({"spirals": {"noise": 0, "classes": 4, "turns": 2, "samples": 400}})
    x, y = arms.columns["x"], arms.columns["y"]
    radius = np.linalg.norm(x, axis=1)
    angle = np.arctan2(x[:, 1], x[:, 0]) - 2 * np.pi * (y / 4 + 2 * radius)
    np.testing.assert_allclose(np.cos(angle)[radius > 0], 1, atol=1e-9)
    moons = pool({"moons": {"noise": 0}})
    upper = moons.columns["x"][moons.columns["y"] == 0]
    np.testing.assert_allclose(np.linalg.norm(upper, axis=1), 1)
    lower = moons.columns["x"][moons.columns["y"] == 1]
    np.testing.assert_allclose(np.linalg.norm(lower - [1, 0.5], axis=1), 1)


def test_csv_columns_by_name_and_position(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("id,a,colour,b\n" + "".join(f"{i},{i}.5,{'gr'[i % 2]},{-i}\n" for i in range(20)))
    by_name = pool({"csv": {"path": "t.csv", "target": "colour", "features": ["b", "a"]}}, tmp_path)
    by_position = pool({"csv": {"path": "t.csv", "target": 2, "features": [-1, 1]}}, tmp_path)
    assert by_name.feature_names == by_position.feature_names == ["b", "a"]
    np.testing.assert_array_equal(by_name.columns["x"], [[-i, i + 0.5] for i in range(20)])
    np.testing.assert_array_equal(by_name.columns["x"], by_position.columns["x"])
    assert by_name.columns["y"][:3].tolist() == ["g", "r", "g"]
    assert by_name.place(4) == f"{tmp_path / 't.csv'}:6"
    data = loaded({"csv": {"path": "t.csv", "target": "colour", "classes": ["r", "g"]}}, tmp_path)
    assert data.classes == ["r", "g"] and data.feature_names == ["id", "a", "b"]
    everything = np.concatenate([part.columns["y"][np.argsort(part.ids)] for part in data.parts.values()])
    ids = np.concatenate([np.sort(part.ids) for part in data.parts.values()])
    np.testing.assert_array_equal(everything, 1 - ids % 2)


def test_csv_with_several_targets_and_a_test_file(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text("a,b,c,d\n" + "".join(f"{i},{i + 1},{i + 2},{i + 3}\n" for i in range(20)))
    (tmp_path / "test.csv").write_text("d,c,b,a\n3,2,1,0\n4,3,2,1\n")
    source = {"csv": {"path": "train.csv", "target": ["d", "b"], "test_path": "test.csv"}}
    data = loaded(source, tmp_path, needs="values")
    assert data.target_names == ["d", "b"] and data.feature_names == ["a", "c"]
    assert {part: len(examples) for part, examples in data.parts.items()} == {"train": 17, "validation": 3, "test": 2}
    np.testing.assert_array_equal(data.parts["test"].columns["x"], [[0, 2], [1, 3]])
    np.testing.assert_array_equal(data.parts["test"].columns["y"], [[3, 1], [4, 2]])
    assert data.parts["test"].ids.tolist() == [20, 21]


def test_csv_labels_listed_as_classes(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("".join(f"{i},{[1, 2, -1][i % 3]}\n" for i in range(30)))
    data = loaded({"csv": {"path": "t.csv", "classes": [-1, 1, 2]}}, tmp_path)
    assert data.classes == ["-1", "1", "2"]
    part = data.parts["train"]
    np.testing.assert_array_equal(part.columns["y"], np.array([1, 2, 0])[part.ids % 3])


def test_npz_and_hdf5_give_the_same(tmp_path: Path) -> None:
    import h5py

    stored = arrays()
    np.savez(
        tmp_path / "a.npz", features=stored["x"], labels=stored["y"], more=stored["x"][:8], and_more=stored["y"][:8]
    )
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["features"], file["labels"] = stored["x"], stored["y"]
        file["test/x"], file["test/y"] = stored["x"][:8], stored["y"][:8]
        file["names"] = np.array([b"even", b"odd"])
    names = {"x": "features", "y": "labels"}
    first = loaded({"npz": {"path": "a.npz", **names, "x_test": "more", "y_test": "and_more"}}, tmp_path)
    second = loaded(
        {"hdf5": {"path": "a.h5", **names, "x_test": "test/x", "y_test": "test/y", "classes": "names"}}, tmp_path
    )
    assert first.fingerprint == second.fingerprint
    assert first.classes == ["0", "1"] and second.classes == ["even", "odd"]
    assert len(first.parts["test"]) == 8 and first.parts["test"].ids.tolist() == list(range(40, 48))
    np.testing.assert_array_equal(first.parts["train"].columns["x"], second.parts["train"].columns["x"])


def test_test_parts_in_files_of_their_own(tmp_path: Path) -> None:
    stored = arrays()
    np.savez(tmp_path / "train.npz", **stored)
    np.savez(tmp_path / "test.npz", x=stored["x"][:5], y=stored["y"][:5])
    data = loaded({"npz": {"path": "train.npz", "test_path": "test.npz"}}, tmp_path, split="stratified")
    assert {part: len(examples) for part, examples in data.parts.items()} == {"train": 34, "validation": 6, "test": 5}
    np.savez(tmp_path / "test.npz", x=stored["x"][:5, :2], y=stored["y"][:5])
    with pytest.raises(DataError, match=r"test\.npz: the features of the test part.*\(3,\).*\(2,\)"):
        loaded({"npz": {"path": "train.npz", "test_path": "test.npz"}}, tmp_path)


@pytest.mark.parametrize("dtype", ["<f4", ">f8", "<i2", ">u4", "?", "|S3", "<U5", "<f2"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_numpy_arrays_of_every_type_are_read_right(dtype: str, order: Any, tmp_path: Path) -> None:
    from dltrain.data.arrays import read_npy, read_npz

    array = np.asarray(np.arange(24).reshape(2, 3, 4) % 5, order=order).astype(dtype)
    (tmp_path / "a.npy").write_bytes(npy(array))
    np.testing.assert_array_equal(read_npy(tmp_path / "a.npy"), array)
    assert read_npy(tmp_path / "a.npy").dtype.isnative
    (tmp_path / "a.npz").write_bytes(npz({"a": npy(array, version=(2, 0)), "b": npy(array[:0])}))
    found = read_npz(tmp_path / "a.npz")
    np.testing.assert_array_equal(found["a"], array)
    assert found["b"].shape == (0, 3, 4)


@pytest.mark.parametrize("code", [0x08, 0x09, 0x0B, 0x0C, 0x0D, 0x0E])
def test_idx_of_every_type(code: int, tmp_path: Path) -> None:
    pictures = images() % 100
    (tmp_path / "images").write_bytes(idx(pictures, code))
    (tmp_path / "labels").write_bytes(idx(np.arange(40) % 2))
    found = pool({"idx": {"images": "images", "labels": "labels"}}, tmp_path)
    np.testing.assert_array_equal(found.columns["x"], pictures[..., None])
    assert found.columns["x"].dtype.isnative


def test_the_first_folder_that_has_a_file_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for place in ("config", "work/data", "variable"):
        (tmp_path / place).mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setenv("DLTRAIN_DATA", str(tmp_path / "variable"))
    folders = DataFolders(tmp_path / "config")
    for place in ("variable", "work/data", "config"):
        (tmp_path / place / "a.csv").write_text(place)
        assert folders.find("a.csv").read_text() == place


def test_cat_pictures(data_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = {
        "hdf5": {
            "path": "catvnoncat/train_catvnoncat.h5",
            "x": "train_set_x",
            "y": "train_set_y",
            "test_path": "catvnoncat/test_catvnoncat.h5",
            "x_test": "test_set_x",
            "y_test": "test_set_y",
            "classes": "list_classes",
        }
    }
    data = loaded(source, data_folder, needs="binary", split="stratified", prepare=[{"scale": 255}])
    assert data.shape == (64, 64, 3) and data.classes == ["non-cat", "cat"]
    assert [len(data.parts[part]) for part in ("train", "validation", "test")] == [178, 31, 50]
    assert data.parts["train"].columns["x"].max() == 1


def test_california_housing_names_its_first_missing_value(data_folder: Path) -> None:
    features = ["longitude", "latitude", "total_bedrooms"]
    source = {
        "csv": {"path": "california-housing/housing.csv.gz", "target": "median_house_value", "features": features}
    }
    with pytest.raises(DataError, match=r"housing\.csv\.gz:184, 'total_bedrooms': a value is missing"):
        loaded(source, data_folder, needs="values")


def test_every_source_says_what_it_is() -> None:
    for entry in entries("source").values():
        assert entry.summary and all(argument.summary for argument in entry.arguments), entry.name
