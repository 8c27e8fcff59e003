"""What `dltrain explain` shows: where every value of a config came from, and what a name means."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from dltrain import registry
from dltrain.config.experiment import Experiment
from dltrain.config.provenance import Origin, Path
from dltrain.config.sections import Data, Fields, Goals, Train, keys_of
from dltrain.config.words import describe
from dltrain.config.yaml_writer import flow
from dltrain.errors import UsageError
from dltrain.suggest import hint

PARTS: dict[str, Any] = {"config": Fields, "data": Data, "train": Train, "metrics": Goals}


class Row(NamedTuple):
    """One value of a config: its dotted path, the value, where it came from."""

    path: str
    value: Any
    origin: Origin


class Parameter(NamedTuple):
    """One parameter of a registered thing, or one key of a section, in words.

    Parameters:
        name: as written in a config
        type: its type and range in words
        default: its default as it would be written; None when it is required
        summary: what it is
    """

    name: str
    type: str
    default: str | None
    summary: str


class Description(NamedTuple):
    """What a name means: its kind, its documentation and its parameters."""

    kind: str
    name: str
    summary: str
    doc: str
    parameters: list[Parameter]


def rows(experiment: Experiment) -> list[Row]:
    """Every value of the complete config, with its origin.

    Parameters:
        experiment: a loaded config
    """
    found = leaves(experiment.resolved)
    return [Row(".".join(map(str, path)), value, experiment.origin(path)) for path, value in found]


def leaves(value: Any, path: Path = ()) -> list[tuple[Path, Any]]:
    """All scalars of a tree, empty maps and lists, and lists of scalars."""
    if isinstance(value, Mapping) and value:
        return [leaf for key, inner in value.items() for leaf in leaves(inner, (*path, key))]
    if isinstance(value, list) and any(isinstance(inner, (Mapping, list)) for inner in value):
        return [leaf for index, inner in enumerate(value) for leaf in leaves(inner, (*path, index))]
    return [(path, value)]


def name(wanted: str) -> list[Description]:
    """What a name means: one description for each kind that has it.

    Parameters:
        wanted: name of a registered thing, or of a section (config, data, train)

    Example:
        >>> name("dropout")[0].parameters[0].type
        'a number from 0 up to but not including 1'

    Raises:
        UsageError: when nothing has this name.
    """
    found = [part(wanted)] if wanted in PARTS else []
    known: list[str] = list(PARTS)
    for kind in registry.kinds():
        entries = registry.entries(kind)
        known += entries
        if wanted in entries:
            found.append(thing(entries[wanted]))
    if not found:
        advice = hint(wanted, known, "`dltrain list` shows all names")
        expected = "the name of a layer, loss, optimizer …"
        raise UsageError("nothing has this name", expected=expected, got=repr(wanted), hint=advice)
    return found


def thing(entry: registry.Entry) -> Description:
    """The description of a registered thing."""
    return Description(entry.kind, entry.name, entry.summary, entry.doc, parameters(entry.arguments))


def part(wanted: str) -> Description:
    """The description of a section of a config."""
    import inspect

    section = PARTS[wanted]
    doc = inspect.getdoc(section) or ""
    return Description("section", wanted, doc.partition("\n")[0], doc, parameters(keys_of(section)))


def parameters(arguments: tuple[registry.Argument, ...]) -> list[Parameter]:
    """Parameters in words."""
    return [
        Parameter(a.name, describe(a.annotation), None if a.required else flow(a.default), a.summary) for a in arguments
    ]
