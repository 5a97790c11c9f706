"""Writing the audit trail: events commit with what they tell about, or not at all.

Events name people by their ids and hold facts: never an address, a name, a text of a message or a
secret. What is erased elsewhere leaves nothing behind here (docs/decisions/0012-audit-trail.md).
"""

import json
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

from pidgr.audit import trail_store
from pidgr.contract.v1.audit_pb import AuditEventClass, AuditEventType
from pidgr.identity.caller import Caller
from pidgr.storage.transaction import Transaction

T = AuditEventType

# The system's own work, and what recipients do with what they receive; the rest is a decision.
_SYSTEM_TYPES: Final = frozenset(
    {
        T.MESSAGE_SENT,
        T.MESSAGE_OPENED,
        T.ACK_REGISTERED,
        T.ESCALATION_EXECUTED,
        T.SANDBOX_EXPIRED,
        T.AI_PREDICTION_LOGGED,
        T.KMS_ENCRYPT,
        T.KMS_DECRYPT,
    }
)

Fact = str | int | Iterable[str]
"""A text, a number, a yes or no, or several texts, which are separated by commas."""


class ActorKind(IntEnum):
    """What kind of somebody did something; stored numbers."""

    USER = 1
    API_KEY = 2
    OPERATOR = 3
    """Who runs the installation, by its command line."""
    SYSTEM = 4


@dataclass(frozen=True, slots=True)
class Actor:
    """Who did something, in which organization. ``id`` is empty for the operator and the system."""

    organization_key: int
    kind: ActorKind
    id: str = ""
    request_id: str = ""
    # The application (OAuth client) that acted for the person.
    client_id: str = ""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to something."""

    event_type: AuditEventType
    entity_type: str
    entity_id: str
    facts: Mapping[str, Fact] = field(default_factory=dict)


def actor_of(caller: Caller) -> Actor:
    """Return the caller of an RPC as an actor.

    Raises:
        UnauthenticatedError: the credential names no organization.
    """
    kind = ActorKind.USER if caller.person else ActorKind.API_KEY
    return Actor(
        caller.organization_key, kind, caller.actor_id, caller.request_id, caller.client_id
    )


def founder(caller: Caller, organization_key: int, member_id: str) -> Actor:
    """Return a caller as an actor in an organization that they have just become a member of."""
    return Actor(organization_key, ActorKind.USER, member_id, caller.request_id, caller.client_id)


def operator(organization_key: int) -> Actor:
    """Return whoever runs the installation."""
    return Actor(organization_key, ActorKind.OPERATOR)


def system(organization_key: int) -> Actor:
    """Return the system itself, for what tasks do."""
    return Actor(organization_key, ActorKind.SYSTEM)


def class_of(event_type: AuditEventType) -> AuditEventClass:
    """Return the class of a type."""
    return AuditEventClass.SYSTEM if event_type in _SYSTEM_TYPES else AuditEventClass.MANAGEMENT


def changed_fields(before: Mapping[str, object], after: Mapping[str, object]) -> list[str]:
    """Return the names whose values differ, which is what an event tells of a change."""
    return [name for name, value in after.items() if before.get(name) != value]


def record(
    transaction: Transaction,
    by: Caller | Actor,
    event_type: AuditEventType,
    entity_type: str,
    entity_id: str,
    *,
    now: int,
    **facts: Fact,
) -> str:
    """Write one event and return its id.

    Args:
        transaction: the unit of work of what happened.
        by: who did it.
        event_type: what happened.
        entity_type: what it happened to, for example ``role``.
        entity_id: the id of that.
        now: when, in microseconds.
        facts: small facts about it.
    """
    return record_event(transaction, by, Event(event_type, entity_type, entity_id, facts), now=now)


def record_event(
    transaction: Transaction, by: Caller | Actor, event: Event, *, now: int, synthetic: bool = False
) -> str:
    """Write one event and return its id.

    Args:
        transaction: the unit of work of what happened.
        by: who did it.
        event: what happened.
        now: when, in microseconds.
        synthetic: whether it is about made-up data.
    """
    actor = actor_of(by) if isinstance(by, Caller) else by
    row = _row(actor, event, now, synthetic=synthetic)
    trail_store.insert(transaction, row)
    return str(row[0])


def record_many(
    transaction: Transaction, by: Caller | Actor, events: Iterable[Event], *, now: int
) -> None:
    """Write several events of one moment by the driver's fastest way.

    For dozens of events, not for an audience: of what happens to an audience at once, record one
    event with the numbers.
    """
    actor = actor_of(by) if isinstance(by, Caller) else by
    rows = [_row(actor, event, now, synthetic=False) for event in events]
    if rows:
        transaction.bulk_insert("audit_event", trail_store.COLUMNS, rows)


def _row(actor: Actor, event: Event, now: int, *, synthetic: bool) -> tuple[str | int | bool, ...]:
    facts = {name: _text(fact) for name, fact in event.facts.items()}
    if actor.client_id:
        facts["client_id"] = actor.client_id
    return (
        str(uuid.uuid4()),
        actor.organization_key,
        int(event.event_type),
        int(class_of(event.event_type)),
        int(actor.kind),
        actor.id,
        event.entity_type,
        event.entity_id,
        json.dumps(facts, ensure_ascii=False, separators=(",", ":")) if facts else "",
        actor.request_id,
        synthetic,
        now,
    )


def _text(fact: Fact) -> str:
    match fact:
        case bool():
            return "true" if fact else "false"
        case str() | int():
            return str(fact)
        case _:
            return ",".join(fact)
