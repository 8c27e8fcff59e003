"""Baselines say exactly what scikit-learn says when it is called by hand, and fit the same again."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from cases import BASELINES
from sklearn import dummy, ensemble, linear_model, naive_bayes, neighbors, svm, tree
from sklearn.metrics import accuracy_score, log_loss, mean_squared_error, r2_score
from sklearn.multioutput import MultiOutputRegressor

from dltrain import config
from dltrain.baselines import Refusal, fit
from dltrain.baselines.fitting import random_state
from dltrain.registry import create, entries
from dltrain.training.baseline import BaselineSession
from dltrain.training.session import prepare

SEED = 3
SPLIT = {"random": {"validation": 0.1, "test": 0.3}}
# what targets are: (task, source, metrics)
PROBLEMS = {
    "classes": ("classification", "wine", ["accuracy"]),
    "binary": ("binary_classification", "breast_cancer", ["accuracy"]),
    "values": ("regression", "diabetes", ["r2"]),
    "columns": ("regression", "linnerud", ["r2"]),
}
POSITIVE = ("multinomial_naive_bayes",)
# name: scikit-learn's estimator, by hand, for the arguments of cases.py
BY_HAND: dict[str, Callable[[bool, int], Any]] = {
    "dummy": lambda values, rs: dummy.DummyRegressor() if values else dummy.DummyClassifier(),
    "gaussian_naive_bayes": lambda values, rs: naive_bayes.GaussianNB(var_smoothing=1e-6),
    "multinomial_naive_bayes": lambda values, rs: naive_bayes.MultinomialNB(alpha=0.5),
    "bernoulli_naive_bayes": lambda values, rs: naive_bayes.BernoulliNB(alpha=0.5, binarize=0.1),
    "k_nearest_neighbors": lambda values, rs: (
        neighbors.KNeighborsRegressor if values else neighbors.KNeighborsClassifier
    )(n_neighbors=4, weights="distance", p=1.5),
    "svm": lambda values, rs: (svm.SVR if values else svm.SVC)(C=3, kernel="poly", degree=2, gamma=0.05, coef0=1),
    "linear_regression": lambda values, rs: linear_model.LinearRegression(),
    "ridge": lambda values, rs: linear_model.Ridge(alpha=0.3),
    "lasso": lambda values, rs: linear_model.Lasso(alpha=0.01, max_iter=5000),
    "logistic_regression": lambda values, rs: linear_model.LogisticRegression(C=0.5, max_iter=500),
    "decision_tree": lambda values, rs: (tree.DecisionTreeRegressor if values else tree.DecisionTreeClassifier)(
        max_depth=5, min_samples_leaf=2, ccp_alpha=0.001, random_state=rs
    ),
    "random_forest": lambda values, rs: (ensemble.RandomForestRegressor if values else ensemble.RandomForestClassifier)(
        n_estimators=7, max_features=0.5, random_state=rs
    ),
    "gradient_boosting": lambda values, rs: (
        ensemble.HistGradientBoostingRegressor if values else ensemble.HistGradientBoostingClassifier
    )(max_iter=7, max_leaf_nodes=5, min_samples_leaf=3, random_state=rs),
}
ALONE = ("svm", "gradient_boosting")  # take one target column at a time


def fits(name: str) -> list[str]:
    needs = entries("baseline")[name].make.needs  # type: ignore[attr-defined]
    return [problem for problem in PROBLEMS if ("values" if problem == "columns" else problem) in needs]


PAIRS = [(name, problem) for name in BASELINES for problem in fits(name)]


def session_of(name: str, problem: str, seed: int = SEED) -> BaselineSession:
    task, source, metrics = PROBLEMS[problem]
    prepared = [] if name in POSITIVE else ["standardize"]
    data = {"source": source, "split": SPLIT, "prepare": prepared}
    written = {"task": task, "seed": seed, "data": data, "baseline": BASELINES[name], "metrics": metrics}
    session = prepare(config.from_mapping(written))
    assert isinstance(session, BaselineSession)
    return session


def by_hand(name: str, problem: str, x: Any, y: Any) -> Any:
    estimator = BY_HAND[name](problem in ("values", "columns"), random_state(SEED))
    if problem == "columns" and name in ALONE:
        estimator = MultiOutputRegressor(estimator)
    return estimator.fit(x, y[:, 0] if problem == "values" else y)


@pytest.mark.parametrize(("name", "problem"), PAIRS)
def test_says_what_scikit_learn_says(name: str, problem: str) -> None:
    session = session_of(name, problem)
    parts = session.data.parts
    x, y = (parts["train"].columns[c] for c in "xy")
    tx, ty = (parts["test"].columns[c] for c in "xy")
    assert session.graph.fit()
    outputs = session.graph.forward({"x": tx})[0]["y"]
    expected = by_hand(name, problem, x, y)
    tally = session.evaluator().run(session.loader("test"))  # type: ignore[arg-type]
    assert tally is not None
    found = tally.results()
    assert outputs.dtype == np.float64
    if problem in ("values", "columns"):
        said = expected.predict(tx).reshape(len(tx), -1)
        assert outputs.tolist() == said.tolist()
        assert found["r2"] == pytest.approx(r2_score(ty, said), rel=1e-6, abs=1e-6)
        assert found["loss"] == pytest.approx(mean_squared_error(ty, said), rel=1e-6)
        return
    classes = (outputs[:, 0] > 0).astype(int) if problem == "binary" else outputs.argmax(1)
    assert classes.tolist() == expected.predict(tx).tolist()
    assert found["accuracy"] == accuracy_score(ty, classes)
    if hasattr(expected, "predict_proba"):
        shares = expected.predict_proba(tx).astype(np.float64)
        assert found["loss"] == pytest.approx(log_loss(ty, shares / shares.sum(1, keepdims=True)), rel=1e-6)
        said = [row["probabilities"] for row in session.task.task.predict(outputs, session.data)]
        assert np.allclose(np.array([list(row.values()) for row in said]), shares, atol=1e-6)


@pytest.mark.parametrize(("name", "problem"), PAIRS)
def test_fits_the_same_again_and_writes_to_nothing(name: str, problem: str) -> None:
    session = session_of(name, problem)
    columns = session.data.parts["train"].columns
    for column in columns.values():
        column.flags.writeable = False
    baseline = session.graph.baseline
    fitted = [fit(baseline, columns["x"], columns["y"], session.graph.task.needs, SEED) for _ in range(2)]
    x = session.data.parts["test"].columns["x"]
    assert fitted[0].outputs(x).tobytes() == fitted[1].outputs(x).tobytes()
    alone = np.concatenate([fitted[0].outputs(x[i : i + 1]) for i in range(5)])
    assert np.allclose(alone, fitted[0].outputs(x)[:5], rtol=1e-5, atol=1e-5)


def test_only_what_draws_depends_on_the_seed() -> None:
    drawing = set()
    for name, problem in PAIRS:
        sessions = [session_of(name, problem) for _ in range(2)]
        columns = sessions[0].data.parts["train"].columns
        arguments = (columns["x"], columns["y"], sessions[0].graph.task.needs)
        said = [
            fit(s.graph.baseline, *arguments, seed).outputs(columns["x"])
            for s, seed in zip(sessions, (1, 2), strict=True)
        ]
        if not np.array_equal(*said):
            drawing.add(name)
    assert drawing <= {"random_forest", "decision_tree"}
    assert "random_forest" in drawing


@pytest.mark.parametrize(("name", "problem"), [pair for pair in PAIRS if pair[1] != "columns"])
def test_extremes_stay_finite_without_a_warning(name: str, problem: str) -> None:
    rng = np.random.default_rng(0)
    y = np.arange(60) % 2
    baseline = create("baseline", "svm" if name == "svm" else BASELINES[name])  # a polynomial of 1e4 takes hours
    targets = y[:, None].astype(float) if problem == "values" else y
    for x in (np.zeros((60, 3)), np.full((60, 3), 1e4), 1e4 * rng.standard_normal((60, 3)), 1e-20 * y[:, None]):
        x = np.abs(x) if name in POSITIVE else x
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            fitted = fit(baseline, x, targets, problem, 0)
            if name == "gaussian_naive_bayes" and not np.ptp(x):  # no feature has a variance
                with pytest.raises(Refusal, match="not finite"):
                    fitted.outputs(x)
                continue
            outputs = fitted.outputs(x)
        assert outputs.shape == (60, 2 if problem == "classes" else 1)
        assert np.isfinite(outputs).all()


@pytest.mark.parametrize("name", BASELINES)
def test_defaults_are_scikit_learns(name: str) -> None:
    baseline = create("baseline", name)
    for problem in baseline.needs:
        estimator = baseline.estimator(problem, 0)
        plain = type(estimator)().get_params()
        # what is set by hand: early_stopping would take samples away from the training
        free = {"random_state", "early_stopping", "n_jobs"}
        free |= {"strategy"} if name == "dummy" else set()
        assert {k: v for k, v in estimator.get_params().items() if k not in free} == {
            k: v for k, v in plain.items() if k not in free
        }
        assert set(inspect.signature(type(baseline).__init__).parameters) - {"self", "args", "kwargs"} <= {
            *plain,
            *({"epsilon"} if name == "svm" else ()),
        }


def test_pictures_are_read_row_by_row() -> None:
    x = np.arange(24.0).reshape(6, 2, 2)
    y = np.array([0, 1, 0, 1, 1, 0])
    baseline = create("baseline", "decision_tree")
    assert fit(baseline, x, y, "classes", 0).said(x).tolist() == (
        fit(baseline, x.reshape(6, 4), y, "classes", 0).said(x.reshape(6, 4)).tolist()
    )


def test_what_scikit_learn_refuses_is_said_in_one_sentence() -> None:
    x, y = np.array([[-1.0], [1.0]]), np.array([0, 1])
    with pytest.raises(Refusal, match="Negative values in data"):
        fit(create("baseline", "multinomial_naive_bayes"), x, y, "classes", 0)
    with pytest.raises(Refusal, match="n_neighbors"):
        fit(create("baseline", "k_nearest_neighbors"), x, y, "classes", 0).outputs(x)


def test_a_fit_that_has_not_converged_says_so() -> None:
    x = np.random.default_rng(0).standard_normal((50, 5))
    fitted = fit(create("baseline", {"logistic_regression": {"max_iter": 1}}), x, np.arange(50) % 2, "binary", 0)
    assert any("converge" in complaint for complaint in fitted.complaints)
