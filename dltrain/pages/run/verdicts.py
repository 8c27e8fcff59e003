"""What `dltrain diagnose` says of a run."""

from __future__ import annotations

from collections.abc import Iterator

from dltrain.pages.material import Material
from dltrain.pages.section import note
from dltrain.report.html import Child, element, table


def verdicts(run: Material) -> Iterator[Child]:
    """The errors of the parts, and each verdict with its advice."""
    found = run.diagnosed
    rows = [[part, f"{one['error']:.2%}", one["samples"]] for part, one in found["errors"].items()]
    if rows:
        yield table(["part", "error", "samples"], rows, "error with the best weights")
    for verdict in found["verdicts"]:
        said = [element("b", verdict["rule"].replace("_", " ")), ": ", verdict["what"]]
        advice = element("p", "Try: ", verdict["advice"]) if verdict["advice"] else None
        yield element("div", element("p", said), advice, class_=verdict["severity"])
    if not found["verdicts"]:
        yield note("Nothing stands out: the parts agree, and the losses fell as they should.")
