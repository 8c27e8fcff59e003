"""Which examples a trained model gets wrong, with what confidence, and what it takes for what."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from dltrain.data.fresh_texts import shown
from dltrain.data.lazy import select
from dltrain.data.wanted import IGNORED
from dltrain.errors import UsageError
from dltrain.layers.base import Array

if TYPE_CHECKING:
    from dltrain.data.examples import Examples
    from dltrain.training.trained import Run

Judgement = tuple[list[Any], list[Any], Array | None, Array, Array]

SMALLEST = 1e-12  # probability that is told from 0
SHARES = (0.01, 0.1)  # of the examples, whose share of the squared error is told


@dataclass(frozen=True)
class Mistakes:
    """What a model makes of each example, the worst first.

    Parameters:
        ids: (N,) positions in the source
        rows: (N,) positions in the part
        labels: N true classes, or values
        predictions: N predicted ones
        confidence: (N,) probability of the prediction; of a regression none
        loss: (N,) -ln of the true class's probability; of a regression the squared error
        wrong: (N,) whether the prediction is another one; of a regression none is
        classes: names of the classes; None for a regression
        texts: N texts as the model reads them, where it reads texts
    """

    ids: Array
    rows: Array
    labels: list[Any]
    predictions: list[Any]
    confidence: Array | None
    loss: Array
    wrong: Array
    classes: list[str] | None
    texts: list[str] | None = None

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def error(self) -> float:
        """Share of the examples that are wrong."""
        return float(self.wrong.mean()) if len(self) else 0.0

    def take(self, order: Array) -> Mistakes:
        """Some of them, in an order."""
        confidence = None if self.confidence is None else self.confidence[order]
        labels, predictions = ([each[k] for k in order] for each in (self.labels, self.predictions))
        some = self.loss[order], self.wrong[order], self.classes
        texts = None if self.texts is None else [self.texts[k] for k in order]
        return Mistakes(self.ids[order], self.rows[order], labels, predictions, confidence, *some, texts)

    def confused(self) -> list[dict[str, Any]]:
        """What is taken for what, most frequent first: [{label, prediction, count, share of all mistakes}]."""
        pairs = Counter((self.labels[k], self.predictions[k]) for k in np.flatnonzero(self.wrong))
        total = max(pairs.total(), 1)
        return [
            {"label": label, "prediction": prediction, "count": count, "share": count / total}
            for (label, prediction), count in pairs.most_common()
        ]

    def by_class(self) -> list[dict[str, Any]]:
        """How each class does, worst first: [{label, samples, errors, error}]."""
        samples, wrong = Counter(self.labels), Counter(self.labels[k] for k in np.flatnonzero(self.wrong))
        rows = [
            {"label": name, "samples": samples[name], "errors": wrong[name], "error": wrong[name] / samples[name]}
            for name in self.classes or ()
            if samples[name]
        ]
        return sorted(rows, key=lambda row: -row["error"])

    def concentration(self) -> list[dict[str, float]]:
        """How much of the squared error the worst examples make: [{share, of_loss}]."""
        total = float(self.loss.sum()) or 1.0
        ordered = np.sort(self.loss)[::-1]
        counts = [(share, max(1, math.ceil(share * len(self)))) for share in SHARES]
        return [{"share": share, "of_loss": float(ordered[:count].sum()) / total} for share, count in counts]


def mistakes_of(run: Run, examples: Examples) -> Mistakes:
    """What a trained model makes of some examples, the worst first.

    Examples whose label is ignored are left out.

    Parameters:
        run: the run
        examples: prepared

    Raises:
        UsageError: when the task is neither a classification nor a regression of one number.
    """
    session, data = run.session, run.session.data
    if run.kind not in ("classification", "binary_classification", "regression"):
        what, expected = f"the mistakes of a {run.kind} are not listed yet", "a classification or a regression"
        raise UsageError(what, where=run.folder.name, expected=expected)
    counted = np.ones(len(examples), bool)
    if data.classes is not None:
        counted = examples.columns["y"].reshape(-1) != IGNORED
    rows = np.flatnonzero(counted)
    inputs = dict.fromkeys(session.graph.inputs, select(examples.columns["x"], rows))
    said = session.task.predict(session.evaluator().outputs(inputs))
    target = examples.columns["y"][rows]
    found = judged(said, target, data.classes) if data.classes is not None else apart(said, data.restore(target))
    order = np.lexsort((examples.ids[rows], -found[3]))
    vocabulary = data.vocabulary()
    texts = None if vocabulary is None else shown(examples.columns["x"][rows], vocabulary)
    return Mistakes(examples.ids[rows], rows, *found, data.classes, texts).take(order)


def judged(said: list[dict[str, Any]], target: Array, classes: list[str]) -> Judgement:
    """(labels, predictions, confidence, loss, wrong) of a classification."""
    labels = [classes[int(k)] for k in target.reshape(-1)]
    predictions = [one["label"] for one in said]
    right = np.array([one["probabilities"][label] for one, label in zip(said, labels, strict=True)])
    confidence = np.array([one["probabilities"][one["label"]] for one in said])
    wrong = np.array([p != label for p, label in zip(predictions, labels, strict=True)], bool)
    return labels, predictions, confidence, -np.log(np.maximum(right, SMALLEST)), wrong


def apart(said: list[dict[str, Any]], target: Array) -> Judgement:
    """(targets, predictions, no confidence, squared error, nothing wrong) of a regression."""
    values = np.array([list(one.values()) for one in said], np.float64)
    loss = np.square(values - target.reshape(values.shape)).mean(1)
    shown = [[one(row) for row in array.reshape(values.shape)] for array in (target, values)]
    return shown[0], shown[1], None, loss, np.zeros(len(values), bool)


def one(row: Array) -> Any:
    """The number of a regression, or its numbers where there are several."""
    return float(row[0]) if len(row) == 1 else [float(value) for value in row]
