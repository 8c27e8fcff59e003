"""What only the whole config shows: the model's inside, parts that do not fit, values without effect."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from dltrain import registry
from dltrain.config.baseline import baseline_problems
from dltrain.config.check import Problems, check, check_arguments
from dltrain.config.monitored import goal_problems, monitor_problems
from dltrain.config.provenance import Path
from dltrain.config.sections import Fields, Train, keys_of
from dltrain.config.words import show
from dltrain.errors import ConfigError, Problem

# Stand-ins for what only the data know; their values do not matter here.
PLACEHOLDERS = {
    "classes": 2,
    "outputs": 1,
    "features": 1,
    **dict.fromkeys(("vocabulary_size", "source_size", "target_size"), 2),
}

# What a task needs that no head of several can have, and what is said of it: what, expected, hint.
SAMPLES = "a task with a target for each sample"
NO_HEADS = {
    "heads": ("a head has a single task", "a task of one loss", "write its heads beside the others"),
    "masks": ("a head cannot learn the class of every pixel", SAMPLES, "train it by itself: `task: segmentation`"),
    "pairs": ("a head cannot learn texts", SAMPLES, "train it by itself: `task: sequence_to_sequence`"),
    "tags": ("a head cannot learn a tag for every word", SAMPLES, "train it by itself: `task: tagging`"),
    "tokens": ("a head cannot learn every character", SAMPLES, "train it by itself: `task: language_model`"),
}


def verify(config: Mapping[str, Any]) -> Problems:
    """All that is wrong with a config, each thing once.

    Parameters:
        config: plain data with the keys of a config
    """
    problems = check(config, Fields)
    if "optimizer" in config and not any(problem.path[:1] == ("optimizer",) for problem in problems):
        problems += optimizer_problems(config["optimizer"])
    model = config.get("model")
    if isinstance(model, Mapping) and config.get("baseline") is None:
        problems += model_problems(model)
    if not problems:
        problems += accumulation_problems(config) + beginning_problems(config.get("init_from"))
        problems += waiver_problems(config)
    problems += baseline_problems(config)
    if not any(problem.path[:1] in (("task",), ("loss",), ("metrics",)) for problem in problems):
        problems += fitting_problems(config)
    return list(dict.fromkeys(problems))


def optimizer_problems(spec: Any) -> Problems:
    """What does not fit together in the optimizer: its groups, its schedules."""
    try:
        registry.create("optimizer", spec)
    except ConfigError as error:
        return error.problems
    return []


def accumulation_problems(config: Mapping[str, Any]) -> Problems:
    """More micro-batches than a step has examples."""
    train = config.get("train") or {}
    size = train.get("batch_size", next(key.default for key in keys_of(Train) if key.name == "batch_size"))
    count = train.get("accumulate", 1)
    if not isinstance(size, int) or count <= size:
        return []
    what, hint = "a step has fewer examples than micro-batches", "make train.batch_size larger"
    return [Problem(("train", "accumulate"), what, f"at most {size}, train.batch_size", show(count), hint)]


def waiver_problems(config: Mapping[str, Any]) -> Problems:
    """Waivers of rules that there are not, or without a reason."""
    waive = config.get("waive") or {}
    rules = {**registry.entries("rule"), **registry.entries("lint")} if waive else {}
    problems = [registry.unknown("rule", name, rules, ("waive", name)) for name in waive if name not in rules]
    what, expected = "a waiver needs its reason", "a sentence that says why this is meant so"
    return problems + [Problem(("waive", name), what, expected, "nothing") for name in waive if not waive[name].strip()]


def beginning_problems(init_from: Any) -> Problems:
    """Initial weights from nowhere, or from two places; renamings whose sides do not fit together."""
    if init_from is None:
        return []
    given = [key for key in ("run", "file", "word_vectors") if init_from.get(key) is not None]
    if len(given) != 1:
        what, got = "weights come from one place", " and ".join(given) or "none"
        return [Problem(("init_from",), what, "either `run`, `file` or `word_vectors`", got)]
    idle = next((key for key in ("format", "map", "skip") if init_from.get(key)), None)
    if given == ["word_vectors"] and idle:
        what, hint = "this has no effect beside `word_vectors`, which are found by their words", "leave it out"
        return [Problem(("init_from", idle), what, hint=hint)]
    if given == ["run"] and init_from.get("format") not in (None, "dltrain"):
        hint = "leave `format` out"
        return [Problem(("init_from", "format"), "a run has dltrain's names", got=init_from["format"], hint=hint)]
    return [
        Problem(("init_from", "map", name), "both sides have as many *", str(name.count("*")), str(ours.count("*")))
        for name, ours in (init_from.get("map") or {}).items()
        if name.count("*") != ours.count("*")
    ]


def model_problems(model: Mapping[str, Any]) -> Problems:
    """What is wrong with the notation, and with the values of the layers' parameters."""
    from dltrain.model.notation import parse_model

    try:
        plan = parse_model(model, variables=PLACEHOLDERS, output_units=1)
    except ConfigError as error:
        return error.problems + written_problems(model)
    layers = registry.entries("layer")
    problems: Problems = []
    for node in plan.nodes:
        paths = {name: node.place(name) for name in node.arguments}
        problems += check_arguments(layers[node.kind].arguments, node.arguments, paths)
    return problems


def written_problems(model: Mapping[str, Any]) -> Problems:
    """Wrong values of layers' parameters, found without understanding the model: those that hold no $name."""
    names = set(model["blocks"]) if isinstance(model.get("blocks"), Mapping) else set()
    problems: Problems = []
    for part in ("blocks", "graph"):
        chains = model.get(part)
        for wire, chain in chains.items() if isinstance(chains, Mapping) else ():
            for item, path in items_of(chain, ("model", part, wire)):
                ((name, value),) = item.items()
                entry = registry.entries("layer").get(name) if name not in names else None
                if entry is not None and value is not None and "$" not in repr(value):
                    problems += argument_problems(entry, value, (*path, name))
    return problems


def argument_problems(entry: registry.Entry, value: Any, path: Path) -> Problems:
    """Wrong values of one layer's parameters; wrong names are the notation's affair."""
    if isinstance(value, Mapping) and not registry.takes_mapping(entry, value):
        known = {name: given for name, given in value.items() if entry.argument(name)}
        return check_arguments(entry.arguments, known, {name: (*path, name) for name in known})
    if not entry.arguments:
        return []
    first = entry.arguments[0].name
    return check_arguments(entry.arguments, {first: value}, {first: path})


def items_of(chain: Any, path: Path) -> Iterator[tuple[Mapping[str, Any], Path]]:
    """The layers with parameters of a chain and of all chains in it, with their paths."""
    for index, item in enumerate(chain) if isinstance(chain, list) else ():
        if isinstance(item, list):
            yield from items_of(item, (*path, index))
        elif isinstance(item, Mapping) and len(item) == 1:
            name, value = next(iter(item.items()))
            if isinstance(value, list):
                yield from items_of(value, (*path, index, name))
            if not (isinstance(value, list) and any(isinstance(part, (list, Mapping, str)) for part in value)):
                yield item, (*path, index)


def fitting_problems(config: Mapping[str, Any]) -> Problems:
    """Losses and metrics that do not fit their task, metrics named twice, goals and monitors that are not measured."""
    reading = registry.read(config.get("task", "classification"), "task", ("task",))
    if reading.entry is None:
        return []
    heads = reading.arguments.get("heads")
    if not isinstance(heads, Mapping):
        problems, names = task_problems(reading.entry, config, ())
        return problems + goal_problems(config, names) + monitor_problems(config, ["loss", *names])
    problems, names = head_problems(config.get("model"), heads, reading.paths["heads"]), []
    evaluated: list[str] = []
    for head, section in heads.items():
        entry = registry.read(section.get("task", "classification"), "task").entry
        if entry is not None:
            found, own = task_problems(entry, section, (*reading.paths["heads"], head))
            problems += found
            names += [f"{head}.{name}" for name in ("loss", *own)]
            evaluated += [] if section.get("training_only") else [f"{head}.{name}" for name in ("loss", *own)]
    unseen = {f"validation.{name}" for name in names if name not in evaluated}
    return problems + goal_problems(config, evaluated) + monitor_problems(config, ["loss", *names], unseen)


def head_problems(model: Any, heads: Mapping[str, Any], path: Path) -> Problems:
    """Heads without a proper name or a wire that is an output of the model, and outputs that no head reads."""
    odd = [head for head in heads if not re.fullmatch(r"[A-Za-z_]\w*", str(head), re.ASCII)]
    if odd or not heads:
        expected = "{name: head}, each name a word of letters, digits and _"
        at = [((*path, head), "this is no name for a head", True) for head in odd]
        return [Problem(p, what, expected, at_key=key) for p, what, key in at or [(path, "there are no heads", False)]]
    tasks = {
        head: registry.read(section.get("task", "classification"), "task").entry for head, section in heads.items()
    }
    needs = {head: getattr(task.make, "needs", "") for head, task in tasks.items() if task is not None}
    unfit = [
        Problem((*path, head, "task"), what, expected, name_of(heads[head]["task"]), hint)
        for head, need in needs.items()
        if need in NO_HEADS
        for what, expected, hint in (NO_HEADS[need],)
    ]
    if unfit:
        return unfit
    if all(section.get("training_only") for section in heads.values()):
        what, hint = (
            "all heads are for the training only, so that nothing is measured",
            "leave `training_only` out of one",
        )
        return [Problem(path, what, "a head that is evaluated", "none", hint)]
    graph = model.get("graph") if isinstance(model, Mapping) else None
    if not isinstance(graph, Mapping) or not graph:
        return []
    outputs = model.get("outputs") or [list(graph)[-1]]
    wires = {head: section.get("wire") or head for head, section in heads.items()}
    hint = "name the wires of all heads in `model: outputs:`, or another `wire` for the head"
    expected = ", ".join(map(str, outputs))
    problems = [
        Problem((*path, head), f"the model has no output {wire!r}", expected, "", hint, at_key=True)
        for head, wire in wires.items()
        if wire not in outputs
    ]
    return problems + [
        Problem(
            ("model", "outputs", k), f"no loss reads the output {wire!r}", "the wire of a head", hint="leave it out"
        )
        for k, wire in enumerate(outputs)
        if wire not in wires.values() and "outputs" in model
    ]


def task_problems(task: registry.Entry, section: Mapping[str, Any], path: Path) -> tuple[Problems, list[str]]:
    """What does not fit one task, and the names of its metrics.

    Parameters:
        task: the task
        section: has `loss` and `metrics`: the config, or one head of several
        path: where it stands
    """
    problems: Problems = []
    losses = getattr(task.make, "losses", None)
    if section.get("loss") is not None and losses and name_of(section["loss"]) not in losses:
        what = f"this loss does not fit the task {task.name}"
        problems.append(Problem((*path, "loss"), what, " or ".join(losses), show(section["loss"])))
    metrics, place = section.get("metrics"), (*path, "metrics")
    goals: list[str] = []
    if isinstance(metrics, Mapping):
        goals = [name for name in (metrics["optimize"], *(metrics.get("satisfy") or ())) if name != "loss"]
        metrics, place = metrics.get("measure"), (*place, "measure")
    specs = list(getattr(task.make, "metrics", ()) if metrics is None else metrics)
    names = registry.titles(specs, "metric")
    for index, name in enumerate(names):
        if name in names[:index]:
            what = f"the metric {name_of(specs[index])!r} is named twice"
            problems.append(Problem((*place, index), what, "each metric once", repr(name), "remove one of the two"))
    known = registry.entries("metric")
    plain = [name_of(spec) for spec in specs]
    return problems, list(dict.fromkeys([*names, *(name for name in goals if name in known and name not in plain)]))


def name_of(spec: Any) -> str:
    """The name in a spec."""
    return spec if isinstance(spec, str) else str(next(iter(spec)))
