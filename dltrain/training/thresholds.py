"""Decision thresholds: from which probability on yes is said, tuned on the validation part."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from dltrain.errors import DataError, UsageError
from dltrain.layers.base import Array
from dltrain.metrics import logistic
from dltrain.training.decisions import Judged, judged, keep, labels_of, single

if TYPE_CHECKING:
    from dltrain.training.trained import Run

CLOSEST = 1e-6  # that a threshold comes to 0 or 1
FEW = 30  # yes or no of a label, below which a threshold is mostly chance


class Counts(NamedTuple):
    """How often what was said: arrays of one shape, for several thresholds at once."""

    true_positive: Array
    false_positive: Array
    false_negative: Array
    true_negative: Array


def f1(counts: Counts) -> Array:
    """2 TP / (2 TP + FP + FN); 0 where there is nothing."""
    tp, fp, fn, _ = counts
    total = 2 * tp + fp + fn
    return np.divide(2 * tp, total, out=np.zeros(np.shape(total)), where=total > 0)


def accuracy(counts: Counts) -> Array:
    """(TP + TN) / N."""
    tp, _, _, tn = counts
    return np.asarray((tp + tn) / np.maximum(sum(counts), 1))


def cost_of(false_positive: float, false_negative: float) -> Callable[[Counts], Array]:
    """Minus the mean cost of a sample, each kind of error having its own."""
    return lambda counts: (
        -np.asarray(
            (false_positive * counts.false_positive + false_negative * counts.false_negative)
            / np.maximum(sum(counts), 1)
        )
    )


OBJECTIVES: dict[str, Callable[[float, float], Callable[[Counts], Array]]] = {
    "f1": lambda *_: f1,
    "accuracy": lambda *_: accuracy,
    "cost": cost_of,
}


def counts_at(logits: Array, there: Array, cut: float) -> Counts:
    """The counts where yes is said above a logit.

    Example:
        >>> counts_at(np.array([-1.0, 0.5, 2.0]), np.array([False, False, True]), 0.0)
        Counts(true_positive=1, false_positive=1, false_negative=0, true_negative=1)
    """
    said = logits > cut
    pairs = ((said, there), (said, ~there), (~said, there), (~said, ~there))
    return Counts(*(int((a & b).sum()) for a, b in pairs))  # type: ignore[arg-type]


def best_cut(logits: Array, there: Array, objective: Callable[[Counts], Array]) -> float:
    """The logit above which yes is said best; of equally good ones the nearest to 0, a probability of one half.

    All cuts that differ in what they say are compared: 0, and the middles between neighbouring logits.

    Parameters:
        logits: (N,)
        there: (N,) whether yes is right
        objective: the higher the better

    Example:
        >>> best_cut(np.array([-3.0, -1.0, 0.5, 2.0]), np.array([False, True, True, True]), f1)
        -2.0

    Source: Lipton, Elkan, Naryanaswamy: Optimal thresholding of classifiers to maximize F1 measure, 2014.
    """
    order = np.argsort(logits, kind="stable")
    z, yes = logits[order].astype(np.float64), there[order]
    different = np.unique(z)
    middles = (different[1:] + different[:-1]) / 2
    ends = [z[0] - 1, z[-1] + 1] if len(z) else []
    low, high = (np.log(share / (1 - share)) for share in (CLOSEST, 1 - CLOSEST))
    cuts = np.unique(np.clip([0.0, *middles, *ends], low, high))
    above = np.searchsorted(z, cuts, side="right")  # the first that is above each cut
    right = np.concatenate([[0], np.cumsum(yes)])
    tp = right[-1] - right[above]
    fp = len(z) - above - tp
    values = objective(Counts(tp, fp, right[-1] - tp, above - right[above]))
    best = cuts[values >= values.max() - 1e-12]
    return float(best[np.abs(best).argmin()])


def tune(run: Run, objective: str, false_positive: float, false_negative: float) -> dict[str, Any]:
    """Tune the thresholds of a run on its validation part, store them, and measure the test part with and without.

    Parameters:
        run: with one checkpoint
        objective: f1, accuracy or cost
        false_positive: cost of a wrong yes
        false_negative: cost of a missed one

    Returns:
        {run, checkpoint, objective, samples, labels: [{head, label, before, threshold, validation: [before, after],
        test: [before, after]}], file, notes}; values of cost are negative

    Raises:
        UsageError: when the run says neither yes nor no, or has no validation part.
        DataError: when its outputs are not finite.
    """
    single(run, "thresholds")
    chosen = OBJECTIVES[objective](false_positive, false_negative)
    heads = {name: found for name, found in judged(run, "validation").items() if labels_of(found[0])}
    if not heads:
        expected = "a binary_classification or a multi_label, alone or as a head"
        raise UsageError(f"a {run.kind} says neither yes nor no", where=run.folder.name, expected=expected)
    test = judged(run, "test") if len(run.session.data.parts.get("test", ())) else {}
    rows, decisions, notes = [], {}, []
    for name, (bound, scores, targets) in heads.items():
        if not np.isfinite(scores).all():
            raise DataError("an output of the model is not finite", where=run.folder.name)
        before, there = np.broadcast_to(bound.decision.cut, scores.shape[1:]), targets > 0.5
        after = [best_cut(scores[:, k], there[:, k], chosen) for k in range(scores.shape[1])]
        decisions[name] = replace(bound.decision, thresholds=tuple(map(float, logistic(np.array(after)))))
        for k, label in enumerate(labels_of(bound)):
            cuts = (float(before[k]), float(decisions[name].cut[k]))
            few = int(min(there[:, k].sum(), (~there[:, k]).sum()))
            rows.append(
                {
                    "head": name,
                    "label": label,
                    "before": float(logistic(before[k])),
                    "threshold": decisions[name].thresholds[k],
                    "validation": effect(heads[name], k, cuts, chosen),
                    "test": effect(test[name], k, cuts, chosen) if test else None,
                }
            )
            if few < FEW:
                notes.append(f"{label}: only {few} samples of one kind in the validation part: mostly chance")
    keep(run, decisions)
    facts = {"run": str(run.folder.path), "checkpoint": run.step, "objective": objective}
    samples = len(next(iter(heads.values()))[1])
    return {**facts, "samples": samples, "labels": rows, "file": str(run.folder.decision_path), "notes": notes}


def effect(found: Judged, k: int, cuts: tuple[float, float], objective: Callable[[Counts], Array]) -> list[float]:
    """The objective of a label with the cut of before and with the new one."""
    _, scores, targets = found
    return [float(objective(counts_at(scores[:, k], targets[:, k] > 0.5, cut))) for cut in cuts]
