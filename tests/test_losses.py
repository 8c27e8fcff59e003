"""Losses and regularizers: PyTorch's values, derivatives, extremes, shapes that do not fit."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from dltrain import registry
from dltrain.data import Batch
from dltrain.errors import ConfigError, DataError
from dltrain.kernels import select
from dltrain.tasks import Bound

PARITY = np.load(Path(__file__).with_name("fixtures") / "losses.npz")
# those with a row for each decision; crf takes sequences: its lines of cases.py, and test_tagging.py
LOSSES = [name for name, entry in registry.entries("loss").items() if not hasattr(entry.make, "of_sequences")]


def mode(implementation="auto"):
    return SimpleNamespace(kernels=select(implementation), empty=lambda shape, dtype: np.full(shape, np.nan, dtype))


def case(name, count=4, classes=3, dtype=np.float64):
    rng = np.random.default_rng(3)
    outputs = rng.standard_normal((count, classes)).astype(dtype)
    if name == "softmax_cross_entropy":
        return outputs, rng.integers(0, classes, count)
    if name in ("binary_cross_entropy", "hinge", "squared_hinge", "focal"):
        return outputs, rng.integers(0, 2, (count, classes)).astype(dtype)
    return outputs, rng.standard_normal((count, classes)).astype(dtype)


# {name in the fixture: (spec, targets)}; made by fixtures/make_loss_fixtures.py
PYTORCH = {
    "softmax_cross_entropy": ("softmax_cross_entropy", "labels"),
    "smooth_softmax_cross_entropy": ({"softmax_cross_entropy": {"label_smoothing": 0.1}}, "labels"),
    "binary_cross_entropy": ("binary_cross_entropy", "binary"),
    "one_hot_binary_cross_entropy": ("binary_cross_entropy", "labels"),
    "smooth_binary_cross_entropy": ({"binary_cross_entropy": {"label_smoothing": 0.1}}, "binary"),
    "mean_squared_error": ("mean_squared_error", "values"),
    "quadratic": ("quadratic", "values"),
    "mean_absolute_error": ("mean_absolute_error", "values"),
    "huber": ({"huber": 0.7}, "values"),
    "hinge": ("hinge", "binary"),
    "multi_class_hinge": ("hinge", "labels"),
    "squared_hinge": ("squared_hinge", "labels"),
    "focal": ("focal", "labels"),
    "binary_focal": ("focal", "binary"),
}


@pytest.mark.parametrize("implementation", ["auto", "reference"])
@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-10), (np.float32, 1e-5)])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", PYTORCH)
def test_values_and_gradients_are_pytorchs(name, weighted, dtype, tolerance, implementation):
    spec, kind = PYTORCH[name]
    targets = PARITY[kind] if kind == "labels" else PARITY[kind].astype(dtype)
    weights = PARITY["weights"] if weighted else None
    expected = {key: PARITY[f"{name}/{'weighted' if weighted else 'plain'}/{key}"] for key in ("loss", "gradient")}
    outputs = PARITY["logits"].astype(dtype)
    loss, gradient = registry.create("loss", spec).forward(outputs, targets, mode(implementation), weights)
    assert loss == pytest.approx(expected["loss"].item(), rel=tolerance)
    scale = abs(expected["gradient"]).max()
    np.testing.assert_allclose(gradient, expected["gradient"], rtol=tolerance, atol=tolerance * scale)
    assert gradient.dtype == dtype and isinstance(loss, float)


def test_every_loss_is_compared_with_pytorch():
    assert {next(iter(spec)) if isinstance(spec, dict) else spec for spec, _ in PYTORCH.values()} == set(LOSSES)


def bound(task, labels, weights=None, **data):
    found = Bound(registry.create("task", task), SimpleNamespace(**data), "y", None, None)
    rows = np.arange(len(labels))
    batch = Batch({}, labels, rows, 0, 0, rows, weights)
    return found, batch


def test_class_weights_are_pytorchs():
    weights = PARITY["class_weights"].tolist()
    found, batch = bound({"classification": {"class_weight": weights}}, PARITY["labels"], classes=list("abcde"))
    loss, gradients = found.loss({"y": PARITY["logits"]}, batch, mode())
    assert loss == pytest.approx(PARITY["class/loss"].item(), rel=1e-12)
    np.testing.assert_allclose(gradients["y"], PARITY["class/gradient"], rtol=1e-10, atol=1e-15)
    named = {"classification": {"class_weight": dict(zip("abcde", weights, strict=True))}}
    assert (
        bound(named, PARITY["labels"], classes=list("abcde"))[0].loss({"y": PARITY["logits"]}, batch, mode())[0] == loss
    )


def test_ignored_labels_are_pytorchs():
    found, batch = bound({"classification": {"ignore_label": "?"}}, PARITY["ignored/labels"], classes=list("abcde"))
    loss, gradients = found.loss({"y": PARITY["logits"]}, batch, mode())
    assert loss == pytest.approx(PARITY["ignored/loss"].item(), rel=1e-12)
    np.testing.assert_allclose(gradients["y"], PARITY["ignored/gradient"], rtol=1e-10, atol=1e-15)


@pytest.mark.parametrize("cuts", [[12], [5, 12], [1, 2, 3, 9, 12]])
def test_the_loss_of_a_pass_is_the_weighted_mean_over_all_its_samples(cuts):
    """Batches of any size: their losses are added by their weights, not by their numbers of samples."""
    task = {"classification": {"class_weight": "balanced", "ignore_label": "?"}}
    labels, logits, weights = PARITY["ignored/labels"], PARITY["logits"], PARITY["weights"]
    counts = np.bincount(labels[labels >= 0], minlength=5).tolist()
    found, whole = bound(task, labels, weights, classes=list("abcde"), class_counts=counts)
    known = labels >= 0
    each = np.log(np.exp(logits - logits.max(1, keepdims=True)).sum(1)) + logits.max(1) - logits[np.arange(12), labels]
    share = known * weights * known.sum() / (5 * np.maximum(counts, 1))[labels]
    expected = (share * each).sum() / share.sum()
    assert found.loss({"y": logits}, whole, mode())[0] == pytest.approx(expected, rel=1e-12)
    tally = found.tally()
    for start, stop in zip([0, *cuts], cuts, strict=False):
        rows = np.arange(start, stop)
        batch = Batch({}, labels[rows], rows, 0, 0, np.arange(stop), weights[rows])
        outputs = {"y": logits[start:stop]}
        tally.add(found.loss(outputs, batch, mode())[0], 0.0, outputs, batch, select("reference")(logits))
    assert tally.results()["loss"] == pytest.approx(expected, rel=1e-12)
    assert tally.results()["accuracy"] == (logits.argmax(1) == labels)[known].mean()


@pytest.mark.parametrize(
    ("written", "message"),
    [([1.0, 2.0], "no weight"), ({"d": 1.0, "f": 2.0}, "no such class"), ([0.0] * 5, "weigh nothing")],
)
def test_class_weights_that_do_not_fit_are_refused(written, message):
    with pytest.raises(ConfigError, match=message):
        bound({"classification": {"class_weight": written}}, PARITY["labels"], classes=list("abcde"))


LABELS = np.array([[0, 1, 1], [1, 0, 1], [0, 0, 1], [0, 0, 0]], np.float64)
LABEL_WEIGHTS = [  # (class_weight, weights of no, weights of yes)
    ([2.0, 1.0, 0.5], [1, 1, 1], [2.0, 1.0, 0.5]),
    ({"b": 3.0}, [1, 1, 1], [1.0, 3.0, 1.0]),
    ("balanced", [4 / 6, 4 / 6, 2.0], [2.0, 2.0, 4 / 6]),
]


@pytest.mark.parametrize("loss", ["binary_cross_entropy", "focal", "hinge"])
@pytest.mark.parametrize(("written", "no", "yes"), LABEL_WEIGHTS)
def test_the_yes_of_a_label_has_a_weight(written, no, yes, loss):
    """Every label is a decision of its own: loss and gradient are those of the decisions one by one, weighted."""
    counts = [[int((column == 0).sum()), int(column.sum())] for column in LABELS.T]
    data = SimpleNamespace(classes=None, target_names=list("abc"), label_counts=counts)
    task, samples = registry.create("task", {"multi_label": {"class_weight": written}}), np.array([1.0, 2.0, 0.0, 3.0])
    found = Bound(task, data, "y", loss, None)
    rows, logits = np.arange(4), np.random.default_rng(0).standard_normal((4, 3))
    share = np.where(LABELS > 0, yes, no) * samples[:, None]
    plain, slopes = np.empty_like(logits), np.empty_like(logits)
    for place in np.ndindex(logits.shape):
        one = logits[place].reshape(1, 1), LABELS[place].reshape(1, 1)
        plain[place], slope = registry.create("loss", loss).forward(*one, mode())
        slopes[place] = slope.item()
    value, gradients = found.loss({"y": logits}, Batch({}, LABELS, rows, 0, 0, rows, samples), mode())
    assert value == pytest.approx((share * plain).sum() / share.sum(), rel=1e-12)
    np.testing.assert_allclose(gradients["y"], share * slopes / share.sum(), rtol=1e-12, atol=1e-15)
    tally = found.tally()
    for part in (slice(0, 1), slice(1, 4)):
        batch = Batch({}, LABELS[part], rows[part], 0, 0, rows[part], samples[part])
        outputs = {"y": logits[part]}
        tally.add(found.loss(outputs, batch, mode())[0], 0.0, outputs, batch, select("reference")(logits))
    assert tally.results()["loss"] == pytest.approx(value, rel=1e-12)
    assert tally.results()["subset_accuracy"] == ((logits > 0) == LABELS).all(1).mean()


@pytest.mark.parametrize("name", LOSSES)
def test_the_gradient_is_the_derivative_by_complex_step(name):
    loss = registry.create("loss", name)
    outputs, targets = case(name)
    _, gradient = loss.forward(outputs, targets, mode())
    assert loss.complex_safe
    for place in np.ndindex(outputs.shape):
        moved = outputs.astype(np.complex128)
        moved[place] += 1e-30j
        value, _ = loss.forward(moved, targets, mode())
        assert value.imag / 1e-30 == pytest.approx(gradient[place], rel=1e-11, abs=1e-15)


@pytest.mark.parametrize("name", LOSSES)
def test_the_mean_is_over_the_batch(name):
    outputs, targets = case(name)
    loss = registry.create("loss", name)
    once, gradient = loss.forward(outputs, targets, mode())
    twice, halved = loss.forward(np.concatenate([outputs] * 2), np.concatenate([targets] * 2), mode())
    assert twice == pytest.approx(once, rel=1e-14)
    np.testing.assert_allclose(halved[:4], gradient / 2, rtol=1e-14)


@pytest.mark.parametrize("extreme", [0.0, 1e4, -1e4])
@pytest.mark.parametrize("name", LOSSES)
def test_extreme_outputs_stay_finite(name, extreme):
    for dtype in (np.float32, np.float64):
        outputs, targets = case(name, dtype=dtype)
        outputs[:, 0] = extreme
        loss, gradient = registry.create("loss", name).forward(outputs, targets, mode())
        assert np.isfinite(loss) and np.isfinite(gradient).all()


@pytest.mark.parametrize("name", LOSSES)
def test_targets_that_would_broadcast_are_refused(name):
    outputs, targets = case(name)
    wrong = targets[:, None] if targets.ndim == 1 else targets[:, :1]
    with pytest.raises(DataError, match="targets do not fit the outputs"):
        registry.create("loss", name).forward(outputs, wrong, mode())


def test_labels_out_of_range_are_refused():
    with pytest.raises(IndexError, match="label -1"):
        registry.create("loss", "softmax_cross_entropy").forward(np.zeros((1, 3)), np.array([-1]), mode())


def penalised(name, value, decayed=None, implementation="auto"):
    vector = SimpleNamespace(value=value, grad=np.ones_like(value), decayed=slice(0, decayed or len(value) - 2))
    return registry.create("regularizer", {name: 0.3}).add(vector, select(implementation)), vector.grad - 1


@pytest.mark.parametrize("implementation", ["auto", "reference"])
@pytest.mark.parametrize("size", [5, 50_000])
@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-13), (np.float32, 1e-6)])
@pytest.mark.parametrize("name", ["l1", "l2"])
def test_penalties_and_their_gradients(name, dtype, tolerance, size, implementation):
    value = np.random.default_rng(0).standard_normal(size).astype(dtype)
    value[1] = 0
    kernels = value[:-2].astype(np.float64)
    penalty, gradient = penalised(name, value, implementation=implementation)
    expected = 0.3 * (abs(kernels) if name == "l1" else kernels**2).sum()
    assert penalty == pytest.approx(expected, rel=1e-12)  # float32 values are summed in float64
    slope = 0.3 * np.sign(kernels) if name == "l1" else 0.6 * kernels
    np.testing.assert_allclose(gradient, [*slope, 0, 0], rtol=tolerance, atol=tolerance)
    assert isinstance(penalty, float)


@pytest.mark.parametrize("name", ["l1", "l2"])
def test_penalties_are_differentiated_by_complex_step(name):
    value = np.array([1.5, -0.5, 2.0, 4.0])
    _, gradient = penalised(name, value, decayed=4)
    for place in range(4):
        moved = value.astype(np.complex128)
        moved[place] += 1e-30j
        penalty, _ = penalised(name, moved, decayed=4)
        assert penalty.imag / 1e-30 == pytest.approx(gradient[place], rel=1e-14)


def test_every_regularizer_is_tested():
    assert set(registry.entries("regularizer")) == {"l1", "l2"}
