"""Groups and teams: every rule is held against both."""

import threading
import uuid

import pytest
from support.calls import Calls
from support.collectives import Collectives
from support.organization import START, Tenant
from support.waiting import until

from pidgr.clock import HOUR, to_timestamp
from pidgr.contract.v1.common_pb import Permission
from pidgr.contract.v1.group_pb import GetUserGroupMembershipsRequest
from pidgr.contract.v1.user_pb import UserStatus
from pidgr.directory.group_service import GroupService
from pidgr.errors import (
    AlreadyExistsError,
    FailedPreconditionError,
    InvalidArgumentError,
    NotFoundError,
    PermissionDeniedError,
)
from pidgr.identity.caller import Caller


@pytest.fixture(params=["group", "team"])
def some(request: pytest.FixtureRequest, acme: Tenant) -> Collectives:
    return Collectives(acme, request.param)


def person(some: Collectives, name: str, role: str = "employee") -> Caller:
    return some.tenant.add_member(f"{name}@example.com", name=name, role=role)


def ids(*people: Caller) -> list[str]:
    return [one.member().id for one in people]


def writer(some: Collectives) -> Caller:
    """Return a member who may write their own ones and see no others."""
    eve = person(some, "eve")
    return Caller(
        organization=eve.organization,
        person=eve.person,
        permissions=frozenset({some.permission("WRITE")}),
    )


def test_a_new_one_is_empty_and_knows_its_maker(some: Collectives) -> None:
    made = some.create("People", "Who hires")
    assert some.get(made.id.upper()) == made
    assert (made.name, made.description, made.member_count) == ("People", "Who hires", 0)
    assert made.created_by == some.tenant.admin.member().id
    assert not made.is_default
    assert made.created_at == made.updated_at == to_timestamp(START)


def test_a_program_makes_and_changes_them_under_its_own_id(some: Collectives) -> None:
    program = some.tenant.api_key(some.permission("WRITE"))
    made = some.create("People", caller=program)
    assert made.created_by == program.api_key_id
    assert some.get(made.id, program) == made
    assert some.page(10, caller=program) == (["People"], "", 1)
    assert some.update(made.id, program, name="Crew").name == "Crew"
    assert some.add(made.id, ids(some.tenant.admin), program).member_count == 1


@pytest.mark.parametrize("name", ["People", "pEOPLE", " People"])
def test_a_taken_name_is_refused(some: Collectives, name: str) -> None:
    some.create("People")
    other = some.create("Crew")
    with pytest.raises(AlreadyExistsError):
        some.create(name)
    with pytest.raises(AlreadyExistsError):
        some.update(other.id, name=name)
    assert some.page(10)[2] == 3


def test_another_organization_can_use_the_same_name(some: Collectives) -> None:
    some.create("People")
    beta = Collectives(some.tenant.installation.found("Beta", "bob@example.com"), some.noun)
    assert beta.create("People").name == "People"
    assert beta.page(10)[2] == 2


@pytest.mark.parametrize(
    ("name", "description", "field"),
    [
        ("", "", "name"),
        ("  ", "", "name"),
        ("n" * 201, "", "name"),
        ("a\0b", "", "name"),
        ("People", "d" * 1_001, "description"),
    ],
)
def test_a_malformed_one_names_its_field(
    some: Collectives, name: str, description: str, field: str
) -> None:
    with pytest.raises(InvalidArgumentError) as raised:
        some.create(name, description)
    assert [violation.field for violation in raised.value.violations] == [field]
    made = some.create("Crew")
    if name:
        with pytest.raises(InvalidArgumentError) as raised:
            some.update(made.id, name=name, description=description)
        assert [violation.field for violation in raised.value.violations] == [field]


def test_limits_are_inclusive(some: Collectives) -> None:
    made = some.create("n" * 200, "d" * 1_000)
    assert len(made.description) == 1_000


def test_one_is_for_its_members_its_maker_and_those_who_see_all(some: Collectives) -> None:
    made = some.create("People")
    employee = person(some, "eve")
    assert some.get(some.default().id, employee).member_count == 2
    assert some.members(some.default().id, caller=employee)[2] == 2
    noun = some.noun.upper()
    wording = f"requires {noun}S_ALL_READ or {noun}S_ALL_WRITE permission"
    with pytest.raises(PermissionDeniedError, match=wording):
        some.get(made.id, employee)
    with pytest.raises(PermissionDeniedError, match=wording):
        some.members(made.id, caller=employee)
    manager = person(some, "max", "manager")
    assert some.get(made.id, manager).id == made.id
    some.add(made.id, ids(employee))
    assert some.get(made.id, employee).member_count == 1


@pytest.mark.parametrize("foreign", [False, True])
def test_an_unknown_one_is_not_found(some: Collectives, foreign: bool) -> None:
    beta = Collectives(some.tenant.installation.found("Beta", "bob@example.com"), some.noun)
    unknown = beta.create("People").id if foreign else str(uuid.uuid4())
    people = ids(some.tenant.admin)
    for attempt in (
        lambda: some.get(unknown),
        lambda: some.members(unknown),
        lambda: some.update(unknown, name="Mine"),
        lambda: some.delete(unknown),
        lambda: some.add(unknown, people),
        lambda: some.remove(unknown, people),
    ):
        with pytest.raises(NotFoundError):
            attempt()
    assert beta.page(10)[2] == (2 if foreign else 1)


def test_a_malformed_id_is_refused(some: Collectives) -> None:
    for attempt in (
        lambda: some.get("people"),
        lambda: some.members(""),
        lambda: some.update("people", name="Mine"),
        lambda: some.delete("people"),
        lambda: some.add("people", ids(some.tenant.admin)),
        lambda: some.remove("people", ids(some.tenant.admin)),
    ):
        with pytest.raises(InvalidArgumentError):
            attempt()


def test_they_are_listed_by_name_over_every_page(some: Collectives) -> None:
    for name in ("zeta", "Beta", "álpha", "beta 2", "alpha", "n" * 200):
        some.create(name)
    default = [some.default().name]
    expected = sorted(
        ["alpha", "Beta", "beta 2", "n" * 200, "zeta", "álpha", *default], key=str.casefold
    )
    for size in (1, 3, 100):
        listed: list[str] = []
        token = ""
        while True:
            names, token, total = some.page(size, token)
            listed += names
            assert total == 7
            if not token:
                break
        assert listed == expected


def test_without_the_right_to_see_all_one_lists_ones_own(some: Collectives) -> None:
    some.create("People")
    default = some.default().name
    employee = person(some, "eve")
    assert some.page(10, caller=employee) == ([default], "", 1)
    assert some.page(10, caller=some.tenant.api_key()) == ([], "", 0)
    reader = some.tenant.api_key(some.permission("ALL_READ"))
    assert some.page(10, caller=reader)[2] == 2


def test_a_token_of_a_wider_list_is_refused(some: Collectives) -> None:
    some.create("People")
    _, token, _ = some.page(1)
    employee = person(some, "eve")
    with pytest.raises(InvalidArgumentError):
        some.page(1, token, employee)
    with pytest.raises(InvalidArgumentError):
        some.members(some.default().id, 1, token)


def test_what_is_empty_in_an_update_stays(some: Collectives) -> None:
    made = some.create("People", "Who hires")
    some.tenant.installation.clock.advance(HOUR)
    assert some.update(made.id) == made
    renamed = some.update(made.id, name="people")
    assert (renamed.name, renamed.description) == ("people", "Who hires")
    assert renamed.created_at == made.created_at
    assert renamed.updated_at == to_timestamp(START + HOUR)
    assert some.update(made.id, description="Others").name == "people"
    assert some.get(made.id).description == "Others"


def test_the_default_one_keeps_its_name_and_its_life(some: Collectives) -> None:
    default = some.default()
    with pytest.raises(FailedPreconditionError):
        some.update(default.id, name="Us")
    with pytest.raises(FailedPreconditionError):
        some.delete(default.id)
    changed = some.update(default.id, name=default.name, description="All of us")
    assert (changed.description, changed.is_default) == ("All of us", True)


def test_one_deleted_takes_its_memberships_along(some: Collectives) -> None:
    eve = person(some, "eve")
    made = some.create("People")
    some.add(made.id, ids(eve))
    some.delete(made.id)
    with pytest.raises(NotFoundError):
        some.get(made.id)
    with pytest.raises(NotFoundError):
        some.delete(made.id)
    assert some.page(10, caller=eve)[2] == 1
    assert some.create("People").member_count == 0


def test_members_come_and_go_without_repeating(some: Collectives) -> None:
    eve, max_ = person(some, "eve"), person(some, "max")
    made = some.create("People")
    assert some.add(made.id, ids(eve, max_, eve)).member_count == 2
    assert some.add(made.id, [ids(max_)[0].upper()]).member_count == 2
    assert some.members(made.id)[0] == ["eve@example.com", "max@example.com"]
    assert some.remove(made.id, ids(eve, some.tenant.admin)).member_count == 1
    assert some.remove(made.id, ids(eve)).member_count == 1
    assert some.members(made.id) == (["max@example.com"], "", 1)
    assert some.get(made.id).updated_at == made.updated_at


def test_a_batch_with_a_stranger_changes_nothing(some: Collectives) -> None:
    beta = some.tenant.installation.found("Beta", "bob@example.com")
    eve = person(some, "eve")
    made = some.create("People")
    some.add(made.id, ids(eve))
    for stranger in (beta.admin.member().id, str(uuid.uuid4())):
        with pytest.raises(InvalidArgumentError, match=stranger):
            some.add(made.id, [*ids(some.tenant.admin), stranger])
        with pytest.raises(InvalidArgumentError, match=stranger):
            some.remove(made.id, [*ids(eve), stranger])
    assert some.members(made.id)[0] == ["eve@example.com"]


@pytest.mark.parametrize("batch", [[], ["eve"], [str(uuid.uuid4())] * 101])
def test_a_batch_has_1_to_100_ids(some: Collectives, batch: list[str]) -> None:
    made = some.create("People")
    for change in (some.add, some.remove):
        with pytest.raises(InvalidArgumentError) as raised:
            change(made.id, batch)
        assert raised.value.violations[0].field.startswith("user_ids")


def test_with_write_alone_one_changes_only_what_one_made(some: Collectives) -> None:
    eve = writer(some)
    theirs = some.create("People")
    wording = f"requires {some.noun.upper()}S_ALL_WRITE permission"
    for attempt in (
        lambda: some.update(theirs.id, eve, name="Mine"),
        lambda: some.delete(theirs.id, eve),
        lambda: some.add(theirs.id, ids(eve), eve),
        lambda: some.remove(theirs.id, ids(eve, some.tenant.admin), eve),
        lambda: some.update(some.default().id, eve, description="Mine"),
    ):
        with pytest.raises(PermissionDeniedError, match=wording):
            attempt()
    mine = some.create("Mine", caller=eve)
    assert some.update(mine.id, eve, name="Ours").name == "Ours"
    assert some.add(mine.id, ids(eve), eve).member_count == 1
    some.delete(mine.id, eve)
    some.delete(theirs.id, some.tenant.api_key(some.permission("ALL_WRITE")))


def test_anybody_with_write_may_leave(some: Collectives) -> None:
    eve = writer(some)
    theirs = some.create("People")
    some.add(theirs.id, ids(eve))
    assert some.remove(theirs.id, ids(eve), eve).member_count == 0
    assert some.remove(some.default().id, ids(eve), eve).member_count == 1


def test_members_are_listed_by_name_over_every_page_in_every_status(some: Collectives) -> None:
    made = some.create("People")
    tenant = some.tenant
    people = [
        tenant.add_member("m1@example.com", name="Zoe", status=UserStatus.DEACTIVATED),
        tenant.add_member("m2@example.com", name="adam", status=UserStatus.INVITED),
        tenant.add_member("m3@example.com", name="Adam"),
        tenant.add_member("b@example.com"),
        tenant.add_member("m5@example.com", name="É" * 200),
    ]
    assert some.add(made.id, ids(*people)).member_count == 5
    expected = ["m2", "m3", "b", "m1", "m5"]
    for size in (1, 2, 100):
        listed: list[str] = []
        token = ""
        while True:
            emails, token, total = some.members(made.id, size, token)
            listed += emails
            assert total == 5
            if not token:
                break
        assert listed == [f"{name}@example.com" for name in expected]


def test_a_new_member_is_in_the_default_one(some: Collectives) -> None:
    person(some, "eve")
    assert some.members(some.default().id) == (["ada@example.com", "eve@example.com"], "", 2)


def test_memberships_tell_the_groups_of_many(acme: Tenant) -> None:
    groups = Collectives(acme, "group")
    eve, max_, zoe = (person(groups, name) for name in ("eve", "max", "zoe"))
    beta = acme.installation.found("Beta", "bob@example.com").admin.member().id
    crew, people = groups.create("Crew"), groups.create("People")
    groups.add(people.id, ids(eve, max_))
    groups.add(crew.id, ids(eve))
    groups.remove(groups.default().id, ids(zoe))
    service = GroupService(acme.installation.clock, acme.installation.page_tokens)
    asked = [*ids(max_, zoe, eve), ids(eve)[0].upper(), beta, str(uuid.uuid4())]
    found = Calls(acme, service)(
        "get_user_group_memberships", GetUserGroupMembershipsRequest(user_ids=asked)
    ).memberships
    assert [(one.user_id, [group.name for group in one.groups]) for one in found] == [
        (ids(max_)[0], ["Everyone", "People"]),
        (ids(eve)[0], ["Crew", "Everyone", "People"]),
    ]
    assert found[1].groups[0] == groups.get(crew.id)


@pytest.mark.parametrize("asked", [[], ["eve"], [str(uuid.uuid4())] * 201])
def test_memberships_are_asked_for_1_to_200_ids(acme: Tenant, asked: list[str]) -> None:
    service = GroupService(acme.installation.clock, acme.installation.page_tokens)
    with pytest.raises(InvalidArgumentError):
        Calls(acme, service)(
            "get_user_group_memberships", GetUserGroupMembershipsRequest(user_ids=asked)
        )


def test_counts_stay_exact_when_many_write_at_once(some: Collectives) -> None:
    made = some.create("People")
    people = [person(some, f"p{number}") for number in range(8)]
    failures: list[BaseException] = []

    def come_and_go(turn: int) -> None:
        try:
            for number in range(6):
                some.add(made.id, ids(*people[turn : turn + 5]))
                some.remove(made.id, ids(*reversed(people[number : number + 3])))
        except BaseException as error:  # noqa: BLE001 - reported below
            failures.append(error)

    threads = [threading.Thread(target=come_and_go, args=(turn,)) for turn in range(4)]
    for thread in threads:
        thread.start()
    until(lambda: not any(thread.is_alive() for thread in threads), seconds=60)
    assert failures == []
    emails, _, total = some.members(made.id)
    assert some.get(made.id).member_count == total == len(emails)


def test_permissions_of_groups_are_none_for_teams(acme: Tenant) -> None:
    team = Collectives(acme, "team").create("People")
    program = acme.api_key(Permission.GROUPS_ALL_READ, Permission.GROUPS_ALL_WRITE)
    with pytest.raises(PermissionDeniedError):
        Collectives(acme, "team").get(team.id, program)
