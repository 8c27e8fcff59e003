"""A sweep from its file to its table: started or resumed, led to its end, and told as plain data."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dltrain.config import from_mapping as experiment_of
from dltrain.config import load
from dltrain.config.compose import existing
from dltrain.config.experiment import Experiment
from dltrain.config.shipped import find_shipped
from dltrain.config.yaml_writer import flow
from dltrain.errors import ConfigError, Problem, UsageError
from dltrain.registry import create
from dltrain.runs.environment import threads as all_threads
from dltrain.runs.lock import holder
from dltrain.sweeps import joining
from dltrain.sweeps.dimensions import Dimension
from dltrain.sweeps.folder import SweepFolder
from dltrain.sweeps.settings import Sweep, fail, from_mapping, read
from dltrain.sweeps.team import Team
from dltrain.sweeps.trials import Trial, Trials

if TYPE_CHECKING:
    from dltrain.training.goal import Goal

Base = Callable[[Mapping[str, Any]], Experiment]  # the sweep's config with changes by path

MOST_TRIED = 50  # values of a choice that are tried on the config before the sweep begins


def start(
    given: str | Path | Mapping[str, Any],
    *,
    runs: str | Path = "runs",
    workers: int = 1,
    threads: int | None = None,
    resume: bool = False,
    fail_fast: bool = False,
    storage: str | None = None,
    plugins: Sequence[str | Path] = (),
    overrides: Mapping[str, Any] | None = None,
    told: Callable[[Trial, Trials], None] = lambda trial, trials: None,
    begun: Callable[[SweepFolder], None] = lambda folder: None,
) -> dict[str, Any]:
    """Begin a sweep, lead it to its end and return its table; see `api.sweep`.

    Raises:
        ConfigError: when the file is wrong, or the config refuses a value of its space.
        UsageError: when it was started before with other settings or without this storage, or the storage's URL holds
            a password.
    """
    sweep = read(given) if isinstance(given, (str, Path)) else from_mapping({**given, "config": "…"})
    if overrides:
        sweep = from_mapping({**sweep.resolved, **overrides})
    base = based(given, sweep)
    folder = SweepFolder.newest(runs, sweep.name) if resume else None
    if folder is not None:
        if storage is not None:
            folder.check_storage(storage)
        folder.extend(sweep, base({}))
    else:
        tried(sweep, base)
        experiment = base({})
        goal, objectives = judged(sweep, experiment)
        shared = None if storage is None else joining.publish(storage, sweep, experiment, goal, objectives)
        folder = SweepFolder.create(runs, sweep, experiment, goal, objectives, shared)
    return lead(folder, workers, threads, fail_fast, plugins, told, begun)


def lead(
    folder: SweepFolder,
    workers: int = 1,
    threads: int | None = None,
    fail_fast: bool = False,
    plugins: Sequence[str | Path] = (),
    told: Callable[[Trial, Trials], None] = lambda trial, trials: None,
    begun: Callable[[SweepFolder], None] = lambda folder: None,
) -> dict[str, Any]:
    """Go on with a sweep until it is over, and return its table with the exit code."""
    begun(folder)
    share = max(1, (threads or all_threads()) // workers)
    code = Team(folder, workers, share, fail_fast, plugins, told).run()
    return {**table(folder), "exit_code": code}


def based(given: str | Path | Mapping[str, Any], sweep: Sweep) -> Base:
    """The config of a sweep, as a function of further changes.

    Raises:
        UsageError: when there is no such config.
    """
    config: Any = given["config"] if isinstance(given, Mapping) else sweep.config
    if isinstance(config, Mapping):
        return lambda extra: experiment_of(config, extra={**sweep.set, **extra})
    folder = Path() if isinstance(given, Mapping) else Path(given).resolve().parent
    path = folder / config if isinstance(given, Mapping) else existing(folder, Path(config))  # type: ignore[arg-type]
    if path is None or not path.is_file() or not (isinstance(given, Mapping) or path.is_relative_to(folder)):
        path = find_shipped(str(config))
    if path is None:
        where = "sweep" if isinstance(given, Mapping) else str(given)
        expected = "a file below the sweep's folder, or the name of a config that comes with dltrain"
        hint = "`dltrain list configs` shows those that come with dltrain"
        raise UsageError(
            "there is no such config", where=f"{where}: config", expected=expected, got=str(config), hint=hint
        )
    return lambda extra: load(path, extra={**sweep.set, **extra})


def judged(sweep: Sweep, experiment: Experiment) -> tuple[Goal, dict[str, bool]]:
    """What says which trial is the best; and the objectives, where there are several: {metric: higher is better}.

    Raises:
        ConfigError: when an objective is not measured, or the sampler or the pruner asks for one alone.
    """
    from dltrain.training.session import prepare

    session = prepare(experiment, "reference")
    goal = session.goal(experiment.train.monitor)
    objectives, problems = {goal.metric: goal.higher}, []
    for place, metric in enumerate(sweep.objectives):
        try:
            objectives[metric] = session.goal(metric).higher
        except ConfigError as error:
            said = error.problems[0]
            problems.append(Problem(("objectives", place), said.what, said.expected, said.got))
    single = "prune" if sweep.prune is not None else "sampler" if create("sampler", sweep.sampler).one_objective else ""
    if len(objectives) > 1 and single:
        what = "this ranks trials by one metric, and the sweep has several objectives"
        problems.append(
            Problem((single,), what, hint="leave it out, or take random, grid, sobol or tpe as the sampler")
        )
    if problems:
        fail(problems, sweep.source)
    return goal, objectives if len(objectives) > 1 else {}


def tried(sweep: Sweep, base: Base) -> None:
    """Try the ends of every dimension, and the values of every choice, on the config.

    Raises:
        ConfigError: with what the config says of them.
    """
    experiment = base({})
    problems = []
    if sweep.prune is not None:
        wanted = (sweep.trials, experiment.train.epochs, experiment.train.steps, experiment.train.time)
        if None in wanted[:2] or wanted[2:] != (None, None) or experiment.baseline is not None:
            what = "pruning needs a count of trials, and a network that is trained for a count of epochs"
            problems.append(Problem(("prune",), what, hint="leave it out, or say `trials` and `train.epochs`"))
    for path, dimension in sweep.space.dimensions.items():
        for unit in ends(dimension):
            settings = {**leading_to(sweep, path), path: dimension.value(unit)}
            try:
                base(settings)
            except ConfigError as error:
                problem = error.problems[0]
                what = f"the config refuses {flow(dimension.value(unit))}: {problem.what}"
                problems.append(Problem(("space", path), what, problem.expected, problem.got, problem.hint))
                break
    if problems:
        fail(problems, sweep.source)


def ends(dimension: Dimension) -> list[float]:
    """The ends of [0, 1]; of a choice the middles of its values."""
    if dimension.ordered:
        return [0.0, 1.0]
    levels = dimension.levels or 1
    return [(index + 0.5) / levels for index in range(min(levels, MOST_TRIED))]


def leading_to(sweep: Sweep, path: str) -> dict[str, Any]:
    """Settings of other dimensions with which this one counts."""
    found: dict[str, Any] = {}
    for other, wanted in (sweep.space.dimensions[path].when or {}).items():
        found |= leading_to(sweep, other)
        found[other] = wanted[0] if isinstance(wanted, (list, tuple)) else wanted
    return found


def table(folder: SweepFolder) -> dict[str, Any]:
    """A sweep as plain data: its trials in order, and the best.

    Raises:
        CorruptFileError: when its journal is damaged.
    """
    trials, marker, sweep = folder.trials(), folder.marker(), folder.sweep()
    ranked = trials.ranked()
    counts = {
        state: sum(trial.state == state for trial in trials) for state in ("complete", "pruned", "failed", "running")
    }
    return {
        "sweep": str(folder.path),
        "name": folder.name,
        "metric": marker["metric"],
        "higher": marker["higher"],
        "sampler": sweep.sampler,
        "wanted": sweep.trials,
        "running": holder(folder.path) is not None,
        "seconds": round(trials.elapsed, 3),
        "counts": counts,
        "trials": [row(folder, trial, sweep.seeds) for trial in trials],
        "best": row(folder, ranked[0], sweep.seeds) if ranked else None,
        "objectives": trials.objectives,
        "front": [trial.number for trial in trials.front()],
        "rounds": {str(number): bounds for number, bounds in sorted(trials.rounds.items())},
    }


def row(folder: SweepFolder, trial: Trial, seeds: int) -> dict[str, Any]:
    """One trial as plain data."""
    return {
        "trial": trial.number,
        "state": trial.state,
        "value": trial.value,
        "deviation": trial.deviation,
        "values": trial.values,
        "violation": trial.violation,
        "objectives": trial.objectives,
        "settings": trial.settings,
        "round": trial.round,
        "seconds": round(trial.seconds, 3),
        "reason": trial.reason,
        "runs": [folder.run_path(trial.number, run).name for run in range(1, seeds + 1)],
    }
