"""What came of a run."""

from __future__ import annotations

from collections.abc import Iterator

from dltrain.pages.material import Material
from dltrain.pages.section import facts
from dltrain.report.html import Child, number, table


def result(run: Material) -> Iterator[Child]:
    """How the run ended, its best state, and the metrics of its parts."""
    told = [("status", run.row.state), ("evaluations", str(len(run.records)))]
    if run.best:
        metric, value, epoch = run.best
        told += [(f"best {metric}", number(value)), ("in epoch", epoch)]
    if run.records:
        told += [(name, str(run.records[-1].get(name))) for name in ("epoch", "step")]
    yield facts(told)
    found = run.metrics
    names = dict.fromkeys(name for some in found.values() for name in some)
    if names:
        rows = [[name, *(some.get(name) for some in found.values())] for name in names]
        headers = ["metric", *(f"{part} (best weights)" if part == "test" else part for part in found)]
        yield table(headers, rows, "metrics of the last evaluation")
