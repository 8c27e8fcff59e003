"""Puts a config together from a file and all it extends.

Maps merge key by key.  Lists are replaced.  Things named by the grammar (`adam: {…}`) merge their
parameters while the name stays the same, and are replaced when it changes.  A wire, block, input or
variable of the model that is set to null is taken out.
"""

from __future__ import annotations

from pathlib import Path as FilePath
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal

from dltrain import registry
from dltrain.config.provenance import Node, Origin, Provenance, Refusal
from dltrain.config.sections import Fields, Notation, is_section, keys_of
from dltrain.config.shipped import shipped_folder
from dltrain.config.words import show, unwrap
from dltrain.config.yaml_reader import Document, read_file
from dltrain.errors import Problem
from dltrain.registry import Reference

MOST_FILES = 8  # in one chain of `extends`

Flaws = list[tuple[Problem, "Origin | None"]]

# What stands where inside `model:`, as far as merging and setting need it.
WIRES: Any = Literal["a map of chains"]
NAMES: Any = Literal["a map of values"]
CHAIN: Any = Literal["a chain"]
BRANCHES: Any = Literal["a list of chains"]
ITEM: Any = Annotated[Any, Reference("layer")]
PARTS = {"graph": WIRES, "blocks": WIRES, "vars": NAMES, "inputs": NAMES}
INNER = {WIRES: CHAIN, CHAIN: ITEM, BRANCHES: CHAIN, NAMES: Any}


def compose(path: FilePath, name: str, provenance: Provenance, flaws: Flaws) -> Node | None:
    """Read a file and all it extends, and merge them.

    Parameters:
        path: the file
        name: how errors name it
        provenance: receives the texts that were read
        flaws: receives what is wrong with the texts

    Returns: the merged tree; None when a file cannot be read.
    """
    roots = read_chain(path, name, provenance, flaws)
    if any(root is None for root in roots):
        return None
    merged: Node | None = None
    for root in reversed(roots):
        merged = root if merged is None or root is None else merge(merged, root, Fields)
    return merged


def read_chain(path: FilePath, name: str, provenance: Provenance, flaws: Flaws) -> list[Node | None]:
    """The values of the file and of those it extends, the last one last."""
    path = path.resolve()
    top, seen, roots = path.parent, [path], []
    while True:
        document = read_file(path, name)
        provenance.add(document.name, document.lines)
        flaws.extend(document.flaws)
        root = config_of(document, flaws)
        roots.append(root)
        link = root.value.pop("extends", None) if root else None
        if link is None or link.value is None:
            return roots
        found = follow(link, path.parent, top, seen)
        if isinstance(found, Problem):
            flaws.append((found, link.origin))
            return roots
        near = found.is_relative_to(path.parent)
        name = str(FilePath(name).parent / found.relative_to(path.parent)) if near else str(found)
        path = found
        seen.append(path)


def config_of(document: Document, flaws: Flaws) -> Node | None:
    """The map in a document; an empty file or a list is no config."""
    root = document.root
    if root is not None and isinstance(root.value, dict):
        return root
    if root is not None or not document.flaws:
        origin = root.origin if root else Origin("file", document.name, 1, 1)
        got = show(root.plain()) if root else "an empty file"
        expected = "a map with the keys data, model, …"
        flaws.append((Problem((), "this is not a config", expected, got, "`dltrain init` writes one"), origin))
    return None


def follow(link: Node, folder: FilePath, top: FilePath, seen: list[FilePath]) -> FilePath | Problem:
    """The file that an `extends:` names, or what is wrong with it."""
    expected, target = "a path below the config's folder, or of a config that comes with dltrain", link.value

    def wrong(what: str, right: str = expected) -> Problem:
        kind = Refusal if what.startswith("this path leads out") else Problem
        return kind(("extends",), what, right, show(link.plain()))

    if not isinstance(target, str) or not target:
        return wrong("this is not a path")
    parts = PurePosixPath(target.replace("\\", "/"))
    if parts.is_absolute() or ".." in parts.parts or ":" in target or target.startswith("~"):
        return wrong("this path leads out of the folder")
    shipped = shipped_folder()
    found = next((p for p in (existing(folder, parts), existing(shipped, parts)) if p is not None), None)
    if found is None:
        return wrong("there is no such file")
    if not any(found.is_relative_to(root.resolve()) for root in (top, shipped) if root is not None):
        return wrong("this path leads out of the folder")
    if found in seen:
        return wrong("the files extend each other in a circle", "a chain with an end")
    if len(seen) >= MOST_FILES:
        return wrong("too many files extend one another", f"at most {MOST_FILES}")
    return found


def existing(folder: FilePath | None, parts: PurePosixPath) -> FilePath | None:
    """The file at a relative path, links followed; None when there is none."""
    try:
        path = (folder / parts).resolve() if folder else None
        return path if path is not None and path.is_file() else None
    except (OSError, ValueError, RuntimeError):  # a name too long, a circle of links
        return None


def merge(base: Node, over: Node, annotation: Any) -> Node:
    """What results when `over` is laid over `base`."""
    if kind := kind_of(annotation):
        return merge_spec(base, over, kind)
    if not (isinstance(base.value, dict) and isinstance(over.value, dict)):
        return over
    merged = dict(base.value)
    for key, node in over.value.items():
        if node.value is None and annotation in (WIRES, NAMES):
            merged.pop(key, None)
        else:
            merged[key] = merge(merged[key], node, inner(annotation, key)) if key in merged else node
    return Node(merged, over.origin)


def merge_spec(base: Node, over: Node, kind: str) -> Node:
    """Merge two registered things: parameter by parameter while the name stays."""
    name = name_of(over)
    entry = registry.entries(kind).get(name) if name else None
    if entry is None or name_of(base) != name or not isinstance(over.value, dict):
        return over
    old, new = parameters(base, entry), parameters(over, entry)
    if old is None or new is None or not new.value:
        return over
    return Node({entry.name: merge(old, new, entry)}, over.origin)


def name_of(spec: Node) -> str | None:
    """The name of a registered thing, written in either form."""
    if isinstance(spec.value, str):
        return spec.value
    return next(iter(spec.value)) if isinstance(spec.value, dict) and len(spec.value) == 1 else None


def parameters(spec: Node, entry: registry.Entry) -> Node | None:
    """The parameters of a registered thing as a map, whichever form it was written in."""
    inside = spec.value[entry.name] if isinstance(spec.value, dict) else Node(None, spec.origin)
    if inside.value is None:
        return Node({}, inside.origin)
    if isinstance(inside.value, dict) and not registry.takes_mapping(entry, inside.value):
        return Node(dict(inside.value), inside.origin)
    return Node({entry.arguments[0].name: inside}, inside.origin) if entry.arguments else None


def kind_of(annotation: Any) -> str:
    """The registry that an annotation refers to; empty when it does not."""
    reference = registry.reference_of(annotation)
    return reference.kind if reference else ""


def inner(annotation: Any, key: str | int) -> Any:
    """The type of what stands below a key: of a section, of an entry's parameters, of the model, of a list."""
    if isinstance(annotation, registry.Entry):
        argument = annotation.argument(str(key))
        return argument.annotation if argument else Any
    if annotation in (WIRES, CHAIN, BRANCHES, NAMES):
        return INNER[annotation]
    kind, marks = unwrap(annotation)
    if any(isinstance(mark, Notation) for mark in marks):
        return PARTS.get(str(key), Any)
    if is_section(kind):
        return next((a.annotation for a in keys_of(kind) if a.name == key), Any)
    if getattr(kind, "__origin__", None) is dict:
        return kind.__args__[1]
    return item_of(kind) if isinstance(key, int) else Any


def item_of(kind: Any) -> Any:
    """The type of a list's items; looks through `list | None`, and past a section that may stand in its place."""
    options = [o for o in getattr(kind, "__args__", ()) if o is not type(None) and not is_section(o)]
    if len(options) == 1 and getattr(options[0], "__origin__", None) is list:
        return item_of(options[0])
    return options[0] if len(options) == 1 else Any
