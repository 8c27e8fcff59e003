"""Time series: windows, honest parts, naive forecasts beside a model, and forecasts from the command line."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from dltrain import api
from dltrain.api.given import load_experiment
from dltrain.cli.main import run as command
from dltrain.config.shipped import find_shipped
from dltrain.data import DataFolders, load
from dltrain.errors import ConfigError, DataError
from dltrain.registry import create
from dltrain.training.session import prepare
from dltrain.training.trained import load_run

ROWS = 200


def value(row: int) -> float:
    """A season of 12 on a slope."""
    return round(100 + row + 20 * np.sin(2 * np.pi * row / 12), 3)


def csv_text(rows: int = ROWS) -> str:
    return "month,wind,sales\n" + "".join(f"{1000 + r},{r % 7},{value(r)}\n" for r in range(rows))


def source(**changes: Any) -> dict[str, Any]:
    return {"series": {"path": "s.csv", "target": "sales", "window": 24, "period": 12, "time": "month", **changes}}


def config(**changes: Any) -> dict[str, Any]:
    data = {"source": source(horizon=3), "split": {"chronological": {"validation": 20, "test": 20}}}
    scales = {"prepare": [{"standardize": {"axis": "channel"}}], "prepare_target": ["standardize"]}
    return {
        "name": "sales",
        "task": "regression",
        "data": data | scales,
        "model": {"graph": {"y": [{"gru": 8}, "dense"]}},
        "metrics": ["mean_absolute_error"],
        "optimizer": {"adam": 0.01},
        "train": {"epochs": 3, "batch_size": 16},
    } | changes


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "s.csv").write_text(csv_text())
    return tmp_path


def pool_of(folder: Path, spec: Any) -> Any:
    return create("source", spec).load(DataFolders(folder))


def data_of(folder: Path, spec: Any, split: Any = None, prepare: tuple[Any, ...] = ()) -> Any:
    section = SimpleNamespace(source=spec, split=split, prepare=list(prepare), prepare_target=[])
    return load(section, needs="values", seed=0, folders=DataFolders(folder), dtype="float64")


def test_windows_and_what_follows_them(folder: Path) -> None:
    pool = pool_of(folder, source(features=["wind", "sales"], window=12, horizon=3, stride=5))
    x, y = pool.columns["x"], pool.columns["y"]
    assert x.shape == (38, 12, 2) and y.shape == (38, 3)
    for n in (0, 7, 37):
        assert x[n, :, 1].tolist() == [value(5 * n + t) for t in range(12)]
        assert x[n, :, 0].tolist() == [(5 * n + t) % 7 for t in range(12)]
        assert y[n].tolist() == [value(5 * n + 12 + h) for h in range(3)]
    assert pool.target_names == ["sales+1", "sales+2", "sales+3"]


def test_naive_forecasts_by_hand(folder: Path) -> None:
    columns = pool_of(folder, source(window=12, horizon=14)).columns
    last, season = columns["naive"][3]
    assert last.tolist() == [value(14)] * 14
    assert season.tolist() == [value(3 + h % 12) for h in range(14)]


def test_no_row_is_in_two_parts(folder: Path) -> None:
    """Each row holds its own number, so that a row that is seen twice is found."""
    (folder / "s.csv").write_text("n\n" + "".join(f"{r}\n" for r in range(ROWS)))
    spec = {"series": {"path": "s.csv", "window": 7, "horizon": 2}}
    split = {"chronological": {"validation": 0.2, "test": 30, "train_dev": 5}}
    parts = data_of(folder, spec, split).parts
    assert len(parts["test"]) == 30 and len(parts["validation"]) == round(0.2 * (ROWS - 8))
    seen = [set(np.unique([*p.columns["x"].ravel(), *p.columns["y"].ravel()])) for p in parts.values()]
    assert all(max(a) < min(b) for a, b in zip(seen, seen[1:], strict=False))
    assert max(seen[-1]) == ROWS - 1
    assert list(parts) == ["train", "train_dev", "validation", "test"]


def test_nothing_of_later_parts_leaks_into_what_is_fitted(folder: Path) -> None:
    """Whatever the later parts hold, constants and training examples are the same to the last bit."""
    split = {"chronological": {"validation": 20, "test": 20}}
    prepare = ({"standardize": {"axis": "channel"}},)
    calm = data_of(folder, source(horizon=3), split, prepare)
    first = int(calm.parts["validation"].ids[0])  # windows are one row apart
    lines = csv_text().splitlines()
    wild = [f"{line.rpartition(',')[0]},{1e6 + k}" for k, line in enumerate(lines[first + 1 :])]
    (folder / "s.csv").write_text("\n".join([*lines[: first + 1], *wild]) + "\n")
    changed = data_of(folder, source(horizon=3), split, prepare)
    assert changed.parts["train"].columns["x"].tobytes() == calm.parts["train"].columns["x"].tobytes()
    assert changed.parts["train"].columns["y"].tobytes() == calm.parts["train"].columns["y"].tobytes()
    assert all(changed.constants[name].tobytes() == value.tobytes() for name, value in calm.constants.items())
    assert changed.parts["validation"].columns["x"].max() > 1e3


@pytest.mark.parametrize("split", ["random", {"random": {"validation": 0.1}}])
def test_windows_are_not_drawn(folder: Path, split: Any) -> None:
    with pytest.raises(ConfigError, match="overlap.*two parts.*chronological"):
        data_of(folder, source(), split)
    assert data_of(folder, source()).parts["test"].ids[-1] == ROWS - 25  # left out: by time


def test_a_config_without_a_split_is_by_time(folder: Path) -> None:
    without = config(data={"source": source(horizon=3)})
    parts = prepare(load_experiment(without)).data.parts
    assert parts["train"].ids.max() < parts["validation"].ids.min() < parts["test"].ids.min()
    (folder / "s.yaml").write_text(json.dumps(without))
    assert command(["check", "s.yaml"]) == 0


def test_missing_values(folder: Path) -> None:
    """Of features they are for `impute`, of targets they cost the window, a naive forecast takes the last known."""
    lines = csv_text(60).splitlines()
    lines[1 + 40] = "1040,?,NA"  # row 40
    (folder / "s.csv.gz").write_bytes(gzip.compress("\n".join(lines).encode()))
    spec = source(path="s.csv.gz", features=["wind", "sales"], window=12, horizon=2, period=None)
    pool = pool_of(folder, spec)
    rows = pool.columns["time"] + 12
    assert 40 not in rows and 39 not in rows and 41 in rows
    after = pool.columns["naive"][rows == 41]
    assert after.ravel().tolist() == [value(39)] * 2
    with pytest.raises(DataError, match=r"s\.csv\.gz:42: .*impute"):
        data_of(folder, spec)
    assert np.isfinite(data_of(folder, spec, None, ("impute",)).parts["train"].columns["x"]).all()


@pytest.mark.parametrize(
    ("spec", "text", "words"),
    [
        (source(), "month,sales\n" + "1,2\n" * 40, r"s\.csv:3: the rows are not in the order of time.*after '1'.*'1'"),
        (source(time=None), "wind,sales\n" + "1,2\n" * 24, "too short; expected at least 25.*24 rows"),
        (source(features=["wind"]), csv_text().replace("1003,3,", "1003,calm,"), r"csv:5, 'wind'.*number.*'calm'"),
        (source(period=25), csv_text(), "period.*at most the window, 24"),
        (source(target="sale"), csv_text(), "'sale' is missing.*did you mean 'sales'"),
        (source(features=["wind", 1]), csv_text(), "'wind' is named twice"),
        (source(time=None), "wind,sales\n" + "1,?\n" * 40, "every window lacks a target"),
    ],
)
def test_bad_series(folder: Path, spec: Any, text: str, words: str) -> None:
    (folder / "s.csv").write_text(text)
    with pytest.raises((DataError, ConfigError), match=words):
        data_of(folder, spec)


def test_parts_that_leave_no_window(folder: Path) -> None:
    with pytest.raises(DataError, match="no window ends before the validation part begins.*shorter window"):
        data_of(folder, source(window=60), {"chronological": {"validation": 60, "test": 20}})


def test_a_run_from_the_command_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Forecasts are in the unit of the data, and beside the model stand naive forecasts of the same windows."""
    api.fit(config(train={"epochs": 30, "batch_size": 16}))
    assert command(["evaluate", "sales", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    examples = load_run("sales").loader("test").examples
    rows = examples.ids[:, None] + 24 + np.arange(3)
    truth = np.vectorize(value)(rows)
    by_hand = {"last value": np.vectorize(value)(examples.ids + 23)[:, None], "one period before": truth - 12}
    assert [naive["name"] for naive in found["naive"]] == list(by_hand)
    for naive in found["naive"]:
        error = np.abs(by_hand[naive["name"]] - truth).mean()
        assert naive["metrics"]["mean_absolute_error"] == pytest.approx(error, rel=1e-4)
    assert command(["evaluate", "sales"]) == 0
    assert "one period before" in capsys.readouterr().out
    assert command(["evaluate", "sales", "--data", "s.csv", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["samples"] == ROWS - 26
    (folder / "new.csv").write_text("sales\n" + "".join(f"{value(r)}\n" for r in range(ROWS)))
    assert command(["predict", "sales", "new.csv", "--json"]) == 0
    [said] = json.loads(capsys.readouterr().out)["predictions"]
    known = load_run("sales").outputs(np.array([[[value(r)] for r in range(ROWS - 24, ROWS)]]))["y"]
    assert list(said) == ["sales+1", "sales+2", "sales+3"]
    assert said == pytest.approx(load_run("sales").session.task.predict({"y": known})[0])
    (folder / "new.csv").write_text("sales\n1\n2\n")
    assert command(["predict", "sales", "new.csv"]) == 3
    assert "too short; expected at least 24, a window; got 2 rows" in capsys.readouterr().err


def test_new_files_are_read_as_the_runs_own(folder: Path) -> None:
    """The same delimiter and header, and rows in the order of time, where the file has the column."""
    lines = [f"{r} {value(r)}" for r in range(ROWS)]
    (folder / "s.txt").write_text("\n".join(["no 2024", *lines]) + "\n")
    spec = source(path="s.txt", target="2024", time="no", delimiter="space", header=True, horizon=3)
    api.fit(config(data={"source": spec}, train={"epochs": 1}))
    assert api.evaluate("sales", data="s.txt")["samples"] == ROWS - 26
    assert len(api.predict("sales", ["s.txt"])["predictions"]) == 1
    (folder / "wrong.txt").write_text("\n".join(["no 2024", *reversed(lines)]) + "\n")
    with pytest.raises(DataError, match="not in the order of time"):
        api.evaluate("sales", data="wrong.txt")
    with pytest.raises(DataError, match="not in the order of time"):
        api.predict("sales", ["wrong.txt"])
    (folder / "bare.txt").write_text("\n".join(["2024", *(str(value(r)) for r in range(ROWS))]) + "\n")
    assert len(api.predict("sales", ["bare.txt"])["predictions"]) == 1


def test_other_data_have_no_naive_forecast(folder: Path) -> None:
    api.fit({"name": "f", "data": {"source": "iris"}, "model": {"graph": {"y": ["dense"]}}, "train": {"epochs": 1}})
    assert api.evaluate("f")["naive"] == []


@pytest.mark.parametrize(
    ("name", "sets", "bound"),
    [
        ("temperatures-gru", ["train.epochs=8"], 0.95),
        ("passengers-linear", ["train.epochs=150"], 0.6),
        ("passengers-baseline", [], 0.6),
        pytest.param("passengers-gru", [], 0.8, marks=pytest.mark.slow),
    ],
)
def test_shipped_forecasts_are_better_than_naive(
    name: str, sets: list[str], bound: float, tmp_path: Path, data_folder: Path
) -> None:
    path = find_shipped(name)
    assert path is not None
    run = api.fit(path, sets=sets, runs=tmp_path)["run"]
    found = api.evaluate(run)
    naive = min(one["metrics"]["mean_absolute_error"] for one in found["naive"])
    assert found["metrics"]["mean_absolute_error"] < bound * naive
