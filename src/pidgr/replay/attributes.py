"""Attributes of nodes: which are kept, and which mask what is inside.

A page may put anything into attributes, and rrweb records them all.
"""

import json
import re
from importlib.resources import files
from typing import Any, Final

from pidgr.replay.texts import MASK, mask_style, mask_text, strip_page_url, strip_url

Attributes = dict[str, Any]

_LISTS: Final = json.loads((files("pidgr.replay") / "personal.json").read_text("utf-8"))
"""The recorder in the browser goes by the same file."""
# Text that a person put there, or that runs.
_MASKED_TAGS: Final = frozenset(_LISTS["maskedTags"])
_MASK_CLASS: Final[str] = _LISTS["maskClass"]
_DROPPED_ATTRIBUTES: Final = frozenset(_LISTS["droppedAttributes"])
_MASKED_ATTRIBUTES: Final = frozenset(_LISTS["maskedAttributes"])
# What is read out or shown in place of a text, and so is masked with it.
_SPOKEN_ATTRIBUTES: Final = frozenset(_LISTS["spokenAttributes"])
_STYLE_ATTRIBUTES: Final = frozenset(_LISTS["styleAttributes"])
_URL_ATTRIBUTES: Final = frozenset(_LISTS["urlAttributes"])
# URLs of pages, whose paths carry invitations and ids; a path of a picture is its name.
_PAGE_ATTRIBUTES: Final = frozenset(_LISTS["pageAttributes"])
# ``open`` or ``is-active``, as pages are styled by; names, numbers and addresses are not.
_WORD: Final = re.compile(r"[a-z-]{0,24}")
# No increment that is known nests as far.
_DEEPEST: Final = 8


def is_masking(tag: str, attributes: Attributes) -> bool:
    """Tell whether the text of an element is masked, and all that is inside."""
    classes = str(attributes.get("class") or "").split()
    editable = attributes.get("contenteditable")
    return (
        tag in _MASKED_TAGS
        or _MASK_CLASS in classes
        or attributes.get("data-pii") is not None
        or (editable is not None and str(editable).lower() != "false")
    )


def mask_attributes(tag: str, attributes: object, *, inside: bool) -> Attributes:
    """Return attributes without values; a changed attribute does not tell its element's tag."""
    kept: Attributes = {}
    if not isinstance(attributes, dict):
        return kept
    for name, value in attributes.items():
        lowered = str(name).lower()
        if lowered in _DROPPED_ATTRIBUTES or lowered.startswith("on"):
            continue
        if tag == "meta" and lowered == "content":
            continue
        if lowered in _MASKED_ATTRIBUTES or (inside and _tells(lowered)):
            # A submit button shows its value, but so does a field somebody has filled in.
            kept[name] = MASK if value else harmless(value, styles=False)
        elif isinstance(value, str):
            kept[name] = _mask_attribute(lowered, value, inside=inside)
        else:
            # rrweb has objects for changes of style, and None for an attribute that has gone.
            kept[name] = harmless(value, styles=lowered == "style")
    return kept


def _tells(name: str) -> bool:
    return name in _SPOKEN_ATTRIBUTES or name.startswith("data-")


def _mask_attribute(name: str, value: str, *, inside: bool) -> str:
    if name in _URL_ATTRIBUTES:
        if inside:
            # A picture of a person is as good as the name.
            return ""
        return strip_page_url(value) if name in _PAGE_ATTRIBUTES else strip_url(value)
    if name in _STYLE_ATTRIBUTES:
        return mask_style(value)
    if name.startswith("data-") and not _WORD.fullmatch(value):
        return MASK
    return mask_text(value)


def harmless(value: object, *, styles: bool, depth: int = 0) -> object:
    """Return numbers as they are, and texts only where they are rules of style."""
    match value:
        case bool() | int() | float() | None:
            return value
        case str():
            return mask_style(value) if styles else ""
        case list() if depth < _DEEPEST:
            return [harmless(one, styles=styles, depth=depth + 1) for one in value]
        case dict() if depth < _DEEPEST:
            return {
                str(name): harmless(one, styles=styles, depth=depth + 1)
                for name, one in value.items()
            }
    return None
