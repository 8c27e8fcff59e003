"""The file of a sweep: read, checked, every problem at once with its place."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, NoReturn

from dltrain.config.check import check
from dltrain.config.interval import Interval
from dltrain.config.plain import node_of
from dltrain.config.provenance import Node, Origin, Provenance
from dltrain.config.sections import Duration, RunName
from dltrain.config.yaml_reader import read_file
from dltrain.errors import ConfigError, Problem
from dltrain.registry import Reference
from dltrain.sweeps.space import Space
from dltrain.types import NonNegativeInt, PositiveInt, Words

DEFAULT_TRIALS = 20
ENDLESS = {"trials", "time"}  # what may differ when a sweep is resumed

Dimensions = Annotated[
    dict[str, Annotated[Any, Reference("dimension")]], Words("a map {path of the config: dimension}")
]


class Sweep:
    """A sweep: a config, what is varied of it, and how long to look.

    A sweep ends with whichever of `trials`, `time` and the points of its sampler is over first.

    Parameters:
        config: the config whose settings are varied: a file below the sweep's folder, or one that comes with dltrain
        space: the dimensions, by the paths of the config that they set
        name: of the sweep, and of its folders; default: the file's name
        set: other changes of the config, by path
        sampler: what proposes the points
        prune: ends trials early that are behind others; default: none
        trials: how many points are tried; 20 where neither trials nor time is given and the sampler has no end
        time: how long new trials are begun, such as '10 minutes'
        objectives: metrics, such as validation.recall, of which none is to be given up for another; the one that says
            what is best of a run is always among them
        seeds: runs of each point, with the config's seed and the next ones; their mean counts
        seed: what the points are derived from
    """

    is_section = True

    def __init__(
        self,
        config: str,
        space: Dimensions,
        name: RunName = "sweep",
        set: Annotated[dict[str, Any], Words("a map {path of the config: value}")] = {},  # noqa: B006
        sampler: Annotated[Any, Reference("sampler")] = "random",
        prune: Annotated[Any, Reference("pruner")] | None = None,
        trials: PositiveInt | None = None,
        time: Duration | None = None,
        objectives: list[str] = [],  # noqa: B006
        seeds: PositiveInt = 1,
        seed: NonNegativeInt = 0,
    ) -> None:
        self.config, self.space, self.name, self.set = config, Space(space), name, dict(set)
        self.sampler, self.prune, self.seeds, self.seed = sampler, prune, seeds, seed
        self.objectives = list(objectives)
        self.source = Provenance()  # where it was written
        endless = trials is None and time is None and self.sampler_name != "grid"
        self.trials = DEFAULT_TRIALS if endless else trials
        self.seconds = None if time is None else Interval.parse(time).seconds
        self.resolved: dict[str, Any] = {
            "name": name,
            "config": config,
            "set": self.set,
            "space": dict(space),
            "sampler": sampler,
            "prune": prune,
            "trials": self.trials,
            "time": time,
            "objectives": self.objectives,
            "seeds": seeds,
            "seed": seed,
        }

    @property
    def sampler_name(self) -> str:
        """Name of the sampler."""
        return self.sampler if isinstance(self.sampler, str) else str(next(iter(self.sampler)))


def read(path: str | Path) -> Sweep:
    """Read and check the file of a sweep.

    Raises:
        ConfigError: with everything that is wrong with it, each with its place.
        UsageError: when there is no such file.
        StorageError: when it cannot be read.
    """
    document = read_file(Path(path), str(path))
    provenance = Provenance()
    provenance.add(document.name, document.lines)
    if document.flaws:
        raise ConfigError([problem for problem, _ in document.flaws], provenance.report(document.flaws))
    root = document.root or Node(None, Origin("file", document.name, 1, 1))
    return finish(root, provenance, Path(path).stem)


def from_mapping(mapping: Mapping[str, Any]) -> Sweep:
    """Check a sweep given as plain Python data.

    Raises:
        ConfigError: with everything that is wrong with it, by dotted path.
    """
    provenance = Provenance()
    flaws: list[tuple[Problem, Origin | None]] = []
    root = node_of(mapping, Origin("python", "sweep"), flaws)
    if flaws:
        raise ConfigError([problem for problem, _ in flaws], provenance.report(flaws))
    return finish(root, provenance, "sweep")


def finish(root: Node, provenance: Provenance, name: str) -> Sweep:
    """The checked sweep of a tree.

    Raises:
        ConfigError: with everything that is wrong with it.
    """
    provenance.written = {path: node.origin for path, node in root.walk()}
    plain = root.plain()
    problems = check(plain, Sweep)
    if not problems and not plain["space"]:
        problems.append(Problem(("space",), "there is nothing to vary", "at least one dimension"))
    if not problems:
        try:
            made = Sweep(**{"name": run_name(name), **plain})
            made.source = provenance
            return made
        except ConfigError as error:
            problems += [Problem(("space", *p.path), p.what, p.expected, p.got, p.hint) for p in error.problems]
    return fail(problems, provenance)


def run_name(stem: str) -> str:
    """A file's name as the name of a sweep.

    Example:
        >>> run_name("my sweep"), run_name("…")
        ('my-sweep', 'run')
    """
    from dltrain.runs.naming import safe_name

    return safe_name(stem)[:64].rstrip(".-") or "sweep"


def fail(problems: list[Problem], provenance: Provenance) -> NoReturn:
    """Raise problems with their places.

    Raises:
        ConfigError: always.
    """
    raise ConfigError(problems, provenance.report((problem, None) for problem in problems))
