"""What a section of a page is, and what it is made of."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from dltrain.errors import DltrainError
from dltrain.report.html import Child, Element, drawing, element, table

MOST_ROWS = 200  # of the table under a chart


class LeftOut(DltrainError):
    """A section does not apply: says why, in a few words."""


@dataclass(frozen=True)
class Section:
    """A part of a page.

    Parameters:
        title: above it
        build: from what the page is about to what the section holds; raises `LeftOut` where it does not apply
    """

    title: str
    build: Callable[[Any], Iterable[Child]]

    @property
    def id(self) -> str:
        """Its place in the page."""
        return self.title.lower().replace(" ", "-")


def chart(figure: str, headers: Sequence[Child], rows: Sequence[Sequence[Child]]) -> Element:
    """A figure whose values the pointer and the arrow keys tell, and its numbers in a table under it.

    Parameters:
        figure: an SVG of `dltrain.report`
        headers: of the table
        rows: of the table, thinned out where they are very many
    """
    every = -(-len(rows) // MOST_ROWS) or 1
    drawn = drawing(figure)
    title = (drawn.attributes or {}).get("aria-label", "chart")
    said = element("output", aria_live="polite")
    note = [element("p", f"every {every}th row", class_="note")] if every > 1 else []
    numbers = element("details", element("summary", "the numbers"), note, table(headers, rows[::every], title))
    keys = f"{title}; the arrow keys tell its values"
    return element(
        "figure", element("div", drawn, class_="chart", tabindex=0, role="group", aria_label=keys), said, numbers
    )


def facts(pairs: Iterable[tuple[str, Child]]) -> Element:
    """Names with what they are."""
    return element("dl", [element("div", element("dt", name), element("dd", said)) for name, said in pairs])


def note(text: str) -> Element:
    """A remark."""
    return element("p", text, class_="note")
