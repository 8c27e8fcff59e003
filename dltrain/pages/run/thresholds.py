"""Every threshold at once: ROC, and precision over recall."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from dltrain.layers.base import Array
from dltrain.metrics.ranking import area, columns_of, precision_area
from dltrain.pages.material import Material
from dltrain.pages.section import LeftOut, chart
from dltrain.report.html import Child, element, table
from dltrain.report.svg import line_chart

CURVES = 8  # that are drawn, those of the smallest areas
POINTS = 30  # of a curve


def thresholds(run: Material) -> Iterator[Child]:
    """Both curves of each class or label against the rest, and their areas."""
    scored = {name: head for name, head in run.heads.items() if "scores" in head.collectors}
    if not scored:
        raise LeftOut("the task decides by no score of a class")
    for name, head in scored.items():
        if name:
            yield element("h3", name)
        data = head.bound.data
        yield from one(*columns_of(head.collectors["scores"].arrays), [*map(str, data.classes or data.target_names)])


def one(scores: Array, targets: Array, names: Sequence[str]) -> Iterator[Child]:
    """The curves of one head."""
    names = names[-1:] if scores.shape[1] == 1 else names
    both = [k for k in range(len(names)) if 0 < targets[:, k].sum() < len(targets)]
    if not both:
        yield element("p", "All samples are of one kind: there is no threshold to choose.", class_="note")
        return
    columns = {names[k]: (scores[:, k], targets[:, k]) for k in both}
    areas = {name: (area(*column), precision_area(*column)) for name, column in columns.items()}
    rows = [[name, *areas[name], int(columns[name][1].sum())] for name in columns]
    yield table(["class", "area under ROC", "average precision", "samples"], rows, "each against the rest")
    hardest = sorted(columns, key=lambda name: areas[name][0])[:CURVES]
    curves = {name: points(*columns[name]) for name in columns if name in hardest}
    roc = {name: (found[:, 1].tolist(), found[:, 0].tolist()) for name, found in curves.items()}
    precision = {name: (found[1:, 0].tolist(), found[1:, 2].tolist()) for name, found in curves.items()}
    some = f", the hardest {CURVES}" if len(columns) > CURVES else ""
    for title, x, y, series in (
        (f"ROC{some}", "false positives", "true positives", roc),
        (f"Precision and recall{some}", "recall", "precision", precision),
    ):
        listed = [[name, a, b] for name, (xs, ys) in series.items() for a, b in zip(xs, ys, strict=True)]
        yield chart(line_chart(title, x, y, series), ["class", x, y], listed)


def points(scores: Array, targets: Array) -> Array:
    """(P, 3): recall, share of false positives, and precision, at falling thresholds, the highest first.

    Example:
        >>> points(np.array([0.9, 0.8, 0.1]), np.array([1, 0, 1])).round(2).tolist()
        [[0.0, 0.0, 1.0], [0.5, 0.0, 1.0], [0.5, 1.0, 0.5], [1.0, 1.0, 0.67]]

    Source: Fawcett: An introduction to ROC analysis, 2006.
    """
    order = np.argsort(-scores, kind="stable")
    ends = np.flatnonzero(np.diff(scores[order], append=-np.inf))  # the last of each group of equal scores
    right = np.cumsum(targets[order] > 0)[ends]
    wrong = ends + 1 - right
    found = np.column_stack([right / right[-1], wrong / wrong[-1], right / (ends + 1)])
    kept = np.unique(np.linspace(0, len(found) - 1, POINTS).astype(np.int64))
    return np.vstack([[0.0, 0.0, 1.0], found[kept]])
