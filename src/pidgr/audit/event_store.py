"""SQL that reads the audit trail, newest first."""

from dataclasses import dataclass
from typing import Final

from pidgr.storage.sql import Statement
from pidgr.storage.transaction import Reader


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """One event as it lies in the trail; ``facts`` is a JSON object of texts, or empty."""

    id: str
    event_type: int
    event_class: int
    actor_kind: int
    actor_id: str
    entity_type: str
    entity_id: str
    facts: str
    request_id: str
    synthetic: bool
    created_at: int
    key: int


def _page(*conditions: str) -> Statement:
    return Statement(f"""
        select id, event_type, event_class, actor_kind, actor_id, entity_type, entity_id, facts,
               request_id, synthetic, created_at, key
        from audit_event
        where organization_key = :organization_key and created_at >= :start
          and (created_at, key) < (:at, :key)
          and event_class between :lowest_class and :highest_class
          {" ".join(f"and {condition}" for condition in conditions)}
        order by created_at desc, key desc
        limit :limit
    """)


_TYPE: Final = "event_type = :event_type"
_ACTOR: Final = "actor_id = :actor_id"
# By whether a type and whether an actor is given: each can use the index that is made for it.
PAGES: Final = {
    (False, False): _page(),
    (True, False): _page(_TYPE),
    (False, True): _page(_ACTOR),
    (True, True): _page(_TYPE, _ACTOR),
}


def events(
    reader: Reader, parameters: dict[str, object], *, event_type: int, actor_id: str
) -> list[StoredEvent]:
    """Return events before a position, newest first; type 0 and actor "" mean all.

    Parameters: organization_key, start, at, key, lowest_class, highest_class, limit.
    """
    if event_type:
        parameters = {**parameters, "event_type": event_type}
    if actor_id:
        parameters = {**parameters, "actor_id": actor_id}
    statement = PAGES[bool(event_type), bool(actor_id)]
    return reader.records(StoredEvent, statement, parameters)
