"""dltrain runs: list, show and remove runs; what compares them and what is said of them is beside this file."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from dltrain.cli import arguments, runs_table
from dltrain.cli.base import command, group
from dltrain.cli.runs_compare import compare_several
from dltrain.cli.runs_notes import note_run, tag_run

if TYPE_CHECKING:
    from dltrain.runs.listing import RunRow

NOT_REMOVED = 1
WIDEST = 100  # columns of a chart
SHOWN = 12  # evaluations of a run on the screen


@group("runs")
def cli() -> None:
    """List, show, compare and remove runs."""


@command("ls")
@click.option("--sort", metavar="PATH", help="By a metric or a path of the config, as validation.accuracy.")
@click.option("--descending", is_flag=True, help="The largest first.")
@click.option(
    "--filter", "filters", multiple=True, metavar="CONDITION", help="As 'best<0.2' or 'dtype=float64'; may be repeated."
)
@click.option("--format", "form", type=click.Choice(runs_table.FORMATS), default="table", help="How to print them.")
@arguments.runs
def list_runs(
    runs: str, sort: str | None, descending: bool, filters: tuple[str, ...], form: str, as_json: bool
) -> None:
    """List all runs."""
    from dltrain.cli import output
    from dltrain.runs import listing

    conditions = [runs_table.condition(text) for text in filters]
    rows = {row.name: row for row in listing.rows(runs)}
    if conditions or sort:
        found = [runs_table.known(row) for row in rows.values()]
        found = [row for row in found if all(holds(row) for holds in conditions)]
        found = runs_table.in_order(found, sort, descending) if sort else found
        rows = {row["run"]: rows[row["run"]] for row in found}
    if as_json or form == "json":
        output.emit({"runs": [{**asdict(row), "path": str(row.path)} for row in rows.values()]})
        return
    if not rows and not filters:
        output.note(f"there are no runs in {runs}; `dltrain fit digits-mlp` makes one")
        return
    headers = ["run", "status", "epochs", "steps", "best", "size"]
    cells = [
        [
            r.name,
            r.state,
            r.summary.get("epochs"),
            r.step,
            best(r.summary),
            output.size(r.bytes),
        ]
        for r in rows.values()
    ]
    for header, said in (("tags", lambda row: " ".join(row.tags)), ("note", lambda row: row.note)):
        column = [said(row) for row in rows.values()]
        if any(column):
            headers.append(header)
            cells = [[*line, text] for line, text in zip(cells, column, strict=True)]
    runs_table.show(headers, cells, form, right=["epochs", "steps", "size"])


@command("show")
@arguments.run
@arguments.runs
def show_run(run: str, runs: str, as_json: bool) -> None:
    """Show one run: result, metrics, checkpoints, environment."""
    from dltrain.cli import output
    from dltrain.runs import listing
    from dltrain.runs.folder import RunFolder

    found = listing.details(RunFolder.find(run, runs))
    if as_json:
        output.emit(found)
        return
    facts = [
        ("folder", found["path"]),
        ("status", listing.STATES.get(found["status"], found["status"])),
        ("best", best(found["summary"])),
        *((key, value) for key, value in (("tags", " ".join(found["tags"])), ("note", found["note"])) if value),
    ]
    facts += [(name, value) for name, value in environment(found["environment"])]
    output.show(output.table(["run", found["name"]], facts))
    if found["metrics"]:
        output.show("", metrics(found["metrics"]))
        output.show(*curve(found))
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
@click.argument("names", metavar="RUN…", nargs=-1, shell_complete=arguments.complete_run)
@click.option("--keep-best", type=click.IntRange(0), metavar="N", help="Remove all but the N best of each name.")
@click.option(
    "--filter", "filters", multiple=True, metavar="CONDITION", help="Only runs with this, as 'best<0.2' or 'tag=old'."
)
@click.option("--yes", is_flag=True, help="Do not ask.")
@arguments.runs
def remove_runs(
    names: tuple[str, ...], keep_best: int | None, filters: tuple[str, ...], yes: bool, runs: str, as_json: bool
) -> int:
    """Remove runs with all their checkpoints; asks first.

    With --keep-best these are the given runs, or else all, but for the N best of each name and metric.  Runs that are
    not over, or have no result, are left alone.  With --filter only runs that fulfil it count.
    """
    from dltrain.cli import output
    from dltrain.errors import UsageError
    from dltrain.runs.folder import RunFolder
    from dltrain.runs.listing import remove

    if not names and not filters and keep_best is None:
        raise UsageError("which runs?", where="runs rm", expected="names of runs, --filter or --keep-best N")
    found = doomed(names, keep_best, filters, runs)
    if found and not yes:
        what = ", ".join(f"{row.name} ({output.size(row.bytes)})" for row in found)
        if as_json or not (sys.stdin and sys.stdin.isatty()):
            raise UsageError("nobody can be asked whether to remove this", where=what, hint="--yes removes it")
        if not click.confirm(f"Remove {what}?", err=True):
            output.note("nothing was removed")
            return NOT_REMOVED
    for row in found:
        remove(RunFolder(row.path))
    if as_json:
        output.emit({"removed": [str(row.path) for row in found]})
    else:
        output.note("removed " + (", ".join(row.name for row in found) or "nothing"))
    return 0


def doomed(names: Sequence[str], keep_best: int | None, filters: Sequence[str], runs: str) -> list[RunRow]:
    """The runs that a command line means to remove."""
    from dltrain.cli import output
    from dltrain.runs import listing
    from dltrain.runs.folder import RunFolder

    conditions = [runs_table.condition(text) for text in filters]
    named = {run.path: listing.row(run) for run in (RunFolder.find(name, runs) for name in names)}
    rows = list(named.values()) if names else listing.rows(runs)
    if conditions:
        rows = [row for row in rows if all(holds(runs_table.known(row)) for holds in conditions)]
    if keep_best is None:
        return rows
    from dltrain.training.ranking import surplus

    behind, unranked = surplus(rows, keep_best)
    if unranked:
        output.note(f"left alone, not over or without a result: {', '.join(row.name for row in unranked)}")
    return behind


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


def curve(found: Mapping[str, Any]) -> list[str]:
    """The metric that says what is best over the epochs, as a chart; nothing for fewer than three evaluations."""
    from dltrain.cli import output
    from dltrain.report.terminal import line_chart
    from dltrain.training.goal import lookup

    metric = (found["summary"].get("best") or {}).get("metric", "validation.loss")
    points = [(record["epoch"], lookup(record, metric)) for record in found["metrics"]]
    points = [(epoch, value) for epoch, value in points if value is not None]
    if len(points) < 3:
        return []
    xs, ys = zip(*points, strict=True)
    return ["", f"{metric} over the epochs", *line_chart(xs, ys, min(output.console().width, WIDEST))]


for _command in (list_runs, show_run, compare_runs, compare_several, tag_run, note_run, remove_runs):
    cli.add_command(_command)
