"""SQL of groups as a directory sees them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from pidgr.storage.sql import Statement
from pidgr.storage.transaction import Reader, Transaction


@dataclass(frozen=True, slots=True)
class StoredGroup:
    """A group with what the directory calls it, and a number that every change raises."""

    key: int
    id: str
    name: str
    name_folded: str
    external_id: str
    member_count: int
    version: int
    created_at: int


_SELECT: Final = """
    select key, id, name, name_folded, external_id, member_count, version, created_at
    from recipient_group where organization_key = :organization_key
"""
_BY_ID: Final = Statement(f"{_SELECT} and id = :value order by key limit :limit")
_BY_NAME: Final = Statement(f"{_SELECT} and name_folded = :value order by key limit :limit")
_BY_EXTERNAL_ID: Final = Statement(f"""
    {_SELECT} and external_id = :value and external_id <> '' order by key limit :limit
""")
_PAGE: Final = Statement(f"{_SELECT} and name_folded > :after order by name_folded limit :limit")
_SKIP: Final = Statement("""
    select name_folded from recipient_group where organization_key = :organization_key
    order by name_folded limit 1 offset :skipped
""")
# "+": see member_store.
_MEMBERS: Final = """
    select cm.recipient_group_key, m.id from recipient_group_member cm
    join member m on m.key = cm.member_key
    left join scim_user s on s.member_key = m.key
    where +m.organization_key = :organization_key and (s.withdrawn is null or not s.withdrawn)
      and cm.recipient_group_key
"""
_MEMBERS_OF: Final = Statement(
    f"{_MEMBERS} in (select value from json_each(:keys)) order by cm.recipient_group_key, m.key",
    postgresql=f"{_MEMBERS} = any(:keys) order by cm.recipient_group_key, m.key",
)
_SET_EXTERNAL_ID: Final = Statement("""
    update recipient_group set external_id = :external_id, version = version + 1
    where organization_key = :organization_key and key = :key
""")


def groups(
    reader: Reader, organization_key: int, attribute: str, value: str, limit: int
) -> list[StoredGroup]:
    """Return groups by their id, their folded displayName, or their externalId."""
    statement = {"id": _BY_ID, "displayName": _BY_NAME, "externalId": _BY_EXTERNAL_ID}[attribute]
    parameters = {"organization_key": organization_key, "value": value, "limit": limit}
    return reader.records(StoredGroup, statement, parameters)


def page(reader: Reader, organization_key: int, after: str, limit: int) -> list[StoredGroup]:
    """Return groups by folded name, from behind ``after``."""
    parameters = {"organization_key": organization_key, "after": after, "limit": limit}
    return reader.records(StoredGroup, _PAGE, parameters)


def position(reader: Reader, organization_key: int, index: int) -> str | None:
    """Return the folded name of the one at an index from 0; None behind the end."""
    parameters = {"organization_key": organization_key, "skipped": index}
    name: str | None = reader.value(_SKIP, parameters)
    return name


def members(reader: Reader, organization_key: int, keys: Sequence[int]) -> dict[int, list[str]]:
    """Return the ids of who is in some groups, by the groups' keys."""
    found: dict[int, list[str]] = {key: [] for key in keys}
    parameters = {"organization_key": organization_key, "keys": reader.array(keys)}
    for key, member_id in reader.rows(_MEMBERS_OF, parameters):
        found[key].append(member_id)
    return found


def set_external_id(
    transaction: Transaction, organization_key: int, key: int, external_id: str
) -> None:
    """Note what the directory calls a group."""
    parameters = {"organization_key": organization_key, "key": key, "external_id": external_id}
    transaction.execute(_SET_EXTERNAL_ID, parameters)
