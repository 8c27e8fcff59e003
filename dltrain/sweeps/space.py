"""The space of a sweep: paths of a config with their dimensions, and which of them count at a point."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from dltrain.errors import ConfigError, Problem
from dltrain.registry import create
from dltrain.sweeps.dimensions import Dimension

Point = dict[str, float]  # {path: place in [0, 1]} of the dimensions that count


class Space:
    """Dimensions by the paths of a config that they set, in the order in which they are set.

    Parameters:
        specs: {path: dimension by the grammar}, as in the sweep's file

    Raises:
        ConfigError: when a dimension is not possible, or a condition names none of those above it.

    Example:
        >>> space = Space({
        ...     "optimizer": {"choice": ["adam", "sgd"]},
        ...     "optimizer.sgd.momentum": {"uniform": {"bounds": [0.0, 1.0], "when": {"optimizer": "sgd"}}},
        ... })
        >>> space.settings({"optimizer": 0.2}), space.settings({"optimizer": 0.7, "optimizer.sgd.momentum": 0.5})
        ({'optimizer': 'adam'}, {'optimizer': 'sgd', 'optimizer.sgd.momentum': 0.5})
    """

    def __init__(self, specs: Mapping[str, Any]) -> None:
        self.dimensions: dict[str, Dimension] = {}
        problems: list[Problem] = []
        for path, spec in specs.items():
            try:
                self.dimensions[path] = self._made(path, spec)
            except ConfigError as error:
                problems += error.problems
        problems = problems or [problem for path in self.dimensions for problem in self._conflicts(path)]
        if problems:
            raise ConfigError(problems)

    def _made(self, path: str, spec: Any) -> Dimension:
        """The dimension of a path; a problem inside it is told with the path."""
        try:
            dimension: Dimension = create("dimension", spec)
        except ConfigError as error:
            name = next(iter(spec)) if isinstance(spec, Mapping) else spec
            raise ConfigError(
                [Problem((path, name, *p.path), p.what, p.expected, p.got) for p in error.problems]
            ) from None
        return dimension

    def _conflicts(self, path: str) -> Iterator[Problem]:
        """What is wrong with a dimension beside the others."""
        above = list(self.dimensions)[: list(self.dimensions).index(path)]
        for other, wanted in (self.dimensions[path].when or {}).items():
            where = (path, "when", other)
            if other not in above:
                expected = ", ".join(above) or "none: this is the first"
                yield Problem(where, "the condition names no dimension above this one", expected, repr(other))
                continue
            choices = getattr(self.dimensions[other], "values", None)
            if choices is None:
                yield Problem(where, "a condition can only be on a choice", "a choice", repr(other))
            elif missing := [value for value in as_list(wanted) if value not in choices]:
                yield Problem(where, "this is not among the choices", repr(choices), repr(missing[0]))
        for other in self.dimensions:
            if path.startswith(other + ".") and other not in (self.dimensions[path].when or {}):
                what = f"this path lies below {other}, which is a dimension too"
                hint = f"say for which of its values it counts: when: {{{other}: …}}"
                yield Problem((path,), what, "a condition", "none", hint)

    def counts(self, path: str, settings: Mapping[str, Any]) -> bool:
        """Whether a dimension counts, given the settings of those above it."""
        conditions = self.dimensions[path].when or {}
        return all(other in settings and settings[other] in as_list(wanted) for other, wanted in conditions.items())

    def walk(self, place: Any) -> tuple[Point, dict[str, Any]]:
        """A point and its settings, dimension by dimension.

        Parameters:
            place: called with a path and its dimension where that counts; returns a place in [0, 1]
        """
        point: Point = {}
        settings: dict[str, Any] = {}
        for path, dimension in self.dimensions.items():
            if self.counts(path, settings):
                point[path] = float(place(path, dimension))
                settings[path] = dimension.value(point[path])
        return point, settings

    def settings(self, point: Mapping[str, float]) -> dict[str, Any]:
        """The values at a point, {path: value}."""
        return {path: self.dimensions[path].value(unit) for path, unit in point.items()}


def as_list(value: Any) -> list[Any]:
    """A list of values, or one value as a list."""
    return list(value) if isinstance(value, (list, tuple)) else [value]
