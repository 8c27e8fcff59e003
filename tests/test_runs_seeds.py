"""Several seeds of the same settings; tags and notes; and which runs are removed when the best are kept."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats
from small_runs import iris

from dltrain import api
from dltrain.cli.main import run
from dltrain.runs.folder import RunFolder
from dltrain.runs.listing import RunRow
from dltrain.runs.notes import annotate, read_notes, tag
from dltrain.runs.seeds import interval, paired, summary
from dltrain.training.goal import higher_is_better
from dltrain.training.ranking import surplus

SEEDS = (3, 4, 5)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two learning rates with three seeds each: iris-1 to iris-3, and iris-4 to iris-6."""
    root = tmp_path_factory.mktemp("runs")
    for rate in (0.001, 0.05):
        for seed in SEEDS:
            api.fit(iris(seed=seed, optimizer={"adam": {"learning_rate": rate}}), runs=root)
    return root


def printed(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> str:
    assert run(["runs", *words]) == code
    captured = capsys.readouterr()
    return captured.err if code else captured.out


def test_intervals_and_tests_are_scipys() -> None:
    generator = np.random.default_rng(7)
    for count in (2, 3, 5, 30):
        one, two = generator.normal(0.8, 0.1, (2, count))
        expected = stats.t.interval(0.95, count - 1, one.mean(), stats.sem(one))
        assert interval(one.tolist()) == pytest.approx(expected, rel=1e-12)
        found = paired(dict(enumerate(one.tolist())), dict(enumerate(two.tolist())))
        peer = stats.ttest_rel(two, one)
        assert found is not None and found["p"] == pytest.approx(peer.pvalue, rel=1e-9)
        assert found["interval"] == pytest.approx(tuple(peer.confidence_interval(0.95)), rel=1e-9)
        assert found["effect"] == pytest.approx(peer.statistic / math.sqrt(count), rel=1e-9)


def test_there_is_no_test_where_there_is_nothing_to_judge_by() -> None:
    assert paired({1: 0.5, 2: 0.6}, {2: 0.7, 3: 0.8}) is None
    for shift in (0.0, 0.1):
        found = paired({seed: seed / 10 for seed in range(5)}, {seed: seed / 10 + shift for seed in range(5)})
        assert found is not None and found["p"] is None and found["difference"] == pytest.approx(shift)
    assert summary([0.5])["interval"] is None


def test_compare_groups_runs_by_their_settings(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = [f"iris-{number}" for number in (1, 2, 3, 6, 4)]  # of the second group seeds 5 and 3
    found = json.loads(printed(capsys, "compare", *names, "--runs", str(folder), "--json"))
    first, second = found["groups"]
    assert first["runs"] == names[:3] and first["seeds"] == [*SEEDS] and second["seeds"] == [5, 3]
    assert second["settings"] == {"optimizer.adam.learning_rate": 0.05}
    values = {row["run"]: row["validation.accuracy"] for row in found["runs"]}
    assert first["metrics"]["validation.accuracy"]["mean"] == pytest.approx(sum(values[n] for n in names[:3]) / 3)
    test = next(test for test in found["tests"] if test["metric"] == "validation.accuracy")
    by_seed = [values["iris-4"] - values["iris-1"], values["iris-6"] - values["iris-3"]]
    assert test["pairs"] == 2 and test["difference"] == pytest.approx(sum(by_seed) / 2)
    shown = printed(capsys, "compare", *names, "--runs", str(folder))
    assert "means over the seeds" in shown and "paired t test" in shown and "2 - 1" in shown
    alone = printed(capsys, "compare", "iris-1", "iris-2", "--runs", str(folder))
    assert "means over the seeds" in alone and "paired" not in alone and "none are compared" not in alone
    assert "none are compared" in printed(capsys, "compare", "iris-1", "iris-2", "iris-6", "--runs", str(folder))
    assert "means over" not in printed(capsys, "compare", "iris-1", "iris-4", "--runs", str(folder))


def test_a_run_that_is_not_over_is_not_counted(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root, names = tmp_path / "runs", [f"iris-{number}" for number in range(1, 7)]
    shutil.copytree(folder, root)
    summary = root / "iris-2" / "summary.json"
    summary.write_text(json.dumps(json.loads(summary.read_text()) | {"stopped": "signal"}))
    found = json.loads(printed(capsys, "compare", *names, "--runs", str(root), "--json"))
    assert [row["run"] for row in found["runs"]] == names
    assert [group["runs"] for group in found["groups"]] == [["iris-1", "iris-3"], names[3:]]
    assert found["groups"][0]["metrics"]["validation.loss"]["count"] == 2
    assert {test["pairs"] for test in found["tests"]} == {2} and found["not_over"] == {"iris-2": "interrupted"}
    assert "did not come to their end: iris-2 (interrupted)" in printed(capsys, "compare", *names, "--runs", str(root))


def test_tags_and_notes(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    where = ["--runs", str(folder)]
    found = json.loads(printed(capsys, "tag", "iris-2", "wide", "good", "--json", *where))
    assert found == {"run": str(folder / "iris-2"), "tags": ["good", "wide"], "note": ""}
    printed(capsys, "note", "iris-5", "With Warmup | x", *where)

    def names(condition: str) -> list[str]:
        return [r["name"] for r in json.loads(printed(capsys, "ls", *where, "--json", "--filter", condition))["runs"]]

    assert names("tag=good") == names("tag ~ OO") == ["iris-2"] and len(names("tag!=good")) == 5
    assert names("note~warmup") == ["iris-5"]
    shown = printed(capsys, "ls", *where)
    assert "good wide" in shown and "With Warmup" in shown
    assert "With Warmup | x" in printed(capsys, "show", "iris-5", *where)
    printed(capsys, "tag", "iris-2", "good", "wide", "--remove", *where)
    printed(capsys, "note", "iris-5", "", *where)
    assert "tags" not in printed(capsys, "ls", *where)
    assert "this is no tag" in printed(capsys, "tag", "iris-2", "9 lives", *where, code=2)


def test_notes_that_are_none_do_not_stop_the_list(tmp_path: Path) -> None:
    from dltrain.errors import DltrainError
    from dltrain.runs.listing import row

    folder = RunFolder.create(tmp_path, "a")
    tag(folder, ["b"])
    annotate(folder, " text\n")
    assert read_notes(folder).tags == ("b",) and read_notes(folder).note == "text"
    (folder.path / "notes.json").write_text('{"tags": "b"}')
    with pytest.raises(DltrainError, match="these are no notes of a run"):
        tag(folder, ["c"])
    assert row(folder).status == "damaged"


def made(name: str, value: float | None, metric: str = "validation.accuracy", **more: Any) -> RunRow:
    """A run with a result."""
    best = {"metric": metric, "value": value, **more} if value is not None else None
    status = more.get("status", "epochs")
    return RunRow(name, Path(name), status, 1, {"best": best}, 1)


def test_the_best_of_each_name_and_metric_are_kept() -> None:
    rows = [
        *(made("a-1", 0.7), made("a-2", 0.9), made("a-3", 0.8), made("a-10", 0.9)),
        *(made("b-1", 0.4, "validation.loss"), made("b-2", 0.3, "validation.loss"), made("b-3", 0.2)),
        made("c-1", 0.9, violation=0.1), made("c-2", 0.5, violation=0.0),
        made("a-4", None), made("a-5", 0.1, status="signal"), made("a-6", 0.1, "validation.luck"),
    ]  # fmt: skip
    behind, unranked = surplus(rows, 1)
    assert sorted(row.name for row in behind) == ["a-1", "a-10", "a-3", "b-1", "c-1"]
    assert [row.name for row in unranked] == ["a-4", "a-5", "a-6"]
    assert {row.name for row in surplus(rows, 2)[0]} == {"a-1", "a-3"}
    assert higher_is_better("validation.luck") is None and higher_is_better("test.genre.mean_squared_error") is False


def test_rm_keeps_the_best(tmp_path: Path, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import shutil

    root = tmp_path / "runs"
    shutil.copytree(folder, root)
    best = {r["name"]: r["summary"]["best"]["value"] for r in json.loads(
        printed(capsys, "ls", "--runs", str(root), "--json"))["runs"]}  # fmt: skip
    assert "which runs?" in printed(capsys, "rm", "--runs", str(root), "--yes", code=2)
    assert "--yes removes it" in printed(capsys, "rm", "--keep-best", "2", "--runs", str(root), code=2)
    printed(capsys, "rm", "--keep-best", "1", "--filter", "seed=4", "--runs", str(root), "--yes")
    worse = max(("iris-2", "iris-5"), key=best.__getitem__)
    assert {path.name for path in root.iterdir()} == set(best) - {worse}
    printed(capsys, "rm", "--keep-best", "2", "--runs", str(root), "--yes")
    assert {path.name for path in root.iterdir()} == set(sorted(set(best) - {worse}, key=best.__getitem__)[:2])
    assert json.loads(printed(capsys, "rm", "--keep-best", "2", "--runs", str(root), "--yes", "--json")) == {
        "removed": []
    }
