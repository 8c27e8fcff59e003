"""Metrics equal scikit-learn's, and collectors may be filled in any grouping."""

from __future__ import annotations

import tempfile
from typing import Any

import numpy as np
import pytest
from sklearn import metrics as peer
from small_runs import iris

from dltrain import api, registry
from dltrain.errors import ConfigError, UsageError
from dltrain.kernels import select
from dltrain.metrics import BinaryConfusion, Confusion, Moments, per_class

AVERAGED = {"precision": peer.precision_score, "recall": peer.recall_score, "f1": peer.f1_score}
STATISTICS = ("loss", "timing", "confusion", "certainty", "hits", "scores", "label_sets", "moments", "spans")
KERNELS = select("reference")(np.zeros(0))


def confusion(labels, predicted, classes):
    collector = Confusion(classes)
    collector.update(np.eye(classes)[predicted], np.asarray(labels), KERNELS)
    return collector


def draws(classes, seed):
    rng = np.random.default_rng(seed)
    count = int(rng.integers(1, 40))
    return rng.integers(0, classes, count), rng.integers(0, classes, count)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("average", ["macro", "micro", "weighted"])
@pytest.mark.parametrize("name", AVERAGED)
def test_averages_are_scikit_learns(name, average, seed):
    for classes in (2, 3, 12):  # with 12, many classes neither occur nor are predicted
        labels, predicted = draws(classes, seed)
        found = registry.create("metric", {name: average})(confusion(labels, predicted, classes).arrays)
        assert found == pytest.approx(AVERAGED[name](labels, predicted, average=average, zero_division=0), rel=1e-12)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("name", AVERAGED)
def test_two_classes_mean_the_second_one(name, seed):
    labels, predicted = draws(2, seed)
    collector = BinaryConfusion()
    collector.update(predicted[:, None] - 0.5, labels[:, None].astype(float), KERNELS)
    expected = AVERAGED[name](labels, predicted, zero_division=0)
    for spec in (name, {name: "binary"}):
        assert registry.create("metric", spec)(collector.arrays) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("seed", range(4))
def test_accuracy_and_per_class_are_scikit_learns(seed):
    labels, predicted = draws(4, seed)
    counts = confusion(labels, predicted, 4).arrays["counts"]
    assert registry.create("metric", "accuracy")({"counts": counts}) == peer.accuracy_score(labels, predicted)
    expected = peer.precision_recall_fscore_support(labels, predicted, labels=range(4), zero_division=0)
    rows = per_class(counts, ["a", "b", "c", "d"])
    assert [row["label"] for row in rows] == ["a", "b", "c", "d"]
    for name, column in zip(("precision", "recall", "f1", "support"), expected, strict=True):
        assert [row[name] for row in rows] == pytest.approx(column)


def test_nothing_predicted_is_zero_without_a_warning():
    arrays = confusion([0, 1, 2], [0, 0, 0], 3).arrays
    assert registry.create("metric", {"precision": "macro"})(arrays) == pytest.approx(1 / 9)
    empty = Confusion(3).arrays
    for name in ("accuracy", "precision", "recall", "f1"):
        assert registry.create("metric", name)(empty) == 0


def test_binary_average_of_many_classes_is_refused():
    with pytest.raises(UsageError, match="two classes"):
        registry.create("metric", {"f1": "binary"})(Confusion(3).arrays)


@pytest.mark.parametrize("columns", [1, 3])
@pytest.mark.parametrize("name", ["r2", "mean_squared_error", "mean_absolute_error"])
def test_regression_metrics_are_scikit_learns(name, columns):
    rng = np.random.default_rng(1)
    targets = rng.standard_normal((50, columns)) + 100
    outputs = targets + rng.standard_normal((50, columns)) / 3
    function = {"r2": peer.r2_score}.get(name) or getattr(peer, name)
    collector = Moments(columns)
    for start in range(0, 50, 8):
        collector.update(outputs[start : start + 8], targets[start : start + 8], KERNELS)
    assert registry.create("metric", name)(collector.arrays) == pytest.approx(function(targets, outputs), rel=1e-9)


@pytest.mark.parametrize("target", [0.5, 0.1])  # the mean of seven 0.1 is not 0.1
@pytest.mark.parametrize(("shift", "expected"), [(0.0, 1.0), (0.5, 0.0)])
def test_r2_of_constant_targets(shift, expected, target):
    collector = Moments(1)
    targets = np.full((7, 1), target)
    collector.update(targets + shift, targets, KERNELS)
    assert registry.create("metric", "r2")(collector.arrays) == expected
    if target == 0.5:
        assert peer.r2_score(targets, targets + shift) == expected


@pytest.mark.parametrize("make", [lambda: Confusion(3), BinaryConfusion, lambda: Moments(2)])
def test_collectors_add_up_and_start_anew(make):
    rng = np.random.default_rng(2)
    outputs = rng.standard_normal((20, {Confusion: 3, BinaryConfusion: 1, Moments: 2}[type(make())]))
    targets = rng.integers(0, 3, 20) if isinstance(make(), Confusion) else (outputs > 0.3).astype(float)
    whole, parts = make(), make()
    whole.update(outputs, targets, KERNELS)
    parts.update(outputs[:7], targets[:7], KERNELS)
    parts.update(outputs[7:], targets[7:], KERNELS)
    for name in ("r2", "mean_squared_error") if isinstance(whole, Moments) else ("accuracy", "f1"):
        metric = registry.create("metric", name)
        assert metric(parts.arrays) == pytest.approx(metric(whole.arrays), rel=1e-14)
    whole.reset()
    assert all(not array.any() for array in whole.arrays.values())


def test_every_metric_says_what_it_reads_and_which_way_is_better():
    for name, entry in registry.entries("metric").items():
        assert entry.make.statistic in STATISTICS, name
        assert isinstance(entry.make.higher_is_better, bool), name


def measured(metrics: Any, **changes: Any) -> dict[str, Any]:
    """What a short run on three classes of flowers measures."""
    summary = api.fit(iris(metrics=metrics, hooks=[], train__epochs=1, **changes), runs=tempfile.mkdtemp())
    return {**summary["metrics"]["validation"], "best": summary["best"]["metric"]}


def test_a_metric_may_be_measured_with_several_parameters() -> None:
    found = measured(
        [{"top_k_accuracy": 1}, {"top_k_accuracy": {"k": 2}}, {"f1": "macro"}, {"f1": "micro"}, "accuracy"]
    )
    assert set(found) == {"loss", "top_k_accuracy_1", "top_k_accuracy_2", "f1_macro", "f1_micro", "accuracy", "best"}
    assert found["top_k_accuracy_1"] == found["accuracy"] == found["f1_micro"] <= found["top_k_accuracy_2"]
    two = [{"f1": "macro"}, {"f1": "weighted"}]
    assert measured(two, train__monitor="validation.f1_weighted")["best"] == "validation.f1_weighted"
    assert measured({"optimize": "f1_macro", "satisfy": {}, "measure": two})["best"] == "validation.f1_macro"
    with pytest.raises(ConfigError, match=r"metrics.optimize: this is not measured; expected loss, f1_macro, f1_w"):
        measured({"optimize": "f1", "satisfy": {}, "measure": two})
    with pytest.raises(ConfigError, match="the metric 'f1' is named twice"):
        measured([{"f1": "macro"}, {"f1": {"average": "macro"}}])


def test_an_average_that_needs_two_classes_is_refused_by_check() -> None:
    match = r"metrics\.1: average binary needs two classes; expected 2; got 3; take macro, micro or weighted"
    with pytest.raises(ConfigError, match=match):
        api.check(iris(metrics=["accuracy", {"f1": "binary"}]))
