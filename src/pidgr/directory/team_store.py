"""SQL of teams. The default group and team are seeded here too, being of one shape."""

from dataclasses import dataclass
from typing import Final

from pidgr.storage.sql import Statement
from pidgr.storage.transaction import Reader, Transaction


@dataclass(frozen=True, slots=True)
class StoredTeam:
    """A team as it lies in the database."""

    key: int
    id: str
    name: str
    name_folded: str
    description: str
    member_count: int
    created_at: int
    updated_at: int
    is_default: bool
    created_by: str


_COLUMNS: Final = """
    t.key, t.id, t.name, t.name_folded, t.description, t.member_count, t.created_at, t.updated_at,
    t.is_default, t.created_by
"""
# What a caller without the right to see every team may see.
_OWN: Final = """
    (t.created_by = :actor_id or exists (
      select 1 from team_member tm where tm.team_key = t.key and tm.member_key = :member_key))
"""
_BY_ID: Final = Statement(f"""
    select {_COLUMNS} from team t where t.organization_key = :organization_key and t.id = :id
""")
_IS_OWN: Final = Statement(f"""
    select 1 from team t
    where t.organization_key = :organization_key and t.key = :team_key and {_OWN}
""")
_PAGE: Final = Statement(f"""
    select {_COLUMNS} from team t
    where t.organization_key = :organization_key and t.name_folded > :after
    order by t.name_folded limit :limit
""")
_OWN_PAGE: Final = Statement(f"""
    select {_COLUMNS} from team t
    where t.organization_key = :organization_key and t.name_folded > :after and {_OWN}
    order by t.name_folded limit :limit
""")
_COUNT: Final = Statement("""
    select count(*) from team t where t.organization_key = :organization_key
""")
_COUNT_OWN: Final = Statement(f"""
    select count(*) from team t where t.organization_key = :organization_key and {_OWN}
""")


def _insert(collective: str) -> Statement:
    return Statement(f"""
        insert into {collective}
          (id, organization_key, name, name_folded, description, is_default, created_by,
           created_at, updated_at)
        values
          (:id, :organization_key, :name, :name_folded, :description, :is_default, :created_by,
           :now, :now)
    """)


_INSERT_TEAM: Final = _insert("team")
_INSERT_GROUP: Final = _insert("recipient_group")


@dataclass(frozen=True, slots=True)
class Viewer:
    """Whose own teams to look for: an actor id, and a member key when the actor is a person."""

    actor_id: str
    member_key: int | None


def team(reader: Reader, organization_key: int, team_id: str) -> StoredTeam | None:
    """Find a team by its id."""
    return reader.record(StoredTeam, _BY_ID, {"organization_key": organization_key, "id": team_id})


def is_own(reader: Reader, organization_key: int, team_key: int, viewer: Viewer) -> bool:
    """Tell whether the viewer belongs to a team or made it."""
    parameters = _own(organization_key, viewer) | {"team_key": team_key}
    return reader.value(_IS_OWN, parameters) is not None


def teams_page(
    reader: Reader, organization_key: int, viewer: Viewer | None, after: str, limit: int
) -> list[StoredTeam]:
    """Return teams by folded name, from behind ``after``; the viewer's own ones if one is given."""
    parameters = {"organization_key": organization_key, "after": after, "limit": limit}
    if viewer is None:
        return reader.records(StoredTeam, _PAGE, parameters)
    return reader.records(StoredTeam, _OWN_PAGE, parameters | _own(organization_key, viewer))


def count_teams(reader: Reader, organization_key: int, viewer: Viewer | None) -> int:
    """Return how many teams ``teams_page`` walks through."""
    if viewer is None:
        count: int = reader.value(_COUNT, {"organization_key": organization_key})
    else:
        count = reader.value(_COUNT_OWN, _own(organization_key, viewer))
    return count


def insert_team(
    transaction: Transaction,
    organization_key: int,
    *,
    team_id: str,
    name: str,
    name_folded: str,
    description: str,
    created_by: str,
    is_default: bool,
    now: int,
) -> None:
    """Store a new, empty team.

    Raises:
        UniqueViolationError: the organization has a team of this folded name.
    """
    transaction.execute(
        _INSERT_TEAM,
        {
            "id": team_id,
            "organization_key": organization_key,
            "name": name,
            "name_folded": name_folded,
            "description": description,
            "is_default": is_default,
            "created_by": created_by,
            "now": now,
        },
    )


def insert_default_group(
    transaction: Transaction,
    organization_key: int,
    *,
    group_id: str,
    name: str,
    name_folded: str,
    now: int,
) -> None:
    """Store the group that every member of a new organization joins."""
    transaction.execute(
        _INSERT_GROUP,
        {
            "id": group_id,
            "organization_key": organization_key,
            "name": name,
            "name_folded": name_folded,
            "description": "",
            "is_default": True,
            "created_by": "",
            "now": now,
        },
    )


def _own(organization_key: int, viewer: Viewer) -> dict[str, object]:
    return {
        "organization_key": organization_key,
        "actor_id": viewer.actor_id,
        "member_key": viewer.member_key,
    }
