"""The recorder masks in the browser as the server does: both get the same recordings."""

import json
from pathlib import Path
from random import Random
from typing import Any

from support.node import NodeProject

from pidgr.replay.masking import Event, mask
from pidgr.replay.page_tree import PageTree

TEXTS = (
    "plain",
    " ",
    "",
    "a {{pii}}b{{/pii}} c",
    "{{pii}}open",
    "close{{/pii}} d",
    "{{/pii}}",
    "{{pii}}\n",
    "über {{pii}}x",
)
ATTRIBUTES: dict[str, tuple[Any, ...]] = {
    "class": ("big", "big\trr-mask", "xrr-mask"),
    "data-pii": ("", None),
    "contenteditable": ("", "FALSE", "true"),
    "title": TEXTS,
    "aria-label": TEXTS,
    "value": ("secret", ""),
    "VALUE": ("secret",),
    "href": ("https://a/b?c#d", " JavaScript:x", "data:text/html,x", "/{{pii}}x{{/pii}}?y"),
    "srcset": ("a 2x",),
    "rr_dataURL": ("data:",),
    "checked": (True,),
    "onclick": ("x",),
    "content": ("x",),
    "data-state": ("is-open", "Ada", "a1", "", "a\n", "{{pii}}x"),
    "DATA-name": ("ada", "Ada Lovelace"),
    "src": ("/a/b@2x.png?c", "//a:b@c/d", "data:image/png;base64,a1", 3, ["x"]),
    "action": (
        "/a/0123456789abcdefghij/b",
        "https://a-long-host-with-digits-2.example:8080/a@b/%40",
        " mailto:a@b",
        "tel:+49",
        "plain/a-very-long-title-of-a-page",
    ),
    "_cssText": ("@import 'a?b'; a{b:url( \"c?d\")}", "{{pii}}a"),
    "rr_width": (4.5,),
    "style": ({"color": "red", "b": ["url(a?b)", "important"]}, "color:url(/a?b#c)"),
}
TAGS = ("p", "DIV", "textarea", "select", "meta", "script", "input", "style")


class Imagination:
    """Makes up recordings that share node ids, with a good deal that no page has."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.ids = 0

    def id(self) -> Any:
        self.ids += 1
        return self.random.choice((self.ids, self.ids, self.ids, self.old(), None, "7", True))

    def old(self) -> int:
        return self.random.randint(0, self.ids + 1)

    def attributes(self) -> Event:
        names = self.random.sample(sorted(ATTRIBUTES), self.random.randint(0, 3))
        return {name: self.random.choice(ATTRIBUTES[name]) for name in names}

    def node(self, depth: int = 0) -> Any:
        kind = self.random.choice((2, 2, 2, 3, 3, 3, 4, 5, 0, 1, None))
        node: Event = {"type": kind, "id": self.id()}
        if kind == 2:
            node |= {"tagName": self.random.choice(TAGS), "attributes": self.attributes()}
        elif kind in {3, 4, 5}:
            node["textContent"] = self.random.choice((*TEXTS, None))
            if self.random.random() < 0.1:
                node["isStyle"] = True
        else:
            node["name"] = "html"
        if kind in {2, 0, 1} and depth < 4:
            count = self.random.randint(0, 4)
            node["childNodes"] = [self.node(depth + 1) for _ in range(count)]
        return node if self.random.random() > 0.02 else "nothing"

    def mutation(self) -> Event:
        def some(make: Any) -> list[Any]:
            return [make() for _ in range(self.random.randint(0, 4))]

        return {
            "source": 0,
            "adds": some(
                lambda: {
                    "parentId": self.old(),
                    "nextId": self.random.choice((None, self.old())),
                    "node": self.node(3),
                }
            ),
            "texts": some(lambda: {"id": self.old(), "value": self.random.choice(TEXTS)}),
            "attributes": some(lambda: {"id": self.old(), "attributes": self.attributes()}),
            "removes": some(lambda: {"id": self.old(), "parentId": self.old(), "note": "x"}),
        }

    def data(self, kind: int) -> Event:
        if kind == 2:
            return {"node": self.node(), "initialOffset": self.random.choice(({"top": 3}, None))}
        if kind == 4:
            return {"href": "https://a/b?c", "width": 4, "height": "x"}
        source = self.random.randint(1, 17)
        others: Event = {
            "id": self.old(),
            "text": self.random.choice(TEXTS),
            "positions": [{"x": 1.5, "note": "x", "deep": [[["y"]]]}, None, True],
        }
        return self.mutation() if self.random.random() < 0.6 else {"source": source, **others}

    def recording(self) -> list[Event]:
        kinds = [2, *self.random.choices((0, 2, 3, 3, 3, 3, 3, 4, 5, 9), k=8)]
        return [{"type": kind, "timestamp": 1, "data": self.data(kind)} for kind in kinds]


def test_the_browser_masks_what_the_server_masks(node: NodeProject, tmp_path: Path) -> None:
    recordings = [Imagination(seed).recording() for seed in range(250)]
    expected = []
    for events in recordings:
        page = PageTree()
        kept = mask(events, page)
        expected.append({"kept": kept, "masked": sorted(page.masked)})
    # Not a page of secrets that is masked to nothing on both sides.
    assert json.dumps(expected).count("***") > 1_000
    assert json.dumps(expected).count("plain") > 100
    file = tmp_path / "recordings.json"
    file.write_text(json.dumps(recordings))
    given: list[Any] = node.run("masking/mask", file=str(file))
    differing = [seed for seed in range(250) if given[seed] != expected[seed]]
    assert differing == []
