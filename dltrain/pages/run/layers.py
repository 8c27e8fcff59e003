"""The health of single layers, with the last weights."""

from __future__ import annotations

from collections.abc import Iterator

from dltrain.pages.material import Material
from dltrain.pages.section import LeftOut, chart
from dltrain.report.bars import bar_chart
from dltrain.report.html import Child, table


def layers(run: Material) -> Iterator[Child]:
    """What the activations give, and how hard the loss pulls at each layer."""
    _ = run.network
    found = run.diagnosed["layers"]
    activities, pulls = [one for one in found if "dead" in one], [one for one in found if "signal" in one]
    if not pulls:
        raise LeftOut("no layer has a kernel that is trained")
    rows = [[one[key] for key in ("path", "kind", "mean", "deviation", "dead", "saturated")] for one in activities]
    if rows:
        headers = ["activation", "kind", "mean", "deviation", "dead units", "saturated values"]
        yield table(headers, rows, "values for some hundred training examples; dead and saturated are shares")
    gradients = {one["path"]: one["gradient"] for one in pulls}
    figure = bar_chart("Gradient of each kernel, root mean square, from the input on", gradients, log=True)
    headers = ["layer", "gradient", "weight", "gradient by weight"]
    listed = [[p["path"], p["gradient"], p["weight"], p["gradient"] / (p["weight"] or 1.0)] for p in pulls]
    yield chart(figure, headers, listed)
