"""Calibration: a temperature by which probabilities say how often they are right, fitted on the validation part."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from dltrain.errors import DataError, UsageError
from dltrain.layers.base import Array
from dltrain.metrics import probabilities
from dltrain.training.decisions import Judged, judged, keep, single, with_temperature

if TYPE_CHECKING:
    from dltrain.tasks import Bound
    from dltrain.training.trained import Run

BINS = 15
COLDEST, HOTTEST = 0.05, 20.0  # of the temperatures that are looked at
NO_BEST = (
    f"no temperature from {COLDEST:g} to {HOTTEST:g} has the smallest log loss of the validation part, as where all of "
    "it is right; it is 1"
)
TINY = np.finfo(np.float64).tiny
GOLDEN = (5**0.5 - 1) / 2


def confidences(found: Judged, temperature: float = 1.0) -> tuple[Array, Array, Array]:
    """(confidence, whether it is right, probability of what is right) of every decision of a head.

    A decision is one for each sample, and of many labels one for each label.

    Parameters:
        found: the head, its outputs and the targets
        temperature: that the outputs are divided by
    """
    bound, scores, targets = found
    z = scores / temperature
    if bound.task.needs == "labels":
        z, targets = z.reshape(-1, 1), targets.reshape(-1, 1)
    shares = probabilities(z, bound.link)
    labels = targets.reshape(-1).astype(np.int64)
    right = shares[np.arange(len(shares)), labels]
    return shares.max(1), shares.argmax(1) == labels, right


def log_loss(found: Judged, temperature: float) -> float:
    """Mean of -log of the probability of what is right.

    Where the outputs are logits it is summed in logarithms, so that a very sure mistake costs what it costs.
    """
    bound, scores, targets = found
    z = scores.astype(np.float64) / temperature
    if z.shape[1] == 1 or bound.task.needs == "labels":
        return float(np.logaddexp(0, np.where(targets > 0.5, -z, z)).mean())
    if bound.link == "softmax":
        rows = np.arange(len(z))
        return float((np.logaddexp.reduce(z, axis=1) - z[rows, targets.reshape(-1).astype(np.int64)]).mean())
    return float(-np.log(np.maximum(confidences(found, temperature)[2], TINY)).mean())


def fitted(found: Judged) -> float | None:
    """The factor of the temperature with the smallest log loss, by golden section; the loss has one minimum in 1/T.

    It is None where no temperature within the limits is better than those beside it: where all is right, the loss falls
    for ever as the temperature does.

    Source: Guo, Pleiss, Sun, Weinberger: On calibration of modern neural networks, 2017.
    """
    already = found[0].decision.temperature  # the outputs are divided by it
    low, high = coldest, hottest = np.log(COLDEST / already), np.log(HOTTEST / already)
    while high - low > 1e-5:
        left, right = high - GOLDEN * (high - low), low + GOLDEN * (high - low)
        if log_loss(found, float(np.exp(left))) <= log_loss(found, float(np.exp(right))):
            high = right
        else:
            low = left
    at_limit = low == coldest or high == hottest
    return None if at_limit else float(np.exp((low + high) / 2))


def reliability(confidence: Array, right: Array) -> list[dict[str, float]]:
    """Bins of confidence with samples in them: [{confidence, right, samples}], means over each bin.

    Example:
        >>> reliability(np.array([0.9, 0.92, 0.55]), np.array([True, False, True]))[1]["right"]
        0.5
    """
    place = np.clip(np.ceil(confidence * BINS).astype(np.int64) - 1, 0, BINS - 1)
    return [
        {
            "confidence": float(confidence[place == k].mean()),
            "right": float(right[place == k].mean()),
            "samples": int((place == k).sum()),
        }
        for k in range(BINS)
        if (place == k).any()
    ]


def error_of(bins: list[dict[str, float]]) -> float:
    """Expected calibration error: the mean distance of confidence and share of right ones."""
    total = sum(row["samples"] for row in bins)
    return sum(row["samples"] * abs(row["right"] - row["confidence"]) for row in bins) / max(total, 1)


def calibrate(run: Run) -> dict[str, Any]:
    """Fit the temperatures of a run on its validation part, store them, and measure the test part with and without.

    What is said stays the same: thresholds move with the temperature.

    Parameters:
        run: with one checkpoint

    Returns:
        {run, checkpoint, heads: [{head, temperature, parts: {part: {samples, log_loss, calibration_error, bins}}}],
        file, notes}; the last three of a part are [before, after]

    Raises:
        UsageError: when the run gives no probabilities, or has no validation part.
        DataError: when its outputs are not finite.
    """
    single(run, "temperatures")
    found = {"validation": judged(run, "validation")}
    found |= {"test": judged(run, "test")} if len(run.session.data.parts.get("test", ())) else {}
    names = [name for name, (bound, *_) in found["validation"].items() if has_logits(bound)]
    if not names:
        expected = "a classification or a multi_label whose loss takes logits, alone or as a head"
        raise UsageError(f"this {run.kind} gives no logits", where=run.folder.name, expected=expected)
    heads, decisions, notes = [], {}, []
    for name in names:
        bound, scores, _ = found["validation"][name]
        if not np.isfinite(scores).all():
            raise DataError("an output of the model is not finite", where=run.folder.name)
        factor = fitted(found["validation"][name])
        if factor is None:
            factor = 1 / bound.decision.temperature
            notes.append(f"{name}: {NO_BEST}" if name else NO_BEST)
        decisions[name] = with_temperature(bound.decision, factor)
        told = {part: told_of(heads_of[name], factor) for part, heads_of in found.items()}
        heads.append({"head": name, "temperature": decisions[name].temperature, "parts": told})
    keep(run, decisions)
    facts = {"run": str(run.folder.path), "checkpoint": run.step}
    return {**facts, "heads": heads, "file": str(run.folder.decision_path), "notes": notes}


def has_logits(bound: Bound) -> bool:
    """Whether probabilities come of logits, which a temperature can divide."""
    return bound.task.needs in ("classes", "binary", "labels") and bound.link != "identity"


def told_of(found: Judged, factor: float) -> dict[str, Any]:
    """What a temperature changes in a part."""
    both = [reliability(*confidences(found, temperature)[:2]) for temperature in (1.0, factor)]
    return {
        "samples": len(found[1]),
        "log_loss": [log_loss(found, temperature) for temperature in (1.0, factor)],
        "calibration_error": [error_of(bins) for bins in both],
        "bins": both,
    }
