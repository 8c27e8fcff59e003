"""What fit and resume share: a display while it trains, and the result when it has ended."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dltrain.cli import threads

KEYS = ("run", "name", "epochs", "steps", "seconds", "stopped", "metrics", "best")
ENDS = {
    "epochs": "all epochs are done",
    "steps": "all steps are done",
    "early_stopping": "no more progress",
    "time": "the time is over",
    "signal": "interrupted; everything is saved",
}


def train(count: int | None, as_json: bool, function: str, *positional: Any, **options: Any) -> int:
    """Run one of the API's training functions with a display, and report its result; returns the exit code.

    Parameters:
        count: threads, None for the default
        as_json: print the result as JSON
        function: of `dltrain.api`, fit or resume
        positional: its arguments
        options: its options
    """
    threads.prepare(count)
    from dltrain import api
    from dltrain.cli.display import display
    from dltrain.cli.output import emit

    shown = display(as_json)
    try:
        summary = getattr(api, function)(*positional, progress=shown, **options)
    finally:
        shown.close()
    if as_json:
        emit({key: summary[key] for key in KEYS})
    else:
        print(text(summary))
    return int(summary.get("exit_code", 0))


def text(summary: Mapping[str, Any]) -> str:
    """The result for human eyes, with the commands that come next."""
    from dltrain.cli.output import duration, number

    epochs, steps = summary["epochs"], summary["steps"]
    lines = ["", f"{epochs} epochs, {steps} steps, {duration(summary['seconds'])}: {ENDS[summary['stopped']]}"]
    best, test = summary["best"], summary.get("test")
    if best:
        lines.append(f"best     epoch {best['epoch']}, {best['metric']} {number(best['value'])}")
    if test:
        lines.append("test     " + ", ".join(f"{name} {number(value)}" for name, value in test.items()))
    return "\n".join([*lines, f"run      {summary['run']}", "", *next_commands(summary)])


def next_commands(summary: Mapping[str, Any]) -> list[str]:
    """What a user may want to do now, one command a line."""
    run = _short(summary["run"])
    commands = {
        f"dltrain resume {run}": "go on where it stopped",
        f"dltrain evaluate {run}": "per class, and what is confused with what",
        f"dltrain gradcheck {run}": "prove its gradients",
        f"dltrain runs show {run}": "config, metrics and checkpoints",
    }
    if summary["stopped"] != "signal":
        commands.pop(f"dltrain resume {run}")
    width = max(map(len, commands))
    return ["Next:", *(f"  {command:<{width}}  # {purpose}" for command, purpose in commands.items())]


def _short(path: str) -> str:
    """A path as seen from here, quoted for the shell where that is needed."""
    import shlex
    from pathlib import Path

    place = Path(path)
    return shlex.quote(str(place.relative_to(Path.cwd()) if place.is_relative_to(Path.cwd()) else place))
