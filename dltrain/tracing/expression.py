"""A plain expression as a graph: values forward, derivatives backward, each node by itself, checked numerically."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from dltrain.errors import NumericsError, UsageError
from dltrain.suggest import hint
from dltrain.tracing.grammar import Step, parse

STEP = 6e-6  # relative, of the central differences: the cube root of the rounding error of doubles
AGREES = 1e-6  # relative difference from a numerical derivative
ROUNDING = 4 * sys.float_info.epsilon  # relative, of a value

Numbers = tuple[float, ...]


class Rule(NamedTuple):
    """One kind of operation.

    Parameters:
        value: of its arguments
        slopes: its derivatives by its arguments, of these and of its value
    """

    value: Callable[..., float]
    slopes: Callable[[Numbers, float], Numbers]


def sigmoid(x: float) -> float:
    """1 / (1 + exp(-x)), without overflow."""
    return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))


def power_slopes(x: Numbers, y: float) -> Numbers:
    """d(a^b)/da = b a^(b-1), d(a^b)/db = a^b ln a; the latter only where a is positive."""
    a, b = x
    return (b * a ** (b - 1) if b else 0.0), (y * math.log(a) if a > 0 else 0.0)


RULES: dict[str, Rule] = {
    "=": Rule(lambda a: a, lambda x, y: (1.0,)),
    "neg": Rule(lambda a: -a, lambda x, y: (-1.0,)),
    "+": Rule(lambda a, b: a + b, lambda x, y: (1.0, 1.0)),
    "-": Rule(lambda a, b: a - b, lambda x, y: (1.0, -1.0)),
    "*": Rule(lambda a, b: a * b, lambda x, y: (x[1], x[0])),
    "/": Rule(lambda a, b: a / b, lambda x, y: (1 / x[1], -y / x[1])),
    "^": Rule(lambda a, b: a**b, power_slopes),
    "exp": Rule(math.exp, lambda x, y: (y,)),
    "log": Rule(math.log, lambda x, y: (1 / x[0],)),
    "sqrt": Rule(math.sqrt, lambda x, y: (1 / (2 * y),)),
    "sin": Rule(math.sin, lambda x, y: (math.cos(x[0]),)),
    "cos": Rule(math.cos, lambda x, y: (-math.sin(x[0]),)),
    "tanh": Rule(math.tanh, lambda x, y: (1 - y * y,)),
    "sigmoid": Rule(sigmoid, lambda x, y: (y * (1 - y),)),
    "relu": Rule(lambda a: max(a, 0.0), lambda x, y: (float(x[0] > 0),)),
    "abs": Rule(abs, lambda x, y: (math.copysign(1.0, x[0]) if x[0] else 0.0,)),
}


def trace_expression(text: str, given: Mapping[str, float]) -> dict[str, Any]:
    """Values and derivatives of an expression, node by node.

    Parameters:
        text: one statement or several, the last of which is what derivatives are taken of
        given: {input: value}

    Returns:
        {expression, result, value, inputs: [{name, value, gradient, numerical}], forward: [{name, formula, value}],
        backward: [{of, by, through, arriving, slope, gives}], gradients: {node: derivative}, largest_error, passed}; a
        derivative that arrives by several ways is the sum of what each gives

    Raises:
        UsageError: when the text is no expression, or an input has no value.
        NumericsError: when an operation has no value there.

    Example:
        >>> found = trace_expression("J = 3*(a + b*c)", {"a": 5, "b": 3, "c": 2})
        >>> found["value"], {row["name"]: row["gradient"] for row in found["inputs"]}
        (33.0, {'a': 3.0, 'b': 6.0, 'c': 9.0})

    Source: Linnainmaa: The representation of the cumulative rounding error of an algorithm, 1970.
    """
    steps = parse(text)
    inputs = checked(steps, given)
    values = forward(steps, inputs)
    way, gradients = backward(steps, values)
    rows: list[dict[str, Any]] = [
        {"name": name, "value": value, "gradient": gradients[name], "numerical": numerical(steps, inputs, name)}
        for name, value in inputs.items()
    ]
    compared = [row for row in rows if row["numerical"] is not None]
    errors = [abs(row["gradient"] - row["numerical"]) / max(1.0, abs(row["gradient"])) for row in compared]
    blur = ROUNDING * sum(abs(values[name] * slope) for name, slope in gradients.items())  # of the result
    allowed = [AGREES + blur / step_of(row["value"]) / max(1.0, abs(row["gradient"])) for row in compared]
    result = steps[-1].name
    return {
        "expression": text,
        "result": result,
        "value": values[result],
        "inputs": rows,
        "forward": [{"name": s.name, "formula": s.formula, "value": values[s.name]} for s in steps],
        "backward": way,
        "gradients": {name: gradients[name] for name in (*inputs, *(step.name for step in steps))},
        "largest_error": max(errors, default=0.0),
        "passed": all(error < most for error, most in zip(errors, allowed, strict=True)),
    }


def checked(steps: Sequence[Step], given: Mapping[str, float]) -> dict[str, float]:
    """The inputs of an expression, in the order in which they were given.

    Raises:
        UsageError: when one has no value, or a value has no input.
    """
    made = {step.name for step in steps}
    used = [name for step in steps for name in step.arguments if is_name(name) and name not in made]
    wanted = list(dict.fromkeys(used))
    for name in wanted:
        if name not in given:
            raise UsageError(f"{name} has no value", where="expression", hint=f"give it: `--set {name}=2`")
    for name in given:
        if name not in wanted:
            what = "it is computed and cannot be set" if name in made else "the expression has no such input"
            raise UsageError(what, where=f"--set {name}", hint=hint(name, wanted, f"its inputs: {', '.join(wanted)}"))
    return {name: float(value) for name, value in given.items()}


def is_name(argument: str) -> bool:
    """Whether an argument is a name and no number."""
    return argument[0].isalpha() or argument[0] == "_"


def forward(steps: Sequence[Step], inputs: Mapping[str, float]) -> dict[str, float]:
    """The value of every input and node.

    Raises:
        NumericsError: when an operation has no finite value there.
    """
    values = dict(inputs)
    for step in steps:
        arguments = arguments_of(step, values)
        try:
            value = RULES[step.operation].value(*arguments)
        except (ArithmeticError, ValueError):
            value = math.nan
        if isinstance(value, complex) or not math.isfinite(value):
            got = ", ".join(f"{argument:g}" for argument in arguments)
            raise NumericsError("it has no finite value", where=f"{step.name} = {step.formula}", got=f"arguments {got}")
        values[step.name] = float(value)
    return values


def arguments_of(step: Step, values: Mapping[str, float]) -> Numbers:
    """The values of an operation's arguments."""
    return tuple(values[name] if is_name(name) else float(name) for name in step.arguments)


def backward(steps: Sequence[Step], values: Mapping[str, float]) -> tuple[list[dict[str, Any]], dict[str, float]]:
    """(each application of the chain rule, {name: derivative of the result}), from the result back to the inputs.

    Raises:
        NumericsError: when an operation has no derivative there.
    """
    gradients = dict.fromkeys(values, 0.0)
    gradients[steps[-1].name] = 1.0
    way = []
    for step in reversed(steps):
        arguments, arriving = arguments_of(step, values), gradients[step.name]
        try:
            slopes = RULES[step.operation].slopes(arguments, values[step.name])
        except (ArithmeticError, ValueError):
            what = "it has no finite derivative"
            raise NumericsError(what, where=f"{step.name} = {step.formula}", got=f"arguments {arguments}") from None
        for name, slope in zip(step.arguments, slopes, strict=True):
            if is_name(name):
                gives = arriving * slope
                gradients[name] += gives
                facts = {"of": steps[-1].name, "by": name, "through": step.name}
                way.append({**facts, "arriving": arriving, "slope": slope, "gives": gives})
    return way, gradients


def step_of(value: float) -> float:
    """How far beside a value an expression is computed for a numerical derivative."""
    return STEP * max(1.0, abs(value))


def numerical(steps: Sequence[Step], inputs: Mapping[str, float], name: str) -> float | None:
    """The derivative of the result by an input, by central differences; None where a value beside it does not exist."""
    h = step_of(inputs[name])
    up, down = inputs[name] + h, inputs[name] - h
    result = steps[-1].name
    try:
        return (forward(steps, {**inputs, name: up})[result] - forward(steps, {**inputs, name: down})[result]) / (
            up - down
        )
    except NumericsError:
        return None
