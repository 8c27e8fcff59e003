"""Runs sorted, filtered, compared, and printed in several forms."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from small_runs import iris

from dltrain import api
from dltrain.cli.main import run
from dltrain.cli.runs_table import condition, in_order
from dltrain.errors import UsageError
from dltrain.report.terminal import spark


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three runs, which differ in learning rate and length; and what is none."""
    root = tmp_path_factory.mktemp("runs")
    for rate, epochs in ((0.01, 4), (0.1, 4), (0.0001, 3)):
        api.fit(iris(optimizer={"adam": {"learning_rate": rate}}, train__epochs=epochs), runs=root)
    (root / "notes").mkdir()
    return root


def printed(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> str:
    assert run(["runs", *words]) == code
    captured = capsys.readouterr()
    return captured.err if code else captured.out


def test_ls_sorts_and_filters(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def names(*words: str) -> list[str]:
        return [
            row["name"] for row in json.loads(printed(capsys, "ls", "--runs", str(folder), "--json", *words))["runs"]
        ]

    path = "optimizer.adam.learning_rate"
    assert names("--sort", path) == ["iris-3", "iris-1", "iris-2"]
    assert names("--sort", path, "--descending") == ["iris-2", "iris-1", "iris-3"]
    best = {row["name"]: row["summary"]["best"]["value"] for row in json.loads(
        printed(capsys, "ls", "--runs", str(folder), "--json"))["runs"]}  # fmt: skip
    assert names("--sort", "best") == sorted(best, key=best.__getitem__)
    assert names("--filter", f"{path}>=1e-2") == ["iris-1", "iris-2"]
    assert names("--filter", f"{path}>=1e-2", "--filter", "train.epochs = 4", "--sort", path) == ["iris-1", "iris-2"]
    assert names("--filter", "dtype!=float32") == names("--filter", "nothing=3") == names("--filter", "dtype<3") == []
    assert "did you mean 'train.epochs'?" in printed(
        capsys, "ls", "--runs", str(folder), "--sort", "train.epoch", code=2
    )
    assert "this is no condition" in printed(capsys, "ls", "--runs", str(folder), "--filter", "best", code=2)


def test_forms(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = list(csv.DictReader(io.StringIO(printed(capsys, "ls", "--runs", str(folder), "--format", "csv"))))
    assert [row["run"] for row in rows] == ["iris-1", "iris-2", "iris-3"] and rows[2]["epochs"] == "3"
    lines = printed(capsys, "ls", "--runs", str(folder), "--format", "markdown").splitlines()
    assert len(lines) == 5 and all(line.count("|") == lines[0].count("|") for line in lines)
    assert printed(capsys, "ls", "--runs", str(folder), "--format", "json") == printed(
        capsys, "ls", "--runs", str(folder), "--json"
    )


def test_compare_shows_what_differs(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["compare", "iris-1", "iris-2", "iris-3", "--runs", str(folder)]
    found = json.loads(printed(capsys, *words, "--json"))["runs"]
    assert [row["run"] for row in found] == ["iris-1", "iris-2", "iris-3"]
    settings = {key for key in found[0] if key not in ("run", "best", "course") and key[:4] not in ("vali", "test")}
    assert settings == {"optimizer.adam.learning_rate", "train.epochs"}
    assert [len(row["course"]) for row in found] == [4, 4, 3] and min(found[0]["course"]) == found[0]["best"]
    header, _, *rows = printed(capsys, *words).splitlines()
    assert all(word in header for word in ("train.epochs", "validation.accuracy", "test.f1", "course"))
    assert spark(found[1]["course"]) in rows[1]
    assert "batch_size" not in header
    same = printed(capsys, "compare", "iris-1", "iris-1", "--runs", str(folder), "--format", "csv")
    assert same.startswith("run,best,")


def test_show_draws_the_course(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "validation.loss over the epochs" in printed(capsys, "show", "iris-1", "--runs", str(folder))


def test_values_of_other_kinds_do_not_disturb() -> None:
    rows = [{"run": "a", "x": "text"}, {"run": "b", "x": 2.0}, {"run": "c"}, {"run": "d", "x": True}]
    assert [row["run"] for row in in_order(rows, "x", False)] == ["d", "b", "a", "c"]
    assert not condition("x>1")({"x": None}) and not condition("x>1")({"x": "2"}) and condition("x!='2'")({"x": 3})
    with pytest.raises(UsageError):
        in_order(rows, "y", False)


def test_sparks() -> None:
    assert spark([]) == "" and spark([1.0]) == spark([float("inf"), 1.0]).strip() and len(spark(range(1000))) == 16
    assert spark([0, 7]) == "▁█"
