"""Cases in which data were once read wrongly and without a word, or a file led to a crash."""

from __future__ import annotations

import gzip
import io
import tarfile
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from data_files import loaded
from scipy.io import savemat
from test_more_sources import FOLDER, MEMBERS, archive, batch, handmade, pool

from dltrain import api
from dltrain.data import DataSet, load_like
from dltrain.data.matlab import read_mat
from dltrain.data.tables import Chooser
from dltrain.errors import ConfigError, CorruptFileError, DataError
from dltrain.registry import create


def csv(folder: Path, rows: list[str], name: str = "t.csv") -> None:
    (folder / name).write_text("\n".join(rows) + "\n")


@pytest.mark.parametrize("values", [["0.1", "0.2"], ["100000001", "100000002"]])
def test_one_hot_after_another_preparation_knows_its_categories(values: list[str], tmp_path: Path) -> None:
    """Fitted on float32, a category was no longer equal to itself in float64."""
    csv(tmp_path, ["a,y", *(f"{values[i % 2]},{i % 2}" for i in range(40))])
    prepare = ["impute", {"one_hot": {"columns": ["a"], "unknown": "error"}}]
    data = loaded({"csv": "t.csv"}, tmp_path, prepare=prepare)
    x = data.parts["train"].columns["x"]
    assert x.shape[1] == 2 and (x.sum(axis=1) == 1).all() and x[:, 0].any() and x[:, 1].any()


def test_a_number_may_stand_for_what_is_missing_in_a_table_of_numbers(tmp_path: Path) -> None:
    csv(tmp_path, ["a,b,y", *(f"{i},{-9 if i == 3 else i},{i % 2}" for i in range(600))])
    found = pool({"csv": {"path": "t.csv", "missing": ["-9"]}}, tmp_path)
    assert np.argwhere(np.isnan(found.columns["x"])).tolist() == [[3, 1]] and found.missing == {1: "-9"}


def test_an_unknown_word_of_new_data_is_not_the_word_that_is_filled_in(tmp_path: Path) -> None:
    csv(tmp_path, ["w,y", *(f"{['a', 'b', ''][i % 3]},{i % 2}" for i in range(60))])
    fill = {"impute": {"strategy": "constant", "fill_value": "none", "columns": ["w"]}}
    data = loaded({"csv": "t.csv"}, tmp_path, prepare=[fill, "one_hot"])
    kept = DataSet.from_info(data.info(), data.constants)
    csv(tmp_path, ["w", "a", "?", "zzz"], "new.csv")
    assert kept.input_names == ["w=a", "w=b", "w=none"]
    assert load_like(tmp_path / "new.csv", kept).columns["x"].tolist() == [[1, 0, 0], [0, 0, 1], [0, 0, 0]]
    strict = loaded({"csv": "t.csv"}, tmp_path, prepare=[fill, {"one_hot": {"unknown": "error"}}])
    with pytest.raises(DataError, match="not in the training part.*zzz"):
        load_like(tmp_path / "new.csv", DataSet.from_info(strict.info(), strict.constants))


def test_a_group_in_two_parts_is_refused(tmp_path: Path) -> None:
    parts = ["train", "train", "train", "test"]
    csv(tmp_path, ["a,p,g,y", *(f"{i},{parts[i % 4]},g{i % 5},{i % 2}" for i in range(60))])
    with pytest.raises(
        DataError, match=r"the group g\d is in two parts; expected a group only in the test part.*t\.csv:"
    ):
        loaded({"csv": {"path": "t.csv", "part": "p", "group": "g"}}, tmp_path, split={"grouped": {"validation": 0.2}})
    csv(tmp_path, ["a,p,g,y", *(f"{i},{parts[i % 4]},{parts[i % 4]}{i % 7},{i % 2}" for i in range(60))])
    data = loaded({"csv": {"path": "t.csv", "part": "p", "group": "g"}}, tmp_path, split={"grouped": 0.2})
    assert sum(len(part) for part in data.parts.values()) == 60


def test_an_archive_gives_the_part_it_is_asked_for(tmp_path: Path) -> None:
    archive(tmp_path, MEMBERS)
    (tmp_path / "own.bin").write_bytes(batch([1, 2, 3]))
    found = pool({"cifar": {"path": "own.bin", "test_path": "a.tar.gz"}}, tmp_path)
    tested = len(MEMBERS[f"{FOLDER}/test_batch.bin"]) // 3073
    assert len(found.columns["x"]) == 3 + tested and found.columns["y"][:3].tolist() == [1, 2, 3]
    assert found.given["test"].tolist() == list(range(3, 3 + tested))
    with pytest.raises(DataError, match="the archive brings its own test part; leave `test_path` out"):
        pool({"cifar": {"path": "a.tar.gz", "test_path": "own.bin"}}, tmp_path)


@pytest.mark.parametrize("odd", ["x2", "2024-1-5"])
def test_times_in_several_forms_are_refused(odd: str, tmp_path: Path) -> None:
    times = [f"2024-01-{day:02}" if odd.startswith("2") else str(day) for day in range(1, 31)]
    csv(tmp_path, ["a,t,y", *(f"{i},{odd if i == 7 else time},{i % 2}" for i, time in enumerate(times))])
    with pytest.raises(
        DataError, match=rf"t\.csv:9: this time is unlike the others; expected .*; got '{odd}'; write all"
    ):
        pool({"csv": {"path": "t.csv", "time": "t"}}, tmp_path)


def test_a_part_of_the_source_and_of_the_split_exclude_each_other(tmp_path: Path) -> None:
    parts = ["train", "train", "train_dev", "test"]
    csv(tmp_path, ["a,p,y", *(f"{i},{parts[i % 4]},{i % 2}" for i in range(60))])
    with pytest.raises(ConfigError, match=r"train_dev: this has no effect: the source brings its own"):
        loaded({"csv": {"path": "t.csv", "part": "p"}}, tmp_path, split={"random": {"train_dev": 5}})
    data = loaded({"csv": {"path": "t.csv", "part": "p"}}, tmp_path, split={"random": {"validation": 6}})
    assert sum(len(part) for part in data.parts.values()) == 60


def test_arrays_are_no_new_data_for_a_table_of_words(tmp_path: Path) -> None:
    csv(tmp_path, ["w,y", *(f"{['a', 'b'][i % 2]},{i % 2}" for i in range(40))])
    data = loaded({"csv": "t.csv"}, tmp_path, prepare=["one_hot"])
    np.savez(tmp_path / "new.npz", x=np.array([[99.0], [0.5]]))
    with pytest.raises(DataError, match="the run's data hold words.*write the new data as a table"):
        load_like(tmp_path / "new.npz", DataSet.from_info(data.info(), data.constants))


def test_many_columns_are_looked_through_once() -> None:
    source = create("source", {"csv": "t.csv"})
    names = [f"c{k}" for k in range(40_000)]
    chosen = Chooser(source, "t.csv")(names, len(names))
    assert len(chosen.features) == len(names) - 1


def test_whitening_in_the_axes_of_few_examples_makes_columns_of_its_own(tmp_path: Path) -> None:
    csv(
        tmp_path,
        ["a,b,c,d,y", *(",".join(map(str, [*np.random.default_rng(i).normal(size=4), i % 2])) for i in range(7))],
    )
    whiten = {"whiten": {"method": "pca", "columns": ["a", "b", "c", "d"]}}
    data = loaded(
        {"csv": "t.csv"}, tmp_path, prepare=[whiten], needs="values", split={"random": {"validation": 2, "test": 2}}
    )
    assert data.input_names == ["whitened1", "whitened2", "whitened3"]
    assert data.parts["train"].columns["x"].shape == (3, 3)


def test_the_problem_of_a_preparation_stands_at_its_place(tmp_path: Path) -> None:
    csv(tmp_path, ["a,b,y", *(f"{i},{i * i},{i % 2}" for i in range(40))])
    for prepare, path in (
        ({"pca": 3}, r"data\.prepare\.1\.pca"),
        ({"min_max": {"low": 2}}, r"data\.prepare\.1\.min_max"),
    ):
        with pytest.raises(ConfigError, match=path):
            loaded({"csv": "t.csv"}, tmp_path, prepare=["standardize", prepare])


def hostile_tar(names: int, longest: int) -> bytes:
    """An archive with so many files whose heads announce a long name of so many bytes, all zeros."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as made:
        for number in range(names):
            head = tarfile.TarInfo(f"n{number}")
            head.type, head.size = tarfile.XHDTYPE, longest
            made.addfile(head, io.BytesIO(b"11 path=ab\n".ljust(longest, b"\0") if longest < 4096 else bytes(longest)))
    return gzip.compress(buffer.getvalue())


@pytest.mark.parametrize("content", [hostile_tar(3000, 11), hostile_tar(1, 50_000_000)], ids=["chained", "long"])
def test_hostile_heads_of_an_archive_cost_nothing(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.tar.gz").write_bytes(content)
    tracemalloc.start()
    with pytest.raises(CorruptFileError):
        pool({"cifar": "a.tar.gz"}, tmp_path)
    assert tracemalloc.get_traced_memory()[1] < 1 << 26
    tracemalloc.stop()


def test_matlab_shapes_that_numpy_cannot_make_are_refused(tmp_path: Path) -> None:
    (tmp_path / "bad.mat").write_bytes(handmade((0, 2**31 - 1, 2**31 - 1, 2**31 - 1), b""))
    with pytest.raises(CorruptFileError, match="'X' is too large"):
        read_mat(tmp_path / "bad.mat")


def test_names_from_a_file_reach_the_terminal_escaped(tmp_path: Path) -> None:
    savemat(tmp_path / "a.mat", {"plain": np.eye(2)})
    content = (tmp_path / "a.mat").read_bytes().replace(b"plain", b"p\x1b[3m")
    (tmp_path / "a.mat").write_bytes(content)
    with pytest.raises(DataError) as caught:
        pool({"mat": "a.mat"}, tmp_path)
    assert "\x1b" not in str(caught.value) and "x1b" in str(caught.value)
    np.savez(tmp_path / "a.npz", **{"p\x1b": np.eye(2)})
    with pytest.raises(DataError) as caught:
        pool({"npz": "a.npz"}, tmp_path)
    assert "\x1b" not in str(caught.value)


WEIGHTED = {"train": [1.0, 0.0, 2.0, 1.0, 1.0, 3.0] * 5, "new": [0.0, 0.0, 4.0, 0.0, 0.0, 1.0]}


def weighted_files(tmp_path: Path) -> None:
    """The same examples and weights as a table, .npz, HDF5 and .mat: for training and anew."""
    import h5py
    from scipy.io import savemat

    for name, weights in WEIGHTED.items():
        x = np.random.default_rng(len(weights)).normal(size=(len(weights), 2)).round(3)
        y, w = np.arange(len(weights)) % 2, np.array(weights)
        rows = "\n".join(f"{a},{b},{k},{c}" for (a, b), k, c in zip(x, y, w, strict=True))
        (tmp_path / f"{name}.csv").write_text(f"a,b,k,w\n{rows}\n")
        np.savez(tmp_path / f"{name}.npz", x=x, y=y, w=w)
        with h5py.File(tmp_path / f"{name}.h5", "w") as file:
            file["x"], file["y"], file["w"] = x, y, w
        savemat(tmp_path / f"{name}.mat", {"X": x, "y": y[:, None], "w": w[None]})


@pytest.mark.parametrize(
    "source",
    [
        {"csv": {"path": "train.csv", "target": "k", "weight": "w"}},
        {"npz": {"path": "train.npz", "weight": "w"}},
        {"hdf5": {"path": "train.h5", "weight": "w"}},
        {"mat": {"path": "train.mat", "weight": "w"}},
    ],
    ids=["csv", "npz", "h5", "mat"],
)
def test_weights_of_new_data_count(source: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    weighted_files(tmp_path)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    for file in tmp_path.glob("train.*"):
        file.rename(tmp_path / "data" / file.name)
    config = {
        "data": {"source": source, "split": {"random": {"validation": 0.2}}},
        "model": {"graph": {"logits": ["dense"]}},
        "train": {"epochs": 1},
    }
    run = api.load_run(api.fit(config, runs=tmp_path / "runs")["run"])
    assert run.session.data.layout["weight"] in ("w", ["w"])
    new = tmp_path / f"new.{next(iter(source)).replace('hdf5', 'h5')}"
    found = run.evaluate(data=new)["loss"]
    scores = run.outputs(new)["logits"].astype(np.float64)
    losses = np.log(np.exp(scores).sum(1)) - scores[np.arange(6), np.arange(6) % 2]
    assert found == pytest.approx(np.average(losses, weights=WEIGHTED["new"]), rel=1e-5)
    assert found != pytest.approx(losses.mean(), rel=1e-3)


@pytest.mark.parametrize("source", [{"idx": {"images": "a", "labels": "b"}}, {"cifar": {"path": "a.bin"}}])
def test_formats_without_a_place_for_weights_say_which_have_one(source: dict[str, Any]) -> None:
    ((name, settings),) = source.items()
    spec = {"data": {"source": {name: {**settings, "weight": "w"}}}, "model": {"graph": {"y": ["dense"]}}}
    said = f"{name} has no parameter 'weight'.*it is a parameter of npz, hdf5, csv, mat"
    with pytest.raises(ConfigError, match=said):
        api.check(spec)


def test_weights_of_arrays_that_do_not_fit(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=np.eye(4), y=np.arange(4) % 2, w=np.ones(3), v=np.ones(4))
    with pytest.raises(DataError, match=r"weights and examples differ in number; expected 4.*; got 3"):
        loaded({"npz": {"path": "a.npz", "weight": "w"}}, tmp_path)
    both = {"x_test": "x", "y_test": "y"}
    for settings, hint in (({"weight": "v"}, "weight_test"), ({"weight_test": "v"}, "weight")):
        with pytest.raises(ConfigError, match=f"`weight` and `weight_test` belong together.*name `{hint}` too"):
            loaded({"npz": {"path": "a.npz", **both, **settings}}, tmp_path)
