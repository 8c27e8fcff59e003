"""What was run: the complete config, and where each value came from."""

from __future__ import annotations

from collections.abc import Iterator

from dltrain.pages.material import Material
from dltrain.report.html import Child, element, table
from dltrain.runs.files import is_regular, read_json
from dltrain.runs.metrics import as_map


def settings(run: Material) -> Iterator[Child]:
    """A table of every value."""
    from dltrain.config.explain import rows
    from dltrain.config.yaml_writer import flow
    from dltrain.training.trained import PROVENANCE, stored_experiment

    path = run.folder.path / PROVENANCE
    origins = as_map(read_json(path)) if is_regular(path) else {}
    found = rows(stored_experiment(run.folder))
    listed = [[element("code", row.path), flow(row.value), origins.get(row.path, "config.yaml")] for row in found]
    yield table(["path", "value", "from"], listed, "the complete config")
