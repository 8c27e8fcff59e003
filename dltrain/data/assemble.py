"""From a config's `data:` section to a data set: source, checks, split, preparation."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from dltrain.data import pipeline, target_preparation
from dltrain.data.budget import check_memory
from dltrain.data.examples import Array, DataSet, Examples, Features, Pool
from dltrain.data.folders import DataFolders, SettingError
from dltrain.data.opening import PIECE
from dltrain.data.targets import check_features, check_finite
from dltrain.data.vocabulary import Texts, tokenized
from dltrain.data.wanted import Target, numbering, read_target, read_targets
from dltrain.errors import ConfigError, DataError, Problem
from dltrain.registry import create, parse
from dltrain.types import Need

Needs = str | Need | Mapping[str, Need]  # what one task needs of the targets, or each head of several


def load(section: Any, *, needs: Needs, seed: int, folders: DataFolders, dtype: str) -> DataSet:
    """Read, check, split and prepare the data of a config.

    Parameters:
        section: has `source`, `split` and `prepare`, specs as written in the config; a split of None means
            stratified for classes, chronological for windows of a series, else random
        needs: what the targets must be: "classes", "binary" (two classes), "values" (numbers) or "labels" (sets of
            labels), in words or as a `Need`; or a `Need` for each head of a task with several
        seed: of the run; the split depends on it and on nothing else
        folders: where data files are looked up
        dtype: float32 or float64

    Raises:
        ConfigError: when a path or the size of a part cannot be right.
        DataError: when the data is not what the task needs; it names file, sample and value.
        CorruptFileError: when a file is damaged.
    """
    source = create("source", section.source)
    try:
        pool = source.load(folders)
    except SettingError as error:
        if error.written is None:  # the files do not fit each other
            raise
        raise ConfigError([setting_problem(error, section.source)]) from error
    return assemble(pool, section, needs=needs, seed=seed, dtype=dtype)


def setting_problem(error: SettingError, spec: Any) -> Problem:
    """The problem of a setting in a source's spec, at the parameter that holds it."""
    entry, arguments = parse(spec, "source")
    place = error.at or next(
        (at for name, value in arguments.items() if (at := place_of(error.written, value, name))), ()
    )
    if place and not isinstance(arguments.get(str(place[0])), list):
        place = place[:1]
    what = error.what if error.where == error.written else f"{error.where}: {error.what}"
    path = ("data", "source", entry.name, *place)
    return Problem(path, what, error.expected, error.got or repr(error.written), error.hint)


def place_of(written: Any, value: Any, name: str) -> tuple[Any, ...]:
    """Where a value stands in the argument that names it, or names several; () when it does not."""
    if isinstance(value, list) and written in value:
        return name, value.index(written)
    return (name,) if value == written else ()


def assemble(pool: Pool, section: Any, *, needs: Needs, seed: int, dtype: str) -> DataSet:
    """A data set from a pool that has been read; see `load`."""
    specs = list(section.prepare or [])
    x = check_features(pool, missing=any(create("preparation", spec).fills_missing for spec in specs))
    if isinstance(x, np.ndarray):  # parts as they were read, and prepared
        check_memory(x.size, x.itemsize + np.dtype(dtype).itemsize, pool.where)
    if "y" not in pool.columns:
        raise DataError("there are no targets to learn from", where=pool.where)
    needs = Need(needs) if isinstance(needs, str) else needs
    heads: dict[str, Any] = {}
    if isinstance(needs, Need):
        target = read_target(pool, needs, "float64" if section.prepare_target else dtype)
        plain = {"": numbering(pool, needs).plain()}
    else:
        y, heads = read_targets(pool, needs, dtype)
        target = Target(y, None, [name for head in heads.values() for name in head["target_names"]])
        plain = {name: numbering(pool, need).plain() for name, need in needs.items()}
    y, classes = target.y, target.classes
    if classes is not None:
        pool = replace(pool, classes=list(classes))
    split = create("split", section.split or usual_split(pool))
    positions = split.split(*groups_of(target, heads, pool), seed)
    drawn = positions["train"]
    counts = None if classes is None else class_counts(y[drawn], classes, pool, needs_of(needs) != "tags")
    sets = label_counts(y[drawn]) if needs_of(needs) == "labels" else None
    for name, head in heads.items():
        if plain[name]["kind"] == "labels":
            head["label_counts"] = label_counts(y[drawn, slice(*head["columns"])])
        if head["classes"] is not None:
            labels = y[drawn, head["columns"][0]].astype(np.int64)
            head["class_counts"] = class_counts(labels, head["classes"], pool)
    given = {name: pool.columns[name] for some in pool.texts for name in some.columns}
    columns, vocabularies = tokenized({**given, "x": x, "y": y}, pool.texts, drawn)
    x = columns["x"]
    if needs_of(needs) in ("tokens", "pairs"):
        classes = vocabularies["y"].names
    if "weight" in pool.columns:
        columns["weight"] = check_weights(pool)
    if "naive" in pool.columns:
        columns["naive"] = pool.columns["naive"]
    categories = with_fills(pool.categories, specs)
    rate = pool.layout.get("sounds", {}).get("rate", 0)
    features = Features(x.shape[1:], list(pool.feature_names) if x.ndim == 2 else [], categories, rate)
    whole = Examples(columns, np.arange(len(x)), features)
    raw = {part: whole.take(index) for part, index in positions.items()}
    constants = pipeline.fit(specs, raw["train"], pool.place)
    parts = raw
    if not pool.texts:
        parts = {part: pipeline.apply(specs, constants, some, dtype, pool.place) for part, some in raw.items()}
    elif specs:
        hint = "leave it out: a vocabulary makes tokens of characters or words"
        raise ConfigError([Problem(("data", "prepare"), "a text has no numbers to prepare", hint=hint)])
    scales = list(section.prepare_target)
    if scales and heads:
        what, hint = "each head prepares targets of its own", "write `prepare_target` below the head"
        raise ConfigError([Problem(target_preparation.PATH, what, hint=hint)])
    which = list(target_preparation.prepared(scales, heads))
    for one in which:
        names, need = heads[one[0]]["target_names"] if heads else target.names, plain[one[0]]
        constants |= target_preparation.fit(one, raw["train"], names, pool.place, need["places"] or need["kind"])
    for part, some in parts.items():
        parts[part] = target_preparation.apply(which, constants, some, dtype, pool.place)
    ready = parts["train"].described()
    return DataSet(
        parts=parts,
        shape=ready.shape,
        classes=classes,
        feature_names=list(pool.feature_names),
        target_names=list(target.names),
        fingerprint=fingerprint(pool.columns, pool.categories, pool.content, pool.texts),
        prepare=specs,
        constants=constants,
        layout=dict(pool.layout),
        description=in_words(section.source),
        dtype=dtype,
        raw_shape=x.shape[1:],
        input_names=list(ready.names),
        categories=[[k, list(words)] for k, words in sorted(categories.items())],
        needs=plain,
        heads=heads,
        class_counts=counts,
        label_counts=sets,
        target_columns=list(pool.target_names),
        prepare_target=scales,
        given_shape=columns["given"].shape[1:] if "given" in columns else (),
        vocabularies={name: vocabulary.plain() for name, vocabulary in vocabularies.items()},
    )


def usual_split(pool: Pool) -> str:
    """The split where a config names none: by time for what overlaps in time, else at random.

    Parameters:
        pool: as it was read
    """
    return "chronological" if "until" in pool.columns else "random"


def needs_of(needs: Need | Mapping[str, Need]) -> str:
    """What the targets of one task must be; those of several are mixed."""
    return needs.kind if isinstance(needs, Need) else "mixed"


def with_fills(categories: Mapping[int, list[str]], specs: list[Any]) -> dict[int, list[str]]:
    """The words of each column and those that preparations fill in, so that an unknown word of new data is another.

    Example:
        >>> with_fills({0: ["red"]}, [{"impute": {"strategy": "constant", "fill_value": "none"}}])
        {0: ['red', 'none']}
    """
    fills = [getattr(create("preparation", spec), "fill_value", None) for spec in specs]
    words = dict.fromkeys(word for word in fills if isinstance(word, str))
    return {k: [*known, *(word for word in words if word not in known)] for k, known in categories.items()}


def in_words(spec: Any) -> str:
    """A source as one reads it: its name and files.

    Example:
        >>> in_words({"idx": {"images": "a.gz", "labels": "b.gz"}}), in_words("iris")
        ('idx a.gz', 'iris')
    """
    entry, arguments = parse(spec, "source")
    files = (arguments.get(name) for name in ("path", "images"))
    listed = [[file] if isinstance(file, str) else file for file in files if isinstance(file, (str, list))]
    return " ".join([entry.name, *(file for some in listed for file in some)])


def groups_of(target: Target, heads: Mapping[str, Any], pool: Pool) -> tuple[Pool, Array | None]:
    """What a stratified split keeps in shares: the classes, those of the first head that has some, and the ignored."""
    labels, classes = target.y, target.classes
    for head in heads.values():
        if classes is None and head["classes"] is not None:
            labels, classes = target.y[:, head["columns"][0]].astype(np.int64), head["classes"]
    if classes is None or labels.ndim > 1:
        return replace(pool, classes=None), None
    ignored = labels < 0
    names = [*classes, "(ignored)"] if ignored.any() else list(classes)
    return replace(pool, classes=names), np.where(ignored, len(classes), labels)


def check_weights(pool: Pool) -> Array:
    """The weights (N,) of the examples in float64.

    Raises:
        DataError: when one is not a number from 0 on, or all are 0.
    """
    weights = pool.columns["weight"]
    if weights.dtype.kind not in "biuf":
        raise DataError("weights are not numbers", where=pool.place(0), got=str(weights.reshape(-1)[0]))
    weights = weights.reshape(-1).astype(np.float64)
    check_finite(weights, pool, "weight", [])
    if (weights < 0).any():
        row = int(np.flatnonzero(weights < 0)[0])
        raise DataError("a weight is negative", where=pool.place(row), expected="0 or more", got=str(weights[row]))
    if not weights.any():
        raise DataError("all weights are 0", where=pool.where)
    return weights


def class_counts(labels: Array, classes: list[str], pool: Pool, complete: bool = True) -> list[int]:
    """How many examples each class has to learn from.

    Parameters:
        labels: numbers of classes, -1 for what is ignored
        classes: their names
        pool: for errors
        complete: whether every class must have one

    Raises:
        DataError: when one has none.
    """
    counts = np.bincount(labels[labels >= 0], minlength=len(classes))
    if complete and not counts.all():
        name = classes[int(np.flatnonzero(counts == 0)[0])]
        hint = "use `split: stratified`, or collect more examples"
        raise DataError(f"class {name!r} has no example in the training part", where=pool.where, hint=hint)
    return [int(count) for count in counts]


def label_counts(y: Array) -> list[list[int]]:
    """How many examples do not have each label, and how many have it.

    Example:
        >>> label_counts(np.array([[0.0, 1.0], [0.0, 1.0], [1.0, 1.0]]))
        [[2, 1], [0, 3]]
    """
    return [[len(y) - int(count), int(count)] for count in y.sum(0)]


def fingerprint(
    columns: dict[str, Array],
    categories: Mapping[int, list[str]] | None = None,
    stands: str = "",
    texts: Sequence[Texts] = (),
) -> str:
    """SHA-256 over name, type, shape and bytes of raw columns, and words: the same for the same data on every machine.

    Parameters:
        columns: as they were read
        categories: words of the columns that hold them
        stands: the checksum that stands for "x", if one does
        texts: what numbers in columns of texts stand for

    Example:
        >>> a = fingerprint({"x": np.arange(3)})
        >>> a == fingerprint({"x": np.arange(3)}), a == fingerprint({"x": np.arange(3.0)})
        (True, False)
    """
    digest = hashlib.sha256()
    if stands:
        digest.update(f"x {stands}\n".encode())
    for name in sorted(columns.keys() - ({"x"} if stands else set())):
        column = np.ascontiguousarray(columns[name])
        column = column.astype(column.dtype.newbyteorder("<"), copy=False)
        digest.update(f"{name} {column.dtype.str} {column.shape}\n".encode())
        content = column.reshape(-1).view(np.uint8)
        for start in range(0, len(content), PIECE):  # between two pieces a signal is heard
            digest.update(content[start : start + PIECE].data)
    for position, words in sorted((categories or {}).items()):
        digest.update(f"{position} {words!r}\n".encode())
    for some in texts:
        digest.update(f"{some.columns} {some.units!r}\n".encode())
    return digest.hexdigest()
