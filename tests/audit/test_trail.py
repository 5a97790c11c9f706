"""The trail as the database keeps it: written with what it tells about, and never changed."""

import json

import psycopg
import pysqlite3.dbapi2 as sqlite
import pytest
from support.organization import Installation, Tenant

from pidgr.audit import trail, trail_store
from pidgr.audit.trail import ActorKind, Event
from pidgr.contract.v1.audit_pb import AuditEventClass, AuditEventType
from pidgr.identity.caller import Caller
from pidgr.storage.sql import Statement
from pidgr.storage.transaction import Transaction

_ROWS = Statement("""
    select event_type, event_class, actor_kind, actor_id, entity_type, entity_id, facts, request_id,
           synthetic, created_at, organization_key
    from audit_event where organization_key = :organization_key and entity_type = 'thing'
    order by key
""")
_REFUSALS = (psycopg.errors.RestrictViolation, sqlite.IntegrityError)


def rows(tenant: Tenant) -> list[tuple[object, ...]]:
    return tenant.installation.read(lambda unit: unit.rows(_ROWS, {"organization_key": tenant.key}))


def record(tenant: Tenant, by: Caller | trail.Actor) -> None:
    tenant.installation.write(
        lambda unit: trail.record(unit, by, AuditEventType.ROLE_CREATED, "thing", "1", now=7)
    )


def test_an_event_tells_who_did_what_and_when(acme: Tenant) -> None:
    facts: dict[str, trail.Fact] = {"count": 3, "name": "Lead", "live": True, "fields": ["a", "b"]}
    event = Event(AuditEventType.ROLE_CREATED, "thing", "1", facts)
    acme.installation.write(
        lambda unit: trail.record_event(unit, acme.admin, event, now=7, synthetic=True)
    )
    (row,) = rows(acme)
    assert row[:6] == (
        AuditEventType.ROLE_CREATED,
        AuditEventClass.MANAGEMENT,
        ActorKind.USER,
        acme.admin.actor_id,
        "thing",
        "1",
    )
    assert json.loads(str(row[6])) == {
        "count": "3",
        "name": "Lead",
        "live": "true",
        "fields": "a,b",
    }
    assert row[7:] == ("", True, 7, acme.key)


@pytest.mark.parametrize(
    ("kind", "id_"),
    [(ActorKind.API_KEY, "key-of-a-program"), (ActorKind.OPERATOR, ""), (ActorKind.SYSTEM, "")],
)
def test_every_kind_of_actor_is_told_apart(acme: Tenant, kind: ActorKind, id_: str) -> None:
    actors: dict[ActorKind, Caller | trail.Actor] = {
        ActorKind.API_KEY: acme.api_key(),
        ActorKind.OPERATOR: trail.operator(acme.key),
        ActorKind.SYSTEM: trail.system(acme.key),
    }
    record(acme, actors[kind])
    assert [row[2:4] for row in rows(acme)] == [(kind, id_)]


def test_an_application_is_named_beside_the_person_it_acts_for(acme: Tenant) -> None:
    actor = trail.Actor(acme.key, ActorKind.USER, "member", "request-1", "client-1")
    record(acme, actor)
    (row,) = rows(acme)
    assert (row[3], json.loads(str(row[6])), row[7]) == (
        "member",
        {"client_id": "client-1"},
        "request-1",
    )


def test_several_events_of_one_moment_are_written_in_order(acme: Tenant) -> None:
    events = [Event(AuditEventType.USER_INVITED, "thing", str(number)) for number in range(50)]
    acme.installation.write(lambda unit: trail.record_many(unit, acme.admin, iter(events), now=7))
    acme.installation.write(lambda unit: trail.record_many(unit, acme.admin, [], now=7))
    assert [row[5] for row in rows(acme)] == [str(number) for number in range(50)]


def test_what_is_rolled_back_leaves_no_event(acme: Tenant) -> None:
    def work(unit: Transaction) -> None:
        trail.record(unit, acme.admin, AuditEventType.ROLE_CREATED, "thing", "1", now=7)
        raise KeyError

    with pytest.raises(KeyError):
        acme.installation.write(work)
    assert rows(acme) == []


@pytest.mark.parametrize(
    "change",
    [
        "update audit_event set actor_id = 'mallory'",
        "update audit_event set created_at = created_at where entity_id = '1'",
        "delete from audit_event",
        "delete from audit_event where entity_id = '1'",
    ],
)
def test_the_database_refuses_every_change_and_deletion(acme: Tenant, change: str) -> None:
    record(acme, acme.admin)
    before = rows(acme)
    with pytest.raises(_REFUSALS, match="append-only"):
        acme.installation.write(lambda unit: unit.execute(Statement(change)))
    assert rows(acme) == before


def test_postgresql_refuses_to_truncate_as_well(acme: Tenant) -> None:
    if acme.installation.database.dialect == "sqlite":
        return
    record(acme, acme.admin)
    with pytest.raises(_REFUSALS, match="append-only"):
        acme.installation.write(lambda unit: unit.execute(Statement("truncate audit_event")))
    assert len(rows(acme)) == 1


def test_only_the_end_of_an_organization_opens_its_own_trail(
    installation: Installation, acme: Tenant
) -> None:
    other = installation.found("Other", "bob@example.com")
    record(acme, acme.admin)
    record(other, other.admin)
    delete = Statement("delete from audit_event where organization_key = :organization_key")
    installation.write(lambda unit: trail_store.unlock(unit, acme.key))
    installation.write(lambda unit: trail_store.unlock(unit, acme.key))
    with pytest.raises(_REFUSALS, match="append-only"):
        installation.write(lambda unit: unit.execute(delete, {"organization_key": other.key}))
    installation.write(lambda unit: unit.execute(delete, {"organization_key": acme.key}))
    assert (len(rows(acme)), len(rows(other))) == (0, 1)
    record(acme, acme.admin)
    installation.write(lambda unit: trail_store.lock(unit, acme.key))
    with pytest.raises(_REFUSALS, match="append-only"):
        installation.write(lambda unit: unit.execute(delete, {"organization_key": acme.key}))


def test_every_type_has_a_class_and_receipts_are_the_systems() -> None:
    classes = {one: trail.class_of(one) for one in AuditEventType}
    assert {one.name for one in AuditEventType if classes[one] is AuditEventClass.SYSTEM} == {
        "MESSAGE_SENT",
        "MESSAGE_OPENED",
        "ACK_REGISTERED",
        "ESCALATION_EXECUTED",
        "SANDBOX_EXPIRED",
        "AI_PREDICTION_LOGGED",
        "KMS_ENCRYPT",
        "KMS_DECRYPT",
    }
