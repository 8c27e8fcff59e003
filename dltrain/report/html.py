"""HTML from a closed set of elements: every text is escaped, and nothing can be said that loads or runs something.

A page is a tree of `Element`s, so foreign text can only ever be text.  A tag, an attribute or an address that is not in
the tables below is refused where the element is made.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from html import escape
from itertools import zip_longest
from typing import Any
from xml.etree import ElementTree

from dltrain.report.text import seen

VOID = frozenset({"br", "col", "img", "meta"})  # they hold nothing and have no end
PAGE = "html head title body header main nav section article footer div span p h1 h2 h3 ul ol li dl dt dd a b em bdi"
PARTS = "code pre table caption thead tbody tr th td figure figcaption details summary output time"
FIGURE = "svg g path rect circle line polyline polygon text"
TAGS = VOID | {*PAGE.split(), *PARTS.split(), *FIGURE.split()}
GENERAL = "aria-hidden aria-label aria-live class id lang role tabindex title"
OF_ONE = "alt charset content datetime height href http-equiv name open scope src width"
DRAWN = "cx cy d fill fill-opacity opacity points r shape-rendering transform viewBox x x1 x2 y y1 y2"
LINES = "stroke stroke-dasharray stroke-linecap stroke-linejoin stroke-opacity stroke-width"
ATTRIBUTES = frozenset({*GENERAL.split(), *OF_ONE.split(), *DRAWN.split(), *LINES.split()})
ADDRESS = re.compile(r"#[\w.-]+|\.{0,2}/?(?:[\w.%~-]+/)*")  # a place in this page, or a folder beneath it
PICTURE = re.compile(r"data:image/png;base64,[A-Za-z0-9+/]+=*")
SVG = "{http://www.w3.org/2000/svg}"
POLICY = (
    "default-src 'none'; img-src data:; style-src {style}; script-src {script}; connect-src {connect}; "
    "base-uri 'none'; form-action 'none'"
)

Child = Any  # an Element, a text or number, None, or several of them


@dataclass(frozen=True)
class Element:
    """One element with what is inside.

    Parameters:
        tag: its name
        children: elements and texts, in order
        attributes: {name: value}; what is None is left out

    Raises:
        ValueError: when the tag, an attribute or an address is not of the closed set.

    Example:
        >>> str(Element("p", ("2 < 3",), {"class": "a"}))
        '<p class="a">2 &lt; 3</p>'
        >>> Element("script", ())
        Traceback (most recent call last):
        ValueError: a page has no element 'script'
    """

    tag: str
    children: tuple[Element | str, ...]
    attributes: dict[str, str] | None = None

    def __post_init__(self) -> None:
        if self.tag not in TAGS:
            raise ValueError(f"a page has no element {self.tag!r}")
        for name, value in (self.attributes or {}).items():
            allowed = {"href": ADDRESS, "src": PICTURE}.get(name)
            if name not in ATTRIBUTES or (allowed and not allowed.fullmatch(value)):
                raise ValueError(f"an element has no attribute {name}={value[:40]!r}")

    def __str__(self) -> str:
        return "".join(self.pieces())

    def pieces(self) -> Iterator[str]:
        """Its text, piece by piece."""
        yield f"<{self.tag}"
        for name, value in (self.attributes or {}).items():
            yield f' {name}="{escape(value)}"'
        yield ">"
        for child in self.children:
            if isinstance(child, Element):
                yield from child.pieces()
            else:
                yield escape(child, quote=False)
        if self.tag not in VOID:
            yield f"</{self.tag}>"


def element(tag: str, *children: Child, **attributes: Any) -> Element:
    """An element; `class_` is written class, and an underscore in a name is a dash.

    Parameters:
        tag: its name
        children: elements, texts and numbers, and lists of them; None is nothing
        attributes: by name; None is left out

    Example:
        >>> str(element("td", 3, class_="n", aria_label=None))
        '<td class="n">3</td>'
    """
    named = {name.rstrip("_").replace("_", "-"): seen(value) for name, value in attributes.items() if value is not None}
    return Element(tag, tuple(flat(children)), named)


def flat(children: Iterable[Child]) -> Iterator[Element | str]:
    """The elements and texts of nested lists, in order."""
    for child in children:
        if isinstance(child, (list, tuple, Iterator)):
            yield from flat(child)
        elif isinstance(child, Element):
            yield child
        elif child is not None:
            yield seen(child)


def drawing(text: str) -> Element:
    """A figure of `svg.py` inside a page, whose style sheet it shares.

    Parameters:
        text: the whole text of the figure

    Raises:
        ValueError: when it has an element or attribute that no figure has.
    """
    return grown(ElementTree.fromstring(text))


def grown(node: ElementTree.Element) -> Element:
    """The element of a parsed one; its title is what a pointer is told."""
    children: list[Child] = [node.text if (node.text or "").strip() else None]
    for child in node:
        if child.tag != f"{SVG}style":
            children.append(grown(child))
    return Element(node.tag.removeprefix(SVG), tuple(flat(children)), {**node.attrib})


def picture(file: bytes, alt: str, class_: str | None = None) -> Element:
    """A PNG file inside the page.

    Parameters:
        file: its bytes
        alt: what it shows, for those who do not see it
        class_: how it looks
    """
    return element("img", src=f"data:image/png;base64,{base64.b64encode(file).decode()}", alt=alt, class_=class_)


def table(headers: Iterable[Child], rows: Iterable[Iterable[Child]], caption: str | None = None) -> Element:
    """A table; numbers stand at the right.

    Parameters:
        headers: of the columns
        rows: their cells; the first is what the row is about
        caption: above it
    """
    listed = [[cell(value) for value in row] for row in rows]
    looks = [one.attributes for one in listed[0]] if listed else []
    head = [
        element("th", header, scope="col", **{"class_": look.get("class")} if look else {})
        for header, look in zip_longest(headers, looks)
    ]
    return element(
        "div",
        element(
            "table",
            None if caption is None else element("caption", caption),
            element("thead", element("tr", head)),
            element("tbody", [element("tr", cells) for cells in listed]),
        ),
        class_="wide",
        tabindex=0,
        role="group",
        aria_label=caption or "table",
    )


def cell(value: Child) -> Element:
    """A cell of a table."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return element("td", number(value), class_="n")
    return element("td", value)


def number(value: float) -> str:
    """A number as one reads it.

    Example:
        >>> number(0.123456), number(1234567), number(2.0)
        ('0.1235', '1,234,567', '2')
    """
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}"


def document(title: str, body: Iterable[Child], style: str, script: str, connect: str = "'none'") -> str:
    """The whole text of a page, which loads nothing and runs nothing but its own script.

    Its policy names style and script by their hashes: what is not them does not apply, wherever it comes from.

    Parameters:
        title: of the page
        body: its elements
        style: the style sheet
        script: the script
        connect: what the script may ask, `'self'` for a served page
    """
    policy = POLICY.format(style=digest(style), script=digest(script), connect=connect)
    head = [
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=policy),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("meta", name="referrer", content="no-referrer"),
        element("title", title),
    ]
    inner = "".join(map(str, head)) + f"<style>{style}</style>"
    content = "".join(map(str, flat(body))) + f"<script>{script}</script>"
    return f'<!DOCTYPE html>\n<html lang="en"><head>{inner}</head>\n<body>{content}</body></html>\n'


def digest(text: str) -> str:
    """The hash by which a policy names a style sheet or a script."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
