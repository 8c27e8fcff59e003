"""Every error a user may meet: where, what, what was expected, what was received, what to do.

The numerical code and the checks raise these; the command line prints them as one sentence and
exits with `exit_code`.  Nothing here imports anything but the standard library.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


class DltrainError(Exception):
    """Base of all errors that are addressed to the user.

    The text is one sentence: ``<where>: <what>; expected <expected>; got <got>; <hint>``.

    Parameters:
        what: what is wrong
        where: file, line, wire path, run or sample the sentence is about
        expected: what would have been right
        got: what was found instead
        hint: what to do about it

    Example:
        >>> str(DataError("wrong width", where="a.csv:3", expected="4 columns", got="5"))
        'a.csv:3: wrong width; expected 4 columns; got 5'
    """

    exit_code = 1

    def __init__(self, what: str, *, where: str = "", expected: str = "", got: str = "", hint: str = "") -> None:
        self.what, self.where, self.expected, self.got, self.hint = what, where, expected, got, hint
        super().__init__(sentence(what, where=where, expected=expected, got=got, hint=hint))


class UsageError(DltrainError):
    """The command line or a call asks for something that does not exist or does not fit together."""

    exit_code = 2


class DataError(DltrainError):
    """A data set, a label or a sample is not what it should be."""

    exit_code = 3


class NumericsError(DltrainError):
    """A computation left the finite numbers, or a gradient is wrong."""

    exit_code = 3


class CorruptFileError(DltrainError):
    """A file is damaged, or made to do harm."""

    exit_code = 4


class StorageError(DltrainError):
    """Reading or writing failed: permissions, full disk, a locked run."""

    exit_code = 5


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong in a config, addressed by its path in the config tree.

    Parameters:
        path: keys and list positions from the root, ``("model", "graph", "logits", 1, "dense", "units")``
        what: what is wrong
        expected: what would have been right
        got: what was found
        hint: what to do
        at_key: the problem is the key itself (a misspelt name), not its value
    """

    path: tuple[str | int, ...]
    what: str
    expected: str = ""
    got: str = ""
    hint: str = ""
    at_key: bool = False

    @property
    def dotted(self) -> str:
        """The path as text, ``model.graph.logits.1.dense.units``."""
        return ".".join(str(step) for step in self.path)


class ConfigError(DltrainError):
    """One or more problems of a config, all of them at once.

    Parameters:
        problems: what is wrong, in the order of the file
        text: the whole message; by default one sentence a problem, addressed by dotted path
    """

    exit_code = 2

    def __init__(self, problems: Iterable[Problem], text: str = "") -> None:
        self.problems = list(problems)
        lines = text or "\n".join(
            sentence(p.what, where=p.dotted, expected=p.expected, got=p.got, hint=p.hint) for p in self.problems
        )
        super().__init__(lines)


def sentence(what: str, *, where: str = "", expected: str = "", got: str = "", hint: str = "") -> str:
    """Put the parts of an error together, leaving out those that are empty.

    Example:
        >>> sentence("no such layer", where="x.yaml:3:7", got="'dens'", hint="did you mean 'dense'?")
        "x.yaml:3:7: no such layer; got 'dens'; did you mean 'dense'?"
    """
    parts = [what]
    if expected:
        parts.append(f"expected {expected}")
    if got:
        parts.append(f"got {got}")
    if hint:
        parts.append(hint)
    return (f"{where}: " if where else "") + "; ".join(parts)
