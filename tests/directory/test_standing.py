import threading
import uuid
from collections.abc import Callable

import pytest
from support.calls import Calls
from support.organization import Tenant
from support.waiting import until

from pidgr.contract.v1.common_pb import Permission
from pidgr.contract.v1.member_pb import UpdateUserRoleRequest
from pidgr.contract.v1.user_pb import User, UserStatus
from pidgr.directory.member_service import MemberService
from pidgr.errors import (
    FailedPreconditionError,
    InvalidArgumentError,
    NotFoundError,
    PermissionDeniedError,
)
from pidgr.identity.caller import Caller
from pidgr.storage.database import Database
from pidgr.storage.sql import Statement
from pidgr.storage.transaction import Transaction


@pytest.fixture
def members(acme: Tenant) -> Calls:
    installation = acme.installation
    return Calls(acme, MemberService(installation.clock, installation.page_tokens))


def give(members: Calls, member: Caller, slug: str, caller: Caller | None = None) -> User:
    request = UpdateUserRoleRequest(
        user_id=member.member().id, role_id=members.tenant.role_id(slug)
    )
    user: User = members("update_user_role", request, caller).user
    return user


def test_a_new_role_shows_at_once(members: Calls) -> None:
    eve = members.tenant.add_member("eve@example.com")
    for _ in range(2):
        user = give(members, eve, "manager")
        assert user.role is not None
        assert (user.role.slug, user.role_id) == ("manager", members.tenant.role_id("manager"))
    assert Permission.CAMPAIGNS_READ in members.tenant.person(user.id).permissions


def test_nobody_gives_a_role_that_allows_more_than_they_hold(members: Calls) -> None:
    eve = members.tenant.add_member("eve@example.com")
    program = members.tenant.api_key(Permission.MEMBERS_MANAGE)
    with pytest.raises(PermissionDeniedError):
        give(members, eve, "super_admin", program)
    assert members.tenant.person(eve.member().id) == eve


def test_the_last_super_admin_stays_one(members: Calls) -> None:
    tenant = members.tenant
    with pytest.raises(FailedPreconditionError):
        give(members, tenant.admin, "admin")
    give(members, tenant.admin, "super_admin")
    # Those who cannot sign in, or not yet, do not count.
    for status in (UserStatus.INVITED, UserStatus.DEACTIVATED):
        tenant.add_member(f"{status.name}@example.com", role="super_admin", status=status)
    with pytest.raises(FailedPreconditionError):
        give(members, tenant.admin, "admin")
    # Nor does one of another organization.
    tenant.installation.found("Beta", "bob@example.com")
    with pytest.raises(FailedPreconditionError):
        give(members, tenant.admin, "admin")
    second = tenant.add_member("eve@example.com", role="super_admin")
    give(members, tenant.admin, "admin")
    with pytest.raises(FailedPreconditionError):
        give(members, second, "admin")


def test_a_super_admin_who_cannot_sign_in_can_lose_the_role(members: Calls) -> None:
    gone = members.tenant.add_member(
        "eve@example.com", role="super_admin", status=UserStatus.DEACTIVATED
    )
    role = give(members, gone, "employee").role
    assert role is not None
    assert role.slug == "employee"


def waits_for_a_lock(database: Database) -> bool:
    """Tell whether another transaction waits; on SQLite it always does, for the only writer."""
    if database.dialect == "sqlite":
        return True
    waiting = Statement("select count(*) from pg_locks where not granted")
    return bool(database.read_now(lambda reader: reader.value(waiting)))


def overlap(database: Database, first: Callable[[Transaction], object], second: object) -> None:
    """Run ``second`` in another thread while ``first`` has done its work and not committed."""
    assert callable(second)
    thread = threading.Thread(target=second)

    def work(transaction: Transaction) -> None:
        first(transaction)
        thread.start()
        until(lambda: not thread.is_alive() or waits_for_a_lock(database))

    database.write_now(work)
    thread.join(timeout=30)
    assert not thread.is_alive()


def test_two_super_admins_cannot_take_the_role_from_each_other_at_once(members: Calls) -> None:
    tenant = members.tenant
    second = tenant.add_member("eve@example.com", role="super_admin")
    admin_role = tenant.role_id("admin")
    refused: list[FailedPreconditionError] = []

    def demote(unit: Transaction, target: Caller, caller: Caller) -> None:
        request = UpdateUserRoleRequest(user_id=target.member().id, role_id=admin_role)
        assert isinstance(members.service, MemberService)
        members.service.update_user_role(request, caller, unit)

    def other_way_round() -> None:
        try:
            tenant.installation.write(lambda unit: demote(unit, tenant.admin, second))
        except FailedPreconditionError as error:
            refused.append(error)

    overlap(
        tenant.installation.database,
        lambda unit: demote(unit, second, tenant.admin),
        other_way_round,
    )
    assert len(refused) == 1


@pytest.mark.parametrize("foreign", [False, True])
def test_an_unknown_member_or_role_is_not_found(members: Calls, foreign: bool) -> None:
    tenant = members.tenant
    beta = tenant.installation.found("Beta", "bob@example.com")
    member_id = beta.admin.member().id if foreign else str(uuid.uuid4())
    role_id = beta.role_id("employee") if foreign else str(uuid.uuid4())
    known = tenant.add_member("eve@example.com").member().id
    for request in (
        UpdateUserRoleRequest(user_id=member_id, role_id=tenant.role_id("manager")),
        UpdateUserRoleRequest(user_id=known, role_id=role_id),
    ):
        with pytest.raises(NotFoundError):
            members("update_user_role", request)


def test_ids_are_uuids(members: Calls) -> None:
    known = members.tenant.admin.member().id
    for user_id, role_id in (("", known), (known, ""), ("ada", known), (known, "admin")):
        with pytest.raises(InvalidArgumentError):
            members("update_user_role", UpdateUserRoleRequest(user_id=user_id, role_id=role_id))
