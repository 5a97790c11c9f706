"""Profiles, settings, regions and invitations by the hundred."""

import itertools
import threading
import uuid
from typing import Any

import pytest
from support.calls import Calls
from support.organization import Tenant
from support.waiting import until

from pidgr.contract.v1.common_pb import Permission
from pidgr.contract.v1.member_pb import (
    BulkInviteUsersRequest,
    GetUserSettingsRequest,
    InviteUserRequest,
    UpdateUserProfileRequest,
    UpdateUserRegionRequest,
    UpdateUserSettingsRequest,
)
from pidgr.contract.v1.user_pb import ThemePreference, User, UserProfile, UserSettings, UserStatus
from pidgr.errors import (
    InvalidArgumentError,
    NotFoundError,
    PermissionDeniedError,
)
from pidgr.identity.caller import Caller


@pytest.fixture
def members(acme: Tenant) -> Calls:
    return Calls(acme, acme.installation.member_service)


@pytest.fixture
def eve(acme: Tenant) -> Caller:
    return acme.add_member("eve@example.com", name="Eve")


def change(members: Calls, member: Caller, caller: Caller | None = None, **fields: Any) -> User:
    request = UpdateUserProfileRequest(user_id=member.member().id, profile=UserProfile(**fields))
    user: User = members("update_user_profile", request, caller).user
    return user


def test_a_profile_is_merged_field_by_field(members: Calls, eve: Caller) -> None:
    change(members, eve, title="Clerk", department="Post", custom_attributes={"a": "1", "b": "2"})
    profile = change(
        members,
        eve,
        title="Head",
        start_date="2024-02-29",
        custom_attributes={"b": "", "c": "3", "unknown": ""},
    ).profile
    assert profile == UserProfile(
        title="Head",
        department="Post",
        start_date="2024-02-29",
        custom_attributes={"a": "1", "c": "3"},
    )
    assert change(members, eve).profile == profile


def test_anybody_changes_their_own_profile_by_id_or_without(members: Calls, eve: Caller) -> None:
    request = UpdateUserProfileRequest(profile=UserProfile(title="Clerk"))
    assert members("update_user_profile", request, eve).user.id == eve.member().id
    profile = change(members, eve, eve, phone="1").profile
    assert profile is not None
    assert (profile.title, profile.phone) == ("Clerk", "1")


def test_others_are_changed_with_members_manage(members: Calls, eve: Caller) -> None:
    zoe = members.tenant.add_member("zoe@example.com")
    with pytest.raises(PermissionDeniedError, match="requires MEMBERS_MANAGE permission"):
        change(members, zoe, eve, title="Clerk")
    change(members, zoe, members.tenant.api_key(Permission.MEMBERS_MANAGE), title="Clerk")


def test_a_program_has_no_profile_of_its_own(members: Calls) -> None:
    program = members.tenant.api_key(Permission.MEMBERS_MANAGE)
    request = UpdateUserProfileRequest(profile=UserProfile(title="Clerk"))
    with pytest.raises(PermissionDeniedError):
        members("update_user_profile", request, program)


def test_attributes_are_counted_after_merging(members: Calls, eve: Caller) -> None:
    change(members, eve, custom_attributes={f"a{number}": "1" for number in range(50)})
    with pytest.raises(InvalidArgumentError, match="at most 50"):
        change(members, eve, custom_attributes={"b": "1"})
    profile = change(members, eve, custom_attributes={"b": "1", "a0": ""}).profile
    assert profile is not None
    assert len(profile.custom_attributes) == 50


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"title": "t" * 201}, "profile.title"),
        ({"start_date": "20240229"}, "profile.start_date"),
        ({"manager_id": "ada"}, "profile.manager_id"),
        ({"manager_id": str(uuid.uuid4())}, "profile.manager_id"),
        ({"custom_attributes": {"": "1"}}, "profile.custom_attributes"),
        ({"custom_attributes": {"a": "v" * 1_001}}, "profile.custom_attributes[a]"),
    ],
)
def test_a_malformed_profile_names_its_field(
    members: Calls, eve: Caller, fields: dict[str, Any], field: str
) -> None:
    with pytest.raises(InvalidArgumentError) as raised:
        change(members, eve, **fields)
    assert [violation.field for violation in raised.value.violations] == [field]


def test_a_profile_must_be_given(members: Calls) -> None:
    with pytest.raises(InvalidArgumentError):
        members("update_user_profile", UpdateUserProfileRequest())


def test_managers_form_no_circle(members: Calls, eve: Caller) -> None:
    zoe, max_ = (members.tenant.add_member(f"{name}@example.com") for name in ("zoe", "max"))
    chain = [eve, zoe, max_]
    for report, manager in itertools.pairwise(chain):
        profile = change(members, report, manager_id=manager.member().id.upper()).profile
        assert profile is not None
        assert profile.manager_id == manager.member().id
    for manager in chain:
        with pytest.raises(InvalidArgumentError, match="reports to them"):
            change(members, max_, manager_id=manager.member().id)
    change(members, eve, manager_id=max_.member().id)


def test_a_manager_is_of_the_same_organization(members: Calls, eve: Caller) -> None:
    beta = members.tenant.installation.found("Beta", "bob@example.com")
    with pytest.raises(InvalidArgumentError, match="not a member"):
        change(members, eve, manager_id=beta.admin.member().id)


def test_two_people_cannot_become_each_others_manager_at_once(members: Calls, eve: Caller) -> None:
    outcomes: list[str] = []
    barrier = threading.Barrier(2)

    def attempt(report: Caller, manager: Caller) -> None:
        barrier.wait()
        try:
            change(members, report, manager_id=manager.member().id)
        except InvalidArgumentError:
            outcomes.append("refused")
        else:
            outcomes.append("changed")

    admin = members.tenant.admin
    threads = [threading.Thread(target=attempt, args=pair) for pair in ((eve, admin), (admin, eve))]
    for thread in threads:
        thread.start()
    until(lambda: not any(thread.is_alive() for thread in threads))
    assert sorted(outcomes) == ["changed", "refused"]


def settings(members: Calls, caller: Caller, **fields: Any) -> UserSettings:
    request = UpdateUserSettingsRequest(settings=UserSettings(**fields))
    changed: UserSettings = members("update_user_settings", request, caller).settings
    read = members("get_user_settings", GetUserSettingsRequest(), caller).settings
    assert read == changed
    return changed


def test_settings_have_defaults_and_keep_what_is_not_given(members: Calls, eve: Caller) -> None:
    fresh = members("get_user_settings", GetUserSettingsRequest(), eve).settings
    assert fresh == UserSettings(theme_preference=ThemePreference.SYSTEM, preferred_locale="")
    settings(members, eve, preferred_locale="pt-BR")
    changed = settings(members, eve, theme_preference=ThemePreference.DARK)
    assert changed == UserSettings(theme_preference=ThemePreference.DARK, preferred_locale="pt-BR")
    assert settings(members, eve) == changed
    other = members("get_user_settings", GetUserSettingsRequest(), members.tenant.admin).settings
    assert other == fresh


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (UpdateUserSettingsRequest(), "settings"),
        (
            UpdateUserSettingsRequest(settings=UserSettings(preferred_locale="de")),
            "settings.preferred_locale",
        ),
        (
            UpdateUserSettingsRequest(settings=UserSettings(theme_preference=ThemePreference(9))),
            "settings.theme_preference",
        ),
    ],
)
def test_malformed_settings_name_their_field(
    members: Calls, eve: Caller, request_: UpdateUserSettingsRequest, field: str
) -> None:
    with pytest.raises(InvalidArgumentError) as raised:
        members("update_user_settings", request_, eve)
    assert [violation.field for violation in raised.value.violations] == [field]


def test_a_region_is_set_and_given_back(members: Calls, eve: Caller) -> None:
    for region in ("EU", "EU", ""):
        request = UpdateUserRegionRequest(user_id=eve.member().id, data_governance_region=region)
        response = members("update_user_region", request)
        assert response.user.data_governance_region == region
        assert response.migration_workflow_id == ""
    unknown = UpdateUserRegionRequest(user_id=eve.member().id, data_governance_region="MOON")
    with pytest.raises(InvalidArgumentError):
        members("update_user_region", unknown)


@pytest.mark.parametrize("foreign", [False, True])
def test_an_unknown_member_is_not_found(members: Calls, foreign: bool) -> None:
    beta = members.tenant.installation.found("Beta", "bob@example.com")
    unknown = beta.admin.member().id if foreign else str(uuid.uuid4())
    with pytest.raises(NotFoundError):
        members("update_user_region", UpdateUserRegionRequest(user_id=unknown))
    with pytest.raises(NotFoundError):
        members(
            "update_user_profile",
            UpdateUserProfileRequest(user_id=unknown, profile=UserProfile(title="Clerk")),
        )


def test_many_are_invited_and_each_hears_what_became_of_it(members: Calls) -> None:
    tenant = members.tenant
    emails = ["max@example.com", "nobody", "ADA@example.com", "a\0b@example.com", "MAX@Example.com"]
    request = BulkInviteUsersRequest(emails=emails, role_id=tenant.role_id("manager"))
    response = members("bulk_invite_users", request)
    assert [(one.email, one.success, one.error) for one in response.results] == [
        ("max@example.com", True, ""),
        ("nobody", False, "must be an e-mail address"),
        ("ADA@example.com", False, "user already exists"),
        ("a\0b@example.com", False, "must be an e-mail address"),
    ]
    assert (response.invited_count, response.failed_count) == (1, 3)
    user = response.results[0].user
    assert user is not None
    assert user.role is not None
    assert (user.status, user.role.slug) == (UserStatus.INVITED, "manager")
    assert all(one.user is None for one in response.results[1:])
    again = members("bulk_invite_users", request)
    assert (again.invited_count, again.failed_count) == (0, 4)


def test_a_batch_has_1_to_100_addresses(members: Calls) -> None:
    hundred = [f"p{number}@example.com" for number in range(100)]
    response = members("bulk_invite_users", BulkInviteUsersRequest(emails=hundred * 2))
    assert response.invited_count == 100
    for emails in ([], [*hundred, "one@more.example"]):
        with pytest.raises(InvalidArgumentError):
            members("bulk_invite_users", BulkInviteUsersRequest(emails=emails))


def test_an_address_is_itself_in_any_letter_case_and_no_other(members: Calls) -> None:
    emails = ["Élan@example.com", "élan@EXAMPLE.com", "ss@example.com", "ß@example.com"]
    results = members("bulk_invite_users", BulkInviteUsersRequest(emails=emails)).results
    assert [(one.email, one.success) for one in results] == [
        ("Élan@example.com", True),
        ("ss@example.com", True),
        ("ß@example.com", True),
    ]


def test_a_batch_with_an_impossible_role_invites_nobody(members: Calls) -> None:
    tenant = members.tenant
    program = tenant.api_key(Permission.MEMBERS_INVITE)
    beta = tenant.installation.found("Beta", "bob@example.com")
    for role_id, error in (
        (tenant.role_id("manager"), PermissionDeniedError),
        (beta.role_id("employee"), NotFoundError),
        ("manager", InvalidArgumentError),
    ):
        request = BulkInviteUsersRequest(emails=["max@example.com"], role_id=role_id)
        with pytest.raises(error):
            members("bulk_invite_users", request, program)
    request = BulkInviteUsersRequest(emails=["max@example.com"])
    assert members("bulk_invite_users", request, program).invited_count == 1


def test_batches_that_meet_invite_everybody_once(members: Calls) -> None:
    emails = [f"p{number}@example.com" for number in range(60)]
    outcomes: list[int] = []
    failures: list[BaseException] = []

    def invite(turn: int) -> None:
        mine = emails[turn * 10 :] + emails[: turn * 10]
        try:
            response = members("bulk_invite_users", BulkInviteUsersRequest(emails=mine))
        except BaseException as error:  # noqa: BLE001 - reported below
            failures.append(error)
        else:
            outcomes.append(response.invited_count)

    threads = [threading.Thread(target=invite, args=(turn,)) for turn in range(4)]
    for thread in threads:
        thread.start()
    until(lambda: not any(thread.is_alive() for thread in threads))
    assert failures == []
    assert sum(outcomes) == 60
    with pytest.raises(Exception, match="member of this organization already"):
        members("invite_user", InviteUserRequest(email="P1@example.com"))
