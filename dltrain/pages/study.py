"""The sections of a page of a sweep: what its trials taught."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any

from dltrain.pages.section import LeftOut, Section, chart, facts
from dltrain.report.bars import bar_chart
from dltrain.report.html import Child, number, table
from dltrain.report.svg import scatter_chart
from dltrain.sweeps.folder import SweepFolder
from dltrain.sweeps.leading import table as trials_of
from dltrain.sweeps.reporting import FEWEST, MOST_LINES, front, importance, parallel
from dltrain.sweeps.trials import Trial

BEST = 10  # trials that are listed with their settings
WIDE = 50  # times its lowest value that the highest is, from which an axis is logarithmic
LONGEST = 20  # letters of a path under an axis


class Study:
    """A sweep.

    Parameters:
        folder: its folder
    """

    def __init__(self, folder: SweepFolder) -> None:
        self.folder = folder

    @cached_property
    def facts(self) -> dict[str, Any]:
        """What `dltrain sweep status` tells."""
        return trials_of(self.folder)

    @cached_property
    def space(self) -> Any:
        """Its dimensions."""
        return self.folder.sweep().space

    @cached_property
    def ranked(self) -> list[Trial]:
        """The complete trials, the best first.

        Raises:
            LeftOut: when there is none.
        """
        found = self.folder.trials().ranked()
        if not found:
            raise LeftOut("no trial is complete")
        return found

    @property
    def metric(self) -> str:
        """What says which trial is the best."""
        return str(self.facts["metric"])

    def said(self, path: str, unit: float) -> str:
        """The value at a place of a dimension."""
        from dltrain.config.yaml_writer import flow

        value = self.space.dimensions[path].value(unit)
        return number(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else flow(value)

    def settings(self, trial: Trial) -> str:
        """The settings of a trial in a line."""
        return ", ".join(f"{path} {self.said(path, unit)}" for path, unit in trial.point.items())


def result(study: Study) -> Iterator[Child]:
    """How many trials there are, and the best."""
    from dltrain.config.yaml_writer import flow

    found = study.facts
    told = [(state, str(count)) for state, count in found["counts"].items()]
    told += [("sampler", flow(found["sampler"])), ("seconds", f"{found['seconds']:,.1f}")]
    if found["best"]:
        told.insert(0, (f"best {study.metric}", number(found["best"]["value"])))
        told.insert(1, ("of trial", str(found["best"]["trial"])))
    yield facts(told)


def best(study: Study) -> Iterator[Child]:
    """The settings of the best trials."""
    paths = list(study.space.dimensions)
    rows = [
        [t.number, t.value, *(study.said(p, t.point[p]) if p in t.point else "" for p in paths), round(t.seconds, 1)]
        for t in study.ranked[:BEST]
    ]
    yield table(["trial", study.metric, *paths, "seconds"], rows, "the best first")


def course(study: Study) -> Iterator[Child]:
    """The value of each trial, and the best so far."""
    trials = sorted(study.ranked, key=lambda trial: trial.number)
    numbers, values = [float(t.number) for t in trials], [float(t.value or 0.0) for t in trials]
    better = max if study.facts["higher"] else min
    so_far = [better(values[: index + 1]) for index in range(len(values))]
    texts = [f"trial {t.number}: {number(v)}; {study.settings(t)}" for t, v in zip(trials, values, strict=True)]
    groups = {"trial": (numbers, values), "best so far": (numbers, so_far)}
    figure = scatter_chart("The course of the sweep", "trial", study.metric, groups, {"trial": texts})
    rows = [[int(a), b, c] for a, b, c in zip(numbers, values, so_far, strict=True)]
    yield chart(figure, ["trial", study.metric, "best so far"], rows)


def coordinates(study: Study) -> Iterator[Child]:
    """Every trial as a line over its settings; the best one, or the Pareto front, stands out."""
    rows = [[trial.number, study.settings(trial), trial.value] for trial in study.ranked[:MOST_LINES]]
    figure = parallel(study.space, study.folder.trials(), study.metric)  # takes a complete trial
    yield chart(figure, ["trial", "settings", study.metric], rows)


def pareto(study: Study) -> Iterator[Child]:
    """The trials of which no other one is better in every objective, and all over the first two objectives."""
    trials = study.folder.trials()
    if not trials.objectives:
        raise LeftOut("the sweep has one objective")
    rows = [
        [trial.number, *map(trial.objectives.get, trials.objectives), study.settings(trial)] for trial in trials.front()
    ]
    if not rows:
        raise LeftOut("no trial is complete")
    figure = front(trials, lambda trial: f"trial {trial.number}: {study.settings(trial)}")
    yield chart(figure, ["trial", *trials.objectives, "settings"], rows)


def slices(study: Study) -> Iterator[Child]:
    """The value over each dimension by itself."""
    for path in study.space.dimensions:
        there = [trial for trial in study.ranked if path in trial.point]
        if there:
            said = [study.said(path, trial.point[path]) for trial in there]
            axis, xs, log = along(study, path, [trial.point[path] for trial in there], said)
            ys = [float(trial.value or 0.0) for trial in there]
            texts = [f"trial {t.number}: {x}, {number(y)}" for t, x, y in zip(there, said, ys, strict=True)]
            figure = scatter_chart(path, axis, study.metric, {"trial": (xs, ys)}, {"trial": texts}, log)
            rows = [[t.number, x, y] for t, x, y in zip(there, said, ys, strict=True)]
            yield chart(figure, ["trial", path, study.metric], rows)


def along(study: Study, path: str, units: Sequence[float], said: Sequence[str]) -> tuple[str, list[float], bool]:
    """What stands at the axis of a dimension, the values there, and whether it is logarithmic.

    The values of a choice are numbered.
    """
    dimension = study.space.dimensions[path]
    if not dimension.ordered:
        choices = sorted(set(said))
        axis = ", ".join(f"{k}: {name}" for k, name in enumerate(choices, 1))
        return axis, [float(choices.index(one) + 1) for one in said], False
    low, high = float(dimension.value(0.0)), float(dimension.value(1.0))
    return path, [float(dimension.value(unit)) for unit in units], low > 0 and high > WIDE * low


def shares(study: Study) -> Iterator[Child]:
    """How much each dimension matters, by a forest."""
    found = importance(study.space, study.ranked, study.facts["higher"])
    if not found:
        raise LeftOut(f"{len(study.ranked)} trials are complete, and it takes {FEWEST}")
    figure = bar_chart("Share in what makes trials better or worse", {tail(p): share for p, share in found.items()})
    yield chart(figure, ["path", "share"], [*found.items()])


def rounds(study: Study) -> Iterator[Child]:
    """The region that each round searched."""
    found: dict[str, dict[str, Sequence[Any]]] = study.facts["rounds"]
    if not found:
        raise LeftOut("the sampler does not work in rounds")
    paths = list(study.space.dimensions)
    rows = [[name, *(region(study, path, bounds.get(path)) for path in paths)] for name, bounds in found.items()]
    yield table(["round", *paths], rows, "what each round drew from")


def region(study: Study, path: str, bounds: Any) -> str:
    """The bounds of a dimension in a round."""
    if bounds is None:
        return "all"
    ordered = study.space.dimensions[path].ordered
    return " to ".join(study.said(path, unit) for unit in bounds) if ordered else ", ".join(map(str, bounds))


def failures(study: Study) -> Iterator[Child]:
    """The trials that did not come to their end, with the reason."""
    found = [trial for trial in study.folder.trials() if trial.state in ("failed", "pruned")]
    if not found:
        raise LeftOut("every trial came to its end")
    rows = [[t.number, t.state, study.settings(t), t.reason] for t in found]
    yield table(["trial", "state", "settings", "reason"], rows)


def tail(path: str) -> str:
    """The end of a path, where the name of what is set stands.

    Example:
        >>> tail("optimizer.adam.learning_rate")
        '….adam.learning_rate'
    """
    return path if len(path) <= LONGEST else "…" + path[1 - LONGEST :]


SECTIONS = (
    Section("Result", result),
    Section("Best settings", best),
    Section("Pareto front", pareto),
    Section("Course", course),
    Section("Parallel coordinates", coordinates),
    Section("Importance", shares),
    Section("Slices", slices),
    Section("Rounds", rounds),
    Section("Trials that ended early", failures),
)
LIVE = tuple(section for section in SECTIONS if section.build is not shares)  # all but what takes a forest
