"""dltrain from Python: what the command line does, as functions that return plain data."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np

from dltrain import config as configs
from dltrain.config.plugins import load_plugins
from dltrain.errors import ConfigError, UsageError
from dltrain.layers.base import Shape
from dltrain.model.graph import Graph
from dltrain.model.notation import parse_model
from dltrain.model.summary import Summary
from dltrain.runs.folder import RunFolder
from dltrain.runs.listing import removed_if_empty
from dltrain.training.batch_preview import first_batch
from dltrain.training.ensemble import Ensemble
from dltrain.training.generation import Writer
from dltrain.training.journal import NoJournal
from dltrain.training.prepared import load_data
from dltrain.training.preview import schedules
from dltrain.training.progress import Progress, SilentProgress
from dltrain.training.running import begin, check_same, train
from dltrain.training.session import Session, build_graph, prepare
from dltrain.training.trained import load_run, load_runs, stored_experiment

if TYPE_CHECKING:
    from dltrain.config.experiment import Experiment

Config = str | Path | Mapping[str, Any]

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


def evaluate(
    run: str | Path | Sequence[str | Path],
    *,
    split: str = "test",
    checkpoint: str | int = "best",
    data: str | Path | None = None,
    runs: str | Path = "runs",
    plugins: Sequence[str | Path] = (),
) -> dict[str, Any]:
    """Loss and metrics of a trained model, or of an ensemble of several, over a part of its data, or over other data.

    Parameters:
        run: path or name of the run, or several of them: then the mean of their predictions is measured, and each
        split: train, train_dev, validation or test
        checkpoint: best, last, a step, steps with commas between them (the mean of their weights), or average (of all)
        data: a file (csv, npz) to evaluate instead
        runs: folder of the run folders
        plugins: Python files that register further things
    """
    load_plugins(plugins)
    loaded, *others = load_runs(run, runs, checkpoint)
    members: list[dict[str, Any]] = []
    if others:
        ensemble = Ensemble([loaded, *others])
        tally, tallies = ensemble.tally(split, data, everything=True)
        members = ensemble.per_member(tallies)
    else:
        tally = loaded.tally(split, data, everything=True)
    heads = {name: head.counted() for name, head in tally.heads.items() if head.count}
    return {
        "run": None if members else str(loaded.folder.path),
        "checkpoint": None if members else loaded.step,
        "members": members,
        "split": split if data is None else str(data),
        "samples": tally.count,
        "metrics": tally.results(),
        **(heads.pop("") if "" in heads else {"per_class": None, "confusion": None, "classes": None}),
        "heads": heads or None,
    }


def predict(
    run: str | Path | Sequence[str | Path],
    inputs: Sequence[str | Path],
    *,
    checkpoint: str | int = "best",
    runs: str | Path = "runs",
    plugins: Sequence[str | Path] = (),
) -> dict[str, Any]:
    """What a trained model, or an ensemble of several, says about new samples.

    Parameters:
        run: path or name of the run, or several of them: then their predictions are averaged
        inputs: files (csv, npz, npy) with the features of the data it was trained on
        checkpoint: whose weights, as in `evaluate`
        runs: folder of the run folders
        plugins: Python files that register further things
    """
    load_plugins(plugins)
    loaded = load_runs(run, runs, checkpoint)
    paths = [str(one.folder.path) for one in loaded]
    model = Ensemble(loaded) if len(loaded) > 1 else loaded[0]
    predictions = [row for path in inputs for row in model.predict(path)]
    return {
        "run": paths[0] if len(paths) == 1 else None,
        "members": paths if len(paths) > 1 else [],
        "samples": len(predictions),
        "predictions": predictions,
    }


def errors(
    run: str | Path,
    *,
    split: str = "validation",
    checkpoint: str | int = "best",
    tags: str | Path | None = None,
    most: int = 8,
    out: str | Path | None = None,
    runs: str | Path = "runs",
    plugins: Sequence[str | Path] = (),
) -> dict[str, Any]:
    """What a trained run gets wrong: by class, by pair of classes, one by one; and a table of them to tag.

    Parameters:
        run: path or name of the run
        split: train, train_dev, validation or test
        checkpoint: best, last, a step, steps with commas between them, or average
        tags: an `errors.csv` with tags filled in: what mending each could gain at most
        most: how many single examples are listed
        out: folder of the files; left out: `errors-<split>` in the run's folder
        runs: folder of the run folders
        plugins: Python files that register further things
    """
    from dltrain.diagnose.errors import look

    load_plugins(plugins)
    loaded = load_run(run, runs=runs, checkpoint=checkpoint)
    examples = loaded.loader(split).examples
    folder = loaded.folder.path / f"errors-{split}" if out is None else Path(out).absolute()
    return look(loaded, split, examples, folder, most, None if tags is None else Path(tags))


def diagnose(
    run: str | Path, *, goal: float = 0.0, runs: str | Path = "runs", plugins: Sequence[str | Path] = ()
) -> dict[str, Any]:
    """What holds a run back: bias, variance, data mismatch, an over-fitted validation part; and its learning rate.

    Parameters:
        run: path or name of the run
        goal: the error that the best can reach: of humans, or of Bayes; a share
        runs: folder of the run folders
        plugins: Python files that register further things

    Returns:
        {run, goal, errors: {part: {error, samples}}, layers: [{path, …}], verdicts: [{rule, what, advice, …}]}
    """
    from dltrain.diagnose.doctor import diagnosed

    load_plugins(plugins)
    return diagnosed(load_run(run, runs=runs), load_run(run, runs=runs, checkpoint="last"), goal)


def generate(
    run: str | Path,
    prompt: str = "",
    *,
    length: int = 500,
    temperature: float = 1.0,
    top_k: int | None = None,
    seed: int = 0,
    lines: int | None = None,
    checkpoint: str | int = "best",
    runs: str | Path = "runs",
    plugins: Sequence[str | Path] = (),
) -> dict[str, Any]:
    """What a trained language model writes.

    Parameters:
        run: path or name of a run of the task `language_model`
        prompt: what the text begins with; empty: the start of a line
        length: how many characters to write
        temperature: below 1 the likely characters become likelier, above 1 the unlikely; 0: always the likeliest
        top_k: draw among so many of the likeliest; None: among all
        seed: the same one gives the same text
        lines: write so many texts, each to the end of its line, with the seeds from `seed` on; None: one of `length`
        checkpoint: whose weights, as in `evaluate`
        runs: folder of the run folders
        plugins: Python files that register further things

    Raises:
        UsageError: when the run is of another task, or the prompt has a character that the model does not know.
    """
    load_plugins(plugins)
    loaded = load_run(run, runs=runs, checkpoint=checkpoint)
    writer, until = Writer(loaded), None if lines is None else "\n"
    texts = [
        writer.write(prompt, length, temperature=temperature, top_k=top_k, seed=number, until=until)
        for number in range(seed, seed + (lines or 1))
    ]
    return {"run": str(loaded.folder.path), "checkpoint": loaded.step, "prompt": prompt, "texts": texts}


def gradcheck(
    config_or_run: Config,
    *,
    sets: Sequence[str] = (),
    runs: str | Path = "runs",
    samples: int = 8,
    plugins: Sequence[str | Path] = (),
    **options: Any,
) -> dict[str, Any]:
    """Compare the gradients of a config's or a run's model with numerical ones.

    Parameters:
        config_or_run: a config, or a run (then its weights are used)
        sets: changes of the config
        runs: folder of the run folders
        samples: size of the batch
        plugins: Python files that register further things
        options: see `training.gradient_check.check_gradients`
    """
    from dltrain.training.gradient_check import check_gradients

    load_plugins(plugins)
    if isinstance(config_or_run, (str, Path)) and not Path(config_or_run).is_file():
        loaded = load_run(config_or_run, runs=runs)
        session: Any = loaded.session
        loaded.read_data()
    else:
        session = prepare(load_experiment(config_or_run, sets))
    loader = session.loader("train", batch_size=samples, shuffle=True)
    assert loader is not None
    report = check_gradients(session.objective, loader.batch(0, 0), seed=session.experiment.seed, **options)
    return report.as_json()


def check(
    config: Config, *, sets: Sequence[str] = (), plugins: Sequence[str | Path] = ()
) -> tuple[dict[str, Any], Summary]:
    """Load, build, and run one step of training and one of validation on a few samples.

    Returns the JSON form and the summary that can be drawn.  The plain NumPy kernels do these two steps: importing
    Numba would take longer than everything else together.

    Parameters:
        config: path or mapping
        sets: changes as on the command line
        plugins: Python files that register further things
    """
    load_plugins(plugins)
    summary = prepare(load_experiment(config, sets), "reference").try_out()
    return summary.as_json(), summary


def doctor(
    config: Config,
    *,
    sets: Sequence[str] = (),
    plugins: Sequence[str | Path] = (),
    tell: Callable[[str], None] = lambda text: None,
) -> dict[str, Any]:
    """Examine a config before its training: doubtful settings, and trials such as learning a few examples by heart.

    Parameters:
        config: path or mapping
        sets: changes as on the command line
        plugins: Python files that register further things
        tell: is told which rule is at work

    Returns:
        See `diagnose.examine`.
    """
    from dltrain.diagnose import examine

    load_plugins(plugins)
    return examine(load_experiment(config, sets), tell)


def lint_data(
    config: Config,
    *,
    sets: Sequence[str] = (),
    plugins: Sequence[str | Path] = (),
    tell: Callable[[str], None] = lambda text: None,
) -> dict[str, Any]:
    """Examine the data of a config: doubles, contradicting labels, columns that leak, parts that differ.

    Parameters:
        config: path or mapping
        sets: changes as on the command line
        plugins: Python files that register further things
        tell: is told which rule is at work

    Returns:
        See `diagnose.doctor.linted`.
    """
    from dltrain.diagnose.doctor import linted

    load_plugins(plugins)
    experiment = load_experiment(config, sets)
    return linted(experiment, load_data(experiment), tell)


def preview_schedule(config: Config, *, sets: Sequence[str] = (), plugins: Sequence[str | Path] = ()) -> dict[str, Any]:
    """The learning rate and every scheduled number of a config over its run, at some hundred steps.

    Returns ``{steps, values: {name: numbers}, steps_per_epoch, total_steps, notes}``; step 0 is the first.

    Parameters:
        config: path or mapping
        sets: changes as on the command line
        plugins: Python files that register further things
    """
    session = previewed(config, sets, plugins, "a baseline has no schedules: it is fitted in one go")
    return schedules(session.trainer(NoJournal(), SilentProgress()))


def lr_find(
    config: Config,
    *,
    sets: Sequence[str] = (),
    low: float = 1e-6,
    high: float = 10.0,
    steps: int = 150,
    apply: bool = False,
    plugins: Sequence[str | Path] = (),
) -> dict[str, Any]:
    """A learning rate for a config, by a training in which it rises from step to step; nothing is kept of it.

    Returns ``{learning_rate, reason, path, rates, losses, smooth, line}``; `line` is that of the file where it was
    written.

    Parameters:
        config: path or mapping
        sets: changes as on the command line
        low: the first rate
        high: the last one
        steps: how many
        apply: write the rate into the config, with a comment
        plugins: Python files that register further things

    Raises:
        NumericsError: when the loss falls at no rate.
        UsageError: when the rate cannot be written into the file.
    """
    from dltrain.training.rate_finder import ramp, rate_path

    if not low < high:
        raise UsageError(
            "these rates do not rise", where="--low, --high", expected="low < high", got=f"{low:g}, {high:g}"
        )
    load_plugins(plugins)
    session = prepare(load_experiment(config, sets))
    if not isinstance(session, Session):
        what = "a baseline has no learning rate"
        raise UsageError(what, where=session.experiment.name, expected="a config with a `model`")
    found = ramp(session.trainer(NoJournal(), SilentProgress()), low, high, steps)
    rate, reason = found.suggestion()
    path = rate_path(session.experiment.optimizer)
    line = None
    if apply:
        from dltrain.training.rewriting import rewrite

        if isinstance(config, Mapping) or path is None:
            raise UsageError("there is no place to write the rate", expected="a file with one learning rate")
        line = rewrite(config, load_experiment(config), path, rate, f"lr-find: {reason.partition(';')[0]}")
    shown = None if path is None else ".".join(path)
    curves = {"rates": found.rates, "losses": found.losses, "smooth": found.smooth}
    return {"learning_rate": rate, "reason": reason, "path": shown, **curves, "line": line}


def learning_curve(
    config: Config,
    *,
    sets: Sequence[str] = (),
    points: int = 5,
    seeds: int = 3,
    tell: Callable[[str], None] = lambda text: None,
    plugins: Sequence[str | Path] = (),
) -> dict[str, Any]:
    """What a config reaches with growing parts of its training examples, and whether more data would help.

    Returns ``{metric, higher, points: [{examples, train, train_deviation, train_values, validation …}], expected,
    answer}``; `expected` is the value with twice the examples, by a power law.

    Parameters:
        config: path or mapping
        sets: changes as on the command line
        points: sizes: all examples, a half, a quarter …
        seeds: runs of each size, with the config's seed and the next ones
        tell: is told how far the work is
        plugins: Python files that register further things
    """
    from dltrain.training.learning_curve import learning_curve as measured

    load_plugins(plugins)
    first = load_experiment(config, sets)
    others = [load_experiment(config, sets, {"seed": first.seed + number}) for number in range(1, seeds)]
    return measured([first, *others], points, tell)


def preview_batch(config: Config, *, sets: Sequence[str] = (), plugins: Sequence[str | Path] = ()) -> dict[str, Any]:
    """The first training batch of a config whose data are pictures, augmented, as the network sees it.

    Returns ``{pictures, labels, samples, shape, notes}``: at most 64 pictures, an array (n, H, W, C) of bytes, and what
    each shows.

    Parameters:
        config: path or mapping
        sets: changes as on the command line
        plugins: Python files that register further things
    """
    return first_batch(previewed(config, sets, plugins, "a baseline has no batches: it is fitted in one go"))


def previewed(config: Config, sets: Sequence[str], plugins: Sequence[str | Path], of_baseline: str) -> Session:
    """The session of a config that is looked at before it is trained.

    Raises:
        UsageError: when it is one of a baseline, which has nothing to look at.
    """
    load_plugins(plugins)
    session = prepare(load_experiment(config, sets), "reference")
    if not isinstance(session, Session):
        raise UsageError(of_baseline, where=session.experiment.name, expected="a config with a `model`")
    return session


def explore(
    method: Any,
    config: Config,
    *,
    split: str = "train",
    sets: Sequence[str] = (),
    runs: str | Path = "runs",
    out: str | Path | None = None,
    tell: Callable[[str], None] = lambda text: None,
    plugins: Sequence[str | Path] = (),
) -> dict[str, Any]:
    """Look at the data of a config, as it divides and prepares them, without training; see `dltrain list explorations`.

    Returns what `result.json` holds, and under `shown` the tables, charts and sentences for a terminal.

    Parameters:
        method: an exploration: "pca", {"k_means": 12}, {"tsne": {"perplexity": 50}}
        config: path or mapping
        split: the part that is looked at: train, train_dev, validation or test
        sets: changes as on the command line
        runs: folder in which the folder of the pictures is made
        out: the folder itself instead
        tell: is told how far the work is
        plugins: Python files that register further things
    """
    from dltrain.explore import explore as explored

    load_plugins(plugins)
    check_named(method, "exploration")
    experiment = load_experiment(config, sets)
    tell("reading the data")
    return explored(
        method,
        load_data(experiment),
        part=split,
        seed=experiment.seed,
        name=experiment.name,
        runs=Path(runs),
        out=None if out is None else Path(out),
        tell=tell,
    )


def show(
    view: Any,
    run: str | Path,
    *,
    layer: str | None = None,
    sample: int = 0,
    split: str = "test",
    input: str | Path | None = None,
    class_: str | None = None,
    checkpoint: str | int = "best",
    runs: str | Path = "runs",
    out: str | Path | None = None,
    tell: Callable[[str], None] = lambda text: None,
    plugins: Sequence[str | Path] = (),
) -> dict[str, Any]:
    """Look into a trained network and write what is seen as pictures; see `dltrain list views`.

    Returns what `result.json` holds, and under `lines` what a terminal shows.

    Parameters:
        view: "filters", "grad_cam", {"occlusion": {"size": 8}}
        run: path or name of the run
        layer: the layer that is looked at, in place of the view's own choice: the path of a layer, or a wire
        sample: position of the picture in the part, or in the file
        split: the part of the run's data that the picture is taken from
        input: a file with the picture instead: a picture, or anything that `predict` takes
        class_: the class that is asked about; default the one that the network sees
        checkpoint: whose weights, as in `evaluate`
        runs: folder of the run folders, and of the folder of the pictures
        out: the folder of the pictures itself instead
        tell: is told how far the work is
        plugins: Python files that register further things
    """
    from dltrain.looking import show as shown

    load_plugins(plugins)
    check_named(view, "view")
    loaded = load_run(run, runs=runs, checkpoint=checkpoint)
    return shown(
        view,
        loaded,
        runs=Path(runs),
        out=None if out is None else Path(out),
        tell=tell,
        layer=layer,
        sample=sample,
        split=split,
        file=None if input is None else Path(input),
        class_=class_,
    )


def convert(
    run: str | Path,
    *,
    checkpoint: str | int = "best",
    runs: str | Path = "runs",
    out: str | Path | None = None,
    plugins: Sequence[str | Path] = (),
) -> dict[str, Any]:
    """Turn the classifier of a run into a network of convolutions, for pictures of any size; makes a run of its own.

    Returns ``{run, name, converted_from, checkpoint, layers, window, stride, padded, difference, notes}``.

    Parameters:
        run: path or name of the run
        checkpoint: whose weights: best, last or a step
        runs: folder of the run folders
        out: the new run's folder, in place of the next `<name>-convolutional-<number>`
        plugins: Python files that register further things
    """
    from dltrain.training.conversion import fully_convolutional

    load_plugins(plugins)
    folder = RunFolder.find(run, runs)
    return fully_convolutional(folder, checkpoint, Path(runs), None if out is None else Path(out))


def check_named(spec: Any, kind: str) -> None:
    """Refuse what does not name a registered thing by the grammar.

    Raises:
        ConfigError: with all that is wrong.
    """
    from dltrain.config.check import check as problems_of
    from dltrain.registry import Reference

    problems = problems_of(spec, Annotated[Any, Reference(kind)])
    if problems:
        raise ConfigError(problems)


def load_experiment(config: Config, sets: Sequence[str] = (), extra: Mapping[str, Any] | None = None) -> Experiment:
    """The checked experiment of a path or a mapping."""
    if isinstance(config, Mapping):
        return configs.from_mapping(config, sets=list(sets), extra=extra)
    return configs.load(config, sets=list(sets), extra=extra)


def sweep(
    given: str | Path | Mapping[str, Any],
    *,
    runs: str | Path = "runs",
    workers: int = 1,
    threads: int | None = None,
    resume: bool = False,
    fail_fast: bool = False,
    plugins: Sequence[str | Path] = (),
    told: Callable[[Any, Any], None] = lambda trial, trials: None,
    begun: Callable[[Any], None] = lambda folder: None,
    **overrides: Any,
) -> dict[str, Any]:
    """Try settings of a config; returns the table of all trials, and the best.

    Parameters:
        given: path of a sweep's file, or what it would hold as a mapping, whose `config` may be a mapping too
        runs: folder in which the sweep's folder is made
        workers: trials at a time, each in a process of its own
        threads: of all workers together; default: one for each processor
        resume: go on with the newest sweep of this name, if there is one
        fail_fast: end with the first trial that fails
        plugins: Python files that register further things
        told: called with each trial that is over, and all trials
        begun: called with the sweep's folder
        overrides: keys of the sweep's file in place of its own: trials=50, sampler="tpe"

    Raises:
        DltrainError: one sentence about what is wrong.
    """
    from dltrain.sweeps.leading import start

    load_plugins(plugins)
    return start(
        given,
        runs=runs,
        workers=workers,
        threads=threads,
        resume=resume,
        fail_fast=fail_fast,
        plugins=plugins,
        overrides=overrides,
        told=told,
        begun=begun,
    )


def resume_sweep(
    sweep: str | Path, *, runs: str | Path = "runs", trials: int | None = None, **options: Any
) -> dict[str, Any]:
    """Go on with a sweep; returns its table.

    Parameters:
        sweep: path or name
        runs: folder of the runs
        trials: how many, in place of the file's
        options: workers, threads, fail_fast, plugins, told and begun of `sweep`
    """
    from dltrain.sweeps.folder import SweepFolder
    from dltrain.sweeps.leading import lead
    from dltrain.sweeps.settings import from_mapping

    load_plugins(options.get("plugins", ()))
    folder = SweepFolder.find(sweep, runs)
    if trials is not None:
        folder.extend(from_mapping({**folder.sweep().resolved, "trials": trials}))
    return lead(folder, **options)


def sweep_table(sweep: str | Path, *, runs: str | Path = "runs") -> dict[str, Any]:
    """The table of a sweep as it stands.

    Parameters:
        sweep: path or name
        runs: folder of the runs
    """
    from dltrain.sweeps.folder import SweepFolder
    from dltrain.sweeps.leading import table

    return table(SweepFolder.find(sweep, runs))


def best_of_sweep(
    sweep: str | Path, *, runs: str | Path = "runs", write: str | Path | None = None, force: bool = False
) -> dict[str, Any]:
    """The best trial of a sweep, its settings and its complete config.

    Parameters:
        sweep: path or name
        runs: folder of the runs
        write: a file for its config
        force: replace a file that is there already

    Raises:
        UsageError: when no trial is complete, or the file is there.
    """
    from dltrain.runs.files import atomic_write
    from dltrain.sweeps.folder import SweepFolder
    from dltrain.sweeps.leading import table

    folder = SweepFolder.find(sweep, runs)
    found = table(folder)
    best = found["best"]
    if best is None:
        hint = f"`dltrain sweep resume {folder.name}` goes on with it"
        raise UsageError("no trial is complete", where=folder.name, hint=hint)
    resolved = folder.experiment(best["settings"], {}).resolved
    if write is not None:
        if Path(write).exists() and not force:
            raise UsageError("this file is there already", where=str(write), hint="--force replaces it")
        atomic_write(write, configs.dump(resolved))
    return {"sweep": found["sweep"], "metric": found["metric"], **best, "config": resolved}


def report_of_sweep(sweep: str | Path, *, runs: str | Path = "runs", out: str | Path | None = None) -> dict[str, Any]:
    """How much each dimension of a sweep matters; writes pictures of its course and its dimensions.

    Parameters:
        sweep: path or name
        runs: folder of the runs
        out: folder of the pictures; default: `report` in that of the sweep
    """
    from dltrain.sweeps.folder import SweepFolder
    from dltrain.sweeps.reporting import report

    return report(SweepFolder.find(sweep, runs), None if out is None else Path(out))
