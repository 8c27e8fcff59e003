"""Spans of tags, such as names of several words: which are there, which are found, and how many are both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from dltrain.kernels.arrays import Array
from dltrain.metrics.collectors import Kernels, Sums
from dltrain.metrics.counts import divide
from dltrain.registry import register

PREFIXES = "BIES"  # begins, goes on, ends, stands alone; O is outside


class Spans(Sums):
    """Counts spans: (found and right, found, there).

    A span begins at B or S, and at I or E where the word before is outside, of another kind, or ended its span with E
    or S; it goes on through I and E of its kind.  So IOB1, IOB2 and IOBES are read alike.

    Parameters:
        tags: names such as O, B-city, I-city

    Example:
        >>> spans = Spans(["O", "B-x", "I-x"])
        >>> there, found = np.array([[1, 2, 0, 1]]), np.array([[1, 2, 0, 0]])
        >>> spans.update(np.eye(3)[found], there, None)
        >>> spans.arrays["spans"].tolist()
        [1, 1, 2]
    """

    of_sequences = True

    def __init__(self, tags: Sequence[str]) -> None:
        super().__init__(spans=np.zeros(3, np.int64))
        kinds = {kind: k for k, kind in enumerate(dict.fromkeys(tag.partition("-")[2] for tag in tags))}
        inside = [tag[:1] in PREFIXES and (tag[1:2] == "-" or len(tag) == 1) for tag in tags]
        self.fitting = all(ok or tag == "O" for ok, tag in zip(inside, tags, strict=True)) and any(inside)
        self.kinds = np.array([kinds[t.partition("-")[2]] if ok else -1 for t, ok in zip(tags, inside, strict=True)])
        self.begins = np.array([tag[:1] in "BS" for tag in tags])
        self.ends = np.array([tag[:1] in "ES" for tag in tags])

    def update(self, outputs: Array, targets: Array, kernels: Kernels) -> None:
        """Count one batch: scores (N, T, K) and tags (N, T), -1 behind the end of a sentence."""
        there = self.keys(targets, targets >= 0)
        found = self.keys(outputs.real.argmax(-1), targets >= 0)
        self.arrays["spans"] += (len(np.intersect1d(there, found)), len(found), len(there))

    def keys(self, tags: Array, valid: Array) -> Array:
        """A number for each span of tags (N, T), from its sentence, first word, last word and kind."""
        if not tags.size:
            return np.empty(0, np.int64)
        kind = np.where(valid, self.kinds[np.maximum(tags, 0)], -1)
        before = np.pad(kind, ((0, 0), (1, 0)), constant_values=-1)[:, :-1]
        ended = np.pad(self.ends[tags] & valid, ((0, 0), (1, 0)))[:, :-1]
        begins = (kind >= 0) & (self.begins[tags] | (before != kind) | ended)
        after = np.pad(kind, ((0, 0), (0, 1)), constant_values=-1)[:, 1:]
        next_begins = np.pad(begins, ((0, 0), (0, 1)), constant_values=True)[:, 1:]
        last = (kind >= 0) & ((after != kind) | next_begins)
        (sentence, first), (_, end) = np.nonzero(begins), np.nonzero(last)
        steps = tags.shape[1]
        keys: Array = ((sentence * steps + first) * steps + end) * (len(self.kinds) + 1) + kind[sentence, first]
        return keys


@register("metric", "span_f1")
class SpanF1:
    """The harmonic mean of precision and recall of spans: right are those with both ends and the kind right.

    F = 2 right / (found + there)

    Example:
        >>> SpanF1()({"spans": np.array([1, 1, 2])})
        0.6666666666666666

    Source: Tjong Kim Sang, De Meulder: Introduction to the CoNLL-2003 shared task, 2003.
    """

    statistic = "spans"
    higher_is_better = True

    def __call__(self, arrays: Mapping[str, Array]) -> float:
        """From the counts of spans; 0 where there is none."""
        right, found, there = arrays["spans"]
        return float(divide(2 * right, found + there))
