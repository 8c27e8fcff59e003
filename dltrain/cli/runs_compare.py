"""dltrain runs compare: runs side by side, and what several seeds of the same settings say together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from dltrain.cli import arguments, runs_table
from dltrain.cli.base import command

if TYPE_CHECKING:
    from dltrain.runs.folder import RunFolder
    from dltrain.runs.listing import RunRow

Known = Mapping[str, Any]  # all that is known of a run, by path
OWN = ("name", "seed")  # settings in which runs of one group may differ


@command("compare")
@arguments.several_runs
@click.option("--format", "form", type=click.Choice(runs_table.FORMATS), default="table", help="How to print it.")
@arguments.runs
def compare_several(run: tuple[str, ...], form: str, runs: str, as_json: bool) -> None:
    """Compare runs side by side: the settings in which they differ, their metrics, and their course.

    Runs that came to their end and differ in nothing but their seed also count as one group, of which the means and
    their 95 % intervals are told; groups are compared with the first one, seed by seed, by Student's paired t test.
    """
    from dltrain.cli import output
    from dltrain.runs.folder import RunFolder
    from dltrain.runs.listing import flat, row

    folders = list({found.path: found for found in (RunFolder.find(name, runs) for name in run)}.values())
    rows = [row(folder) for folder in folders]
    found = [runs_table.known(each) for each in rows]
    settings = [dict(flat(runs_table.settings(each))) for each in rows]
    paths = runs_table.different(settings, dict.fromkeys(p for each in settings for p in each if p != "name"))
    measured = list(dict.fromkeys(
        path for each in found for path in each if path.partition(".")[0] in ("validation", "test")
    ))  # fmt: skip
    courses = [course(*pair) for pair in zip(folders, rows, strict=True)]
    ended = [pair for pair, each in zip(zip(found, settings, strict=True), rows, strict=True) if each.over]
    together = over_seeds(ended, [path for path in paths if path != "seed"], ["best", *measured])
    not_over = {each.name: each.state for each in rows if not each.over}
    if as_json or form == "json":
        chosen = [{path: each.get(path) for path in ("run", "best", *paths, *measured)} for each in found]
        each = [{**c, "course": values} for c, values in zip(chosen, courses, strict=True)]
        output.emit({"runs": each, **together, "not_over": not_over})
        return
    show_runs(found, paths, measured, courses, form)
    if form != "csv" and any(len(group["runs"]) > 1 for group in together["groups"]):
        show_groups(together["groups"], [path for path in paths if path != "seed"], ["best", *measured], form)
        if len(together["groups"]) > 1:
            show_tests(together["tests"], form)
    if form != "csv" and not_over:
        said = ", ".join(f"{name} ({state})" for name, state in not_over.items())
        output.show("", f"in no mean and no test, as they did not come to their end: {said}")


def course(folder: RunFolder, row: RunRow) -> list[float]:
    """The metric that says what is best of a run, evaluation by evaluation."""
    from dltrain.runs.metrics import read_log
    from dltrain.training.goal import lookup

    metric = (row.summary.get("best") or {}).get("metric", "validation.loss")
    values = [lookup(record, metric) for record in read_log(folder.metrics_path)]
    return [value for value in values if value is not None]


def over_seeds(runs: Sequence[tuple[Known, Known]], paths: Sequence[str], measured: Sequence[str]) -> dict[str, Any]:
    """Runs with the same settings as groups, and each later group compared with the first.

    Parameters:
        runs: all that is known of each run, and its config
        paths: settings that tell the groups apart
        measured: paths of the metrics

    Returns: ``{groups: [{runs, seeds, settings, metrics: {path: {count, mean, deviation, interval}}}], tests: [{first,
        second, metric, pairs, difference, interval, p, effect}]}``, where first and second count the groups from 0.
    """
    from dltrain.runs.seeds import paired, summary

    groups: dict[str, list[tuple[Known, Known]]] = {}
    for each, setting in runs:
        same = {path: value for path, value in setting.items() if path not in OWN}
        groups.setdefault(repr(sorted(same.items())), []).append((each, setting))
    told, values = [], []
    for group in groups.values():
        seeds = [int(setting.get("seed", 0)) for _, setting in group]
        numbers = {  # a seed that was run twice gave the same twice, and counts once
            path: {seed: each[path] for seed, (each, _) in zip(seeds, group, strict=True) if each.get(path) is not None}
            for path in measured
        }
        values.append(numbers)
        told.append({
            "runs": [each["run"] for each, _ in group],
            "seeds": seeds,
            "settings": {path: group[0][1][path] for path in paths if path in group[0][1]},
            "metrics": {path: summary(list(by_seed.values())) for path, by_seed in numbers.items() if by_seed},
        })  # fmt: skip
    tests = [
        {"first": 0, "second": number, "metric": path, **test}
        for number in range(1, len(values))
        for path in measured
        if (test := paired(values[0][path], values[number][path])) is not None
    ]
    return {"groups": told, "tests": tests}


def show_runs(
    found: Sequence[Known], paths: Sequence[str], measured: Sequence[str], courses: Sequence[Any], form: str
) -> None:
    """Print a line for each run."""
    from dltrain.cli import output
    from dltrain.report.terminal import spark

    said = output.number if form == "table" else lambda value: value
    cells = [
        [each["run"], *map(each.get, paths), *(said(each.get(p)) for p in ("best", *measured)), spark(values)]
        for each, values in zip(found, courses, strict=True)
    ]
    runs_table.show(["run", *paths, "best", *measured, "course"], cells, form, right=["best", *measured])


def show_groups(groups: Sequence[Known], paths: Sequence[str], measured: Sequence[str], form: str) -> None:
    """Print a line for each group: its settings, and the mean of each metric with its interval."""
    from dltrain.cli import output

    output.show("", "means over the seeds ± half of their 95 % interval")
    cells = []
    for number, group in enumerate(groups):
        means = [mean(group["metrics"].get(path)) for path in measured]
        cells.append([number + 1, " ".join(group["runs"]), *map(group["settings"].get, paths), *means])
    runs_table.show(["group", "runs", *paths, *measured], cells, form, right=measured)


def show_tests(tests: Sequence[Known], form: str) -> None:
    """Print a line for each comparison."""
    from dltrain.cli import output

    if not tests:
        output.show("", "no two groups have two seeds in common, so none are compared")
        return
    output.show(
        "", "differences between runs of the same seed (paired t test; effect: in deviations of the differences)"
    )
    headers = ["groups", "metric", "pairs", "difference", "95 % interval", "p", "effect"]
    cells = []
    for test in tests:
        low, high = map(output.number, test["interval"])
        pair = f"{test['second'] + 1} - {test['first'] + 1}"
        numbers = (
            output.number(test["difference"]),
            f"{low} … {high}",
            *map(output.number, (test["p"], test["effect"])),
        )
        cells.append([pair, test["metric"], test["pairs"], *numbers])
    runs_table.show(headers, cells, form, right=headers[2:])


def mean(found: Known | None) -> str:
    """A mean and its interval in words."""
    from dltrain.cli.output import number

    if found is None:
        return "-"
    said = number(found["mean"])
    return said if found["interval"] is None else f"{said} ± {number(found['interval'][1] - found['mean'])}"
