"""Metrics of decisions, probabilities and rankings equal scikit-learn's on random, tied and degenerate samples."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from sklearn import metrics as peer

from dltrain import registry
from dltrain.kernels import select
from dltrain.metrics import BinaryConfusion, Certainty, Confusion, LabelSets, Moments, Scores, probabilities

KERNELS = select("reference")(np.zeros(0))
SEEDS = range(12)


def collected(collector: Any, outputs: np.ndarray, targets: np.ndarray, seed: int = 0) -> Any:
    """Its arrays, fed in batches of random sizes."""
    rng, start = np.random.default_rng(seed), 0
    while start < len(outputs):
        stop = start + int(rng.integers(0, 9))
        collector.update(outputs[start:stop], targets[start:stop], KERNELS)
        start = stop
    return collector.arrays


def metric(spec: Any, arrays: Any) -> float:
    return float(registry.create("metric", spec)(arrays))


def draw(seed: int, classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Logits, every third time with many ties, and labels of which some classes may be absent."""
    rng = np.random.default_rng(seed)
    count = int(rng.integers(2, 60))
    logits = 3 * rng.standard_normal((count, classes))
    if seed % 3 == 0:
        logits = np.round(logits)
    return logits, rng.integers(0, max(2, classes - seed % 2), count)


def quiet(function: Any, *arguments: Any, **options: Any) -> float:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return float(function(*arguments, **options))


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("classes", [2, 3, 7])
def test_decisions(classes: int, seed: int) -> None:
    logits, labels = draw(seed, classes)
    predicted = logits.argmax(1)
    arrays = collected(Confusion(classes), logits, labels)
    expected = {
        "balanced_accuracy": quiet(peer.balanced_accuracy_score, labels, predicted),
        "matthews_correlation": quiet(peer.matthews_corrcoef, labels, predicted),
        "cohen_kappa": np.nan_to_num(quiet(peer.cohen_kappa_score, labels, predicted)),
        "hamming_loss": peer.hamming_loss(labels, predicted),
    }
    for name, value in expected.items():
        assert metric(name, arrays) == pytest.approx(value, rel=1e-12, abs=1e-14), name
    each = [peer.recall_score(labels != k, predicted != k, zero_division=0) for k in range(classes)]
    assert metric("specificity", arrays) == pytest.approx(each[1] if classes == 2 else np.mean(each), rel=1e-12)


@pytest.mark.parametrize("predicted", [0, 1])
@pytest.mark.parametrize("labels", [[0, 0, 0], [1, 1], [0, 1, 1]])
def test_decisions_that_never_change(labels: list[int], predicted: int) -> None:
    y, logits = np.array(labels), np.eye(2)[[predicted] * len(labels)]
    arrays = collected(Confusion(2), logits, y)
    said = [predicted] * len(y)
    assert metric("matthews_correlation", arrays) == quiet(peer.matthews_corrcoef, y, said)
    assert metric("balanced_accuracy", arrays) == quiet(peer.balanced_accuracy_score, y, said)
    assert metric("cohen_kappa", arrays) == np.nan_to_num(quiet(peer.cohen_kappa_score, y, said))


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("link", ["softmax", "sigmoid", "identity"])
@pytest.mark.parametrize("classes", [2, 5])
def test_probabilities(classes: int, link: str, seed: int) -> None:
    logits, labels = draw(seed, classes)
    shares = probabilities(logits, link)
    np.testing.assert_allclose(shares.sum(1), 1, rtol=1e-12)
    arrays = collected(Certainty(classes, link), logits, labels, seed)
    everyone = list(range(classes))
    assert metric("log_loss", arrays) == pytest.approx(peer.log_loss(labels, shares, labels=everyone), rel=1e-9)
    squares = ((shares - np.eye(classes)[labels]) ** 2).sum(1).mean() / (2 if classes == 2 else 1)
    assert metric("brier_score", arrays) == pytest.approx(squares, rel=1e-9)
    if classes == 2:
        assert squares == pytest.approx(peer.brier_score_loss(labels, shares[:, 1], pos_label=1), rel=1e-9)
    for k in (1, 2, classes, classes + 3):
        # scikit-learn puts the later of equal scores first, we the earlier, as argmax does: hence mirrored.
        mirrored, mirror = shares[:, ::-1], classes - 1 - labels
        order = np.argsort(mirrored, axis=1, kind="mergesort")[:, ::-1]
        expected = (order[:, :k] == mirror[:, None]).any(1).mean()
        assert metric({"top_k_accuracy": k}, arrays) == expected
        if classes > 2 and k < classes and len(np.unique(shares)) == shares.size:
            assert expected == quiet(peer.top_k_accuracy_score, labels, shares, k=k, labels=everyone)
    assert metric("calibration_error", arrays) == pytest.approx(calibration(shares, labels), rel=1e-9, abs=1e-14)


def calibration(shares: np.ndarray, labels: np.ndarray) -> float:
    """The formula of Guo et al., bin by bin."""
    confidence, right = shares.max(1), shares.argmax(1) == labels
    error = 0.0
    for i in range(15):
        inside = (confidence > i / 15) & (confidence <= (i + 1) / 15)
        if inside.any():
            error += inside.mean() * abs(right[inside].mean() - confidence[inside].mean())
    return error


@pytest.mark.parametrize("seed", SEEDS)
def test_ranking_of_two_classes(seed: int) -> None:
    logits, labels = draw(seed, 2)
    labels[:2] = 0, 1
    z = logits[:, 1:] - logits[:, :1]
    one = collected(Scores(1), z, labels[:, None].astype(float), seed)
    two = collected(Scores(2, "softmax"), logits, labels, seed)
    for arrays in (one, two):
        assert metric("roc_auc", arrays) == pytest.approx(peer.roc_auc_score(labels, z[:, 0]), rel=1e-12)
        expected = peer.average_precision_score(labels, z[:, 0])
        assert metric("average_precision", arrays) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("average", ["macro", "weighted"])
def test_ranking_of_many_classes(average: str, seed: int) -> None:
    logits, labels = draw(seed, 4)
    labels = np.concatenate([labels, np.arange(4)])
    logits = np.concatenate([logits, logits[:1].repeat(4, 0)])
    shares = probabilities(logits)
    arrays = collected(Scores(4, "softmax"), logits, labels, seed)
    expected = peer.roc_auc_score(labels, shares, multi_class="ovr", average=average)
    assert metric({"roc_auc": average}, arrays) == pytest.approx(expected, rel=1e-12)
    expected = peer.average_precision_score(np.eye(4)[labels], shares, average=average)
    assert metric({"average_precision": average}, arrays) == pytest.approx(expected, rel=1e-12)


def test_ranking_where_a_class_is_alone() -> None:
    """A curve needs both kinds of samples: such classes are left out, and nothing is known where none is left."""
    z = np.array([[0.3], [0.1], [0.2]])
    assert metric("roc_auc", collected(Scores(1), z, np.ones((3, 1)))) == 0.5
    assert metric("average_precision", collected(Scores(1), z, np.zeros((3, 1)))) == 0
    assert metric("roc_auc", Scores(3).arrays) == 0.5 and metric("average_precision", Scores(3).arrays) == 0
    shares = np.random.default_rng(0).dirichlet(np.ones(3), 20)
    labels = np.arange(20) % 2  # the third class does not occur
    rest = [peer.roc_auc_score(labels == k, shares[:, k]) for k in (0, 1)]
    assert metric("roc_auc", collected(Scores(3, "identity"), shares, labels)) == pytest.approx(np.mean(rest))


@pytest.mark.parametrize("seed", SEEDS)
def test_overlap(seed: int) -> None:
    rng = np.random.default_rng(seed)
    z, labels = rng.standard_normal((30, 4)), rng.integers(0, 3, 30)
    z[:, 3] -= 9 * (seed % 2)  # sometimes a class that neither is there nor is predicted
    arrays, said = collected(Confusion(4), z, labels), z.argmax(1)
    assert metric("mean_iou", arrays) == pytest.approx(peer.jaccard_score(labels, said, average="macro"), rel=1e-12)
    assert metric("dice", arrays) == pytest.approx(peer.f1_score(labels, said, average="macro"), rel=1e-12)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("average", ["macro", "micro", "weighted"])
def test_many_labels(average: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    count = int(rng.integers(1, 40))
    z, sets = rng.standard_normal((count, 4)), rng.integers(0, 2, (count, 4))
    z[:, 3] = -1  # never predicted
    sets[:, 2] *= seed % 2  # sometimes never there
    said = (z > 0).astype(int)
    arrays = collected(LabelSets(4), z, sets, seed)
    for name, function in (("precision", peer.precision_score), ("recall", peer.recall_score), ("f1", peer.f1_score)):
        expected = function(sets, said, average=average, zero_division=0)
        assert metric({name: average}, arrays) == pytest.approx(expected, rel=1e-12), name
    assert metric("subset_accuracy", arrays) == peer.accuracy_score(sets, said)
    assert metric("hamming_loss", arrays) == pytest.approx(peer.hamming_loss(sets, said), rel=1e-12)
    assert metric("accuracy", arrays) == pytest.approx(1 - peer.hamming_loss(sets, said), rel=1e-12)
    scores = collected(Scores(4), z, sets, seed)
    both = [k for k in range(4) if 0 < sets[:, k].sum() < count]
    each = [peer.roc_auc_score(sets[:, k], z[:, k]) for k in both]
    assert metric("roc_auc", scores) == pytest.approx(np.mean(each) if each else 0.5, rel=1e-12)


def test_root_mean_squared_error() -> None:
    rng = np.random.default_rng(0)
    y, t = rng.standard_normal((30, 3)), rng.standard_normal((30, 3))
    expected = peer.root_mean_squared_error(t, y)
    assert metric("root_mean_squared_error", collected(Moments(3), y, t)) == pytest.approx(expected, rel=1e-12)


def test_the_likeliest_of_equal_classes_is_the_first_everywhere() -> None:
    logits, labels = np.zeros((6, 3)), np.array([0, 1, 2, 0, 1, 0])
    accuracy = metric("accuracy", collected(Confusion(3), logits, labels))
    assert metric({"top_k_accuracy": 1}, collected(Certainty(3), logits, labels)) == accuracy == 0.5


def test_kept_scores_are_those_of_all_samples_however_many() -> None:
    rng = np.random.default_rng(0)
    z, t = rng.standard_normal((5000, 1)), rng.integers(0, 2, (5000, 1))
    arrays = collected(Scores(1), z, t)
    np.testing.assert_array_equal(arrays["scores"], z)
    assert metric("roc_auc", arrays) == pytest.approx(peer.roc_auc_score(t, z), rel=1e-12)
    binary = collected(BinaryConfusion(), z, t.astype(float))
    assert metric("balanced_accuracy", binary) == pytest.approx(peer.balanced_accuracy_score(t, z > 0), rel=1e-12)


@pytest.mark.parametrize("offset", [0.0, 1e7, -1e9])
def test_r2_of_targets_far_from_zero(offset: float) -> None:
    rng = np.random.default_rng(0)
    t = offset + rng.standard_normal((200, 2))
    y = t + 0.5 * rng.standard_normal((200, 2))
    assert metric("r2", collected(Moments(2), y, t)) == pytest.approx(peer.r2_score(t, y), rel=1e-6)
