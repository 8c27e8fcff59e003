"""New data, treated exactly as a run treated its own: for `evaluate --data` and `predict`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from dltrain.data import pipeline, target_preparation
from dltrain.data.arrays import read_npy, read_npz
from dltrain.data.assemble import check_weights
from dltrain.data.cifar import read_cifar
from dltrain.data.entries import MISSING
from dltrain.data.examples import Array, DataSet, Examples, Features, Pool
from dltrain.data.fresh_texts import texts_like
from dltrain.data.hdf5 import read as read_hdf5
from dltrain.data.idx import read_idx
from dltrain.data.image_folder import pictures_like
from dltrain.data.masks import masks_like
from dltrain.data.matlab import read_mat
from dltrain.data.opening import stream
from dltrain.data.picture_files import is_archive, is_picture
from dltrain.data.rows import Chosen, read_columns
from dltrain.data.table_pool import pool_of
from dltrain.data.tables import position, without
from dltrain.data.targets import check_features
from dltrain.data.wanted import read_target
from dltrain.errors import DataError
from dltrain.registry import create
from dltrain.types import Need

SIGNATURES = {b"MATLAB": "mat", b"PK": "npz", b"\x93NUMPY": "npy", b"\x89HDF\r\n\x1a\n": "hdf5", b"\0\0": "idx"}
TABLES = (".csv", ".tsv", ".tab", ".txt", ".data", ".dat")
ARRAYS = {".npz": "npz", ".npy": "npy", ".h5": "hdf5", ".hdf5": "hdf5", ".idx": "idx", ".mat": "mat", ".bin": "cifar"}


READERS: dict[str, Callable[[Path], dict[str, Array]]] = {
    "npz": read_npz,
    "hdf5": lambda path: read_hdf5(path, None),
    "mat": read_mat,
    "npy": lambda path: {"x": read_npy(path)},
    "idx": lambda path: {"x": read_idx(path)},
    "cifar": lambda path: dict(zip("xy", read_cifar(path), strict=True)),
}


def load_like(source: Path | str | Array, like: DataSet, *, target: bool = False) -> Examples:
    """Read examples from a file, or take an array of features, and prepare them with a run's constants.

    Tables are matched by the names of their header, where the run's data had names too; otherwise the
    columns stand as in the run's file, or are just the features.  Arrays are taken from .npz and HDF5
    files by the names x and y, or those in the run's own file; .npy and IDX files hold features only.
    Features have the run's shape; images may also come flat, (N, D), or without an axis for their one colour.

    Parameters:
        source: a table, .npz, .npy, HDF5, MATLAB, IDX or CIFAR file, most recognised by their content; a picture, or a
            folder or archive of pictures; or features (N, …); for a run of texts a file or folder of them, or a text
        like: the run's data set, `DataSet.from_info(...)`
        target: whether targets are wanted and must be there; otherwise they are passed over, whatever they are

    Returns:
        Examples with "x" and, with `target`, "y" and perhaps "weight"; ids count from 0.

    Raises:
        DataError: when the file does not fit the run's data; it names what is missing.
        CorruptFileError: when it is damaged.
    """
    if isinstance(source, np.ndarray):
        pool = Pool({"x": source}, "the array given", feature_names=like.feature_names if source.ndim == 2 else [])
    elif like.vocabularies:
        pool = texts_like(str(source), like, target)
    else:
        pool = read_pool(Path(source), like, target)
    if target and "y" not in pool.columns:
        expected = (
            f"a column {(like.target_columns or like.target_names)[0]!r}" if pool.feature_names else "an array 'y'"
        )
        raise DataError("the file has no targets to compare with", where=pool.where, expected=expected)
    fills = any(create("preparation", spec).fills_missing for spec in like.prepare)
    features = reshaped(check_features(pool, missing=fills), like, pool)
    columns = {"x": features}
    if target:
        columns["y"] = targets_like(pool, like)
        if "weight" in pool.columns:
            columns["weight"] = check_weights(pool)
    described = Features(like.raw_shape, like.feature_names, pool.categories or like.raw().categories)
    examples = Examples(columns, np.arange(len(features)), described)
    if like.vocabularies:
        return examples
    prepared = pipeline.apply(like.prepare, like.constants, examples, like.dtype, pool.place)
    which = target_preparation.prepared(like.prepare_target, like.heads) if target else ()
    return target_preparation.apply(which, like.constants, prepared, like.dtype, pool.place)


def kind_of(path: Path) -> str:
    """What is in a file: arrays by their first bytes; a table by its suffix, or when it has none.

    Raises:
        DataError: when the suffix says that it is something else.
    """
    with stream(path) as (file, _):
        head = file.read(8)
    found = next((kind for signature, kind in SIGNATURES.items() if head.startswith(signature)), None)
    if found is not None:
        return found
    name = path.name.lower().removesuffix(".gz")
    suffix = Path(name).suffix
    if name.endswith("-ubyte"):
        return "idx"
    if suffix in ARRAYS:
        return ARRAYS[suffix]
    if suffix and suffix not in TABLES:
        known = ", ".join((*TABLES, *ARRAYS))
        hint = "if it is a table, rename it to .csv"
        raise DataError("this is no data file", where=str(path), expected=known, got=suffix, hint=hint)
    return "table"


def read_pool(path: Path, like: DataSet, target: bool) -> Pool:
    """The file's content, by its kind; targets only where they are wanted."""
    folder = path.is_dir() and len(like.raw_shape) == 3
    if folder or is_archive(path) or is_picture(path.name):
        with_masks = target and path.is_dir() and like.needs.get("", {}).get("kind") == "masks"
        return masks_like(path, like) if with_masks else pictures_like(path, like, target)
    kind = kind_of(path)
    if kind == "table":
        return read_table(path, like, target)
    if like.raw().categories:
        what, hint = "the run's data hold words, which arrays cannot", "write the new data as a table"
        raise DataError(what, where=str(path), expected="a table such as .csv", got=kind, hint=hint)
    found = READERS[kind](path)
    columns: dict[str, Array] = {}
    roles = ("x", *(["y", "weight"] if "weight" in like.layout else ["y"])) if target else ("x",)
    for name in roles:
        key = next((key for key in (name, *like.layout.get(name, ())) if key in found), None)
        if key is not None:
            columns[name] = found[key]
    if "x" not in columns:
        expected = " or ".join(dict.fromkeys(["x", *like.layout.get("x", ())]))
        got = ", ".join(found) or "no array"
        raise DataError("there is no array with the features", where=str(path), expected=expected, got=got)
    names = like.feature_names if columns["x"].ndim == 2 else []
    return Pool(columns, str(path), classes=like.classes, feature_names=names, target_names=like.target_columns)


def read_table(path: Path, like: DataSet, target: bool) -> Pool:
    """A table, its words numbered as in the run.

    Raises:
        DataError: when a column holds words where the run's holds numbers.
    """
    missing = like.layout.get("missing", MISSING)
    table = read_columns(path, Matcher(like, str(path), target), missing=missing)
    suffix = like.layout.get("target_suffix", "")
    table = replace(table, texts=[without(column, suffix) for column in table.texts])
    known = like.raw().categories
    stray = next((k for k in sorted(table.categories) if k not in known), None)
    if stray is not None:
        row = int(np.flatnonzero(~np.isnan(table.x[:, stray]))[0])
        where = f"{path}:{int(table.lines[row])}, {table.name(table.chosen.features[stray])}"
        got = repr(table.categories[stray][int(table.x[row, stray])][:60])
        raise DataError("this is not a number", where=where, expected="a number as in the run's data", got=got)
    return pool_of([table], list(like.classes) if like.classes else None, known=known)


def reshaped(x: Array, like: DataSet, pool: Pool) -> Array:
    """Features (N, *shape), from the same shape, flat images, or grey ones without an axis for their colour.

    A single image may come without its first axis.
    """
    shape = like.raw_shape
    if x.shape == shape:
        x = x[None]
    allowed = {shape}
    if len(shape) > 1:
        allowed |= {(int(np.prod(shape)),), shape[:-1] if shape[-1] == 1 else shape}
    if x.shape[1:] not in allowed:
        expected, got = f"features of shape {shape}", str(x.shape[1:])
        raise DataError("the file does not fit the run's data", where=pool.where, expected=expected, got=got)
    return x.reshape(len(x), *shape)


def targets_like(pool: Pool, like: DataSet) -> Array:
    """Labels or values, numbered as in the run."""
    if like.heads:
        return heads_like(pool, like)
    need = Need(**like.needs[""]) if like.needs else Need("values" if like.classes is None else "classes")
    known = like.target_names if need.kind == "labels" else like.classes
    if need.kind == "binary":
        need = need._replace(kind="classes")  # the file may hold one of the two alone
    target = read_target(pool, need, "float64" if like.prepare_target else like.dtype, known)
    y, names = target.y, target.names
    if target.classes is None and len(names) != len(like.target_names):
        expected = f"{len(like.target_names)} targets"
        raise DataError(
            "the file does not fit the run's data", where=pool.where, expected=expected, got=str(len(names))
        )
    return y


def heads_like(pool: Pool, like: DataSet) -> Array:
    """The targets of several heads, numbered as in the run.

    Raises:
        DataError: when they do not fit the run's.
    """
    blocks = []
    for name in sorted(like.heads, key=lambda name: like.heads[name]["columns"]):  # what is stored keeps no order
        head, plain = like.heads[name], like.needs[name]
        need = Need(**plain)._replace(columns=tuple(plain["columns"]))
        known = head["target_names"] if need.kind == "labels" else head["classes"]
        kind = "classes" if need.kind == "binary" else need.kind
        target = read_target(pool, need._replace(kind=kind), "float64" if need.prepare else like.dtype, known)
        width = head["columns"][1] - head["columns"][0]
        if target.columns != width:
            raise DataError(
                "the file does not fit the run's data",
                where=pool.where,
                expected=f"{width} targets of {name!r}",
                got=str(target.columns),
            )
        blocks.append(target.y.reshape(len(target.y), -1).astype(np.float64))
    return np.concatenate(blocks, axis=1)


class Matcher:
    """Finds the run's columns in a table.

    Parameters:
        like: the run's data set
        where: the file, for errors
        target: whether the columns with the targets are wanted too
    """

    def __init__(self, like: DataSet, where: str, target: bool) -> None:
        self.like, self.where, self.target = like, where, target

    def __call__(self, names: list[str], width: int) -> Chosen:
        """The columns as positions; no targets where the file has none."""
        features, targets = self.found(names, width)
        words = self.like.raw().categories
        chosen = frozenset(column for k, column in enumerate(features) if k in words)
        return Chosen(features, targets, chosen, self.weight(names, width) if targets else {})

    def weight(self, names: list[str], width: int) -> dict[str, int]:
        """The column with the weights of the examples, where the run's data and the file have one."""
        column = self.like.layout.get("weight")
        if isinstance(column, str):
            return {"weight": names.index(column)} if column in names else {}
        return {"weight": column} if column is not None and width == self.like.layout["width"] else {}

    def found(self, names: list[str], width: int) -> tuple[list[int], list[int]]:
        """(features, targets) as positions."""
        like, count = self.like, int(np.prod(self.like.raw_shape))
        if names and like.feature_names and like.layout.get("header", True):
            features = [position(name, names, width, self.where) for name in like.feature_names]
            columns = like.target_columns or like.target_names
            targets = [names.index(name) for name in columns if self.target and name in names]
            return features, targets if len(targets) == len(columns) else []
        if width == like.layout.get("width"):
            return list(like.layout["features"]), list(like.layout["targets"]) if self.target else []
        if width == count:
            return list(range(width)), []
        expected = f"{count} features" + (f", or {like.layout['width']} columns" if "width" in like.layout else "")
        raise DataError("the file has another number of columns", where=self.where, expected=expected, got=str(width))
