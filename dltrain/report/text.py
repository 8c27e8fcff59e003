"""Foreign text in figures and pages: seen as it is, and never more than text."""

from __future__ import annotations

import re
from html import escape
from typing import Any

# what XML does not allow, what is not seen, and what turns the direction of the writing around it
UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]"
)


def seen(value: Any) -> str:
    """A text whose control characters, and those that turn the direction of writing, are written out.

    Example:
        >>> seen("cat\\u202egod"), seen(3)
        ('cat\\\\u202egod', '3')
    """
    return UNSEEN.sub(lambda match: f"\\u{ord(match[0]):04x}", str(value))


def escaped(value: Any) -> str:
    """The same, as it stands in XML or HTML, between tags or in an attribute.

    Example:
        >>> escaped('<b> & "c"')
        '&lt;b&gt; &amp; &quot;c&quot;'
    """
    return escape(seen(value))
