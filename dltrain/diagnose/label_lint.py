"""A rule on labels: those that all their neighbours contradict."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from dltrain.data import DataSet
from dltrain.data.examples import Array
from dltrain.data.lazy import select
from dltrain.data.wanted import IGNORED
from dltrain.diagnose.rule import Verdict, lint

NEIGHBOURS = 8  # that must agree, all of them, on another class
LOOKED_AT = 2000  # examples of the training part: all pairs of them are compared
MOST_NUMBERS = 1 << 25  # of all of them together: of wide ones fewer are looked at
DOUBTFUL = 0.03  # share of the examples whose neighbours all have another class, from which labels are a fault
SHOWN = 5  # examples that a sentence names


@lint("doubtful_labels")
def doubtful_labels(data: DataSet) -> Iterator[Verdict]:
    """Examples whose nearest neighbours all have one other class: labels that are probably wrong.

    Where classes overlap, neighbours disagree among themselves; eight of one mind around a single dissenter are rare.

    Example:
        >>> from dltrain.diagnose.data_lint import of_rows
        >>> x = np.concatenate([np.linspace(0, 1, 50), np.linspace(9, 10, 50)])[:, None]
        >>> y = np.repeat([0, 1], 50)
        >>> y[[5, 15, 25, 35, 75]] ^= 1
        >>> [verdict.evidence["count"] for verdict in doubtful_labels(of_rows(x, y=y))]
        [5]

    Source: Wilson: Asymptotic properties of nearest neighbor rules using edited data, 1972.
    """
    examples = data.parts.get("train")
    if examples is None or data.classes is None or examples.columns["y"].ndim > 1:
        return
    y = examples.columns["y"].astype(np.int64)
    width = max(1, int(np.prod(examples.columns["x"].shape[1:])))
    rows = np.flatnonzero(y != IGNORED)[: min(LOOKED_AT, MOST_NUMBERS // width)]
    if len(rows) <= 2 * NEIGHBOURS:
        return
    x = np.asarray(select(examples.columns["x"], rows), np.float64).reshape(len(rows), -1)
    odd = rows[dissenters(x, y[rows])]
    if len(odd) > DOUBTFUL * len(rows):
        ids = ", ".join(str(int(number)) for number in examples.ids[odd[:SHOWN]])
        what = f"{len(odd):,} of {len(rows):,} training examples have {NEIGHBOURS} neighbours of one other class"
        advice = "look at these labels (`dltrain errors RUN --split train` lists them with their loss)"
        evidence = {"count": len(odd), "share": len(odd) / len(rows)}
        yield Verdict("doubt", f"{what}, such as {ids}", advice, "train", evidence)


def dissenters(x: Array, y: Array) -> Array:
    """(n,) which rows have nearest neighbours that all have one class, and another than theirs.

    Parameters:
        x: (n, D) features, of which each column is scaled by its deviation; one that has none says nothing
        y: (n,) classes
    """
    largest = np.abs(x).max(0)
    x = x - x.mean(0)
    deviation = x.std(0)
    z = x / np.where(deviation > 1e-9 * largest, deviation, np.inf)
    squares = (z * z).sum(1)
    far = squares[:, None] + squares - 2 * z @ z.T  # (n, n)
    np.fill_diagonal(far, np.inf)
    nearest = y[np.argpartition(far, NEIGHBOURS, axis=1)[:, :NEIGHBOURS]]  # (n, 8)
    return (nearest == nearest[:, :1]).all(1) & (nearest[:, 0] != y)
