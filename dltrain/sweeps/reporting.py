"""What a sweep has taught: how much each dimension matters, and pictures of its course and of each dimension."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dltrain.errors import UsageError
from dltrain.report.svg import scatter_chart
from dltrain.runs import files
from dltrain.runs.naming import safe_name
from dltrain.sweeps.folder import SweepFolder
from dltrain.sweeps.space import Space
from dltrain.sweeps.trials import COMPLETE, Trial
from dltrain.training.goal import merit

FEWEST = 8  # complete trials, below which nothing is said of importance
TREES = 200
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


def dimension(space: Space, path: str, complete: list[Trial], metric: str) -> str:
    """The value of the trials over one dimension, as SVG.

    The axis is the dimension's own scale, 0 to 1 from its lowest to its highest value.
    """
    made = space.dimensions[path]
    there = [trial for trial in complete if path in trial.point]
    groups = {"trial": ([trial.point[path] for trial in there], [float(trial.value or 0.0) for trial in there])}
    ends = f"from {made.value(0.0)} to {made.value(1.0)}"
    return scatter_chart(path, ends, metric, groups)
