import threading
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from support.organization import START, Installation, Tenant
from support.rows import contents, differences, fill_every_table
from support.waiting import at_once

from pidgr.audit.trail import ActorKind
from pidgr.clock import DAY, to_timestamp
from pidgr.contract.v1.api_key_pb import CreateApiKeyRequest, KeyType
from pidgr.contract.v1.audit_pb import AuditEventType
from pidgr.contract.v1.common_pb import CampaignStatus, Permission
from pidgr.contract.v1.organization_pb import (
    CreateOrganizationRequest,
    CreateSandboxOrganizationRequest,
    DeleteSandboxOrganizationRequest,
    ListSandboxFixturesRequest,
    ListUserOrganizationsRequest,
    ListUserSandboxesRequest,
    Organization,
    OrgType,
)
from pidgr.contract.v1.user_pb import UserStatus
from pidgr.directory import organization_store
from pidgr.directory.organization_service import OrganizationService
from pidgr.engine.port import StoppingError, TaskStatus
from pidgr.errors import (
    AlreadyExistsError,
    FailedPreconditionError,
    InvalidArgumentError,
    NotFoundError,
    PermissionDeniedError,
    ResourceExhaustedError,
    UnauthenticatedError,
)
from pidgr.identity import permissions
from pidgr.identity import store as identity_store
from pidgr.identity.api_key_service import ApiKeyService
from pidgr.identity.caller import Caller
from pidgr.identity.caller import Organization as Scope
from pidgr.outreach.address_guard import AddressGuard
from pidgr.sandboxes.deletion import SandboxDeletion, deletion_key
from pidgr.sandboxes.deletion_store import BY_INDEX, some_of_each_table
from pidgr.storage.ownership import INSTALLATION_TABLES, owned_tables
from pidgr.storage.schema import metadata
from pidgr.storage.sql import Statement
from pidgr.storage.transaction import Reader, Transaction

GRACE = Caller(subject="subject-of-grace", email="Grace@Example.com")
MALLORY = Caller(subject="subject-of-mallory", email="mallory@example.com")


class Desk:
    """The service with its units of work, for callers who belong to no organization yet."""

    def __init__(self, installation: Installation) -> None:
        self.installation = installation
        self.service = OrganizationService(
            installation.clock, installation.sandbox_deletion, AddressGuard()
        )

    def __call__(self, rpc: str, request: Any, caller: Caller = GRACE) -> Any:
        return self.installation.write(
            lambda unit: getattr(self.service, rpc)(request, caller, unit)
        )

    def create(self, name: str = "Trial", caller: Caller = GRACE, **fields: Any) -> Organization:
        values = {"expires_at": to_timestamp(START + DAY), "fixture_id": "empty", **fields}
        request = CreateSandboxOrganizationRequest(name=name, **values)
        organization: Organization = self(
            "create_sandbox_organization", request, caller
        ).organization
        return organization

    def delete(self, organization_id: str, caller: Caller = GRACE) -> str:
        request = DeleteSandboxOrganizationRequest(org_id=organization_id)
        return str(self("delete_sandbox_organization", request, caller).workflow_id)

    def names(self, caller: Caller = GRACE) -> list[str]:
        listed = self("list_user_sandboxes", ListUserSandboxesRequest(), caller)
        return [sandbox.name for sandbox in listed.sandboxes]

    def key(self, organization_id: str) -> int:
        key = self.installation.read(
            lambda unit: organization_store.organization_key(unit, organization_id)
        )
        assert key is not None
        return key


@pytest.fixture
def desk(installation: Installation) -> Desk:
    return Desk(installation)


def test_a_sandbox_is_made_for_its_maker(desk: Desk) -> None:
    request = CreateSandboxOrganizationRequest(
        name="Trial",
        expires_at=to_timestamp(START + 30 * DAY),
        data_governance_region="EU",
        fixture_id="empty",
    )
    made = desk("create_sandbox_organization", request)
    assert made.organization.org_type == OrgType.SANDBOX
    assert made.organization.expires_at == to_timestamp(START + 30 * DAY)
    assert made.organization.data_governance_region == "EU"
    assert made.admin_user.role.slug == permissions.SUPER_ADMIN
    assert made.admin_user.status == UserStatus.ACTIVE
    listed = desk("list_user_organizations", ListUserOrganizationsRequest())
    assert [one.id for one in listed.organizations] == [made.organization.id]
    key = deletion_key(made.organization.id)
    assert desk.installation.engine.status(key) is TaskStatus.WAITING
    events = Statement("select event_type, actor_id, entity_id, facts from audit_event")
    assert desk.installation.read(lambda unit: unit.rows(events)) == [
        (
            AuditEventType.SANDBOX_CREATED,
            made.admin_user.id,
            made.organization.id,
            '{"fixture":"empty"}',
        )
    ]


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "x" * 201}, "name"),
        ({"expires_at": None}, "expires_at"),
        ({"expires_at": to_timestamp(START)}, "expires_at"),
        ({"expires_at": to_timestamp(START + 30 * DAY + 1)}, "expires_at"),
        ({"data_governance_region": "MOON"}, "data_governance_region"),
    ],
)
def test_a_malformed_request_names_its_field_and_leaves_nothing(
    desk: Desk, fields: dict[str, Any], field: str
) -> None:
    before = desk.installation.read(contents)
    with pytest.raises(InvalidArgumentError) as raised:
        desk.create(**fields)
    assert [violation.field for violation in raised.value.violations] == [field]
    assert desk.installation.read(contents) == before


def test_what_stands_in_the_way_of_a_sandbox(desk: Desk) -> None:
    desk.installation.found("Acme")
    with pytest.raises(NotFoundError, match="starter"):
        desk.create(fixture_id="other")
    with pytest.raises(AlreadyExistsError):
        desk.create("ACME")
    with pytest.raises(UnauthenticatedError):
        desk.create(caller=Caller(subject="someone"))
    assert desk.names() == []


def test_a_person_has_three_live_sandboxes_at_most(desk: Desk) -> None:
    for number in range(3):
        desk.create(f"Trial {number}", expires_at=to_timestamp(START + (3 - number) * DAY))
    assert desk.names() == ["Trial 2", "Trial 1", "Trial 0"]
    with pytest.raises(ResourceExhaustedError):
        desk.create("One too many")
    # Somebody else's do not count, and an expired one counts no more.
    desk.create("Another's", caller=MALLORY)
    desk.installation.clock.advance(DAY)
    assert desk.names() == ["Trial 1", "Trial 0"]
    desk.create("Trial 3", expires_at=to_timestamp(START + 5 * DAY))
    with pytest.raises(ResourceExhaustedError):
        desk.create("One too many", expires_at=to_timestamp(START + 5 * DAY))


def test_calls_at_once_do_not_make_a_fourth(desk: Desk) -> None:
    numbers = iter(range(8))
    lock = threading.Lock()

    def create() -> bool:
        with lock:
            name = f"Trial {next(numbers)}"
        try:
            desk.create(name)
        except ResourceExhaustedError:
            return False
        return True

    assert sorted(at_once(8, create)) == [False] * 5 + [True] * 3
    assert len(desk.names()) == 3


def test_a_person_is_known_by_their_identity_whatever_their_address_today(desk: Desk) -> None:
    desk.create("First")
    renamed = Caller(subject=GRACE.subject, email="grace.hopper@example.com")
    desk.create("Second", caller=renamed)
    assert sorted(desk.names()) == ["First", "Second"]


def test_an_expired_sandbox_opens_for_nobody(desk: Desk) -> None:
    sandbox = desk.create()

    def opened() -> object:
        return desk.installation.read(
            lambda unit: identity_store.membership(
                unit, GRACE.subject, sandbox.id, desk.installation.clock.now()
            )
        )

    desk.installation.clock.advance(DAY - 1)
    assert opened() is not None
    desk.installation.clock.advance(1)
    assert opened() is None
    assert desk.names() == []
    assert desk("list_user_organizations", ListUserOrganizationsRequest()).organizations == []


def member_of(desk: Desk, sandbox: Organization, email: str, role: str) -> Caller:
    """Return somebody in the sandbox who has signed in."""
    identity = "insert into identity (subject, email_folded, created_at) values (:id, :id, 1)"
    member = """
        insert into member (id, organization_key, subject, email, email_folded, status, role_key,
                            created_at)
        select :id, :key, :id, :id, :id, :active, r.key, 1 from role r
        where r.organization_key = :key and r.slug = :role
    """
    parameters = {
        "id": email,
        "key": desk.key(sandbox.id),
        "role": role,
        "active": UserStatus.ACTIVE,
    }
    for text in (identity, member):
        desk.installation.write(
            lambda unit, text=text: unit.execute(Statement(text), parameters)  # type: ignore[misc]
        )
    return Caller(subject=email, email=email)


def test_who_may_delete_a_sandbox(desk: Desk) -> None:
    sandbox = desk.create()
    plain = member_of(desk, sandbox, "eve@example.com", "admin")
    second = member_of(desk, sandbox, "bob@example.com", "super_admin")
    for stranger in (MALLORY, Caller(subject="nobody")):
        with pytest.raises(NotFoundError) as unseen:
            desk.delete(sandbox.id, stranger)
        with pytest.raises(NotFoundError) as unknown:
            desk.delete("00000000-0000-4000-8000-000000000000", stranger)
        assert unseen.value.message.replace(sandbox.id, "") == unknown.value.message.replace(
            "00000000-0000-4000-8000-000000000000", ""
        )
    with pytest.raises(PermissionDeniedError):
        desk.delete(sandbox.id, plain)
    with pytest.raises(InvalidArgumentError):
        desk.delete("sandbox")
    assert desk.names() == ["Trial"]
    assert desk.delete(sandbox.id, second) == deletion_key(sandbox.id)
    assert desk.names() == []
    with pytest.raises(NotFoundError):
        desk.delete(sandbox.id)


def test_the_maker_may_delete_it_even_when_they_left_it(desk: Desk) -> None:
    sandbox = desk.create()
    leave = Statement("update member set status = 3 where subject = :subject")
    desk.installation.write(lambda unit: unit.execute(leave, {"subject": GRACE.subject}))
    desk.delete(sandbox.id)
    assert desk.names() == []


def test_a_standard_organization_is_not_deleted(desk: Desk) -> None:
    request = CreateOrganizationRequest(name="Acme")
    acme = desk("create_organization", request).organization
    with pytest.raises(FailedPreconditionError):
        desk.delete(acme.id)
    with pytest.raises(ValueError, match="no sandbox"):
        desk.installation.sandbox_deletion.run(desk.key(acme.id))
    assert len(desk("list_user_organizations", ListUserOrganizationsRequest()).organizations) == 1


def test_deleting_frees_the_name_and_a_place_at_once(desk: Desk) -> None:
    sandboxes = [desk.create(f"Trial {number}") for number in range(3)]
    desk.delete(sandboxes[0].id)
    key = deletion_key(sandboxes[0].id)
    assert desk.installation.engine.status(key) is TaskStatus.QUEUED
    desk.create("Trial 0")
    assert len(desk.names()) == 3


class StoppingEngine:
    """Stops after some batches, as a process that is told to end, or dies, would."""

    def __init__(self, batches: int) -> None:
        self.batches = batches

    def checkpoint(self) -> None:
        self.batches -= 1
        if self.batches < 0:
            raise StoppingError

    def cancel(self, *_: object) -> None:
        """Nothing waits here."""


def test_no_table_keeps_a_row_of_a_deleted_sandbox_whenever_the_work_was_interrupted(
    desk: Desk, acme: Tenant
) -> None:
    installation = desk.installation
    installation.write(lambda unit: fill_every_table(unit, acme.key))
    before = installation.read(contents)
    sandbox = desk.create(fixture_id="starter")
    key = desk.key(sandbox.id)
    installation.write(lambda unit: fill_every_table(unit, key))
    full = installation.read(contents)
    assert differences(before, full).keys() == metadata.tables.keys() - INSTALLATION_TABLES
    for owner in (sandbox.id, "another"):
        installation.blobs.put(f"{owner}/audit/export.csv", b"events")
    interruptions = 0
    left = sum(map(len, full.values()))
    while True:
        engine: Any = StoppingEngine(batches=len(owned_tables()) + 1)
        deletion = SandboxDeletion(
            installation.database, engine, installation.blobs, installation.clock, rows_per_batch=2
        )
        try:
            deletion.run(key)
        except StoppingError:
            interruptions += 1
            # What is done stays done: each attempt gets further than the one before.
            remaining = sum(map(len, installation.read(contents).values()))
            assert remaining < left
            left = remaining
        else:
            break
    assert interruptions > 5
    assert [blob.name for blob in installation.blobs.list()] == ["another/audit/export.csv"]
    assert differences(before, installation.read(contents)) == {}
    # And once more, as the engine may.
    installation.sandbox_deletion.run(key)
    assert differences(before, installation.read(contents)) == {}


def test_an_expiry_is_told_once_where_the_sandbox_was_made_and_a_deletion_is_not(
    desk: Desk, acme: Tenant
) -> None:
    at_home = replace(acme.admin, subject=GRACE.subject, email=GRACE.email)
    expired, deleted = (desk.create(name, at_home) for name in ("Expired", "Deleted"))
    keys = [desk.key(expired.id), desk.key(deleted.id)]
    desk.delete(deleted.id, at_home)
    installation = desk.installation
    interrupted: Any = StoppingEngine(batches=0)
    for key in keys:
        with pytest.raises(StoppingError):
            SandboxDeletion(
                installation.database, interrupted, installation.blobs, installation.clock
            ).run(key, acme.key)
        installation.sandbox_deletion.run(key, acme.key)
    told = Statement("""
        select organization_key, actor_kind, entity_id from audit_event where event_type = :type
    """)
    parameters = {"type": AuditEventType.SANDBOX_EXPIRED}
    assert installation.read(lambda unit: unit.rows(told, parameters)) == [
        (acme.key, ActorKind.SYSTEM, expired.id)
    ]


def test_a_home_that_is_gone_is_told_nothing(desk: Desk) -> None:
    key = desk.key(desk.create().id)
    desk.installation.sandbox_deletion.run(key, key + 1_000)
    assert desk.names() == []


def test_no_number_of_a_deleted_sandbox_comes_back(desk: Desk, acme: Tenant) -> None:
    """The engine remembers tasks by them for a week, and some wait for a month."""
    installation = desk.installation
    numbered = [name for name, table in metadata.tables.items() if "key" in table.columns]

    def largest(reader: Reader) -> dict[str, int]:
        return {
            name: reader.value(Statement(f"select coalesce(max(key), 0) from {name}"))
            for name in numbered
        }

    installation.write(lambda unit: fill_every_table(unit, acme.key))
    found = []
    for name in ("One", "Two"):
        key = desk.key(desk.create(name).id)
        installation.write(partial(fill_every_table, organization_key=key))
        found.append(installation.read(largest))
        installation.sandbox_deletion.run(key)
    first, second = found
    # Of sign_in_attempt and passkey, which are no organization's, there are none here.
    assert [name for name in numbered if second[name] <= first[name]] == [
        name for name in numbered if name in INSTALLATION_TABLES
    ]


def test_every_table_is_somebody_s() -> None:
    owned = [table.name for table in owned_tables()]
    assert len(owned) == len(set(owned))
    assert {*owned, *INSTALLATION_TABLES, "organization"} == metadata.tables.keys()
    # What refers to others goes first.
    for table in metadata.tables.values():
        for reference in table.foreign_keys:
            if {table.name, reference.column.table.name} <= set(owned):
                assert owned.index(table.name) < owned.index(reference.column.table.name)


@pytest.mark.parametrize(("days", "refused"), [(14, False), (15, True)])
def test_a_sandbox_with_scim_lives_two_weeks_at_most(desk: Desk, days: int, refused: bool) -> None:
    sandbox = desk.create(expires_at=to_timestamp(START + days * DAY))
    scope = Scope(desk.key(sandbox.id), sandbox.id, suspended=False)
    caller = Caller(organization=scope, permissions=permissions.ASSIGNABLE)
    service = ApiKeyService(desk.installation.clock)
    for key_type, expected in ((KeyType.API_KEY, False), (KeyType.SCIM_TOKEN, refused)):
        request = CreateApiKeyRequest(
            name="Key", key_type=key_type, permissions=[Permission.MEMBERS_MANAGE]
        )
        with pytest.raises(FailedPreconditionError) if expected else nullcontext():
            desk.installation.write(partial(service.create_api_key, request, caller))


def test_a_deletion_stops_what_runs_first(desk: Desk) -> None:
    sandbox = desk.create(fixture_id="starter")
    key = desk.key(sandbox.id)
    run = Statement("update campaign set status = 2, current_step_id = 'wait'")
    desk.installation.write(lambda unit: unit.execute(run))
    engine: Any = StoppingEngine(batches=0)
    with pytest.raises(StoppingError):
        SandboxDeletion(
            desk.installation.database, engine, desk.installation.blobs, desk.installation.clock
        ).run(key)
    statuses = Statement("select status from campaign")
    assert desk.installation.read(lambda unit: unit.rows(statuses)) == [(CampaignStatus.CANCELLED,)]
    stopped = Statement("select count(*) from lane where not stopped and not finished")
    assert desk.installation.read(lambda unit: unit.value(stopped)) == 0


def test_the_catalogue_is_ordered_by_name_and_has_one_default(desk: Desk) -> None:
    fixtures = desk("list_sandbox_fixtures", ListSandboxFixturesRequest()).fixtures
    assert [fixture.id for fixture in fixtures] == ["empty", "fintech", "sales", "starter"]
    assert [fixture.name for fixture in fixtures] == sorted(fixture.name for fixture in fixtures)
    assert [fixture.id for fixture in fixtures if fixture.is_default] == ["starter"]
    assert all(fixture.description for fixture in fixtures)


def count(desk: Desk, table: str) -> int:
    found = Statement(f"select count(*) from {table}")
    return int(desk.installation.read(lambda unit: unit.value(found)))


def test_a_sandbox_without_a_choice_is_filled_and_a_real_organization_is_not(desk: Desk) -> None:
    desk.create(fixture_id="")
    assert count(desk, "member") == 25
    desk("create_organization", CreateOrganizationRequest(name="Acme"))
    assert count(desk, "member") == 26
    request = CreateOrganizationRequest(name="Beta", fixture_id="sales")
    desk("create_organization", request)
    assert count(desk, "member") == 26 + 81


def test_a_name_that_is_a_department_s_is_no_obstacle(desk: Desk) -> None:
    desk.create("operations", fixture_id="starter")
    names = Statement("select name from team order by name")
    found = [name for (name,) in desk.installation.read(lambda unit: unit.rows(names))]
    assert "operations" in found
    assert "Operations (department)" in found


def test_made_up_campaigns_count_in_sandboxes_only_unless_told_otherwise(desk: Desk) -> None:
    change = Statement(
        "update organization set include_synthetic_in_aggregates = :include where key = :key"
    )

    def completed(organization: Organization) -> list[int]:
        found = []
        for include in (None, False, True):
            parameters = {"include": include, "key": desk.key(organization.id)}

            def work(unit: Transaction, parameters: dict[str, Any] = parameters) -> int:
                unit.execute(change, parameters)
                stored = organization_store.organization(unit, parameters["key"])
                return stored.completed_campaigns

            found.append(desk.installation.write(work))
        return found

    assert completed(desk.create(fixture_id="starter")) == [1, 0, 1]
    real = CreateOrganizationRequest(name="Acme", fixture_id="starter")
    assert completed(desk("create_organization", real).organization) == [0, 0, 1]


@pytest.mark.parametrize("name", ["audience", "delivery", "delivery_body", "device", "nudge"])
def test_what_is_deleted_is_found_by_an_index(desk: Desk, name: str) -> None:
    number = [table.name for table in owned_tables()].index(name)
    statement = some_of_each_table()[number]

    def plan(unit: Transaction) -> list[str]:
        unit.execute(BY_INDEX)
        explain = "explain query plan" if unit.dialect == "sqlite" else "explain"
        # PostgreSQL wants values here, not parameters.
        text = statement.sqlite if unit.dialect == "sqlite" else statement.postgresql
        for parameter in ("organization_key", "rows"):
            text = text.replace(f"%({parameter})s", "1").replace(f":{parameter}", "1")
        return [str(row[-1]) for row in unit.rows(Statement(f"{explain} {text}"))]

    steps = desk.installation.write(plan)
    assert [step for step in steps if f"SEARCH {name}" in step or "Index" in step]
    assert not [step for step in steps if f"SCAN {name}" in step or f"Seq Scan on {name}" in step]
