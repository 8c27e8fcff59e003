"""On what a run was made, and what it cost."""

from __future__ import annotations

from collections.abc import Iterator

from dltrain.errors import DltrainError
from dltrain.pages.material import Material
from dltrain.pages.section import facts
from dltrain.report.html import Child, table
from dltrain.runs.files import is_regular, read_json
from dltrain.runs.metrics import as_map

KNOWN = ("dltrain", "python", "processor", "cores", "threads", "system")


def machine(run: Material) -> Iterator[Child]:
    """Seconds, size of the folder, and versions."""
    path = run.folder.environment_path
    environment = as_map(read_json(path)) if is_regular(path) else {}
    told = [("size of the folder", f"{run.row.bytes / 1024:,.0f} KiB")]
    if (seconds := run.seconds) is not None:
        told.insert(0, ("seconds", f"{seconds:,.1f}"))
        told.insert(1, ("seconds for an evaluation", f"{seconds / max(len(run.records), 1):.3g}"))
    yield facts([*told, *costs(run)])
    rows = [[name, str(environment[name])] for name in KNOWN if environment.get(name) is not None]
    rows += [[name, str(version)] for name, version in as_map(environment.get("packages")).items() if version]
    yield table(["what", "which"], rows, "environment") if rows else None


def costs(run: Material) -> list[tuple[str, str]]:
    """What the network costs, where it can be loaded."""
    from dltrain.model.summary import summarize

    if "run" not in vars(run):  # a page of a running training loads no model
        return []
    try:
        found = summarize(run.network.graph, 1)
    except DltrainError:
        return []
    return [("parameters", f"{found.parameters:,}"), ("multiply-adds for a sample", f"{found.macs:,}")]
