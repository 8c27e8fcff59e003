"""What is in a data set, and which data sets there are: for `dltrain data show` and `dltrain data ls`."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from dltrain.data.assemble import assemble, fingerprint, usual_split
from dltrain.data.examples import Array, DataSet, Pool, chunks
from dltrain.data.folders import DataFolders
from dltrain.data.targets import check_features, guess_needs
from dltrain.data.vocabulary import NOTHING, PADDING
from dltrain.registry import create, entries

KINDS = {
    r"\.csv(\.gz)?$": "csv",
    r"\.tsv(\.gz)?$": "csv",
    r"\.npz$": "npz",
    r"\.(h5|hdf5)$": "hdf5",
    r"idx\d-ubyte(\.gz)?$": "idx",
    r"\.mat$": "mat",
    r"(cifar-10-binary\.tar\.gz|_batch(_\d)?\.bin(\.gz)?)$": "cifar",
}
MOST_FILES = 1000
RANGES = ("min", "max", "mean", "deviation")
DEPTH = 3
MOST_FEATURES = 40  # features described one by one


def describe(data: DataSet) -> dict[str, Any]:
    """A data set in plain data: sizes, classes, ranges.

    Returns:
        description, samples, parts {part: count}, shape, dtype, prepare, fingerprint; `classes` [{name, train,
        validation, test}] or `targets` [{name, min, max, mean, deviation}]; `features`, the same for each named
        feature, or one entry for all of them.  Values are those after preparation.
    """
    x = [examples.columns["x"] for examples in data.parts.values()]
    found: dict[str, Any] = {
        "description": data.description,
        "samples": sum(map(len, data.parts.values())),
        "parts": {part: len(examples) for part, examples in data.parts.items()},
        "shape": list(data.shape),
        "dtype": data.dtype,
        "prepare": data.prepare,
        "fingerprint": data.fingerprint,
    }
    if data.classes is not None:
        counts = {
            part: np.bincount(labels[labels >= 0], minlength=len(data.classes)).tolist()
            for part, examples in data.parts.items()
            for labels in [examples.columns["y"]]  # -1 is an ignored one
        }
        found["classes"] = [
            {"name": name, **{part: counts[part][k] for part in counts}} for k, name in enumerate(data.classes)
        ]
    else:
        y = [examples.columns["y"] for examples in data.parts.values()]
        found["targets"] = [{"name": n, **ranges([a[:, k] for a in y])} for k, n in enumerate(data.target_names)]
    if data.vocabularies:
        found["features"] = []
        found["texts"] = texts_of(data)
    elif data.input_names and len(data.shape) == 1 and len(data.input_names) <= MOST_FEATURES:
        found["features"] = [{"name": n, **ranges([a[:, k] for a in x])} for k, n in enumerate(data.input_names)]
    else:
        found["features"] = [{"name": "all", **ranges(x)}]
    return found


def texts_of(data: DataSet) -> dict[str, Any]:
    """How long texts are, how many were cut off, and how much of them is known.

    Returns:
        vocabulary (tokens), shortest, mean and longest (tokens of a text), unknown {part: share of the tokens}, and
        cut, how many texts were longer than `max_length`.
    """
    vocabulary = data.vocabulary()
    assert vocabulary is not None
    found = {part: examples.columns["x"] for part, examples in data.parts.items() if len(examples)}
    padding = 0 if vocabulary.names[0] == PADDING else NOTHING
    lengths = np.concatenate([(x != padding).sum(1) for x in found.values()])
    return {
        "vocabulary": len(vocabulary),
        "shortest": int(lengths.min()),
        "mean": float(lengths.mean()),
        "longest": int(lengths.max()),
        "unknown": {part: float((x == vocabulary.unknown).sum() / (x != padding).sum()) for part, x in found.items()},
        "cut": data.layout.get("texts", {}).get("cut", 0),
    }


def ranges(arrays: list[Array]) -> dict[str, float]:
    """Smallest, largest, mean and standard deviation over some arrays.

    Example:
        >>> ranges([np.array([1.0, 2.0]), np.array([3.0])])["mean"]
        2.0
    """
    arrays = [a for a in arrays if a.size]
    count = sum(a.size for a in arrays)
    mean = sum(float(a[rows].sum(dtype=np.float64)) for a in arrays for rows in chunks(a)) / count
    squares = sum(float(np.square(a[rows].astype(np.float64) - mean).sum()) for a in arrays for rows in chunks(a))
    return {
        "min": min(float(a.min()) for a in arrays),
        "max": max(float(a.max()) for a in arrays),
        "mean": mean,
        "deviation": float(np.sqrt(squares / count)),
    }


def show(spec: Any, folders: DataFolders) -> dict[str, Any]:
    """Describe what a source holds, unprepared; the parts are the source's own, those of time for a series, else drawn.

    Where a table has words or missing values, `features` holds for each column also how many are `missing`, how
    many `categories` there are, and which is the `most_frequent`.
    """
    pool = create("source", spec).load(folders)
    section = SimpleNamespace(source=spec, split=usual_split(pool), prepare=[], prepare_target=[])
    x = check_features(pool, missing=True)
    if not pool.categories and not (x.dtype.kind == "f" and np.isnan(x).any()):
        return describe(assemble(pool, section, needs=guess_needs(pool), seed=0, dtype="float64"))
    bare = replace(pool, columns={**pool.columns, "x": np.zeros((len(x), 1))}, categories={}, feature_names=[])
    found = describe(assemble(bare, section, needs=guess_needs(pool), seed=0, dtype="float64"))
    whole = {"shape": list(x.shape[1:]), "fingerprint": fingerprint(pool.columns, pool.categories)}
    return {**found, **whole, "features": columns_of(x.reshape(len(x), -1), pool)}


def columns_of(x: Array, pool: Pool) -> list[dict[str, Any]]:
    """Each column of a table with words or missing values: ranges of its numbers, or its words, and what is missing."""
    found = []
    for k in range(min(x.shape[1], MOST_FEATURES)):
        there = x[~np.isnan(x[:, k]), k]
        words = pool.categories.get(k)
        numbers = ranges([there]) if words is None and len(there) else dict.fromkeys(RANGES)
        entry = {"name": pool.feature_names[k] if pool.feature_names else str(k), **numbers}
        frequent = None if words is None else words[int(np.bincount(there.astype(np.int64)).argmax())]
        own = {"missing": len(x) - len(there), "categories": None if words is None else len(words)}
        found.append({**entry, **own, "most_frequent": frequent})
    return found


def catalog(folders: DataFolders) -> list[dict[str, Any]]:
    """The data sets that can be named in a config: sources that need no file, and the files in the data folders.

    Returns:
        [{"name", "kind", "summary"}] for sources and [{"name", "kind", "folder", "bytes"}] for files.
    """
    sources = [
        {"name": entry.name, "kind": "source", "summary": entry.summary}
        for entry in entries("source").values()
        if not any(argument.required for argument in entry.arguments)
    ]
    seen: set[str] = set()
    found = []
    for folder in folders.folders:
        for path in data_files(folder):
            name = path.relative_to(folder).as_posix()
            if name not in seen and len(seen) < MOST_FILES:
                seen.add(name)
                size = path.stat().st_size
                found.append({"name": name, "kind": kind_of(name), "folder": str(folder), "bytes": size})
    return sources + found


def kind_of(name: str) -> str:
    """The source that reads files of this name; empty when none does.

    Example:
        >>> kind_of("t10k-images-idx3-ubyte.gz"), kind_of("a.csv"), kind_of("a.txt")
        ('idx', 'csv', '')
    """
    return next((kind for pattern, kind in KINDS.items() if re.search(pattern, name)), "")


def data_files(folder: Path) -> Iterator[Path]:
    """Data files below a folder, by name, not too deep; links are not followed."""
    for here, folders, files in os.walk(folder):
        inner = Path(here)
        folders[:] = sorted(f for f in folders if not f.startswith("."))
        if len(inner.relative_to(folder).parts) >= DEPTH:
            folders.clear()
        yield from (inner / name for name in sorted(files) if kind_of(name) and (inner / name).is_file())
