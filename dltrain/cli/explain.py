"""dltrain explain: where every value of a config comes from, or what a name means."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dltrain.cli import arguments
from dltrain.cli.base import command

if TYPE_CHECKING:
    from dltrain.config.explain import Description, Row
    from dltrain.config.provenance import Origin

HIDDEN = ("Parameters:", "Example:", "Raises:", "Returns:")


def complete(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[Any]:
    """Configs, and the names of everything registered."""
    from click.shell_completion import CompletionItem

    from dltrain import registry

    names = {name for kind in registry.kinds() for name in registry.entries(kind)}
    found = [CompletionItem(name) for name in sorted(names) if name.startswith(incomplete)]
    return [*found, *arguments.complete_config(ctx, parameter, incomplete)]


@command("explain")
@click.argument("subject", metavar="CONFIG|NAME", shell_complete=complete)
@arguments.sets
@arguments.plugins
def cli(subject: str, sets: tuple[str, ...], plugins: tuple[str, ...], as_json: bool) -> None:
    """Show where every value of a CONFIG comes from, or what a NAME means.

    A value comes from the file, from a file that it extends, from the command line, from a default, or is
    inferred.  NAME is a layer, loss, optimizer, …, or a section of a config: config, data or train.
    """
    from dltrain.cli.output import emit

    if plugins:
        from dltrain.api import load_plugins

        load_plugins(plugins)
    if is_config(subject):
        from dltrain.config import load
        from dltrain.config.explain import rows

        found = rows(load(arguments.config_path(subject), sets))
        if as_json:
            emit({"values": [{"path": r.path, "value": r.value, "origin": str(r.origin)} for r in found]})
        else:
            show_rows(found)
        return
    from dltrain.errors import UsageError

    if sets:
        raise UsageError(
            "--set changes a config", where="dltrain explain", expected="a config", got=f"the name {subject!r}"
        )
    meanings = meanings_of(subject)
    if as_json:
        emit({"meanings": [meaning(m) for m in meanings]})
    else:
        show_meanings(meanings)


def meanings_of(subject: str) -> Sequence[Description]:
    """What a name means.

    Raises:
        UsageError: when it is none, with the thing that has a parameter of this name or of one near it.
    """
    from dltrain import registry
    from dltrain.config.explain import name
    from dltrain.errors import UsageError
    from dltrain.suggest import SYNONYMS, closest, normal

    try:
        return name(subject)
    except UsageError as error:
        owners: dict[str, list[str]] = {}
        for kind in registry.kinds():
            for entry in registry.entries(kind).values():
                for argument in entry.arguments:
                    owners.setdefault(argument.name, []).append(entry.name)
        near = closest(subject, owners)
        known_otherwise = near in SYNONYMS.get(normal(subject), ()) or near == subject
        if near is None or ("did you mean" in error.hint and not known_otherwise):
            raise
        others = " and others" if len(owners[near]) > 3 else ""
        which = f"{near} is a parameter of {', '.join(owners[near][:3])}{others}"
        advice = which if near == subject else f"did you mean {near!r}? ({which})"
        hint = f"{advice}; `dltrain explain {owners[near][0]}` explains it"
        raise UsageError(error.what, expected=error.expected, got=error.got, hint=hint) from None


def is_config(subject: str) -> bool:
    """Whether a word means a config: a file, or a path, or the name of a shipped one that nothing else has."""
    path = Path(subject)
    if path.suffix in (".yaml", ".yml") or path.is_file() or len(path.parts) > 1:
        return True
    from dltrain import registry
    from dltrain.config.explain import PARTS
    from dltrain.config.shipped import find_shipped

    taken = subject in PARTS or any(subject in registry.entries(kind) for kind in registry.kinds())
    return not taken and find_shipped(subject) is not None


def meaning(found: Description) -> dict[str, Any]:
    """A description as plain data."""
    parameters = [parameter._asdict() for parameter in found.parameters]
    return {**found._asdict(), "parameters": parameters}


def show_rows(rows: Iterable[Row]) -> None:
    """Print a table of the values of a config."""
    from dltrain.cli import output
    from dltrain.config.yaml_writer import flow

    cells = [(row.path, flow(row.value), place(row.origin)) for row in rows]
    output.show(output.table(["path", "value", "from"], cells))


def place(origin: Origin) -> str:
    """Where a value comes from, without the folder of a file."""
    text = str(origin)
    return text[len(str(Path(origin.file).parent)) + 1 :] if origin.kind == "file" and "/" in text else text


def show_meanings(meanings: Iterable[Description]) -> None:
    """Print documentation and parameters of each."""
    from dltrain.cli import output

    for found in meanings:
        output.show(f"{found.name} ({found.kind})", "", prose(found.doc))
        if found.parameters:
            cells = [
                (p.name, p.type, "required" if p.default is None else p.default, p.summary) for p in found.parameters
            ]
            output.show("", output.table(["parameter", "type", "default", "what it is"], cells))
        output.show("")


def prose(doc: str) -> str:
    """A docstring without the sections that are shown otherwise, or are for programmers.

    Example:
        >>> print(prose("Sum.\\n\\nParameters:\\n    x: y\\n\\nSource: Euler."))
        Sum.
        <BLANKLINE>
        Source: Euler.
    """
    kept: list[str] = []
    hidden = False
    for line in doc.splitlines():
        if line and not line.startswith(" "):
            hidden = line in HIDDEN
        if not hidden and (line or (kept and kept[-1])):
            kept.append(line)
    return "\n".join(kept).strip()
