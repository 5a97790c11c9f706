"""The policy table, held against the contract rather than against itself."""

import pytest

from pidgr.contract.v1.common_pb import Permission
from pidgr.errors import PermissionDeniedError, UnauthenticatedError
from pidgr.identity.caller import Caller, Organization, Person
from pidgr.rpc.app import CONTRACT
from pidgr.rpc.binding import snake_case
from pidgr.rpc.interceptors import check
from pidgr.rpc.policy import POLICY, Access, Rule, Unit

METHODS = {
    f"{service.type_name.rpartition('.')[2]}/{method.name}": method
    for service in CONTRACT
    for method in service.methods
}
ORGANIZATION = Organization(key=1, id="organization", suspended=False)
PERSON = Person(key=1, id="person", email="ada@example.com", role_id="role")
MEMBER = Caller(organization=ORGANIZATION, person=PERSON, subject="s", email="ada@example.com")
API_KEY = Caller(organization=ORGANIZATION, api_key_id="key")
STRANGER = Caller(subject="s", email="ada@example.com")


def test_the_table_has_a_row_for_each_rpc_and_no_other() -> None:
    assert len(METHODS) >= 88
    assert POLICY.keys() == METHODS.keys()


def test_reads_of_the_contract_never_run_in_a_writing_unit() -> None:
    reads = [rpc for rpc, method in METHODS.items() if str(method.idempotency) == "NO_SIDE_EFFECTS"]
    assert len(reads) > 20
    assert [rpc for rpc in reads if POLICY[rpc].unit is Unit.WRITE] == []


def test_what_needs_no_credential_and_what_is_internal_is_spelt_out_here() -> None:
    doors = {
        access: {rpc for rpc, rule in POLICY.items() if rule.access is access}
        for access in (Access.PUBLIC, Access.INTERNAL, Access.IDENTITY)
    }
    assert doors[Access.PUBLIC] == {
        "CampaignService/GetCampaignByShortCode",
        "InviteLinkService/ValidateInviteLink",
        "SSOService/CheckSSOByDomain",
        "TokenService/ValidateDeeplinkToken",
    }
    assert doors[Access.INTERNAL] == {
        "AuditService/Append",
        "CampaignService/ResolveOrCreateShortCode",
        "RenderService/RenderBatch",
        "TokenService/SignDeeplinkToken",
    }
    assert doors[Access.IDENTITY] == {
        "InviteLinkService/RedeemInviteLink",
        "OrganizationService/CreateOrganization",
        "OrganizationService/CreateSandboxOrganization",
        "OrganizationService/DeleteSandboxOrganization",
        "OrganizationService/ListSandboxFixtures",
        "OrganizationService/ListUserOrganizations",
        "OrganizationService/ListUserSandboxes",
    }


def test_any_member_may_call_only_what_looks_at_its_data_first() -> None:
    unrestricted = {
        rpc for rpc, rule in POLICY.items() if rule.access is Access.MEMBER and not rule.any_of
    }
    assert unrestricted == {
        "DeviceService/ListMemberDevices",
        "GroupService/GetGroup",
        "GroupService/ListGroupMembers",
        "GroupService/ListGroups",
        "MemberService/GetUser",
        "MemberService/UpdateUserProfile",
        "PrivacyService/CancelDeletion",
        "PrivacyService/DeleteUserData",
        "PrivacyService/ExportUserData",
        "PrivacyService/GetDataExistenceConfirmation",
        "PrivacyService/RectifyUserData",
        "PrivacyService/RestrictProcessing",
        "TeamService/GetTeam",
        "TeamService/ListTeamMembers",
        "TeamService/ListTeams",
    }


def test_no_rpc_asks_for_a_platform_permission() -> None:
    assert not {
        permission.name
        for rule in POLICY.values()
        for permission in rule.any_of
        if permission.name.startswith("PLATFORM_")
    }


@pytest.mark.parametrize(
    ("caller", "access", "refusal"),
    [
        (MEMBER, Access.INTERNAL, PermissionDeniedError),
        (API_KEY, Access.INTERNAL, PermissionDeniedError),
        (API_KEY, Access.IDENTITY, PermissionDeniedError),
        (API_KEY, Access.OWN, PermissionDeniedError),
        (STRANGER, Access.OWN, UnauthenticatedError),
        (STRANGER, Access.MEMBER, UnauthenticatedError),
    ],
)
def test_the_wrong_kind_of_caller_is_refused(
    caller: Caller, access: Access, refusal: type[Exception]
) -> None:
    with pytest.raises(refusal):
        check(Rule(access, Unit.READ), caller)


@pytest.mark.parametrize(
    ("caller", "access"),
    [
        (STRANGER, Access.PUBLIC),
        (STRANGER, Access.IDENTITY),
        (MEMBER, Access.IDENTITY),
        (MEMBER, Access.OWN),
        (MEMBER, Access.MEMBER),
        (API_KEY, Access.MEMBER),
    ],
)
def test_the_right_kind_of_caller_passes(caller: Caller, access: Access) -> None:
    check(Rule(access, Unit.READ), caller)


def test_any_one_of_the_permissions_opens_the_door_and_all_are_named_otherwise() -> None:
    rule = POLICY["TeamService/CreateTeam"]
    with pytest.raises(
        PermissionDeniedError, match=r"^requires TEAMS_WRITE or TEAMS_ALL_WRITE permission$"
    ):
        check(rule, Caller(ORGANIZATION, permissions=frozenset({Permission.TEAMS_ALL_READ})))
    for one in rule.any_of:
        check(rule, Caller(ORGANIZATION, permissions=frozenset({one})))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Sync", "sync"),
        ("CheckSSOByDomain", "check_sso_by_domain"),
        ("CreateSSOProvider", "create_sso_provider"),
        ("ResolveOrCreateShortCode", "resolve_or_create_short_code"),
    ],
)
def test_rpc_names_become_python_names(name: str, expected: str) -> None:
    assert snake_case(name) == expected
