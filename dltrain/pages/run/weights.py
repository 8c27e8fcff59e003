"""The parameters of a network in numbers and histograms."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from dltrain.pages.material import Material
from dltrain.pages.section import LeftOut, chart, note
from dltrain.report.bars import histogram
from dltrain.report.html import Child, table

DRAWN, BINS, LISTED = 6, 24, 60  # kernels, bars of each, and parameters that are listed


def weights(run: Material) -> Iterator[Child]:
    """A table of the parameters with the best weights, and how the values of the kernels are distributed."""
    parameters = {path: np.asarray(one.value, np.float64) for path, one in run.network.graph.parameters.items()}
    if not parameters:
        raise LeftOut("the network has no parameters")
    headers = ["parameter", "shape", "mean", "deviation", "smallest", "largest"]
    rows = [
        [path, " × ".join(map(str, a.shape)), float(a.mean()), float(a.std()), float(a.min()), float(a.max())]
        for path, a in parameters.items()
    ]
    yield table(headers, rows[:LISTED], "best weights")
    kernels = {path: a for path, a in parameters.items() if a.ndim > 1}
    for path, a in list(kernels.items())[:DRAWN]:
        counts, edges = np.histogram(a, BINS)
        bars = histogram(path, "weight", edges.tolist(), counts.tolist())
        listed = [[float(x), float(y), int(n)] for x, y, n in zip(edges, edges[1:], counts, strict=False)]
        yield chart(bars, ["from", "to", "count"], listed)
    if len(kernels) > DRAWN:
        yield note(f"The first {DRAWN} of {len(kernels)} kernels.")
