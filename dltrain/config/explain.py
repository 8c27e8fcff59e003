"""What `dltrain explain` shows: where every value of a config came from, and what a name means."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from dltrain import registry
from dltrain.config import keys
from dltrain.config.experiment import Experiment
from dltrain.config.provenance import Origin, Path
from dltrain.config.sections import Data, Fields, Goals, InitFrom, Model, Train, keys_of
from dltrain.config.words import describe
from dltrain.config.yaml_writer import flow
from dltrain.errors import UsageError
from dltrain.model.chains import KEYWORDS
from dltrain.model.options import WORDS
from dltrain.suggest import hint

NOTATION = {**KEYWORDS, **WORDS}
SECTIONS = (Fields, Data, Model, InitFrom, Goals, Train)
PARTS: dict[str, Any] = dict(zip(("config", "data", "model", "init_from", "metrics", "train"), SECTIONS, strict=True))
# the page that describes a kind of things, or the keys of a section; all others are on docs/config.md
PAGES = {
    **dict.fromkeys(("layer", "initializer"), "layers"),
    **dict.fromkeys(("optimizer", "schedule"), "optimizers"),
    **dict.fromkeys(("regularizer", "constraint", "average", "hook"), "regularization"),
    **dict.fromkeys(("source", "split", "preparation", "data"), "data"),
    **dict.fromkeys(("task", "loss", "metric", "metrics"), "tasks"),
    "baseline": "baselines",
    "augmentation": "pictures",
    "vocabulary": "sequences",
    "exploration": "explore",
    "rule": "doctor",
    "diagnosis": "diagnose",
    "lint": "data",
    "view": "looking",
    "model": "notation",
    "init_from": "transfer",
}


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
    """What a name means: its kind, its documentation and its parameters.

    Parameters:
        kind: of the registered thing; or section, key, or parameter of registered things
        name: as written in a config, a key with the path to it
        summary: in one line
        doc: the whole documentation
        parameters: of a thing, or the keys of a section
        page: where more is written
        type: of a key, in words
        default: of a key, as it would be written; None when it is required
        choices: the names that may stand at a key, where they are a closed list
        example: a piece of a config
    """

    kind: str
    name: str
    summary: str
    doc: str
    parameters: list[Parameter]
    page: str
    type: str = ""
    default: str | None = None
    choices: Sequence[str] = ()
    example: str = ""


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
        wanted: name of a registered thing, of a section (config, data, model, train), of a key or parameter; or a path

    Example:
        >>> name("dropout")[0].parameters[0].type
        'a number from 0 up to but not including 1'
        >>> name("train.keep")[0].default, name("batch_size")[0].name
        ('2', 'train.batch_size')

    Raises:
        UsageError: when nothing has this name.
    """
    if "." in wanted:
        return [path(wanted)]
    found = [part(wanted)] if wanted in PARTS else [path(at) for at in keys_by_name().get(wanted, ())]
    entries = [entry for kind in registry.kinds() for entry in registry.entries(kind).values()]
    found += [thing(entry) for entry in entries if entry.name == wanted]
    found += [word(wanted)] if wanted in NOTATION else []
    found = found or shared(wanted, entries)
    if not found:
        known = [
            *PARTS,
            *NOTATION,
            *keys_by_name(),
            *(e.name for e in entries),
            *(trail[-1][0] for e in entries for trail in keys.parameters(e)),
        ]
        advice = hint(wanted, known, "`dltrain list` shows all names")
        expected = "the name of a layer, loss, optimizer …, or a key of a config"
        raise UsageError("nothing has this name", expected=expected, got=repr(wanted), hint=advice)
    return found


def names() -> set[str]:
    """All names and keys that have a meaning alone."""
    return {*PARTS, *NOTATION, *keys_by_name(), *(name for kind in registry.kinds() for name in registry.entries(kind))}


@functools.cache
def keys_by_name() -> dict[str, list[str]]:
    """{key: its paths}, of the top level and of the sections."""
    found: dict[str, list[str]] = {}
    for key in keys.top_level().values():
        found.setdefault(key.name, []).append(key.name)
    for home, section in PARTS.items():
        for key in keys_of(section) if home in found else ():
            found.setdefault(key.name, []).append(f"{home}.{key.name}")
    return found


def thing(entry: registry.Entry) -> Description:
    """The description of a registered thing."""
    told = parameters(entry.arguments)
    return Description(entry.kind, entry.name, entry.summary, entry.doc, told, page(entry.kind))


def word(wanted: str) -> Description:
    """The description of a word that the notation of models has beside the layers."""
    meaning, example = NOTATION[wanted]
    return Description("word of the model notation", wanted, meaning, meaning, [], page("model"), example=example)


def part(wanted: str) -> Description:
    """The description of a section of a config."""
    import inspect

    section = PARTS[wanted]
    doc = inspect.getdoc(section) or ""
    example = "" if wanted == "config" else flow(keys.example(keys.walk(wanted)))[1:-1]
    told = parameters(keys_of(section))
    return Description("section", wanted, doc.partition("\n")[0], doc, told, page(wanted), "a map", example=example)


def path(wanted: str) -> Description:
    """The description of what stands at a path of a config."""
    trail = keys.walk(wanted)
    last = trail[-1][1]
    if isinstance(last, registry.Entry):
        return thing(last)
    kinds = [found.kind for _, found in trail if isinstance(found, registry.Entry)]
    home = (kinds or [kind_of(last) or trail[0][0]])[-1]
    return argument(last, "key", ".".join(name for name, _ in trail), page(home), flow(keys.example(trail))[1:-1])


def kind_of(key: registry.Argument) -> str:
    """The kind of things that a key names, alone or in a list; empty when none."""
    return (
        ""
        if keys.is_map(key)
        else next((thing.kind for thing in keys.inside(key).values() if isinstance(thing, registry.Entry)), "")
    )


def argument(key: registry.Argument, kind: str, name: str, page: str, example: str, doc: str = "") -> Description:
    """The description of a key, or of a parameter."""
    told = parameters(a for a in keys.inside(key).values() if isinstance(a, registry.Argument))
    default = None if key.required else flow(key.default)
    choices = keys.choices(key.annotation)
    doc = doc or key.summary
    return Description(kind, name, key.summary, doc, told, page, describe(key.annotation), default, choices, example)


def shared(wanted: str, entries: Iterable[registry.Entry]) -> list[Description]:
    """What a word means as a parameter of registered things, or as a key of a map among their values.

    One description stands for all things that have the very same.
    """
    alike: dict[str, list[keys.Trail]] = {}
    for entry in entries:
        for trail in keys.parameters(entry):
            if trail[-1][0] == wanted:
                alike.setdefault(repr(trail[-1]), []).append(trail)
    told = []
    for trails in alike.values():
        trail, key = trails[0], trails[0][-1][1]
        assert isinstance(key, registry.Argument)
        owners = ", ".join(dict.fromkeys(trail[0][0] for trail in trails))
        doc = f"{key.summary}\n\n{role(trail)} of {owners}."
        told.append(argument(key, "parameter", wanted, page(kind(trail)), flow(keys.example(trail))[1:-1], doc))
    return told


def role(trail: keys.Trail) -> str:
    """What the end of a trail is for the thing at its beginning."""
    between = ".".join(name for name, _ in trail[1:-1])
    return f"A key of the parameter {between}" if between else "A parameter"


def kind(trail: keys.Trail) -> str:
    """The kind of the thing at the beginning of a trail."""
    first = trail[0][1]
    return first.kind if isinstance(first, registry.Entry) else ""


def page(home: str) -> str:
    """The page that describes a kind of things or the keys of a section."""
    return f"docs/{PAGES.get(home, 'config')}.md"


def parameters(arguments: Iterable[registry.Argument]) -> list[Parameter]:
    """Parameters in words."""
    return [
        Parameter(a.name, describe(a.annotation), None if a.required else flow(a.default), a.summary) for a in arguments
    ]
