"""Rules on data alone: examples that stand twice, columns that give the label away, parts that differ."""

from __future__ import annotations

import hashlib
import secrets
from collections import defaultdict
from collections.abc import Iterator
from itertools import combinations

import numpy as np

from dltrain.data import DataSet
from dltrain.data.examples import PARTS, Array, Examples, chunks
from dltrain.data.lazy import select
from dltrain.data.wanted import IGNORED
from dltrain.diagnose.rule import Severity, Verdict, lint

OFTEN, CHANCE = 0.01, 5  # share of a part, and times the share of doubles within a part, from which doubles are a fault
ROWS = 20_000  # of a part that are looked at by the slower rules
FEW = 10  # training examples, below which a class cannot be learned
SHOWN = 5  # examples or columns that a sentence names
SHIFT, UNLIKELY = 0.15, 1e-6  # distance of two distributions, and how unlikely it must be by chance
CLASS_SHIFT = 0.1  # difference of a class's share between two parts
LEAK = 0.995  # accuracy, or r², of a single column
SIDE, LEVELS = 8, 16  # of the small grey pictures by which pictures are compared


@lint("duplicates_across_parts")
def duplicates_across_parts(data: DataSet) -> Iterator[Verdict]:
    """The same example in two parts: what is measured on the one was learned on the other.

    It is a fault where such examples are far more frequent than doubles within the first part; else they may be alike
    by chance, as rows of a table with few words are.

    Example:
        >>> [verdict.evidence["count"] for verdict in duplicates_across_parts(of_rows([[1], [2], [3]], [[3], [4]]))]
        [1]

    Source: Kapoor, Narayanan: Leakage and the reproducibility crisis in machine-learning-based science, 2023.
    """
    keys = {part: hashes(examples) for part, examples in present(data)}
    for first, second in combinations(keys, 2):
        known = set(keys[first])
        if shared := sum(key in known for key in keys[second]):
            share, by_chance = shared / len(keys[second]), 1 - len(known) / len(keys[first])
            what = f"{shared:,} examples of the {second} part ({share:.1%}) stand in the {first} part too"
            advice = "remove the doubles from the source, or split by group (`data.split: {group: …}`)"
            severity: Severity = "fault" if share > OFTEN + CHANCE * by_chance else "doubt"
            yield Verdict(severity, what, advice, second, {"count": shared, "share": share})


@lint("duplicates_within_parts")
def duplicates_within_parts(data: DataSet) -> Iterator[Verdict]:
    """The same example several times in the training part: it counts as often as it stands there.

    Example:
        >>> [verdict.evidence["count"] for verdict in duplicates_within_parts(of_rows([[1], [1], [1], [2]]))]
        [2]

    Source: Northcutt, Athalye, Mueller: Pervasive label errors in test sets, 2021.
    """
    for part, examples in present(data):
        found = hashes(examples)
        more = len(found) - len(set(found))
        if more > 0.01 * len(found):
            what = f"{more:,} of {len(found):,} examples of the {part} part ({more / len(found):.1%}) repeat others"
            yield Verdict("doubt", what, "remove the doubles, or weigh them", part, {"count": more})


@lint("contradicting_labels")
def contradicting_labels(data: DataSet) -> Iterator[Verdict]:
    """The same features with different targets: no model can get both right.

    Example:
        >>> [verdict.evidence["count"] for verdict in contradicting_labels(of_rows([[1], [1], [2]], y=[0, 1, 0]))]
        [2]

    Source: Northcutt, Athalye, Mueller: Pervasive label errors in test sets, 2021.
    """
    for part, examples in present(data):
        targets = defaultdict(list)
        for row, key in enumerate(hashes(examples)):
            targets[key].append(row)
        y = examples.columns["y"].reshape(len(examples), -1)
        odd = [rows for rows in targets.values() if len(rows) > 1 and np.ptp(y[rows], axis=0).any()]
        if odd:
            count = sum(map(len, odd))
            ids = ", ".join(str(int(examples.ids[row])) for row in odd[0][:SHOWN])
            what = f"{count:,} examples of the {part} part share features and differ in the target, such as {ids}"
            yield Verdict("doubt", what, "look at these labels", part, {"count": count})


@lint("near_duplicates")
def near_duplicates(data: DataSet) -> Iterator[Verdict]:
    """Pictures of two parts that are the same when they are shrunk to 8 × 8 grey points.

    Example:
        >>> picture = np.arange(64.0).reshape(1, 8, 8, 1)
        >>> data = of_rows(picture, picture + 0.001)
        >>> [verdict.evidence["count"] for verdict in near_duplicates(data)]
        [1]

    Source: Barz, Denzler: Do we train on test data? Purging CIFAR of near-duplicates, 2020.
    """
    if len(data.shape) != 3 or min(data.shape[:2]) < SIDE:
        return
    keys = {part: shrunk(examples) for part, examples in present(data)}
    exact = {part: hashes(examples) for part, examples in present(data)}
    for first, second in combinations(keys, 2):
        known, same = set(keys[first]), set(exact[first])
        rows = [k for k, key in enumerate(keys[second]) if key in known and exact[second][k] not in same]
        if rows:
            examples = data.parts[second]
            ids = ", ".join(str(int(examples.ids[row])) for row in rows[:SHOWN])
            what = f"{len(rows):,} pictures of the {second} part look like pictures of the {first} part, such as {ids}"
            yield Verdict("doubt", what, "look at them, and split by what they show", second, {"count": len(rows)})


@lint("rare_classes")
def rare_classes(data: DataSet) -> Iterator[Verdict]:
    """Classes with fewer than ten training examples, or with none in a part that is measured.

    Example:
        >>> data = of_rows(np.arange(30.0)[:, None], y=[0] * 27 + [1] * 3)
        >>> [verdict.evidence["classes"] for verdict in rare_classes(data)]
        [{'b': 3}]

    Source: He, Garcia: Learning from imbalanced data, 2009.
    """
    if data.classes is None or data.parts["train"].columns["y"].ndim > 1:  # pixels and tokens are no examples
        return
    for part, examples in present(data):
        counts = np.bincount(labels(examples), minlength=len(data.classes))
        least = FEW if part == "train" else 1
        rare = {name: int(n) for name, n in zip(data.classes, counts, strict=True) if n < least}
        if rare:
            shown = ", ".join(f"{name} ({n})" for name, n in list(rare.items())[:SHOWN])
            what = f"{len(rare)} class{'es' * (len(rare) > 1)} of the {part} part with few examples or none: {shown}"
            advice = "collect more, leave the class out, or split with `stratified`"
            yield Verdict("doubt", what, advice, part, {"classes": rare})


@lint("constant_columns")
def constant_columns(data: DataSet) -> Iterator[Verdict]:
    """Columns of a table that have the same value in every training example: nothing can be learned from them.

    Example:
        >>> [verdict.evidence["columns"] for verdict in constant_columns(of_rows([[1, 7], [2, 7]]))]
        [['1']]

    Source: Kuhn, Johnson: Applied predictive modeling, 2013, section 3.5.
    """
    x = data.parts["train"].columns["x"]
    if is_table(x) and len(x):
        found = [name(data, int(column)) for column in np.flatnonzero(np.ptp(x, axis=0) == 0)]
        if found:
            what = f"{len(found)} column{'s' * (len(found) > 1)} with one value only: {some(found)}"
            yield Verdict("doubt", what, "leave them out", "train", {"columns": found})


@lint("id_like_columns")
def id_like_columns(data: DataSet) -> Iterator[Verdict]:
    """Columns that rise with the order of the source: numbers of rows, or times, that mean nothing for new data.

    Example:
        >>> data = of_rows(np.stack([np.arange(50.0), np.tile([1.0, 2.0], 25)], 1))
        >>> [verdict.evidence["columns"] for verdict in id_like_columns(data)]
        [['0']]

    Source: Kaufman, Rosset, Perlich: Leakage in data mining, 2012.
    """
    examples = data.parts["train"]
    x = examples.columns["x"]
    if is_table(x) and len(x) >= 2 * FEW:
        x = x[np.argsort(examples.ids, kind="stable")]
        steps = np.diff(x, axis=0)
        rising = (steps > 0).all(0) | (steps < 0).all(0)
        found = [name(data, int(column)) for column in np.flatnonzero(rising)]
        if found:
            what = f"{some(found)} rises with the order of the rows, as an id or a time does"
            yield Verdict("doubt", what, "leave it out; split by time where time matters", "train", {"columns": found})


@lint("leaking_columns")
def leaking_columns(data: DataSet) -> Iterator[Verdict]:
    """A single column that tells the target almost by itself: it may be written down after the fact.

    A tree of three levels on the column alone is right for 99.5 % of the training examples, or explains as much of
    the variance.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> y = rng.integers(0, 2, 200)
        >>> data = of_rows(np.stack([rng.standard_normal(200), y * 3.0], 1), y=y)
        >>> [verdict.evidence["columns"] for verdict in leaking_columns(data)]
        [['1']]

    Source: Kaufman, Rosset, Perlich: Leakage in data mining, 2012.
    """
    examples = data.parts["train"]
    x, y = examples.columns["x"], examples.columns["y"][:ROWS]
    if not is_table(x) or x.shape[1] < 2 or len(x) < 2 * FEW or data.heads or (y.ndim > 1 and y.shape[1] > 1):
        return
    from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

    make = DecisionTreeRegressor if data.classes is None else DecisionTreeClassifier
    found, rows = [], np.asarray(x[:ROWS])
    for column in range(x.shape[1]):
        values = rows[:, [column]]
        if make(max_depth=3, random_state=0).fit(values, y.reshape(-1)).score(values, y.reshape(-1)) >= LEAK:
            found.append(name(data, column))
    if found and len(found) < x.shape[1]:
        what = f"{some(found)} alone tells the target"
        advice = "ask whether it is known before the target; if not, leave it out"
        yield Verdict("doubt", what, advice, "train", {"columns": found})


@lint("shifted_columns")
def shifted_columns(data: DataSet) -> Iterator[Verdict]:
    """Columns that are distributed otherwise in the validation or test part than in the training part.

    The test is that of Kolmogorov and Smirnov; pictures are compared by their mean brightness.

    Example:
        >>> x = np.random.default_rng(0).standard_normal((400, 2))
        >>> data = of_rows(x[:200], x[200:] + [0, 2])
        >>> [verdict.evidence["columns"] for verdict in shifted_columns(data)]
        [['1']]

    Source: Quiñonero-Candela et al.: Dataset shift in machine learning, 2009; Massey, 1951.
    """
    from scipy.stats import ks_2samp

    train = as_table(data.parts["train"])
    if train.dtype.kind != "f":
        return
    for part, examples in present(data):
        if part in ("train", "train_dev"):
            continue
        other, found = as_table(examples), []
        for column in range(train.shape[1]):
            distance = ks_2samp(train[:, column], other[:, column], method="asymp")
            if distance.statistic > SHIFT and distance.pvalue < UNLIKELY / train.shape[1]:
                found.append(name(data, column) if len(data.shape) == 1 else "brightness")
        if found:
            what = f"{some(found)} of the {part} part is distributed otherwise than in training"
            advice = "draw the parts from the same source, or keep a train-dev part to tell mismatch from variance"
            yield Verdict("doubt", what, advice, part, {"columns": found})


@lint("shifted_classes")
def shifted_classes(data: DataSet) -> Iterator[Verdict]:
    """Classes whose share of a part differs by more than ten points from that of the training part.

    Example:
        >>> x = np.arange(400.0)[:, None]
        >>> data = of_rows(x[:200], x[200:], y=[0, 1] * 100 + [0] * 200)
        >>> sorted(verdict.evidence["class"] for verdict in shifted_classes(data))
        ['a']

    Source: Quiñonero-Candela et al.: Dataset shift in machine learning, 2009.
    """
    if data.classes is None:
        return
    shares = {
        part: np.bincount(labels(examples), minlength=len(data.classes)) / max(len(labels(examples)), 1)
        for part, examples in present(data)
    }
    for part, share in shares.items():
        gap = np.abs(share - shares["train"])
        most, count = int(gap.argmax()), len(data.parts[part])
        p = shares["train"][most]
        if gap[most] > CLASS_SHIFT and gap[most] > 4 * np.sqrt(p * (1 - p) / max(count, 1)):
            label = data.classes[most]
            what = f"class {label} makes {share[most]:.1%} of the {part} part, and {p:.1%} of the training part"
            yield Verdict("doubt", what, "split with `stratified`", part, {"class": label, "share": float(share[most])})


def present(data: DataSet) -> Iterator[tuple[str, Examples]]:
    """The parts that have examples, the training part first."""
    return ((part, data.parts[part]) for part in PARTS if part in data.parts and len(data.parts[part]))


def hashes(examples: Examples) -> list[bytes]:
    """A key for each example that is the same for equal features."""
    x = examples.columns["x"]
    rows = (row for some in chunks(x) for row in np.ascontiguousarray(x[some]) + 0)  # so that -0 is 0
    return [hashlib.blake2b(row.tobytes(), digest_size=16).digest() for row in rows]


def shrunk(examples: Examples) -> list[bytes]:
    """A key for each picture that is the same for those that look alike: a small grey picture in few levels."""
    x = examples.columns["x"]
    return [key for some in chunks(x) for key in small_keys(x[some].mean(-1))]


def small_keys(x: Array) -> list[bytes]:
    """The keys of grey pictures (N, H, W); those of one grey have a key each, since they look like nothing."""
    rows, columns = (np.linspace(0, n, SIDE + 1).astype(int)[:-1] for n in x.shape[1:])
    small = np.add.reduceat(np.add.reduceat(x, rows, 1), columns, 2).reshape(len(x), -1)
    low, high = small.min(1, keepdims=True), small.max(1, keepdims=True)
    levels = np.rint((small - low) / np.where(high > low, high - low, 1) * (LEVELS - 1)).astype(np.uint8)
    return [row.tobytes() if there else secrets.token_bytes(9) for row, there in zip(levels, high > low, strict=True)]


def as_table(examples: Examples) -> Array:
    """(N, D) of a table; of pictures and the like one column, their mean."""
    x = select(examples.columns["x"], np.arange(min(len(examples), ROWS)))
    if x.ndim == 2:
        return np.asarray(x)
    return np.concatenate([x[rows].reshape(rows.stop - rows.start, -1).mean(1, keepdims=True) for rows in chunks(x)])


def is_table(x: Array) -> bool:
    """Whether features are columns of numbers, and not pictures or tokens."""
    return x.ndim == 2 and x.dtype.kind == "f"


def labels(examples: Examples) -> Array:
    """The class numbers, without ignored ones."""
    y = examples.columns["y"].reshape(-1).astype(np.int64)
    return y[y != IGNORED]


def name(data: DataSet, column: int) -> str:
    """A column by its name, or its number."""
    return data.input_names[column] if len(data.input_names) == data.shape[-1] else str(column)


def some(names: list[str]) -> str:
    """The first of some names."""
    return ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")


def of_rows(train: object, validation: object = (), y: object = None) -> DataSet:
    """A small data set with classes a, b, …, for examples.

    Parameters:
        train: features of the training part
        validation: features of the validation part
        y: class numbers of both, one after the other; all 0 where left out
    """
    parts, start = {}, 0
    target = np.asarray(y if y is not None else [0] * (len(train) + len(validation)))  # type: ignore[arg-type]
    for part, rows in (("train", train), ("validation", validation)):
        x = np.asarray(rows, np.float32)
        if len(x):
            stop = start + len(x)
            parts[part] = Examples({"x": x, "y": target[start:stop]}, np.arange(start, stop))
            start = stop
    shape = parts["train"].columns["x"].shape[1:]
    classes = [chr(ord("a") + k) for k in range(int(target.max()) + 1)]
    return DataSet(parts, shape, classes, [], ["y"], "", [], {}, {}, "rows", "float32", shape, [], [])
