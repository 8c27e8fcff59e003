"""Which of many runs are worth their room on the disk."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from dltrain.runs.folder import split_name
from dltrain.runs.listing import RunRow
from dltrain.training.goal import higher_is_better, merit


def surplus(rows: Iterable[RunRow], count: int) -> tuple[list[RunRow], list[RunRow]]:
    """The runs behind the best of their name and metric, and those that cannot be ranked.

    A run is ranked by its best evaluation, as `train.monitor` or `metrics` of its config say; of equal ones the earlier
    is the better.  Not ranked are those that are not over, since they may become the best, and those without a result.

    Parameters:
        rows: the runs
        count: how many of each name and metric are kept
    """
    groups: dict[tuple[str, str], list[RunRow]] = defaultdict(list)
    unranked = []
    for row in rows:
        best = row.summary.get("best") if row.over else None
        if best and best["value"] is not None and higher_is_better(best["metric"]) is not None:
            groups[split_name(row.name)[0], best["metric"]].append(row)
        else:
            unranked.append(row)
    behind = []
    for (_, metric), group in groups.items():
        higher = bool(higher_is_better(metric))
        behind += sorted(group, key=lambda row, higher=higher: key(row, higher))[count:]  # type: ignore[misc]
    return behind, unranked


def key(row: RunRow, higher: bool) -> tuple[float, float, int]:
    """What sorts runs, the best first."""
    best = row.summary["best"]
    return (*merit(best.get("violation", 0.0), best["value"], higher), split_name(row.name)[1])
