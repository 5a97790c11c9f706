import uuid

import pytest
from support.organization import START, Tenant

from pidgr.clock import to_timestamp
from pidgr.contract.v1.common_pb import Pagination, Permission
from pidgr.contract.v1.member_pb import GetUserRequest, InviteUserRequest, ListUsersRequest
from pidgr.contract.v1.user_pb import User, UserProfile, UserStatus
from pidgr.errors import (
    AlreadyExistsError,
    InvalidArgumentError,
    NotFoundError,
    PermissionDeniedError,
)
from pidgr.identity import permissions
from pidgr.identity.caller import Caller
from pidgr.storage.sql import Statement


class Members:
    """MemberService called as one organization's admin unless told otherwise."""

    def __init__(self, tenant: Tenant) -> None:
        self.tenant = tenant
        self.installation = tenant.installation
        self.service = self.installation.member_service

    def invite(self, request: InviteUserRequest, caller: Caller | None = None) -> User:
        caller = caller or self.tenant.admin
        user = self.installation.write(
            lambda unit: self.service.invite_user(request, caller, unit)
        ).user
        assert user is not None
        return user

    def get(self, user_id: str, caller: Caller | None = None) -> User:
        caller = caller or self.tenant.admin
        user = self.installation.read(
            lambda unit: self.service.get_user(GetUserRequest(user_id=user_id), caller, unit)
        ).user
        assert user is not None
        return user

    def page(self, size: int, token: str = "") -> tuple[list[str], str, int]:
        request = ListUsersRequest(pagination=Pagination(page_size=size, page_token=token))
        response = self.installation.read(
            lambda unit: self.service.list_users(request, self.tenant.admin, unit)
        )
        meta = response.pagination_meta
        assert meta is not None
        return [user.email for user in response.users], meta.next_page_token, meta.total_count


@pytest.fixture
def members(acme: Tenant) -> Members:
    return Members(acme)


def test_an_invited_member_is_stored_whole(members: Members) -> None:
    profile = UserProfile(
        first_name="Grace",
        last_name="Hopper",
        department="Navy",
        title="Rear Admiral",
        phone="+1 202",
        location="Arlington",
        employee_id="7",
        manager_name="Ada",
        start_date="1943-12-02",
        custom_attributes={"shirt": "M", "empty": ""},
        manager_id=members.tenant.admin.member().id.upper(),
    )
    invited = members.invite(
        InviteUserRequest(
            email="Grace@Example.com",
            name="Grace Hopper",
            profile=profile,
            data_governance_region="BR",
        )
    )
    assert members.get(invited.id) == invited
    assert (invited.email, invited.name) == ("Grace@Example.com", "Grace Hopper")
    assert invited.status == UserStatus.INVITED
    assert invited.created_at == to_timestamp(START)
    assert invited.data_governance_region == "BR"
    assert invited.role is not None
    assert invited.role.slug == permissions.EMPLOYEE
    assert invited.role_id == invited.role.id
    assert invited.profile is not None
    assert invited.profile.custom_attributes == {"shirt": "M"}
    assert invited.profile.manager_id == members.tenant.admin.member().id
    assert invited.profile.start_date == "1943-12-02"
    assert invited.profile.department == "Navy"


@pytest.mark.parametrize("table", ["team", "recipient_group"])
def test_an_invited_member_joins_the_default_group_and_team(members: Members, table: str) -> None:
    members.invite(InviteUserRequest(email="grace@example.com"))
    count, rows = members.installation.read(
        lambda unit: (
            unit.value(Statement(f"select member_count from {table} where is_default")),
            unit.value(Statement(f"select count(*) from {table}_member")),
        )
    )
    assert (count, rows) == (2, 2)


def test_a_role_can_be_named(members: Members) -> None:
    role_id = members.tenant.role_id("manager")
    invited = members.invite(InviteUserRequest(email="grace@example.com", role_id=role_id))
    assert invited.role_id == role_id


def test_nobody_grants_more_than_they_hold(members: Members) -> None:
    manager = members.tenant.add_member("max@example.com", role="manager")
    request = InviteUserRequest(
        email="grace@example.com", role_id=members.tenant.role_id("super_admin")
    )
    with pytest.raises(PermissionDeniedError):
        members.invite(request, manager)


def test_a_program_that_may_only_invite_gives_the_employee_role(members: Members) -> None:
    program = members.tenant.api_key(Permission.MEMBERS_INVITE)
    invited = members.invite(InviteUserRequest(email="grace@example.com"), program)
    assert invited.role is not None
    assert invited.role.slug == permissions.EMPLOYEE


def test_an_unknown_role_is_not_found(members: Members) -> None:
    request = InviteUserRequest(email="grace@example.com", role_id=str(uuid.uuid4()))
    with pytest.raises(NotFoundError):
        members.invite(request)


def test_a_role_of_another_organization_is_not_found(members: Members) -> None:
    beta = members.installation.found("Beta", "bob@example.com")
    request = InviteUserRequest(email="grace@example.com", role_id=beta.role_id("employee"))
    with pytest.raises(NotFoundError):
        members.invite(request)


@pytest.mark.parametrize("email", ["ada@example.com", "ADA@Example.COM"])
def test_a_known_address_is_refused(members: Members, email: str) -> None:
    with pytest.raises(AlreadyExistsError):
        members.invite(InviteUserRequest(email=email))


def test_two_organizations_can_have_the_same_person(members: Members) -> None:
    beta = members.installation.found("Beta", "bob@example.com")
    assert Members(beta).invite(InviteUserRequest(email="ada@example.com")).email


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (InviteUserRequest(), "email"),
        (InviteUserRequest(email="nobody"), "email"),
        (InviteUserRequest(email="a b@example.com"), "email"),
        (InviteUserRequest(email="a@" + "b" * 250 + ".com"), "email"),
        (InviteUserRequest(email="g@example.com", name="x" * 201), "name"),
        (InviteUserRequest(email="g@example.com", role_id="employee"), "role_id"),
        (
            InviteUserRequest(email="g@example.com", data_governance_region="us"),
            "data_governance_region",
        ),
        (
            InviteUserRequest(email="g@example.com", profile=UserProfile(title="x" * 201)),
            "profile.title",
        ),
        (
            InviteUserRequest(email="g@example.com", profile=UserProfile(start_date="2026-02-30")),
            "profile.start_date",
        ),
        (
            InviteUserRequest(email="g@example.com", profile=UserProfile(start_date="20260228")),
            "profile.start_date",
        ),
        (
            InviteUserRequest(email="g@example.com", profile=UserProfile(manager_id="ada")),
            "profile.manager_id",
        ),
        (
            InviteUserRequest(
                email="g@example.com", profile=UserProfile(manager_id=str(uuid.uuid4()))
            ),
            "profile.manager_id",
        ),
        (
            InviteUserRequest(
                email="g@example.com",
                profile=UserProfile(custom_attributes={str(n): "x" for n in range(51)}),
            ),
            "profile.custom_attributes",
        ),
        (
            InviteUserRequest(
                email="g@example.com", profile=UserProfile(custom_attributes={"k" * 101: "x"})
            ),
            "profile.custom_attributes",
        ),
        (
            InviteUserRequest(
                email="g@example.com", profile=UserProfile(custom_attributes={"": "x"})
            ),
            "profile.custom_attributes",
        ),
        (
            InviteUserRequest(
                email="g@example.com", profile=UserProfile(custom_attributes={"k": "x" * 1001})
            ),
            "profile.custom_attributes[k]",
        ),
    ],
)
def test_a_malformed_invitation_names_its_field(
    members: Members, request_: InviteUserRequest, field: str
) -> None:
    with pytest.raises(InvalidArgumentError) as raised:
        members.invite(request_)
    assert [violation.field for violation in raised.value.violations] == [field]
    assert members.page(100)[2] == 1


def test_limits_are_inclusive(members: Members) -> None:
    attributes = {f"{n:02}" + "k" * 98: "v" * 1_000 for n in range(50)}
    invited = members.invite(
        InviteUserRequest(
            email="a@" + "b" * 248 + ".com",
            name="n" * 200,
            profile=UserProfile(title="t" * 200, custom_attributes=attributes),
        )
    )
    assert invited.profile is not None
    assert invited.profile.custom_attributes == attributes


def test_a_manager_of_another_organization_is_refused(members: Members) -> None:
    beta = members.installation.found("Beta", "bob@example.com")
    profile = UserProfile(manager_id=beta.admin.member().id)
    with pytest.raises(InvalidArgumentError):
        members.invite(InviteUserRequest(email="g@example.com", profile=profile))


def test_everybody_can_read_themselves(members: Members) -> None:
    employee = members.tenant.add_member("eve@example.com")
    own_id = employee.member().id
    assert members.get("", employee).id == own_id
    assert members.get(own_id, employee).id == own_id
    assert members.get(own_id.upper(), employee).id == own_id


def test_others_need_a_permission(members: Members) -> None:
    employee = members.tenant.add_member("eve@example.com")
    admin_id = members.tenant.admin.member().id
    with pytest.raises(PermissionDeniedError, match="requires MEMBERS_READ permission"):
        members.get(admin_id, employee)
    program = members.tenant.api_key(Permission.MEMBERS_READ)
    assert members.get(admin_id, program).id == admin_id


def test_an_api_key_has_no_self(members: Members) -> None:
    with pytest.raises(PermissionDeniedError):
        members.get("", members.tenant.api_key(Permission.MEMBERS_READ))


def test_an_unknown_user_is_not_found(members: Members) -> None:
    with pytest.raises(NotFoundError):
        members.get(str(uuid.uuid4()))


def test_a_user_of_another_organization_is_not_found(members: Members) -> None:
    beta = members.installation.found("Beta", "bob@example.com")
    with pytest.raises(NotFoundError):
        members.get(beta.admin.member().id)


def test_a_malformed_user_id_is_refused(members: Members) -> None:
    with pytest.raises(InvalidArgumentError):
        members.get("ada")


def test_members_are_listed_by_name_over_every_page(members: Members) -> None:
    names = ["Zoë", "adam", "Bob", "bob", "Éva", "", "張偉", "Al"]
    for number, name in enumerate(names):
        members.tenant.add_member(f"m{number}@example.com", name=name)
    members.tenant.add_member("gone@example.com", name="Carl", status=UserStatus.DEACTIVATED)
    # Nameless members stand at their addresses; equal names in the order they joined.
    expected = [
        "ada@example.com",
        "m1@example.com",
        "m7@example.com",
        "m2@example.com",
        "m3@example.com",
        "gone@example.com",
        "m5@example.com",
        "m0@example.com",
        "m4@example.com",
        "m6@example.com",
    ]
    for size in (1, 3, 100):
        listed: list[str] = []
        token = ""
        while True:
            emails, token, total = members.page(size, token)
            listed += emails
            assert total == 10
            assert len(emails) <= size
            if not token:
                break
        assert listed == expected


def test_pages_do_not_shift_when_members_join(members: Members) -> None:
    for name in ("Bea", "Dan", "Eve"):
        members.tenant.add_member(f"{name}@example.com", name=name)
    first, token, _ = members.page(2)
    members.tenant.add_member("abe@example.com", name="Abe")
    second, _, total = members.page(2, token)
    assert (first, second) == (
        ["ada@example.com", "Bea@example.com"],
        ["Dan@example.com", "Eve@example.com"],
    )
    assert total == 5


def test_a_page_holds_20_unless_told_and_100_at_most(members: Members) -> None:
    for number in range(120):
        members.tenant.add_member(f"m{number}@example.com")
    assert len(members.page(0)[0]) == 20
    assert len(members.page(1000)[0]) == 100


def test_only_the_callers_organization_is_listed(members: Members) -> None:
    members.installation.found("Beta", "bob@example.com")
    assert members.page(100) == (["ada@example.com"], "", 1)


def test_a_token_of_another_organization_is_refused(members: Members) -> None:
    beta = members.installation.found("Beta", "bob@example.com")
    beta.add_member("cyd@example.com")
    _, token, _ = Members(beta).page(1)
    for bad in (token, token + "A", "%%%"):
        with pytest.raises(InvalidArgumentError):
            members.page(1, bad)
