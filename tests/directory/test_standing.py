import uuid
from collections.abc import Callable

import pytest
from support.calls import Calls
from support.organization import START, Tenant
from support.overlap import overlap
from support.waiting import at_once

from pidgr.contract.v1.common_pb import Permission, Platform
from pidgr.contract.v1.device_pb import RegisterRequest
from pidgr.contract.v1.member_pb import (
    DeactivateUserRequest,
    InviteUserRequest,
    ListUsersRequest,
    ReactivateUserRequest,
    RevokeInviteRequest,
    UpdateUserProfileRequest,
    UpdateUserRoleRequest,
)
from pidgr.contract.v1.user_pb import User, UserProfile, UserStatus
from pidgr.directory.member_service import MemberService
from pidgr.errors import (
    FailedPreconditionError,
    InvalidArgumentError,
    NotFoundError,
    PermissionDeniedError,
    UnauthenticatedError,
)
from pidgr.identity import session_store
from pidgr.identity import store as identity_store
from pidgr.identity.caller import Caller
from pidgr.inbox.device_service import DeviceService
from pidgr.storage.sql import Statement
from pidgr.storage.transaction import Transaction


@pytest.fixture
def members(acme: Tenant) -> Calls:
    return Calls(acme, acme.installation.member_service)


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


def shut_out(members: Calls, member: Caller, caller: Caller | None = None) -> User:
    request = DeactivateUserRequest(user_id=member.member().id)
    user: User = members("deactivate_user", request, caller).user
    return user


def let_in(members: Calls, member: Caller, caller: Caller | None = None) -> User:
    request = ReactivateUserRequest(user_id=member.member().id)
    user: User = members("reactivate_user", request, caller).user
    return user


def revoke(members: Calls, member: Caller) -> None:
    members("revoke_invite", RevokeInviteRequest(user_id=member.member().id))


def sign_in(members: Calls, member: Caller, subject: str) -> None:
    """Tie a member to a person with a session, as a sign-in by code does."""
    now = members.tenant.installation.clock.now()

    def work(unit: Transaction) -> None:
        identity_store.ensure_identity(unit, member.member().email, subject, now)
        assert identity_store.activate_member(
            unit,
            member.member().id,
            subject,
            active=UserStatus.ACTIVE,
            deactivated=UserStatus.DEACTIVATED,
        )
        session_store.insert_session(
            unit,
            handle=subject.encode(),
            digest=b"digest",
            subject=subject,
            method="otp",
            authenticated_at=now,
            organization_key=members.tenant.key,
            now=now,
            expires_at=now + 1,
        )

    members.tenant.installation.write(work)


def session_is_open(members: Calls, subject: str) -> bool:
    session = members.tenant.installation.write(
        lambda unit: session_store.lock_session(unit, subject.encode())
    )
    assert session is not None
    return session.revoked_at is None


def register(members: Calls, member: Caller) -> str:
    device_id = str(uuid.uuid4())
    request = RegisterRequest(device_id=device_id, platform=Platform.IOS, push_token="token")
    service = DeviceService(members.tenant.installation.clock)
    Calls(members.tenant, service)("register", request, member)
    return device_id


def count(members: Calls, text: str, **parameters: object) -> int:
    found: int = members.tenant.installation.read(
        lambda unit: unit.value(Statement(f"select count(*) from {text}"), parameters)
    )
    return found


def test_whoever_is_shut_out_is_signed_out_and_pushed_nothing(members: Calls) -> None:
    eve, zoe = (members.tenant.add_member(f"{name}@example.com") for name in ("eve", "zoe"))
    for member, subject in ((eve, "eve"), (zoe, "zoe")):
        sign_in(members, member, subject)
        register(members, member)
    user = shut_out(members, eve)
    assert user.status == UserStatus.DEACTIVATED
    assert shut_out(members, eve) == user
    assert not session_is_open(members, "eve")
    assert session_is_open(members, "zoe")
    active = "device where active and member_key = :key"
    assert count(members, active, key=eve.member().key) == 0
    assert count(members, active, key=zoe.member().key) == 1


def test_a_device_registered_while_its_member_is_shut_out_is_refused(members: Calls) -> None:
    tenant = members.tenant
    eve = tenant.add_member("eve@example.com")
    refused: list[UnauthenticatedError] = []

    def register_late() -> None:
        try:
            register(members, eve)
        except UnauthenticatedError as error:
            refused.append(error)

    request = DeactivateUserRequest(user_id=eve.member().id)
    assert isinstance(members.service, MemberService)
    service = members.service
    overlap(
        tenant.installation.database,
        lambda unit: service.deactivate_user(request, tenant.admin, unit),
        register_late,
    )
    assert len(refused) == 1
    assert count(members, "device") == 0


def test_neither_oneself_nor_the_last_super_admin_is_shut_out(members: Calls) -> None:
    tenant = members.tenant
    second = tenant.add_member("eve@example.com", role="super_admin")
    with pytest.raises(FailedPreconditionError, match="yourself"):
        shut_out(members, second, second)
    shut_out(members, second)
    with pytest.raises(FailedPreconditionError, match="last super admin"):
        shut_out(members, tenant.admin, tenant.api_key(Permission.MEMBERS_MANAGE))


def test_an_invited_member_can_be_shut_out(members: Calls) -> None:
    invited = members.tenant.add_member("eve@example.com", status=UserStatus.INVITED)
    assert shut_out(members, invited).status == UserStatus.DEACTIVATED


def test_whoever_is_let_in_again_must_sign_in_anew(members: Calls) -> None:
    eve = members.tenant.add_member("eve@example.com")
    sign_in(members, eve, "eve")
    with pytest.raises(FailedPreconditionError):
        let_in(members, eve)
    shut_out(members, eve)
    assert let_in(members, eve).status == UserStatus.INVITED
    with pytest.raises(FailedPreconditionError):
        let_in(members, eve)
    membership = members.tenant.installation.read(
        lambda unit: identity_store.membership(unit, "eve", members.tenant.id, START)
    )
    assert membership is None


def test_nobody_lets_in_again_who_may_do_more_than_they(members: Calls) -> None:
    eve = members.tenant.add_member("eve@example.com", role="manager")
    bob = members.tenant.add_member("bob@example.com")
    program = members.tenant.api_key(Permission.MEMBERS_MANAGE)
    for member in (eve, bob):
        shut_out(members, member, program)
    with pytest.raises(PermissionDeniedError, match="CAMPAIGNS_WRITE"):
        let_in(members, eve, program)
    # What every member may do is nobody's to withhold.
    assert let_in(members, bob, program).status == UserStatus.INVITED
    assert let_in(members, eve).status == UserStatus.INVITED


def test_a_revoked_invitation_leaves_nothing_of_the_person(members: Calls) -> None:
    tenant = members.tenant
    eve = tenant.add_member("eve@example.com", status=UserStatus.INVITED)
    report = tenant.add_member("zoe@example.com")
    members(
        "update_user_profile",
        UpdateUserProfileRequest(
            user_id=report.member().id, profile=UserProfile(manager_id=eve.member().id)
        ),
    )
    register(members, eve)
    key = eve.member().key
    revoke(members, eve)
    for table in ("device", "team_member", "recipient_group_member"):
        assert count(members, f"{table} where member_key = :key", key=key) == 0
    assert count(members, "member where manager_id <> ''") == 0
    assert count(members, "team where member_count = 2") == 1
    assert count(members, "recipient_group where member_count = 2") == 1
    with pytest.raises(NotFoundError):
        revoke(members, eve)
    again = tenant.add_member("eve@example.com")
    assert again.member().key != key


@pytest.mark.parametrize("revoked_first", [True, False])
def test_nobody_reports_to_a_person_who_is_revoked_meanwhile(
    members: Calls, revoked_first: bool
) -> None:
    tenant = members.tenant
    manager = tenant.add_member("eve@example.com", status=UserStatus.INVITED).member().id
    service = tenant.installation.member_service
    outcomes: list[User | None] = []

    def revoke(unit: Transaction) -> None:
        service.revoke_invite(RevokeInviteRequest(user_id=manager), tenant.admin, unit)

    def invite(unit: Transaction) -> None:
        request = InviteUserRequest(email="max@x.com", profile=UserProfile(manager_id=manager))
        outcomes.append(service.invite_user(request, tenant.admin, unit).user)

    def refused_or(work: Callable[[Transaction], None]) -> None:
        try:
            tenant.installation.write(work)
        except InvalidArgumentError:
            outcomes.append(None)

    first, second = (revoke, invite) if revoked_first else (invite, revoke)
    overlap(tenant.installation.database, first, lambda: refused_or(second))
    (invited,) = outcomes
    assert (invited is None) == revoked_first
    found = members("list_users", ListUsersRequest()).users
    assert [one.profile.manager_id for one in found] == [""] * (1 if revoked_first else 2)


def test_members_who_come_and_go_at_once_are_counted(members: Calls) -> None:
    def come_and_go() -> None:
        for email in (f"{uuid.uuid4()}@example.com" for _ in range(3)):
            invited = members("invite_user", InviteUserRequest(email=email)).user
            members("invite_user", InviteUserRequest(email=f"stays-{email}"))
            members("revoke_invite", RevokeInviteRequest(user_id=invited.id))

    at_once(4, come_and_go)
    answer = members("list_users", ListUsersRequest())
    assert len(answer.users) == answer.pagination_meta.total_count == 1 + 4 * 3


def test_what_campaigns_hold_of_a_revoked_person_goes_and_their_counts_stay(
    members: Calls,
) -> None:
    eve = members.tenant.add_member("eve@example.com", status=UserStatus.INVITED)
    key, organization = eve.member().key, members.tenant.key

    def send(unit: Transaction) -> None:
        for text in (
            """insert into template (key, id, organization_key, type, latest_version)
               values (1, 't', :organization, 1, 1)""",
            """insert into campaign (key, id, organization_key, template_key, template_version,
                                     status, created_at) values (1, 'c', :organization, 1, 1, 1, 1)
            """,
            """insert into audience (campaign_key, ordinal, member_key, variables)
               values (1, 0, :key, '{"salary": "1"}')""",
            """insert into delivery (step_run_key, ordinal, organization_key, member_key, kind,
                                     status, locale, created_at, changed_at)
               values (1, 0, :organization, :key, 1, 1, 0, 1, 1)""",
            """insert into delivery_body (step_run_key, ordinal, content_id, body)
               values (1, 0, 'x', 'Dear Eve')""",
            """insert into delivery_error (step_run_key, ordinal, device_id, error, occurred_at)
               values (1, 0, 'd', 'gone', 1)""",
        ):
            unit.execute(Statement(text), {"organization": organization, "key": key})

    members.tenant.installation.write(send)
    revoke(members, eve)
    assert count(members, "delivery_body") == 0
    assert count(members, "delivery_error") == 0
    assert count(members, "audience where variables is not null") == 0
    assert count(members, "audience") == count(members, "delivery") == 1


@pytest.mark.parametrize("status", [UserStatus.ACTIVE, UserStatus.DEACTIVATED])
def test_only_an_invitation_can_be_revoked(members: Calls, status: UserStatus) -> None:
    eve = members.tenant.add_member("eve@example.com", status=status)
    with pytest.raises(FailedPreconditionError):
        revoke(members, eve)


@pytest.mark.parametrize("foreign", [False, True])
@pytest.mark.parametrize(
    ("rpc", "request_type"),
    [
        ("deactivate_user", DeactivateUserRequest),
        ("reactivate_user", ReactivateUserRequest),
        ("revoke_invite", RevokeInviteRequest),
    ],
)
def test_an_unknown_member_does_not_change(
    members: Calls, rpc: str, request_type: Callable[..., object], foreign: bool
) -> None:
    beta = members.tenant.installation.found("Beta", "bob@example.com")
    unknown = beta.admin.member().id if foreign else str(uuid.uuid4())
    with pytest.raises(NotFoundError):
        members(rpc, request_type(user_id=unknown))
    with pytest.raises(InvalidArgumentError):
        members(rpc, request_type(user_id="eve"))
