"""How each class does, and what is taken for what."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from dltrain.pages.material import Material
from dltrain.pages.section import LeftOut, chart, note
from dltrain.report.html import Child, element, table
from dltrain.report.svg import heat_map

MOST = 40  # classes of a confusion matrix that is drawn


def classes(run: Material) -> Iterator[Child]:
    """A table of the classes and the confusion matrix, of each head."""
    heads = {name: head.counted() for name, head in run.heads.items()}
    counted = {name: found for name, found in heads.items() if found["per_class"]}
    if not counted:
        raise LeftOut("the task has no classes")
    yield note(f"Counted over the {run.part} part, {run.tally.count:,} samples.")
    for name, found in counted.items():
        if name:
            yield element("h3", name)
        yield from one(found)


def one(found: dict[str, Any]) -> Iterator[Child]:
    """The classes of one head."""
    headers = [*found["per_class"][0]]
    rows = [[visible(row[h]) if h == "label" else row[h] for h in headers] for row in found["per_class"]]
    yield table(headers, rows, "each class by itself")
    counts, names = found["confusion"], [*map(visible, found["classes"] or ())]
    if counts is None:
        return
    if len(names) > MOST:
        pairs = [(n, names[i], names[j]) for i, row in enumerate(counts) for j, n in enumerate(row) if i != j and n]
        rows = [[true, said, n] for n, true, said in sorted(pairs, reverse=True)[:20]]
        yield table(["is", "taken for", "times"], rows, f"most often confused of {len(names)} classes")
        return
    figure = heat_map("Confusion: rows are, columns are taken for", names, names, counts)
    yield chart(figure, ["is, taken for", *names], [[name, *row] for name, row in zip(names, counts, strict=True)])


def visible(name: Any) -> str:
    """The name of a class; one of blanks alone in quotes.

    Example:
        >>> visible("cat"), visible("\\n")
        ('cat', "'\\\\n'")
    """
    return repr(name) if str(name).isspace() else str(name)
