"""dltrain runs: list, show, compare and remove runs."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import click

from dltrain.cli import arguments
from dltrain.cli.base import command, group

NOT_REMOVED = 1
SHOWN = 12  # evaluations of a run on the screen
STATES = {
    "epochs": "done",
    "steps": "done",
    "time": "done",
    "fitted": "done",
    "early_stopping": "done early",
    "signal": "interrupted",
}


@group("runs")
def cli() -> None:
    """List, show, compare and remove runs."""


@command("ls")
@arguments.runs
def list_runs(runs: str, as_json: bool) -> None:
    """List all runs."""
    from dltrain.cli import output
    from dltrain.runs import listing

    rows = listing.rows(runs)
    if as_json:
        output.emit({"runs": [{**asdict(row), "path": str(row.path)} for row in rows]})
    elif not rows:
        output.note(f"there are no runs in {runs}; `dltrain fit digits-mlp` makes one")
    else:
        headers = ["run", "status", "epochs", "steps", "best", "size"]
        cells = [
            [
                r.name,
                STATES.get(r.status, r.status),
                r.summary.get("epochs"),
                r.step,
                best(r.summary),
                output.size(r.bytes),
            ]
            for r in rows
        ]
        output.show(output.table(headers, cells, right=["epochs", "steps", "size"]))


@command("show")
@arguments.run
@arguments.runs
def show_run(run: str, runs: str, as_json: bool) -> None:
    """Show one run: result, metrics, checkpoints, environment."""
    from dltrain.cli import output
    from dltrain.runs.folder import RunFolder
    from dltrain.runs.listing import details

    found = details(RunFolder.find(run, runs))
    if as_json:
        output.emit(found)
        return
    facts = [
        ("folder", found["path"]),
        ("status", STATES.get(found["status"], found["status"])),
        ("best", best(found["summary"])),
    ]
    facts += [(name, value) for name, value in environment(found["environment"])]
    output.show(output.table(["run", found["name"]], facts))
    if found["metrics"]:
        output.show("", metrics(found["metrics"]))
    checkpoints = [
        [c["step"], c["file"], output.size(c["bytes"]), c["problem"] or "whole"] for c in found["checkpoints"]
    ]
    output.show("", output.table(["step", "checkpoint", "size", "state"], checkpoints, right=["step", "size"]))


@command("diff")
@click.argument("first", shell_complete=arguments.complete_run)
@click.argument("second", shell_complete=arguments.complete_run)
@arguments.runs
def compare_runs(first: str, second: str, runs: str, as_json: bool) -> None:
    """Show where the configs and results of two runs differ."""
    from dltrain.cli import output
    from dltrain.config import load
    from dltrain.runs.folder import RunFolder
    from dltrain.runs.listing import differences, row

    pair = [RunFolder.find(name, runs) for name in (first, second)]
    found = {
        "config": differences(*(load(run.config_path).resolved for run in pair)),
        "result": differences(*(row(run).summary for run in pair)),
    }
    if as_json:
        output.emit({"first": pair[0].name, "second": pair[1].name, **found})
        return
    for title, changes in found.items():
        rows = [[c["path"], *(shown(c, side) for side in ("first", "second"))] for c in changes]
        output.show(output.table([title, pair[0].name, pair[1].name], rows) if rows else f"{title}: no difference", "")


@command("rm")
@click.argument("names", metavar="RUN…", nargs=-1, required=True, shell_complete=arguments.complete_run)
@click.option("--yes", is_flag=True, help="Do not ask.")
@arguments.runs
def remove_runs(names: tuple[str, ...], yes: bool, runs: str, as_json: bool) -> int:
    """Remove runs with all their checkpoints; asks first."""
    from dltrain.cli import output
    from dltrain.errors import UsageError
    from dltrain.runs.folder import RunFolder
    from dltrain.runs.listing import remove, size

    found = {run.path: run for run in (RunFolder.find(name, runs) for name in names)}
    if not yes:
        what = ", ".join(f"{run.name} ({output.size(size(run.path))})" for run in found.values())
        if as_json or not (sys.stdin and sys.stdin.isatty()):
            raise UsageError("nobody can be asked whether to remove this", where=what, hint="--yes removes it")
        if not click.confirm(f"Remove {what}?", err=True):
            output.note("nothing was removed")
            return NOT_REMOVED
    for run in found.values():
        remove(run)
    if as_json:
        output.emit({"removed": [str(path) for path in found]})
    else:
        output.note("removed " + ", ".join(run.name for run in found.values()))
    return 0


def shown(change: Mapping[str, Any], side: str) -> str:
    """The value on one side of a difference as it would be written; `-` where there is none."""
    from dltrain.config.yaml_writer import flow

    return flow(change[side]) if side in change else "-"


def best(summary: Mapping[str, Any]) -> str:
    """The best value of a run in words."""
    from dltrain.cli.output import number

    value = summary.get("best")
    if not value:
        return ""
    missed = "" if value.get("satisfied", True) else ", bounds missed"
    return f"{value['metric']} {number(value['value'])} (epoch {value['epoch']}{missed})"


def environment(found: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What a run's results depend on, in a few lines."""
    packages = ", ".join(f"{name} {version}" for name, version in found.get("packages", {}).items())
    shown = {key: found[key] for key in ("dltrain", "python", "processor", "system") if found.get(key)}
    return [*shown.items(), ("packages", packages)] if packages else list(shown.items())


def metrics(records: list[dict[str, Any]]) -> Any:
    """The last evaluations of a run as a table."""
    from dltrain.cli import output

    names = dict.fromkeys(
        f"{part}.{name}"
        for record in records
        for part in ("train", "train_dev", "validation")
        for name in record.get(part, {})
    )
    rows = []
    for record in records[-SHOWN:]:
        values = [record.get(part, {}).get(metric) for part, _, metric in (name.partition(".") for name in names)]
        rows.append(
            [record["epoch"], record["step"], *map(output.number, values), output.rate(record.get("learning_rate"))]
        )
    headers = ["epoch", "step", *names, "learning rate"]
    return output.table(headers, rows, right=headers)


for _command in (list_runs, show_run, compare_runs, remove_runs):
    cli.add_command(_command)
