"""The sections of a page of several runs: only what differs, and their courses over each other."""

from __future__ import annotations

import math
import os
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


def names_of(runs: Runs) -> list[str]:
    """A name for each run; where several have the same, their paths from where these part."""
    found = []
    for run in runs:
        same = [other.folder.path.absolute() for other in runs if other.folder.name == run.folder.name]
        shared = os.path.commonpath([path.parent for path in same])
        found.append(os.path.relpath(run.folder.path, shared) if len(same) > 1 else run.folder.name)
    return found


def results(runs: Runs) -> Iterator[Child]:
    """A row for each run: its best state, and the metrics of its parts."""
    found = [{f"{part}.{name}": v for part, some in run.metrics.items() for name, v in some.items()} for run in runs]
    paths = dict.fromkeys(path for told in found for path in told)
    rows = [
        [name, run.row.state, run.best and run.best[1], *map(told.get, paths), run.seconds]
        for name, run, told in zip(names_of(runs), runs, found, strict=True)
    ]
    yield table(["run", "status", "best", *paths, "seconds"], rows)


def differences(runs: Runs) -> Iterator[Child]:
    """The settings in which the configs differ."""
    from dltrain.config import load
    from dltrain.config.yaml_writer import flow

    configs = [dict(flat(load(run.folder.config_path).resolved)) for run in runs]
    yield unlike(configs, names_of(runs), "the configs are the same", flow)


def machines(runs: Runs) -> Iterator[Child]:
    """In what the environments differ."""
    paths = [run.folder.environment_path for run in runs]
    found = [dict(flat(read_json(path))) if is_regular(path) else {} for path in paths]
    yield unlike(found, names_of(runs), "the environments are the same", str)


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
    longer = {name: run for name, run in zip(names_of(runs), runs, strict=True) if len(run.records) > 1}
    if not longer:
        raise LeftOut("no run has two evaluations")
    axis = "epoch" if all(over(run.records)[0] == "epoch" for run in longer.values()) else "step"
    for part in PARTS:
        for metric in dict.fromkeys(metric for run in longer.values() for metric in metrics(run.records)):
            series = {
                name: (values(run.records, (axis,)), values(run.records, (part, metric)))
                for name, run in longer.items()
            }
            if any(math.isfinite(y) for _, ys in series.values() for y in ys):
                yield curve(f"{part} {metric}", axis, series)


SECTIONS = (
    Section("Results", results),
    Section("Settings that differ", differences),
    Section("Curves", courses),
    Section("Environments that differ", machines),
)
