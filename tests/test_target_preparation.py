"""Prepared targets of a regression: the loss is theirs, metrics and predictions keep the unit of the data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import mean_absolute_error, r2_score

from dltrain import api
from dltrain.data.examples import Examples
from dltrain.errors import ConfigError, DataError, UsageError
from dltrain.registry import create, entries

METRICS = ["r2", "mean_absolute_error"]
INVERTIBLE = [name for name, entry in entries("preparation").items() if hasattr(entry.make, "invert")]


def houses(**changes: Any) -> dict[str, Any]:
    base: dict[str, Any] = {
        "name": "houses",
        "task": "regression",
        "data": {
            "source": {"csv": {"path": "houses.csv", "target": ["price", "rent"]}},
            "split": {"random": {"validation": 0.2, "test": 0.2, "seed": 1}},
            "prepare": ["standardize"],
            "prepare_target": ["log1p", "standardize"],
        },
        "model": {"graph": {"y": [{"dense": 8}, "tanh", "dense"]}},
        "metrics": ["r2", "mean_absolute_error"],
        "optimizer": {"adam": 0.02},
        "train": {"epochs": 40, "batch_size": 16},
    }
    return base | changes


@pytest.fixture(autouse=True)
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """200 houses: prices of some hundred thousands, rents of some thousands."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, (200, 2))
    price = np.exp(12 + x[:, 0] + 0.5 * x[:, 1])
    rows = [f"{a:.5f},{b:.5f},{p:.2f},{p / 100 + 50 * b:.2f}" for (a, b), p in zip(x, price, strict=True)]
    path = tmp_path / "houses.csv"
    path.write_text("a,b,price,rent\n" + "\n".join(rows) + "\n")
    return path


def test_these_can_be_undone() -> None:
    assert INVERTIBLE == ["scale", "standardize", "min_max", "log1p"]


@pytest.mark.parametrize("name", INVERTIBLE)
def test_what_is_prepared_is_restored(name: str) -> None:
    step = create("preparation", name)
    y = np.random.default_rng(0).uniform(0.5, 900, (50, 3))
    constants = step.fit(Examples({"x": y}, np.arange(50)))
    prepared = step.apply(y, constants)
    assert np.abs(prepared - y).max() > 1
    np.testing.assert_allclose(step.invert(prepared, constants), y, rtol=1e-12)


def test_metrics_and_predictions_are_in_the_unit_of_the_data(table: Path) -> None:
    summary = api.fit(houses())
    run = api.load_run(summary["run"])
    run.read_data()
    test = run.session.data.parts["test"]
    rows = np.loadtxt(table, delimiter=",", skiprows=1)[test.ids]
    said = np.array([[p["price"], p["rent"]] for p in api.predict(summary["run"], ["houses.csv"])["predictions"]])
    said = said[test.ids]
    assert said[:, 0].min() > 20_000
    found = api.evaluate(summary["run"])["metrics"]
    assert found["mean_absolute_error"] == pytest.approx(mean_absolute_error(rows[:, 2:], said), rel=1e-4)
    assert found["r2"] == pytest.approx(r2_score(rows[:, 2:], said), rel=1e-5) and found["r2"] > 0.9
    assert found["loss"] < 0.1  # of targets with deviation 1
    prepared = np.log1p(rows[:, 2:])
    mean, deviation = (run.session.data.constants[f"target.1.standardize.{n}"] for n in ("mean", "deviation"))
    np.testing.assert_allclose(test.columns["y"], (prepared - mean) / deviation, rtol=1e-4, atol=1e-5)
    everything = api.evaluate(summary["run"], data="houses.csv")
    assert everything["samples"] == 200 and everything["metrics"]["r2"] > 0.9


def test_what_is_restored_is_finite_or_refused(tmp_path: Path) -> None:
    """exp of a large output was null in the answer, with exit code 0; above 3e38 float32 has no number, float64 has."""
    data = houses()["data"] | {"prepare": [], "prepare_target": ["log1p"]}
    model = {"graph": {"y": [{"dense": {"units": 2, "kernel_initializer": {"constant": 1.0}}}]}}
    for name in "ab":
        api.fit(houses(name=name, data=data, model=model, train={"epochs": 1}))
    for size, fine in ((50, True), (120, True), (1000, False)):
        (tmp_path / "new.csv").write_text(f"a,b,price,rent\n1,1,3,3\n{size},{size},5,5\n")
        if fine:
            _, second = api.predict("a", ["new.csv"])["predictions"]
            assert np.log(second["price"]) > size and np.isfinite(second["rent"])
            assert api.evaluate("a", data="new.csv")["metrics"]["mean_absolute_error"] > np.exp(size)
            continue
        for names in ("a", ["a", "b"]):
            with pytest.raises(DataError, match=r"new\.csv, sample 1: the model's output is not finite; are the feat"):
                api.predict(names, ["new.csv"])
            with pytest.raises(DataError, match=r"a-1, new\.csv: loss and metrics are not finite, since an output"):
                api.evaluate(names, data="new.csv")


def test_some_columns_alone() -> None:
    data = houses()["data"] | {"prepare_target": [{"scale": {"by": 1000, "columns": ["price"]}}]}
    run = api.load_run(api.fit(houses(data=data, train={"epochs": 1}))["run"])
    values = np.array([[2.0, 2.0]])
    assert run.session.data.restore(values).tolist() == [[2000.0, 2.0]]


def test_a_baseline_learns_them_too() -> None:
    spec = {key: value for key, value in houses().items() if key not in ("model", "optimizer", "train")}
    found = api.fit(spec | {"baseline": "linear_regression"})["test"]
    assert found["r2"] > 0.9 and found["mean_absolute_error"] > 5 and found["loss"] < 0.01


def test_an_ensemble_needs_targets_of_one_scale() -> None:
    data = houses()["data"]
    for name, changes in (("a", {}), ("b", {}), ("c", {"prepare_target": ["standardize"]})):
        api.fit(houses(name=name, seed=ord(name), data=data | changes, train={"epochs": 2}))
    each = [api.evaluate(name)["metrics"]["mean_absolute_error"] for name in ("a", "b")]
    assert api.evaluate(["a", "b"])["metrics"]["mean_absolute_error"] < max(each)
    with pytest.raises(UsageError, match="c-1: the runs of an ensemble prepare their targets alike"):
        api.evaluate(["a", "c"])


@pytest.mark.parametrize(
    ("targets", "said"),
    [
        (["pca"], r"data\.prepare_target\.0: pca cannot be undone.*expected scale, standardize, min_max, log1p"),
        (
            [{"scale": {"columns": ["cost"]}}],
            r"data\.prepare_target\.0\.scale\.columns\.0: there is no such column",
        ),
        (["standardise"], r"data\.prepare_target\.0.*did you mean 'standardize'"),
    ],
)
def test_what_cannot_be(targets: list[Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        api.fit(houses(data=houses()["data"] | {"prepare_target": targets}))


def test_classes_are_no_numbers_to_prepare() -> None:
    spec = {"name": "a", "data": {"source": "iris", "prepare_target": ["standardize"]}}
    with pytest.raises(ConfigError, match=r"data\.prepare_target: the targets are no numbers to prepare"):
        api.fit(spec | {"model": {"graph": {"y": ["dense"]}}})


def of_heads(price: list[Any], rent: list[Any], **changes: Any) -> dict[str, Any]:
    """The same houses by a head for the price, one for the rent, and one that tells the dear from the cheap."""
    heads = {
        "price": {"task": "regression", "target": "price", "prepare_target": price, "metrics": METRICS},
        "dear": {"task": "binary_classification", "target": "dear", "weight": 0.1},
        "rent": {"task": "regression", "target": "rent", "prepare_target": rent, "metrics": METRICS},
    }
    graph = {"h": [{"dense": 8}, "tanh"], **{name: [{"from": "h"}, "dense"] for name in heads}}
    source = {"csv": {"path": "heads.csv", "target": ["price", "rent", "dear"]}}
    data = {key: value for key, value in houses()["data"].items() if key != "prepare_target"} | {"source": source}
    model = {"outputs": list(heads), "graph": graph}
    spec = houses(task={"multi_task": {"heads": heads}}, model=model, data=data)
    return {key: value for key, value in (spec | changes).items() if key != "metrics"}


@pytest.fixture
def heads_table(table: Path) -> Path:
    header, *lines = table.read_text().splitlines()
    rows = [f"{line},{'yes' if float(line.split(',')[2]) > 170_000 else 'no'}" for line in lines]
    path = table.with_name("heads.csv")
    path.write_text("\n".join([f"{header},dear", *rows]))
    return path


def test_each_head_prepares_the_numbers_it_learns(heads_table: Path) -> None:
    """Loss of prepared targets; metrics, predictions, new data, and the other heads in the unit of the data."""
    summary = api.fit(of_heads(["log1p", "standardize"], [{"scale": 1000}]))
    run = api.load_run(summary["run"])
    run.read_data()
    data, test = run.session.data, run.session.data.parts["test"]
    raw = np.array([[float(v) for v in line.split(",")[:4]] for line in heads_table.read_text().splitlines()[1:]])
    rows = raw[test.ids]
    mean, deviation = (data.constants[f"target.price.1.standardize.{name}"] for name in ("mean", "deviation"))
    place = {name: slice(*data.heads[name]["columns"]) for name in ("price", "dear", "rent")}
    y = test.columns["y"]
    np.testing.assert_allclose(y[:, place["price"]], (np.log1p(rows[:, 2:3]) - mean) / deviation, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(y[:, place["rent"]], rows[:, 3:4] / 1000, rtol=1e-5)
    assert y[:, place["dear"]].ravel().tolist() == (rows[:, 2] > 170_000).tolist()
    said = api.predict(summary["run"], ["heads.csv"])["predictions"]
    found = api.evaluate(summary["run"])["metrics"]
    for name, column in (("price", 2), ("rent", 3)):
        values = np.array([row[name][name] for row in said])[test.ids]
        assert found[f"{name}.mean_absolute_error"] == pytest.approx(
            mean_absolute_error(rows[:, column], values), rel=1e-4
        )
        assert found[f"{name}.r2"] == pytest.approx(r2_score(rows[:, column], values), rel=1e-4)
        assert found[f"{name}.r2"] > 0.8 and found[f"{name}.loss"] < 0.2
    assert api.evaluate(summary["run"], data="heads.csv")["metrics"]["price.r2"] > 0.8
    other = api.fit(of_heads(["standardize"], [{"scale": 1000}], name="other"))["run"]
    with pytest.raises(UsageError, match="prepare their targets alike"):
        api.evaluate([summary["run"], other])


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("dear", ["standardize"], r"task\.multi_task\.heads\.dear\.prepare_target: the targets are no numbers"),
        ("price", ["pca"], r"heads\.price\.prepare_target\.0: pca cannot be undone"),
        ("rent", [{"scale": {"columns": ["price"]}}], r"heads\.rent\.prepare_target\.0\.scale\.columns\.0: there is"),
        ("", ["standardize"], r"data\.prepare_target: each head prepares targets of its own; write `pr"),
    ],
)  # fmt: skip
def test_what_a_head_cannot_prepare(heads_table: Path, key: str, value: list[Any], said: str) -> None:
    spec = of_heads([], [])
    (spec["task"]["multi_task"]["heads"][key] if key else spec["data"])["prepare_target"] = value
    with pytest.raises(ConfigError, match=said):
        api.check(spec)


def test_a_target_that_does_not_suit_is_named(table: Path) -> None:
    lines = table.read_text().splitlines()
    lines[7] = "0,0,-5,3"
    table.write_text("\n".join(lines))
    data = houses()["data"] | {"split": "chronological"}
    with pytest.raises(DataError, match=r"houses.csv:8, 'price': this value has no logarithm; .*got -5"):
        api.fit(houses(data=data))
