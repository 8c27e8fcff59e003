"""Weights from a file, whatever wrote it, under one kind of name: `layer.tensor`, the tensor's name as in this house.

A file of this house names tensors by their paths in the model.  Other programs name their layers in their own way:
then the layers are brought into the order in which they run, and the tensors into our layouts.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dltrain.data.arrays import read_npz
from dltrain.errors import CorruptFileError, DataError
from dltrain.interop.safetensors import read_safetensors
from dltrain.runs.files import reader
from dltrain.runs.hdf5 import read_hdf5

Array = np.ndarray[Any, Any]
READERS: dict[str, Callable[[Path], dict[str, Array]]] = {
    ".safetensors": read_safetensors,
    ".npz": read_npz,
    ".h5": lambda path: {name.replace("/", "."): array for name, array in read_hdf5(path).items()},
}
NAMES = {  # the last part of a name in PyTorch -> ours; what a `weight` is depends on the layer
    "weight": "kernel",
    "bias": "bias",
    "running_mean": "moving_mean",
    "running_var": "moving_variance",
}
UNREAD = ("num_batches_tracked",)  # counts that no computation reads
# The parts of a network in the order in which they run, by the first word of PyTorch's names.
PARTS = ("stem", "conv", "bn", "features", "layer", "pre_logits", "classifier", "head", "fc")
KERAS = {  # the layer's name without its number -> its tensors, in Keras' order
    "conv1d": ("kernel", "bias"),
    "conv2d": ("kernel", "bias"),
    "conv3d": ("kernel", "bias"),
    "dense": ("kernel", "bias"),
    "batch_normalization": ("gamma", "beta", "moving_mean", "moving_variance"),
}
CONTAINERS = ("layers", "_layer_checkpoint_dependencies")
VARIABLE = re.compile(r"(?:^|\.)([a-z0-9_]+)\.vars\.(\d{1,3})$")


@dataclass(frozen=True)
class Weights:
    """What a file holds.

    Parameters:
        format: dltrain, torchvision or keras
        tensors: {`layer.tensor`: array}, in our layouts but for dense kernels behind a flattened image
        layers: {layer: conv, dense or batch_norm} in the order in which they run; none where names are paths
        channels_first: whether the images that its dense layers flatten have their channels first
    """

    format: str
    tensors: dict[str, Array]
    layers: dict[str, str]
    channels_first: bool = False


def read_weights(path: Path, format: str | None = None) -> Weights:
    """Read a file of weights.

    Parameters:
        path: .safetensors, .h5 or .npz
        format: dltrain, torchvision or keras; None goes by the names

    Raises:
        StorageError: when it cannot be read.
        CorruptFileError: when it is malformed.
        DataError: when it holds no weights of this format.
    """
    read = next((read for suffix, read in READERS.items() if path.name.lower().endswith(suffix)), None)
    if read is None:
        raise DataError("this file is not read", where=str(path), expected=" or ".join(READERS), got=path.suffix)
    arrays = read(path)
    if not arrays:
        raise DataError("there is no tensor in the file", where=str(path))
    return FORMATS[format or recognised(arrays)](arrays, str(path))


def checksum(path: Path) -> str:
    """The SHA-256 of a file."""
    with reader(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]


def recognised(names: Iterable[str]) -> str:
    """The format that names of tensors speak of.

    Example:
        >>> recognised(["fc.weight"]), recognised(["layers.dense.vars.0"]), recognised(["y.0.dense.kernel"])
        ('torchvision', 'keras', 'dltrain')
    """
    names = list(names)
    if any(VARIABLE.search(name) for name in names):
        return "keras"
    return "torchvision" if any(name.rpartition(".")[2] in ("weight", "running_mean") for name in names) else "dltrain"


def from_dltrain(arrays: Mapping[str, Array], where: str) -> Weights:
    """Tensors by their paths in the model."""
    return Weights("dltrain", dict(arrays), {})


def from_torchvision(arrays: Mapping[str, Array], where: str) -> Weights:
    """A PyTorch `state_dict` as torchvision and timm name it; kernels (O, I, H, W) and (O, I).

    Raises:
        DataError: when a tensor belongs to no layer that is known here.
    """
    tensors, layers = {}, {}
    for name in sorted(arrays, key=running_order):
        layer, _, last = name.rpartition(".")
        array = arrays[name]
        if last in UNREAD:
            continue
        normed = f"{layer}.running_mean" in arrays
        if last not in NAMES or (last == "weight" and not normed and array.ndim < 2):
            what = f"the tensor {name[:80]!r} belongs to no layer that is read"
            expected = "weight or bias of convolutions and dense layers, and those of batch norm"
            raise DataError(what, where=where, expected=expected, got=f"{last[:40]} of shape {array.shape}")
        if last == "weight":
            layers[layer] = "batch_norm" if normed else "dense" if array.ndim == 2 else "conv"
        elif last == "running_mean":
            layers[layer] = "batch_norm"
        ours = "gamma" if normed and last == "weight" else "beta" if normed and last == "bias" else NAMES[last]
        tensors[f"{layer}.{ours}"] = np.moveaxis(array, (0, 1), (-1, -2)) if ours == "kernel" else array
    return Weights("torchvision", tensors, layers, channels_first=True)


def from_keras(arrays: Mapping[str, Array], where: str) -> Weights:
    """Keras' `.weights.h5`: the variables of each layer by number; its kernels are laid out as ours.

    Raises:
        DataError: when a variable belongs to no layer that is known here.
    """
    tensors, layers = {}, {}
    counts: dict[str, int] = {}
    for name in arrays:
        found = VARIABLE.search(name)
        if found and not name.startswith("optimizer."):
            counts[name[: found.end(1)]] = max(counts.get(name[: found.end(1)], 0), int(found[2]) + 1)
    for path in sorted(counts, key=natural):
        kind = re.sub(r"_\d+$", "", path.rpartition(".")[2])
        names = KERAS.get(kind, ())
        if kind == "batch_normalization":  # without scale or center the statistics come first
            names = {2: names[2:], 4: names}.get(counts[path], ())
        if len(names) < counts[path]:
            what = f"the layer {path[:80]!r} is none that is read"
            raise DataError(what, where=where, expected=", ".join(KERAS), got=f"{counts[path]} variables")
        layer = ".".join(part for part in path.split(".") if part not in CONTAINERS)
        layers[layer] = {"dense": "dense", "batch_normalization": "batch_norm"}.get(kind, "conv")
        for number, ours in zip(range(counts[path]), names, strict=False):
            if f"{path}.vars.{number}" not in arrays:
                raise CorruptFileError("a variable is missing", where=where, expected=f"{path[:80]}.vars.{number}")
            tensors[f"{layer}.{ours}"] = arrays[f"{path}.vars.{number}"]
    return Weights("keras", tensors, layers)


FORMATS = {"dltrain": from_dltrain, "torchvision": from_torchvision, "keras": from_keras}


def natural(name: str) -> list[tuple[int, str]]:
    """A key that sorts the numbers in names by their values.

    Example:
        >>> sorted(["conv2d_10", "conv2d", "conv2d_9"], key=natural)
        ['conv2d', 'conv2d_9', 'conv2d_10']
    """
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.findall(r"\d+|[^\d]+", name)]


def running_order(name: str) -> tuple[int, list[tuple[int, str]]]:
    """A key that sorts PyTorch's names into the order in which the layers run.

    Example:
        >>> sorted(["fc.weight", "layer1.10.conv1.weight", "layer1.9.conv1.weight", "conv1.weight"], key=running_order)
        ['conv1.weight', 'layer1.9.conv1.weight', 'layer1.10.conv1.weight', 'fc.weight']
    """
    first = re.sub(r"\d+$", "", name.partition(".")[0])
    return PARTS.index(first) if first in PARTS else PARTS.index("layer"), natural(name)
