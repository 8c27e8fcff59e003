"""The entry point: finds the command, and turns every error into one sentence and an exit code."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence
from types import FrameType
from typing import Any, NoReturn

from dltrain.cli.commands import overview

HELP = ("--help", "-h")
INTERRUPT = 2  # the signal of Ctrl-C
CLOSED_PIPE = 141  # as if the signal of a closed pipe had ended it
STANDARD_OUTPUT = "standard output"


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit.

    Parameters:
        arguments: of the command line, without the program's name; default `sys.argv`

    Raises:
        SystemExit: always, with the exit code.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    _open_streams()
    if not _first_page(given):
        _end_at_signals()  # while it trains, `Interruption` takes them: it saves first
    code = 0
    try:
        code = run(given)
        sys.stdout.flush()
    except BrokenPipeError:
        _leave(sys.stdout)
        code = CLOSED_PIPE
    except OSError as error:  # standard output itself cannot be written
        code = code or _report(error, given)
    _finish()
    sys.exit(code)


def run(arguments: list[str]) -> int:
    """Run the command line; returns the exit code.

    Parameters:
        arguments: of the command line, without the program's name
    """
    if _first_page(arguments):
        sys.stdout.write(overview())  # without Click, whose import takes longer than all the rest
        return 0
    try:
        return _invoke(arguments)
    except BrokenPipeError:
        raise
    except KeyboardInterrupt as error:
        _say("dltrain: interrupted")
        return 128 + getattr(error, "number", INTERRUPT)
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
    except click.exceptions.NoArgsIsHelpError as page:
        sys.stdout.write(("" if page.ctx is None else page.ctx.get_help()) + "\n")
        return 0
    return result if isinstance(result, int) else 0


def _report(error: Exception, arguments: list[str]) -> int:
    """Say what is wrong, on standard error and, with --json, as an object; returns the exit code."""
    from dltrain.cli.failure import failure_of

    failure = failure_of(error)
    if "--debug" in arguments:
        import traceback

        _say("".join(traceback.format_exception(error)).rstrip("\n"))
    _say(failure.text)
    if isinstance(error, OSError) and error.filename == STANDARD_OUTPUT:
        _leave(sys.stdout)
    elif "--json" in arguments:
        from dltrain.cli.output import emit

        emit({"error": failure.as_json()})
    return failure.exit_code


def _say(line: str) -> None:
    """Write a line to standard error; where that cannot be written, nobody can be told."""
    try:
        print(line, file=sys.stderr, flush=True)
    except OSError:
        _leave(sys.stderr)


class _Output(io.FileIO):
    """Standard output, whose errors say that it is standard output."""

    def write(self, data: Any, /) -> int:
        """Write bytes; returns how many were taken."""
        try:
            return super().write(data)
        except OSError as error:
            error.filename = STANDARD_OUTPUT
            raise


def _open_streams() -> None:
    """Put the null device where a stream is closed, and let the others take every letter."""
    for name, number in (("stdin", 0), ("stdout", 1), ("stderr", 2)):
        if getattr(sys, name) is None:
            try:
                os.fstat(number)
            except OSError:  # else the next file that is opened would get the number
                os.open(os.devnull, os.O_RDWR)
            setattr(sys, name, open(os.devnull, "r" if number == 0 else "w", encoding="utf-8"))  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a terminal without Unicode shows ? instead of an error
    _name_output(sys.stdout)


def _name_output(out: Any) -> None:
    """Let the errors of a real standard output say what they are about."""
    buffer = getattr(out, "buffer", None)
    real = sys.__stdout__ is out  # not one that a caller has put there
    if not real or type(getattr(buffer, "raw", buffer)) is not io.FileIO:
        return
    raw, direct = _Output(out.fileno(), "wb", closefd=False), isinstance(buffer, io.FileIO)
    sys.stdout = io.TextIOWrapper(
        raw if direct else io.BufferedWriter(raw),
        out.encoding,
        "replace",
        line_buffering=out.line_buffering,
        write_through=direct,
    )


def _leave(stream: Any) -> None:
    """Let the null device take what a stream cannot, or the interpreter complains when it flushes at its end."""
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        stream.flush()
    except (OSError, ValueError):  # not a real file
        pass


def _finish() -> None:
    """Leave nothing for the interpreter to flush."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            _leave(stream)


def _end_at_signals() -> None:
    """Let Ctrl-C and SIGTERM end the process at once: compiled code swallows Python's own KeyboardInterrupt."""
    import signal

    try:
        import termios

        terminal = termios.tcgetattr(0)
    except Exception:  # no terminal, or a system without them
        terminal = []

    def end(number: int, frame: FrameType | None) -> None:
        try:
            if terminal and os.tcgetpgrp(0) == os.getpgrp():  # in the background it would be stopped instead
                termios.tcsetattr(0, termios.TCSANOW, terminal)
            os.write(2, b"dltrain: interrupted\n")
        finally:
            os._exit(128 + number)

    try:
        for number in (signal.SIGINT, signal.SIGTERM):
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, end)
    except ValueError:  # not in the main thread
        pass


def _first_page(arguments: list[str]) -> bool:
    """Whether nothing but the page of all commands is asked for."""
    return arguments in ([], *([word] for word in HELP)) and not _completing()


def _completing() -> bool:
    """Whether the shell asks for completions."""
    return "_DLTRAIN_COMPLETE" in os.environ
