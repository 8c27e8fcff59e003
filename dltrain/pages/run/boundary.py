"""Which class a network expects at each point of a plane."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from dltrain.data import pipeline
from dltrain.layers.base import Array
from dltrain.pages.material import Material
from dltrain.pages.section import LeftOut, chart
from dltrain.report.html import Child
from dltrain.report.regions import region_chart
from dltrain.report.svg import scales

MOST = 200  # examples
ROWS, COLUMNS = 68, 104  # cells: squares of the plot
UNEVEN = 1e-6  # of its length, that the middle of a line may move when its preparation is undone: rounding


def boundary(run: Material) -> Iterator[Child]:
    """The regions of the classes over data of two features, with some examples."""
    data = run.data
    if data.shape != (2,) or data.classes is None:
        raise LeftOut("only classes of data with two features have a border in a plane")
    examples = run.drawn(MOST)
    x, labels = as_read(run, run.features(examples)), examples.columns["y"].reshape(-1).astype(int)
    rows = {str(name): np.flatnonzero(labels == k) for k, name in enumerate(data.classes)}
    groups = {name: (x[at, 0].tolist(), x[at, 1].tolist()) for name, at in rows.items()}
    across, up = scales(groups)
    sides = [s.low + (s.high - s.low) * (np.arange(n) + 0.5) / n for s, n in ((across, COLUMNS), (up, ROWS))]
    points = np.stack(np.meshgrid(*sides), axis=-1).reshape(-1, 2)
    names = (data.input_names or ["feature 1", "feature 2"])[:2]
    figure = region_chart("What is expected where", (names[0], names[1]), groups, expected(run, points).tolist())
    listed = [[int(examples.ids[i]), name, *map(float, x[i])] for name, at in rows.items() for i in at]
    yield chart(figure, ["sample", "class", *names], listed)


def as_read(run: Material, x: Array) -> Array:
    """Prepared features in the unit in which they were read, where these lie evenly in it; else as they are."""
    low, middle, high = np.zeros(2), np.full(2, 0.5), np.ones(2)
    undone = pipeline.undo(run.data.prepare, run.data.constants, np.stack([*x, low, middle, high]))
    if undone is None:
        return x
    low, middle, high = undone[-3:]
    even = np.abs(middle - (low + high) / 2) <= UNEVEN * np.abs(high - low)  # not so after a logarithm
    return np.asarray(undone[:-3] if even.all() else x)


def expected(run: Material, points: Array) -> Array:
    """The number of the class that is predicted at each point, (ROWS, COLUMNS)."""
    session, data = run.run.session, run.data
    # what is shown is linear in what was prepared: two points tell it
    ends = as_read(run, np.array([[0.0, 0.0], [1.0, 1.0]]))
    x = ((points - ends[0]) / (ends[1] - ends[0])).astype(data.dtype)
    said = session.task.predict(session.evaluator().outputs(dict.fromkeys(session.graph.inputs, x)))
    classes = [*data.classes] if data.classes else []
    return np.array([classes.index(one["label"]) for one in said]).reshape(ROWS, COLUMNS)
