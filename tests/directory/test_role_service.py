import uuid
from typing import Any

import pytest
from support.calls import Calls
from support.organization import Tenant

from pidgr.contract.v1.common_pb import Permission, Role
from pidgr.contract.v1.organization_pb import OrgType
from pidgr.contract.v1.role_pb import (
    CreateRoleRequest,
    DeleteRoleRequest,
    ListRolesRequest,
    UpdateRoleRequest,
)
from pidgr.directory.role_service import RoleService, slug_of
from pidgr.errors import (
    AlreadyExistsError,
    FailedPreconditionError,
    InvalidArgumentError,
    NotFoundError,
    PermissionDeniedError,
)
from pidgr.identity import permissions
from pidgr.storage.sql import Statement

P = Permission


@pytest.fixture
def roles(acme: Tenant) -> Calls:
    return Calls(acme, RoleService(acme.installation.clock))


def create(roles: Calls, name: str, *granted: Permission, **options: Any) -> Role:
    request = CreateRoleRequest(name=name, permissions=list(granted))
    role: Role = roles("create_role", request, **options).role
    return role


def listed(roles: Calls) -> list[Role]:
    found: list[Role] = roles("list_roles", ListRolesRequest()).roles
    return found


def by_slug(roles: Calls, slug: str) -> Role:
    return next(role for role in listed(roles) if role.slug == slug)


def test_a_new_role_is_listed_by_name_with_its_permissions(roles: Calls) -> None:
    made = create(roles, "lead", P.MEMBERS_READ, P.ORG_READ, P.MEMBERS_READ)
    assert (made.name, made.slug, made.is_default, made.is_system) == ("lead", "lead", False, False)
    assert made.permissions == [P.ORG_READ, P.MEMBERS_READ]
    assert [role.name for role in listed(roles)] == [
        "Admin",
        "Employee",
        "lead",
        "Manager",
        "Super admin",
    ]
    assert by_slug(roles, "lead") == made


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("Regional  Lead", "regional_lead"),
        (" (HR) & People! ", "hr_people"),
        ("night_shift", "night_shift"),
        ("Développeur", "développeur"),
        ("店長", "店長"),
        ("Level 2", "level_2"),
    ],
)
def test_a_slug_has_only_lower_case_letters_digits_and_underscores(name: str, slug: str) -> None:
    assert slug_of(name) == slug


def test_a_role_may_allow_nothing(roles: Calls) -> None:
    assert create(roles, "Guest").permissions == []


@pytest.mark.parametrize("name", ["Employee", "employee!", " EMPLOYEE "])
def test_a_taken_slug_is_refused(roles: Calls, name: str) -> None:
    with pytest.raises(AlreadyExistsError):
        create(roles, name)
    assert len(listed(roles)) == 4


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (CreateRoleRequest(), "name"),
        (CreateRoleRequest(name=" "), "name"),
        (CreateRoleRequest(name="!!!"), "name"),
        (CreateRoleRequest(name="n" * 201), "name"),
        (CreateRoleRequest(name="Lead", permissions=[P.ORG_READ, P.UNSPECIFIED]), "permissions[1]"),
        (CreateRoleRequest(name="Lead", permissions=[Permission(99)]), "permissions[0]"),
        (CreateRoleRequest(name="Lead", permissions=sorted(permissions.PLATFORM)), "permissions"),
    ],
)
def test_a_malformed_role_names_its_field(
    roles: Calls, request_: CreateRoleRequest, field: str
) -> None:
    with pytest.raises(InvalidArgumentError) as raised:
        roles("create_role", request_)
    assert [violation.field for violation in raised.value.violations] == [field]


def test_the_staff_of_a_hosted_service_may_hold_platform_permissions(roles: Calls) -> None:
    tenant = roles.tenant
    tenant.installation.write(
        lambda unit: unit.execute(
            Statement("update organization set org_type = :staff where key = :key"),
            {"staff": OrgType.STAFF, "key": tenant.key},
        )
    )
    platform = min(permissions.PLATFORM)
    operator = tenant.api_key(P.MEMBERS_MANAGE, platform)
    assert create(roles, "Support", platform, caller=operator).permissions == [platform]


def test_nobody_makes_a_role_with_more_than_they_hold(roles: Calls) -> None:
    program = roles.tenant.api_key(P.MEMBERS_MANAGE, P.ORG_READ)
    assert create(roles, "Reader", P.ORG_READ, caller=program).permissions == [P.ORG_READ]
    with pytest.raises(PermissionDeniedError, match=r"ORG_WRITE, AUDIT_READ$"):
        create(roles, "Boss", P.AUDIT_READ, P.ORG_WRITE, P.ORG_READ, caller=program)
    assert len(listed(roles)) == 5


def test_what_is_empty_in_an_update_stays(roles: Calls) -> None:
    made = create(roles, "Lead", P.ORG_READ)
    renamed = roles("update_role", UpdateRoleRequest(role_id=made.id.upper(), name="Chief")).role
    assert (renamed.name, renamed.slug, renamed.permissions) == ("Chief", "lead", [P.ORG_READ])
    request = UpdateRoleRequest(role_id=made.id, permissions=[P.MEMBERS_READ])
    changed = roles("update_role", request).role
    assert (changed.name, changed.permissions) == ("Chief", [P.MEMBERS_READ])
    assert by_slug(roles, "lead") == changed


def test_a_seeded_role_that_is_no_system_role_can_change(roles: Calls) -> None:
    manager = by_slug(roles, "manager")
    request = UpdateRoleRequest(role_id=manager.id, permissions=[P.AUDIT_READ])
    changed = roles("update_role", request).role
    assert (changed.permissions, changed.is_default) == ([P.AUDIT_READ], True)


def test_nobody_widens_a_role_beyond_what_they_hold(roles: Calls) -> None:
    made = create(roles, "Lead", P.ORG_READ)
    program = roles.tenant.api_key(P.MEMBERS_MANAGE)
    request = UpdateRoleRequest(role_id=made.id, permissions=[P.ORG_WRITE])
    with pytest.raises(PermissionDeniedError):
        roles("update_role", request, program)
    roles("update_role", UpdateRoleRequest(role_id=made.id, name="Chief"), program)
    assert by_slug(roles, "lead").permissions == [P.ORG_READ]


def test_a_system_role_never_changes(roles: Calls) -> None:
    role_id = by_slug(roles, "super_admin").id
    with pytest.raises(FailedPreconditionError):
        roles("update_role", UpdateRoleRequest(role_id=role_id, name="Root"))
    with pytest.raises(FailedPreconditionError):
        roles("delete_role", DeleteRoleRequest(role_id=role_id))


def test_a_role_is_deleted_once_nobody_holds_it(roles: Calls) -> None:
    made = create(roles, "Lead", P.ORG_READ)
    request = DeleteRoleRequest(role_id=made.id)
    roles.tenant.add_member("eve@example.com", role="lead")
    with pytest.raises(FailedPreconditionError, match="members have the role"):
        roles("delete_role", request)
    roles.tenant.installation.write(
        lambda unit: (
            unit.execute(Statement("delete from team_member"))
            + unit.execute(Statement("delete from recipient_group_member"))
            + unit.execute(Statement("delete from member where email = 'eve@example.com'"))
        )
    )
    roles("delete_role", request)
    assert len(listed(roles)) == 4
    with pytest.raises(NotFoundError):
        roles("delete_role", request)


def test_the_role_that_invitations_give_is_never_deleted(roles: Calls) -> None:
    request = DeleteRoleRequest(role_id=by_slug(roles, "employee").id)
    with pytest.raises(FailedPreconditionError, match="invitations"):
        roles("delete_role", request)


@pytest.mark.parametrize("foreign", [False, True])
@pytest.mark.parametrize(
    ("rpc", "request_type"),
    [("update_role", UpdateRoleRequest), ("delete_role", DeleteRoleRequest)],
)
def test_an_unknown_role_is_not_found(
    roles: Calls, rpc: str, request_type: Any, foreign: bool
) -> None:
    beta = roles.of(roles.tenant.installation.found("Beta", "bob@example.com"))
    role_id = create(beta, "Lead").id if foreign else str(uuid.uuid4())
    with pytest.raises(NotFoundError):
        roles(rpc, request_type(role_id=role_id))
    assert len(listed(beta)) == (5 if foreign else 4)


@pytest.mark.parametrize(
    ("rpc", "request_"),
    [
        ("update_role", UpdateRoleRequest(role_id="lead")),
        ("delete_role", DeleteRoleRequest()),
        ("update_role", UpdateRoleRequest(role_id=str(uuid.uuid4()), name=" ")),
    ],
)
def test_a_malformed_request_is_refused(roles: Calls, rpc: str, request_: Any) -> None:
    with pytest.raises(InvalidArgumentError):
        roles(rpc, request_)
