"""What the user is told when something fails: one sentence, an exit code, and the same as JSON."""

from __future__ import annotations

import errno
import re
from dataclasses import dataclass
from typing import Any

import click

from dltrain.errors import ConfigError, DltrainError, sentence

USAGE = 2
STORAGE = 5
INTERRUPTED = 130
INTERNAL = 1


@dataclass(frozen=True)
class Failure:
    """An error as it is shown.

    Parameters:
        text: for standard error
        exit_code: of the process
        parts: what, where, expected, got, hint
        problems: of a config, each with the same parts
    """

    text: str
    exit_code: int
    parts: dict[str, str]
    problems: list[dict[str, str]]

    def as_json(self) -> dict[str, Any]:
        """The object that stands under `error`."""
        return {**self.parts, "exit_code": self.exit_code, "problems": self.problems, "text": self.text}


def failure_of(error: BaseException) -> Failure:
    """How an error is shown; what is not one of dltrain's or the system's own is an internal error."""
    if isinstance(error, ConfigError) and error.problems:
        problems = [_parts(p.what, p.dotted, p.expected, p.got, p.hint) for p in error.problems]
        return Failure(_marked(str(error)), error.exit_code, problems[0], problems)
    if isinstance(error, DltrainError):
        parts = _parts(error.what, error.where, error.expected, error.got, error.hint)
        return Failure(_marked(str(error)), error.exit_code, parts, [])
    if isinstance(error, click.Abort):
        return _simple("interrupted", exit_code=INTERRUPTED)
    if isinstance(error, click.ClickException):
        return _of_click(error)
    if isinstance(error, OSError) and error.errno is not None:
        where = str(error.filename or "")
        hint = "free some space" if error.errno == errno.ENOSPC else ""
        return _simple((error.strerror or "input/output error").lower(), where, hint=hint, exit_code=STORAGE)
    if isinstance(error, MemoryError):
        return _simple("out of memory", hint="make the model or train.batch_size smaller", exit_code=STORAGE)
    what = f"internal error: {type(error).__name__}: {error}".splitlines()[0]
    return _simple(what, hint="please report it; --debug shows the traceback", exit_code=INTERNAL)


def _of_click(error: click.ClickException) -> Failure:
    what, expected, got = error.format_message().rstrip("."), "", ""
    context = getattr(error, "ctx", None)
    where = "" if context is None else context.command_path
    hint = "" if context is None or "id you mean" in what or "--help`" in what else f"`{where} --help` shows the usage"
    if isinstance(error, click.NoSuchOption):
        what = f"there is no option {error.option_name}"
        near = error.possibilities or ()
        hint = f"did you mean {' or '.join(sorted(near))}?" if near else hint
    elif isinstance(error, click.MissingParameter) and error.param is not None:
        what = f"{_named(error.param, context)} is missing"
    elif isinstance(error, click.BadParameter) and error.param is not None and context is not None:
        refused = re.match(r"'?(.*?)'? is not ", error.message)
        expected = _wanted(error.param.type)
        if refused and expected:
            what, got = f"wrong value of {_named(error.param, context)}", repr(refused[1])
        else:
            expected = ""
    return _simple(what[:1].lower() + what[1:] if what[1:2].islower() else what, where, expected, got, hint, USAGE)


def _named(parameter: click.Parameter, context: click.Context | None) -> str:
    """An option or argument as the user writes it."""
    if isinstance(parameter, click.Option):
        return parameter.opts[-1]
    return parameter.make_metavar(context or _NOWHERE) if parameter.metavar else (parameter.name or "").upper()


def _wanted(kind: click.ParamType) -> str:
    """The values that an option takes, in words."""
    if isinstance(kind, click.Choice):
        return f"one of {', '.join(map(str, kind.choices))}"
    if isinstance(kind, click.IntRange):
        if kind.max is None:
            return "a whole number" if kind.min is None else f"a whole number, {kind.min} or more"
        return f"a whole number from {kind.min or 0} to {kind.max}"
    return ""


_NOWHERE = click.Context(click.Command("dltrain"))


def _simple(
    what: str, where: str = "", expected: str = "", got: str = "", hint: str = "", exit_code: int = INTERNAL
) -> Failure:
    text = sentence(what, where=where, expected=expected, got=got, hint=hint)
    return Failure(_marked(text), exit_code, _parts(what, where, expected, got, hint), [])


def _parts(what: str, where: str, expected: str, got: str, hint: str) -> dict[str, str]:
    return {"what": what, "where": where, "expected": expected, "got": got, "hint": hint}


def _marked(text: str) -> str:
    """With the program's name in front, unless it is there, or each line begins with its own place in a file."""
    return text if text.startswith("dltrain") or "\n" in text else f"dltrain: {text}"
