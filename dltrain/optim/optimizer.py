"""The optimizer: a chain of gradient transforms, then a step down by the learning rate and the weight decay."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from dltrain.errors import ConfigError, Problem, UsageError
from dltrain.kernels.arrays import Array
from dltrain.optim.groups import Group, Vector, assign, divide
from dltrain.optim.moment import Moment
from dltrain.optim.numbers import Number, Path, at, number
from dltrain.optim.running import Run, chain_of
from dltrain.optim.transforms import Kernels, Transform

SEEN = "seen"  # the entry of a state that holds what schedules have seen of metrics


class Optimizer:
    """value = value - learning_rate · (… transform 2 (transform 1 (gradient)) + weight_decay · value).

    Parameters:
        transforms: what happens to the gradient, in this order
        learning_rate: a number or a schedule
        weight_decay: for kernels only, a number or a schedule
        groups: {pattern of paths: what is different for these parameters}
        name: for errors

    Example:
        >>> from dltrain.optim import minimize
        >>> minimize(Optimizer([], learning_rate=0.25), lambda w: 2 * w, start=[1.0, 2.0], steps=2)
        [0.25, 0.5]
    """

    def __init__(
        self,
        transforms: list[Transform],
        learning_rate: Any,
        weight_decay: Any = 0.0,
        groups: Mapping[str, Any] | None = None,
        name: str = "optimizer",
    ) -> None:
        self.name, self.transforms = name, transforms
        self.learning_rate = number("learning_rate", learning_rate)
        self.weight_decay = number("weight_decay", weight_decay)
        self.where: Path = ("optimizer", name, "groups")
        given = groups or {}
        self.groups = {pattern: Group.read(pattern, given[pattern], (*self.where, pattern)) for pattern in given}
        self._count = 0
        self._seen: dict[str, Any] = {n.name: None for n in self.scheduled if n.observer is not None}
        self._slots: dict[str, Array] = {}
        self._runs: list[tuple[int, Run]] = []  # what does a step from an epoch on, the last one first

    @property
    def scheduled(self) -> list[Number]:
        """All numbers that are schedules."""
        own = [value for transform in self.transforms for value in vars(transform).values()]
        grouped = [value for group in self.groups.values() for value in group.scheduled]
        return [v for v in (self.learning_rate, self.weight_decay, *own, *grouped) if isinstance(v, Number)]

    @property
    def slots(self) -> int:
        """How many numbers it keeps for each one that is trained."""
        return sum(len(transform.slots) for transform in self.transforms)

    def frozen(self, paths: Iterable[str], epoch: int | None = 0) -> list[str]:
        """Those of a model's parameters that are not to be changed in an epoch.

        Parameters:
            paths: of all parameters
            epoch: which, from 0; None for those that are not changed in any

        Raises:
            ConfigError: when a group's pattern matches none, or when none is left to train.
        """
        found = assign(paths, self.groups, self.where)
        least = math.inf if epoch is None else epoch + 1
        frozen = [path for path, group in found.items() if group is not None and group.begin >= least]
        if frozen and len(frozen) == len(found):
            what = "all parameters are frozen, so nothing can be trained"
            raise ConfigError([Problem(self.where, what, hint="leave out a group, or narrow its pattern")])
        return frozen

    @property
    def thaws(self) -> dict[str, int]:
        """{pattern of a group: the epoch from which on it is trained}, of those that are frozen at first."""
        return {pattern: int(group.begin) for pattern, group in self.groups.items() if 0 < group.begin < math.inf}

    def bind(self, vector: Vector, kernels: Callable[[Array], Kernels], *, fused: bool = True) -> None:
        """Attach to a model: allocate the slots and choose the kernels.

        Parameters:
            vector: the model's flat values and gradients, used by every later step
            kernels: chooses the kernels for an array, see `dltrain.kernels.select`
            fused: do the whole chain in one kernel where there is one
        """
        self._count, self._seen = 0, dict.fromkeys(self._seen)
        parts = divide(vector, self.groups, self.weight_decay, self.where)
        size = sum(part.slot.stop - part.slot.start for part in parts)
        self._slots = {name: vector.zeros(size) for transform in self.transforms for name in transform.slots}
        for transform in self.transforms:
            for name in transform.slots:
                self._slots[name][:] = transform.start
        self._runs = []
        for begin in sorted({part.begin for part in parts}, reverse=True):
            trained = [part for part in parts if part.begin <= begin]
            run = chain_of(self.transforms, self._slots, vector, kernels(vector.value), trained, fused)
            self._runs.append((begin, run))

    def step(self, moment: Moment) -> float:
        """Change the values by their gradients, which stay as they are.

        Parameters:
            moment: the moment of training, for the schedules

        Returns: the learning rate of this step.
        """
        if not self._runs:
            raise UsageError("the optimizer is not bound to a model", hint="call bind(vector, kernels) first")
        self._count += 1
        moment = self._with_seen(moment)
        rate = at(self.learning_rate, moment)
        run = next(run for begin, run in self._runs if begin <= moment.epoch)
        run(moment, self._count, rate)
        return rate

    def observe(self, measure: Callable[[str | None], tuple[float | None, bool]]) -> None:
        """Let the schedules that watch a metric see a new evaluation.

        Parameters:
            measure: from a metric's name (None: the run's monitor) to its value, None where it was not measured, and
                whether a larger value is the better one
        """
        for scheduled in self.scheduled if self._seen else ():
            if scheduled.observer is not None:
                value, higher = measure(scheduled.observer.monitor)
                if value is not None:
                    self._seen[scheduled.name] = scheduled.observer.observe(self._seen[scheduled.name], value, higher)

    @property
    def watches(self) -> bool:
        """Whether a schedule waits for what evaluations say."""
        return bool(self._seen)

    def values(self, moment: Moment) -> dict[str, float]:
        """The learning rate and every scheduled number at a moment, by name."""
        seen = self._with_seen(moment)
        found = {"learning_rate": at(self.learning_rate, seen)}
        return found | {scheduled.name: scheduled(seen) for scheduled in self.scheduled}

    def _with_seen(self, moment: Moment) -> Moment:
        return moment._replace(seen=self._seen) if self._seen else moment

    def state(self) -> dict[str, Any]:
        """All that a resumed run needs: the number of steps done, what schedules have seen, and a copy of each slot."""
        seen = {SEEN: dict(self._seen)} if self._seen else {}
        return {"step": self._count, **seen, **{name: array.copy() for name, array in self._slots.items()}}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Take over what `state` of an optimizer of the same kind and size returned.

        Raises:
            UsageError: when an entry is missing, unknown, or has another shape or dtype; all of them are listed.
        """
        counters = ("step", SEEN) if self._seen else ("step",)
        wrong = [f"{name} is missing" for name in (*counters, *self._slots) if name not in state]
        wrong += [f"{name} is unknown" for name in state if name not in counters and name not in self._slots]
        wrong += [
            f"{name} is {_describe(state[name])} and not {_describe(array)}"
            for name, array in self._slots.items()
            if name in state and _describe(state[name]) != _describe(array)
        ]
        if self._seen and set(state.get(SEEN, self._seen)) != set(self._seen):
            wrong.append("the schedules that watch a metric are others")
        if wrong:
            hint = "resume with the optimizer and the model that the state was saved from"
            raise UsageError("the saved state does not fit", where="optimizer", got=", ".join(wrong), hint=hint)
        self._count = int(state["step"])
        self._seen = dict(state[SEEN]) if self._seen else {}
        for name, array in self._slots.items():
            array[:] = state[name]


def _describe(value: Any) -> str:
    array = np.asarray(value)
    return f"{array.dtype}{list(array.shape)}"
