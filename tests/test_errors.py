"""`dltrain errors`: what it counts, what it writes, and what tags say."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from picture_files import folder as pictures

from dltrain import api
from dltrain.cli.main import run
from dltrain.diagnose.mistakes import Mistakes, mistakes_of
from dltrain.diagnose.tags import HEADER, analysis, read_tags
from dltrain.errors import DataError, UsageError
from dltrain.training.trained import load_run


def small_fit(**keys: Any) -> Path:
    """A run on the iris flowers that is not trained to the end."""
    settings = {
        "name": "small",
        "data": {"source": "iris", "prepare": ["standardize"], "split": {"stratified": {"validation": 60, "test": 0}}},
        "model": {"graph": {"logits": [{"dense": 3}]}},
        "train": {"epochs": 1},
        **keys,
    }
    return Path(api.fit(settings, runs="runs")["run"])


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_it_counts_as_evaluate_does() -> None:
    small_fit()
    found, measured = api.errors("small"), api.evaluate("small", split="validation")
    assert found["samples"] == measured["samples"] == 60
    assert found["error"] == pytest.approx(1 - measured["metrics"]["accuracy"])
    confusion = np.array(measured["confusion"])
    names = ["setosa", "versicolor", "virginica"]
    pairs = {(r["label"], r["prediction"]): r["count"] for r in found["confused"]}
    assert pairs == {
        (names[i], names[j]): confusion[i, j] for i in range(3) for j in range(3) if i != j and confusion[i, j]
    }
    assert {r["label"]: (r["samples"], r["errors"]) for r in found["classes"]} == {
        name: (row.sum(), row.sum() - row[i]) for i, (name, row) in enumerate(zip(names, confusion, strict=True))
    }


def test_losses_are_those_of_each_example_and_come_worst_first() -> None:
    loaded = load_run(small_fit())
    examples = loaded.loader("validation").examples
    found = mistakes_of(loaded, examples)[""]
    assert (np.diff(found.loss) <= 0).all() and sorted(found.ids) == sorted(examples.ids)
    measured = api.evaluate("small", split="validation")["metrics"]["loss"]
    assert found.loss.mean() == pytest.approx(measured, rel=1e-5)
    assert (examples.ids[found.rows] == found.ids).all()


def test_a_regression_has_residuals_in_the_unit_of_the_data() -> None:
    data = {"source": "diabetes", "prepare": ["standardize"], "prepare_target": ["standardize"]}
    small_fit(task="regression", data=data, model={"graph": {"y": ["dense"]}})
    found = api.errors("small")
    worst = found["worst"][0]
    assert worst["loss"] == pytest.approx((worst["label"] - worst["prediction"]) ** 2, rel=1e-5) and worst["label"] > 20
    assert found["errors"] is None and found["files"] == [] and found["folder"] is None
    assert 0.1 < found["concentration"][1]["of_loss"] < 1


def test_ignored_labels_are_no_mistakes(here: Path) -> None:
    rng = np.random.default_rng(0)
    np.savez(here / "a.npz", x=rng.standard_normal((200, 3)), y=np.array(["a", "b", "?", "b"] * 50))
    data = {"source": {"npz": {"path": "a.npz"}}}
    small_fit(task={"classification": {"ignore_label": "?"}}, data=data, model={"graph": {"y": ["dense"]}})
    found = api.errors("small", split="train")
    assert {r["label"] for r in found["classes"]} <= {"a", "b"} and found["samples"] < 200 * 0.8


def test_a_task_without_single_mistakes_is_refused() -> None:
    small_fit()
    loaded = load_run("small", runs="runs")
    examples = loaded.loader("validation").examples
    loaded.session.task.task.needs = "masks"
    with pytest.raises(UsageError, match="the mistakes of a classification are not listed yet"):
        mistakes_of(loaded, examples)


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def write(path: Path, rows: list[dict[str, str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, HEADER)
        writer.writeheader()
        writer.writerows(rows)


def test_tags_are_added_up_and_kept(capsys: pytest.CaptureFixture[str]) -> None:
    small_fit()
    found = api.errors("small")
    path = Path(found["folder"]) / "errors.csv"
    rows = rows_of(path)
    assert len(rows) == found["errors"] >= 4 and [row["tags"] for row in rows] == [""] * len(rows)
    rows[0]["tags"], rows[1]["tags"], rows[2]["tags"] = "short petals; dry", "dry", "odd"
    rows[3]["right_label"] = rows[3]["prediction"]
    write(path, rows)
    table = api.errors("small", tags=path)["tags"]
    assert (table["examined"], table["wrong_labels"]) == (4, 1)
    assert [(r["tag"], r["count"], r["share"]) for r in table["ceilings"]] == [
        ("dry", 2, 0.5), ("short petals", 1, 0.25), ("odd", 1, 0.25),
    ]  # fmt: skip
    assert table["ceilings"][0]["points"] == pytest.approx(50 * found["error"])
    assert table["corrected_error"] == pytest.approx(0.75 * found["error"])
    assert [row["tags"] for row in rows_of(path)][:3] == ["short petals; dry", "dry", "odd"]  # written again, and kept
    assert run(["errors", "small", "--tags", str(path)]) == 0
    assert "with these corrected" in capsys.readouterr().out


def test_no_tag_is_lost_and_added_columns_stay() -> None:
    small_fit()
    path = Path(api.errors("small")["folder"]) / "errors.csv"
    rows = [{**row, "note": "ask"} for row in rows_of(path)]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, (*HEADER, "note"))
        writer.writeheader()
        writer.writerows(rows)
    api.errors("small")
    assert [row["note"] for row in rows_of(path)] == ["ask"] * len(rows)
    right = {**rows[0], "id": "99999", "tags": "blurry", "note": ""}  # tagged when another checkpoint had it wrong
    with path.open("a", encoding="utf-8", newline="") as file:
        csv.DictWriter(file, (*HEADER, "note")).writerow(right)
    before = path.read_bytes()
    with pytest.raises(UsageError, match=r"1 tagged examples, such as 99999, are no mistakes now.*--out DIR"):
        api.errors("small")
    assert path.read_bytes() == before


def mistakes() -> Mistakes:
    wrong = np.array([True, True, False])
    return Mistakes(
        np.array([7, 8, 9]), np.arange(3), list("aab"), list("bbb"), np.ones(3) / 2, np.ones(3), wrong, ["a", "b"]
    )


def row(id: str, tags: str = "", right_label: str = "") -> dict[str, str]:
    return {
        "id": id,
        "label": "a",
        "prediction": "b",
        "confidence": "",
        "loss": "",
        "tags": tags,
        "right_label": right_label,
    }


@pytest.mark.parametrize(
    ("table", "words"),
    [({"9": row("9", "dark")}, "example 9 is none of this run's mistakes"), ({"7": row("7")}, "nothing is tagged")],
)
def test_tags_that_do_not_fit(table: Any, words: str) -> None:
    with pytest.raises(DataError) as caught:
        analysis(table, mistakes(), "errors.csv")
    assert words in str(caught.value)


def test_a_label_that_is_wrong_but_not_as_predicted_excuses_nothing() -> None:
    found = analysis({"7": row("7", right_label="c"), "8": row("8", right_label="b")}, mistakes(), "errors.csv")
    assert found["wrong_labels"] == 2 and found["corrected_error"] == pytest.approx(found["error"] / 2)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"id,label\n1,a\n", "there is no column 'prediction'"),
        (b"", "there is no column 'id'"),
        (b"\xff\xfe\x00", "this is no table of text"),
        (b"id,label,prediction,confidence,loss,tags,right_label\n1,a,b\n", "errors.csv:2: the line has another number"),
        (b"id,label,prediction,confidence,loss,tags,right_label\n1,a,b,,,,\n1,a,b,,,,\n", "errors.csv:3: id 1 stands"),
    ],
)
def test_tables_that_cannot_be_read(content: bytes, words: str, here: Path) -> None:
    (here / "errors.csv").write_bytes(content)
    with pytest.raises(DataError) as caught:
        read_tags(here / "errors.csv")
    assert words in str(caught.value)


def test_pictures_come_as_a_sheet(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pictures(here / "data" / "set", count=20)
    source = {"image_folder": {"path": "set"}}
    small_fit(data={"source": source, "prepare": [{"scale": 255}]}, model={"graph": {"y": ["flatten", "dense"]}})
    found = api.errors("small", split="train", out="there")
    assert found["files"] == ["errors.csv", "errors.png"] and found["folder"] == str(here / "there")
    assert (here / "there" / "errors.png").read_bytes()[1:4] == b"PNG"
    assert run(["errors", "small", "--split", "train", "--json"]) == 0
    assert json.loads(capsys.readouterr().out).keys() == found.keys()


def test_without_pillow_there_is_a_note(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from dltrain.diagnose import errors

    def missing(*_: Any) -> bytes:
        raise ModuleNotFoundError("PIL")

    pictures(here / "data" / "set", count=20)
    small_fit(data={"source": {"image_folder": {"path": "set"}}}, model={"graph": {"y": ["flatten", "dense"]}})
    monkeypatch.setattr(errors, "contact_sheet", missing)
    found = api.errors("small", split="train")
    assert found["files"] == ["errors.csv"] and "dltrain[images]" in found["notes"][0]


def test_no_mistakes_are_said(capsys: pytest.CaptureFixture[str]) -> None:
    from dltrain.cli.errors import show

    show({"split": "test", "samples": 5, "errors": 0, "error": 0.0, "decision": None, "heads": []})
    assert capsys.readouterr().out.strip() == "test: 0 of 5 samples are wrong (0.00%)"


def table(here: Path) -> dict[str, Any]:
    """People whose answer is learned well but for those from one town."""
    rng = np.random.default_rng(0)
    towns, age = rng.choice(["Bonn", "Kiel", "Ulm"], 600), rng.integers(18, 90, 600)
    flip = (towns == "Ulm") & (rng.random(600) < 0.4)
    yes = (age > 50) ^ flip
    lines = [f"{a},{town},{'yes' if said else 'no'}" for a, town, said in zip(age, towns, yes, strict=True)]
    (here / "people.csv").write_text("\n".join(["age,town,answer", *lines]) + "\n")
    return {
        "task": "binary_classification",
        "data": {
            "source": {"csv": {"path": "people.csv", "target": "answer"}},
            "prepare": [{"one_hot": {}}, "standardize"],
            "split": {"random": {"validation": 0.5, "test": 0}},
        },
        "model": {"graph": {"y": ["dense"]}},
        "optimizer": {"adam": 0.05},
        "train": {"epochs": 30},
    }


def test_slices_by_a_column(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = table(here)
    small_fit(**settings)
    found = api.errors("small", by="town")
    rows = {row["slice"]: row for row in found["slices"]}
    assert found["slices"][0]["slice"] == "Ulm" and rows["Ulm"]["error"] > 0.25 > rows["Kiel"]["error"]
    assert sum(row["samples"] for row in rows.values()) == found["samples"] == 300
    assert sum(row["errors"] for row in rows.values()) == found["errors"]
    assert all(row["low"] <= row["error"] <= row["high"] for row in rows.values())
    people = [line.split(",") for line in (here / "people.csv").read_text().splitlines()[1:]]
    ids = load_run("small").loader("validation").examples.ids
    assert rows["Ulm"]["samples"] == sum(people[k][1] == "Ulm" for k in ids)
    ages = api.errors("small", by="age")["slices"]
    assert len(ages) == 5 and sum(row["samples"] for row in ages) == 300
    labels = {row["slice"]: row["errors"] for row in api.errors("small", by="label")["slices"]}
    assert labels == {row["label"]: row["errors"] for row in found["classes"]}
    with pytest.raises(UsageError, match="no such column.*did you mean 'town'"):
        api.errors("small", by="twon")
    assert run(["errors", "small", "--by", "town"]) == 0
    assert "95 % interval" in capsys.readouterr().out


def test_slices_of_a_regression() -> None:
    data = {"source": "diabetes", "prepare": ["standardize"], "prepare_target": ["standardize"]}
    small_fit(task="regression", data=data, model={"graph": {"y": ["dense"]}})
    rows = api.errors("small", by="sex")["slices"]
    assert len(rows) == 2 and rows[0]["errors"] is None and rows[0]["low"] >= rows[1]["low"]


def test_heads_and_labels_have_their_mistakes(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(2)
    kinds, odd = rng.integers(3, size=400), rng.random(400) < 0.2
    x = np.eye(3)[kinds] * 3 + rng.standard_normal((400, 3)) * 0.4
    np.savez(here / "heads.npz", x=x, y=np.stack([kinds, odd], 1))
    heads = {"kind": {"task": "classification", "target": 0}, "odd": {"task": "binary_classification", "target": 1}}
    split = {"random": {"validation": 0.4, "test": 0}}
    graph = {"kind": [{"from": "x"}, "dense"], "odd": [{"from": "x"}, "dense"]}
    data = {"source": {"npz": {"path": "heads.npz"}}, "split": split}
    model = {"inputs": {"x": None}, "graph": graph, "outputs": ["kind", "odd"]}
    small_fit(
        task={"multi_task": {"heads": heads}}, data=data, model=model, optimizer={"adam": 0.1}, train={"epochs": 9}
    )
    measured = api.evaluate("small", split="validation")["metrics"]
    found = api.errors("small")
    assert {row["head"]: 1 - row["error"] for row in found["heads"]} == pytest.approx(
        {name: measured[f"{name}.accuracy"] for name in ("kind", "odd")}
    )
    assert found["head"] == "odd" and Path(found["folder"]).name == "odd" and found["errors"] > 10
    assert api.errors("small", head="kind")["error"] == pytest.approx(1 - measured["kind.accuracy"])
    with pytest.raises(UsageError, match="no such head or label"):
        api.errors("small", head="even")
    np.savez(here / "labels.npz", x=x, y=np.stack([kinds == 0, odd], 1).astype(int))
    data = {"source": {"npz": {"path": "labels.npz"}}, "split": split}
    small_fit(name="labels", task="multi_label", data=data, model={"graph": {"y": ["dense"]}}, train={"epochs": 5})
    found = api.errors("labels")
    assert len(found["heads"]) == 2 and {row["label"] for row in found["classes"]} <= {"yes", "no"}
    assert run(["errors", "labels"]) == 0
    assert "head" in capsys.readouterr().out
