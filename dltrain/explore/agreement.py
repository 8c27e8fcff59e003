"""How well groups that were found without classes agree with the classes."""

from __future__ import annotations

from typing import Any

import numpy as np

from dltrain.data.examples import Array
from dltrain.explore.finding import Finding, Table, plane, scatter
from dltrain.explore.subject import Subject
from dltrain.report.svg import heat_map

MOST_CLASSES = 30  # columns of a readable table; of more, only the most frequent class is told


def cross_table(groups: Array, labels: Array, count: int, classes: int) -> Array:
    """How many samples of each group are of each class: (groups, classes).

    Example:
        >>> cross_table(np.array([0, 0, 1]), np.array([1, 1, 0]), 2, 2).tolist()
        [[0, 2], [1, 0]]
    """
    return np.bincount(groups * classes + labels, minlength=count * classes).reshape(count, classes)


def purity(table: Array) -> float:
    """The share of samples that are of the most frequent class of their group.

    Example:
        >>> purity(np.array([[0, 2], [1, 1]]))
        0.75

    Source: Manning, Raghavan, Schütze: Introduction to information retrieval, 2008, section 16.3.
    """
    return float(table.max(axis=1).sum() / table.sum())


def agreement(groups: Array, subject: Subject, count: int) -> dict[str, float]:
    """Purity, and the adjusted Rand index: 1 for the same groups, about 0 for random ones; {} without classes.

    Source: Hubert, Arabie: Comparing partitions, 1985.
    """
    if subject.labels is None or subject.classes is None:
        return {}
    from sklearn.metrics import adjusted_rand_score

    table = cross_table(groups, subject.labels, count, len(subject.classes))
    return {"purity": purity(table), "adjusted_rand_index": float(adjusted_rand_score(subject.labels, groups))}


def compare(found: Finding, groups: Array, subject: Subject, count: int, word: str) -> None:
    """Add the groups to a finding: their sizes, the cross table with the classes, and maps of both.

    Parameters:
        found: receives them
        groups: (N,) the number of each sample's group
        subject: the samples
        count: of groups
        word: what a group is called
    """
    names = [f"{word} {number}" for number in range(count)]
    found.columns[word] = groups
    if subject.labels is None or subject.classes is None:
        sizes = np.bincount(groups, minlength=count).tolist()
        found.shown.append(Table(f"the {count} {word}s", [word, "samples"], list(enumerate(sizes))))
        found.result["cross_table"] = None
    else:
        table = cross_table(groups, subject.labels, count, len(subject.classes))
        found.result["cross_table"] = table.tolist()
        title = f"samples of each {word} and class"
        found.shown.append(Table(title, *crossed(table, subject.classes, word)))
        found.figures["classes"] = heat_map(f"{word.capitalize()}s and classes", names, subject.classes, table.tolist())
    if subject.x.shape[1] < 2:
        found.notes.append("one feature has no plane to draw: the maps are left out")
        return
    places, axes = plane(subject)
    own = {name: np.flatnonzero(groups == number) for number, name in enumerate(names)}
    found.figures[f"{word}s"] = scatter(f"The {count} {word}s", axes, places, own)
    if subject.labels is not None or subject.targets is not None:
        title = f"The same samples by {'class' if subject.labels is not None else subject.target}"
        found.figures["samples"] = scatter(title, axes, places, subject.groups())


def crossed(table: Array, classes: list[str], word: str) -> tuple[list[str], list[list[Any]]]:
    """The cross table as headers and rows: size, most frequent class, its share, and each class.

    Example:
        >>> crossed(np.array([[0, 2]]), ["cat", "dog"], "cluster")
        (['cluster', 'samples', 'mostly', 'share', 'cat', 'dog'], [[0, 2, 'dog', 1.0, 0, 2]])
    """
    each = classes if len(classes) <= MOST_CLASSES else []
    rows: list[list[Any]] = []
    for number, counts in enumerate(table):
        size, most = int(counts.sum()), int(counts.argmax())
        told = [classes[most], float(counts[most] / size)] if size else [None, None]
        rows.append([number, size, *told, *(counts.tolist() if each else [])])
    return [word, "samples", "mostly", "share", *each], rows
