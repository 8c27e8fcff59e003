"""A page from its sections: those that do not apply are named at its end, with the reason."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from dltrain.errors import DltrainError
from dltrain.pages.furniture import STYLE, TELL
from dltrain.pages.section import LeftOut, Section
from dltrain.report.html import Child, Element, document, element

LONGEST = 300  # letters of a reason


def page(title: str, about: str, sections: Sequence[Section], subject: Any) -> tuple[str, list[str], dict[str, str]]:
    """The text of a page, the titles of its sections, and {title: reason} of those that are left out.

    Parameters:
        title: of the page
        about: a line below it
        sections: in their order
        subject: what they are about
    """
    made, left_out = built(sections, subject)
    ids = {section.title: section.id for section in sections}
    links = [(name, f"#{ids[name]}") for name in made]
    body = framed(title, about, links, [*made.values(), *ending(left_out)])
    return document(title, body, STYLE, TELL), list(made), left_out


def built(sections: Sequence[Section], subject: Any) -> tuple[dict[str, Element], dict[str, str]]:
    """{title: section} of those that apply, and {title: reason} of the others.

    Parameters:
        sections: in their order
        subject: what they are about
    """
    made: dict[str, Element] = {}
    left_out: dict[str, str] = {}
    for section in sections:
        try:
            children = list(section.build(subject))
        except DltrainError as error:
            left_out[section.title] = reason(error)
        else:
            heading = element("h2", section.title, id=section.id)
            made[section.title] = element("section", heading, children, aria_label=section.title)
    return made, left_out


def reason(error: DltrainError) -> str:
    """Why a section is left out, in one line."""
    text = error.what if isinstance(error, LeftOut) else str(error)
    line = " ".join(text.split())
    return line if len(line) <= LONGEST else line[: LONGEST - 1] + "…"


def framed(title: str, about: Child, links: Iterable[tuple[str, str]], inner: Iterable[Child]) -> list[Element]:
    """The body of a page around what it holds.

    Parameters:
        title: its heading
        about: below it
        links: (text, address) of its parts
        inner: what it holds
    """
    listed = element("ul", [element("li", element("a", name, href=place)) for name, place in links])
    return [
        element("a", "to the content", href="#content", class_="skip"),
        element("header", element("h1", element("bdi", title)), element("p", about, class_="note")),
        element("nav", listed, aria_label="sections"),
        element("main", inner, id="content", tabindex=-1),
    ]


def ending(left_out: dict[str, str]) -> list[Element]:
    """What the page does not show."""
    if not left_out:
        return []
    rows = [element("li", element("b", name), ": ", why) for name, why in left_out.items()]
    return [element("section", element("h2", "Left out", id="left-out"), element("ul", rows), aria_label="left out")]
