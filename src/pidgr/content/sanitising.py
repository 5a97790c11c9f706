"""Removes from HTML templates what could run, or load anything from elsewhere."""

from html.parser import HTMLParser
from typing import Final

import nh3

INLINE_TAGS: Final = frozenset(
    {
        *("a", "abbr", "b", "code", "del", "em", "i", "ins", "kbd", "mark", "q", "s", "small"),
        *("span", "strong", "sub", "sup", "u"),
    }
)
_BLOCK_TAGS: Final = frozenset(
    {
        *("blockquote", "br", "caption", "dd", "dl", "dt", "h1", "h2", "h3", "h4", "h5", "h6"),
        *("hr", "li", "ol", "p", "pre", "table", "tbody", "td", "tfoot", "th", "thead", "tr", "ul"),
    }
)
_ATTRIBUTES: Final = {
    "a": {"href"},
    "abbr": {"title"},
    "ol": {"start"},
    "td": {"colspan", "rowspan"},
    "th": {"colspan", "rowspan", "scope"},
}
_SCHEMES: Final = frozenset(("http", "https", "mailto", "tel"))

_CLEANER: Final = nh3.Cleaner(
    tags=set(INLINE_TAGS | _BLOCK_TAGS),
    attributes=_ATTRIBUTES,
    url_schemes=set(_SCHEMES),
    link_rel="noopener",
)


def sanitise(html: str) -> str:
    """Return HTML with text structure and links only."""
    return _CLEANER.clean(html)


def attribute_values(html: str) -> list[str]:
    """Return the value of every attribute of every tag."""
    parser = _Attributes()
    parser.feed(html)
    parser.close()
    return parser.values


class _Attributes(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.values: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        del tag
        self.values += [value for _, value in attrs if value]
