"""A config, or its data, before it is trained."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dltrain.config.plugins import load_plugins
from dltrain.errors import UsageError
from dltrain.model.summary import Summary
from dltrain.training.batch_preview import first_batch
from dltrain.training.journal import NoJournal
from dltrain.training.prepared import load_data
from dltrain.training.preview import schedules
from dltrain.training.progress import SilentProgress
from dltrain.training.session import Session, prepare

if TYPE_CHECKING:
    pass
from dltrain.api.given import Config, check_named, load_experiment
from dltrain.api.stepping import session_of


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
        sets: changes of the config; a run takes none
        runs: folder of the run folders
        samples: size of the batch
        plugins: Python files that register further things
        options: see `training.gradient_check.check_gradients`
    """
    from dltrain.training.gradient_check import check_gradients

    load_plugins(plugins)
    session = session_of(config_or_run, sets, runs)
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


def preview_batch(config: Config, *, sets: Sequence[str] = (), plugins: Sequence[str | Path] = ()) -> dict[str, Any]:
    """The first training batch of a config whose data are pictures, augmented, as the network sees it.

    Returns ``{pictures, labels, drawn, samples, shape, notes}``: at most 64 pictures, an array (n, H, W, C) of bytes,
    what each shows, and the masks, points and boxes in them.

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
