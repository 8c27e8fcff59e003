"""Dimensions of a search space: each is a map from [0, 1] to the values of one setting.

Samplers work in the unit cube and know nothing of scales; what is spread evenly over [0, 1] is spread over the values
as the dimension says.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any, Protocol

from annotated_types import Gt, MinLen

from dltrain.errors import ConfigError, Problem
from dltrain.registry import register
from dltrain.types import PositiveFloat, PositiveInt, Words

DIGITS = 6  # significant ones of a value, so that a config remains readable

Condition = Annotated[Mapping[str, Any] | None, Words("a map {path of a choice: value, or list of values}")]
Bounds = Annotated[tuple[float, float], Words("two numbers, [low, high]")]
PositiveBounds = Annotated[tuple[PositiveFloat, PositiveFloat], Words("two numbers above 0, [low, high]")]
IntegerBounds = Annotated[tuple[int, int], Words("two whole numbers, [low, high]")]
CountBounds = Annotated[tuple[PositiveInt, PositiveInt], Words("two whole numbers above 0, [low, high]")]


class Dimension(Protocol):
    """One setting that a sweep varies.

    `when` says on which values of other dimensions it depends, `levels` how many values it has (None: any number),
    `ordered` whether values near in [0, 1] are near in their effect.
    """

    when: Mapping[str, Any] | None
    levels: int | None
    ordered: bool

    def value(self, unit: float) -> Any:
        """The value at a place in [0, 1]; places between two ends are as likely as they are long."""


def rising(bounds: tuple[Any, Any]) -> tuple[Any, Any]:
    """Bounds whose first number is below the second.

    Raises:
        ConfigError: when they are not.
    """
    low, high = bounds
    if not low < high:
        raise ConfigError([Problem(("bounds",), "these bounds do not rise", "[low, high]", f"[{low}, {high}]")])
    return low, high


def level(unit: float, levels: int) -> int:
    """Which of so many equal pieces of [0, 1] a place lies in.

    Example:
        >>> [level(u, 4) for u in (0.0, 0.26, 1.0)]
        [0, 1, 3]
    """
    return min(int(unit * levels), levels - 1)


def rounded(value: float, low: float, high: float) -> float:
    """A value with few digits, within its bounds."""
    return min(max(float(f"{value:.{DIGITS}g}"), low), high)


@register("dimension", "choice")
class Choice:
    """One of several values, v_i with i = floor(u n), all equally likely.

    Parameters:
        values: of any kind a config may hold: numbers, names, things with parameters
        when: values of other dimensions with which this one counts

    Example:
        >>> [Choice(["adam", {"sgd": {"momentum": 0.9}}]).value(u) for u in (0.1, 0.9)]
        ['adam', {'sgd': {'momentum': 0.9}}]

    Source: Bergstra, Bardenet, Bengio, Kégl: Algorithms for hyper-parameter optimization, 2011.
    """

    ordered = False

    def __init__(self, values: Annotated[list[Any], MinLen(1)], when: Condition = None) -> None:
        self.values, self.when, self.levels = values, when, len(values)

    def value(self, unit: float) -> Any:
        """The value at a place in [0, 1]."""
        return self.values[level(unit, len(self.values))]


@register("dimension", "integer")
class Integer:
    """A whole number, low + floor(u (high − low + 1)), both bounds included.

    Parameters:
        bounds: smallest and largest value
        when: values of other dimensions with which this one counts

    Example:
        >>> [Integer((1, 4)).value(u) for u in (0.0, 0.5, 1.0)]
        [1, 3, 4]

    Source: Bergstra, Bardenet, Bengio, Kégl: Algorithms for hyper-parameter optimization, 2011.
    """

    ordered = True

    def __init__(self, bounds: IntegerBounds, when: Condition = None) -> None:
        self.low, self.high = rising(bounds)
        self.when, self.levels = when, self.high - self.low + 1

    def value(self, unit: float) -> int:
        """The value at a place in [0, 1]."""
        return self.low + level(unit, self.levels)


@register("dimension", "log_integer")
class LogInteger:
    """A whole number, evenly on a logarithmic scale: the rounding of (low − ½) ((high + ½) / (low − ½))^u.

    For widths and batch sizes, where a doubling counts the same wherever it happens.

    Parameters:
        bounds: smallest and largest value
        when: values of other dimensions with which this one counts

    Example:
        >>> [LogInteger((4, 256)).value(u) for u in (0.0, 0.5, 1.0)]
        [4, 30, 256]

    Source: Bergstra, Bengio: Random search for hyper-parameter optimization, 2012.
    """

    ordered, levels = True, None

    def __init__(self, bounds: CountBounds, when: Condition = None) -> None:
        self.low, self.high = rising(bounds)
        self.when = when

    def value(self, unit: float) -> int:
        """The value at a place in [0, 1]."""
        low, high = self.low - 0.5, self.high + 0.5
        return min(max(round(low * (high / low) ** unit), self.low), self.high)


@register("dimension", "uniform")
class Uniform:
    """A number, low + u (high − low).

    Parameters:
        bounds: smallest and largest value
        when: values of other dimensions with which this one counts

    Example:
        >>> Uniform((0.0, 0.5)).value(0.25)
        0.125

    Source: Bergstra, Bengio: Random search for hyper-parameter optimization, 2012.
    """

    ordered, levels = True, None

    def __init__(self, bounds: Bounds, when: Condition = None) -> None:
        self.low, self.high = map(float, rising(bounds))
        self.when = when

    def value(self, unit: float) -> float:
        """The value at a place in [0, 1]."""
        return rounded(self.low + unit * (self.high - self.low), self.low, self.high)


@register("dimension", "log_uniform")
class LogUniform:
    """A number evenly on a logarithmic scale, low (high / low)^u: for learning rates and penalties.

    Parameters:
        bounds: smallest and largest value
        when: values of other dimensions with which this one counts

    Example:
        >>> LogUniform((0.0001, 1.0)).value(0.5)
        0.01

    Source: Bergstra, Bengio: Random search for hyper-parameter optimization, 2012.
    """

    ordered, levels = True, None

    def __init__(self, bounds: PositiveBounds, when: Condition = None) -> None:
        self.low, self.high = map(float, rising(bounds))
        self.when = when

    def value(self, unit: float) -> float:
        """The value at a place in [0, 1]."""
        return rounded(self.low * (self.high / self.low) ** unit, self.low, self.high)


@register("dimension", "one_minus_log")
class OneMinusLog:
    """A number β below 1 with 1 − β evenly on a logarithmic scale: for momentum and other decays of averages.

    An average with decay β spans 1 / (1 − β) steps: from 0.9 to 0.99 is as far as from 0.99 to 0.999.

    Parameters:
        bounds: smallest and largest value, both below 1
        when: values of other dimensions with which this one counts

    Example:
        >>> [OneMinusLog((0.9, 0.999)).value(u) for u in (0.0, 0.5, 1.0)]
        [0.9, 0.99, 0.999]

    Source: Ng: Improving deep neural networks, course notes on the scale of hyper-parameters, 2017.
    """

    ordered, levels = True, None

    def __init__(self, bounds: Bounds, when: Condition = None) -> None:
        self.low, self.high = map(float, rising(bounds))
        self.when = when
        if self.high >= 1:
            raise ConfigError([Problem(("bounds", 1), "this decay would keep everything", "below 1", str(self.high))])

    def value(self, unit: float) -> float:
        """The value at a place in [0, 1]."""
        rest = (1 - self.low) * ((1 - self.high) / (1 - self.low)) ** unit
        digits = DIGITS - math.ceil(math.log10(rest))
        return min(max(round(1 - float(f"{rest:.{DIGITS}g}"), digits), self.low), self.high)


@register("dimension", "quantised")
class Quantised:
    """A multiple of a step above the lower bound: low + step floor(u n), n the multiples up to the upper bound.

    Parameters:
        bounds: smallest value, and the bound that no value exceeds
        step: from value to value
        when: values of other dimensions with which this one counts

    Example:
        >>> [Quantised((0.0, 0.5), step=0.1).value(u) for u in (0.0, 0.55, 1.0)]
        [0.0, 0.3, 0.5]

    Source: Bergstra, Yamins, Cox: Hyperopt, a Python library for optimizing hyper-parameters, 2013.
    """

    ordered = True

    def __init__(self, bounds: Bounds, step: Annotated[float, Gt(0)], when: Condition = None) -> None:
        self.low, self.high = rising(bounds)
        self.step, self.when = step, when
        self.levels = math.floor((self.high - self.low) / step + 1e-9) + 1
        self.whole = isinstance(self.low, int) and isinstance(step, int)

    def value(self, unit: float) -> float:
        """The value at a place in [0, 1]; a whole number where the lower bound and the step are."""
        exact = self.low + self.step * level(unit, self.levels)
        return exact if self.whole else rounded(exact, self.low, self.high)
