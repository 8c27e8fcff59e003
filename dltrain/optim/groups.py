"""Groups of parameters with a learning rate or a decay of their own, or frozen; and the parts of the flat vector."""

from __future__ import annotations

import fnmatch
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from dltrain.errors import ConfigError, Problem
from dltrain.kernels.arrays import Array
from dltrain.optim.numbers import Number, Path, Value, number
from dltrain.suggest import hint
from dltrain.types import NonNegativeFloat, PositiveInt, Scheduled


class Vector(Protocol):
    """What an optimizer sees of a model.

    Parameters:
        value: all parameters, flat
        grad: their gradients, same layout
        decayed: the part that weight decay applies to (the kernels, which come first)
        slices: {path: place} of every parameter, in the order of the vector
    """

    value: Array
    grad: Array
    decayed: slice

    @property
    def slices(self) -> Mapping[str, slice]:
        """Where each parameter lies."""

    def zeros(self, size: int) -> Array:
        """A vector of this size, for a slot."""


class Thaw:
    """When frozen parameters begin to be trained.

    Parameters:
        until_epoch: how many epochs they stay as they are
    """

    is_section = True

    def __init__(self, until_epoch: PositiveInt) -> None:
        self.until_epoch = until_epoch


class Group:
    """What is different for some parameters.

    Parameters:
        learning_rate: their own, instead of the optimizer's; a number or a schedule
        multiplier: of the optimizer's learning rate
        weight_decay: of the kernels among them, instead of the optimizer's; biases, gamma and beta never decay
        frozen: they stay as they are, for the whole run or `{until_epoch: n}` for its first n epochs; nothing below the
            first layer that is trained is differentiated, and batch normalization uses its running statistics, which
            stay too

    Example:
        >>> Group(multiplier=0.1).multiplier
        0.1
    """

    is_section = True  # a map with fixed keys, for the checker of configs

    def __init__(
        self,
        learning_rate: Scheduled | None = None,
        multiplier: NonNegativeFloat = 1.0,
        weight_decay: Scheduled | None = None,
        frozen: bool | Thaw = False,
    ) -> None:
        self.learning_rate, self.multiplier = learning_rate, multiplier
        self.weight_decay, self.frozen = weight_decay, frozen
        self.begin = frozen["until_epoch"] if isinstance(frozen, Mapping) else math.inf if frozen else 0

    @classmethod
    def read(cls, pattern: str, options: Mapping[str, Any], path: Path) -> Group:
        """A group as a config has it.

        Parameters:
            pattern: of the paths of its parameters, for the names of its numbers
            options: the constructor's parameters
            path: where it stands in the config

        Raises:
            ConfigError: when an option would have no effect.
        """
        usual = vars(cls())  # a resolved config spells out what is left out
        given = {key for key, value in options.items() if value != usual[key]}
        whole = {"frozen"} if options.get("frozen") is True else set()
        if not given:
            what, hint = "this group changes nothing", "remove it, or write what is different for these parameters"
            raise ConfigError([Problem(path, what, "learning_rate, multiplier, weight_decay or frozen", hint=hint)])
        for one, others in (("frozen", given - {"frozen"}), ("learning_rate", given & {"multiplier"})):
            if one in (whole if one == "frozen" else given) and others:
                other = sorted(others)[0]
                what = f"{other} has no effect beside {one}"
                raise ConfigError([Problem((*path, other), what, hint=f"remove {other} or {one}", at_key=True)])
        numbers: dict[str, Any] = {
            key: number(f"groups.{pattern}.{key}", options[key], Scheduled, (*path, key))
            for key in ("learning_rate", "weight_decay")
            if key in given
        }
        return cls(**{**options, **numbers})

    @property
    def scheduled(self) -> list[Number]:
        """Its numbers that are schedules."""
        return [value for value in (self.learning_rate, self.weight_decay) if isinstance(value, Number)]


class Part(NamedTuple):
    """Neighbours in the flat vector that are updated in the same way.

    Parameters:
        place: in the vector
        slot: in the slots, which leave out what is never trained, and hold what is trained from the start first
        learning_rate: their own; None takes the optimizer's
        multiplier: of the learning rate
        weight_decay: of each step
        begin: the epoch from which on they are trained
    """

    place: slice
    slot: slice
    learning_rate: Value | None
    multiplier: float
    weight_decay: Value
    begin: int


def assign(paths: Iterable[str], groups: Mapping[str, Group], where: Path) -> dict[str, Group | None]:
    """Which group each parameter is in: the first whose pattern matches its path.

    Parameters:
        paths: of all parameters
        groups: {pattern: group}
        where: where the groups stand in the config

    Raises:
        ConfigError: for a pattern that matches nothing, or nothing that is left.

    Example:
        >>> frozen = Group(frozen=True)
        >>> assign(["a.0.dense.kernel", "b.0.dense.kernel"], {"a.*": frozen}, ()) == {
        ...     "a.0.dense.kernel": frozen, "b.0.dense.kernel": None}
        True
    """
    found: dict[str, Group | None] = dict.fromkeys(paths)
    problems = []
    for pattern, group in groups.items():
        matched = [path for path in found if fnmatch.fnmatchcase(path, pattern)]
        for path in matched:
            found[path] = found[path] or group
        if not any(found[path] is group for path in matched):
            problems.append(_useless(pattern, bool(matched), list(found), where))
    if problems:
        raise ConfigError(problems)
    return found


def _useless(pattern: str, matched: bool, paths: Sequence[str], where: Path) -> Problem:
    """The problem of a pattern that no parameter is left for."""
    if matched:
        what, advice = "every parameter that it matches is in a group above", "put it above, or remove it"
        return Problem((*where, pattern), what, hint=advice, at_key=True)
    near = list(paths)
    for path in paths:
        steps = path.split(".")
        near += [".".join(steps[:count]) + ".*" for count in range(1, len(steps))] + [f"*.{steps[-1]}"]
    expected = f"a pattern of paths such as {paths[0]!r}" if paths else ""
    advice = hint(
        pattern, dict.fromkeys(near), "`dltrain check` shows the layers; a parameter is LAYER.kernel or .bias"
    )
    return Problem((*where, pattern), "no parameter has a path like this", expected, repr(pattern), advice, at_key=True)


def divide(vector: Vector, groups: Mapping[str, Group], weight_decay: Value, where: Path) -> list[Part]:
    """The parts of a vector, in its order; what is frozen for good is left out.

    Parameters:
        vector: the model's
        groups: {pattern: group}
        weight_decay: the optimizer's, for kernels
        where: where the groups stand in the config
    """
    parts: list[Part] = []
    for start, stop, group in _spans(vector, groups, where):
        if group is not None and group.begin == math.inf:
            continue
        decay = weight_decay if group is None or group.weight_decay is None else group.weight_decay
        end = min(max(vector.decayed.stop, start), stop) if decay != 0 else start  # of the kernels in it
        for first, last, own in ((start, end, decay), (end, stop, 0.0)):
            if first == last and not (start == stop and own == 0.0):
                continue
            rate, multiplier = (None, 1.0) if group is None else (group.learning_rate, group.multiplier)
            begin = 0 if group is None else int(group.begin)
            parts.append(Part(slice(first, last), slice(0), rate, multiplier, own, begin))
    done = 0
    for k in sorted(range(len(parts)), key=lambda k: parts[k].begin):
        size = parts[k].place.stop - parts[k].place.start
        parts[k] = parts[k]._replace(slot=slice(done, done + size))
        done += size
    return parts


def _spans(vector: Vector, groups: Mapping[str, Group], where: Path) -> list[tuple[int, int, Group | None]]:
    """(start, stop, group) of the longest runs of parameters of one group; they cover the whole vector."""
    size = len(vector.value)
    if not groups:
        return [(0, size, None)]
    spans: list[tuple[int, int, Group | None]] = []
    for path, group in assign(vector.slices, groups, where).items():
        start = vector.slices[path].start
        if spans and spans[-1][2] is not group:
            spans[-1] = (spans[-1][0], start, spans[-1][2])
        if not spans or spans[-1][2] is not group:
            spans.append((start, size, group))
    return spans
