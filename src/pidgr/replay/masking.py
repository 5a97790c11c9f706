"""Takes everything personal out of rrweb events, whatever the browser has done already.

rrweb's own masking leaks in known ways (hidden inputs, attributes, options of a select), and a
client can be old or wrong. So the server decides anew: event types and mutation sources that are
not known to be harmless go, what people typed or chose goes, text marked as personal goes, and so
do attributes that may tell about a person (``attributes``).

What is masked by where it stands (in a text area, in an element with the class ``rr-mask``, between
markers in other nodes) stays masked when only the text changes later, and so does what is in an
element that becomes such a place. So what is known of the page is carried from one batch to the
next (``page_tree``).
"""

from collections.abc import Iterable
from enum import IntEnum
from typing import Any, Final

from pidgr.replay.attributes import harmless, is_masking, mask_attributes
from pidgr.replay.order import Place, document_order
from pidgr.replay.page_tree import PageTree
from pidgr.replay.texts import (
    MARKER_END,
    MARKER_START,
    MASK,
    mask_style,
    mask_text,
    strip_page_url,
    without_marked,
)

Event = dict[str, Any]


class EventType(IntEnum):
    """Kinds of event, as rrweb 2 numbers them. Custom and plugin events can hold anything."""

    DOM_CONTENT_LOADED = 0
    LOAD = 1
    FULL_SNAPSHOT = 2
    INCREMENTAL_SNAPSHOT = 3
    META = 4


class Source(IntEnum):
    """Where an incremental snapshot comes from, as rrweb 2 numbers it; others are dropped."""

    MUTATION = 0
    MOUSE_MOVE = 1
    MOUSE_INTERACTION = 2
    SCROLL = 3
    VIEWPORT_RESIZE = 4
    INPUT = 5
    TOUCH_MOVE = 6
    STYLE_SHEET_RULE = 8
    DRAG = 12
    STYLE_DECLARATION = 13
    SELECTION = 14
    ADOPTED_STYLE_SHEET = 15


_STYLES: Final = frozenset(
    {Source.STYLE_SHEET_RULE, Source.STYLE_DECLARATION, Source.ADOPTED_STYLE_SHEET}
)
INTERACTIONS: Final = frozenset({Source.MOUSE_INTERACTION, Source.SCROLL, Source.INPUT})
"""What counts as activity."""

_NODE_NUMBERS: Final = (
    "type",
    "id",
    "rootId",
    "isSVG",
    "isShadow",
    "isShadowHost",
    "needBlock",
)
_ELEMENT: Final = 2
_TEXT, _CDATA, _COMMENT = 3, 4, 5


def mask(events: Iterable[Event], page: PageTree) -> list[Event]:
    """Return what may be kept of some events, in their order.

    Args:
        events: JSON objects; each with an int ``type``, an object ``data`` and a number
            ``timestamp``.
        page: of the recording so far; brought up to date.
    """
    kept = (_mask_event(event, page) for event in events)
    return [event for event in kept if event is not None]


def _mask_event(event: Event, page: PageTree) -> Event | None:
    data = event["data"]
    match event["type"]:
        case EventType.DOM_CONTENT_LOADED | EventType.LOAD:
            cleaned: Event | None = {}
        case EventType.META:
            cleaned = {
                "href": strip_page_url(str(data.get("href", ""))),
                "width": _number(data.get("width")),
                "height": _number(data.get("height")),
            }
        case EventType.FULL_SNAPSHOT:
            page.clear()
            offset = _object(data.get("initialOffset"))
            walk = _Walk(page)
            node = walk.tree(data.get("node"), parent=None)
            walk.finish()
            cleaned = None
            if node is not None:
                position = {side: _number(offset.get(side)) for side in ("top", "left")}
                cleaned = {"node": node, "initialOffset": position}
        case EventType.INCREMENTAL_SNAPSHOT:
            cleaned = _mask_increment(data, page)
        case _:
            cleaned = None
    if cleaned is None:
        return None
    return {"type": event["type"], "data": cleaned, "timestamp": event["timestamp"]}


def _mask_increment(data: Event, page: PageTree) -> Event | None:
    source = _reference(data, "source")
    if source not in frozenset(Source):
        return None
    if source == Source.INPUT:
        text = MASK if data.get("text") else ""
        return {"source": source, "text": text, "isChecked": False, "id": _id(data)}
    if source == Source.MUTATION:
        return _mask_mutation(data, page)
    if source in _STYLES:
        return {name: harmless(value, styles=True) for name, value in data.items()}
    return {name: harmless(value, styles=False) for name, value in data.items()}


def _mask_mutation(data: Event, page: PageTree) -> Event:
    """Go through what changes in the order in which a player does; texts come last."""
    removes: list[Event] = [
        {name: one[name] for name in ("parentId", "id", "isShadow") if name in one}
        for one in _objects(data.get("removes"))
    ]
    for one in removes:
        page.take_out(_reference(one, "id"), _reference(one, "parentId"))
    adds = _mask_adds(_objects(data.get("adds")), page)
    # What was moved is among the new nodes.
    page.forget_below({_id(one) for one in removes} - {_id(add["node"]) for add in adds})
    attributes = _mask_changed_attributes(_objects(data.get("attributes")), page)
    texts = [
        {"id": _id(one), "value": _changed_text(one, page)} for one in _objects(data.get("texts"))
    ]
    return {
        "source": Source.MUTATION,
        "texts": texts,
        "attributes": attributes,
        "removes": removes,
        "adds": adds,
    }


def _mask_changed_attributes(changes: list[Event], page: PageTree) -> list[Event]:
    for one in changes:
        if is_masking("", _object(one.get("attributes"))):
            page.mask_below(_id(one))
    return [
        {
            "id": _id(one),
            "attributes": mask_attributes(
                "", one.get("attributes"), inside=_id(one) in page.masked
            ),
        }
        for one in changes
    ]


def _mask_adds(adds: list[Event], page: PageTree) -> list[Event]:
    """Mask new nodes in the order they are read, for markers may stand in different ones."""
    places = [
        Place(_id(_object(add.get("node"))), _reference(add, "parentId"), _reference(add, "nextId"))
        for add in adds
    ]
    nodes: dict[int, Event] = {}
    for order in document_order(places):
        walk = _Walk(page)
        for index in order:
            node = walk.tree(adds[index].get("node"), parent=places[index].parent)
            if node is not None:
                nodes[index] = node
        walk.finish()
    return [
        {"parentId": places[index].parent, "nextId": places[index].following, "node": nodes[index]}
        for index in sorted(nodes)
    ]


def _changed_text(change: Event, page: PageTree) -> str:
    text = str(change.get("value") or "")
    if _id(change) in page.masked:
        return MASK if text else ""
    # The other half of a marker may be in a node that has not changed.
    return MASK if MARKER_END in without_marked(text) else mask_text(text)


class _Walk:
    """Copies trees of nodes, in the order of the document and without recursion."""

    def __init__(self, page: PageTree) -> None:
        self._page = page
        self._marker_open = False
        self._between_markers: set[int | None] = set()

    def finish(self) -> None:
        """Remember what stands between markers: not before, for there is text behind them."""
        self._remember(*self._between_markers)

    def tree(self, root: object, *, parent: int | None) -> Event | None:
        if not isinstance(root, dict):
            return None
        copies: list[Event] = []
        waiting: list[tuple[Event, bool, int | None, list[Event]]]
        waiting = [(root, parent in self._page.masked, parent, copies)]
        while waiting:
            node, inside, above, siblings = waiting.pop()
            opened = self._marker_open
            copy, inside = self._node(node, inside=inside)
            siblings.append(copy)
            self._page.place(_reference(node, "id"), above)
            if opened or self._marker_open:
                # What is put beside it later is between the markers too.
                self._between_markers |= {_reference(node, "id"), above}
            if inside or MARKER_START in str(node.get("textContent")):
                self._remember(_reference(node, "id"))
            children = _objects(node.get("childNodes"))
            if "childNodes" in node:
                copy["childNodes"] = []
                # The first child is on top: markers are met in the order they are read.
                above, siblings = _reference(node, "id"), copy["childNodes"]
                waiting += [(child, inside, above, siblings) for child in reversed(children)]
        return copies[0]

    def _remember(self, *ids: int | None) -> None:
        self._page.masked.update(number for number in ids if number is not None)

    def _node(self, node: Event, *, inside: bool) -> tuple[Event, bool]:
        kind = _reference(node, "type")
        copy: Event = {
            name: node[name] for name in _NODE_NUMBERS if isinstance(node.get(name), int)
        }
        if kind == _ELEMENT:
            tag = str(node.get("tagName", "")).lower()
            attributes = _object(node.get("attributes"))
            inside = inside or is_masking(tag, attributes)
            copy["tagName"] = tag
            copy["attributes"] = mask_attributes(
                tag, attributes, inside=inside or self._marker_open
            )
        elif kind in {_TEXT, _CDATA}:
            text = str(node.get("textContent") or "")
            copy["textContent"] = self._text(text, inside=inside)
            if node.get("isStyle") is True:
                copy["isStyle"] = True
                if not (inside or self._marker_open):
                    copy["textContent"] = mask_style(text)
        elif kind == _COMMENT:
            copy["textContent"] = ""
        else:
            copy |= {
                name: str(node.get(name) or "")
                for name in ("name", "publicId", "systemId", "compatMode")
                if name in node
            }
        return copy, inside

    def _text(self, text: str, *, inside: bool) -> str:
        before = ""
        if self._marker_open:
            _, end, rest = text.partition(MARKER_END)
            if not end:
                return MASK if text.strip() else text
            before, text = MASK, rest
            self._marker_open = False
        self._marker_open = text.rfind(MARKER_START) > text.rfind(MARKER_END)
        if inside:
            return MASK if text.strip() or before else text
        return before + mask_text(text)


def _objects(value: object) -> list[Event]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _object(value: object) -> Event:
    return value if isinstance(value, dict) else {}


def _id(value: Event) -> int:
    found = _reference(value, "id")
    return -1 if found is None else found


def _reference(value: Event, name: str) -> int | None:
    found = value.get(name)
    return found if isinstance(found, int) and not isinstance(found, bool) else None


def _number(value: object) -> float:
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else 0
