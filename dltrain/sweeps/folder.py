"""The folder of a sweep: what it is, what happened, and the runs of its trials.

`<root>/<name>-<number>/` holds `sweep.yaml` and `config.yaml` (both complete), `journal.jsonl`, `environment.json`,
`trials/` with a run folder for every trial and seed, and `leases/` with the locks of those who work on them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dltrain.config.yaml_writer import dump
from dltrain.errors import CorruptFileError, UsageError
from dltrain.runs import files
from dltrain.runs.environment import environment, version
from dltrain.runs.folder import RunFolder
from dltrain.runs.listing import differences
from dltrain.runs.lock import RunLock
from dltrain.runs.naming import names, next_folder, safe_name, split_name
from dltrain.sweeps.journal import Journal
from dltrain.sweeps.settings import ENDLESS, Sweep, read
from dltrain.sweeps.trials import Trials

if TYPE_CHECKING:
    from dltrain.config.experiment import Experiment
    from dltrain.sweeps.shared import SharedJournal
    from dltrain.training.goal import Goal

FORMAT = 1
MARKER = ".dltrain-sweep.json"
PACKAGES = ("optuna", "cmaes", "scipy")


@dataclass(frozen=True)
class SweepFolder:
    """One sweep's folder.

    Parameters:
        path: the folder
    """

    path: Path

    @staticmethod
    def create(
        root: str | Path,
        sweep: Sweep,
        experiment: Experiment,
        goal: Goal,
        objectives: Mapping[str, bool] | None = None,
        storage: Mapping[str, str] | None = None,
    ) -> SweepFolder:
        """Make the next folder of a sweep's name; the marker that makes it a sweep is written last.

        Parameters:
            root: folder of all runs; made when it is not there
            sweep: the sweep
            experiment: its config, with the changes that all trials share
            goal: what says which trial is the best
            objectives: where there are several, {metric: whether larger values are better}
            storage: where the journal is shared with other machines: its `url`, and the `name` in it

        Raises:
            StorageError: when the system refuses.
        """
        from dltrain.training.trained import store_experiment

        made = SweepFolder(next_folder(root, sweep.name))
        for folder in (made.trials_path, made.leases_path):
            files.make_folder(folder)
        store_experiment(made.base, experiment)
        files.atomic_write(made.sweep_path, dump(sweep.resolved))
        found = environment()
        found["packages"] |= {name: version(name) for name in PACKAGES}
        files.write_json(made.path / "environment.json", found)
        marker = {"format": FORMAT, "metric": goal.metric, "higher": goal.higher, "objectives": dict(objectives or {})}
        files.write_json(made.path / MARKER, marker | ({"storage": dict(storage)} if storage else {}))
        return made

    @staticmethod
    def open(path: str | Path) -> SweepFolder:
        """The sweep at a path.

        Raises:
            UsageError: when it is none.
            CorruptFileError: when it is one of a later version of dltrain.
        """
        path = Path(path).absolute()
        if not is_sweep(path):
            raise UsageError("this is not the folder of a sweep", where=str(path))
        marker = files.read_json(path / MARKER, limit=4096)
        if not isinstance(marker, dict) or marker.get("format") != FORMAT or type(marker.get("higher")) is not bool:
            expected = f"format {FORMAT}"
            raise CorruptFileError("the sweep has another format", where=str(path), expected=expected, got=str(marker))
        return SweepFolder(path)

    @staticmethod
    def find(name_or_path: str | Path, root: str | Path = "runs") -> SweepFolder:
        """The sweep a user means: a path, a folder's name, or a sweep's name (its newest).

        Raises:
            UsageError: when there is none.
        """
        text, root = str(name_or_path), Path(root)
        if is_sweep(Path(text)):
            return SweepFolder.open(text)
        known = [name for name in names(root) if is_sweep(root / name)]
        same = [name for name in known if text in (name, split_name(name)[0])]
        if same:
            return SweepFolder.open(root / max(same, key=lambda name: (name == text, split_name(name))))
        hint = f"there are {', '.join(known)}" if known else "`dltrain sweep SWEEP.yaml` makes one"
        expected = f"the folder of a sweep, or the name of one in {root}"
        raise UsageError("there is no such sweep", where=text, expected=expected, hint=hint)

    @staticmethod
    def newest(root: str | Path, name: str) -> SweepFolder | None:
        """The sweep of exactly this name with the highest number; None when there is none."""
        root, name = Path(root), safe_name(name)
        same = [folder for folder in names(root) if split_name(folder)[0] == name and is_sweep(root / folder)]
        return SweepFolder.open(root / max(same, key=split_name)) if same else None

    @property
    def name(self) -> str:
        """Name and number."""
        return self.path.name

    @property
    def sweep_path(self) -> Path:
        """The complete file of the sweep."""
        return self.path / "sweep.yaml"

    @property
    def trials_path(self) -> Path:
        """Folder of the trials' runs."""
        return self.path / "trials"

    @property
    def leases_path(self) -> Path:
        """Folder of the trials' locks."""
        return self.path / "leases"

    @property
    def base(self) -> RunFolder:
        """The config that is varied, as a run stores it."""
        return RunFolder(self.path)

    def marker(self) -> dict[str, Any]:
        """`metric`, whether `higher` values of it are better, and the `objectives` where there are several."""
        return dict(files.read_json(self.path / MARKER, limit=4096))

    def sweep(self) -> Sweep:
        """The sweep as it was started."""
        return read(self.sweep_path)

    def journal(self) -> Journal | SharedJournal:
        """What happened: in this folder, or in a storage that is shared with other machines."""
        storage = self.marker().get("storage")
        if storage is None:
            return Journal(self.path / "journal.jsonl", self.path / ".journal.lock", self.leases_path)
        from dltrain.sweeps.shared import SharedJournal
        from dltrain.sweeps.storage import Storage

        return SharedJournal(Storage(storage["url"], storage["name"]))

    def no_trials(self) -> Trials:
        """The table of the trials before the journal was read."""
        marker = self.marker()
        return Trials(marker["higher"], marker.get("objectives"))

    def trials(self) -> Trials:
        """All trials so far.

        Raises:
            CorruptFileError: when the journal is damaged.
        """
        trials = self.no_trials()
        for record in self.journal().read():
            trials.see(record)
        return trials

    def lock(self) -> RunLock:
        """The lock of whoever leads the sweep."""
        return RunLock(self.path)

    def run_path(self, trial: int, run: int) -> Path:
        """Folder of a trial's run.

        Parameters:
            trial: its number
            run: of the trial, one for each seed, from 1
        """
        return self.trials_path / f"trial-{trial:04d}-{run}"

    def experiment(self, settings: dict[str, Any], extra: dict[str, Any]) -> Experiment:
        """The config with some settings, by path."""
        from dltrain.training.trained import stored_experiment

        return stored_experiment(self.base, {**settings, **extra})

    def check_config(self, wanted: Experiment) -> None:
        """Refuse to go on with another config than that of the sweep.

        Raises:
            UsageError: with the paths of the values that differ.
        """
        changed = [row["path"] for row in differences(self.experiment({}, {}).resolved, wanted.resolved)]
        if changed:
            what = f"the config was changed since the sweep was started: {', '.join(changed)}"
            hint = "leave --resume out to start a new sweep; `dltrain sweep resume` goes on with the old config"
            raise UsageError(what, where=self.name, hint=hint)

    def check_storage(self, url: str) -> None:
        """Refuse to go on with another storage than that of the sweep: nobody would see its trials there.

        Raises:
            UsageError: when it is another one, or there is none.
        """
        from dltrain.sweeps.storage import shown

        known = (self.marker().get("storage") or {}).get("url")
        if known != url:
            what, expected = "the sweep was started without this storage", shown(known) if known else "no --storage"
            hint = "leave --storage out to go on as it was started, or --resume to begin a new sweep in the storage"
            raise UsageError(what, where=self.name, expected=expected, got=shown(url), hint=hint)

    def extend(self, sweep: Sweep, experiment: Experiment) -> None:
        """Go on with the trials and the time of another file of the same sweep.

        Parameters:
            sweep: the file
            experiment: the config that it varies

        Raises:
            UsageError: when anything else differs, with all differences, in the file or in the config.
        """
        stored = self.sweep().resolved
        changed = [row for row in differences(stored, sweep.resolved) if row["path"] not in ENDLESS]
        if changed:
            lines = [
                f"  {row['path']}: {row.get('first', 'nothing')} → {row.get('second', 'nothing')}" for row in changed
            ]
            hint = "take the old values, or leave --resume out to start a new sweep"
            what = "\n".join(["the sweep was started with another file, old → new:", *lines, ""])
            raise UsageError(what, where=self.name, hint=hint)
        self.check_config(experiment)
        if stored != sweep.resolved:
            files.atomic_write(self.sweep_path, dump(sweep.resolved))


def is_sweep(path: Path) -> bool:
    """Whether a path is the folder of a sweep itself, not a link to one."""
    return path.is_dir() and not path.is_symlink() and files.is_regular(path / MARKER)
