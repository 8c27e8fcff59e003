"""A setting that the data do not have is a mistake in the config: exit code 2, with the place and a suggestion."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import scipy.io

from dltrain import api
from dltrain.cli.main import run
from dltrain.config import dump
from dltrain.errors import DataError

COUNT = 60
NAMES = ("width", "height", "label")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Data files of each kind."""
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((COUNT, 2)), np.arange(COUNT) % 2
    rows = [f"{a:.3f},{b:.3f},{k}" for (a, b), k in zip(x, y, strict=True)]
    (tmp_path / "a.csv").write_text("\n".join([",".join(NAMES), *rows]) + "\n")
    (tmp_path / "bare.csv").write_text("\n".join(rows) + "\n")
    np.savez(tmp_path / "a.npz", features=x, label=y)
    scipy.io.savemat(tmp_path / "a.mat", {"features": x, "label": y[:, None]})
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["train/features"], file["train/label"] = x, y
    return tmp_path


def config(source: Any) -> dict[str, Any]:
    return {
        "name": "settings",
        "data": {"source": source},
        "model": {"graph": {"y": ["dense"]}},
        "dtype": "float64",
        "train": {"epochs": 1},
    }


# {name: (source, the line of the config with the caret, the text above the caret, what is said)}
WRONG: dict[str, tuple[Any, str, list[str]]] = {
    "target": ({"csv": {"path": "a.csv", "target": "lable"}}, "lable", ["'lable' is missing", "mean 'label'?"]),
    "one of the targets": (
        {"csv": {"path": "a.csv", "target": ["width", "lable"]}}, "lable", ["'lable' is missing", "mean 'label'?"],
    ),
    "position": ({"csv": {"path": "a.csv", "target": 7}}, "7", ["position 7", "from -3 to 2"]),
    "feature": (
        {"csv": {"path": "a.csv", "target": "label", "features": ["width", "hieght"]}}, "hieght", ["mean 'height'?"],
    ),
    "feature twice": (
        {"csv": {"path": "a.csv", "target": "label", "features": ["width", "width"]}}, "[width, width]", ["twice"],
    ),
    "no header": ({"csv": {"path": "bare.csv", "target": "label"}}, "label", ["no header", "position"]),
    "array of npz": (
        {"npz": {"path": "a.npz", "x": "feature", "y": "label"}}, "feature", ["no array", "mean 'features'?"],
    ),
    "array of npz by default": ({"npz": {"path": "a.npz", "y": "label"}}, "npz", ["no array 'x'", "features, label"]),
    "half a test part": (
        {"npz": {"path": "a.npz", "x": "features", "y": "label", "x_test": "features"}}, "features",
        ["belong together"],
    ),
    "array of mat": ({"mat": {"path": "a.mat", "x": "feature", "y": "label"}}, "feature", ["mean 'features'?"]),
    "column to drop": (
        {"csv": {"path": "a.csv", "target": "label", "drop": ["hieght"]}}, "hieght", ["mean 'height'?"],
    ),
    "column of groups": ({"csv": {"path": "a.csv", "target": "label", "group": "lable"}}, "lable", ["mean 'label'?"]),
    "data set of HDF5": (
        {"hdf5": {"path": "a.h5", "x": "train/features", "y": "train/lable"}}, "train/lable", ["no data set", "label"],
    ),
    "half a test part of IDX": (
        {"idx": {"images": "a.idx", "labels": "b.idx", "test_images": "c.idx"}}, "c.idx", ["belong together"],
    ),
    "path": ({"csv": {"path": "b.csv", "target": "label"}}, "b.csv", ["no such data file"]),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_setting_is_shown_in_the_config(name: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, pointed, said = WRONG[name]
    file = folder / "config.yaml"
    file.write_text(dump(config(source)), encoding="utf-8")
    for command in (["fit", "--runs", str(folder / "runs")], ["check"], ["data", "show"]):
        words = command[:2] if command[0] == "data" else command[:1]
        assert run([*words, str(file), *command[len(words) :]]) == 2
        sentence, line, caret = capsys.readouterr().err.rstrip("\n").split("\n")
        number, column = (int(part) for part in sentence.removeprefix(f"{file}:").split(":")[:2])
        assert file.read_text().splitlines()[number - 1][column - 1 :].startswith(pointed)
        assert line[caret.index("^") :].startswith(pointed)
        assert all(words in sentence for words in said), sentence


def test_what_is_missing_from_a_test_file_is_the_datas_fault(folder: Path) -> None:
    (folder / "t.csv").write_text("width,depth,label\n1,2,0\n")
    source = {"csv": {"path": "a.csv", "target": "label", "test_path": "t.csv"}}
    file = folder / "config.yaml"
    file.write_text(dump(config(source)), encoding="utf-8")
    with pytest.raises(DataError, match="'height' is missing"):
        api.check(file)


@pytest.mark.parametrize("words", [["evaluate"], ["resume"]])
def test_a_run_whose_data_went_missing_says_where_it_looked(
    words: list[str], folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = folder / "config.yaml"
    file.write_text(dump(config({"csv": {"path": "a.csv", "target": "label"}})), encoding="utf-8")
    made = api.fit(file, runs=folder / "runs")["run"]
    (folder / "a.csv").unlink()
    assert run([*words, made]) == 2
    sentence, line, caret = capsys.readouterr().err.rstrip("\n").split("\n")
    assert sentence.startswith(f"{made}/config.yaml:")
    assert "there is no such data file" in sentence and str(folder) in sentence and "DLTRAIN_DATA" in sentence
    assert line[caret.index("^") :].startswith("a.csv")
