"""Splits, preparation, loader, new data for a run, descriptions."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import yaml
from data_files import arrays, csv_text, loaded, npy

from dltrain import config
from dltrain.data import DataFolders, DataSet, Examples, Loader, catalog, describe, load_like, pipeline, show
from dltrain.data.examples import CHUNK
from dltrain.errors import ConfigError, CorruptFileError, DataError
from dltrain.kernels import select
from dltrain.registry import entries

NOWHERE = Path("nowhere")
PARTS = ("train", "validation", "test")


def ids_of(data: DataSet) -> np.ndarray[Any, Any]:
    return np.concatenate([data.parts[part].ids for part in PARTS])


@pytest.mark.parametrize("split", ["random", "stratified"])
@pytest.mark.parametrize("sizes", [(0.15, 0.15), (0.1, 0.3), (100, 50), (1, 0.5)])
def test_splits_are_whole_and_seeded(split: str, sizes: tuple[float, float]) -> None:
    spec = {split: {"validation": sizes[0], "test": sizes[1]}}
    if split == "stratified" and sizes[0] == 1:
        spec = {split: {"validation": 10, "test": 0.5}}
    first, again, other = (loaded("digits", NOWHERE, split=spec, seed=seed) for seed in (3, 3, 4))
    np.testing.assert_array_equal(np.sort(ids_of(first)), np.arange(1797))
    np.testing.assert_array_equal(ids_of(first), ids_of(again))
    assert not np.array_equal(ids_of(first), ids_of(other))
    for part, size in zip(("validation", "test"), spec[split].values(), strict=True):
        assert len(first.parts[part]) == (size if size >= 1 else int(size * 1797 + 0.5))
    for part in PARTS:
        assert (np.diff(first.parts[part].ids) > 0).all()


def test_stratified_parts_have_the_shares_of_the_classes() -> None:
    data = loaded("breast_cancer", NOWHERE, split={"stratified": {"validation": 0.2, "test": 0.1}})
    shares = np.array([np.bincount(data.parts[part].columns["y"]) / len(data.parts[part]) for part in PARTS])
    assert np.ptp(shares, axis=0).max() < 0.01


def test_every_class_is_in_every_stratified_part(tmp_path: Path) -> None:
    labels = np.repeat([0, 1, 2], [200, 3, 3])
    np.savez(tmp_path / "a.npz", x=np.arange(206.0), y=labels)
    data = loaded({"npz": "a.npz"}, tmp_path, split={"stratified": {"validation": 0.02, "test": 0.02}})
    assert all(len(np.unique(data.parts[part].columns["y"])) == 3 for part in PARTS)


def test_a_test_share_beside_the_sources_own_test_part_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", **arrays(), **{f"{name}_test": a for name, a in arrays(10).items()})
    source = {"npz": {"path": "a.npz", "x_test": "x_test", "y_test": "y_test"}}
    with pytest.raises(ConfigError, match="no effect") as caught:
        loaded(source, tmp_path, split={"random": {"test": 0.2}})
    assert caught.value.problems[0].path == ("data", "split", "random", "test")


def test_standardize_is_fitted_on_the_training_part_only() -> None:
    raw, ready = (
        loaded("wine", NOWHERE, dtype="float64"),
        loaded("wine", NOWHERE, dtype="float64", prepare=["standardize"]),
    )
    train = raw.parts["train"].columns["x"]
    for part in PARTS:
        expected = (raw.parts[part].columns["x"] - train.mean(0)) / train.std(0)
        np.testing.assert_allclose(ready.parts[part].columns["x"], expected, rtol=1e-12, atol=1e-12)
    assert raw.fingerprint == ready.fingerprint


def test_constant_features_become_zero() -> None:
    data = loaded("digits", NOWHERE, prepare=["standardize"])
    deviation = data.constants["0.standardize.deviation"]
    x = data.parts["train"].columns["x"]
    constant = np.ptp(loaded("digits", NOWHERE).parts["train"].columns["x"], axis=0) == 0
    assert constant.any() and (deviation[constant] == 1).all() and (x[:, constant] == 0).all()


def test_a_constant_that_rounds_is_still_constant(tmp_path: Path) -> None:
    x = np.stack([np.full(3000, 0.1), np.full(3000, 1e6 + 0.1), np.arange(3000.0)], axis=1)
    np.savez(tmp_path / "a.npz", x=x, y=np.arange(3000) % 2)
    data = loaded({"npz": "a.npz"}, tmp_path, prepare=["standardize"])
    assert np.abs(data.parts["train"].columns["x"][:, :2]).max() < 1e-6


@pytest.mark.parametrize("axis, shape", [("feature", (8, 8, 1)), ("channel", (1,)), ("all", ())])
def test_axes_of_standardize(axis: str, shape: tuple[int, ...]) -> None:
    data = loaded({"digits": {"images": True}}, NOWHERE, prepare=[{"standardize": axis}], dtype="float64")
    assert data.constants["0.standardize.mean"].shape == shape
    x = data.parts["train"].columns["x"]
    assert x.mean() == pytest.approx(0, abs=1e-12)
    assert axis == "feature" or x.std() == pytest.approx(1)


@pytest.mark.parametrize("spec, by", [("scale", 16.0), ({"scale": 255}, 255.0)])
def test_scale(spec: Any, by: float) -> None:
    raw, ready = loaded("digits", NOWHERE), loaded("digits", NOWHERE, prepare=[spec])
    for part in PARTS:
        np.testing.assert_array_equal(ready.parts[part].columns["x"], raw.parts[part].columns["x"] / np.float32(by))


def test_preparations_follow_each_other() -> None:
    data = loaded("iris", NOWHERE, prepare=[{"scale": 10}, "standardize", {"scale": 2}], dtype="float64")
    alone = loaded("iris", NOWHERE, prepare=["standardize"], dtype="float64")
    np.testing.assert_allclose(
        data.parts["test"].columns["x"] * 2, alone.parts["test"].columns["x"], rtol=1e-12, atol=1e-12
    )
    assert list(data.constants) == ["0.scale.by", "1.standardize.mean", "1.standardize.deviation", "2.scale.by"]


def test_statistics_of_a_million_far_from_zero() -> None:
    x = (100 + np.random.default_rng(0).standard_normal((1_000_000, 1))).astype(np.float32)
    fitted = pipeline.fit(["standardize"], Examples({"x": x}, np.arange(len(x))))
    exact = x.astype(np.float64)
    assert fitted["0.standardize.deviation"][0] == pytest.approx(exact.std(), rel=1e-12)


def test_preparing_changes_no_input() -> None:
    x = np.arange(CHUNK * 2.5)[:, None]
    before = x.copy()
    x.flags.writeable = False
    examples = Examples({"x": x}, np.arange(len(x)))
    constants = pipeline.fit(["scale", "standardize"], examples)
    pipeline.apply(["scale", "standardize"], constants, examples, "float64")
    np.testing.assert_array_equal(x, before)


def loader(count: int = 10, batch: int = 4, **options: Any) -> Loader:
    x = np.arange(count * 6, dtype=np.float32).reshape(count, 2, 3)
    examples = Examples({"x": x, "y": np.arange(count)}, np.arange(100, 100 + count))
    return Loader(examples, batch, **{"shuffle": True, "seed": 5, **options})


def test_batches_are_a_pure_function_of_epoch_and_index() -> None:
    forward, backward = loader(), loader()
    seen = {(e, i): forward.batch(e, i).ids.copy() for e in range(3) for i in range(forward.steps_per_epoch)}
    for (epoch, index), ids in reversed(seen.items()):
        batch = backward.batch(epoch, index)
        np.testing.assert_array_equal(batch.ids, ids)
        np.testing.assert_array_equal(batch.target, ids - 100)
        np.testing.assert_array_equal(batch.inputs["x"], forward.examples.columns["x"][ids - 100])
        assert (batch.epoch, batch.index, len(batch)) == (epoch, index, len(ids))
    for epoch in range(3):
        whole = np.concatenate([seen[epoch, i] for i in range(3)])
        np.testing.assert_array_equal(np.sort(whole), np.arange(100, 110))
    assert [len(seen[0, i]) for i in range(3)] == [4, 4, 2]
    assert not np.array_equal(seen[0, 0], seen[1, 0])
    assert not np.array_equal(loader(seed=6).batch(0, 0).ids, seen[0, 0])


@pytest.mark.parametrize("implementation", ["reference", "auto"])
def test_kernels_gather_the_same(implementation: str) -> None:
    plain, fast = loader(), loader()
    kernels = select(implementation)(fast.examples.columns["x"])
    for index in range(3):
        a, b = plain.batch(1, index), fast.batch(1, index, kernels)
        np.testing.assert_array_equal(a.inputs["x"], b.inputs["x"])
        np.testing.assert_array_equal(a.target, b.target)


def test_batches_in_order_are_views() -> None:
    plain = loader(shuffle=False)
    batch = plain.batch(7, 2)
    assert np.shares_memory(batch.inputs["x"], plain.examples.columns["x"])
    assert batch.ids.tolist() == [108, 109]


def test_batch_limits() -> None:
    assert loader(batch=100).steps_per_epoch == 1 and len(loader(batch=100).batch(0, 0)) == 10
    for index in (-1, 3):
        with pytest.raises(IndexError):
            loader().batch(0, index)
    with pytest.raises(DataError, match="no examples"):
        Loader(Examples({"x": np.empty((0, 2)), "y": np.empty(0)}, np.empty(0, int)), 4, shuffle=False, seed=0)


def test_columns_for_several_wires() -> None:
    columns = {"left": np.arange(6.0)[:, None], "right": np.arange(6)[:, None], "label": np.arange(6)}
    found = Loader(
        Examples(columns, np.arange(6)), 3, shuffle=True, seed=0, inputs={"a": "left", "b": "right"}, target="label"
    ).batch(0, 0)
    np.testing.assert_array_equal(found.inputs["a"][:, 0], found.target)
    assert found.inputs["b"].dtype == np.int64


def stored(data: DataSet) -> DataSet:
    """What a run still knows of its data."""
    return DataSet.from_info(data.info(), data.constants)


def test_new_tables_are_treated_like_the_runs_own(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(csv_text(header="first,second,label\n", line="{i}.5,{j},c{k}\n"))
    data = loaded({"csv": "a.csv"}, tmp_path, prepare=["standardize"])
    again = load_like(tmp_path / "a.csv", stored(data), target=True)
    for part in PARTS:
        ids = data.parts[part].ids
        for column in ("x", "y"):
            np.testing.assert_array_equal(again.columns[column][ids], data.parts[part].columns[column])
    turned = "extra,label,second,first\n" + "".join(f"0,c{i % 2},{i * i % 7},{i}.5\n" for i in range(40))
    (tmp_path / "turned.csv").write_text(turned)
    found = load_like(tmp_path / "turned.csv", stored(data), target=True)
    np.testing.assert_array_equal(found.columns["x"], again.columns["x"])
    np.testing.assert_array_equal(found.columns["y"], again.columns["y"])
    (tmp_path / "bare.csv").write_text("".join(f"{i}.5,{i * i % 7}\n" for i in range(40)))
    bare = load_like(tmp_path / "bare.csv", stored(data))
    np.testing.assert_array_equal(bare.columns["x"], again.columns["x"])
    assert "y" not in bare.columns


NEW = {
    "no targets": ("first,second\n1,2\n", True, "no targets.*'label'"),
    "column missing": (
        "first,label\n1,c0\n",
        False,
        "the column 'second' is missing; expected 'second' in the header; got the columns 'first', 'label'; rename",
    ),
    "too wide": ("1,2,3,4\n", False, "expected 2 features, or 3 columns; got 4"),
    "unknown class": ("first,second,label\n1,2,c7\n", True, "n.csv:2.*c0, c1.*'c7'"),
    "missing value": ("first,second\n1,2\n3,\n", False, "n.csv:3, 'second': a value is missing"),
}


@pytest.mark.parametrize("name", NEW)
def test_new_tables_that_do_not_fit(name: str, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(csv_text(header="first,second,label\n", line="{i}.5,{j},c{k}\n"))
    data = stored(loaded({"csv": "a.csv"}, tmp_path))
    text, target, said = NEW[name]
    (tmp_path / "n.csv").write_text(text)
    with pytest.raises(DataError, match=said):
        load_like(tmp_path / "n.csv", data, target=target)


def test_new_arrays_are_treated_like_the_runs_own(tmp_path: Path) -> None:
    data = loaded({"digits": {"images": True}}, NOWHERE, prepare=["standardize"])
    raw = loaded("digits", NOWHERE).parts["test"].columns
    np.savez(tmp_path / "a.npz", **raw)
    (tmp_path / "a.npy").write_bytes(npy(raw["x"]))
    np.savetxt(tmp_path / "a.csv", raw["x"], delimiter=",")
    expected = data.parts["test"].columns
    for source in (
        tmp_path / "a.npz",
        tmp_path / "a.npy",
        str(tmp_path / "a.csv"),
        raw["x"],
        raw["x"].reshape(-1, 8, 8),
        raw["x"].reshape(-1, 8, 8, 1),
    ):
        found = load_like(source, stored(data))
        np.testing.assert_array_equal(found.columns["x"], expected["x"])
    np.testing.assert_array_equal(load_like(tmp_path / "a.npz", data, target=True).columns["y"], expected["y"])
    assert len(load_like(raw["x"][0].reshape(8, 8, 1), data)) == 1
    with pytest.raises(DataError, match=r"features of shape \(8, 8, 1\); got \(63,\)"):
        load_like(raw["x"][:, :63], data)
    with pytest.raises(DataError, match="no targets"):
        load_like(raw["x"], data, target=True)
    assert Loader(load_like(raw["x"], data), 32, shuffle=False, seed=0).batch(0, 1).target.shape == (32, 0)


@pytest.mark.parametrize("shape", [(3, 2, 2), (3,), (4, 1, 4), (3, 4, 1), (2, 5)])
def test_features_of_another_shape_are_refused(shape: tuple[int, ...], tmp_path: Path) -> None:
    data = stored(loaded("iris", NOWHERE))
    np.savez(tmp_path / "a.npz", x=np.zeros(shape))
    with pytest.raises(DataError, match=r"features of shape \(4,\)"):
        load_like(tmp_path / "a.npz", data)


@pytest.mark.parametrize("shape", [(3, 16, 4), (3, 8, 8, 1, 1), (3, 8, 1, 8), (3, 4, 16, 1)])
def test_images_of_another_shape_are_refused(shape: tuple[int, ...]) -> None:
    data = stored(loaded({"digits": {"images": True}}, NOWHERE))
    with pytest.raises(DataError, match=r"features of shape \(8, 8, 1\)"):
        load_like(np.zeros(shape), data)


def test_predictions_need_no_targets(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(csv_text(header="first,second,label\n", line="{i}.5,{j},c{k}\n"))
    data = stored(loaded({"csv": "a.csv"}, tmp_path))
    for text in ("first,second,label\n1,2,c7\n3,4,\n", "1,2,?\n3,4,5\n"):
        (tmp_path / "n.csv").write_text(text)
        found = load_like(tmp_path / "n.csv", data)
        assert found.columns["x"].tolist() == [[1, 2], [3, 4]] and "y" not in found.columns
    np.savez(tmp_path / "n.npz", x=np.ones((3, 2)), y=np.array(["c9"] * 7))
    assert len(load_like(tmp_path / "n.npz", data)) == 3


@pytest.mark.parametrize("name", ["a.yaml", "a.json.gz", "a.parquet", "a.py"])
def test_files_that_are_no_tables_are_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text("a: 1\n")
    with pytest.raises(DataError, match=r"no data file; expected \.csv, .*\.npz.*; got \.(yaml|json|parquet|py)"):
        load_like(tmp_path / name, stored(loaded("iris", NOWHERE)))


@pytest.mark.parametrize(("name", "said"), [("a.npz", "npz"), ("a.npy", "NumPy"), ("a.h5", "HDF5"), ("a-ubyte", "IDX")])
def test_arrays_that_are_none_are_not_read_as_tables(name: str, said: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text("1,2,3,4\n")
    with pytest.raises(CorruptFileError, match=said):
        load_like(tmp_path / name, stored(loaded("iris", NOWHERE)))


def test_tables_of_every_suffix_and_none(tmp_path: Path) -> None:
    data = stored(loaded("iris", NOWHERE))
    for name in ("a", "a.CSV", "a.tsv", "a.txt", "a.data"):
        (tmp_path / name).write_text("1,2,3,4\n")
        assert load_like(tmp_path / name, data).columns["x"].tolist() == [[1, 2, 3, 4]]


def test_folders_and_missing_files_are_said(tmp_path: Path) -> None:
    data = stored(loaded("iris", NOWHERE))
    with pytest.raises(DataError, match="this is a folder; expected a file"):
        load_like(tmp_path, data)
    with pytest.raises(DataError, match=r"none\.csv: there is no such file"):
        load_like(tmp_path / "none.csv", data)


def test_new_arrays_may_have_the_names_of_the_runs_own(tmp_path: Path) -> None:
    found = arrays()
    np.savez(tmp_path / "a.npz", images=found["x"], labels=found["y"], more=found["x"][:9], and_more=found["y"][:9])
    np.savez(tmp_path / "b.npz", more=found["x"], and_more=found["y"])
    np.savez(tmp_path / "c.npz", other=found["x"])
    names = {"x": "images", "y": "labels", "x_test": "more", "y_test": "and_more"}
    data = stored(loaded({"npz": {"path": "a.npz", **names}}, tmp_path))
    for file in ("a.npz", "b.npz"):
        examples = load_like(tmp_path / file, data, target=True)
        np.testing.assert_array_equal(examples.columns["x"], found["x"])
        np.testing.assert_array_equal(examples.columns["y"], found["y"])
    with pytest.raises(DataError, match=r"c\.npz: .*expected x or images or more; got other"):
        load_like(tmp_path / "c.npz", data)


def test_values_are_checked_like_the_runs_own(tmp_path: Path) -> None:
    data = loaded("linnerud", NOWHERE, needs="values")
    rows = "Chins,Situps,Jumps,Weight,Waist,Pulse\n1,2,3,4,5,6\n"
    (tmp_path / "a.csv").write_text(rows)
    found = load_like(tmp_path / "a.csv", stored(data), target=True)
    assert found.columns["x"].tolist() == [[1, 2, 3]] and found.columns["y"].tolist() == [[4, 5, 6]]


def test_info_is_plain_data() -> None:
    import json

    data = loaded("iris", NOWHERE, prepare=["standardize"])
    assert json.loads(json.dumps(data.info())) == data.info()
    assert stored(data).shape == data.shape


def test_the_fingerprint_sees_every_value_and_nothing_else(tmp_path: Path) -> None:
    found = arrays()
    np.savez(tmp_path / "a.npz", **found)
    first = loaded({"npz": "a.npz"}, tmp_path)
    assert first.fingerprint == loaded({"npz": "a.npz"}, tmp_path, seed=9, prepare=["scale"]).fingerprint
    found["x"][39, 2] += 1e-9
    np.savez(tmp_path / "a.npz", **found)
    assert first.fingerprint != loaded({"npz": "a.npz"}, tmp_path).fingerprint


def test_describe() -> None:
    import json

    found = show("iris", DataFolders(NOWHERE))
    assert found["samples"] == 150 and found["shape"] == [4]
    assert [sum(c[part] for part in PARTS) for c in found["classes"]] == [50, 50, 50]
    assert found["features"][0]["name"] == "sepal length (cm)" and found["features"][0]["max"] == 7.9
    assert json.loads(json.dumps(found)) == found
    regression = show("diabetes", DataFolders(NOWHERE))
    assert regression["targets"][0]["name"] == "target" and regression["targets"][0]["max"] == 346
    ready = describe(loaded("digits", NOWHERE, prepare=["standardize"]))
    assert ready["features"] == [
        {"name": "all", **{k: ready["features"][0][k] for k in ("min", "max", "mean", "deviation")}}
    ]


def test_the_catalog_lists_sources_and_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data" / "set").mkdir(parents=True)
    for name in ("set/a.csv", "set/b.txt", "c.npz", "t10k-images-idx3-ubyte.gz"):
        (tmp_path / "data" / name).write_bytes(b"12")
    monkeypatch.delenv("DLTRAIN_DATA", raising=False)
    found = {item["name"]: item for item in catalog(DataFolders(None))}
    assert {"digits", "iris", "moons", "set/a.csv", "c.npz", "t10k-images-idx3-ubyte.gz"} <= set(found)
    assert "set/b.txt" not in found and "csv" not in found
    assert found["set/a.csv"] == {"name": "set/a.csv", "kind": "csv", "folder": "data", "bytes": 2}


def test_a_split_left_out_is_random() -> None:
    from dltrain.data import load

    sections = (
        SimpleNamespace(source="iris", split=split, prepare=None, prepare_target=[]) for split in (None, "random")
    )
    found = [load(one, needs="classes", seed=0, folders=DataFolders(None), dtype="float32") for one in sections]
    left_out, drawn = ({name: part.ids.tolist() for name, part in data.parts.items()} for data in found)
    assert left_out == drawn


PAGE = (Path(__file__).parent.parent / "docs" / "data.md").read_text()


@pytest.mark.parametrize("text", re.findall(r"```yaml\n(.*?)```", PAGE, re.S))
def test_the_pages_examples_are_valid(text: str) -> None:
    config.from_mapping({**yaml.safe_load(text), "model": {"graph": {"logits": ["dense"]}}})


def test_the_page_names_everything() -> None:
    for kind in ("source", "split", "preparation"):
        for name in entries(kind):
            assert f"`{name}`" in PAGE, name
