"""Many trials of a config."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dltrain import config as configs
from dltrain.config.plugins import load_plugins
from dltrain.errors import UsageError

if TYPE_CHECKING:
    pass


def sweep(
    given: str | Path | Mapping[str, Any],
    *,
    runs: str | Path = "runs",
    workers: int = 1,
    threads: int | None = None,
    resume: bool = False,
    fail_fast: bool = False,
    storage: str | None = None,
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
        storage: URL of a storage that other machines see too, in place of the journal in the folder
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
        storage=storage,
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
        folder.extend(from_mapping({**folder.sweep().resolved, "trials": trials}), folder.experiment({}, {}))
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
    sweep: str | Path,
    *,
    runs: str | Path = "runs",
    trial: int | None = None,
    write: str | Path | None = None,
    force: bool = False,
) -> dict[str, Any]:
    """The best trial of a sweep, or another one; its settings and its complete config.

    Parameters:
        sweep: path or name
        runs: folder of the runs
        trial: number of another complete trial, such as one of the Pareto front
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
    complete = {row["trial"]: row for row in found["trials"] if row["state"] == "complete"}
    best = found["best"] if trial is None else complete.get(trial)
    if best is None and complete:
        expected = f"one of {', '.join(map(str, complete))}"
        raise UsageError(
            "there is no complete trial of this number", where="--trial", expected=expected, got=str(trial)
        )
    if best is None:
        hint = f"`dltrain sweep resume {folder.name}` goes on with it"
        raise UsageError("no trial is complete", where=folder.name, hint=hint)
    resolved = folder.experiment(best["settings"], {}).resolved
    if write is not None:
        if Path(write).exists() and not force:
            raise UsageError("this file is there already", where=str(write), hint="--force replaces it")
        atomic_write(write, configs.dump(resolved))
    told = {key: found[key] for key in ("sweep", "metric", "front")}
    return {**told, **best, "config": resolved}


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
