"""SQL of roles."""

from dataclasses import dataclass
from typing import Final

from pidgr.storage.sql import Statement
from pidgr.storage.transaction import Reader, Transaction


@dataclass(frozen=True, slots=True)
class StoredRole:
    """A role as it lies in the database; ``permissions`` are names separated by spaces."""

    key: int
    id: str
    slug: str
    name: str
    is_default: bool
    is_system: bool
    permissions: str


_COLUMNS: Final = "key, id, slug, name, is_default, is_system, permissions"
_BY_ID: Final = Statement(
    f"select {_COLUMNS} from role where organization_key = :organization_key and id = :id"
)
_ALL: Final = Statement(
    f"select {_COLUMNS} from role where organization_key = :organization_key order by key"
)
_INSERT: Final = Statement("""
    insert into role
      (id, organization_key, slug, name, is_default, is_system, permissions, created_at)
    values
      (:id, :organization_key, :slug, :name, :is_default, :is_system, :permissions, :now)
""")


def role(reader: Reader, organization_key: int, role_id: str) -> StoredRole | None:
    """Find a role by its id."""
    return reader.record(StoredRole, _BY_ID, {"organization_key": organization_key, "id": role_id})


def roles_by_slug(reader: Reader, organization_key: int) -> dict[str, StoredRole]:
    """Return every role of an organization."""
    found = reader.records(StoredRole, _ALL, {"organization_key": organization_key})
    return {role.slug: role for role in found}


def insert_role(
    transaction: Transaction,
    organization_key: int,
    *,
    role_id: str,
    slug: str,
    name: str,
    is_default: bool,
    is_system: bool,
    permissions: str,
    now: int,
) -> None:
    """Store a new role."""
    transaction.execute(
        _INSERT,
        {
            "id": role_id,
            "organization_key": organization_key,
            "slug": slug,
            "name": name,
            "is_default": is_default,
            "is_system": is_system,
            "permissions": permissions,
            "now": now,
        },
    )
