"""TeamService: the units that campaigns are sent in the name of (SEMANTICS 2.15).

The rules are in ``pidgr.directory.collectives``, and so is what each RPC raises.
"""

from typing import Final

from pidgr.clock import Clock
from pidgr.contract.v1.audit_pb import AuditEventType
from pidgr.contract.v1.common_pb import Permission
from pidgr.contract.v1.team_pb import (
    AddTeamMembersRequest,
    AddTeamMembersResponse,
    CreateTeamRequest,
    CreateTeamResponse,
    DeleteTeamRequest,
    DeleteTeamResponse,
    GetTeamRequest,
    GetTeamResponse,
    ListTeamMembersRequest,
    ListTeamMembersResponse,
    ListTeamsRequest,
    ListTeamsResponse,
    RemoveTeamMembersRequest,
    RemoveTeamMembersResponse,
    UpdateTeamRequest,
    UpdateTeamResponse,
)
from pidgr.directory.collective_store import TEAMS
from pidgr.directory.collectives import Collectives, Events, Kind
from pidgr.directory.messages import team_message, user_message
from pidgr.identity.caller import Caller
from pidgr.pagination import PageTokens
from pidgr.storage.transaction import Reader, Transaction

_EVENTS: Final = Events(
    created=AuditEventType.TEAM_CREATED,
    updated=AuditEventType.TEAM_UPDATED,
    deleted=AuditEventType.TEAM_DELETED,
    members_added=AuditEventType.TEAM_MEMBERS_ADDED,
    members_removed=AuditEventType.TEAM_MEMBERS_REMOVED,
)
_KIND: Final = Kind("team", TEAMS, Permission.TEAMS_ALL_READ, Permission.TEAMS_ALL_WRITE, _EVENTS)


class TeamService:
    """Keeps teams and their members."""

    def __init__(self, clock: Clock, page_tokens: PageTokens) -> None:
        self._teams = Collectives(_KIND, clock, page_tokens)

    def create_team(
        self, request: CreateTeamRequest, caller: Caller, unit: Transaction
    ) -> CreateTeamResponse:
        """Make an empty team."""
        made = self._teams.create(unit, caller, request.name, request.description)
        return CreateTeamResponse(team=team_message(made))

    def get_team(self, request: GetTeamRequest, caller: Caller, unit: Reader) -> GetTeamResponse:
        """Return one team."""
        found = self._teams.get(unit, caller, request.team_id)
        return GetTeamResponse(team=team_message(found))

    def list_teams(
        self, request: ListTeamsRequest, caller: Caller, unit: Reader
    ) -> ListTeamsResponse:
        """Return a page of teams by name."""
        found, meta = self._teams.page(unit, caller, request.pagination)
        return ListTeamsResponse(
            teams=[team_message(stored) for stored in found], pagination_meta=meta
        )

    def update_team(
        self, request: UpdateTeamRequest, caller: Caller, unit: Transaction
    ) -> UpdateTeamResponse:
        """Rename or describe a team."""
        changed = self._teams.update(
            unit, caller, request.team_id, request.name, request.description
        )
        return UpdateTeamResponse(team=team_message(changed))

    def delete_team(
        self, request: DeleteTeamRequest, caller: Caller, unit: Transaction
    ) -> DeleteTeamResponse:
        """Delete a team and its memberships."""
        self._teams.delete(unit, caller, request.team_id)
        return DeleteTeamResponse()

    def add_team_members(
        self, request: AddTeamMembersRequest, caller: Caller, unit: Transaction
    ) -> AddTeamMembersResponse:
        """Add members to a team."""
        changed = self._teams.add_members(unit, caller, request.team_id, request.user_ids)
        return AddTeamMembersResponse(team=team_message(changed))

    def remove_team_members(
        self, request: RemoveTeamMembersRequest, caller: Caller, unit: Transaction
    ) -> RemoveTeamMembersResponse:
        """Take members out of a team."""
        changed = self._teams.remove_members(unit, caller, request.team_id, request.user_ids)
        return RemoveTeamMembersResponse(team=team_message(changed))

    def list_team_members(
        self, request: ListTeamMembersRequest, caller: Caller, unit: Reader
    ) -> ListTeamMembersResponse:
        """Return a page of a team's members by name."""
        members, meta = self._teams.members_page(unit, caller, request.team_id, request.pagination)
        return ListTeamMembersResponse(
            users=[user_message(member) for member in members], pagination_meta=meta
        )
