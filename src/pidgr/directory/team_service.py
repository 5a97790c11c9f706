"""TeamService: the units that campaigns are sent in the name of (SEMANTICS 2.5 and 2.15)."""

import uuid
from typing import Final

from pidgr.clock import Clock
from pidgr.contract.v1.common_pb import Permission
from pidgr.contract.v1.team_pb import (
    CreateTeamRequest,
    CreateTeamResponse,
    GetTeamRequest,
    GetTeamResponse,
    ListTeamsRequest,
    ListTeamsResponse,
)
from pidgr.directory import team_store
from pidgr.directory.messages import team_message
from pidgr.directory.name_order import from_position, to_position
from pidgr.directory.team_store import StoredTeam, Viewer
from pidgr.errors import AlreadyExistsError, NotFoundError, Violations
from pidgr.identity.caller import Caller
from pidgr.pagination import PageTokens
from pidgr.storage.transaction import Reader, Transaction, UniqueViolationError
from pidgr.validation import NAME_LENGTH, check_text, fold, require_uuid

_DESCRIPTION_LENGTH: Final = 1_000
_SEE_ALL: Final = (Permission.TEAMS_ALL_READ, Permission.TEAMS_ALL_WRITE)


class TeamService:
    """Makes and shows teams."""

    def __init__(self, clock: Clock, page_tokens: PageTokens) -> None:
        self._clock = clock
        self._page_tokens = page_tokens

    def create_team(
        self, request: CreateTeamRequest, caller: Caller, unit: Transaction
    ) -> CreateTeamResponse:
        """Make an empty team.

        Raises:
            InvalidArgumentError: a malformed field.
            AlreadyExistsError: the name is taken, letter case aside.
        """
        violations = Violations()
        check_text(violations, "name", request.name, NAME_LENGTH, required=True)
        check_text(violations, "description", request.description, _DESCRIPTION_LENGTH)
        violations.raise_if_any()
        organization_key = caller.organization_key
        team_id = str(uuid.uuid4())
        try:
            team_store.insert_team(
                unit,
                organization_key,
                team_id=team_id,
                name=request.name,
                name_folded=fold(request.name),
                description=request.description,
                created_by=caller.actor_id,
                is_default=False,
                now=self._clock.now(),
            )
        except UniqueViolationError as error:
            message = f"a team named {request.name!r} exists already; choose another name"
            raise AlreadyExistsError(message) from error
        return CreateTeamResponse(team=team_message(_team(unit, organization_key, team_id)))

    def get_team(self, request: GetTeamRequest, caller: Caller, unit: Reader) -> GetTeamResponse:
        """Return one team: to its members, to whoever made it, and to those who see every team.

        Raises:
            InvalidArgumentError: the id is not a UUID.
            NotFoundError: no such team.
            PermissionDeniedError: it is none of the caller's.
        """
        team_id = require_uuid("team_id", request.team_id)
        organization_key = caller.organization_key
        found = _team(unit, organization_key, team_id)
        if not team_store.is_own(unit, organization_key, found.key, _viewer(caller)):
            caller.require(*_SEE_ALL)
        return GetTeamResponse(team=team_message(found))

    def list_teams(
        self, request: ListTeamsRequest, caller: Caller, unit: Reader
    ) -> ListTeamsResponse:
        """Return a page of teams by name: all of them, or those the caller belongs to or made.

        Raises:
            InvalidArgumentError: a bad page size or token.
        """
        organization_key = caller.organization_key
        viewer = None if caller.has(*_SEE_ALL) else _viewer(caller)
        scope = f"teams/{organization_key}/{viewer.actor_id if viewer else ''}"
        page = self._page_tokens.read(request.pagination, scope)
        after = from_position(page.position)
        found = team_store.teams_page(unit, organization_key, viewer, after, page.size + 1)
        total = team_store.count_teams(unit, organization_key, viewer)
        positions = [to_position(stored.name_folded) for stored in found]
        return ListTeamsResponse(
            teams=[team_message(stored) for stored in found[: page.size]],
            pagination_meta=self._page_tokens.meta(scope, page, positions, total),
        )


def _viewer(caller: Caller) -> Viewer:
    return Viewer(caller.actor_id, caller.person.key if caller.person else None)


def _team(reader: Reader, organization_key: int, team_id: str) -> StoredTeam:
    found = team_store.team(reader, organization_key, team_id)
    if found is None:
        raise NotFoundError(f"no team has the id {team_id}")
    return found
