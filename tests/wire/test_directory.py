"""Organizations, members, roles, groups and teams through the wire.

Who may knock at which door is walked through in ``test_doors``; here is what depends on the data.
"""

import secrets
import uuid
from typing import Any

import grpc
import pytest
from support.grpc_client import Client, Organization
from support.running import Installation

NOBODY = str(uuid.uuid4())
Code = grpc.StatusCode


class World:
    """An organization as its API key sees it, and a foreign one beside it."""

    def __init__(self, installation: Installation, client: Client) -> None:
        self.installation = installation
        self.client = client
        self.stubs = client.stubs
        self.organization = installation.found()
        self.foreign = installation.found()

    def __call__(self, rpc: str, credential: str = "", /, **fields: Any) -> Any:
        return self.client(rpc, credential or self.organization.api_key, **fields)

    def refusal(self, rpc: str, credential: str = "", /, **fields: Any) -> Code:
        code: Code = self.client.error(
            rpc, credential or self.organization.api_key, **fields
        ).code()
        return code

    def elsewhere(self, rpc: str, **fields: Any) -> Any:
        return self.client(rpc, self.foreign.api_key, **fields)

    def invite(self, organization: Organization | None = None, role_id: str = "") -> Any:
        organization = organization or self.organization
        return self.client(
            "MemberService/InviteUser",
            organization.api_key,
            email=f"{secrets.token_hex(6)}@example.com",
            role_id=role_id,
        ).user

    def employee(self) -> tuple[Any, str]:
        """Return an active employee and their token."""
        user = self.invite()
        return user, self.installation.token(user.id)

    def key(self, *permissions: str) -> str:
        numbers = [self.stubs.Permission.Value(f"PERMISSION_{name}") for name in permissions]
        made = self("ApiKeyService/CreateApiKey", name="robot", permissions=numbers)
        return str(made.key)


@pytest.fixture
def world(installation: Installation, client: Client) -> World:
    return World(installation, client)


@pytest.fixture(params=["Group", "Team"])
def noun(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


def test_a_collective_lives_from_creation_to_deletion(world: World, noun: str) -> None:
    service, field = f"{noun}Service", noun.lower()
    member = world.invite()

    def one(rpc: str, **fields: Any) -> Any:
        return getattr(world(f"{service}/{rpc}", **fields), field)

    made = one(f"Create{noun}", name="Crew", description="Ours")
    named = {f"{field}_id": made.id}
    assert one(f"Get{noun}", **named) == made
    assert one(f"Update{noun}", **named, name="Squad").description == "Ours"
    assert one(f"Add{noun}Members", **named, user_ids=[member.id] * 2).member_count == 1
    listed = world(f"{service}/List{noun}Members", **named)
    assert [user.id for user in listed.users] == [member.id]
    assert listed.pagination_meta.total_count == 1
    assert one(f"Remove{noun}Members", **named, user_ids=[member.id]).member_count == 0
    everything = getattr(world(f"{service}/List{noun}s"), f"{field}s")
    assert "Squad" in [found.name for found in everything]
    world(f"{service}/Delete{noun}", **named)
    assert world.refusal(f"{service}/Delete{noun}", **named) is Code.NOT_FOUND


def test_a_collective_refuses_with_the_contracts_codes(world: World, noun: str) -> None:
    service, field = f"{noun}Service", noun.lower()
    made = getattr(world(f"{service}/Create{noun}", name="Crew"), field)
    default = next(
        found for found in getattr(world(f"{service}/List{noun}s"), f"{field}s") if found.is_default
    )
    named, people = {f"{field}_id": made.id}, [world.organization.admin_id]
    for code, rpc, fields in (
        (Code.INVALID_ARGUMENT, f"Create{noun}", {}),
        (Code.INVALID_ARGUMENT, f"Create{noun}", {"name": "n" * 201}),
        (Code.ALREADY_EXISTS, f"Create{noun}", {"name": "CREW"}),
        (Code.ALREADY_EXISTS, f"Update{noun}", {**named, "name": default.name}),
        (Code.FAILED_PRECONDITION, f"Update{noun}", {f"{field}_id": default.id, "name": "Us"}),
        (Code.FAILED_PRECONDITION, f"Delete{noun}", {f"{field}_id": default.id}),
        (Code.INVALID_ARGUMENT, f"Add{noun}Members", {**named, "user_ids": people * 101}),
        (Code.INVALID_ARGUMENT, f"Add{noun}Members", {**named, "user_ids": [NOBODY]}),
        (Code.INVALID_ARGUMENT, f"Remove{noun}Members", named),
        (Code.INVALID_ARGUMENT, f"Get{noun}", {f"{field}_id": "crew"}),
    ):
        assert world.refusal(f"{service}/{rpc}", **fields) is code, (rpc, fields)


def test_a_foreign_collective_is_as_unknown_as_none(world: World, noun: str) -> None:
    service, field = f"{noun}Service", noun.lower()
    foreign = getattr(world.elsewhere(f"{service}/Create{noun}", name="Crew"), field)
    people = [world.organization.admin_id]
    for rpc, fields in (
        (f"Get{noun}", {}),
        (f"Update{noun}", {"name": "Mine"}),
        (f"Delete{noun}", {}),
        (f"Add{noun}Members", {"user_ids": people}),
        (f"Remove{noun}Members", {"user_ids": people}),
        (f"List{noun}Members", {}),
    ):
        errors = [
            world.client.error(
                f"{service}/{rpc}", world.organization.api_key, **{f"{field}_id": id_}, **fields
            )
            for id_ in (foreign.id, NOBODY)
        ]
        assert {error.code() for error in errors} == {Code.NOT_FOUND}, rpc
        assert errors[0].details().replace(foreign.id, NOBODY) == errors[1].details()
    mine = getattr(world(f"{service}/Create{noun}", name="Crew"), field)
    assert (
        world.refusal(
            f"{service}/Add{noun}Members",
            **{f"{field}_id": mine.id},
            user_ids=[world.foreign.admin_id],
        )
        is Code.INVALID_ARGUMENT
    )
    assert getattr(world.elsewhere(f"{service}/Get{noun}", **{f"{field}_id": foreign.id}), field)


def test_whose_collective_it_is_decides(world: World, noun: str) -> None:
    service, field, plural = f"{noun}Service", noun.lower(), noun.upper() + "S"
    _, token = world.employee()
    theirs = getattr(world(f"{service}/Create{noun}", name="Theirs"), field)
    named = {f"{field}_id": theirs.id}
    assert world.refusal(f"{service}/Get{noun}", token, **named) is Code.PERMISSION_DENIED
    assert world.refusal(f"{service}/List{noun}Members", token, **named) is Code.PERMISSION_DENIED
    listed = getattr(world(f"{service}/List{noun}s", token), f"{field}s")
    assert [found.is_default for found in listed] == [True]
    writer = world.key(f"{plural}_WRITE")
    people = [world.organization.admin_id]
    for rpc, fields in (
        (f"Update{noun}", {"name": "Mine"}),
        (f"Delete{noun}", {}),
        (f"Add{noun}Members", {"user_ids": people}),
        (f"Remove{noun}Members", {"user_ids": people}),
    ):
        refusal = world.refusal(f"{service}/{rpc}", writer, **named, **fields)
        assert refusal is Code.PERMISSION_DENIED, rpc
    mine = getattr(world(f"{service}/Create{noun}", writer, name="Mine"), field)
    world(f"{service}/Delete{noun}", writer, **{f"{field}_id": mine.id})


def test_memberships_leave_out_whoever_is_in_no_group(world: World) -> None:
    member = world.invite()
    everyone = world("GroupService/ListGroups").groups[0]
    admin = world.organization.admin_id
    world("GroupService/RemoveGroupMembers", group_id=everyone.id, user_ids=[member.id])
    found = world(
        "GroupService/GetUserGroupMemberships",
        user_ids=[member.id, admin, world.foreign.admin_id, NOBODY],
    ).memberships
    assert [(one.user_id, [group.id for group in one.groups]) for one in found] == [
        (admin, [everyone.id])
    ]
    for ids in ([], ["ada"], [admin] * 201):
        refusal = world.refusal("GroupService/GetUserGroupMemberships", user_ids=ids)
        assert refusal is Code.INVALID_ARGUMENT


def test_a_role_lives_from_creation_to_deletion(world: World) -> None:
    made = world(
        "RoleService/CreateRole", name="Shift lead", permissions=[world.stubs.PERMISSION_ORG_READ]
    ).role
    assert (made.slug, list(made.permissions)) == ("shift_lead", [world.stubs.PERMISSION_ORG_READ])
    renamed = world("RoleService/UpdateRole", role_id=made.id, name="Lead").role
    assert (renamed.name, renamed.slug, renamed.permissions) == (
        "Lead",
        "shift_lead",
        made.permissions,
    )
    names = [role.name for role in world("RoleService/ListRoles").roles]
    assert names == ["Admin", "Employee", "Lead", "Manager", "Super admin"]
    user, token = world.employee()
    assert world.refusal("RoleService/ListRoles", token) is Code.PERMISSION_DENIED
    given = world("MemberService/UpdateUserRole", user_id=user.id, role_id=made.id).user
    assert given.role == renamed
    # The new rights hold from the very next call.
    assert len(world("RoleService/ListRoles", token).roles) == 5
    assert world.refusal("RoleService/DeleteRole", role_id=made.id) is Code.FAILED_PRECONDITION
    world("MemberService/UpdateUserRole", user_id=user.id, role_id=user.role_id)
    world("RoleService/DeleteRole", role_id=made.id)
    assert world.refusal("RoleService/DeleteRole", role_id=made.id) is Code.NOT_FOUND


def test_roles_refuse_with_the_contracts_codes(world: World) -> None:
    roles = {role.slug: role.id for role in world("RoleService/ListRoles").roles}
    foreign = world.elsewhere("RoleService/CreateRole", name="Foreign").role.id
    stubs, admin_id = world.stubs, world.organization.admin_id
    robot = world.key("MEMBERS_MANAGE")
    refused: list[tuple[Code, str, dict[str, Any]]] = [
        (Code.INVALID_ARGUMENT, "CreateRole", {}),
        (Code.INVALID_ARGUMENT, "CreateRole", {"name": "a", "permissions": [0]}),
        (Code.INVALID_ARGUMENT, "CreateRole", {"name": "a", "permissions": [99]}),
        (
            Code.INVALID_ARGUMENT,
            "CreateRole",
            {"name": "a", "permissions": [stubs.PERMISSION_PLATFORM_SUPPORT]},
        ),
        (Code.ALREADY_EXISTS, "CreateRole", {"name": "super-ADMIN"}),
        (Code.FAILED_PRECONDITION, "UpdateRole", {"role_id": roles["super_admin"], "name": "a"}),
        (Code.FAILED_PRECONDITION, "DeleteRole", {"role_id": roles["super_admin"]}),
        (Code.FAILED_PRECONDITION, "DeleteRole", {"role_id": roles["employee"]}),
        *(
            (Code.NOT_FOUND, rpc, {"role_id": role_id})
            for rpc in ("UpdateRole", "DeleteRole")
            for role_id in (foreign, NOBODY)
        ),
    ]
    for code, rpc, fields in refused:
        assert world.refusal(f"RoleService/{rpc}", **fields) is code, (rpc, fields)
    granting = {"permissions": [stubs.PERMISSION_ORG_WRITE]}
    beyond: list[tuple[str, dict[str, Any]]] = [
        ("RoleService/CreateRole", {"name": "a", **granting}),
        ("RoleService/UpdateRole", {"role_id": roles["manager"], **granting}),
        ("MemberService/UpdateUserRole", {"user_id": admin_id, "role_id": roles["manager"]}),
    ]
    for rpc, fields in beyond:
        assert world.refusal(rpc, robot, **fields) is Code.PERMISSION_DENIED, rpc
    for fields in (
        {"user_id": world.foreign.admin_id, "role_id": roles["manager"]},
        {"user_id": NOBODY, "role_id": roles["manager"]},
        {"user_id": admin_id, "role_id": foreign},
        {"user_id": admin_id, "role_id": NOBODY},
    ):
        assert world.refusal("MemberService/UpdateUserRole", **fields) is Code.NOT_FOUND
    last = {"user_id": admin_id, "role_id": roles["admin"]}
    assert world.refusal("MemberService/UpdateUserRole", **last) is Code.FAILED_PRECONDITION


def test_a_member_is_shut_out_let_in_again_and_revoked(world: World) -> None:
    user, token = world.employee()
    named = {"user_id": user.id}
    world("MemberService/GetUser", token)
    for rpc in ("ReactivateUser", "RevokeInvite"):
        assert world.refusal(f"MemberService/{rpc}", **named) is Code.FAILED_PRECONDITION
    for _ in range(2):
        status = world("MemberService/DeactivateUser", **named).user.status
        assert status == world.stubs.USER_STATUS_DEACTIVATED
    assert world.refusal("MemberService/GetUser", token) is Code.UNAUTHENTICATED
    status = world("MemberService/ReactivateUser", **named).user.status
    assert status == world.stubs.USER_STATUS_INVITED
    assert world.refusal("MemberService/GetUser", token) is Code.UNAUTHENTICATED
    world("MemberService/GetUser", world.installation.token(user.id))
    invited = world.invite()
    world("MemberService/RevokeInvite", user_id=invited.id)
    assert world.refusal("MemberService/RevokeInvite", user_id=invited.id) is Code.NOT_FOUND


def test_neither_oneself_nor_the_last_super_admin_is_shut_out(world: World) -> None:
    admin = world.organization.admin_id
    token = world.installation.token(admin)
    for credential in (token, world.organization.api_key):
        refusal = world.refusal("MemberService/DeactivateUser", credential, user_id=admin)
        assert refusal is Code.FAILED_PRECONDITION


@pytest.mark.parametrize(
    ("rpc", "fields"),
    [
        ("DeactivateUser", {}),
        ("ReactivateUser", {}),
        ("RevokeInvite", {}),
        ("UpdateUserRegion", {}),
        ("UpdateUserProfile", {"profile": {"title": "Clerk"}}),
    ],
)
def test_a_foreign_member_is_as_unknown_as_none(
    world: World, rpc: str, fields: dict[str, Any]
) -> None:
    foreign = world.invite(world.foreign)
    for user_id in (foreign.id, NOBODY):
        refusal = world.refusal(f"MemberService/{rpc}", user_id=user_id, **fields)
        assert refusal is Code.NOT_FOUND
    refusal = world.refusal(f"MemberService/{rpc}", user_id="ada", **fields)
    assert refusal is Code.INVALID_ARGUMENT
    assert world.elsewhere("MemberService/GetUser", user_id=foreign.id).user == foreign


def test_people_change_their_own_profile_and_nobody_elses(world: World) -> None:
    user, token = world.employee()
    admin = world.organization.admin_id
    profile = {"title": "Clerk", "manager_id": admin, "custom_attributes": {"shirt": "M"}}
    changed = world("MemberService/UpdateUserProfile", token, profile=profile).user
    assert (changed.id, changed.profile.title) == (user.id, "Clerk")
    assert dict(changed.profile.custom_attributes) == {"shirt": "M"}
    others = {"user_id": admin, "profile": profile}
    refusal = world.refusal("MemberService/UpdateUserProfile", token, **others)
    assert refusal is Code.PERMISSION_DENIED
    for wrong in (
        {"start_date": "tomorrow"},
        {"manager_id": user.id},
        {"manager_id": world.foreign.admin_id},
        {"title": "t" * 201},
    ):
        refusal = world.refusal("MemberService/UpdateUserProfile", token, profile=wrong)
        assert refusal is Code.INVALID_ARGUMENT, wrong
    circle = {"user_id": admin, "profile": {"manager_id": user.id}}
    assert world.refusal("MemberService/UpdateUserProfile", **circle) is Code.INVALID_ARGUMENT


def test_settings_are_ones_own(world: World) -> None:
    _, token = world.employee()
    stubs = world.stubs
    fresh = world("MemberService/GetUserSettings", token).settings
    assert fresh.theme_preference == stubs.THEME_PREFERENCE_SYSTEM
    world("MemberService/UpdateUserSettings", token, settings={"preferred_locale": "es"})
    dark = {"theme_preference": stubs.THEME_PREFERENCE_DARK}
    changed = world("MemberService/UpdateUserSettings", token, settings=dark).settings
    assert changed.preferred_locale == "es"
    assert world("MemberService/GetUserSettings", token).settings == changed
    for wrong in ({"preferred_locale": "de"}, {"theme_preference": 9}):
        refusal = world.refusal("MemberService/UpdateUserSettings", token, settings=wrong)
        assert refusal is Code.INVALID_ARGUMENT


def test_a_region_is_set_without_moving_anything(world: World) -> None:
    user = world.invite()
    moved = world("MemberService/UpdateUserRegion", user_id=user.id, data_governance_region="EU")
    assert (moved.user.data_governance_region, moved.migration_workflow_id) == ("EU", "")
    wrong = {"user_id": user.id, "data_governance_region": "MOON"}
    assert world.refusal("MemberService/UpdateUserRegion", **wrong) is Code.INVALID_ARGUMENT


def test_many_are_invited_at_once(world: World) -> None:
    emails = ["zoe@example.com", "nobody", "ZOE@example.com"]
    response = world("MemberService/BulkInviteUsers", emails=emails)
    assert (response.invited_count, response.failed_count) == (1, 1)
    assert [result.email for result in response.results] == emails[:2]
    again = world("MemberService/BulkInviteUsers", emails=emails[:1])
    assert again.results[0].error == "user already exists"
    roles = {role.slug: role.id for role in world("RoleService/ListRoles").roles}
    foreign = world.elsewhere("RoleService/ListRoles").roles[0].id
    robot = world.key("MEMBERS_INVITE")
    hundred_and_one = [f"p{number}@example.com" for number in range(101)]
    for code, fields in (
        (Code.INVALID_ARGUMENT, {}),
        (Code.INVALID_ARGUMENT, {"emails": hundred_and_one}),
        (Code.NOT_FOUND, {"emails": ["max@example.com"], "role_id": foreign}),
        (Code.PERMISSION_DENIED, {"emails": ["max@example.com"], "role_id": roles["admin"]}),
    ):
        assert world.refusal("MemberService/BulkInviteUsers", robot, **fields) is code


def test_an_organization_changes_its_settings(world: World) -> None:
    name = f"Acme {secrets.token_hex(6)}"
    changed = world(
        "OrganizationService/UpdateOrganization",
        name=name,
        default_locale="ja",
        include_synthetic_in_aggregates=False,
    ).organization
    assert (changed.name, changed.default_locale) == (name, "ja")
    assert changed.HasField("include_synthetic_in_aggregates")
    assert world("OrganizationService/GetOrganization").organization == changed
    workflow = {"steps": [{"id": "a", "type": world.stubs.STEP_TYPE_DEADLINE_CHECK}]}
    call = {
        "id": "a",
        "type": world.stubs.STEP_TYPE_CALL_WEBHOOK,
        "call_webhook": {"url": "https://10.0.0.1/"},
    }
    inward = {"steps": [call]}
    for code, fields in (
        (Code.INVALID_ARGUMENT, {"default_workflow": workflow}),
        (Code.INVALID_ARGUMENT, {"default_workflow": inward}),
        (Code.INVALID_ARGUMENT, {"ml_retrain_cold_threshold": 101}),
        (Code.INVALID_ARGUMENT, {"default_locale": "de"}),
    ):
        assert world.refusal("OrganizationService/UpdateOrganization", **fields) is code
    taken = world.elsewhere("OrganizationService/GetOrganization").organization.name
    refusal = world.refusal("OrganizationService/UpdateOrganization", name=taken.upper())
    assert refusal is Code.ALREADY_EXISTS


def test_mappings_of_single_sign_on_are_replaced(world: World) -> None:
    rpc = "OrganizationService/UpdateSsoAttributeMappings"
    mapping = {"idp_claim": "ou", "profile_field": "department"}
    changed = world(rpc, sso_attribute_mappings=[mapping]).organization
    assert [one.idp_claim for one in changed.sso_attribute_mappings] == ["ou"]
    for wrong in ([mapping, mapping], [{"idp_claim": "a", "profile_field": "salary"}]):
        refusal = world.refusal(rpc, sso_attribute_mappings=wrong)
        assert refusal is Code.INVALID_ARGUMENT
    assert list(world(rpc).organization.sso_attribute_mappings) == []


def test_privacy_is_switched_and_says_by_whom(world: World) -> None:
    token = world.installation.token(world.organization.admin_id)
    admin = world("MemberService/GetUser", token).user
    service = "OrganizationService"
    changed = world(
        f"{service}/UpdateOrgPrivacySettings", token, behavioral_analytics_enabled=False
    ).settings
    assert not changed.behavioral_analytics.enabled
    assert changed.behavioral_analytics.last_changed_by_email == admin.email
    assert changed.ai_clustering.enabled
    assert not changed.ai_clustering.HasField("last_changed_at")
    assert world(f"{service}/GetOrgPrivacySettings").settings == changed
    assert world.elsewhere(f"{service}/GetOrgPrivacySettings").settings.behavioral_analytics.enabled


def test_analytics_are_made_more_private(world: World) -> None:
    service = "OrganizationService"
    assert world(f"{service}/RotateAnalyticsSalt").bucket_count == 20
    assert world(f"{service}/RotateAnalyticsSalt", new_bucket_count=25).bucket_count == 25
    refusal = world.refusal(f"{service}/RotateAnalyticsSalt", new_bucket_count=24)
    assert refusal is Code.INVALID_ARGUMENT
    assert world(f"{service}/UpdateAnalyticsEpsilon", epsilon=0.5).epsilon == 0.5
    for epsilon in (0.0, 5.5):
        refusal = world.refusal(f"{service}/UpdateAnalyticsEpsilon", epsilon=epsilon)
        assert refusal is Code.INVALID_ARGUMENT


def test_a_person_lists_their_organizations_and_no_others(world: World) -> None:
    rpc = "OrganizationService/ListUserOrganizations"
    user, token = world.employee()
    email = world("MemberService/GetUser", token).user.email
    second = world.elsewhere("MemberService/InviteUser", email=email).user
    assert [one.id for one in world(rpc, token).organizations] == [world.organization.id]
    world.installation.token(second.id)
    listed = [one.id for one in world(rpc, token).organizations]
    assert listed == [world.organization.id, world.foreign.id]
    world("MemberService/DeactivateUser", user_id=user.id)
    other_token = world.installation.token(second.id)
    assert [one.id for one in world(rpc, other_token).organizations] == [world.foreign.id]
