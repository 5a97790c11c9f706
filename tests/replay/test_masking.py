"""What the server makes of rrweb events, held against a page full of secrets."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pidgr.replay.batch import inflate, keep, read_events
from pidgr.replay.masking import Event, mask
from pidgr.replay.page_tree import PageTree, decode
from pidgr.replay.texts import MASK, mask_style, mask_text, strip_page_url, strip_url

SECRET = "s3cret"


def element(number: int, tag: str, *children: Any, **attributes: Any) -> Event:
    # Python's names have no hyphens; rrweb's own attributes have no others.
    named = {
        name if name.startswith(("rr_", "_")) else name.replace("_", "-"): value
        for name, value in attributes.items()
    }
    return {
        "type": 2,
        "id": number,
        "tagName": tag,
        "attributes": named,
        "childNodes": list(children),
    }


def text(number: int, content: str) -> Event:
    return {"type": 3, "id": number, "textContent": content}


def snapshot(*body: Event) -> Event:
    node = {"type": 0, "id": 1, "childNodes": [element(2, "body", *body)]}
    return {"type": 2, "timestamp": 1, "data": {"node": node, "initialOffset": {"top": 0}}}


def increment(source: Any, **data: Any) -> Event:
    return {"type": 3, "timestamp": 2, "data": {"source": source, **data}}


def told(*events: Event, page: PageTree | None = None) -> str:
    """Return what is kept, as it would lie in a file."""
    return json.dumps(mask(events, PageTree() if page is None else page))


@pytest.mark.parametrize(
    "node",
    [
        element(9, "input", type="password", value=SECRET),
        element(9, "input", type="hidden", value=SECRET, name="csrf"),
        element(9, "input", type="text", value=SECRET, data_value=SECRET),
        element(9, "INPUT", type="text", VALUE=SECRET),
        element(9, "textarea", text(10, SECRET), value=SECRET),
        element(9, "select", element(10, "option", text(11, SECRET), value=SECRET)),
        element(9, "p", text(10, f"Dear {{{{pii}}}}{SECRET}{{{{/pii}}}}, hello")),
        element(9, "p", text(10, f"{{{{pii}}}}{SECRET}")),
        element(9, "p", text(10, "{{pii}}"), text(11, SECRET), text(12, f"{SECRET}{{{{/pii}}}} a")),
        element(
            9, "p", text(10, "{{pii}}a"), element(11, "b", text(12, SECRET)), text(13, "{{/pii}}")
        ),
        element(9, "p", element(10, "b", text(11, SECRET)), **{"class": "big rr-mask"}),
        element(9, "p", element(10, "b", text(11, SECRET)), data_pii=""),
        element(9, "p", text(10, SECRET), contenteditable=""),
        element(9, "p", title=SECRET, aria_label=SECRET, **{"class": "rr-mask"}),
        element(9, "img", alt=f"{{{{pii}}}}{SECRET}{{{{/pii}}}}"),
        element(9, "img", src=f"/a.png?token={SECRET}", srcset=f"/b.png?t={SECRET} 2x"),
        element(9, "a", href=f"https://example.com/a#{SECRET}"),
        element(9, "a", href=f"javascript:alert('{SECRET}')"),
        element(9, "iframe", srcdoc=f"<p>{SECRET}</p>"),
        element(9, "canvas", rr_dataURL=SECRET),
        element(9, "button", onclick=f"send('{SECRET}')"),
        element(9, "script", text(10, SECRET)),
        element(9, "noscript", text(10, SECRET)),
        element(9, "meta", name="user", content=SECRET),
        element(9, "p", data_name=SECRET, **{"class": "rr-mask"}),
        element(9, "p", data_email=f"{SECRET}@example.com"),
        element(9, "p", data_phone=f"+49 {SECRET}"),
        element(9, "img", src=f"/photos/{SECRET}.jpg", **{"class": "rr-mask"}),
        element(9, "textarea", text(10, SECRET) | {"isStyle": True}),
        element(9, "p", text(10, "{{pii}}"), text(11, SECRET) | {"isStyle": True}),
        element(9, "a", href=f"mailto:{SECRET}@example.com"),
        element(9, "a", href=f"https://ada:{SECRET}@example.com/a"),
        element(9, "a", href=f"/join/0123456789abcdef{SECRET}"),
        element(9, "form", action=f"/people/{SECRET}@example.com/edit"),
        element(9, "p", style=f"background: url('/a.png?token={SECRET}')"),
        element(9, "link", _cssText=f"@import 'a.css?token={SECRET}'; p {{}}"),
        element(9, "style", text(10, f"p{{b:url(/a?t={SECRET})}}") | {"isStyle": True}),
        element(9, "a", href=[SECRET], title={"a": SECRET}),
        element(9, "input", value=[SECRET]),
        {"type": 5, "id": 9, "textContent": SECRET},
        {"type": 9, "id": 9, "textContent": SECRET},
        {"type": 2, "id": SECRET, "tagName": "p", "attributes": SECRET, "childNodes": SECRET},
    ],
)
def test_no_secret_of_a_page_is_kept(node: Event) -> None:
    assert SECRET in json.dumps(node)
    assert SECRET not in told(snapshot(node))
    assert SECRET not in told(increment(0, adds=[{"parentId": 2, "nextId": None, "node": node}]))


@pytest.mark.parametrize(
    "event",
    [
        increment(5, id=4, text=SECRET, isChecked=True),
        increment(0, texts=[{"id": 4, "value": f"{{{{pii}}}}{SECRET}{{{{/pii}}}}"}]),
        increment(0, texts=[{"id": 4, "value": f"{SECRET}{{{{/pii}}}}"}]),
        increment(0, attributes=[{"id": 4, "attributes": {"value": SECRET}}]),
        increment(0, attributes=[{"id": 4, "attributes": {"style": {"b": f"url(/?t={SECRET})"}}}]),
        increment(8, adds=[{"rule": f"p{{b:url('/a?t={SECRET}')}}"}]),
        increment([SECRET]),
        increment({"a": SECRET}, text=SECRET),
        increment(0, attributes=[{"id": 4, "attributes": {"href": f"/a?t={SECRET}"}}]),
        increment(0, attributes=SECRET, texts=SECRET, removes=SECRET, adds=SECRET),
        increment(0, removes=[{"parentId": 1, "id": 2, "note": SECRET}]),
        increment(2, type=2, id=4, x=1, y=2, note=SECRET),
        increment(1, positions=[{"x": 1, "y": 2, "id": 4, "timeOffset": 0, "note": [SECRET]}]),
        increment(9, commands=[{"property": "fillText", "args": [SECRET]}]),
        increment(11, payload=[SECRET]),
        increment(99, payload=SECRET),
        {"type": 5, "timestamp": 1, "data": {"tag": "user", "payload": SECRET}},
        {"type": 6, "timestamp": 1, "data": {"plugin": "console", "payload": SECRET}},
        {"type": 4, "timestamp": 1, "data": {"href": f"https://a/b?t={SECRET}", "width": SECRET}},
        {"type": 99, "timestamp": 1, "data": {"a": SECRET}},
        {"type": 2, "timestamp": 1, "data": {"node": SECRET, "initialOffset": SECRET}},
    ],
)
def test_no_secret_of_what_happens_is_kept(event: Event) -> None:
    assert SECRET not in told(event)


def test_what_stands_in_a_masked_place_stays_masked_when_it_changes() -> None:
    """Across batches, for only the place tells, and a change does not name it."""
    page = PageTree()
    first = snapshot(
        element(4, "textarea", text(5, "")),
        element(6, "div", element(7, "b", text(8, "x")), **{"class": "rr-mask"}),
        element(9, "p", text(10, "public")),
    )
    told(first, page=page)
    changes = increment(
        0, texts=[{"id": 5, "value": SECRET}, {"id": 8, "value": SECRET}, {"id": 10, "value": "p"}]
    )
    kept = told(changes, page=page)
    assert SECRET not in kept
    assert '"value": "p"' in kept
    add = {"parentId": 6, "nextId": None, "node": element(20, "i", text(21, SECRET))}
    assert SECRET not in told(increment(0, adds=[add]), page=page)
    assert SECRET not in told(increment(0, texts=[{"id": 21, "value": SECRET}]), page=page)
    spoken = increment(0, attributes=[{"id": 7, "attributes": {"aria-label": SECRET}}])
    assert SECRET not in told(spoken, page=page)
    told(snapshot(element(4, "p", text(5, "now public"))), page=page)
    assert page.masked == set()


@pytest.fixture
def between_markers() -> PageTree:
    """Of a page on which nodes 6 to 9 are between the markers of nodes 5 and 10."""
    page = PageTree()
    bold = element(6, "b", text(7, SECRET), title=SECRET)
    parts = (text(5, "{{pii}}"), bold, element(8, "i", text(9, SECRET)), text(10, "{{/pii}} b"))
    told_of_page = told(
        snapshot(element(4, "p", *parts), element(11, "p", text(12, "public"))), page=page
    )
    assert SECRET not in told_of_page
    assert "public" in told_of_page
    return page


@pytest.mark.parametrize(
    "becoming",
    [{"contenteditable": "true"}, {"class": "big rr-mask"}, {"data-pii": ""}],
)
def test_what_is_in_an_element_that_becomes_a_masked_place_is_masked_from_then_on(
    becoming: Event,
) -> None:
    """A click makes a paragraph editable; what is typed comes as changes of its old texts."""
    page = PageTree()
    inner = element(5, "b", text(6, "public"), element(7, "i", text(8, "public")))
    told(snapshot(element(4, "p", inner), element(9, "p", text(10, "public"))), page=page)
    assert "public" in told(increment(0, texts=[{"id": 8, "value": "public"}]), page=page)
    page = decode(page.encode())
    # The text changes in the same breath.
    first = increment(
        0,
        attributes=[{"id": 4, "attributes": becoming}],
        texts=[{"id": 6, "value": SECRET}],
    )
    changes = [
        first,
        increment(0, texts=[{"id": 8, "value": SECRET}]),
        increment(0, adds=[add_to(7, text(20, SECRET))]),
        increment(0, attributes=[{"id": 5, "attributes": {"title": SECRET}}]),
    ]
    kept = told(*changes, page=page)
    assert SECRET not in kept
    assert "public" in told(increment(0, texts=[{"id": 10, "value": "public"}]), page=page)


def test_what_stops_being_personal_does_not_mask_others() -> None:
    page = PageTree()
    told(snapshot(element(4, "p", text(5, "public"))), page=page)
    change = {"id": 4, "attributes": {"data-pii": None, "contenteditable": "false"}}
    told(increment(0, attributes=[change]), page=page)
    assert "public" in told(increment(0, texts=[{"id": 5, "value": "public"}]), page=page)


def test_moved_nodes_are_masked_where_they_are_and_gone_ones_forgotten() -> None:
    page = PageTree()
    told(
        snapshot(
            element(4, "div", element(5, "p", text(6, "a"))),
            element(7, "div", element(8, "p", text(9, "b"))),
        ),
        page=page,
    )
    move = increment(
        0,
        removes=[{"parentId": 4, "id": 5}, {"parentId": 2, "id": 7}],
        adds=[add_to(2, element(5, "p")), add_to(5, text(6, "a"))],
    )
    told(move, page=page)
    assert page.children[5] == {6}
    assert not {7, 8} & page.children.keys()
    told(increment(0, attributes=[{"id": 4, "attributes": {"data-pii": ""}}]), page=page)
    assert page.masked == {4}
    told(increment(0, attributes=[{"id": 2, "attributes": {"data-pii": ""}}]), page=page)
    assert page.masked == {2, 4, 5, 6}


def add_to(parent: int, node: Event, following: int | None = None) -> Event:
    return {"parentId": parent, "nextId": following, "node": node}


@pytest.mark.parametrize(
    "change",
    [
        *({"texts": [{"id": number, "value": SECRET}]} for number in (5, 7, 9, 10)),
        {"attributes": [{"id": 6, "attributes": {"title": SECRET}}]},
        {"adds": [add_to(6, text(20, SECRET))]},
        {"adds": [add_to(4, text(20, SECRET), 8)]},
        {"adds": [add_to(4, element(20, "u", text(21, SECRET)), 8)]},
    ],
)
def test_what_stands_between_markers_in_other_nodes_stays_masked(
    between_markers: PageTree, change: Event
) -> None:
    assert SECRET not in told(increment(0, **change), page=between_markers)


def test_beside_what_is_marked_all_is_kept(between_markers: PageTree) -> None:
    change = increment(
        0, texts=[{"id": 12, "value": "news"}], adds=[add_to(11, text(20, "more news"))]
    )
    kept = told(change, page=between_markers)
    assert '"news"' in kept
    assert '"more news"' in kept


def test_a_marked_text_that_loses_its_markers_stays_masked() -> None:
    page = PageTree()
    told(snapshot(element(4, "p", text(5, f"{{{{pii}}}}{SECRET}{{{{/pii}}}}"))), page=page)
    assert SECRET not in told(increment(0, texts=[{"id": 5, "value": SECRET}]), page=page)


def test_markers_are_met_in_the_order_of_the_page_whatever_order_new_nodes_come_in() -> None:
    """As rrweb names them: each by itself, parents first, the last sibling first."""
    adds = [
        add_to(2, element(4, "p")),
        add_to(4, text(9, "{{/pii}} public")),
        add_to(4, element(7, "b"), 9),
        add_to(7, text(8, SECRET)),
        add_to(4, text(5, "Dear {{pii}}"), 7),
        add_to(2, element(3, "p"), 4),
        add_to(3, text(10, "also public")),
    ]
    page = PageTree()
    (kept,) = mask([increment(0, adds=adds)], page)
    texts = {one["node"]["id"]: one["node"].get("textContent") for one in kept["data"]["adds"]}
    assert list(texts) == [4, 9, 7, 8, 5, 3, 10]
    assert texts[8] == MASK
    assert texts[5] == "Dear ***"
    assert texts[9] == "*** public"
    assert texts[10] == "also public"
    assert SECRET not in told(increment(0, texts=[{"id": 8, "value": SECRET}]), page=page)


def test_what_is_harmless_is_kept_as_it_is() -> None:
    style = {"type": 3, "id": 12, "textContent": "p{color:red}", "isStyle": True}
    page = snapshot(
        element(9, "p", text(10, "Hello"), data_state="is-open", **{"class": "big", "id": "a"}),
        element(11, "style", style),
        element(13, "a", text(14, "Read"), href="https://example.com/policy"),
    )
    events = [
        {"type": 4, "timestamp": 1, "data": {"href": "https://a/b", "width": 800, "height": 600}},
        page,
        increment(2, type=2, id=9, x=1.5, y=2),
        increment(3, id=1, x=0, y=40),
        increment(8, id=12, adds=[{"rule": "b{}", "index": 0}]),
        increment(0, texts=[], attributes=[], removes=[{"parentId": 2, "id": 9}], adds=[]),
    ]
    kept = mask(events, PageTree())
    page["data"]["initialOffset"] = {"top": 0, "left": 0}
    assert kept == events


def test_a_page_of_any_depth_is_walked() -> None:
    node = text(5, SECRET + "{{/pii}}")
    for number in range(6, 3_000):
        node = element(number, "div", node)
    kept = mask([snapshot(element(4, "p", text(3, "{{pii}}"), node))], PageTree())
    depth, found = 0, kept[0]["data"]["node"]
    while found.get("childNodes"):
        found, depth = found["childNodes"][-1], depth + 1
    assert depth > 2_990
    assert found["textContent"] == MASK


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("plain", "plain"),
        ("a {{pii}}b{{/pii}} c {{pii}}d{{/pii}}", "a *** c ***"),
        ("a {{pii}}b\nc{{/pii}}", "a ***"),
        ("a {{pii}}b", "a ***"),
        ("{{pii}}{{/pii}}", "***"),
    ],
)
def test_marked_text(given: str, expected: str) -> None:
    assert mask_text(given) == expected


NAMES = (
    *("type", "source", "node", "id", "childNodes", "attributes", "tagName", "textContent"),
    *("adds", "texts", "removes", "parentId", "nextId", "value", "class", "style", "isStyle"),
)
ANYTHING = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-1, 16),
        st.floats(allow_nan=False, allow_infinity=False),
        st.sampled_from(["p", "textarea", "{{pii}}", "{{/pii}}", "rr-mask"]),
    ),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(NAMES), inner),
    max_leaves=20,
)


@settings(deadline=None, max_examples=200)
@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "type": st.integers(0, 7),
                "timestamp": st.just(1),
                "data": st.dictionaries(st.sampled_from(NAMES), ANYTHING),
            }
        ),
        max_size=3,
    )
)
def test_whatever_is_an_event_is_masked_and_not_masked_further(events: list[Event]) -> None:
    once = mask(read_events(json.dumps(events).encode()), PageTree())
    assert mask(once, PageTree()) == once


def test_urls() -> None:
    assert strip_url("https://a/b?c=d#e") == "https://a/b"
    assert strip_url("//ada:pw@a/b@2x.png") == "//a/b@2x.png"
    assert strip_url("/a/{{pii}}b{{/pii}}") == "/a/***"
    for scheme in (" JavaScript:", "data:text/html,", "mailto:", "TEL:", "sms:"):
        assert strip_url(f"{scheme}x") == ""
    assert strip_page_url("telephones/a-very-long-title-of-a-page") == (
        "telephones/a-very-long-title-of-a-page"
    )
    uuid = "8f14e45f-ceea-467a-9575-0f3f2d2f0c11"
    host = "https://a-long-host-with-digits-2.example.com:8080"
    assert strip_page_url(f"{host}/p/{uuid}/7/{uuid}") == f"{host}/p/***/7/***"
    assert strip_page_url("users/ada%40example.com/") == "users/***/"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("a{b:url(/c?d=e)}", "a{b:url(/c)}"),
        ("a{b:URL( '/c?d=e' ),url(\"f?\")}", "a{b:URL( '/c' ),url(\"f\")}"),
        ("@import 'a.css?b';", "@import 'a.css';"),
        ("a{b:url(#c)}", "a{b:url(#c)}"),
        ("a{b:url('data:image/svg+xml,<?x#f?>')}", "a{b:url('data:image/svg+xml,<?x#f?>')}"),
        ("a:b{c:'?'}", "a:b{c:'?'}"),
    ],
)
def test_rules_of_style(given: str, expected: str) -> None:
    assert mask_style(given) == expected


@pytest.mark.parametrize("unit", ["url(", "@import ", "url(a", "//", "a@", "a", "{{pii}}", "/ "])
def test_a_long_text_takes_no_longer_than_its_length(unit: str) -> None:
    """A quadratic rule would take hours of a processor, not seconds."""
    long = unit * (1_000_000 // len(unit))
    for rule in (mask_style, mask_text, strip_url, strip_page_url):
        assert rule(long) is not None


def test_a_batch_is_measured() -> None:
    events = [
        {"type": 0, "timestamp": 40, "data": {}},
        {"type": 3, "timestamp": 10, "data": {"source": 3, "id": 1, "x": 0, "y": 1}},
        {"type": 3, "timestamp": 70.5, "data": {"source": 1, "positions": []}},
        {"type": 5, "timestamp": 20, "data": {"tag": "x"}},
    ]
    batch = keep(read_events(json.dumps(events).encode()), PageTree())
    assert (batch.first_at, batch.last_at, batch.interactions) == (10, 70, 1)
    assert [one["type"] for one in json.loads(f"[{batch.text}]")] == [0, 3, 3]
    nothing = keep([], PageTree())
    assert (nothing.text, nothing.first_at, nothing.last_at) == ("", 0, 0)


def test_nothing_is_inflated_beyond_the_limit() -> None:
    import zlib

    from pidgr.errors import InvalidArgumentError

    packer = zlib.compressobj(9, wbits=31)
    bomb = packer.compress(bytes(200 << 20)) + packer.flush()
    assert len(bomb) < 1 << 20
    for body, encoding in ((bomb, "gzip"), (bytes(9 << 20), ""), (b"x", "gzip"), (b"[]", "br")):
        with pytest.raises(InvalidArgumentError):
            inflate(body, encoding)
    with pytest.raises(InvalidArgumentError):
        inflate(zlib.compressobj(9, wbits=31).compress(b"[]"), "gzip")
