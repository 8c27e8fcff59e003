"""What fit and resume share: a display while it trains, and the result when it has ended."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from dltrain.cli import threads

KEYS = ("run", "name", "epochs", "steps", "seconds", "stopped", "metrics", "best")
CLASS_METRICS = {"accuracy", "precision", "recall", "f1"}
JUDGED = CLASS_METRICS | {"r2"}  # metrics of tasks whose single examples are judged
ENDS = {
    "epochs": "all epochs are done",
    "steps": "all steps are done",
    "early_stopping": "no more progress",
    "time": "the time is over",
    "fitted": "fitted",
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
        print(text(summary, options.get("plugins", ())))
    return int(summary.get("exit_code", 0))


def text(summary: Mapping[str, Any], plugins: Sequence[str] = ()) -> str:
    """The result for human eyes, with the commands that come next.

    Parameters:
        summary: of the run
        plugins: files that the command was given, which the next commands need too
    """
    from dltrain.cli.output import duration, number

    epochs, steps = summary["epochs"], summary["steps"]
    done = f"{epochs} {'epoch' if epochs == 1 else 'epochs'}, {steps} {'step' if steps == 1 else 'steps'}"
    lines = ["", f"{done}, {duration(summary['seconds'])}: {ENDS[summary['stopped']]}"]
    best, test = summary["best"], summary.get("test")
    if best:
        kept = {True: ", all bounds kept", False: ", the bounds missed least"}.get(best.get("satisfied"), "")
        lines.append(f"best     epoch {best['epoch']}, {best['metric']} {number(best['value'])}{kept}")
    if test:
        lines.append("test     " + ", ".join(f"{name} {number(value)}" for name, value in test.items()))
    return "\n".join([*lines, f"run      {summary['run']}", "", *next_commands(summary, plugins)])


def next_commands(summary: Mapping[str, Any], plugins: Sequence[str] = ()) -> list[str]:
    """What a user may want to do now, one command a line."""
    run = _short(summary["run"])
    extra = "".join(f" --plugin {shlex.quote(str(file))}" for file in plugins)
    measured = {name.rpartition(".")[2] for values in (summary.get("metrics") or {}).values() for name in values}
    classes = not measured or measured & CLASS_METRICS
    judged, stopped = bool(measured & JUDGED), summary["stopped"]
    held_out = bool((summary.get("metrics") or {}).get("validation"))
    wanted = (
        (f"resume {run}{extra}", "go on where it stopped", stopped == "signal"),
        (f"evaluate {run}{extra}", "per class, and what is confused with what" if classes else "every metric", True),
        (f"errors {run}{extra}", "which examples it gets wrong", judged and held_out),
        (f"diagnose {run}{extra}", "what holds it back, and what to try next", judged),
        (f"show saliency {run}{extra}", "what its answers hang on", bool(summary.get("pictures"))),
        (f"gradcheck {run}{extra}", "prove its gradients", stopped != "fitted"),
        (f"runs show {run}", "config, metrics and checkpoints", True),
    )
    commands = {f"dltrain {command}": purpose for command, purpose, fits in wanted if fits}
    width = max(map(len, commands))
    return ["Next:", *(f"  {command:<{width}}  # {purpose}" for command, purpose in commands.items())]


def _short(path: str) -> str:
    """A path as seen from here, quoted for the shell where that is needed."""
    from pathlib import Path

    place = Path(path)
    return shlex.quote(str(place.relative_to(Path.cwd()) if place.is_relative_to(Path.cwd()) else place))
