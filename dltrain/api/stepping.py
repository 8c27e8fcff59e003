"""A step of training, one operation at a time: by hand, or again where it went wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from dltrain.api.given import Config, load_experiment
from dltrain.config.plugins import load_plugins
from dltrain.errors import UsageError
from dltrain.runs.folder import RunFolder
from dltrain.training.session import Session, prepare
from dltrain.training.trained import load_run


def session_of(config_or_run: Config, sets: Sequence[str], runs: str | Path) -> Any:
    """The model of a config with its initial weights, or of a run with its trained ones; with its data.

    Raises:
        UsageError: when a run is to be changed.
    """
    if isinstance(config_or_run, (str, Path)) and not Path(config_or_run).is_file():
        if sets:
            what, hint = "a run keeps the settings of its training", "give its `config.yaml` in place of the run"
            raise UsageError(what, where=f"--set {sets[0]}", hint=hint)
        loaded = load_run(config_or_run, runs=runs)
        loaded.read_data()
        return loaded.session
    return prepare(load_experiment(config_or_run, sets))


def trace(
    config_or_run: Config,
    *,
    sample: int = 0,
    split: str = "train",
    layer: str | None = None,
    sets: Sequence[str] = (),
    runs: str | Path = "runs",
    plugins: Sequence[str | Path] = (),
) -> dict[str, Any]:
    """Forward and backward of a network on one sample: what each layer takes, works with and gives.

    Parameters:
        config_or_run: a config, with its initial weights, or a run, with its trained ones
        sample: position in the part
        split: train, train_dev, validation or test
        layer: path of a layer, or a wire: only its operations
        sets: changes of the config; a run takes none
        runs: folder of the run folders
        plugins: Python files that register further things

    Returns:
        See `tracing.network.trace_network`.
    """
    from dltrain.tracing.network import trace_network

    load_plugins(plugins)
    session = session_of(config_or_run, sets, runs)
    if not isinstance(session, Session):
        what = "a baseline has no layers to be traced"
        raise UsageError(what, where=session.experiment.name, expected="a config with a `model`")
    parts = [name for name, examples in session.data.parts.items() if len(examples)]
    if split not in parts:
        raise UsageError("the data have no such part", expected=", ".join(parts), got=repr(split))
    return trace_network(session, split, sample, layer)


def replay(file: str | Path, *, runs: str | Path = "runs", plugins: Sequence[str | Path] = ()) -> dict[str, Any]:
    """Run the step in which a training left the finite numbers again, up to the very operation.

    Parameters:
        file: the `autopsy.h5` that the run left, or the path or name of the run
        runs: folder of the run folders
        plugins: Python files that register further things

    Returns:
        {place, told, identical, phase, path, kind, what, ranges, chain, advice}; see `training.replay.Found`
    """
    from dltrain.training.replay import replay as again

    load_plugins(plugins)
    path = Path(file)
    if not path.is_file():
        folder = RunFolder.find(file, runs)
        path = folder.autopsy_path
        if not path.is_file():
            what, hint = "the run left no step to be replayed", "only a run that met a number that is not finite does"
            raise UsageError(what, where=folder.name, expected=path.name, hint=hint)
    return asdict(again(path))
