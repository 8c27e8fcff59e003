"""What the command line sets: `--set path=value`."""

from __future__ import annotations

import dataclasses
from typing import Any

from dltrain import registry
from dltrain.config.compose import BRANCHES, CHAIN, Flaws, inner, kind_of, name_of, parameters
from dltrain.config.provenance import Node, Origin, Path, Provenance
from dltrain.config.sections import Fields
from dltrain.config.words import article, shorten, show
from dltrain.config.yaml_reader import read_bytes
from dltrain.errors import Problem, UsageError
from dltrain.suggest import hint

OPTION = "--set "


def set_text(root: Node, text: str, provenance: Provenance, flaws: Flaws) -> None:
    """Carry out one `--set path=value`; the value is read as YAML.

    Parameters:
        root: the config; changed in place
        text: keys and list positions joined by dots, '=', a value
        provenance: receives the text
        flaws: receives what is wrong with it

    Raises:
        UsageError: when the text has no path or no '='.
    """
    name, sign, value = text.partition("=")
    path = path_of(name)
    if not sign or not all(str(step) for step in path):
        expected = "path=value, such as train.epochs=3"
        raise UsageError("this sets nothing", where=shorten(OPTION + text), expected=expected, got=show(text))
    lines = (OPTION + text).split("\n")
    label = shorten(lines[0], 200)
    provenance.add(label, lines)
    document = read_bytes(value.encode("utf-8", "surrogateescape"), label)
    shift = len(OPTION) + len(name) + 1
    for problem, origin in document.flaws:
        flaws.append((dataclasses.replace(problem, path=path + problem.path), shifted(origin, shift)))
    if document.flaws:
        return
    new = document.root or Node(None, Origin("file", label, 1, 1))
    for _, node in new.walk():
        node.origin = shifted(node.origin, shift)
    set_node(root, path, new, flaws)


def set_node(root: Node, path: Path, new: Node, flaws: Flaws) -> None:
    """Put a value at a path; a path that leads nowhere is noted in `flaws`."""
    found = assign(root, path, 0, new, Fields)
    if found is not None:
        flaws.append((found, new.origin.at_key()))


def path_of(text: str) -> Path:
    """Keys, and list positions as numbers.

    Example:
        >>> path_of("hooks.0.early_stopping")
        ('hooks', 0, 'early_stopping')
    """
    steps = [step.strip() for step in text.split(".")]
    return tuple(int(s) if s.isascii() and s.isdigit() and len(s) < 6 else s for s in steps)


def shifted(origin: Origin, shift: int) -> Origin:
    """The place of a value inside the option as it was typed."""
    column = origin.column + (shift if origin.line == 1 else 0)
    return Origin("command line", origin.file, origin.line, column, 1, len(OPTION) + 1)


def assign(node: Node, path: Path, depth: int, new: Node, annotation: Any) -> Problem | None:
    """Put a value at a path below a node; returns what is wrong with the path."""
    if depth == len(path):
        node.value, node.origin = new.value, new.origin
        return None
    kind = kind_of(annotation)
    if kind and isinstance(node.value, (str, dict, type(None))):
        return assign_to_thing(node, path, depth, new, kind)
    step = path[depth]
    if isinstance(node.value, list):
        if not isinstance(step, int) or step > len(node.value):
            what = f"{dotted(path[:depth])} is a list"
            return Problem(path, what, f"a position from 0 to {len(node.value)}", show_step(step), at_key=True)
        if step == len(node.value):
            node.value.append(Node(None, new.origin))
        return assign(node.value[step], path, depth + 1, new, inner(annotation, step))
    if node.value is None:
        node.value = [] if step == 0 else {}
        return assign(node, path, depth, new, annotation)
    if not isinstance(node.value, dict):
        what = f"{dotted(path[:depth])} has no parts"
        return Problem(path, what, "the path of a value", show(node.value), at_key=True)
    child = node.value.setdefault(str(step), Node(None, new.origin))
    return assign(child, path, depth + 1, new, inner(annotation, str(step)))


def assign_to_thing(node: Node, path: Path, depth: int, new: Node, kind: str) -> Problem | None:
    """Put a value into a thing written by the grammar, whichever form it was written in."""
    name, step = name_of(node), str(path[depth])
    entry = registry.entries(kind).get(step)
    if name != step:
        if entry is None:
            return not_its_name(path, depth, name, kind)
        node.value, node.origin = {step: Node(None, new.origin)}, new.origin
    inside = node.value[step] if isinstance(node.value, dict) else Node(None, node.origin)
    if depth + 1 == len(path):
        inside = new
    elif isinstance(inside.value, list):
        branches = inside.value and isinstance(inside.value[0].value, list)
        problem = assign(inside, path, depth + 1, new, BRANCHES if branches else CHAIN)
        if problem is not None:
            return problem
    else:
        opened = parameters(node, entry) if entry else inside
        inside = inside if opened is None else opened
        problem = assign(inside, path, depth + 1, new, entry or Any)
        if problem is not None:
            return problem
    node.value = {step: inside}
    return None


def not_its_name(path: Path, depth: int, name: str | None, kind: str) -> Problem:
    """The problem of a path that goes on with something else than the name of the thing that stands there."""
    step, known = str(path[depth]), registry.entries(kind)
    entry = known.get(name or "")
    if entry is not None and entry.argument(step):
        advice = f"did you mean {dotted((*path[:depth], entry.name, *path[depth:]))!r}?"
    else:
        advice = hint(step, known, f"{registry.listing(kind)} shows them all")
    got = show_step(step) + (f" ({dotted(path[:depth])} is {name!r} here)" if name else "")
    what = f"{dotted(path[: depth + 1])} is not the name of {article(kind)}"
    return Problem(path, what, f"the name of {article(kind)}, then one of its parameters", got, advice, at_key=True)


def dotted(path: Path) -> str:
    """A path as text."""
    return ".".join(map(str, path))


def show_step(step: str | int) -> str:
    """One step of a path in an error."""
    return shorten(repr(step) if isinstance(step, str) else str(step))
