"""The course of a run: loss, metrics and learning rate over its evaluations."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from dltrain.pages.material import Material
from dltrain.pages.section import LeftOut, chart
from dltrain.report.html import Child, Element
from dltrain.report.scale import LARGEST
from dltrain.report.svg import Series, line_chart
from dltrain.runs.metrics import as_map

PARTS = ("train", "train_dev", "validation")
WIDE, WIDEST = 50, 1e5  # times the smallest value that the largest is, between which an axis is logarithmic
RATES = ("learning_rate", "momentum")


def curves(run: Material) -> Iterator[Child]:
    """A chart of each metric, and of the learning rate."""
    if len(run.records) < 2:
        raise LeftOut("a curve takes two evaluations")
    axis, places = over(run.records)
    for name in metrics(run.records):
        yield curve(name, axis, {part: (places, values(run.records, (part, name))) for part in PARTS})
    for name in RATES:
        rates = values(run.records, (name,))
        if any(map(math.isfinite, rates)):
            yield curve(name.replace("_", " "), axis, {name.replace("_", " "): (places, rates)})


def over(records: Sequence[Mapping[str, Any]]) -> tuple[str, list[float]]:
    """What curves are drawn over, epochs or steps, and its value at each record.

    Example:
        >>> over([{"epoch": 1, "step": 5}, {"epoch": 1, "step": 9}])
        ('step', [5.0, 9.0])
    """
    epochs = values(records, ("epoch",))
    return ("epoch", epochs) if len(set(epochs)) == len(epochs) else ("step", values(records, ("step",)))


def metrics(records: Sequence[Mapping[str, Any]]) -> list[str]:
    """The names of all metrics in records, the loss first."""
    return [*dict.fromkeys(name for record in records for part in PARTS for name in as_map(record.get(part)))]


def values(records: Sequence[Mapping[str, Any]], path: Sequence[str]) -> list[float]:
    """The number at a path of each record; nan where there is none.

    Example:
        >>> values([{"train": {"loss": 2}}, {}], ("train", "loss"))
        [2.0, nan]
    """
    found = []
    for record in records:
        value: Any = record
        for key in path:
            value = value.get(key) if isinstance(value, Mapping) else None
        found.append(float(value) if isinstance(value, (int, float)) and abs(value) < LARGEST else math.nan)
    return found


def curve(name: str, axis: str, series: Series) -> Element:
    """One chart, with those series that have a value; its axis is logarithmic where they reach far."""
    there = {title: points for title, points in series.items() if any(map(math.isfinite, points[1]))}
    if not there:
        raise LeftOut(f"{name} was never a number")
    finite = [value for _, ys in there.values() for value in ys if math.isfinite(value)]
    log = min(finite) > 0 and WIDE < max(finite) / min(finite) < WIDEST
    figure = line_chart(name, axis, name, there, log_y=log)
    places = sorted({x for xs, _ in there.values() for x in xs})
    columns = [dict(zip(xs, ys, strict=True)) for xs, ys in there.values()]
    rows = [[f"{x:g}", *(said(column.get(x)) for column in columns)] for x in places]
    return chart(figure, [axis, *there], rows)


def said(value: float | None) -> float | str:
    """A number for a table; nothing where there is none."""
    return value if value is not None and math.isfinite(value) else ""
