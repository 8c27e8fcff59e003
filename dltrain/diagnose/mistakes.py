"""Which examples a trained model gets wrong, with what confidence, and what it takes for what."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from dltrain.data.fresh_texts import shown
from dltrain.data.lazy import select
from dltrain.data.wanted import IGNORED
from dltrain.errors import UsageError
from dltrain.layers.base import Array

if TYPE_CHECKING:
    from dltrain.data.examples import Examples
    from dltrain.tasks import Bound
    from dltrain.training.trained import Run

Judgement = tuple[list[Any], list[Any], Array | None, Array, Array]

KINDS = ("classes", "binary", "values", "labels")  # of targets whose mistakes are listed
ANSWERS = ["no", "yes"]  # to the question for one of many labels
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


def mistakes_of(run: Run, examples: Examples) -> dict[str, Mistakes]:
    """{head: what it makes of some examples, the worst first}; a single task is the head "", each label is a head.

    Examples whose label is ignored are left out.

    Parameters:
        run: the run
        examples: prepared

    Raises:
        UsageError: when no head is a classification, a regression or one of many labels.
    """
    session = run.session
    found: dict[str, Mistakes] = {}
    inputs = dict.fromkeys(session.graph.inputs, select(examples.columns["x"], np.arange(len(examples))))
    outputs = session.evaluator().outputs(inputs)
    for name, bound in session.task.evaluated.items():
        target = session.task.targets_of(name, examples.columns["y"])
        if bound.task.needs in KINDS:
            found |= of_head(name, bound, bound.predict(outputs), target, examples.ids)
    if not found:
        what, expected = f"the mistakes of a {run.kind} are not listed yet", "a classification, a regression or labels"
        raise UsageError(what, where=run.folder.name, expected=expected)
    vocabulary = session.data.vocabulary()
    if vocabulary is None:
        return found
    texts = shown(examples.columns["x"], vocabulary)
    return {head: replace(some, texts=[texts[k] for k in some.rows]) for head, some in found.items()}


def of_head(name: str, bound: Bound, said: list[dict[str, Any]], target: Array, ids: Array) -> dict[str, Mistakes]:
    """{head: its mistakes}; of many labels one for each, as a question of yes or no.

    Parameters:
        name: of the head
        bound: its task
        said: predictions
        target: of the examples
        ids: positions in the source
    """
    classes, rows = bound.data.classes, np.arange(len(ids))
    if bound.task.needs == "labels":
        return {
            f"{name}.{label}" if name else label: worst(ids, rows, asked(said, label, target[:, k]), ANSWERS)
            for k, label in enumerate(bound.data.target_names)
        }
    if classes is None:
        return {name: worst(ids, rows, apart(said, bound.data.restore(target)), None)}
    rows = np.flatnonzero(target.reshape(-1) != IGNORED)
    return {name: worst(ids[rows], rows, judged([said[k] for k in rows], target[rows], classes), classes)}


def worst(ids: Array, rows: Array, found: Judgement, classes: list[str] | None) -> Mistakes:
    """Mistakes, the largest loss first."""
    return Mistakes(ids, rows, *found, classes).take(np.lexsort((ids, -found[3])))


def asked(said: list[dict[str, Any]], label: str, there: Array) -> Judgement:
    """(labels, predictions, confidence, loss, wrong) of one of many labels."""
    shares = [one["probabilities"][label] for one in said]
    told = [
        {"label": ANSWERS[label in one["labels"]], "probabilities": {"no": 1 - share, "yes": share}}
        for one, share in zip(said, shares, strict=True)
    ]
    return judged(told, (there > 0.5).astype(np.int64), ANSWERS)


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
