"""The copy of an organization's data, a JSON document that grows page by page."""

import json
from collections.abc import Callable, Iterator
from typing import Final

from pidgr.campaigns.delivery_id import DeliveryIds
from pidgr.privacy.organization_rows import SECTIONS, Position, Section
from pidgr.privacy.person_data import moment, readable
from pidgr.storage.transaction import Row

FORMAT: Final = "pidgr-organization-data/1"

# What a page is read by: the section and the position to go on from.
ReadPage = Callable[[Section, Position], list[Row]]


def document(read: ReadPage, delivery_ids: DeliveryIds, now: int) -> Iterator[bytes]:
    """Yield everything of an organization, in UTF-8: an array of objects for each section."""
    yield f'{{"format":{json.dumps(FORMAT)},"made_at":{json.dumps(moment(now))}'.encode()
    for section in SECTIONS:
        yield f',\n"{section.name}":['.encode()
        before = ""
        for rows in _pages(read, section):
            texts = [_object(section, row, delivery_ids) for row in rows]
            yield (before + ",\n".join(texts)).encode()
            before = ",\n"
        yield b"]"
    yield b"}\n"


def _pages(read: ReadPage, section: Section) -> Iterator[list[Row]]:
    position = section.start
    while rows := read(section, position):
        yield rows
        position = rows[-1][-2], rows[-1][-1]


def _object(section: Section, row: Row, delivery_ids: DeliveryIds) -> str:
    values = dict(zip(section.columns, row, strict=False))
    return json.dumps(readable(section.name, values, delivery_ids), ensure_ascii=False)
