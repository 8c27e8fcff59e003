"""The decision of a run: thresholds and temperature, tuned after the training, in a file of the run's folder."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from dltrain.errors import CorruptFileError, UsageError
from dltrain.layers.base import Array
from dltrain.runs.files import read_json, remove_file
from dltrain.runs.folder import RunFolder
from dltrain.tasks.decision import Decision

if TYPE_CHECKING:
    from dltrain.tasks import Bound
    from dltrain.training.trained import Run

Judged = tuple["Bound", Array, Array]  # a head, its outputs (N, …) and the targets they are compared with


def take(folder: RunFolder, task: Any, step: int | list[int]) -> dict[str, Any] | None:
    """Let a task decide as was tuned for a checkpoint.

    Parameters:
        folder: of the run
        task: the bound task, or heads
        step: of the checkpoint; what was tuned for another one is left alone

    Returns: {head: {temperature, thresholds}}, or None where nothing was tuned.

    Raises:
        CorruptFileError: when the file is damaged, or does not fit the task.
    """
    if not folder.decision_path.is_file():
        return None
    found, where = read_json(folder.decision_path), str(folder.decision_path)
    heads = found.get("heads") if isinstance(found, dict) else None
    if not isinstance(heads, dict) or set(heads) - set(task.evaluated):
        raise CorruptFileError("this is no decision of the run", where=where, hint="remove it, and tune anew")
    if found.get("checkpoint") != step:
        return None
    for name, given in heads.items():
        bound = task.evaluated[name]
        bound.decision = checked(given, len(labels_of(bound)), where)
    return {name: as_json(task.evaluated[name].decision) for name in heads}


def checked(given: Any, labels: int, where: str) -> Decision:
    """The decision of a head, as it stands in the file.

    Raises:
        CorruptFileError: when a number is out of its range.
    """
    given = given if isinstance(given, dict) else {}
    temperature, thresholds = given.get("temperature", 0), given.get("thresholds", 0)
    numbers = [temperature, *thresholds] if isinstance(thresholds, list) else [0]
    real = all(isinstance(number, (int, float)) and math.isfinite(number) and number > 0 for number in numbers)
    if not real or any(share >= 1 for share in thresholds) or len(thresholds) not in (0, labels):
        expected = f"a temperature above 0, and no threshold or {labels}, from 0 to 1"
        raise CorruptFileError("this is no decision of the run", where=where, expected=expected)
    return Decision(float(temperature), tuple(map(float, thresholds)))


def labels_of(bound: Bound) -> list[str]:
    """What a head says yes or no to: the second of two classes, or each label; of other tasks nothing."""
    data, needs = bound.data, bound.task.needs
    return {"binary": lambda: [str((data.classes or ["no", "yes"])[1])], "labels": lambda: list(data.target_names)}.get(
        needs, list
    )()


def as_json(decision: Decision) -> dict[str, Any]:
    """A decision as plain data."""
    return {"temperature": decision.temperature, "thresholds": list(decision.thresholds)}


def keep(run: Run, decisions: Mapping[str, Decision]) -> None:
    """Let a run decide so from now on, with this checkpoint.

    Parameters:
        run: loaded with one checkpoint
        decisions: {head: its decision}; heads that are not named keep theirs

    Raises:
        StorageError: when the system refuses, or another process trains in the run.
    """
    for name, decision in decisions.items():
        run.session.task.evaluated[name].decision = decision
    heads = {name: bound.decision for name, bound in run.session.task.evaluated.items()}
    tuned = {name: as_json(decision) for name, decision in heads.items() if decision != Decision()}
    with run.folder.lock():
        run.folder.write(run.folder.decision_path, {"checkpoint": run.step, "heads": tuned})
    run.decision = tuned


def judged(run: Run, part: str) -> dict[str, Judged]:
    """{head: (head, outputs, targets)} of a part, without samples whose label is ignored.

    Raises:
        UsageError: when the run has no such part.
    """
    task, loader, evaluator = run.session.task, run.loader(part), run.session.evaluator()
    tally = task.tally()
    rows: dict[str, list[tuple[Array, Array]]] = {name: [] for name in task.evaluated}
    for index in range(loader.steps_per_epoch):
        batch = loader.batch(0, index)
        outputs = evaluator.take(batch, index, tally)
        for name, bound in task.evaluated.items():
            scores, targets = bound.judged(outputs[bound.wire], task.part(name, batch))
            rows[name].append((scores.copy(), targets.copy()))
    return {
        name: (task.evaluated[name], np.concatenate([y for y, _ in some]), np.concatenate([t for _, t in some]))
        for name, some in rows.items()
    }


def single(run: Run, what: str) -> None:
    """Refuse to tune the mean of several checkpoints, which has no step.

    Raises:
        UsageError: saying so.
    """
    if not isinstance(run.step, int):
        raise UsageError(f"{what} belong to one checkpoint", where=run.folder.name, expected="best, last or a step")


def with_temperature(decision: Decision, factor: float) -> Decision:
    """A decision whose temperature is so many times higher, and which still decides the same.

    Example:
        >>> with_temperature(Decision(1.0, (0.8,)), 2.0)
        Decision(temperature=2.0, thresholds=(0.6666666666666666,))
    """
    cut = decision.cut / factor if decision.thresholds else np.array([])
    shares = tuple(float(share) for share in 1 / (1 + np.exp(-cut)))
    return replace(decision, temperature=decision.temperature * factor, thresholds=shares)


def forget(folder: RunFolder) -> dict[str, Any]:
    """Remove what was tuned; returns {run, file, removed}.

    Raises:
        StorageError: when the system refuses, or another process trains in the run.
    """
    there = folder.decision_path.is_file()
    with folder.lock():
        if there:
            remove_file(folder.decision_path)
    return {"run": str(folder.path), "file": str(folder.decision_path), "removed": there}
