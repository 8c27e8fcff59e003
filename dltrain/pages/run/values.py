"""Predicted numbers beside the true ones."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from dltrain.pages.material import Material
from dltrain.pages.section import LeftOut, chart
from dltrain.report.bars import histogram
from dltrain.report.html import Child
from dltrain.report.svg import scatter_chart

MOST = 400  # points
TARGETS = 4  # of which charts are drawn
DOTS = 40  # of the line on which predictions are right


def predicted(run: Material) -> Iterator[Child]:
    """A chart of predictions over true values, and the distribution of the residuals, for each target."""
    if run.run.kind != "regression":
        raise LeftOut("the task is no regression")
    found = run.mistakes[""]
    true = np.array(found.labels, np.float64).reshape(len(found), -1)
    said = np.array(found.predictions, np.float64).reshape(len(found), -1)
    kept = np.unique(np.linspace(0, len(found) - 1, MOST).astype(np.int64))
    for column, name in enumerate(run.data.target_names[:TARGETS]):
        a, b = true[kept, column], said[kept, column]
        ideal = np.linspace(min(a.min(), b.min()), max(a.max(), b.max()), DOTS).tolist()
        texts = [f"sample {i}: {x:.4g}, predicted {y:.4g}" for i, x, y in zip(found.ids[kept], a, b, strict=True)]
        groups = {run.part: (a.tolist(), b.tolist()), "right": (ideal, ideal)}
        figure = scatter_chart(f"{name}: predicted over true", "true", "predicted", groups, {run.part: texts})
        rows = [[int(i), float(x), float(y)] for i, x, y in zip(found.ids[kept], a, b, strict=True)]
        yield chart(figure, ["sample", "true", "predicted"], rows)
        counts, edges = np.histogram(said[:, column] - true[:, column], 30)
        bars = histogram(f"{name}: residuals", "predicted - true", edges.tolist(), counts.tolist())
        listed = [[float(x), float(y), int(n)] for x, y, n in zip(edges, edges[1:], counts, strict=False)]
        yield chart(bars, ["from", "to", "count"], listed)
