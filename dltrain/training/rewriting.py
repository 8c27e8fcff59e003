"""Changes one value in the text of a config, and leaves all the rest as its author wrote it."""

from __future__ import annotations

import re
from pathlib import Path as FilePath
from typing import Any

from dltrain.config.experiment import Experiment, load
from dltrain.config.yaml_writer import flow
from dltrain.errors import ConfigError, UsageError
from dltrain.runs.files import atomic_write

TOKEN = re.compile(r"[^\s,{}\[\]#]+")


def rewrite(path: str | FilePath, experiment: Experiment, at: tuple[str, ...], value: Any, comment: str) -> int:
    """Write a value where the file has the old one, with a comment behind it; returns the line.

    A registered thing that is named only, `optimizer: adam`, gets the parameter.

    Parameters:
        path: the file
        experiment: what it means now
        at: path of the value
        value: the new one
        comment: what is said of it

    Raises:
        UsageError: when the file does not have the value itself, or the change would change more.
    """
    file = FilePath(path)
    hint = f"write `{'.'.join(at)}: {flow(value)}` yourself"
    old = experiment.origin(at)
    if old.kind == "file" and old.file == str(path):
        text = flow(value)
    else:
        old = experiment.origin(at[:-1][:1])
        text = flow({at[1]: {at[2]: value}})
        if len(at) != 3 or old.kind != "file" or old.file != str(path):
            what = "the value is not written in this file"
            raise UsageError(what, where=f"{path}: {'.'.join(at)}", got=str(experiment.origin(at)), hint=hint)
    lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
    line = lines[old.line - 1]
    found = TOKEN.match(line, old.column - 1)
    body = line.rstrip("\r\n")
    if found is not None:
        changed = body[: old.column - 1] + text + body[found.end() :]
        lines[old.line - 1] = (
            changed.split(f"  # {comment.partition(':')[0]}:")[0] + f"  # {comment}" + line[len(body) :]
        )
    trial = file.with_name(f".{file.name}.changed")
    try:
        atomic_write(trial, "".join(lines))
        try:
            same = (
                load(trial, extra={"name": experiment.name}).resolved
                == load(file, extra={".".join(at): value}).resolved
            )
        except ConfigError:
            same = False
        if not same or found is None:
            where = f"{path}:{old.line}:{old.column}"
            raise UsageError("this cannot be rewritten without changing more", where=where, hint=hint)
    finally:
        trial.unlink(missing_ok=True)
    atomic_write(file, "".join(lines))
    return old.line
