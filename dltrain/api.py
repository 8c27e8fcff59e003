"""dltrain from Python: what the command line does, as functions that return plain data."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dltrain import config as configs
from dltrain.data import DataSet, load_like
from dltrain.errors import DataError, UsageError
from dltrain.layers.base import Array, Shape
from dltrain.model.graph import Graph
from dltrain.model.notation import parse_model
from dltrain.runs.environment import environment
from dltrain.runs.folder import RunFolder
from dltrain.runs.metrics import read_log
from dltrain.runs.signals import Interruption
from dltrain.tasks import Tally
from dltrain.training import checkpoint as checkpoints
from dltrain.training.journal import Journal
from dltrain.training.progress import Progress, SilentProgress
from dltrain.training.session import Session, load_data, prepare
from dltrain.training.trainer import part

if TYPE_CHECKING:
    from dltrain.config.experiment import Experiment

Config = str | Path | Mapping[str, Any]


def build_model(
    config: Config,
    input_shapes: Mapping[str, Shape] | None = None,
    seed: int = 0,
    dtype: Any = "float32",
) -> Graph:
    """Build a model from its config, without data.

    Parameters:
        config: a path of a config, or a mapping: a whole config or only its `model` part
        input_shapes: {input wire: shape without the batch axis}; where the config has them, they may be left out
        seed: of the initial parameters
        dtype: of the parameters

    Raises:
        ConfigError: when the model is wrong, or a shape is missing.

    Example:
        >>> model = build_model({"graph": {"y": [{"dense": 2}]}}, {"x": (3,)})
        >>> model.parameters["y.0.dense.kernel"].value.shape
        (3, 2)
    """
    if isinstance(config, (str, Path)):
        config = configs.load(config).model
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
        fast_dev_run: two steps of training and the evaluations, to see that everything works
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
    extra |= {"train.steps": 2} if fast_dev_run else {}
    experiment = load_experiment(config, sets, extra)
    root = Path(runs)
    if resume:
        existing = newest_run(root, experiment.name)
        if existing is not None:
            return train(existing, experiment, progress)
    run = RunFolder.create(root, experiment.name)
    run.write(run.config_path, configs.dump(stored_config(experiment)))
    run.write(run.environment_path, environment())
    return train(run, experiment, progress)


def resume(run: str | Path, *, runs: str | Path = "runs", progress: Progress | None = None) -> dict[str, Any]:
    """Go on with a run where it stopped; returns its summary, in the form of `fit`.

    Parameters:
        run: path or name of the run
        runs: folder of the run folders
        progress: shows what happens
    """
    folder = RunFolder.find(run, runs)
    return train(folder, stored_experiment(folder), progress)


def train(run: RunFolder, experiment: Experiment, progress: Progress | None = None) -> dict[str, Any]:
    """Train in a run folder, from its newest checkpoint if there is one, and write the summary."""
    progress = progress or SilentProgress()
    started = time.monotonic()
    stop = Interruption(lambda signal: progress.message("stopping after this step; once more to stop at once"))
    with stop, run.lock():
        session = prepare(experiment)
        journal = Journal(
            run,
            keep=experiment.train.keep,
            fixed=fixed_parts(session),
            interrupted=lambda: bool(stop),
            message=progress.message,
        )
        trainer = session.trainer(journal, progress)
        journal.restore(trainer)
        try:
            reason = trainer.run()
        finally:
            journal.close()
        summary = {
            "run": str(run.path),
            "name": run.name,
            "epochs": trainer.epoch,
            "steps": trainer.step,
            "seconds": round(time.monotonic() - started, 3),
            "stopped": reason,
            "metrics": {name: trainer.metrics.get(name, {}) for name in ("train", "validation")},
            "best": trainer.best,
        }
        if reason != "signal":
            summary["test"] = evaluate_best(session, run)
        run.write(run.summary_path, summary)
        progress.finish(summary)
    summary["exit_code"] = stop.exit_code if reason == "signal" else 0
    return summary


def evaluate_best(session: Session, run: RunFolder) -> dict[str, float] | None:
    """Metrics of the best weights over the test part; None when there is none."""
    loader = session.loader("test")
    if loader is None:
        return None
    arrays, _ = checkpoints.load(checkpoint_path(run, "best"))
    session.graph.load_state(part(arrays, "model"))
    tally = session.evaluator().run(loader)
    return None if tally is None else tally.results()


def evaluate(
    run: str | Path,
    *,
    split: str = "test",
    checkpoint: str | int = "best",
    data: str | Path | None = None,
    runs: str | Path = "runs",
) -> dict[str, Any]:
    """Loss and metrics of a trained model over a part of its data, or over other data.

    Parameters:
        run: path or name of the run
        split: train, validation or test
        checkpoint: best, last or a step
        data: a file (csv, npz) to evaluate instead
        runs: folder of the run folders
    """
    from dltrain.metrics import per_class

    loaded = load_run(run, runs=runs, checkpoint=checkpoint)
    tally = loaded.tally(split, data)
    counts = next((c.arrays["counts"] for n, c in tally.collectors.items() if "counts" in c.arrays), None)
    classes = loaded.session.data.classes
    return {
        "run": str(loaded.folder.path),
        "checkpoint": loaded.step,
        "split": split if data is None else str(data),
        "samples": tally.count,
        "metrics": tally.results(),
        "per_class": None if counts is None else per_class(counts, classes),
        "confusion": None if counts is None else counts.tolist(),
        "classes": classes,
    }


def predict(run: str | Path, inputs: Sequence[str | Path], *, runs: str | Path = "runs") -> dict[str, Any]:
    """What a trained model says about new samples.

    Parameters:
        run: path or name of the run
        inputs: files (csv, npz, npy) with the features of the data it was trained on
        runs: folder of the run folders
    """
    loaded = load_run(run, runs=runs)
    predictions = [row for path in inputs for row in loaded.predict(path)]
    return {"run": str(loaded.folder.path), "samples": len(predictions), "predictions": predictions}


class Run:
    """A trained run: its config, records, and its model with the weights of a checkpoint.

    The data are read when a part of them is evaluated; predictions need only what the checkpoint holds.

    Parameters:
        folder: the run folder
        session: the model, and how new data are prepared
        step: of the checkpoint whose weights the model has
    """

    def __init__(self, folder: RunFolder, session: Session, step: int) -> None:
        self.folder, self.session, self.step = folder, session, step

    @property
    def graph(self) -> Graph:
        """The model."""
        return self.session.graph

    @property
    def config(self) -> dict[str, Any]:
        """The complete config."""
        return self.session.experiment.resolved

    @property
    def metrics(self) -> list[dict[str, Any]]:
        """All records, one a line of metrics.jsonl."""
        return read_log(self.folder.metrics_path)

    def predict(self, inputs: str | Path | Array) -> list[dict[str, Any]]:
        """Predictions for a file or an array of raw features, one dict for each sample.

        Raises:
            DataError: when the features are not those the model was trained on, or lead out of the finite numbers.
        """
        session = self.session
        source = inputs if isinstance(inputs, np.ndarray) else Path(inputs)
        examples = load_like(source, session.data)
        outputs = session.evaluator().outputs(dict.fromkeys(session.graph.inputs, examples.columns["x"]))
        if not np.isfinite(outputs).all():
            sample = int(np.argwhere(~np.isfinite(outputs))[0][0])
            hint = "are its features in the range of the training data?"
            raise DataError("the model's output is not finite", where=f"{inputs}, sample {sample}", hint=hint)
        return session.task.task.predict(outputs, session.data)

    def evaluate(self, split: str = "test", data: str | Path | None = None) -> dict[str, float]:
        """Loss and metrics over a part of the run's data, or over a file."""
        return self.tally(split, data).results()

    def tally(self, split: str, data: str | Path | None = None) -> Tally:
        """Sums over a part of the run's data, or over a file."""
        session = self.session
        if data is not None:
            loader = session.loader_of(load_like(Path(data), session.data, target=True))
        else:
            if not session.data.parts:
                session.data.parts.update(load_data(session.experiment).parts)
            found = session.loader(split)
            if found is None:
                parts = ", ".join(name for name, examples in session.data.parts.items() if len(examples))
                raise UsageError("the run's data have no such part", expected=parts, got=repr(split))
            loader = found
        tally = session.evaluator().run(loader)
        assert tally is not None
        return tally


def load_run(run: str | Path, *, runs: str | Path = "runs", checkpoint: str | int = "best") -> Run:
    """Load a run with the weights of a checkpoint.

    Parameters:
        run: path or name of the run
        runs: folder of the run folders
        checkpoint: best, last or a step
    """
    folder = RunFolder.find(run, runs)
    arrays, meta = checkpoints.load(checkpoint_path(folder, checkpoint))
    data = DataSet.from_info(meta["data"], part(arrays, "data"))
    session = prepare(stored_experiment(folder), data=data)
    session.graph.load_state(part(arrays, "model"))
    return Run(folder, session, int(meta["trainer"]["step"]))


def gradcheck(
    config_or_run: Config, *, sets: Sequence[str] = (), runs: str | Path = "runs", samples: int = 8, **options: Any
) -> dict[str, Any]:
    """Compare the gradients of a config's or a run's model with numerical ones.

    Parameters:
        config_or_run: a config, or a run (then its weights are used)
        sets: changes of the config
        runs: folder of the run folders
        samples: size of the batch
        options: see `training.gradient_check.check_gradients`
    """
    from dltrain.training.gradient_check import check_gradients

    if isinstance(config_or_run, (str, Path)) and not Path(config_or_run).is_file():
        loaded = load_run(config_or_run, runs=runs)
        session = loaded.session
        session.data.parts.update(load_data(session.experiment).parts)
    else:
        session = prepare(load_experiment(config_or_run, sets))
    loader = session.loader("train", batch_size=samples, shuffle=True)
    assert loader is not None
    report = check_gradients(session.objective, loader.batch(0, 0), seed=session.experiment.seed, **options)
    return report.as_json()


def check(config: Config, *, sets: Sequence[str] = (), plugins: Sequence[str | Path] = ()) -> tuple[dict[str, Any], Any]:
    """Load, build, and run one step of training and one of validation on a few samples.

    Returns the JSON form and the summary that can be drawn.

    Parameters:
        config: path or mapping
        sets: changes as on the command line
        plugins: Python files that register further things
    """
    from dltrain.model.mode import Mode
    from dltrain.model.summary import summarize
    from dltrain.optim import Moment
    from dltrain.registry import create

    load_plugins(plugins)
    experiment = load_experiment(config, sets)
    session = prepare(experiment)
    session.monitor(experiment.train.monitor)
    few = session.data.parts["train"].take(np.arange(min(16, len(session.data.parts["train"]))))
    mode = Mode(True, kernels=session.kernels, arena=session.arena, seed=experiment.seed, input_gradients=False)
    mode.begin(0, len(few))
    optimizer = create("optimizer", experiment.optimizer)
    optimizer.bind(session.graph.vector, session.kernels)
    loader = session.loader_of(few, batch_size=16)
    value = session.objective(loader.batch(0, 0), mode)
    if not np.isfinite(value.loss):
        from dltrain.training.autopsy import not_finite

        raise not_finite(session.objective, loader.batch(0, 0), mode, 0)
    summary = summarize(session.graph, experiment.train.batch_size, optimizer)
    optimizer.step(Moment(0, 1, 1))
    session.graph.changed()
    session.evaluator().run(loader)
    return summary.as_json(), summary


def load_experiment(config: Config, sets: Sequence[str] = (), extra: Mapping[str, Any] | None = None) -> Experiment:
    """The checked experiment of a path or a mapping."""
    if isinstance(config, Mapping):
        return configs.from_mapping(config, sets=list(sets), extra=extra)
    return configs.load(config, sets=list(sets), extra=extra)


def stored_config(experiment: Experiment) -> dict[str, Any]:
    """The complete config as a run keeps it."""
    return {**experiment.resolved, "folder": str(experiment.folder)}


def stored_experiment(run: RunFolder) -> Experiment:
    """The experiment a run was started with."""
    return configs.load(run.config_path)


def newest_run(root: Path, name: str) -> RunFolder | None:
    """The newest run of a name; None when there is none."""
    return RunFolder.newest(root, name)


def fixed_parts(session: Session) -> tuple[dict[str, Any], dict[str, Any]]:
    """What every checkpoint of a run holds beside the trainer's state."""
    data = session.data
    arrays = {f"data/{name}": constant for name, constant in data.constants.items()}
    meta = {
        "config": session.experiment.resolved,
        "data": data.info(),
        "environment": environment(),
    }
    return arrays, meta


def checkpoint_path(run: RunFolder, which: str | int) -> Path:
    """The file of the best or last checkpoint, or of a step."""
    newest = checkpoints.newest_valid(run.checkpoints_path).path
    if newest is None:
        hint = "`dltrain resume` goes on with it"
        raise UsageError("the run has no whole checkpoint yet", where=str(run.path), hint=hint)
    if which == "last":
        return newest
    if which == "best":
        best = checkpoints.load(newest)[1]["trainer"]["best"]
        return newest if best is None else checkpoints.path_of(run.checkpoints_path, int(best["step"]))
    steps = checkpoints.list_steps(run.checkpoints_path)
    if not str(which).isdigit() or int(which) not in steps:
        known = ", ".join(map(str, steps))
        raise UsageError("the run has no such checkpoint", expected=f"best, last, {known}", got=str(which))
    return checkpoints.path_of(run.checkpoints_path, int(which))


def load_plugins(paths: Sequence[str | Path]) -> None:
    """Run Python files given on the command line, so that they register layers, losses …"""
    import importlib.util

    for number, path in enumerate(paths):
        spec = importlib.util.spec_from_file_location(f"dltrain_plugin_{number}", path)
        if spec is None or spec.loader is None or not Path(path).is_file():
            raise UsageError("there is no such Python file", where=str(path))
        spec.loader.exec_module(importlib.util.module_from_spec(spec))

