"""How a chain of transforms becomes an optimizer with a name: the parameters that all of them share."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from dltrain import registry
from dltrain.optim.groups import Group
from dltrain.optim.numbers import number
from dltrain.optim.optimizer import Optimizer
from dltrain.optim.transforms import ClipEachNorm, ClipNorm, ClipValue, Transform
from dltrain.types import PositiveFloat, Scheduled

Chain = Callable[..., list[Transform]]
CLIPS: dict[str, Callable[[float], Transform]] = {  # in this order
    "clip_value": ClipValue,
    "clip_each_norm": ClipEachNorm,
    "clip_norm": ClipNorm,
}


def shared(
    learning_rate: Scheduled = 0.01,
    weight_decay: Scheduled = 0.0,
    clip_value: PositiveFloat | None = None,
    clip_each_norm: PositiveFloat | None = None,
    clip_norm: PositiveFloat | None = None,
    groups: dict[str, Group] | None = None,
) -> None:
    """The parameters of every optimizer.

    Parameters:
        learning_rate: a number or a schedule
        weight_decay: decoupled decay: a step takes away learning_rate · weight_decay of every kernel; biases and
            the scale and shift of normalization do not decay
        clip_value: limit of every element of the gradient; none when left out
        clip_each_norm: limit of the norm of each parameter's gradient (Keras: clipnorm); none when left out
        clip_norm: limit of the gradient's norm over all parameters (Keras: global_clipnorm); none when left out
        groups: {pattern of parameter paths: {learning_rate, multiplier, weight_decay or frozen}}; the first match holds
    """


def optimizer(name: str, **defaults: float) -> Callable[[Chain], Callable[..., Optimizer]]:
    """Function decorator: registers an optimizer, with the shared parameters around its own.

    Parameters:
        name: in a config
        defaults: of the shared parameters, where they are others
    """

    def decorate(chain: Chain) -> Callable[..., Optimizer]:
        own = registry.arguments_of(chain)
        rate, *others = registry.arguments_of(shared)
        common = {a.name: replace(a, default=defaults.get(a.name, a.default)) for a in (rate, *others)}

        @functools.wraps(chain)
        def make(learning_rate: Any = common["learning_rate"].default, **given: Any) -> Optimizer:
            given = {"learning_rate": learning_rate, "weight_decay": common["weight_decay"].default, **given}
            numbers = {a.name: _read(a, given[a.name]) for a in (*common.values(), *own) if a.name in given}
            clips = [clip(numbers.pop(key)) for key, clip in CLIPS.items() if numbers.get(key) is not None]
            mine = {a.name: numbers[a.name] for a in own if a.name in numbers}
            rest = {key: value for key, value in numbers.items() if key not in mine and key not in CLIPS}
            return Optimizer([*clips, *chain(**mine)], **rest, name=name)

        def _read(argument: registry.Argument, value: Any) -> Any:
            if registry.reference_of(argument.annotation) is None:
                return value
            return number(argument.name, value, argument.annotation, ("optimizer", name, argument.name))

        arguments = (common["learning_rate"], *own, *(common[a.name] for a in others))
        registry.add(registry.Entry("optimizer", name, make, arguments, inspect.getdoc(chain) or ""))
        return make

    return decorate
