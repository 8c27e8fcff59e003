"""What is made of the outputs of a trained run: thresholds, and probabilities that can be trusted."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dltrain.config.plugins import load_plugins
from dltrain.runs.folder import RunFolder
from dltrain.training.trained import load_run


def threshold(
    run: str | Path,
    *,
    objective: str = "f1",
    false_positive: float = 1.0,
    false_negative: float = 1.0,
    reset: bool = False,
    checkpoint: str | int = "best",
    runs: str | Path = "runs",
    plugins: Sequence[str | Path] = (),
) -> dict[str, Any]:
    """Tune the probability from which on a run says yes, on its validation part; evaluate and predict then use it.

    Parameters:
        run: path or name of a run that says yes or no: binary, or of each of many labels
        objective: f1, accuracy or cost
        false_positive: with cost, what a wrong yes costs
        false_negative: with cost, what a missed one costs
        reset: go back to one half, and to the probabilities of the training
        checkpoint: best, last or a step
        runs: folder of the run folders
        plugins: Python files that register further things

    Returns:
        See `training.thresholds.tune`.
    """
    from dltrain.training.decisions import forget
    from dltrain.training.thresholds import tune

    load_plugins(plugins)
    if reset:
        return forget(RunFolder.find(run, runs))
    return tune(load_run(run, runs=runs, checkpoint=checkpoint), objective, false_positive, false_negative)


def calibrate(
    run: str | Path,
    *,
    checkpoint: str | int = "best",
    runs: str | Path = "runs",
    plugins: Sequence[str | Path] = (),
) -> dict[str, Any]:
    """Fit a temperature on the validation part, by which probabilities say how often they are right; then it is used.

    Parameters:
        run: path or name of a classifier's run
        checkpoint: best, last or a step
        runs: folder of the run folders
        plugins: Python files that register further things

    Returns:
        See `training.calibration.calibrate`.
    """
    from dltrain.training.calibration import calibrate as fit

    load_plugins(plugins)
    return fit(load_run(run, runs=runs, checkpoint=checkpoint))
