"""What a sweep has taught: how much each dimension matters, and pictures of its course and of each dimension."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from dltrain.config.yaml_writer import flow
from dltrain.errors import UsageError
from dltrain.report.parallel import Axis, Line, parallel_chart
from dltrain.report.svg import scatter_chart
from dltrain.runs import files
from dltrain.runs.naming import safe_name
from dltrain.sweeps.dimensions import Dimension, level
from dltrain.sweeps.folder import SweepFolder
from dltrain.sweeps.space import Space
from dltrain.sweeps.trials import COMPLETE, Trial, Trials
from dltrain.training.goal import merit

FEWEST = 8  # complete trials, below which nothing is said of importance
TREES = 200
MOST_LINES = 250  # of parallel coordinates
NOT_THERE = -1.0  # place of a dimension that does not count at a point


def report(folder: SweepFolder, out: Path | None = None) -> dict[str, Any]:
    """The importance of the dimensions, and figures as SVG files.

    Parameters:
        folder: of the sweep
        out: folder of the figures; default: `report` in that of the sweep

    Returns: ``{sweep, importance: {path: share}, folder, files}``; no importance where fewer than eight trials are
        complete.

    Raises:
        UsageError: when no trial is complete.
        StorageError: when the figures cannot be written.
    """
    trials, sweep, metric = folder.trials(), folder.sweep(), str(folder.marker()["metric"])
    complete = [trial for trial in trials if trial.state == COMPLETE and trial.value is not None]
    if not complete:
        hint = f"`dltrain sweep resume {folder.name}` goes on with it"
        raise UsageError("no trial is complete", where=folder.name, hint=hint)
    figures = {"history": history(complete, trials.higher, metric)}
    figures["parallel"] = parallel(sweep.space, trials, metric)
    if trials.objectives:
        figures["front"] = front(trials)
    figures |= {safe_name(path): dimension(sweep.space, path, complete, metric) for path in sweep.space.dimensions}
    place = (folder.path / "report" if out is None else out).absolute()
    files.make_folders(place)
    for name, text in figures.items():
        files.atomic_write(place / f"{name}.svg", text)
    names = [f"{name}.svg" for name in figures]
    found = importance(sweep.space, complete, trials.higher)
    return {"sweep": str(folder.path), "importance": found, "folder": str(place), "files": names}


def importance(space: Space, complete: list[Trial], higher: bool) -> dict[str, float]:
    """The share of each dimension in what makes trials better or worse, largest first; together 1.

    A forest learns the rank of a trial from its point; a dimension matters as much as the forest errs more when its
    values are exchanged between the trials.  Ranks, so that a few very bad trials do not hide the rest.

    Parameters:
        space: the dimensions
        complete: trials that were trained to the end
        higher: whether a larger value is the better one

    Source: Breiman: Random forests, 2001.
    """
    if len(complete) < FEWEST:
        return {}
    import numpy as np
    from sklearn.ensemble import RandomForestRegressor
    from sklearn.inspection import permutation_importance

    paths = list(space.dimensions)
    points = np.array([[trial.point.get(path, NOT_THERE) for path in paths] for trial in complete])
    order = sorted(complete, key=lambda trial: merit(trial.violation, trial.value, higher))
    ranks = np.array([order.index(trial) for trial in complete], float)
    forest = RandomForestRegressor(TREES, random_state=0).fit(points, ranks)
    found = permutation_importance(forest, points, ranks, n_repeats=20, random_state=0).importances_mean.clip(0)
    shares = {path: float(value / (found.sum() or 1.0)) for path, value in zip(paths, found, strict=True)}
    return dict(sorted(shares.items(), key=lambda item: -item[1]))


def history(complete: list[Trial], higher: bool, metric: str) -> str:
    """The values of the trials in their order, and the best so far, as SVG."""
    numbers = [float(trial.number) for trial in complete]
    values = [float(trial.value or 0.0) for trial in complete]
    best = [(max if higher else min)(values[: index + 1]) for index in range(len(values))]
    groups = {"trial": (numbers, values), "best so far": (numbers, best)}
    return scatter_chart("the course of the sweep", "trial", metric, groups)


def parallel(space: Space, trials: Trials, metric: str) -> str:
    """The best complete trials, at most 250, as lines over the dimensions and the objectives, as SVG.

    The better a trial, the stronger its line; the best one, or the Pareto front, has a colour of its own.
    """
    ranked, metrics = trials.ranked()[:MOST_LINES], list(trials.objectives) or [metric]
    marked = {trial.number for trial in trials.front() or ranked[:1]}
    axes = [Axis(path.rpartition(".")[2], marks(made)) for path, made in space.dimensions.items()]
    columns = []
    for position, name in enumerate(metrics):
        values = [trials.results(trial)[position] for trial in ranked]
        known = [value for value in values if value is not None]
        low, high = min(known), max(known)
        ends = {0.0: f"{low:.4g}", 1.0: f"{high:.4g}"} if high > low else {0.5: f"{low:.4g}"}
        axes.append(Axis(name.partition(".")[2] or name, ends))
        columns.append([None if v is None else (v - low) / (high - low) if high > low else 0.5 for v in values])
    lines = []
    for number, trial in enumerate(ranked):
        places = [place(made, trial.point.get(path)) for path, made in space.dimensions.items()]
        places += [column[number] for column in columns]
        strength = 1 - number / len(ranked)
        lines.append(Line(places, f"trial {trial.number}", strength, trial.number in marked))
    return parallel_chart("the trials over all dimensions", axes, lines)


def place(dimension: Dimension, unit: float | None) -> float | None:
    """Where a trial lies on the axis of a dimension; all with the same choice in its middle."""
    if unit is None or dimension.ordered:
        return unit
    levels = dimension.levels or 1
    return (level(unit, levels) + 0.5) / levels


def marks(dimension: Dimension) -> dict[float, str]:
    """What stands beside the axis of a dimension: its ends, or all values of a choice."""
    if dimension.ordered:
        return {0.0: flow(dimension.value(0.0)), 1.0: flow(dimension.value(1.0))}
    places = [(index + 0.5) / (dimension.levels or 1) for index in range(dimension.levels or 1)]
    return {unit: flow(dimension.value(unit)) for unit in places}


def front(trials: Trials, said: Callable[[Trial], str] | None = None) -> str:
    """The trials over the first two objectives, and those of the Pareto front, as SVG.

    Parameters:
        trials: of a sweep with several objectives
        said: what the pointer is told of a trial; left out, it is told nothing
    """
    first, second = list(trials.objectives)[:2]
    best = trials.front()
    chosen = {trial.number for trial in best}
    groups = {"others": [t for t in trials.ranked() if t.number not in chosen], "Pareto front": best}
    places = {
        name: ([t.objectives[first] for t in group], [t.objectives[second] for t in group])
        for name, group in groups.items()
    }
    told = {name: [said(trial) for trial in group] for name, group in groups.items()} if said else None
    return scatter_chart("the Pareto front", first, second, places, told)


def dimension(space: Space, path: str, complete: list[Trial], metric: str) -> str:
    """The value of the trials over one dimension, as SVG.

    The axis is the dimension's own scale, 0 to 1 from its lowest to its highest value.
    """
    made = space.dimensions[path]
    there = [trial for trial in complete if path in trial.point]
    groups = {"trial": ([trial.point[path] for trial in there], [float(trial.value or 0.0) for trial in there])}
    ends = f"from {made.value(0.0)} to {made.value(1.0)}"
    return scatter_chart(path, ends, metric, groups)
