"""A sweep that several machines share: put into a storage by one of them, and joined by the others."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dltrain.sweeps.folder import SweepFolder, is_sweep
from dltrain.sweeps.settings import Sweep, from_mapping

if TYPE_CHECKING:
    from dltrain.config.experiment import Experiment
    from dltrain.training.goal import Goal


def is_url(text: str) -> bool:
    """Whether a text is the URL of a storage.

    Example:
        >>> is_url("postgresql+psycopg://host/sweeps"), is_url("runs/rate-1")
        (True, False)
    """
    return "://" in text


def publish(
    url: str, sweep: Sweep, experiment: Experiment, goal: Goal, objectives: Mapping[str, bool]
) -> dict[str, str]:
    """Put a sweep into a storage; returns what its folder keeps of that.

    Raises:
        UsageError: when there is one of its name, or the URL holds a password.
        StorageError: when the storage cannot be reached.
    """
    from dltrain.sweeps.storage import Storage, refuse_password

    refuse_password(url)
    judge = {"metric": goal.metric, "higher": goal.higher, "objectives": dict(objectives)}
    Storage.create(url, sweep.name, {"sweep": sweep.resolved, "config": experiment.resolved, "judge": judge})
    return {"url": url, "name": sweep.name}


def joined(url: str, runs: str | Path) -> SweepFolder:
    """The folder of a shared sweep on this machine; made where there is none yet.

    Parameters:
        url: of the storage, and #NAME of the sweep; default: the newest
        runs: folder of the runs

    Raises:
        UsageError: when the storage has no such sweep, or the URL holds a password.
        StorageError: when it cannot be reached.
    """
    from dltrain.config import from_mapping as experiment_of
    from dltrain.runs.folder import names
    from dltrain.sweeps.storage import Storage, refuse_password
    from dltrain.training.goal import Goal

    refuse_password(url)
    place, _, name = url.partition("#")
    storage = Storage(place, name or None)
    shared = {"url": place, "name": storage.name}
    for known in names(Path(runs)):
        if is_sweep(Path(runs, known)):
            folder = SweepFolder.open(Path(runs, known))
            if folder.marker().get("storage") == shared:
                return folder
    content: dict[str, Any] = storage.content()
    judge = content["judge"]
    goal = Goal(judge["metric"], judge["higher"])
    experiment = experiment_of(content["config"])
    return SweepFolder.create(runs, from_mapping(content["sweep"]), experiment, goal, judge["objectives"], shared)
