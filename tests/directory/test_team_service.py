import uuid

import pytest
from support.organization import START, Tenant

from pidgr.clock import to_timestamp
from pidgr.contract.v1.common_pb import Pagination, Permission
from pidgr.contract.v1.team_pb import CreateTeamRequest, GetTeamRequest, ListTeamsRequest, Team
from pidgr.directory.team_service import TeamService
from pidgr.errors import (
    AlreadyExistsError,
    InvalidArgumentError,
    NotFoundError,
    PermissionDeniedError,
)
from pidgr.identity.caller import Caller


class Teams:
    """TeamService called as one organization's admin unless told otherwise."""

    def __init__(self, tenant: Tenant) -> None:
        self.tenant = tenant
        self.installation = tenant.installation
        self.service = TeamService(self.installation.clock, self.installation.page_tokens)

    def create(self, name: str, description: str = "", caller: Caller | None = None) -> Team:
        request = CreateTeamRequest(name=name, description=description)
        caller = caller or self.tenant.admin
        team = self.installation.write(
            lambda unit: self.service.create_team(request, caller, unit)
        ).team
        assert team is not None
        return team

    def get(self, team_id: str, caller: Caller | None = None) -> Team:
        caller = caller or self.tenant.admin
        team = self.installation.read(
            lambda unit: self.service.get_team(GetTeamRequest(team_id=team_id), caller, unit)
        ).team
        assert team is not None
        return team

    def page(
        self, size: int, token: str = "", caller: Caller | None = None
    ) -> tuple[list[str], str, int]:
        request = ListTeamsRequest(pagination=Pagination(page_size=size, page_token=token))
        caller = caller or self.tenant.admin
        response = self.installation.read(
            lambda unit: self.service.list_teams(request, caller, unit)
        )
        meta = response.pagination_meta
        assert meta is not None
        return [team.name for team in response.teams], meta.next_page_token, meta.total_count


@pytest.fixture
def teams(acme: Tenant) -> Teams:
    return Teams(acme)


def test_a_new_team_is_empty_and_knows_its_maker(teams: Teams) -> None:
    made = teams.create("People", "Who hires")
    assert teams.get(made.id) == made
    assert (made.name, made.description, made.member_count) == ("People", "Who hires", 0)
    assert made.created_by == teams.tenant.admin.member().id
    assert not made.is_default
    assert made.created_at == made.updated_at == to_timestamp(START)


def test_a_program_makes_teams_under_its_own_id(teams: Teams) -> None:
    program = teams.tenant.api_key(Permission.TEAMS_WRITE)
    made = teams.create("People", caller=program)
    assert made.created_by == program.api_key_id
    assert teams.get(made.id, program) == made
    assert teams.page(10, caller=program) == (["People"], "", 1)


@pytest.mark.parametrize("name", ["People", "pEOPLE", " People"])
def test_a_taken_name_is_refused(teams: Teams, name: str) -> None:
    teams.create("People")
    with pytest.raises(AlreadyExistsError):
        teams.create(name)
    assert teams.page(10)[2] == 2


def test_another_organization_can_use_the_same_name(teams: Teams) -> None:
    teams.create("People")
    beta = Teams(teams.installation.found("Beta", "bob@example.com"))
    assert beta.create("People").name == "People"
    assert beta.page(10) == (["Beta", "People"], "", 2)


@pytest.mark.parametrize(
    ("name", "description", "field"),
    [
        ("", "", "name"),
        ("n" * 201, "", "name"),
        ("a\0b", "", "name"),
        ("People", "d" * 1_001, "description"),
    ],
)
def test_a_malformed_team_names_its_field(
    teams: Teams, name: str, description: str, field: str
) -> None:
    with pytest.raises(InvalidArgumentError) as raised:
        teams.create(name, description)
    assert [violation.field for violation in raised.value.violations] == [field]


def test_limits_are_inclusive(teams: Teams) -> None:
    made = teams.create("n" * 200, "d" * 1_000)
    assert len(made.description) == 1_000


def test_a_team_is_for_its_members_its_maker_and_those_who_see_all(teams: Teams) -> None:
    made = teams.create("People")
    default_id = teams.installation.read(
        lambda unit: teams.service.list_teams(ListTeamsRequest(), teams.tenant.admin, unit)
    ).teams[0]
    employee = teams.tenant.add_member("eve@example.com")
    assert teams.get(default_id.id, employee).member_count == 2
    with pytest.raises(
        PermissionDeniedError, match="requires TEAMS_ALL_READ or TEAMS_ALL_WRITE permission"
    ):
        teams.get(made.id, employee)
    manager = teams.tenant.add_member("max@example.com", role="manager")
    assert teams.get(made.id, manager).id == made.id


@pytest.mark.parametrize("foreign", [False, True])
def test_an_unknown_team_is_not_found(teams: Teams, foreign: bool) -> None:
    beta = Teams(teams.installation.found("Beta", "bob@example.com"))
    team_id = beta.create("People").id if foreign else str(uuid.uuid4())
    with pytest.raises(NotFoundError):
        teams.get(team_id)


def test_a_malformed_id_is_refused(teams: Teams) -> None:
    with pytest.raises(InvalidArgumentError):
        teams.get("people")


def test_teams_are_listed_by_name_over_every_page(teams: Teams) -> None:
    for name in ("zeta", "Beta", "álpha", "beta 2", "alpha", "n" * 200):
        teams.create(name)
    expected = ["Acme", "alpha", "Beta", "beta 2", "n" * 200, "zeta", "álpha"]
    for size in (1, 3, 100):
        listed: list[str] = []
        token = ""
        while True:
            names, token, total = teams.page(size, token)
            listed += names
            assert total == 7
            if not token:
                break
        assert listed == expected


def test_without_the_right_to_see_all_one_lists_ones_own(teams: Teams) -> None:
    teams.create("People")
    employee = teams.tenant.add_member("eve@example.com")
    assert teams.page(10, caller=employee) == (["Acme"], "", 1)
    assert teams.page(10, caller=teams.tenant.api_key()) == ([], "", 0)


def test_a_token_of_a_wider_list_is_refused(teams: Teams) -> None:
    teams.create("People")
    _, token, _ = teams.page(1)
    employee = teams.tenant.add_member("eve@example.com")
    with pytest.raises(InvalidArgumentError):
        teams.page(1, token, employee)
