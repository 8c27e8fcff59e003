"""Fills in every default, and remembers where each value came from."""

from __future__ import annotations

import copy
import typing
from collections.abc import Mapping
from typing import Any

from dltrain import registry
from dltrain.config.provenance import DEFAULT, INFERRED, Origin, Path
from dltrain.config.sections import BASELINE, ORDER, Fields, Notation, is_section, keys_of
from dltrain.config.words import members, unwrap
from dltrain.model.options import WORDS
from dltrain.registry import Argument, Reference


class Resolver:
    """Fills in the defaults of one checked config.

    Parameters:
        written: origin of every value as it was written
    """

    def __init__(self, written: Mapping[Path, Origin]) -> None:
        self.written = written
        self.filled: dict[Path, Origin] = {}
        self.left_out: tuple[str, ...] = ()  # parameters of layers for which the model's `init` stands

    def config(self, config: Mapping[str, Any], name: str) -> dict[str, Any]:
        """The complete config.

        Parameters:
            config: the checked config as it was written
            name: its name where it has none
        """
        whole = {"name": name, **config}
        resolved = self.section(whole, Fields, (), ())
        if "name" not in config:
            self.filled["name",] = INFERRED
        other = ("baseline",) if config.get("baseline") is None else set(ORDER) - set(BASELINE)
        return {key: resolved[key] for key in ORDER if key in resolved and key not in other}

    def value(self, value: Any, annotation: Any, source: Path, path: Path) -> Any:
        """A value with its defaults filled in.

        Parameters:
            value: as written, or a default
            annotation: its type
            source: where it is written
            path: where it stands in the resolved config
        """
        self.note(source, path)
        kind, marks = unwrap(annotation)
        if value is None:
            return None
        if options := members(kind):
            fitting = of_form(value, [option for option in options if option is not type(None)])
            return self.value(value, fitting[0], source, path) if len(fitting) == 1 else plain(value)
        if any(isinstance(mark, Notation) for mark in marks):
            return self.model(value, source, path)
        reference = next((mark for mark in marks if isinstance(mark, Reference)), None)
        if reference is not None:
            named = isinstance(value, (str, Mapping))
            return self.thing(value, reference.kind, source, path) if named else value
        if is_section(kind):
            return self.section(value, kind, source, path)
        if typing.get_origin(kind) is list and isinstance(value, (list, tuple)):
            item = typing.get_args(kind)[0]
            return [self.value(v, item, (*source, i), (*path, i)) for i, v in enumerate(value)]
        if typing.get_origin(kind) is dict and is_section(typing.get_args(kind)[1]) and isinstance(value, Mapping):
            item = typing.get_args(kind)[1]
            return {key: self.value(v, item, (*source, key), (*path, key)) for key, v in value.items()}
        return self.copy(value, source, path)

    def section(self, value: Mapping[str, Any], section: Any, source: Path, path: Path) -> dict[str, Any]:
        """A section with all its keys."""
        return self.fill(keys_of(section), value, {}, source, path)

    def fill(
        self,
        arguments: tuple[Argument, ...],
        given: Mapping[str, Any],
        paths: Mapping[str, Path],
        source: Path,
        path: Path,
    ) -> dict[str, Any]:
        """All parameters: those given, and the others' defaults; required ones that are left out stay out."""
        filled = {}
        for argument in arguments:
            at, name = (*path, argument.name), argument.name
            if name in given:
                filled[name] = self.value(given[name], argument.annotation, paths.get(name, (*source, name)), at)
            elif not argument.required and not (name in self.left_out and path[:1] == ("model",)):
                filled[name] = Resolver({}).value(plain(argument.default), argument.annotation, at, at)
                self.default(filled[name], at)
        return filled

    def thing(self, spec: Any, kind: str, source: Path, path: Path, words: tuple[str, ...] = ()) -> Any:
        """A registered thing with all its parameters; one without parameters is its name."""
        name = spec if isinstance(spec, str) else next(iter(spec))
        own = {}
        if words and isinstance(spec, Mapping) and isinstance(spec[name], Mapping):
            own = {word: spec[name][word] for word in words if word in spec[name]}
            spec = {name: {key: value for key, value in spec[name].items() if key not in own}}
        reading = registry.read(spec, kind, source)
        if reading.entry is None:
            return self.copy(spec, source, path)
        inside = (*path, name)
        self.note((*source, name) if isinstance(spec, Mapping) else source, inside)
        filled = self.fill(reading.entry.arguments, reading.arguments, reading.paths, source, inside)
        for word, value in own.items():
            filled[word] = self.copy(value, (*source, name, word), (*inside, word))
        return {name: filled} if filled else name

    def model(self, model: Mapping[str, Any], source: Path, path: Path) -> dict[str, Any]:
        """The model with the defaults of its layers."""
        blocks = set(model.get("blocks") or ())
        resolved = self.copy(model, source, path)
        if isinstance(model.get("init"), (str, Mapping)):
            resolved["init"] = self.thing(model["init"], "initializer", (*source, "init"), (*path, "init"))
            self.left_out = ("kernel_initializer",)
        for part in ("blocks", "graph"):
            for wire, chain in (model.get(part) or {}).items():
                at = (part, wire)
                resolved[part][wire] = self.chain(chain, blocks, (*source, *at), (*path, *at))
        return dict(resolved)

    def chain(self, chain: Any, blocks: set[str], source: Path, path: Path) -> Any:
        """A chain with the defaults of its layers."""
        if not isinstance(chain, (list, tuple)):
            return self.copy(chain, source, path)
        self.note(source, path)
        return [self.item(item, blocks, (*source, i), (*path, i)) for i, item in enumerate(chain)]

    def item(self, item: Any, blocks: set[str], source: Path, path: Path) -> Any:
        """One item of a chain."""
        if isinstance(item, list):
            return self.chain(item, blocks, source, path)
        name = item if isinstance(item, str) else next(iter(item))
        entry = registry.entries("layer").get(name) if name not in blocks else None
        self.note(source, path)
        inside = None if isinstance(item, str) else item[name]
        if isinstance(inside, list) and (entry is None or getattr(entry.make, "merges", False)):
            self.note((*source, name), (*path, name))
            return {name: self.chain(inside, blocks, (*source, name), (*path, name))}
        if entry is None:
            return self.copy(item, source, path)
        return self.thing(item, "layer", source, path, tuple(WORDS))

    def copy(self, value: Any, source: Path, path: Path) -> Any:
        """A value as it is, with the origins of everything in it."""
        self.note(source, path)
        if isinstance(value, Mapping):
            return {key: self.copy(v, (*source, key), (*path, key)) for key, v in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.copy(v, (*source, i), (*path, i)) for i, v in enumerate(value)]
        return value

    def note(self, source: Path, path: Path) -> None:
        """Remember that the value at a path of the resolved config is written at another."""
        origin = self.written.get(source)
        if origin is not None:
            self.filled[path] = origin

    def default(self, value: Any, path: Path) -> None:
        """Remember that a value, and everything in it, is a default."""
        self.filled[path] = DEFAULT
        inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        for key, child in inner:
            self.default(child, (*path, key))


def of_form(value: Any, options: list[Any]) -> list[Any]:
    """The options that a value can be by its form, where a list and a section are to be told apart."""
    forms = {option: typing.get_origin(option) or option for option in options}
    if len(options) == 2 and list in forms.values() and any(is_section(form) for form in forms.values()):
        return [option for option, form in forms.items() if (form is list) == isinstance(value, (list, tuple))]
    return options


def plain(value: Any) -> Any:
    """A default as plain data."""
    return list(value) if isinstance(value, tuple) else copy.deepcopy(value)
