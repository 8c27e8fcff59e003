"""Weights that a model begins with: taken from a run or a file, each tensor matched with one of the model's.

Names are paths, or where another program wrote the file its layers in the order in which they run.  Every tensor must
find its place and every place its tensor, but for what `skip` names: a mistake is never half a model.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dltrain.data import DataFolders
from dltrain.data.folders import PathError
from dltrain.errors import ConfigError, DataError, DltrainError, Problem, UsageError
from dltrain.interop.weights import Weights, checksum, read_weights
from dltrain.layers.base import Array, Shape
from dltrain.runs.folder import RunFolder
from dltrain.runs.naming import split_name
from dltrain.training import checkpoint
from dltrain.training.state import weights_of
from dltrain.training.tensor_names import SHOWN, fits, no_match, rename, some
from dltrain.training.trained import checkpoint_path

if TYPE_CHECKING:
    from dltrain.config.experiment import Experiment
    from dltrain.model.graph import Graph
    from dltrain.model.nodes import Node

AT = ("init_from",)
KINDS = ("conv", "dense", "batch_norm")  # layers that are matched in their order


@dataclass(frozen=True)
class Report:
    """What became of the tensors of both sides.

    Parameters:
        source: the run or file, as the config names it
        file: that was read
        sha256: its checksum
        format: dltrain, torchvision or keras
        matched: {path in the model: name in the file}
        left_in_file: names that were skipped
        left_in_model: paths that keep their own initial values
        note: what else there is to say
    """

    source: str
    file: str
    sha256: str
    format: str
    matched: dict[str, str]
    left_in_file: list[str]
    left_in_model: list[str]
    note: str = ""

    def line(self) -> str:
        """One line for the user."""
        if self.note:
            return f"initial weights: {self.note} ({self.source})"
        total = len(self.matched) + len(self.left_in_model)
        text = f"initial weights: {len(self.matched)} of {total} tensors from {self.source} ({self.format})"
        begun, left = (
            dict.fromkeys(split(name)[0] for name in names) for names in (self.left_in_model, self.left_in_file)
        )
        return (
            text + (f"; begun anew: {some(begun)}" if begun else "") + (f"; left there: {some(left)}" if left else "")
        )


def initialize(graph: Graph, experiment: Experiment, runs: Path) -> Report | None:
    """Give a model the weights that its config asks for; returns what became of them, None where it asks for none.

    Parameters:
        graph: the model
        experiment: says from where
        runs: folder in which runs are looked up by name

    Raises:
        ConfigError: when there is no such file, or anything is left over on either side.
        CorruptFileError: when the file is damaged.
    """
    wanted = experiment.init_from
    if wanted is None:
        return None
    try:
        path = found(wanted, experiment, runs)
        weights = read(path, wanted)
        matched, left, kept = match(weights, graph, wanted["map"], wanted["skip"])
        load(graph, weights, matched)
    except ConfigError as error:
        experiment.fail(error.problems)
    source = wanted["run"] or wanted["file"]
    return Report(source, str(path), checksum(path), weights.format, matched, left, kept)


def found(wanted: Mapping[str, Any], experiment: Experiment, runs: Path) -> Path:
    """The file of weights: of a run its best checkpoint.

    Raises:
        ConfigError: when there is none, or the name would mean the run that is to begin with it.
    """
    kind = "file" if wanted["run"] is None else "run"
    try:
        if kind == "run":
            run = RunFolder.find(wanted["run"], runs)
            if split_name(run.name)[0] == experiment.name and Path(wanted["run"]).name != run.name:
                what, expected = "this is the newest run of this very config, the one that begins", "another run"
                hint = "name an earlier one with its number; `dltrain runs ls` shows all"
                raise ConfigError([Problem((*AT, "run"), what, expected, repr(wanted["run"]), hint)])
            return checkpoint_path(run, "best")
        return DataFolders(experiment.folder).find(wanted["file"])
    except (PathError, UsageError) as error:
        raise misplaced(error, kind) from None


def read(path: Path, wanted: Mapping[str, Any]) -> Weights:
    """What the file holds."""
    if wanted["run"] is not None:
        return Weights("dltrain", weights_of(checkpoint.load(path)[0]), {})
    try:
        return read_weights(path, wanted["format"])
    except DataError as error:
        raise misplaced(error, "file") from None


def misplaced(error: DltrainError, key: str) -> ConfigError:
    """An error about what a key names, as one of the config."""
    return ConfigError([Problem((*AT, key), f"{error.where}: {error.what}", error.expected, error.got, error.hint)])


def match(
    weights: Weights, graph: Graph, renamed: Mapping[str, str], skipped: Iterable[str]
) -> tuple[dict[str, str], list[str], list[str]]:
    """({path in the model: name in the file}, names left in the file, paths left in the model).

    Parameters:
        weights: of the file
        graph: the model
        renamed: {pattern of names in the file: what stands in the model}
        skipped: patterns of names in the file, or of paths in the model, that are left out

    Raises:
        ConfigError: when a pattern fits nothing, or anything else is left over.
    """
    there, paths = list(weights.tensors), [*graph.parameters, *graph.statistics]
    problems: list[Problem] = []
    out: set[str] = set()
    for index, pattern in enumerate(skipped):
        fitting = {name for name in (*there, *paths) if fits(pattern, name)}
        if not fitting:
            problems.append(no_match((*AT, "skip", index), pattern, [*there, *paths], at_key=False))
        out |= fitting
    names = [name for name in there if name not in out]
    places: dict[str, str] = {}  # path in the model: name in the file
    for pattern, replacement in renamed.items():
        fitting = {name for name in names if fits(pattern, name) and name not in places.values()}
        if not fitting:
            problems.append(no_match((*AT, "map", pattern), pattern, names, at_key=True))
        places |= {rename(pattern, replacement, name): name for name in names if name in fitting}
    if problems:
        raise ConfigError(problems)
    open_paths = [path for path in paths if path not in out]
    rest = [name for name in names if name not in places.values()]
    free = [path for path in open_paths if path not in places]
    places |= in_order(weights, graph, rest, free) if weights.layers else {name: name for name in rest}
    check(weights, graph, places, open_paths)
    return places, [name for name in there if name in out], [path for path in paths if path in out]


def in_order(weights: Weights, graph: Graph, names: Iterable[str], paths: Iterable[str]) -> dict[str, str]:
    """{path in the model: name in the file}: of each kind of layer the first takes the first's, and so on.

    What finds no partner keeps the file's name, so that it counts as left over.
    """
    tensors = list(names)
    layers = dict.fromkeys(name.rpartition(".")[0] for name in tensors)
    owners = dict.fromkeys(path.rpartition(".")[0] for path in paths)
    partner: dict[str, str] = {}
    for kind in KINDS:
        theirs = [layer for layer in layers if weights.layers[layer] == kind]
        ours = [node.path for node in graph.plan_nodes if node.kind == kind and node.path in owners]
        spare = len(ours) - len(theirs) if kind == "dense" else 0  # timm writes dense layers of VGG as convolutions
        if spare > 0:
            convs = [node for node in graph.plan_nodes if node.kind == "conv" and node.path in owners]
            theirs = [layer for layer in layers if weights.layers[layer] == "conv"][len(convs) :][:spare] + theirs
        partner |= {layer: node for layer, node in zip(theirs, ours, strict=False) if layer not in partner}
    return {f"{partner.get(layer, layer)}.{last}": f"{layer}.{last}" for layer, _, last in map(split, tensors)}


def split(name: str) -> tuple[str, str, str]:
    """A tensor's layer and its name in it."""
    return name.rpartition(".")


def check(weights: Weights, graph: Graph, places: Mapping[str, str], open_paths: Iterable[str]) -> None:
    """Refuse what is left over on either side, what does not fit, and what is no finite number."""
    tensors = {**graph.parameters, **graph.statistics}
    known = set(open_paths)
    problems = []
    for path, name in places.items():
        if path not in known:
            continue
        array, shape = weights.tensors[name], tensors[path].shape
        if fitted(weights, graph, path, array) is None:
            got = f"{array.shape}" + (f" of {name}" if name != path else "")
            head = ", ".join(repr(split(one)[0]) for one in dict.fromkeys([name, path]))
            advice = f"for a layer that begins anew: `skip: [{head}]`".replace("'", "")
            problems.append(Problem(AT, f"{path} has another shape", str(shape), got, advice))
        elif array.dtype.kind != "f" or not np.isfinite(array).all():
            got = str(array.dtype) if array.dtype.kind != "f" else "nan or infinity"
            problems.append(Problem(AT, f"{name} is not made of finite numbers", "floating point numbers", got))
    missing = [path for path in tensors if path in known and path not in places]
    left = [name for path, name in places.items() if path not in known]
    if missing:
        what, advice = "tensors of the model are not in the file", "`skip` leaves layers out, `map` renames"
        problems.append(Problem(AT, what, f"all {len(tensors)}", f"none for {some(missing)}", advice))
    if left:
        what, advice = "tensors of the file have no place in the model", "`skip` leaves layers out, `map` renames"
        problems.append(Problem(AT, what, "a place for each", f"none for {some(left)}", advice))
    if problems:
        raise ConfigError([*problems[:SHOWN], *problems[max(SHOWN, len(problems) - 2) :]])


def load(graph: Graph, weights: Weights, places: Mapping[str, str]) -> None:
    """Put the tensors of the file into the model; the others stay."""
    state = graph.state()
    for path, name in places.items():
        state[path][...] = fitted(weights, graph, path, weights.tensors[name])
    graph.load_state(state)


def fitted(weights: Weights, graph: Graph, path: str, array: Array) -> Array | None:
    """A tensor as the model lays it out; None where its shape is another.

    A kernel (H, W, C, O) for the pixels of a flattened image is a dense kernel (H · W · C, O); the rows of one that
    takes them channels first, (C · H · W, O), are put into our order.
    """
    tensor = graph.parameters.get(path) or graph.statistics[path]
    image = flattened(graph, path) if path.endswith(".dense.kernel") else None
    if image is not None and array.ndim == 4:
        array = array.reshape(-1, array.shape[-1])
    elif image is not None and weights.channels_first and array.shape == tensor.shape:
        H, W, C = image
        array = array.reshape(C, H, W, -1).transpose(1, 2, 0, 3).reshape(array.shape)
    elif array.ndim == 4 and array.shape[:2] == (1, 1) and len(tensor.shape) == 2:
        array = array[0, 0]  # a convolution of one pixel is a dense layer
    return array if array.shape == tensor.shape else None


def flattened(graph: Graph, path: str) -> Shape | None:
    """(H, W, C) of the image whose pixels the layer of a kernel takes; None where it takes others."""
    nodes: dict[str, Node] = {node.path: node for node in graph.plan_nodes}
    node: Node | None = nodes[split(path)[0]]
    while node is not None and node.kind != "flatten":
        below = nodes.get(node.inputs[0])
        passed = below is not None and (below.kind == "flatten" or (not below.layer.parameters and same(below, nodes)))
        node = below if passed else None
    if node is None:
        return None
    before = nodes.get(node.inputs[0])
    shape = before.shape if before is not None else graph.inputs[node.inputs[0]]
    return shape if len(shape) == 3 else None


def same(node: Node, nodes: Mapping[str, Node]) -> bool:
    """Whether a node has one input and leaves its values where they are, as activations and dropout do."""
    below = nodes.get(node.inputs[0])
    return len(node.inputs) == 1 and below is not None and below.shape == node.shape
