"""The entry point: finds the command, and turns every error into one sentence and an exit code."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import NoReturn

from dltrain.cli.commands import overview

HELP = ("--help", "-h")
INTERRUPTED = 130
CLOSED_PIPE = 141  # as if the signal of a closed pipe had ended it


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit.

    Parameters:
        arguments: of the command line, without the program's name; default `sys.argv`

    Raises:
        SystemExit: always, with the exit code.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a terminal without Unicode shows ? instead of an error
    try:
        code = run(given)
        sys.stdout.flush()
    except BrokenPipeError:
        code = _leave_closed_pipe()
    except OSError as error:  # standard output itself cannot be written
        code = _report(error, given)
    sys.exit(code)


def run(arguments: list[str]) -> int:
    """Run the command line; returns the exit code.

    Parameters:
        arguments: of the command line, without the program's name
    """
    if not _completing() and arguments in ([], *([word] for word in HELP)):
        sys.stdout.write(overview())  # without Click, whose import takes longer than all the rest
        return 0
    try:
        return _invoke(arguments)
    except BrokenPipeError:
        raise
    except KeyboardInterrupt:
        print("dltrain: interrupted", file=sys.stderr)
        return INTERRUPTED
    except Exception as error:
        return _report(error, arguments)


def _invoke(arguments: list[str]) -> int:
    import click

    from dltrain.cli.base import root

    if _completing():
        root.main(arguments, prog_name="dltrain")  # exits
    try:
        with root.make_context("dltrain", list(arguments)) as context:  # not root.main, which hides a closed pipe
            result = root.invoke(context)
    except click.exceptions.Exit as end:
        return end.exit_code
    return result if isinstance(result, int) else 0


def _report(error: Exception, arguments: list[str]) -> int:
    """Say what is wrong, on standard error and, with --json, as an object; returns the exit code."""
    from dltrain.cli.failure import failure_of

    failure = failure_of(error)
    if "--debug" in arguments:
        import traceback

        traceback.print_exception(error)
    print(failure.text, file=sys.stderr)
    if "--json" in arguments:
        from dltrain.cli.output import emit

        emit({"error": failure.as_json()})
    return failure.exit_code


def _leave_closed_pipe() -> int:
    """The reader of standard output is gone (`dltrain list | head`): end as quietly as other programs do."""
    import os

    devnull = os.open(os.devnull, os.O_WRONLY)
    os.dup2(devnull, sys.stdout.fileno())  # or the interpreter complains when it flushes at its end
    return CLOSED_PIPE


def _completing() -> bool:
    """Whether the shell asks for completions."""
    import os

    return "_DLTRAIN_COMPLETE" in os.environ
