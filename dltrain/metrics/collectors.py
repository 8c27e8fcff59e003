"""Collectors: what metrics are computed from, gathered batch by batch.

They add up counts or sums, or keep every score where a metric needs the order of all samples.  So a metric is one of
all samples, never a mean of the batches' metrics, and a data set may be cut into batches in any way.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from dltrain.kernels.arrays import Array
from dltrain.metrics.probabilities import probabilities

Kernels = Any  # the namespace that `dltrain.kernels.select` chooses for the outputs
BINS = 15  # of the calibration error


class Sums:
    """Arrays of a fixed shape to which batches are added: what most collectors are.

    Parameters:
        arrays: {name: array of zeros}
    """

    decides = False  # whether it counts yes and no, by logits above 0
    of_sequences = False  # whether it is given whole sequences, one a sample

    def __init__(self, **arrays: Array) -> None:
        self.arrays = arrays

    def reset(self) -> None:
        """Start anew."""
        for array in self.arrays.values():
            array[...] = 0

    def load(self, arrays: Mapping[str, Array]) -> None:
        """Go on from a copy of `arrays`."""
        for name, array in self.arrays.items():
            array[...] = arrays[name]


class Confusion(Sums):
    """Counts how often each class was taken for which: counts[label, predicted].

    Parameters:
        classes: number of classes

    Example:
        >>> from dltrain.kernels import select
        >>> confusion = Confusion(2)
        >>> outputs = np.array([[0.1, 0.9], [0.8, 0.2]])
        >>> confusion.update(outputs, np.array([1, 1]), select("reference")(outputs))
        >>> confusion.arrays["counts"].tolist()
        [[0, 0], [1, 1]]
    """

    def __init__(self, classes: int) -> None:
        super().__init__(counts=np.zeros((classes, classes), np.int64))

    def update(self, outputs: Array, targets: Array, kernels: Kernels) -> None:
        """Count one batch: scores (N, K) and labels (N,)."""
        kernels.count_confusion(outputs, targets, self.arrays["counts"])


class BinaryConfusion(Sums):
    """Counts yes and no, with yes predicted where the logit is above 0: counts[label, predicted]."""

    decides = True

    def __init__(self) -> None:
        super().__init__(counts=np.zeros((2, 2), np.int64))

    def update(self, outputs: Array, targets: Array, kernels: Kernels) -> None:
        """Count one batch: logits (N, 1) and targets of the same shape, 0 or 1."""
        kernels.count_binary(outputs, targets, self.arrays["counts"])


class Moments(Sums):
    """Sums, for each output column: number, t - c, (t - c)², (y - t)², |y - t|; c is the mean of the first targets.

    Without c the spread of targets far from 0 would be a difference of two large sums.

    Parameters:
        columns: number of output columns
    """

    def __init__(self, columns: int) -> None:
        super().__init__(sums=np.zeros((5, columns)), center=np.zeros(columns))

    def update(self, outputs: Array, targets: Array, kernels: Kernels) -> None:
        """Add one batch: predictions and targets (N, columns)."""
        sums, center = self.arrays["sums"], self.arrays["center"]
        if not sums[0].any() and len(targets):
            center[:] = targets.mean(0, dtype=np.float64)
        c = center.astype(targets.dtype)
        kernels.add_moments(outputs - c, targets - c, sums)


class LabelSets(Sums):
    """Counts, for each label by itself, counts[label, is there, predicted], and how many samples are wholly right.

    Parameters:
        labels: number of labels; one is predicted where its logit is above 0
    """

    decides = True

    def __init__(self, labels: int) -> None:
        super().__init__(counts=np.zeros((labels, 2, 2), np.int64), sets=np.zeros(2, np.int64))

    def update(self, outputs: Array, targets: Array, kernels: Kernels) -> None:
        """Count one batch: logits and targets (N, labels)."""
        said, there = outputs.real > 0, targets > 0.5
        counts = self.arrays["counts"]
        for i, actual in enumerate((~there, there)):
            for j, predicted in enumerate((~said, said)):
                counts[:, i, j] += (actual & predicted).sum(0)
        self.arrays["sets"] += (len(said), int((said == there).all(1).sum()))


class Hits(Sums):
    """How many decisions there are, and how many of them are right: a confusion matrix without the matrix."""

    def __init__(self) -> None:
        super().__init__(hits=np.zeros(2, np.int64))

    def update(self, outputs: Array, targets: Array, kernels: Kernels) -> None:
        """Count one batch: scores (N, K) and labels (N,)."""
        self.arrays["hits"] += (len(targets), int((outputs.argmax(1) == targets).sum()))


class Certainty(Sums):
    """Sums over the probabilities: ranks of the right class, log-probabilities, squared errors, bins of confidence.

    ranks[r] counts the samples whose right class has r others before it (equal ones in the order of their numbers);
    sums are the number of samples, Σ -log p of the right class, Σ squared error; bins (3, 15) are number, Σ confidence
    and number of right ones, for the confidence in (i/15, (i+1)/15].

    Parameters:
        classes: number of classes
        link: how outputs become probabilities
    """

    def __init__(self, classes: int, link: str = "softmax") -> None:
        super().__init__(ranks=np.zeros(classes, np.int64), sums=np.zeros(3), bins=np.zeros((3, BINS)))
        self.link = link

    def update(self, outputs: Array, targets: Array, kernels: Kernels) -> None:
        """Add one batch: outputs (N, K) and labels (N,), or logits (N, 1) and targets of 0 and 1."""
        shares = probabilities(outputs, self.link)  # (N, K)
        labels = targets.reshape(-1).astype(np.int64)
        rows, width = np.arange(len(shares)), shares.shape[1]
        right = shares[rows, labels]
        before = (shares > right[:, None]) | ((shares == right[:, None]) & (np.arange(width) < labels[:, None]))
        rank = before.sum(1)
        self.arrays["ranks"] += np.bincount(rank, minlength=width)
        tiny = np.finfo(np.float64).eps
        squares = (shares * shares).sum(1) - 2 * right + 1
        scale = 0.5 if width == 2 else 1.0
        self.arrays["sums"] += (len(rows), -np.log(np.clip(right, tiny, 1)).sum(), scale * squares.sum())
        confidence = shares.max(1, initial=0)
        place = np.clip(np.ceil(confidence * BINS).astype(np.int64) - 1, 0, BINS - 1)
        for row, terms in zip(self.arrays["bins"], (np.ones(len(rows)), confidence, rank == 0), strict=True):
            row += np.bincount(place, terms, BINS)


class Timing(Sums):
    """Seconds and number of samples of the forward passes that were timed; the evaluation adds them."""

    def __init__(self) -> None:
        super().__init__(timing=np.zeros(2))

    def update(self, outputs: Array, targets: Array, kernels: Kernels) -> None:
        """Nothing: time is not in the outputs."""


class Scores:
    """Keeps the scores and targets of all samples, for metrics of their order.

    Parameters:
        width: of the scores
        link: how outputs become probabilities, which many classes are ordered by; None: scores as they are
    """

    decides = of_sequences = False

    def __init__(self, width: int, link: str | None = None) -> None:
        self.width, self.link, self.count = width, link, 0
        self._scores, self._targets = np.empty((0, width)), np.empty((0, width), np.int64)

    @property
    def arrays(self) -> dict[str, Array]:
        """{"scores": (N, width) float64, "targets": (N, width) int64 of 0 and 1}."""
        return {"scores": self._scores[: self.count], "targets": self._targets[: self.count]}

    def update(self, outputs: Array, targets: Array, kernels: Kernels) -> None:
        """Keep one batch: outputs (N, width), and labels (N,) or targets of 0 and 1 (N, width)."""
        scores = outputs.real.astype(np.float64) if self.link is None else probabilities(outputs, self.link)
        there = targets > 0.5 if targets.ndim == 2 else targets[:, None] == np.arange(self.width)
        self._append(scores, there)

    def reset(self) -> None:
        """Start anew."""
        self.count = 0

    def load(self, arrays: Mapping[str, Array]) -> None:
        """Go on from a copy of `arrays`."""
        self.count = 0
        self._append(arrays["scores"], arrays["targets"])

    def _append(self, scores: Array, targets: Array) -> None:
        start, stop = self.count, self.count + len(scores)
        if stop > len(self._scores):
            size = max(stop, 2 * len(self._scores), 1024)
            for name in ("_scores", "_targets"):
                old = getattr(self, name)
                new = np.empty((size, self.width), old.dtype)
                new[:start] = old[:start]
                setattr(self, name, new)
        self._scores[start:stop], self._targets[start:stop] = scores, targets
        self.count = stop
