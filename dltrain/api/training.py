"""Models are built, trained and trained on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dltrain.config.plugins import load_plugins
from dltrain.errors import UsageError
from dltrain.layers.base import Shape
from dltrain.model.graph import Graph
from dltrain.model.notation import parse_model
from dltrain.runs.folder import RunFolder
from dltrain.runs.listing import removed_if_empty
from dltrain.training.prepared import load_data
from dltrain.training.progress import Progress
from dltrain.training.running import begin, check_same, train
from dltrain.training.session import build_graph
from dltrain.training.trained import stored_experiment

if TYPE_CHECKING:
    pass
from dltrain.api.given import Config, load_experiment

FLOATS = ("float32", "float64", "complex128")

# Two steps, and everything that happens between steps after each of them; a run of its own, never a newest one.
FAST = {"name": "fast-dev-run", "train.steps": 2, "train.evaluate_every": "1 step", "train.checkpoint_every": "1 step"}


def build_model(
    config: Config,
    input_shapes: Mapping[str, Shape] | None = None,
    seed: int = 0,
    dtype: Any = "float32",
) -> Graph:
    """Build a model from its config.

    A whole config, or its path, takes shapes and the last layer's width from its data; of a `model` part alone they
    must be known.

    Parameters:
        config: path of a config, or a mapping: a whole config or only its `model` part
        input_shapes: {input wire: shape without the batch axis}; where config or data have them, they may be left out
        seed: of the initial parameters
        dtype: of the parameters

    Raises:
        ConfigError: when the model is wrong.
        UsageError: when a shape is not known.

    Example:
        >>> model = build_model({"graph": {"y": [{"dense": 2}]}}, {"x": (3,)})
        >>> model.parameters["y.0.dense.kernel"].value.shape
        (3, 2)
    """
    if isinstance(config, (str, Path)) or "data" in config:
        experiment = load_experiment(config)
        return build_graph(experiment, load_data(experiment), seed, dtype, input_shapes)
    if np.dtype(dtype).name not in FLOATS:
        raise UsageError("a model cannot be of this type of number", expected=" or ".join(FLOATS), got=repr(dtype))
    model = config.get("model", config)
    names = list(input_shapes) if input_shapes else ["x"]
    plan = parse_model(model, input_wires=names)
    given = {**plan.inputs, **(input_shapes or {})}
    shapes = {wire: tuple(shape) for wire, shape in given.items() if shape is not None}
    missing = [wire for wire in (plan.inputs or names) if wire not in shapes]
    if missing:
        hint = "give input_shapes={'" + missing[0] + "': (…)}, or `inputs:` in the model"
        raise UsageError("the shape of an input is not known", where=f"input {missing[0]}", hint=hint)
    return Graph(plan, shapes, dtype, seed)


def fit(
    config: Config,
    *,
    sets: Sequence[str] = (),
    seed: int | None = None,
    name: str | None = None,
    runs: str | Path = "runs",
    resume: bool = False,
    fast_dev_run: bool = False,
    progress: Progress | None = None,
    plugins: Sequence[str | Path] = (),
    **overrides: Any,
) -> dict[str, Any]:
    """Train from a config; returns the run's summary.

    Parameters:
        config: path of a config, or the config as a mapping
        sets: changes as on the command line, `train.epochs=5`
        seed: in place of the config's
        name: of the run, in place of the config's
        runs: folder of the run folders
        resume: go on with the newest run of this name, if there is one
        fast_dev_run: two steps, each with evaluation and checkpoint, to see that everything works; the run is
            named fast-dev-run
        progress: shows what happens; default nothing
        plugins: Python files that register further layers, losses …
        overrides: changes by key, merged into the config: train={"epochs": 5}, or **{"train.epochs": 5}

    Raises:
        DltrainError: one sentence about what is wrong.
    """
    load_plugins(plugins)
    extra = dict(overrides)
    extra |= {} if seed is None else {"seed": seed}
    extra |= {} if name is None else {"name": name}
    experiment = load_experiment(config, sets, extra)
    if fast_dev_run:
        if experiment.baseline is not None:
            what, hint = "a baseline is fitted in one go", "`dltrain check` tries it on a few samples"
            raise UsageError(what, where=experiment.name, got="--fast-dev-run", hint=hint)
        experiment = load_experiment(config, sets, extra | FAST)
    run = RunFolder.newest(Path(runs), experiment.name) if resume else None
    if run is None:
        run = RunFolder.create(runs, experiment.name, lambda made: begin(made, experiment))
        with removed_if_empty(run):
            return train(run, experiment, progress)
    check_same(stored_experiment(run), experiment, run)
    return train(run, experiment, progress, store=True)


def resume(
    run: str | Path,
    *,
    runs: str | Path = "runs",
    progress: Progress | None = None,
    plugins: Sequence[str | Path] = (),
) -> dict[str, Any]:
    """Go on with a run where it stopped; returns its summary, in the form of `fit`.

    Parameters:
        run: path or name of the run
        runs: folder of the run folders
        progress: shows what happens
        plugins: Python files that register further things
    """
    load_plugins(plugins)
    folder = RunFolder.find(run, runs)
    return train(folder, stored_experiment(folder), progress)
