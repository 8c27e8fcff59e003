"""The pool of a data set that lies in tables: several files joined, words numbered alike, targets told apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from dltrain.data.entries import MISSING, is_number, recoded
from dltrain.data.examples import PARTS, Array, Pool
from dltrain.data.rows import Columns
from dltrain.errors import DataError
from dltrain.suggest import hint as suggestion

PART_NAMES = {
    **{part: part for part in PARTS},
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "dev": "validation",
    "testing": "test",
}


def pool_of(
    tables: Sequence[Columns],
    classes: list[Any] | None,
    parts: Sequence[str] = ("train",),
    known: Mapping[int, list[str]] | None = None,
) -> Pool:
    """Join the tables of one data set.

    Parameters:
        tables: what was read of each file
        classes: labels in the order of the class numbers, or None
        parts: the part that each file belongs to
        known: {feature: words} of a run that these are new data for; other words are numbered after them

    Raises:
        DataError: when the columns of the files do not fit together, or a target cannot be told.
    """
    first = tables[0]
    starts = [int(start) for start in np.cumsum([0, *(len(table.x) for table in tables)])]
    chosen = first.chosen
    names = [first.names[k] if first.names else f"column {k + 1}" for k in (*chosen.features, *chosen.targets)]
    count = len(chosen.features)
    x, categories = with_words(tables, names, known or {})
    pool = Pool(
        columns={"x": x},
        where=first.where,
        classes=classes,
        feature_names=names[:count],
        target_names=names[count:],
        files=tuple((table.where, start) for table, start in zip(tables, starts, strict=False)),
        lines=np.concatenate([table.lines for table in tables]),
        layout={
            "width": first.width,
            "features": chosen.features,
            "targets": chosen.targets,
            "header": bool(first.names),
            **weight_place(first),
        },
        categories=categories,
        missing={k: entry for table in reversed(tables) for k, entry in table.missing.items()},
    )
    pool.given.update(given_parts(tables, starts, parts, pool))
    for role in ("group", "time"):
        if role in chosen.others:
            pool.columns[role] = role_column(role, joined_texts([table.others[role] for table in tables]), pool)
    if "weight" in chosen.others:
        weights = joined_texts([table.others["weight"] for table in tables])
        pool.columns["weight"] = targets_of([weights], replace(pool, target_names=["weight"], classes=None))
    texts = [joined_texts([table.texts[k] for table in tables]) for k in range(len(chosen.targets))]
    if texts:
        pool.columns["y"] = targets_of(texts, pool)
    return pool


def check_known_words(table: Columns, known: Mapping[int, list[str]]) -> None:
    """Raise a DataError when a column of features holds words where numbers are known.

    Parameters:
        table: what was read
        known: {feature: words} of those that may hold words
    """
    stray = next((k for k in sorted(table.categories) if k not in known), None)
    if stray is not None:
        row = int(np.flatnonzero(~np.isnan(table.x[:, stray]))[0])
        where = f"{table.where}:{int(table.lines[row])}, {table.name(table.chosen.features[stray])}"
        got = repr(table.categories[stray][int(table.x[row, stray])][:60])
        raise DataError("this is not a number", where=where, expected="a number", got=got)


def weight_place(table: Columns) -> dict[str, Any]:
    """Where the weights of the examples stand, by name or position; nothing where there are none."""
    position = table.chosen.others.get("weight")
    return {} if position is None else {"weight": table.names[position] if table.names else position}


def joined_texts(columns: Sequence[list[str]]) -> list[str]:
    """The entries of a column over all files."""
    return [text for column in columns for text in column]


def with_words(
    tables: Sequence[Columns], names: list[str], known: Mapping[int, list[str]]
) -> tuple[Array, dict[int, list[str]]]:
    """Features (N, D) with the words of all files numbered alike, and {feature: words}.

    Raises:
        DataError: when a column holds numbers in one file and words in another.
    """
    blocks, categories = [table.x.copy() for table in tables], {}
    for k in sorted(set(known).union(*(table.categories for table in tables))):
        own = set().union(*(table.categories.get(k, ()) for table in tables))
        words = [*known.get(k, ()), *sorted(own.difference(known.get(k, ())))]
        number = {word: position for position, word in enumerate(words)}
        for table, x in zip(tables, blocks, strict=True):
            if k in table.categories:
                x[:, k] = recoded(x[:, k], [number[word] for word in table.categories[k]])
            elif not np.isnan(x[:, k]).all():
                row = int(np.flatnonzero(~np.isnan(x[:, k]))[0])
                where = f"{table.where}:{int(table.lines[row])}, {names[k]!r}"
                expected = "a word as in the other examples"
                raise DataError("this is a number among words", where=where, expected=expected, got=f"{x[row, k]:g}")
        categories[k] = words
    return np.concatenate(blocks), categories


def given_parts(tables: Sequence[Columns], starts: list[int], parts: Sequence[str], pool: Pool) -> dict[str, Array]:
    """The parts that files, or a column of the training files, define, as positions.

    Raises:
        DataError: when an entry of the column names no part.
    """
    of_file = np.repeat(np.array(parts), np.diff(starts))
    if "part" in tables[0].chosen.others:
        entries = joined_texts([table.others["part"] for table in tables])
        known = {text: PART_NAMES.get(text.lower()) for text in set(entries)}
        wrong = next((k for k, text in enumerate(entries) if known[text] is None), None)
        if wrong is not None:
            hint = suggestion(entries[wrong], list(PARTS))
            expected = ", ".join(PARTS)
            what = "this names no part"
            raise DataError(what, where=pool.place(wrong), expected=expected, got=repr(entries[wrong]), hint=hint)
        of_file = np.where(of_file == "train", np.array([known[text] for text in entries]), of_file)
    return {part: np.flatnonzero(of_file == part) for part in PARTS if part != "train" and (of_file == part).any()}


def role_column(role: str, entries: list[str], pool: Pool) -> Array:
    """The groups or times of the examples: numbers where all are numbers, else text, which sorts by the alphabet.

    Raises:
        DataError: when one is missing.
    """
    missing = next((k for k, text in enumerate(entries) if text.lower() in MISSING), None)
    if missing is not None:
        hint = f"fill it in, or take the example out: every example needs a {role}"
        where = pool.place(missing)
        raise DataError(f"the {role} is missing", where=where, got=repr(entries[missing]), hint=hint)
    numeric = np.array([is_number(text) for text in entries])
    if numeric.all():
        return np.array(entries, np.float64)
    if role == "time":
        check_times(entries, numeric, pool)
    return np.array(entries)


def check_times(entries: list[str], numeric: Array, pool: Pool) -> None:
    """Raise a DataError unless times in words have one length, so that their alphabet is their order."""
    lengths = np.array([len(text) for text in entries])
    usual = int(np.bincount(lengths).argmax())
    odd = np.flatnonzero(~numeric if numeric.mean() >= 0.5 else numeric | (lengths != usual))
    if len(odd):
        expected = "a number" if numeric.mean() >= 0.5 else f"{usual} letters"
        hint = "write all times as numbers, or in one form that sorts by the alphabet: 2024-05-31 08:00"
        what = "this time is unlike the others"
        raise DataError(what, where=pool.place(int(odd[0])), expected=expected, got=repr(entries[odd[0]]), hint=hint)


def targets_of(texts: list[list[str]], pool: Pool) -> Array:
    """Targets from text: numbers where all are numbers; else text, where each column is all numbers or all words.

    An empty word is kept: only the task knows whether it says something.

    Raises:
        DataError: when numbers and words are mixed.
    """
    columns = []
    for name, column in zip(pool.target_names, texts, strict=True):
        known = {text: is_number(text) for text in set(column)}
        numeric = np.array([known[text] for text in column])
        listed = {str(label) for label in pool.classes or ()}
        odd = np.flatnonzero(~numeric)
        if len(odd) and numeric.any() and not set(column) <= listed:
            raise mixed(name, column, numeric, pool)
        columns.append(np.array(column) if len(odd) else np.array(column, np.float64))
    if any(column.dtype.kind == "U" for column in columns):
        columns = [np.array(text) for text in texts]
    return columns[0] if len(columns) == 1 else np.stack(columns, axis=1)


def mixed(name: str, column: list[str], numeric: Array, pool: Pool) -> DataError:
    """The error of a target column with numbers and words, at the rarer kind."""
    mostly = len(pool.target_names) > 1 or numeric.mean() >= 0.5
    place = int(np.flatnonzero(~numeric if mostly else numeric)[0])
    entry = column[place]
    what = "the target is missing" if entry.lower() in MISSING else "this target is unlike the others"
    expected = "a number" if mostly else "a word"
    return DataError(what, where=f"{pool.place(place)}, {name}", expected=expected, got=repr(entry))
