"""What came of a run."""

from __future__ import annotations

from collections.abc import Iterator

from dltrain.pages.material import Material
from dltrain.pages.section import facts
from dltrain.report.html import Child, number, table

PARTS = ("train", "train_dev", "validation", "test")


def result(run: Material) -> Iterator[Child]:
    """How the run ended, its best state, and the metrics of its parts."""
    summary = run.row.summary
    best = summary.get("best")
    told = [("status", run.row.state)]
    if best:
        told.append((f"best {best['metric']}", number(best["value"])))
        told.append(("best epoch", f"{best['epoch']} of {summary.get('epochs', '?')}"))
    if run.records:
        told += [("evaluations", str(len(run.records))), ("steps", f"{run.records[-1].get('step', 0):,}")]
    yield facts(told)
    last = run.records[-1] if run.records else {}
    measured = {**last, **summary.get("metrics", {}), "test": summary.get("test") or {}}
    parts = [part for part in PARTS if measured.get(part)]
    names = dict.fromkeys(name for part in parts for name in measured[part])
    if names:
        rows = [[name, *(measured[part].get(name) for part in parts)] for name in names]
        headers = ["metric", *(f"{part} (best weights)" if part == "test" else part for part in parts)]
        yield table(headers, rows, "metrics of the last evaluation")
