"""A trained run in another form: its classifier as a network of convolutions."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np

from dltrain import config
from dltrain.data import DataSet
from dltrain.errors import UsageError
from dltrain.layers.base import Array
from dltrain.model.convolutional import Convolutional, convolutional
from dltrain.model.graph import Graph
from dltrain.model.summary import receptive_fields
from dltrain.runs.environment import environment
from dltrain.runs.files import read_json
from dltrain.runs.folder import RunFolder
from dltrain.seeds import generator
from dltrain.training import checkpoint as checkpoints
from dltrain.training.session import Session, prepare
from dltrain.training.state import part, weights_of
from dltrain.training.trained import checkpoint_path, store_experiment, stored_experiment

ENDING = "convolutional"  # of the name of the new run
MODELS = ("model", "average")  # parts of a checkpoint that hold tensors by their paths


def fully_convolutional(run: RunFolder, which: str | int, runs: Path, out: Path | None) -> dict[str, Any]:
    """Make a run whose network says of a picture of any size what the run's classifier says of each window.

    The new run has config, metrics and one checkpoint with the same numbers in other shapes, the optimizer's too.

    Parameters:
        run: of a classifier of pictures
        which: whose weights: best, last or a step
        runs: folder in which `<name>-convolutional-<number>` is made
        out: the folder itself, in place of that

    Returns:
        ``{run, name, converted_from, checkpoint, layers, window, stride, padded, difference, notes}``: what was made of
        what, how the windows lie, the layers that see beyond the border of a window, and how far both networks differ
        on noise.

    Raises:
        UsageError: when the network cannot be written so.
    """
    path = checkpoint_path(run, which)
    arrays, meta = checkpoints.load(path)
    experiment = stored_experiment(run)
    data = DataSet.from_info(meta["data"], part(arrays, "data"))
    old = prepare(experiment, data=data)
    if not isinstance(old, Session):
        raise UsageError("a baseline has no layers", where=run.name, expected="a run of a network")
    old.graph.load_state(weights_of(arrays))
    made = convolutional(experiment.model, old.graph)
    settings = {**experiment.resolved, "model": made.model, "name": f"{experiment.name}-{ENDING}"}
    changed = config.from_mapping(settings, where=str(run.config_path))
    changed.folder = experiment.folder
    new = prepare(changed, data=data)
    new.graph.load_state(moved(old.graph.state(), made, new.graph))
    step = int(meta["trainer"]["step"])

    def fill(folder: RunFolder) -> None:
        store_experiment(folder, changed)
        folder.write(folder.environment_path, environment())
        if run.metrics_path.is_file():
            text = run.metrics_path.read_bytes()[: meta["log_offset"]].decode()
            folder.write(folder.metrics_path, text)
        if run.summary_path.is_file():
            told = {"run": str(folder.path), "name": folder.name, "converted_from": str(run.path)}
            folder.write(folder.summary_path, {**read_json(run.summary_path), **told})
        tensors = {name: array for name, array in arrays.items() if name.partition("/")[0] not in MODELS}
        for kind in MODELS:
            renamed = moved(part(arrays, kind), made, new.graph)
            tensors |= {f"{kind}/{name}": array for name, array in renamed.items()}
        checkpoints.save(folder.checkpoints_path, step, tensors, told_of(meta, changed.resolved, step))

    folder = RunFolder.create(runs, changed.name, fill) if out is None else RunFolder.create_at(out, fill)
    padded = made.padded
    return {
        "run": str(folder.path),
        "name": folder.name,
        "converted_from": str(run.path),
        "checkpoint": step,
        "layers": made.layers,
        "window": list(data.shape[:2]),
        "stride": int(receptive_fields(new.graph)[new.graph.plan_nodes[-2].path][1]),
        "padded": padded,
        "difference": difference(old.graph, new.graph),
        "notes": [beyond(padded)] if padded else [],
    }


def moved(tensors: dict[str, Array], made: Convolutional, graph: Graph) -> dict[str, Array]:
    """Tensors under their new paths, in their new shapes."""
    shapes = {path: tensor.shape for path, tensor in (*graph.parameters.items(), *graph.statistics.items())}
    renamed = {made.renamed(path): array for path, array in tensors.items()}
    return {path: array.reshape(shapes[path]) for path, array in renamed.items()}


def told_of(meta: dict[str, Any], resolved: dict[str, Any], step: int) -> dict[str, Any]:
    """What the checkpoint of the new run says: of the best one only where it is this one."""
    told = deepcopy(meta) | {"config": resolved}
    best = told["trainer"].get("best")
    told["trainer"]["best"] = best if best is not None and int(best["step"]) == step else None
    return told


def difference(old: Graph, new: Graph) -> float:
    """The largest difference of both networks' outputs, for noise of the size that they were trained on."""
    shapes = {wire: generator(0, "conversion").standard_normal((4, *shape)) for wire, shape in old.inputs.items()}
    first, second = (graph.forward(shapes)[0] for graph in (old, new))
    return float(max(np.abs(first[wire] - second[wire]).max() for wire in first))


def beyond(padded: list[str]) -> str:
    """A sentence on layers that see beyond the border of a window."""
    listed = ", ".join(padded[:3]) + (" …" if len(padded) > 3 else "")
    return (
        f"{listed} see beyond the border of a window: within a larger picture its neighbours, in a window by itself "
        "zeros. So the answers differ a little; with `padding: valid` they would not"
    )
