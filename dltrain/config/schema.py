"""The JSON Schema of a config (draft 2020-12), for completion and hover in editors."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Iterable, Mapping
from typing import Any, Literal

from dltrain import registry
from dltrain.config.interval import UNITS, Interval
from dltrain.config.sections import EXTENDS, Fields, Model, Notation, is_section, keys_of
from dltrain.config.words import bound, describe, members, unwrap
from dltrain.registry import Argument, Entry, Reference
from dltrain.types import Form

DIALECT = "https://json-schema.org/draft/2020-12/schema"
REFERENCE = {"type": "string", "pattern": r"^\$[A-Za-z_]", "description": "a $name of the model"}
NUMBERS = {"ge": "minimum", "gt": "exclusiveMinimum", "le": "maximum", "lt": "exclusiveMaximum"}
SIMPLE = {int: "integer", float: "number", str: "string", bool: "boolean", type(None): "null"}

Schema = dict[str, Any]


def schema() -> Schema:
    """The schema of a whole config.

    Example:
        >>> sorted(schema())[:4]
        ['$defs', '$schema', 'additionalProperties', 'description']
    """
    whole = schema_of(Fields, "dltrain config")
    whole["properties"]["extends"] = {"type": "string", "description": EXTENDS.summary}
    whole.pop("required", None)  # what it extends may have them
    return {**whole, **only_layers()}


def schema_of(cls: Any, title: str) -> Schema:
    """The schema of a file that is one section, with all that it may name.

    Parameters:
        cls: the section
        title: what the file is
    """
    definitions = {kind: things(Reference(kind)) for kind in registry.kinds()} | notation()
    return {"$schema": DIALECT, "title": title, **section(cls), "$defs": definitions}


def section(cls: Any) -> Schema:
    """A section: a map with fixed keys."""
    doc = inspect.getdoc(cls) or ""
    return parameters(keys_of(cls)) | {"description": doc.partition("\n")[0]}


def parameters(
    arguments: Iterable[Argument], variables: bool = False, extra: Mapping[str, Schema] | None = None
) -> Schema:
    """A map of parameters.

    Parameters:
        arguments: the parameters
        variables: whether a $name may stand for each value
        extra: further properties
    """
    properties = {argument.name: described(argument, variables) for argument in arguments} | dict(extra or {})
    required = [argument.name for argument in arguments if argument.required]
    found: Schema = {"type": "object", "properties": properties, "additionalProperties": False}
    return found | ({"required": required} if required and not variables else {})


def described(argument: Argument, variables: bool) -> Schema:
    """The schema of a parameter, with its documentation for hover."""
    found = typed(argument.annotation)
    if variables:
        found = either([found, REFERENCE])
    words = describe(argument.annotation)
    found = {**found, "description": f"{argument.summary} ({words})" if argument.summary else words}
    return found if argument.required else {**found, "default": argument.default}


def typed(annotation: Any) -> Schema:
    """The schema of an annotated type."""
    kind, marks = unwrap(annotation)
    if options := members(kind):
        return either([typed(option) for option in options])
    reference = next((mark for mark in marks if isinstance(mark, Reference)), None)
    if reference is not None:
        named = things(reference) if reference.having else {"$ref": f"#/$defs/{reference.kind}"}
        return named if reference.literal is None else either([typed(reference.literal), named])
    if any(isinstance(mark, Notation) for mark in marks):
        return {"$ref": "#/$defs/model"}
    if is_section(kind):
        return section(kind)
    if typing.get_origin(kind) is Literal:
        return {"enum": list(typing.get_args(kind))}
    if kind is Interval:
        unit = "|".join(unit.removesuffix("s") for unit in UNITS)
        return {"type": "string", "pattern": rf"^[0-9.]+ *({unit})s?$"}
    return container(kind, marks)


def container(kind: Any, marks: tuple[Any, ...]) -> Schema:
    """Lists, maps and simple types with their ranges."""
    origin, inner = typing.get_origin(kind) or kind, typing.get_args(kind)
    if origin is tuple and inner and inner[-1] is not Ellipsis:
        size = len(inner)
        return {"type": "array", "prefixItems": [typed(i) for i in inner], "minItems": size, "maxItems": size}
    if origin in (list, tuple):
        least, items = bound(marks, "min_length"), typed(inner[0]) if inner else {}
        return {"type": "array", "items": items} | ({"minItems": least} if least else {})
    if origin in (dict, Mapping):
        return {"type": "object", "additionalProperties": typed(inner[1]) if len(inner) == 2 else True}
    if kind not in SIMPLE:
        return {}
    found: Schema = {"type": SIMPLE[kind]}
    found |= {word: value for name, word in NUMBERS.items() if (value := bound(marks, name)) is not None}
    form = next((mark for mark in marks if isinstance(mark, Form)), None)
    return found | ({"pattern": f"^(?:{form.pattern})$"} if form else {})


def either(options: list[Schema]) -> Schema:
    """One of several schemas; nested choices become one."""
    flat = [inner for option in options for inner in (option["anyOf"] if set(option) == {"anyOf"} else [option])]
    return {"anyOf": flat}


def things(reference: Reference) -> Schema:
    """A registered thing: `name`, `name: value` or `name: {parameters}`."""
    entries = reference.entries().values()
    bare = [name_only(entry) for entry in entries if not any(a.required for a in entry.arguments)]
    return either([*bare, *(with_value(entry) for entry in entries)])


def name_only(entry: Entry) -> Schema:
    """A bare name."""
    return {"const": entry.name, "description": entry.doc}


def with_value(entry: Entry, inside: Schema | None = None) -> Schema:
    """`name: value` or `name: {parameters}`."""
    if inside is None:
        first = [typed(entry.arguments[0].annotation)] if entry.arguments else []
        inside = either([*first, parameters(entry.arguments), {"type": "null"}])
    return single({entry.name: {**inside, "description": entry.doc}})


def single(properties: Mapping[str, Schema]) -> Schema:
    """A map with one key out of these."""
    return {
        "type": "object",
        "properties": dict(properties),
        "required": list(properties),
        "additionalProperties": False,
    }


def notation() -> dict[str, Schema]:
    """The model notation: a map of chains of layers, blocks, branches and references."""
    chain: Schema = {"$ref": "#/$defs/chain"}
    shape = {"type": "array", "items": either([{"type": "integer", "minimum": 1}, REFERENCE])}
    inputs = {"type": "object", "additionalProperties": either([shape, {"type": "null"}])}
    outputs = either([{"type": "string"}, {"type": "array", "items": {"type": "string"}}])
    chains = {"type": "object", "additionalProperties": chain}
    parts: dict[str, Schema] = {
        "vars": {"type": "object"},
        "inputs": inputs,
        "init": either([{"$ref": "#/$defs/initializer"}, REFERENCE, {"type": "null"}]),
        "blocks": chains,
        "graph": chains,
        "outputs": outputs,
    }
    model = {
        key.name: parts[key.name] | {"description": f"{key.summary} ({describe(key.annotation)})"}
        for key in keys_of(Model)
    }
    found = {"type": "object", "properties": model, "additionalProperties": False}
    items = {"type": "array", "items": {"$ref": "#/$defs/item"}}
    return {"model": found, "chain": items, "item": item(chain), "layers": layers()}


def item(chain: Schema) -> Schema:
    """One item of a chain: a layer, a block of the user's, or a word of the notation."""
    layers = registry.entries("layer")
    branches = {"type": "array", "items": chain, "description": "branches of one input, joined again"}
    words = {
        "from": {"type": "string", "description": "start at this wire"},
        "reuse": {"type": "string", "description": "that wire's layers again, with the same weights"},
        "residual": {**chain, "description": "x + chain(x)"},
    }
    keyed = {name: layer(entry, branches) for name, entry in layers.items()} | words
    written = {
        "type": "object",
        "properties": keyed,
        "minProperties": 1,
        "maxProperties": 1,
        "additionalProperties": {"description": "a block of this config, with its parameters"},
    }
    names = [{"const": name, "description": entry.doc} for name, entry in layers.items()]
    own = {"type": "string", "pattern": "^[$A-Za-z_]", "description": "a block of this config"}
    return either([*names, own, written])


def only_layers() -> Schema:
    """Where neither the config nor what it extends can have blocks, every name in a chain is a layer's."""
    blocks = {"required": ["model"], "properties": {"model": {"required": ["blocks"]}}}
    graph = {"additionalProperties": {"$ref": "#/$defs/layers"}}
    strict = {"properties": {"model": {"properties": {"graph": graph}}}}
    return {"if": {"not": either([{"required": ["extends"]}, blocks])}, "then": strict}


def layers() -> Schema:
    """A chain without blocks: the names only, as `chain` says what may stand behind them."""
    inner: Schema = {"$ref": "#/$defs/layers"}
    entries = registry.entries("layer")
    merging = [name for name, entry in entries.items() if getattr(entry.make, "merges", False)]
    branches = {"items": {"if": {"type": "array"}, "then": inner}}
    keys = {"enum": [*entries, "from", "reuse", "residual"]}
    inside = {"residual": inner} | dict.fromkeys(merging, branches)
    names = either([{"enum": list(entries)}, {"pattern": r"^\$"}])
    written = {"propertyNames": keys, "properties": inside}
    return {"items": {"if": {"type": "string"}, "then": names, "else": written}}


def layer(entry: Entry, branches: Schema) -> Schema:
    """What may stand behind a layer's name; a $name may stand for every value."""
    named = {name: {"type": "string"} for name in getattr(entry.make, "further", ())}
    maps = [{"type": "object", "properties": named, "additionalProperties": False}] if named else []
    wires = either([{"type": "string"}, {"type": "array", "items": {"type": "string"}}, *maps])
    extra = {
        "with": wires | {"description": "further inputs"},
        "repeat": either([{"type": "integer", "minimum": 1}, REFERENCE]) | {"description": "copies, with own weights"},
    }
    first = [typed(entry.arguments[0].annotation), REFERENCE] if entry.arguments else []
    joined = [branches] if getattr(entry.make, "merges", False) else []
    options = either([*first, *joined, parameters(entry.arguments, variables=True, extra=extra), {"type": "null"}])
    return options | {"description": entry.doc}
