"""dltrain list: what a config may name, and the configs and sweeps that come with dltrain."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import click

from dltrain.cli import arguments
from dltrain.cli.base import command

if TYPE_CHECKING:
    from dltrain.registry import Argument, Entry

# kind -> (its plural, what it is)
KINDS = {
    "layer": ("layers", "operations of a model, in `model.graph`"),
    "initializer": ("initializers", "what weights start from"),
    "baseline": ("baselines", "classic methods in place of a network, in `baseline`"),
    "loss": ("losses", "what is minimized"),
    "metric": ("metrics", "what is measured beside the loss"),
    "regularizer": ("regularizers", "penalties on the weights"),
    "constraint": ("constraints", "what the weights are brought back to after every step"),
    "average": ("averages", "means of the weights over the training, which are evaluated"),
    "optimizer": ("optimizers", "how weights are changed by their gradients"),
    "schedule": ("schedules", "how the learning rate changes"),
    "source": ("sources", "where data come from"),
    "vocabulary": ("vocabularies", "what the tokens of a text are, in `vocabulary` of a source"),
    "split": ("splits", "how data are divided into train, validation and test"),
    "preparation": ("preparations", "what is done to data before training"),
    "augmentation": ("augmentations", "what is done to pictures during training, in `data.augment`"),
    "task": ("tasks", "kinds of learning problems"),
    "hook": ("hooks", "what else happens during training"),
    "exploration": ("explorations", "looks at data, for `dltrain explore`"),
    "rule": ("rules", "what `dltrain doctor` looks for before a training"),
    "diagnosis": ("diagnoses", "what `dltrain diagnose` says of a run"),
    "lint": ("lints", "what `dltrain data lint` looks for"),
    "view": ("views", "looks into a trained network, for `dltrain show`"),
    "dimension": ("dimensions", "what a setting is varied over, in `space` of a sweep"),
    "sampler": ("samplers", "what proposes the points of a sweep"),
    "pruner": ("pruners", "what ends trials of a sweep early, in `prune`"),
    "config": ("configs", "complete configs that come with dltrain, for fit and init"),
    "sweep": ("sweeps", "sweeps that come with dltrain, for `dltrain sweep` and init"),
}


def complete(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """The kinds."""
    return [plural for plural, _ in KINDS.values() if plural.startswith(incomplete)]


@command("list")
@click.argument("kind", required=False, shell_complete=complete)
@arguments.plugins
def cli(kind: str | None, plugins: tuple[str, ...], as_json: bool) -> None:
    """List what a config may name: one KIND of things with their parameters, or all kinds.

    `dltrain explain NAME` tells more about one of them.
    """
    from dltrain.cli.output import emit

    if plugins:
        from dltrain.config.plugins import load_plugins

        load_plugins(plugins)
    items = all_kinds() if kind is None else items_of(kind_of(kind))
    if as_json:
        emit({"items": items})
    else:
        show(items)


def kind_of(text: str) -> str:
    """The kind that a word means, singular or plural.

    Raises:
        UsageError: when there is none.
    """
    from dltrain.errors import UsageError
    from dltrain.suggest import hint

    word = text.lower().replace("-", "_")
    for kind, (plural, _) in KINDS.items():
        if word in (kind, plural, f"{kind}s"):
            return kind
    plurals = [plural for plural, _ in KINDS.values()]
    raise UsageError(
        "there is no such kind", expected=f"one of {', '.join(plurals)}", got=repr(text), hint=hint(word, plurals)
    )


def all_kinds() -> list[dict[str, Any]]:
    """The kinds themselves."""
    return [{"name": plural, "summary": summary, "parameters": []} for plural, summary in KINDS.values()]


def items_of(kind: str) -> list[dict[str, Any]]:
    """Everything of a kind, with its parameters."""
    from dltrain.config.shipped import shipped_configs, shipped_sweeps

    shipped = {"config": shipped_configs, "sweep": shipped_sweeps}
    if kind in shipped:
        return [{"name": n, "summary": first_comment(p), "parameters": []} for n, p in shipped[kind]().items()]
    from dltrain.registry import entries

    return [item(entry) for entry in entries(kind).values()]


def item(entry: Entry) -> dict[str, Any]:
    """A registered thing as plain data."""
    return {"name": entry.name, "summary": entry.summary, "parameters": [parameter(a) for a in entry.arguments]}


def parameter(argument: Argument) -> dict[str, Any]:
    """A parameter as plain data: its type in words; `default` is null where a value is required."""
    from dltrain.config.words import describe

    default = None if argument.required else argument.default
    return {
        "name": argument.name,
        "type": describe(argument.annotation),
        "default": default if isinstance(default, (bool, int, float, str, list, dict, type(None))) else str(default),
        "required": argument.required,
    }


def first_comment(path: Any) -> str:
    """The comment at the top of a config, its summary."""
    with path.open(encoding="utf-8") as file:
        line = file.readline()
    return line.removeprefix("#").strip() if line.startswith("#") else ""


def show(items: Iterable[dict[str, Any]]) -> None:
    """Print a table: name and first parameters on the left, the summary on the right."""
    from dltrain.cli import output

    rows = [(form(item), item["summary"]) for item in items]
    output.show(output.table(["name", "what it is"], rows))


def form(item: dict[str, Any]) -> str:
    """How a thing is written, its required parameters in capitals.

    Example:
        >>> form({"name": "dense", "parameters": [{"name": "units", "required": True}]})
        'dense: UNITS'
        >>> form({"name": "relu", "parameters": []})
        'relu'
    """
    required = [p["name"].upper() for p in item["parameters"] if p["required"]]
    if len(required) > 1:
        return f"{item['name']}: {{{', '.join(f'{name.lower()}: {name}' for name in required)}}}"
    return item["name"] + "".join(f": {name}" for name in required)
