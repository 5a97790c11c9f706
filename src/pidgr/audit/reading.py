"""Reading the audit trail: events as they were written, and receipts as the deliveries tell them.

The three sources are each read by their own index and merged, so a page costs the same wherever it
is in the trail (docs/decisions/0012-audit-trail.md).
"""

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from pidgr.audit import event_store
from pidgr.audit.event_store import StoredEvent
from pidgr.audit.trail import ActorKind, class_of
from pidgr.campaigns import receipt_store
from pidgr.campaigns.delivery_id import DeliveryIds
from pidgr.campaigns.receipt_store import ReceiptRow
from pidgr.contract.v1.audit_pb import AuditEventClass, AuditEventType
from pidgr.directory import member_store
from pidgr.storage.sql import Statement
from pidgr.storage.transaction import Reader

LAST_MOMENT: Final = 2**62
"""Later than whatever happens, in microseconds."""

_LAST_KEY: Final = 2**62
_LAST_ORDINAL: Final = 2**31 - 1


class Source(IntEnum):
    """Where an entry comes from; of entries of one moment the larger source is first."""

    TRAIL = 1
    OPENED = 2
    CONFIRMED = 3


_RECEIPTS: Final[Mapping[Source, tuple[AuditEventType, tuple[Statement, Statement]]]] = {
    Source.OPENED: (AuditEventType.MESSAGE_OPENED, receipt_store.OPENED),
    Source.CONFIRMED: (AuditEventType.ACK_REGISTERED, receipt_store.CONFIRMED),
}

Position = tuple[int, int, int, int]
"""Moment, source, and two numbers that order what came from the source at that moment."""


@dataclass(frozen=True, slots=True)
class Question:
    """Which events are wanted. Times are in microseconds and both included."""

    organization_key: int
    event_type: AuditEventType = AuditEventType.UNSPECIFIED
    classes: frozenset[AuditEventClass] = frozenset()
    """None means all."""
    actor_id: str = ""
    start: int = 0
    end: int = LAST_MOMENT

    def wants(self, event_type: AuditEventType) -> bool:
        """Tell whether events of a type can be among them."""
        right_type = self.event_type in {AuditEventType.UNSPECIFIED, event_type}
        return right_type and (not self.classes or class_of(event_type) in self.classes)


@dataclass(frozen=True, slots=True)
class Entry:
    """One event, from whichever source."""

    id: str
    created_at: int
    event_type: AuditEventType
    event_class: AuditEventClass
    actor_type: str
    actor_id: str
    entity_type: str
    entity_id: str
    request_id: str
    synthetic: bool
    facts: Mapping[str, str]
    position: Position

    def metadata(self) -> dict[str, str]:
        """Return the facts with who did it and in which request."""
        found = {**self.facts, "actor_type": self.actor_type}
        if self.request_id:
            found["request_id"] = self.request_id
        return found


class TrailReader:
    """Reads entries, newest first."""

    def __init__(self, delivery_ids: DeliveryIds) -> None:
        self._delivery_ids = delivery_ids

    def page(
        self, reader: Reader, question: Question, after: tuple[int, ...], limit: int
    ) -> list[Entry]:
        """Return up to ``limit`` entries that are older than a position (empty: the newest)."""
        found = self._events(reader, question, after, limit)
        for source, (event_type, statements) in _RECEIPTS.items():
            if question.wants(event_type):
                found += self._receipts(reader, question, source, statements, after, limit)
        found.sort(key=lambda entry: entry.position, reverse=True)
        return found[:limit]

    def _events(
        self, reader: Reader, question: Question, after: tuple[int, ...], limit: int
    ) -> list[Entry]:
        at, key, _ = _bound(question, Source.TRAIL, after)
        classes = sorted(question.classes) or [AuditEventClass.MANAGEMENT, AuditEventClass.SYSTEM]
        rows = event_store.events(
            reader,
            {
                "organization_key": question.organization_key,
                "start": question.start,
                "at": at,
                "key": key,
                "lowest_class": int(classes[0]),
                "highest_class": int(classes[-1]),
                "limit": limit,
            },
            event_type=int(question.event_type),
            actor_id=question.actor_id,
        )
        return [_of_event(row) for row in rows]

    def _receipts(
        self,
        reader: Reader,
        question: Question,
        source: Source,
        statements: tuple[Statement, Statement],
        after: tuple[int, ...],
        limit: int,
    ) -> list[Entry]:
        member_key = None
        if question.actor_id:
            member_key = member_store.member_key(
                reader, question.organization_key, question.actor_id
            )
            if member_key is None:
                return []
        rows = receipt_store.receipts(
            reader,
            statements,
            question.organization_key,
            start=question.start,
            before=_bound(question, source, after),
            member_key=member_key,
            limit=limit,
        )
        return [self._of_receipt(source, row) for row in rows]

    def _of_receipt(self, source: Source, row: ReceiptRow) -> Entry:
        event_type, _ = _RECEIPTS[source]
        delivery_id = self._delivery_ids.encode(row.step_run_key, row.ordinal)
        return Entry(
            id=str(uuid.uuid5(uuid.UUID(delivery_id), event_type.name)),
            created_at=row.at,
            event_type=event_type,
            event_class=class_of(event_type),
            actor_type=ActorKind.USER.name.lower(),
            actor_id=row.member_id or "",
            entity_type="delivery",
            entity_id=delivery_id,
            request_id="",
            synthetic=bool(row.synthetic),
            facts={"campaign_id": row.campaign_id},
            position=(row.at, source, row.step_run_key, row.ordinal),
        )


def _bound(question: Question, source: Source, after: tuple[int, ...]) -> tuple[int, int, int]:
    """Return what the entries of a source must be smaller than."""
    if not after:
        return question.end, _LAST_KEY, _LAST_ORDINAL
    at, last, first, second = after
    if source == last:
        return at, first, second
    # Of the position's own moment: the smaller sources are still to come, the larger ones are not.
    return (at, _LAST_KEY, _LAST_ORDINAL) if source < last else (at, -1, -1)


def _of_event(row: StoredEvent) -> Entry:
    return Entry(
        id=row.id,
        created_at=row.created_at,
        event_type=AuditEventType(row.event_type),
        event_class=AuditEventClass(row.event_class),
        actor_type=ActorKind(row.actor_kind).name.lower(),
        actor_id=row.actor_id,
        entity_type=row.entity_type,
        entity_id=row.entity_id,
        request_id=row.request_id,
        synthetic=bool(row.synthetic),
        facts=json.loads(row.facts) if row.facts else {},
        position=(row.created_at, Source.TRAIL, row.key, 0),
    )
