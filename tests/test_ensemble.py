"""Ensembles: the mean of what several runs predict, measured beside each of them."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, log_loss
from small_runs import iris

from dltrain import api
from dltrain.cli.main import run as command
from dltrain.errors import DataError, UsageError
from dltrain.registry import create
from dltrain.training.ensemble import Ensemble

WITHOUT = ("model", "optimizer", "regularize", "train", "hooks")
SPLIT = {"stratified": {"validation": 0.15, "test": 0.3, "seed": 1}}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three runs on one split: two seeds, and another model with another preparation."""
    folder = tmp_path_factory.mktemp("runs")
    other = {"model__graph": {"logits": [{"dense": 5}, "tanh", "dense"]}, "data__prepare": [{"scale": 8}]}
    for name, changes in (("a", {"seed": 1}), ("b", {"seed": 2}), ("c", {"seed": 3, **other})):
        api.fit(iris(name=name, data__split=SPLIT, **changes), runs=folder)
    return folder


def shares(predictions: list[dict[str, Any]]) -> np.ndarray:
    return np.array([list(row["probabilities"].values()) for row in predictions])


@pytest.mark.parametrize(
    ("task", "link"),
    [
        *(("classification", link) for link in ("softmax", "identity")),
        *(("binary_classification", link) for link in ("sigmoid", "softmax")),
        *(("multi_label", link) for link in ("sigmoid", "softmax")),
        ("regression", "identity"),
    ],
)
def test_what_an_ensemble_predicts_is_the_mean_of_the_predictions(task: str, link: str) -> None:
    bound, width = create("task", task), 1 if task == "binary_classification" else 4
    names = ["no", "yes"] if width == 1 else list("pqrs")
    data: Any = SimpleNamespace(classes=names, target_names=names)
    rng = np.random.default_rng(0)
    outputs = [(10.0**size * rng.standard_normal((6, width))).astype("float32") for size in (0, 1, 3)]

    def table(array: np.ndarray) -> np.ndarray:
        return np.array([list(row.get("probabilities", row).values()) for row in bound.predict(array, data, link)])

    mean = bound.combine(outputs, link)
    assert mean.dtype == np.float32 and np.isfinite(mean).all()
    np.testing.assert_allclose(table(mean), np.mean([table(o) for o in outputs], axis=0), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(table(bound.combine(outputs[:1], link)), table(outputs[0]), rtol=1e-5, atol=1e-6)


def test_an_ensemble_is_measured_beside_its_members(runs: Path) -> None:
    """Against scikit-learn, from the probabilities of the members' own predictions."""
    names = ["a", "b", "c"]
    found = api.evaluate(names, runs=runs)
    assert found["run"] is None and found["checkpoint"] is None and found["samples"] == 45
    for name, member in zip(names, found["members"], strict=True):
        alone = api.evaluate(name, runs=runs)
        assert (member["run"], member["checkpoint"]) == (alone["run"], alone["checkpoint"])
        assert member["metrics"] == alone["metrics"]
    loaded = [api.load_run(name, runs=runs) for name in names]
    outputs, labels = [], np.empty(0)
    for run in loaded:
        loader = run.loader("test")
        labels = loader.targets
        outputs.append(run.session.evaluator().outputs({wire: loader.sources[wire] for wire in loader.sources}))
    predicted = [shares(run.session.task.predict(o)) for run, o in zip(loaded, outputs, strict=True)]
    mean = np.mean(predicted, axis=0)
    assert found["metrics"]["loss"] == pytest.approx(log_loss(labels, mean), rel=1e-6)
    assert found["metrics"]["accuracy"] == pytest.approx(accuracy_score(labels, mean.argmax(axis=1)))
    assert np.array(found["confusion"]).sum() == 45


def test_predictions_of_an_ensemble_are_means(runs: Path, tmp_path: Path) -> None:
    x = 5 + np.random.default_rng(0).standard_normal((7, 4))
    np.save(tmp_path / "x.npy", x)
    each = [shares(api.predict(name, [tmp_path / "x.npy"], runs=runs)["predictions"]) for name in ("a", "c")]
    together = api.predict(["a", "c"], [tmp_path / "x.npy"], runs=runs)
    np.testing.assert_allclose(shares(together["predictions"]), np.mean(each, axis=0), rtol=1e-5)
    assert together["run"] is None and [Path(member).name for member in together["members"]] == ["a-1", "c-1"]


def test_the_mean_of_regressions_is_the_mean_of_their_values(tmp_path: Path) -> None:
    def config(seed: int) -> dict[str, Any]:
        split = {"random": {"seed": 4}}
        data = {"source": "diabetes", "split": split, "prepare": ["standardize"]}
        model = {"graph": {"y": [{"dense": 4}, "tanh", "dense"]}}
        return {"name": f"r{seed}", "seed": seed, "task": "regression", "data": data, "model": model}

    names = [
        Path(api.fit({**config(seed), "optimizer": {"adam": 0.1}, "train": {"epochs": 20}}, runs=tmp_path)["run"]).name
        for seed in (1, 2)
    ]
    found = api.evaluate(names, runs=tmp_path)
    values = []
    for name in names:
        run = api.load_run(name, runs=tmp_path)
        loader = run.loader("test")
        values.append(run.session.evaluator().outputs(loader.sources)["y"].astype(np.float64))
    wanted = np.mean((np.mean(values, axis=0) - loader.targets) ** 2)
    each = [member["metrics"]["loss"] for member in found["members"]]
    assert each == pytest.approx([np.mean((own - loader.targets) ** 2) for own in values], rel=1e-6)
    assert found["metrics"]["loss"] == pytest.approx(wanted, rel=1e-6)
    apart = (
        np.mean((values[0] - values[1]) ** 2) / 4
    )  # by so much a mean of two squares lies above the square of the mean
    assert apart > 1e-3 and np.mean(each) - found["metrics"]["loss"] == pytest.approx(apart, rel=1e-2)
    assert found["per_class"] is None


def test_losses_that_read_one_logit_alike_go_together(tmp_path: Path) -> None:
    """Binary cross-entropy and focal were taken for different links; of many classes they have them."""
    model, losses = {"graph": {"y": ["dense"]}}, ("binary_cross_entropy", "focal")
    for task, source in (("binary_classification", "breast_cancer"), ("classification", "iris")):
        names = [f"{source}-{loss}" for loss in losses]
        for name, loss in zip(names, losses, strict=True):
            spec = {"task": task, "data": {"source": source, "split": SPLIT}, "model": model, "loss": loss}
            api.fit({"name": name, **spec, "train": {"epochs": 1}}, runs=tmp_path)
        if task == "classification":
            with pytest.raises(UsageError, match="turn outputs into probabilities alike"):
                api.evaluate(names, runs=tmp_path)
            continue
        x = 10 * np.random.default_rng(0).random((5, 30))
        each = [shares(api.load_run(name, runs=tmp_path).predict(x)) for name in names]
        both = shares(Ensemble([api.load_run(name, runs=tmp_path) for name in names]).predict(x))
        np.testing.assert_allclose(both, np.mean(each, axis=0), rtol=1e-5, atol=1e-7)


def test_runs_that_do_not_belong_together_are_refused(runs: Path, tmp_path: Path) -> None:
    own = iris(name="own", seed=9, data__split={"stratified": {"validation": 0.15, "test": 0.3}})
    stranger = api.fit(own, runs=runs)["run"]
    with pytest.raises(DataError, match="test part of this run has other examples than that of a-1"):
        api.evaluate(["a", stranger], runs=runs)
    api.fit(iris(name="wine", data__source="wine"), runs=runs)
    with pytest.raises(DataError, match="wine-1: the runs of an ensemble share their data; expected fingerprint"):
        api.evaluate(["a", "wine"], runs=runs)
    model = {"graph": {"y": ["dense"]}}
    api.fit({**iris(name="values", data__source="diabetes", model=model, metrics=None), "task": "regression",
             "data": {"source": "diabetes"}}, runs=runs)  # fmt: skip
    with pytest.raises(UsageError, match="solve one task; expected classification; got regression"):
        api.evaluate(["a", "values"], runs=runs)
    with pytest.raises(UsageError, match="a-1: the run is named twice"):
        api.predict(["a", "a-1"], [], runs=runs)
    with pytest.raises(UsageError, match="no run is named"):
        api.evaluate([], runs=runs)


def test_the_command_shows_the_ensemble_first(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(["evaluate", "a", "b", "--runs", str(runs)]) == 0
    text = capsys.readouterr().out
    assert "ensemble of 2 runs" in text and "a-1" in text and "b-1" in text
    assert command(["evaluate", "a", "b", "--runs", str(runs), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [Path(member["run"]).name for member in found["members"]] == ["a-1", "b-1"]
    assert command(["evaluate", "a", "--runs", str(runs), "--checkpoint", "average"]) == 0
    assert "mean of the checkpoints of steps" in capsys.readouterr().out


def test_the_seed_of_a_split_decides_alone() -> None:
    from dltrain.data.examples import Pool

    pool = Pool({"x": np.zeros((60, 2)), "y": np.arange(60) % 3}, "test")
    labels = np.arange(60) % 3
    for kind in ("random", "stratified"):
        first, other = (create("split", {kind: {"seed": 5}}).split(pool, labels, seed) for seed in (1, 2))
        assert all((first[part] == index).all() for part, index in other.items())
        default = create("split", kind).split(pool, labels, 5)
        assert all((first[part] == index).all() for part, index in default.items())


def test_members_may_name_their_wires_otherwise_and_may_be_baselines(runs: Path) -> None:
    other = {"graph": {"out": [{"dense": 8}, "tanh", "dense"]}}
    api.fit(iris(name="other", model=other, data__split=SPLIT), runs=runs)
    spec = {k: v for k, v in iris(name="classic", data__split=SPLIT).items() if k not in WITHOUT}
    api.fit(spec | {"baseline": "random_forest"}, runs=runs)
    for pair in (["a", "other"], ["other", "a"], ["a", "classic"], ["classic", "other"]):
        found = api.evaluate(pair, runs=runs)
        assert found["metrics"]["loss"] <= max(member["metrics"]["loss"] for member in found["members"])
    x = 5 + np.random.default_rng(0).standard_normal((7, 4))
    each = [shares(api.load_run(name, runs=runs).predict(x)) for name in ("a", "classic")]
    both = shares(Ensemble([api.load_run(name, runs=runs) for name in ("a", "classic")]).predict(x))
    np.testing.assert_allclose(both, np.mean(each, axis=0), rtol=1e-5)
