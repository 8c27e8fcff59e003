"""A config that was read, put together and checked: what the rest of dltrain works from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path as FilePath
from typing import Any, NoReturn

from dltrain.config.compose import Flaws, compose
from dltrain.config.effects import verify
from dltrain.config.plain import node_of
from dltrain.config.provenance import Node, Origin, Path, Provenance, Refusal
from dltrain.config.resolve import Resolver
from dltrain.config.sections import NAME, Data, Train
from dltrain.config.settings import path_of, set_node, set_text
from dltrain.errors import ConfigError, CorruptFileError, Problem


class Experiment:
    """One experiment: data, model, and how to train it.

    Things named by the grammar (`task`, `optimizer` …) are plain data for `registry.create`, already checked.

    Parameters:
        config: the checked config as it was written
        source: where every value came from
        folder: where relative paths of data start
        name: its name where the config has none
    """

    def __init__(self, config: Mapping[str, Any], source: Provenance, folder: FilePath, name: str) -> None:
        resolver = Resolver(source.written)
        resolved = resolver.config(config, name)
        source.filled = resolver.filled
        self.source = source
        self.folder = folder
        self.data, self.train = Data(**resolved["data"]), Train(**resolved.get("train", {}))
        if "train" in resolved and resolved["train"]["epochs"] != self.train.epochs:
            resolved["train"]["epochs"] = self.train.epochs
        self.resolved: dict[str, Any] = resolved
        self.name: str = resolved["name"]
        self.seed: int = resolved["seed"]
        self.dtype: str = resolved["dtype"]
        self.task: Any = resolved["task"]
        self.model: dict[str, Any] = dict(config.get("model") or {})
        self.init_from: dict[str, Any] | None = resolved.get("init_from")
        self.baseline: Any = resolved.get("baseline")
        self.loss: Any = resolved["loss"]
        self.metrics: list[Any] | dict[str, Any] | None = resolved["metrics"]
        self.optimizer: Any = resolved.get("optimizer")
        self.regularize: list[Any] = resolved.get("regularize", [])
        self.constrain: list[Any] = resolved.get("constrain", [])
        self.average: Any = resolved.get("average")
        self.hooks: list[Any] = resolved.get("hooks", [])
        self.waive: dict[str, str] = resolved.get("waive", {})

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Experiment) and self.resolved == other.resolved

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Experiment({self.name!r})"

    def origin(self, path: Path | str) -> Origin:
        """Where the value at a path of the resolved config came from.

        Parameters:
            path: keys and list positions, or their dotted text
        """
        at = path_of(path) if isinstance(path, str) else tuple(path)
        return self.source.filled.get(at) or self.source.origin(at)

    def locate(self, problem: Problem) -> str:
        """A problem as text: file, line and column, the sentence, and the source line with a caret."""
        return self.source.located(problem)

    def fail(self, problems: Sequence[Problem]) -> NoReturn:
        """Raise problems that were found later, such as those of shapes, with their places in the config.

        Raises:
            ConfigError: always.
        """
        raise ConfigError(problems, self.source.report((problem, None) for problem in problems))


def load(path: str | FilePath, sets: Sequence[str] = (), extra: Mapping[str, Any] | None = None) -> Experiment:
    """Read and check a config file.

    Parameters:
        path: the YAML file
        sets: changes as on the command line, `train.epochs=3`
        extra: changes from other options: {dotted path: value}

    Raises:
        ConfigError: with everything that is wrong with the config.
        UsageError: when there is no such file, or a change is not `path=value`.
        StorageError: when the file cannot be read.
    """
    provenance, flaws = Provenance(), Flaws()
    file = FilePath(path)
    root = compose(file, str(path), provenance, flaws)
    return finish(root, sets, extra, provenance, flaws, file.resolve().parent, stem(file))


def from_mapping(
    mapping: Mapping[str, Any],
    where: str = "config",
    sets: Sequence[str] = (),
    extra: Mapping[str, Any] | None = None,
) -> Experiment:
    """Check a config given as plain Python data.

    Parameters:
        mapping: what a YAML file would hold
        where: how errors name it
        sets: changes as on the command line
        extra: changes by dotted path

    Raises:
        ConfigError: with everything that is wrong with the config, by dotted path.
    """
    provenance, flaws = Provenance(), Flaws()
    root = node_of(mapping, Origin("python", where), flaws)
    return finish(root, sets, extra, provenance, flaws, FilePath.cwd(), "experiment")


def finish(
    root: Node | None,
    sets: Sequence[str],
    extra: Mapping[str, Any] | None,
    provenance: Provenance,
    flaws: Flaws,
    folder: FilePath,
    name: str,
) -> Experiment:
    """Apply the changes, check everything, raise all that is wrong at once."""
    if root is not None:
        for text in sets:
            set_text(root, text, provenance, flaws)
        for key, value in (extra or {}).items():
            set_node(root, path_of(key), node_of(value, Origin("command line", "command line"), flaws), flaws)
        provenance.written = {path: node.origin for path, node in root.walk()}
        config = root.plain()
        hostile = any(isinstance(problem, Refusal) for problem, _ in flaws)
        flaws += [(problem, None) for problem in ([] if hostile else verify(config)) if not follows(problem, flaws)]
    if flaws:
        error = ConfigError([problem for problem, _ in flaws], provenance.report(flaws))
        if any(isinstance(problem, Refusal) for problem in error.problems):
            error.exit_code = CorruptFileError.exit_code
        raise error
    return Experiment(config, provenance, folder, name)


def follows(problem: Problem, flaws: Flaws) -> bool:
    """Whether a problem only follows from a flaw: it lies at or below its place, or in what could not be extended."""
    paths = [flaw.path for flaw, _ in flaws]
    return any(path and problem.path[: len(path)] == path for path in paths) or (
        problem.path == () and ("extends",) in paths
    )


def stem(file: FilePath) -> str:
    """The name that a file gives to its experiment."""
    import re

    name = re.sub(r"[^A-Za-z0-9._-]+", "-", file.stem).strip("-._")[:64]
    return name if re.fullmatch(NAME, name) else "experiment"
