"""SQL of members as a directory sees them, and of what it has said about them."""

from dataclasses import dataclass
from typing import Final

from pidgr.directory.member_store import MEMBER_COLUMNS, StoredMember
from pidgr.scim.person import Provisioned
from pidgr.storage.sql import Statement
from pidgr.storage.transaction import Reader, Row, Transaction

_MEMBER_WIDTH: Final = len(StoredMember.__slots__)


@dataclass(frozen=True, slots=True)
class StoredUser:
    """A member with what a directory has said. ``withdrawn``: it has deleted them."""

    member: StoredMember
    provisioned: Provisioned
    withdrawn: bool


_SELECT: Final = f"""
    select {MEMBER_COLUMNS}, coalesce(s.user_name, ''), coalesce(s.external_id, ''),
           coalesce(s.emails, ''), coalesce(s.phone_numbers, ''), coalesce(s.withdrawn, false)
    from member m
    join role r on r.key = m.role_key
    left join scim_user s on s.member_key = m.key
    where m.organization_key = :organization_key
"""
_BY_ID: Final = Statement(f"{_SELECT} and m.id = :id")
_BY_ADDRESS: Final = Statement(f"{_SELECT} and m.email_folded = :email_folded")
# "+": see member_store.
_AMONG: Final = _SELECT.replace("where m.org", "where +m.org")
# Who has no name from a directory goes by their address.
_BY_USER_NAME: Final = Statement(f"""
    {_AMONG} and m.key in (
      select member_key from scim_user
      where organization_key = :organization_key and user_name_folded = :user_name_folded
        and user_name_folded <> ''
      union
      select a.key from member a
      where a.organization_key = :organization_key and a.email_folded = :user_name_folded
        and not exists (
          select 1 from scim_user n where n.member_key = a.key and n.user_name_folded <> ''))
    order by m.key limit :limit
""")
_BY_EXTERNAL_ID: Final = Statement(f"""
    {_AMONG} and m.key in (
      select member_key from scim_user
      where organization_key = :organization_key and external_id = :external_id
        and external_id <> '')
    order by m.key limit :limit
""")
_HERE: Final = "(s.withdrawn is null or not s.withdrawn)"
_PAGE: Final = Statement(f"""
    {_SELECT} and {_HERE} and (m.sort_name, m.key) > (:after_name, :after_key)
    order by m.sort_name, m.key limit :limit
""")
_SKIP: Final = Statement(f"""
    select m.sort_name, m.key from member m left join scim_user s on s.member_key = m.key
    where m.organization_key = :organization_key and {_HERE}
    order by m.sort_name, m.key limit 1 offset :skipped
""")
_WITHDRAWN: Final = Statement("""
    select count(*) from scim_user where organization_key = :organization_key and withdrawn
""")
_PUT: Final = Statement("""
    insert into scim_user
      (member_key, organization_key, user_name, user_name_folded, external_id, emails,
       phone_numbers, withdrawn)
    values
      (:member_key, :organization_key, :user_name, :user_name_folded, :external_id, :emails,
       :phone_numbers, :withdrawn)
    on conflict (member_key) do update set
      user_name = excluded.user_name, user_name_folded = excluded.user_name_folded,
      external_id = excluded.external_id, emails = excluded.emails,
      phone_numbers = excluded.phone_numbers, withdrawn = excluded.withdrawn
""")


def user(reader: Reader, organization_key: int, user_id: str) -> StoredUser | None:
    """Return a member by their id."""
    return _one(reader, _BY_ID, {"organization_key": organization_key, "id": user_id})


def of_address(reader: Reader, organization_key: int, email_folded: str) -> StoredUser | None:
    """Return a member by their folded address."""
    parameters = {"organization_key": organization_key, "email_folded": email_folded}
    return _one(reader, _BY_ADDRESS, parameters)


def of_user_name(
    reader: Reader, organization_key: int, user_name_folded: str, limit: int
) -> list[StoredUser]:
    """Return members by what directories call them, letter case aside."""
    parameters: dict[str, object] = {
        "organization_key": organization_key,
        "user_name_folded": user_name_folded,
        "limit": limit,
    }
    return [_stored(row) for row in reader.rows(_BY_USER_NAME, parameters)]


def of_external_id(
    reader: Reader, organization_key: int, external_id: str, limit: int
) -> list[StoredUser]:
    """Return members by the directory's own id."""
    parameters: dict[str, object] = {
        "organization_key": organization_key,
        "external_id": external_id,
        "limit": limit,
    }
    return [_stored(row) for row in reader.rows(_BY_EXTERNAL_ID, parameters)]


def page(
    reader: Reader, organization_key: int, after: tuple[str, int], limit: int
) -> list[StoredUser]:
    """Return members who are not withdrawn by name, from behind a position."""
    parameters = {
        "organization_key": organization_key,
        "after_name": after[0],
        "after_key": after[1],
        "limit": limit,
    }
    return [_stored(row) for row in reader.rows(_PAGE, parameters)]


def position(reader: Reader, organization_key: int, index: int) -> tuple[str, int] | None:
    """Return the position of the one at an index from 0; None behind the end.

    It walks through an index of the database from its beginning.
    """
    parameters = {"organization_key": organization_key, "skipped": index}
    return reader.row(_SKIP, parameters)


def count_withdrawn(reader: Reader, organization_key: int) -> int:
    """Return how many members a directory has deleted."""
    count: int = reader.value(_WITHDRAWN, {"organization_key": organization_key})
    return count


def put(
    transaction: Transaction,
    organization_key: int,
    member_key: int,
    provisioned: Provisioned,
    user_name_folded: str,
    *,
    withdrawn: bool = False,
) -> None:
    """Store what a directory says about a member, instead of what it said before.

    Raises:
        UniqueViolationError: it calls somebody else so, letter case aside.
    """
    transaction.execute(
        _PUT,
        {
            "member_key": member_key,
            "organization_key": organization_key,
            "user_name": provisioned.user_name,
            "user_name_folded": user_name_folded,
            "external_id": provisioned.external_id,
            "emails": provisioned.emails,
            "phone_numbers": provisioned.phone_numbers,
            "withdrawn": withdrawn,
        },
    )


def _one(reader: Reader, statement: Statement, parameters: dict[str, object]) -> StoredUser | None:
    row = reader.row(statement, parameters)
    return None if row is None else _stored(row)


def _stored(row: Row) -> StoredUser:
    return StoredUser(
        StoredMember(*row[:_MEMBER_WIDTH]),
        Provisioned(*row[_MEMBER_WIDTH:-1]),
        withdrawn=bool(row[-1]),
    )
