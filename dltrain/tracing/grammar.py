"""The grammar of expressions: `u = b*c; J = 3*(a + u)` becomes a list of operations, one a node.

    text       = statement { ";" statement }
    statement  = name "=" sum
    sum        = product { ("+" | "-") product }
    product    = sign { ("*" | "/") sign }
    sign       = "-" sign | power
    power      = atom [ ("^" | "**") sign ]
    atom       = number | name | function "(" sum ")" | "(" sum ")"

Nothing is ever evaluated by Python.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from dltrain.errors import UsageError
from dltrain.suggest import hint

LONGEST = 2000  # characters
DEEPEST = 60  # brackets, signs and powers within each other
FUNCTIONS = ("exp", "log", "sqrt", "sin", "cos", "tanh", "sigmoid", "relu", "abs")
NUMBER = r"[0-9]+\.?[0-9]*(?:[eE][+-]?[0-9]+)?|\.[0-9]+(?:[eE][+-]?[0-9]+)?"
TOKEN = re.compile(rf"\s*(?:({NUMBER})|([^\W\d]\w*)|(\*\*|[-+*/^()=;]))")


@dataclass(frozen=True)
class Step:
    """One operation.

    Parameters:
        name: of its value: the user's, or u1, u2 …
        operation: + - * / ^, neg, =, or a function
        arguments: names of nodes and inputs, or numbers as they were written
    """

    name: str
    operation: str
    arguments: tuple[str, ...]

    @property
    def formula(self) -> str:
        """As one writes it: `3 * u2`, `exp(x)`."""
        first, *rest = self.arguments
        if rest:
            return f"{first} {self.operation} {rest[0]}"
        return {"neg": f"-{first}", "=": first}.get(self.operation, f"{self.operation}({first})")


def parse(text: str) -> list[Step]:
    """The operations of a text, each after those that it needs.

    Parameters:
        text: statements

    Raises:
        UsageError: with the place where the text is none of this grammar.

    Example:
        >>> [f"{step.name} = {step.formula}" for step in parse("J = 3*(a + b*c)")]
        ['u1 = b * c', 'u2 = a + u1', 'J = 3 * u2']
    """
    return Parser(text).steps


class Parser:
    """Reads a text from left to right.

    Parameters:
        text: statements
    """

    def __init__(self, text: str) -> None:
        if len(text) > LONGEST:
            raise UsageError("the expression is too long", expected=f"at most {LONGEST} characters", got=str(len(text)))
        self.text, self.position, self.depth = text, 0, 0
        self.steps: list[Step] = []
        self.known: dict[tuple[str, tuple[str, ...]], str] = {}  # an operation that stands there twice is one node
        self.number = 0  # of the newest name that was made up
        self.taken = set(re.findall(r"[^\W\d]\w*", text))
        while self.statement():
            pass

    def statement(self) -> bool:
        """Read a statement; returns whether another one follows."""
        name = self.name()
        if name in FUNCTIONS:
            raise self.refusal(f"{name} is a function", "another name")
        if any(step.name == name for step in self.steps):
            raise self.refusal(f"{name} is assigned twice", "a name of its own for each value")
        if any(name in step.arguments for step in self.steps):
            raise self.refusal(f"{name} is used before it is assigned", "statements in the order of their use")
        self.wanted("=")
        start = len(self.steps)
        value = self.sum()
        if len(self.steps) > start and self.steps[-1].name == value:  # the last operation bears the user's name
            last, self.number = self.steps.pop(), self.number - 1
            self.known = {key: known for key, known in self.known.items() if known != value}
            self.put(last.operation, last.arguments, name)
        else:
            self.put("=", (value,), name)
        if name in self.steps[-1].arguments or any(name in step.arguments for step in self.steps[start:]):
            raise self.refusal(f"{name} is used in its own statement", "another name")
        if self.next() == "":
            return False
        self.wanted(";")
        return self.next() != ""

    def put(self, operation: str, arguments: tuple[str, ...], name: str = "") -> str:
        """Add an operation, unless it is there; returns the name of its value."""
        if not name and (operation, arguments) in self.known:
            return self.known[operation, arguments]
        name = name or self.fresh()
        self.known[operation, arguments] = name
        self.steps.append(Step(name, operation, arguments))
        return name

    def fresh(self) -> str:
        """A name that the text does not use."""
        self.number += 1
        while f"u{self.number}" in self.taken:
            self.number += 1
        return f"u{self.number}"

    def sum(self) -> str:
        """Products, added."""
        return self.chain(("+", "-"), self.product)

    def product(self) -> str:
        """Powers, multiplied."""
        return self.chain(("*", "/"), self.sign)

    def chain(self, signs: tuple[str, ...], part: Callable[[], str]) -> str:
        """Parts between signs, from left to right."""
        value = part()
        while (sign := self.next()) in signs:
            self.wanted(sign)
            value = self.put(sign, (value, part()))
        return value

    def sign(self) -> str:
        """Something with a minus, or a power."""
        with self.deeper():
            if self.next() == "-":
                self.wanted("-")
                return self.put("neg", (self.sign(),))
            value = self.atom()
            if self.next() in ("^", "**"):
                self.wanted(self.next())
                return self.put("^", (value, self.sign()))
            return value

    def atom(self) -> str:
        """A number, a name, a function of something, or something in brackets."""
        token = self.next()
        if token == "(":
            return self.bracket()
        if token[:1].isdigit() or token[:1] == ".":
            self.wanted(token)
            return token
        name = self.name()
        if self.next() != "(":
            return name
        if name not in FUNCTIONS:
            near = hint(name, FUNCTIONS, f"there are {', '.join(FUNCTIONS)}")
            raise self.refusal(f"there is no function {name}", "", near)
        return self.put(name, (self.bracket(),))

    def bracket(self) -> str:
        """Something in brackets."""
        self.wanted("(")
        with self.deeper():
            value = self.sum()
        self.wanted(")")
        return value

    @contextmanager
    def deeper(self) -> Iterator[None]:
        """One level further down."""
        self.depth += 1
        if self.depth > DEEPEST:
            raise self.refusal("the expression is nested too deeply", f"at most {DEEPEST} levels")
        yield
        self.depth -= 1

    def name(self) -> str:
        """Read a name."""
        token = self.next()
        if not token[:1].isalpha() and token[:1] != "_":
            raise self.refusal(f"{shown(token)} stands where a name or a number should", "")
        self.wanted(token)
        return token

    def next(self) -> str:
        """The token ahead; empty at the end."""
        found = TOKEN.match(self.text, self.position)
        name = found[2] if found and found[2] else ""
        odd = [letter for letter in name if not f"a{letter}".isidentifier()]  # ² and ½ are letters of a word
        rest = "" if found else self.text[self.position :].strip()
        if rest or odd:
            bad = (odd or rest)[0]
            raise self.refusal(f"{bad!r} is no part of an expression", "numbers, names, + - * / ^ and brackets")
        return found[found.lastindex or 0] if found else ""

    def wanted(self, token: str) -> None:
        """Step over a token that must be there."""
        if self.next() != token:
            raise self.refusal(f"{shown(self.next())} stands there", repr(token))
        found = TOKEN.match(self.text, self.position)
        self.position = found.end() if found else self.position

    def refusal(self, what: str, expected: str, advice: str = "") -> UsageError:
        """The error at the present place."""
        place = min(self.position + 1, len(self.text))
        return UsageError(what, where=f"expression, character {place}", expected=expected, hint=advice)


def shown(token: str) -> str:
    """A token in an error."""
    return repr(token) if token else "nothing"
