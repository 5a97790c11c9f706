"""Texts, URLs and rules of style without what is personal in them."""

import re
from typing import Final

MASK: Final = "***"
"""What stands where something was: as long for a letter as for a book."""
MARKER_START: Final = "{{pii}}"
MARKER_END: Final = "{{/pii}}"

# To the end of the text where the marker is not closed: the rest may be in another node.
_MARKED: Final = re.compile(r"\{\{pii\}\}.*?(?:\{\{/pii\}\}|\Z)", re.DOTALL)
# These run, are a page themselves, or say nothing but whom they reach.
_TELLING_SCHEME: Final = re.compile(
    r"\s*(?:javascript:|data:text|mailto:|tel:|sms:)", re.IGNORECASE
)
_USER: Final = re.compile(r"^(\s*(?:[a-z][a-z0-9+.-]*:)?//)[^/]*@", re.IGNORECASE)
_HOST: Final = re.compile(r"(?:\s*(?:[a-z][a-z0-9+.-]*:)?//[^/]*)?", re.IGNORECASE)
_LONGEST_NAME: Final = 19
"""Characters of a part of a path; a longer one with a digit is a token or an id."""
# A picture that is in the rule itself has no query, though it may have a question mark. Nothing
# that is matched contains what a match begins with, or a long text would take for ever.
_QUERY_IN_STYLE: Final = re.compile(
    r"((?:url\(\s*|@import\s+)['\"]?(?!data:)[^'\"()?\s;]*)\?[^'\"()\s;]*", re.IGNORECASE
)


def mask_text(text: str) -> str:
    """Return a text without what is marked as personal in it."""
    return _MARKED.sub(MASK, text) if MARKER_START in text else text


def without_marked(text: str) -> str:
    """Return what is left of a text outside the markers that begin in it."""
    return _MARKED.sub("", text)


def strip_url(url: str) -> str:
    """Return a URL without what carries tokens and addresses: its query, fragment and user."""
    bare = re.split(r"[?#]", url, maxsplit=1)[0]
    return "" if _TELLING_SCHEME.match(bare) else mask_text(_USER.sub(r"\1", bare))


def strip_page_url(url: str) -> str:
    """Return the URL of a page, also without parts of its path that may be about one person.

    These are addresses, tokens of invitations, ids. A picture's path is its name, and is kept.
    """
    bare = strip_url(url)
    host = _HOST.match(bare)
    end = host.end() if host else 0
    return bare[:end] + "/".join(MASK if _tells(part) else part for part in bare[end:].split("/"))


def _tells(part: str) -> bool:
    if "@" in part or "%40" in part:
        return True
    return len(part) > _LONGEST_NAME and any("0" <= letter <= "9" for letter in part)


def mask_style(text: str) -> str:
    """Return rules of style without queries of URLs and without what is marked."""
    return _QUERY_IN_STYLE.sub(r"\1", mask_text(text))
