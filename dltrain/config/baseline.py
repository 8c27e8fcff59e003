"""What only the whole config shows of a baseline: keys and values without effect, a task that it cannot do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from dltrain import registry
from dltrain.config.check import Problems, check_spec
from dltrain.config.sections import BASELINE, Fields, keys_of
from dltrain.config.words import join, show
from dltrain.errors import Problem
from dltrain.registry import Entry


def baseline_problems(config: Mapping[str, Any]) -> Problems:
    """All that is wrong with a config's baseline, and with a config that has neither a model nor a baseline."""
    spec = config.get("baseline")
    if spec is None:
        wanted = "the network, or `baseline`: a classic method in its place"
        return [] if config.get("model") is not None else [Problem((), "'model' is missing", expected=wanted)]
    return [*idle_keys(config), *idle_batches(config), *unread_loss(config), *idle_values(config, spec)]


def idle_keys(config: Mapping[str, Any]) -> Iterator[Problem]:
    """The keys of a network's config that stand beside a baseline."""
    known = {argument.name for argument in keys_of(Fields)}
    for key in config:
        if key in known and key not in BASELINE:
            what = f"{key!r} has no effect on a baseline"
            hint = "take either out" if key == "model" else "leave it out: a baseline is fitted in one go"
            yield Problem((key,), what, hint=hint, at_key=True)


def idle_batches(config: Mapping[str, Any]) -> Iterator[Problem]:
    """`data.balance` and `data.augment`, which are about batches."""
    data = config.get("data")
    hints = {"balance": "say `task: {classification: {class_weight: balanced}}`", "augment": "leave it out"}
    for key, hint in hints.items():
        if isinstance(data, Mapping) and data.get(key):
            yield Problem(("data", key), f"{key!r} has no effect on a baseline", hint=hint, at_key=True)


def unread_loss(config: Mapping[str, Any]) -> Iterator[Problem]:
    """A loss of classes that reads its outputs as something else than the log-probabilities that a baseline gives."""
    task = registry.read(config.get("task", "classification"), "task").entry
    loss = registry.read(config["loss"], "loss").entry if config.get("loss") is not None else None
    if task is None or loss is None or getattr(task.make, "needs", None) != "classes":
        return
    if getattr(loss.make, "link", "softmax") != "softmax":
        fitting = [n for n in task.make.losses if registry.entries("loss")[n].make.link == "softmax"]  # type: ignore[attr-defined]
        what, hint = (
            "a baseline gives log-probabilities, which this loss does not read",
            "leave it out: nothing is descended",
        )
        yield Problem(("loss",), what, join(fitting), loss.name, hint)


def idle_values(config: Mapping[str, Any], spec: Any) -> Iterator[Problem]:
    """A task that the baseline cannot do, and values that another value or the task leaves without effect."""
    task = registry.read(config.get("task", "classification"), "task").entry
    if task is None or check_spec(spec, "baseline", ("baseline",)):
        return
    reading = registry.read(spec, "baseline", ("baseline",))
    assert reading.entry is not None
    make: Any = reading.entry.make
    needs = getattr(task.make, "needs", None)
    if needs not in make.needs:
        what = f"the baseline {reading.entry.name} does not fit the task {task.name}"
        fitting = [name for name, entry in registry.entries("baseline").items() if needs in _of(entry).needs]
        path = ("baseline", *([reading.entry.name] if isinstance(spec, Mapping) else ()))
        yield Problem(path, what, join(fitting), reading.entry.name, at_key=isinstance(spec, Mapping))
        return
    values = {a.name: a.default for a in reading.entry.arguments} | reading.arguments | {"task": task.name}
    for name, (other, effective) in getattr(make, "effects", {}).items():
        argument = reading.entry.argument(name)
        given = reading.arguments.get(name, None if argument is None else argument.default)
        if argument is not None and given != argument.default and values[other] not in effective:
            what = f"{name!r} has no effect with {other} {values[other]!r}"
            yield Problem(reading.paths[name], what, f"{other} {join(list(effective))}", show(given), "leave it out")


def _of(entry: Entry) -> Any:
    return entry.make
