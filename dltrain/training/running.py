"""A run from its folder to its summary: everything set up, trained, and written down."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from dltrain.errors import CorruptFileError, UsageError
from dltrain.runs.environment import environment
from dltrain.runs.files import read_json
from dltrain.runs.listing import differences
from dltrain.runs.signals import Interruption
from dltrain.training import checkpoint
from dltrain.training.journal import Journal
from dltrain.training.prepared import Prepared
from dltrain.training.progress import Progress, SilentProgress
from dltrain.training.session import prepare
from dltrain.training.state import weights_of
from dltrain.training.trained import checkpoint_path, store_experiment

if TYPE_CHECKING:
    from dltrain.config.experiment import Experiment
    from dltrain.runs.folder import RunFolder

INITIAL = "initial_weights.json"


def begin(run: RunFolder, experiment: Experiment) -> None:
    """Write the files a run begins with."""
    store_experiment(run, experiment)
    run.write(run.environment_path, environment())


def check_same(stored: Experiment, wanted: Experiment, run: RunFolder) -> None:
    """Refuse to go on with a run by another config; how long to train may differ.

    Raises:
        UsageError: with the first values that differ.
    """
    free = ("train.epochs", "train.steps", "train.time", "data.workers")  # how long, and by how many
    different = [row for row in differences(stored.resolved, wanted.resolved) if row["path"] not in free]
    if different:
        raise UsageError(
            f"the run was started with another config: {different[0]['path']}",
            where=str(run.path),
            expected=repr(different[0].get("first", "nothing")),
            got=repr(different[0].get("second", "nothing")),
            hint="take its value, or leave --resume out to start a new run",
        )


def train(
    run: RunFolder,
    experiment: Experiment,
    progress: Progress | None = None,
    *,
    store: bool = False,
    until: int | None = None,
) -> dict[str, Any]:
    """Train in a run folder, from its newest checkpoint if there is one, and write the summary.

    Parameters:
        run: the folder; locked while this process trains in it
        experiment: what to train
        progress: shows what happens
        store: write the experiment's config into the folder (one that differs in how long to train)
        until: finished epochs after which to save and leave, as after a signal; the schedules know nothing of it

    Raises:
        StorageError: when another process holds the folder; nothing in it is changed then.
        Stopped: when a signal came while the data were read or the kernels compiled.
    """
    progress = progress or SilentProgress()
    started = time.monotonic()
    stop = Interruption(lambda signal: progress.message("stopping after this step; once more to stop at once"))
    with stop, run.lock():
        if store:
            store_experiment(run, experiment)
        with stop.at_once():
            session = prepare(experiment)
        journal = Journal(
            run,
            keep=experiment.train.keep,
            fixed=fixed_parts(session),
            interrupted=lambda: bool(stop) or (until is not None and trainer.epoch >= until),
            at_once=stop.at_once,
            message=progress.message,
        )
        for note in session.data.notes():
            progress.message(note)
        trainer = session.trainer(journal, progress)
        resumed = journal.restore(trainer)
        with stop.at_once():
            if not resumed:
                begin_weights(session, run, progress)
            if said := session.reuse_features(trainer):
                progress.message(said)
        begun, earlier = (trainer.step, trainer.settled), seconds_before(run, trainer)
        try:
            reason = trainer.run()
        finally:
            journal.close()
        summary = {
            "run": str(run.path),
            "name": run.name,
            "epochs": trainer.epoch,
            "steps": trainer.step,
            "seconds": earlier,
            "stopped": reason,
            "metrics": trainer.measured() if reason != "signal" else trainer.metrics,
            "best": trainer.best,
        }
        if (trainer.step, trainer.settled) != begun or not earlier:
            summary["seconds"] = round(earlier + time.monotonic() - started, 3)
        if reason != "signal":
            summary["test"] = evaluate_best(session, run, journal.interrupted)
        run.write(run.summary_path, summary)
        progress.finish(summary)
    cut = reason == "signal" or summary["test"] is None  # a run that was whole before the signal has succeeded
    shape = session.data.shape
    summary["pictures"] = reason != "fitted" and len(shape) == 3 and shape[2] in (1, 3)
    summary["exit_code"] = stop.exit_code if cut else 0
    return summary


def begin_weights(session: Prepared, run: RunFolder, progress: Progress) -> None:
    """Give a new run the weights that its config begins with, and write down what became of them."""
    report = session.begin(run.path.parent)
    if report is not None:
        run.write(run.path / INITIAL, asdict(report))
        progress.message(report.line())


def seconds_before(run: RunFolder, trainer: Any) -> float:
    """Seconds that earlier processes have spent on this run: by its summary, or its checkpoint where that is newer."""
    try:
        summary = read_json(run.summary_path) if run.summary_path.is_file() else {}
    except CorruptFileError:  # it is written anew at the end
        summary = {}
    told = summary.get("seconds") if isinstance(summary, dict) else None
    return round(max(float(told) if isinstance(told, (int, float)) else 0.0, trainer.seconds), 3)


def evaluate_best(session: Prepared, run: RunFolder, interrupted: Callable[[], bool]) -> dict[str, float] | None:
    """Metrics of the best weights over the test part; None when there is none, or a signal came."""
    loader = session.loader("test")
    if loader is None:
        return None
    arrays, _ = checkpoint.load(checkpoint_path(run, "best"))
    session.graph.load_state(weights_of(arrays))
    tally = session.evaluator(interrupted).run(loader)
    return None if tally is None else tally.results()


def fixed_parts(session: Prepared) -> tuple[dict[str, Any], dict[str, Any]]:
    """What every checkpoint of a run holds beside the trainer's state."""
    data = session.data
    arrays = {f"data/{name}": constant for name, constant in data.constants.items()}
    meta = {
        "config": session.experiment.resolved,
        "data": data.info(),
        "environment": environment(),
    }
    return arrays, meta
