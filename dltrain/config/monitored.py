"""Metrics that a config names: goals, and monitors of the training, the hooks and the schedules."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from dltrain import registry
from dltrain.config.check import Problems, check_spec
from dltrain.config.provenance import Path
from dltrain.config.words import show
from dltrain.errors import Problem
from dltrain.suggest import closest


def goal_problems(config: Mapping[str, Any], names: list[str]) -> Problems:
    """Goals that name what is not measured, or say twice what is best."""
    metrics, train = config.get("metrics"), config.get("train")
    if not isinstance(metrics, Mapping):
        return []
    problems: Problems = []
    named: list[tuple[Path, str]] = [(("optimize",), metrics["optimize"])]
    named += [(("satisfy", name), name) for name in metrics.get("satisfy") or ()]
    for place, name in named:
        if name not in ("loss", *names):
            near, path = closest(name, ["loss", *names, *registry.entries("metric")]), ("metrics", *place)
            advice = "" if near is None else f"did you mean {near!r}?"
            what, expected = "this is not measured", ", ".join(["loss", *names])
            problems.append(Problem(path, what, expected, repr(name), advice, at_key=len(place) > 1))
    if isinstance(train, Mapping) and train.get("monitor") is not None:
        what = "`metrics: optimize` says already what is best"
        problems.append(Problem(("train", "monitor"), what, got=repr(train["monitor"]), hint="remove one of the two"))
    return problems


def monitor_problems(config: Mapping[str, Any], names: list[str], unseen: Collection[str] = ()) -> Problems:
    """Monitors that name a metric which is not computed; `unseen` are those of heads that are only trained."""
    known = [f"{part}.{name}" for part in ("validation", "train") for name in dict.fromkeys(names)]
    measured = [name for name in known if name not in unseen]
    problems = []
    for path, monitor in monitors(config):
        if isinstance(monitor, str) and monitor not in measured:
            near = meant(monitor, names)
            advice = "name the metric in `metrics:` to have it measured"
            if near is not None:
                advice = f"did you mean {near!r}?"
            problems.append(Problem(path, "this is not measured", " or ".join(measured), show(monitor), advice))
    return problems


def meant(monitor: str, names: list[str]) -> str | None:
    """The measured metric that is likely meant, by its part and its name: `val_acc` -> `validation.accuracy`."""
    found = re.fullmatch(r"(train|training|val|valid|validation|dev|test)[._/ ]+(.+)", monitor, re.IGNORECASE)
    part, _, name = (found[1], "", found[2]) if found else monitor.rpartition(".")
    near = closest(name, names)
    return None if near is None else f"{closest(part, ('validation', 'train')) or 'validation'}.{near}"


def monitors(config: Mapping[str, Any]) -> Iterator[tuple[Path, Any]]:
    """Every `monitor` of the training, of the hooks and of the optimizer's schedules."""
    train, hooks = config.get("train"), config.get("hooks")
    yield from named("monitor", config.get("optimizer"), ("optimizer",))
    if isinstance(train, Mapping) and "monitor" in train:
        yield ("train", "monitor"), train["monitor"]
    for index, spec in enumerate(hooks) if isinstance(hooks, list) else ():
        path: Path = ("hooks", index)
        if not check_spec(spec, "hook", path):
            reading = registry.read(spec, "hook", path)
            if reading.arguments.get("monitor") is not None:
                yield reading.paths["monitor"], reading.arguments["monitor"]


def named(key: str, value: Any, path: Path) -> Iterator[tuple[Path, Any]]:
    """Every value of this key, at any depth of a map, where one is given."""
    for name, inner in value.items() if isinstance(value, Mapping) else ():
        if name == key and inner is not None:
            yield (*path, name), inner
        yield from named(key, inner, (*path, name))
