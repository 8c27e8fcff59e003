"""Runs of baselines: every command, saved without pickle, fitted again and compared, stopped and resumed."""

from __future__ import annotations

import json
import signal
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from small_runs import iris, result
from test_cli_runs import FIT_KEYS, call, promised

from dltrain import api, config
from dltrain.baselines import fitting
from dltrain.errors import ConfigError, CorruptFileError, DataError, NumericsError, UsageError
from dltrain.registry import entries
from dltrain.runs.folder import RunFolder
from dltrain.training import baseline as training_baseline
from dltrain.training import baseline_model, checkpoint
from dltrain.training.progress import SilentProgress

WITHOUT = ("model", "optimizer", "regularize", "train", "hooks")


def flowers(spec: Any = "random_forest", **changes: Any) -> dict[str, Any]:
    whole = iris(baseline=spec, **changes)
    return {key: value for key, value in whole.items() if key not in WITHOUT}


class Listener(SilentProgress):
    def __init__(self) -> None:
        self.said: list[str] = []

    def message(self, text: str) -> None:
        self.said.append(text)


def newest(run: str) -> Path:
    path = checkpoint.newest_valid(RunFolder.open(run).checkpoints_path).path
    assert path is not None
    return path


def test_a_run_is_loaded_by_fitting_again(tmp_path: Path) -> None:
    summary = api.fit(flowers(), runs=tmp_path)
    assert summary["stopped"] == "fitted"
    assert summary["best"]["metric"] == "validation.loss"
    assert set(summary["metrics"]["validation"]) == {"loss", "accuracy", "f1"} == set(summary["test"])
    for split in ("train", "validation"):
        assert api.evaluate(summary["run"], split=split)["metrics"] == summary["metrics"][split]
    found = api.evaluate(summary["run"])
    assert found["metrics"] == summary["test"]
    assert np.sum(found["confusion"]) == found["samples"] == sum(row["support"] for row in found["per_class"])
    again = api.fit(flowers(), runs=tmp_path)
    assert result(again["run"]) == result(summary["run"])
    assert result(api.fit(flowers(seed=6), runs=tmp_path)["run"]) != result(summary["run"])


def test_nothing_that_scikit_learn_made_is_saved(tmp_path: Path) -> None:
    summary = api.fit(flowers(), runs=tmp_path)
    files = {str(path.relative_to(summary["run"])) for path in Path(summary["run"]).rglob("*") if path.is_file()}
    known = {".dltrain-run.json", "config.yaml", "environment.json", "metrics.jsonl", "origin.json"}
    known |= {"provenance.json", "summary.json"}
    assert {f for f in files if not f.endswith(".lock")} == {*known, "timing.jsonl", "checkpoints/step-00000001.h5"}
    arrays, _ = checkpoint.load(newest(summary["run"]))
    assert {name for name in arrays if name.startswith("model/")} == {"model/proof", "model/version"}
    assert arrays["model/proof"].shape == (len(arrays["model/proof"]), 3)
    for file in files:
        assert b"sklearn." not in Path(summary["run"], file).read_bytes()


def tamper(run: str, **changes: Any) -> None:
    path = newest(run)
    arrays, meta = checkpoint.load(path)
    for name, value in changes.items():
        arrays.pop(f"model/{name}", None)
        if value is not None:
            arrays[f"model/{name}"] = value
    checkpoint.save(path.parent, 1, arrays, meta)


def test_another_fit_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = api.fit(flowers(), runs=tmp_path)["run"]
    tamper(run, version=np.frombuffer(b"0.99", np.uint8))
    api.evaluate(run)  # the version alone does not matter: what counts is what it says
    monkeypatch.setattr(fitting, "random_state", lambda seed: seed)  # as if another version drew otherwise
    with pytest.raises(NumericsError, match=r"says something else.*scikit-learn 0\.99.*install scikit-learn 0\.99"):
        api.evaluate(run)


@pytest.mark.parametrize(
    "changes",
    [
        {"proof": None},
        {"version": None},
        {"more": np.zeros(3)},
        {"proof": np.zeros((3, 3))},
        {"version": np.zeros(0, np.uint8)},
        {"version": np.zeros(10**6, np.uint8)},
    ],
)
def test_a_hostile_checkpoint_is_refused(changes: dict[str, Any], tmp_path: Path) -> None:
    run = api.fit(flowers("gaussian_naive_bayes"), runs=tmp_path)["run"]
    tamper(run, **changes)
    with pytest.raises(CorruptFileError, match="the checkpoint is none of"):
        api.evaluate(run)


def test_a_hostile_proof_is_no_proof(tmp_path: Path) -> None:
    run = api.fit(flowers("gaussian_naive_bayes"), runs=tmp_path)["run"]
    proof = checkpoint.load(newest(run))[0]["model/proof"]
    tamper(run, proof=np.full_like(proof, np.nan))
    with pytest.raises(NumericsError, match="says something else"):
        api.evaluate(run)


def test_other_data_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    rows = [f"{i % 7},{i % 5},{'yes' if i % 3 else 'no'}" for i in range(60)]
    file.write_text("\n".join(["a,b,label", *rows]) + "\n")
    (tmp_path / "t.yaml").write_text("data: {source: {csv: {path: a.csv, target: label}}}\nbaseline: decision_tree\n")
    run = api.fit(tmp_path / "t.yaml", runs=tmp_path)["run"]
    assert api.evaluate(run)["samples"]
    file.write_text("\n".join(["a,b,label", "9,9,no", *rows[1:]]) + "\n")
    with pytest.raises(DataError, match="not those the run was started with"):
        api.evaluate(run)


def test_a_finished_run_is_not_fitted_anew(tmp_path: Path) -> None:
    first = api.fit(flowers(), runs=tmp_path)
    before = newest(first["run"]).read_bytes(), (Path(first["run"]) / "metrics.jsonl").read_bytes()
    second = api.fit(flowers(), runs=tmp_path, resume=True)
    assert second["run"] == first["run"]
    assert {k: v for k, v in second.items() if k != "seconds"} == {k: v for k, v in first.items() if k != "seconds"}
    assert before == (newest(first["run"]).read_bytes(), (Path(first["run"]) / "metrics.jsonl").read_bytes())


def test_a_signal_ends_a_fit_at_once_and_leaves_a_run_that_can_be_resumed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    released = threading.Event()

    def endless(*arguments: Any) -> Any:
        released.wait(60)
        raise AssertionError("nobody waits for this")

    with monkeypatch.context() as patched:
        patched.setattr(baseline_model, "fit", endless)
        timer = threading.Timer(0.3, lambda: signal.pthread_kill(threading.main_thread().ident, signal.SIGINT))  # type: ignore[arg-type]
        timer.start()
        summary = api.fit(flowers(), runs=tmp_path)
    released.set()
    assert (summary["stopped"], summary["exit_code"], summary["steps"]) == ("signal", 130, 0)
    assert summary["seconds"] < 5
    assert not RunFolder.open(summary["run"]).checkpoints()
    with pytest.raises(CorruptFileError, match="no checkpoint"):
        api.evaluate(summary["run"])
    resumed = api.resume(summary["run"])
    assert resumed["stopped"] == "fitted"
    assert resumed["test"] == api.fit(flowers(), runs=tmp_path)["test"]


def test_slow_fits_are_announced_and_complaints_passed_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    quiet, loud = Listener(), Listener()
    api.fit(flowers("svm"), runs=tmp_path, progress=quiet)
    assert quiet.said == []
    monkeypatch.setattr(training_baseline, "SLOW", 0.0)
    api.fit(flowers({"logistic_regression": {"max_iter": 1}}), runs=tmp_path, progress=loud)
    assert "fitting logistic_regression to" in loud.said[0]
    assert "Ctrl-C" in loud.said[0]
    assert "converge" in loud.said[1]


def test_time_is_estimated_to_grow_with_the_square_where_it_does() -> None:
    for name in ("svm", "k_nearest_neighbors"):
        baseline = entries("baseline")[name].make()
        assert fitting.estimate(baseline, 60000, 784) == pytest.approx(100 * fitting.estimate(baseline, 6000, 784))
        assert fitting.estimate(baseline, 60000, 784) > training_baseline.SLOW


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"train": {"epochs": 3}}, "train: 'train' has no effect on a baseline; leave it out"),
        ({"optimizer": "adam"}, "optimizer: 'optimizer' has no effect on a baseline"),
        ({"model": {"graph": {"y": ["dense"]}}}, "model: 'model' has no effect on a baseline; take either out"),
        (
            {"baseline": "forest"},
            "expected one of `dltrain list baselines`; got 'forest'; did you mean 'random_forest'?",
        ),
        ({"baseline": "ridge"}, "baseline: the baseline ridge does not fit the task classification; expected dummy,"),
        ({"baseline": {"svm": {"C": 0}}}, "baseline.svm.C: this number is out of its range; expected a number above 0"),
        ({"baseline": {"svm": {"kernel": "rbf", "degree": 4}}}, "'degree' has no effect with kernel 'rbf'"),
        ({"baseline": {"svm": {"epsilon": 0.5}}}, "'epsilon' has no effect with task 'classification'"),
        ({"baseline": {"svm": {"c": 1, "kernal": "rbf"}}}, "did you mean 'kernel'?"),
        ({"data": {"source": "iris", "balance": "oversample"}}, "data.balance: 'balance' has no effect on a baseline"),
        (
            {"loss": "quadratic"},
            "loss: a baseline gives log-probabilities, which this loss does not read; expected softmax",
        ),
        ({"constrain": [{"max_norm": 1}]}, "'constrain' has no effect on a baseline"),
        ({"baseline": None}, "'model' is missing; expected the network, or `baseline`"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        config.from_mapping(flowers() | changes)
    assert said in str(caught.value)


WEIGHED = "x1,x2,kind,w\n" + "".join(
    f"{a:.3f},{b:.3f},{'unknown' if k % 7 == 0 else 'abc'[k % 3]},{1 + k % 4}\n"
    for k, (a, b) in enumerate(np.random.default_rng(0).standard_normal((90, 2)) + np.arange(90)[:, None] % 3)
)


def test_samples_are_weighed_and_ignored_as_in_a_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Against scikit-learn, called by hand with the same rows and weights."""
    monkeypatch.chdir(tmp_path)
    Path("a.csv").write_text(WEIGHED)
    source = {"csv": {"path": "a.csv", "target": "kind", "weight": "w"}}
    task = {"classification": {"class_weight": {"a": 3}, "ignore_label": "unknown"}}
    run = api.fit(
        {"name": "a", "task": task, "data": {"source": source}, "baseline": "logistic_regression"}, runs=tmp_path
    )
    loaded = api.load_run(run["run"])
    loaded.read_data()
    columns = loaded.session.data.parts["train"].columns
    known = columns["y"] >= 0
    assert not known.all()
    x, y = columns["x"][known], columns["y"][known]
    weights = columns["weight"][known] * np.where(y == 0, 3, 1)
    by_hand = LogisticRegression(max_iter=1000).fit(x, y, sample_weight=weights).predict_proba(x)
    said = np.array([list(row["probabilities"].values()) for row in loaded.predict(x)])
    np.testing.assert_allclose(said, by_hand, rtol=1e-4, atol=1e-6)
    assert np.abs(by_hand - LogisticRegression(max_iter=1000).fit(x, y).predict_proba(x)).max() > 0.02
    plain = {"classification": {"ignore_label": "unknown"}}  # then the weights of the source stand alone
    run = api.fit(
        {"name": "c", "task": plain, "data": {"source": source}, "baseline": "logistic_regression"}, runs=tmp_path
    )
    by_hand = LogisticRegression(max_iter=1000).fit(x, y, sample_weight=columns["weight"][known]).predict_proba(x)
    said = np.array([list(row["probabilities"].values()) for row in api.load_run(run["run"]).predict(x)])
    np.testing.assert_allclose(said, by_hand, rtol=1e-4, atol=1e-6)
    spec = {"name": "b", "task": task, "data": {"source": source}, "baseline": "k_nearest_neighbors"}
    with pytest.raises(ConfigError, match="k_nearest_neighbors: this method cannot weigh samples; .*take out `class_w"):
        api.fit(spec, runs=tmp_path)


def test_a_class_that_svm_passes_over_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It drops samples that weigh nothing, and with them a class: its decision function was an IndexError."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    for classes in (3, 4):
        np.savez(tmp_path / "a.npz", x=rng.standard_normal((80, 2)), y=np.arange(80) % classes)
        weights = [1.0, 0.0, 1.0, 1.0][:classes]
        spec: dict[str, Any] = {"name": "a", "task": {"classification": {"class_weight": weights}}}
        spec |= {"data": {"source": {"npz": "a.npz"}}, "baseline": "svm"}
        with pytest.raises(
            ConfigError, match=rf"svm: scikit-learn leaves out a class that weighs 0; expected {classes} cl"
        ):
            api.fit(spec, runs=tmp_path)
        api.fit(spec | {"baseline": "decision_tree"}, runs=tmp_path)


def test_goals_choose_and_bound_what_is_reported_as_best(tmp_path: Path) -> None:
    goals = {"optimize": "f1", "satisfy": {"accuracy": ">= 0.1", "milliseconds_per_sample": "<= 1000"}}
    best = api.fit(flowers(metrics=goals), runs=tmp_path)["best"]
    assert best["metric"] == "validation.f1" and best["satisfied"] and best["violation"] == 0


def test_a_stored_config_is_a_config(tmp_path: Path) -> None:
    run = api.fit(flowers({"svm": {"kernel": "linear"}}), runs=tmp_path)["run"]
    stored = config.load(RunFolder.open(run).config_path)
    assert stored.resolved == config.from_mapping(flowers({"svm": {"kernel": "linear"}})).resolved
    assert not set(stored.resolved) & set(WITHOUT)
    assert "baseline" not in config.from_mapping(iris()).resolved


def test_what_scikit_learn_refuses_is_a_problem_of_the_config(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"baseline\.multinomial_naive_bayes: scikit-learn cannot do this; got Neg"):
        api.fit(flowers("multinomial_naive_bayes"), runs=tmp_path)
    with pytest.raises(ConfigError, match=r"baseline\.k_nearest_neighbors: .*n_neighbors"):
        api.fit(flowers({"k_nearest_neighbors": 10**6}), runs=tmp_path)


def test_there_are_no_gradients(tmp_path: Path) -> None:
    run = api.fit(flowers("dummy"), runs=tmp_path)["run"]
    for subject in (run, flowers("dummy")):
        with pytest.raises(UsageError, match="a baseline has no gradients"):
            api.gradcheck(subject)
    with pytest.raises(UsageError, match="a baseline has no schedules"):
        api.preview_schedule(flowers("dummy"))
    with pytest.raises(UsageError, match="a baseline is fitted in one go; got --fast-dev-run; `dltrain check`"):
        api.fit(flowers("dummy"), runs=tmp_path, fast_dev_run=True)
    api.check(flowers({"k_nearest_neighbors": 800}, data={"source": "digits"}))  # more neighbours than a try takes
    with pytest.raises(UsageError, match="a baseline has no graph"):
        api.build_model(flowers("dummy"))


def test_every_command(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    out, err = call(["fit", "iris-baseline", "--json"], capsys)
    fitted = json.loads(out)
    assert set(fitted) == FIT_KEYS == promised("fit")
    assert len(err.splitlines()) == 1
    assert "learning_rate" not in err
    out, _ = call(["fit", "iris-baseline", "--set", "baseline.logistic_regression.C=0.1"], capsys)
    assert "1 epoch, 1 step" in out
    assert "gradcheck" not in out
    found = json.loads(call(["evaluate", "iris-baseline-1", "--json"], capsys)[0])
    assert set(found) == promised("evaluate")
    np.savez("new.npz", x=np.array([[5.1, 3.5, 1.4, 0.2], [6.5, 3.0, 5.8, 2.2]]))
    said = json.loads(call(["predict", "iris-baseline", "new.npz", "--json"], capsys)[0])
    assert [row["label"] for row in said["predictions"]] == ["setosa", "virginica"]
    checked = json.loads(call(["check", "iris-baseline", "--json"], capsys)[0])
    assert set(checked) == promised("check")
    assert checked["layers"][0]["kind"] == "logistic_regression"
    assert "training samples   90\n" in call(["check", "iris-baseline"], capsys)[0]
    rows = json.loads(call(["runs", "ls", "--json"], capsys)[0])["runs"]
    assert [row["status"] for row in rows] == ["fitted", "fitted"]
    assert "done" in call(["runs", "ls"], capsys)[0]
    assert "validation.accuracy" in call(["runs", "show", "iris-baseline-1"], capsys)[0]
    assert "baseline.logistic_regression.C" in call(["runs", "diff", "iris-baseline-1", "iris-baseline-2"], capsys)[0]
    assert "random_forest" in call(["list", "baselines"], capsys)[0]
    assert "Breiman" in call(["explain", "random_forest"], capsys)[0]
    assert '"svm"' in call(["schema"], capsys)[0]
    _, err = call(["gradcheck", "iris-baseline"], capsys, code=2)
    assert err.count("\n") == 1
    assert "a baseline has no gradients" in err
