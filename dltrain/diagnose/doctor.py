"""All rules over one experiment, and all diagnoses over one run."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from dltrain.diagnose.checkup import Checkup
from dltrain.diagnose.course import course_of
from dltrain.diagnose.rule import Verdict
from dltrain.errors import DltrainError
from dltrain.registry import entries

if TYPE_CHECKING:
    from dltrain.config.experiment import Experiment
    from dltrain.data import DataSet
    from dltrain.training.trained import Run


def examine(experiment: Experiment, tell: Callable[[str], None] = lambda text: None) -> dict[str, Any]:
    """Examine an experiment before its training: every rule, settings first, then trials.

    Parameters:
        experiment: the checked config
        tell: is told which rule is at work

    Returns:
        {passed, experiment, seconds, verdicts: [{rule, severity, what, advice, where, evidence, waived}]}; it passes
        when no fault is found that is not waived.

    Raises:
        UsageError: when it is one of a baseline.
    """
    started = time.monotonic()
    checkup, verdicts = Checkup(experiment), []
    for name, entry in entries("rule").items():
        tell(f"{name}: {entry.summary}")
        reason = experiment.waive.get(name)
        for verdict in verdicts_of(entry.make, checkup):
            waived = reason if verdict.severity in ("fault", "doubt") else None
            verdicts.append({"rule": name, **vars(verdict), "waived": waived})
    faults = [verdict for verdict in verdicts if verdict["severity"] == "fault" and verdict["waived"] is None]
    seconds = round(time.monotonic() - started, 3)
    return {"passed": not faults, "experiment": experiment.name, "seconds": seconds, "verdicts": verdicts}


def diagnosed(run: Run, last: Run, goal: float) -> dict[str, Any]:
    """What all diagnoses say of a run that is over.

    Parameters:
        run: the run, with the best weights
        last: the same, with the last weights
        goal: the error that the best can reach

    Returns:
        {run, goal, errors: {part: {error, samples}}, layers: [{path, …}], verdicts: [{rule, what, advice, …}]}
    """
    course = course_of(run, last, goal)
    errors = {part: {"error": found.error, "samples": found.samples} for part, found in course.errors.items()}
    found = [{"rule": name, **vars(v)} for name, entry in entries("diagnosis").items() for v in entry.make(course)]
    layers = [{**vars(one)} for one in (*course.health.activities, *course.health.pulls, *course.health.memories)]
    return {"run": str(run.folder.path), "goal": goal, "errors": errors, "layers": layers, "verdicts": found}


def linted(experiment: Experiment, data: DataSet, tell: Callable[[str], None] = lambda text: None) -> dict[str, Any]:
    """What all rules on data say.

    Parameters:
        experiment: whose `waive` silences rules
        data: read, divided and prepared
        tell: is told which rule is at work

    Returns:
        {passed, data, parts: {part: examples}, verdicts: [{rule, severity, what, advice, where, evidence, waived}]}
    """
    verdicts = []
    for name, entry in entries("lint").items():
        tell(f"{name}: {entry.summary}")
        verdicts += [{"rule": name, **vars(v), "waived": experiment.waive.get(name)} for v in entry.make(data)]
    faults = [verdict for verdict in verdicts if verdict["severity"] == "fault" and verdict["waived"] is None]
    parts = {part: len(examples) for part, examples in data.parts.items()}
    return {"passed": not faults, "data": data.description, "parts": parts, "verdicts": verdicts}


def verdicts_of(rule: Any, checkup: Checkup) -> list[Verdict]:
    """What a rule says; an error of the experiment that it meets is its verdict."""
    try:
        return list(rule(checkup))
    except DltrainError as error:
        return [Verdict("fault", error.what, error.hint, error.where)]
