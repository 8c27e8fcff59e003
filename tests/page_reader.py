"""A strict reader of pages: what a browser would have to guess, load or run is a fault."""

from __future__ import annotations

import re
from html.parser import HTMLParser

VOID = {"br", "col", "img", "meta"}
LINES = {"p", "h1", "h2", "h3", "dt", "summary", "figcaption", "output", "span", "a", "b", "em", "code", "pre", "title"}
BLOCKS = {"p", "div", "table", "ul", "ol", "dl", "section", "figure", "h1", "h2", "h3", "details", "pre", "nav", "main"}
LOADING = {
    "script",
    "style",
    "link",
    "iframe",
    "object",
    "embed",
    "base",
    "form",
    "input",
    "image",
    "use",
    "foreignobject",
}
ADDRESSES = {"href", "src", "action", "formaction", "data", "poster", "srcset", "xlink:href", "style", "background"}

INSIDE, NEIGHBOUR = r"#[\w.-]+|data:image/png;base64,[\w+/]+=*", r"\.\./|[\w.%~-]+/"


class PageReader(HTMLParser):
    """Reads a page, and collects its faults.

    Parameters:
        text: the page
        served: whether it may lead to its neighbours
    """

    def __init__(self, text: str, served: bool = False) -> None:
        super().__init__(convert_charrefs=True)
        self.allowed = re.compile(INSIDE + (rf"|{NEIGHBOUR}" if served else ""))
        self.faults: list[str] = []
        self.open: list[str] = []
        self.ids: list[str] = []
        self.sections: list[str] = []
        self.said: list[str] = []  # every text, and every attribute that is read out
        self.raw: dict[str, list[str]] = {"script": [], "style": []}
        self.links: list[str] = []
        self.policy = ""
        self.feed(text)
        self.close()
        self.faults += [f"<{tag}> has no end" for tag in self.open]
        self.faults += [f"two elements are {one}" for one in {*self.ids} if self.ids.count(one) > 1]
        self.faults += [f"nothing is {place}" for place in self.links if place[0] == "#" and place[1:] not in self.ids]
        self.faults += [f"there are {len(found)} <{tag}>" for tag, found in self.raw.items() if len(found) != 1]

    @property
    def text(self) -> str:
        """All that a reader is told."""
        return "\n".join(self.said)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """An element begins."""
        if self.open and self.open[-1] in LINES and tag in BLOCKS:
            self.faults.append(f"<{tag}> inside <{self.open[-1]}>")
        if tag in LOADING and tag not in self.raw:
            self.faults.append(f"<{tag}>")
        for name, value in attrs:
            self.attribute(tag, name, value or "")
        if len({name for name, _ in attrs}) < len(attrs):
            self.faults.append(f"<{tag}> has an attribute twice")
        if tag not in VOID:
            self.open.append(tag)
        if tag in self.raw:
            self.raw[tag].append("")

    def attribute(self, tag: str, name: str, value: str) -> None:
        """One attribute of an element."""
        if name.startswith("on"):
            self.faults.append(f"{name}={value[:30]}")
        if name in ADDRESSES and not self.allowed.fullmatch(value):
            self.faults.append(f"<{tag} {name}={value[:30]}>")
        if name == "href":
            self.links.append(value)
        if name == "id":
            self.ids.append(value)
        if tag == "section" and name == "aria-label":
            self.sections.append(value)
        if tag == "meta" and name == "content" and "default-src" in value:
            self.policy = value
        if name in ("alt", "aria-label", "title"):
            self.said.append(value)

    def handle_endtag(self, tag: str) -> None:
        """An element ends."""
        if not self.open or self.open[-1] != tag:
            self.faults.append(f"</{tag}> inside <{self.open[-1] if self.open else ''}>")
        else:
            self.open.pop()

    def handle_data(self, data: str) -> None:
        """A text."""
        tag = self.open[-1] if self.open else ""
        if tag in self.raw:
            self.raw[tag][-1] += data
        else:
            self.said.append(data)

    def handle_comment(self, data: str) -> None:
        """A comment, which no page has."""
        self.faults.append(f"<!--{data[:30]}")

    def unknown_decl(self, data: str) -> None:
        """A declaration, which no page has."""
        self.faults.append(f"<![{data[:30]}")
