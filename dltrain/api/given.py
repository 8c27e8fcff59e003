"""What every function takes: a config as a file or a mapping, a thing by its name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from dltrain import config as configs
from dltrain.errors import ConfigError

if TYPE_CHECKING:
    from dltrain.config.experiment import Experiment

Config = str | Path | Mapping[str, Any]


def load_experiment(config: Config, sets: Sequence[str] = (), extra: Mapping[str, Any] | None = None) -> Experiment:
    """The checked experiment of a path or a mapping."""
    if isinstance(config, Mapping):
        return configs.from_mapping(config, sets=list(sets), extra=extra)
    return configs.load(config, sets=list(sets), extra=extra)


def check_named(spec: Any, kind: str) -> None:
    """Refuse what does not name a registered thing by the grammar.

    Raises:
        ConfigError: with all that is wrong.
    """
    from dltrain.config.check import check as problems_of
    from dltrain.registry import Reference

    problems = problems_of(spec, Annotated[Any, Reference(kind)])
    if problems:
        raise ConfigError(problems)
