"""dltrain explain: where every value of a config comes from, or what a name means."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dltrain.cli import arguments
from dltrain.cli.base import command

if TYPE_CHECKING:
    from dltrain.config.explain import Description, Row

HIDDEN = ("Parameters:", "Example:", "Raises:", "Returns:")


def complete(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[Any]:
    """Configs, the names of everything registered, and the paths of keys."""
    from click.shell_completion import CompletionItem

    from dltrain.config.explain import names
    from dltrain.config.keys import continuations

    found = sorted({name for name in names() if name.startswith(incomplete)} | set(continuations(incomplete)))
    return [*map(CompletionItem, found), *arguments.complete_config(ctx, parameter, incomplete)]


@command("explain")
@click.argument("subject", metavar="CONFIG|NAME", shell_complete=complete)
@arguments.sets
@arguments.plugins
def cli(subject: str, sets: tuple[str, ...], plugins: tuple[str, ...], as_json: bool) -> None:
    """Show where every value of a CONFIG comes from, or what a NAME means.

    A value comes from the file, from a file that it extends, from the command line, from a default, or is
    inferred.  NAME is a layer, loss, optimizer, …; a section of a config (config, data, model, train); a key or a
    parameter (batch_size, groups); or the path of one (train.batch_size, optimizer.adam.beta_1).
    """
    from dltrain.cli.output import emit

    if plugins:
        from dltrain.config.plugins import load_plugins

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
    from dltrain.config.explain import name
    from dltrain.errors import UsageError

    if sets:
        raise UsageError(
            "--set changes a config", where="dltrain explain", expected="a config", got=f"the name {subject!r}"
        )
    meanings = name(subject)
    if as_json:
        emit({"meanings": [meaning(m) for m in meanings]})
    else:
        show_meanings(meanings)


def is_config(subject: str) -> bool:
    """Whether a word means a config: a file, or a path, or the name of a shipped one that nothing else has."""
    path = Path(subject)
    if path.suffix in (".yaml", ".yml") or path.is_file() or len(path.parts) > 1:
        return True
    from dltrain.config.explain import names
    from dltrain.config.shipped import find_shipped

    return subject not in names() and find_shipped(subject) is not None


def meaning(found: Description) -> dict[str, Any]:
    """A description as plain data."""
    parameters = [parameter._asdict() for parameter in found.parameters]
    return {**found._asdict(), "parameters": parameters}


def show_rows(rows: Iterable[Row]) -> None:
    """Print a table of the values of a config."""
    from dltrain.cli import output
    from dltrain.config.yaml_writer import flow

    cells = [(row.path, flow(row.value), row.origin.short()) for row in rows]
    output.show(output.table(["path", "value", "from"], cells))


def show_meanings(meanings: Iterable[Description]) -> None:
    """Print documentation and parameters of each."""
    from dltrain.cli import output

    for found in meanings:
        output.show(f"{found.name} ({found.kind})", "", prose(found.doc))
        if facts := facts_of(found):
            output.show("", *facts)
        if found.parameters:
            cells = [
                (p.name, p.type, "required" if p.default is None else p.default, p.summary) for p in found.parameters
            ]
            output.show("", output.table(["parameter", "type", "default", "what it is"], cells))
        output.show("")


def facts_of(found: Description) -> list[str]:
    """The lines that say what a key takes and where it stands."""
    default = "required" if found.default is None else found.default
    facts = {
        "type": found.type,
        "default": default if found.kind in ("key", "parameter") else "",
        "one of": ", ".join(found.choices),
        "example": found.example,
        "more": found.page,
    }
    return [f"{word:9}{text}" for word, text in facts.items() if text]


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
