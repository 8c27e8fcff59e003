"""The sections of a page of several runs: only what differs, and their courses over each other."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

from dltrain.pages.material import Material
from dltrain.pages.run.course import curve, metrics, over, values
from dltrain.pages.section import LeftOut, Section
from dltrain.report.html import Child, element, table
from dltrain.runs.files import is_regular, read_json
from dltrain.runs.listing import flat

Runs = Sequence[Material]
PARTS = ("validation", "train")


def results(runs: Runs) -> Iterator[Child]:
    """A row for each run: its best state, and the metrics of its parts."""
    found = [{f"{part}.{name}": v for part, some in run.metrics.items() for name, v in some.items()} for run in runs]
    names = dict.fromkeys(name for told in found for name in told)
    rows = [
        [run.folder.name, run.row.state, run.best and run.best[1], *map(told.get, names), run.seconds]
        for run, told in zip(runs, found, strict=True)
    ]
    yield table(["run", "status", "best", *names, "seconds"], rows)


def differences(runs: Runs) -> Iterator[Child]:
    """The settings in which the configs differ."""
    from dltrain.config import load
    from dltrain.config.yaml_writer import flow

    configs = [dict(flat(load(run.folder.config_path).resolved)) for run in runs]
    yield unlike(configs, [run.folder.name for run in runs], "the configs are the same", flow)


def machines(runs: Runs) -> Iterator[Child]:
    """In what the environments differ."""
    paths = [run.folder.environment_path for run in runs]
    found = [dict(flat(read_json(path))) if is_regular(path) else {} for path in paths]
    yield unlike(found, [run.folder.name for run in runs], "the environments are the same", str)


def unlike(maps: Sequence[dict[str, Any]], names: Sequence[str], same: str, said: Any) -> Child:
    """A table of the paths whose values differ.

    Raises:
        LeftOut: when none does.
    """
    paths = [p for p in dict.fromkeys(p for one in maps for p in one) if p != "name"]
    rows = [
        [element("code", path), *(said(one[path]) if path in one else "" for one in maps)]
        for path in paths
        if len({repr(one.get(path, LeftOut)) for one in maps}) > 1
    ]
    if not rows:
        raise LeftOut(same)
    return table(["path", *names], rows)


def courses(runs: Runs) -> Iterator[Child]:
    """A chart of each metric with a line for each run."""
    longer = [run for run in runs if len(run.records) > 1]
    if not longer:
        raise LeftOut("no run has two evaluations")
    axis = "epoch" if all(over(run.records)[0] == "epoch" for run in longer) else "step"
    for part in PARTS:
        for name in dict.fromkeys(name for run in longer for name in metrics(run.records)):
            series = {
                run.folder.name: (values(run.records, (axis,)), values(run.records, (part, name))) for run in longer
            }
            if any(math.isfinite(y) for _, ys in series.values() for y in ys):
                yield curve(f"{part} {name}", axis, series)


SECTIONS = (
    Section("Results", results),
    Section("Settings that differ", differences),
    Section("Curves", courses),
    Section("Environments that differ", machines),
)
