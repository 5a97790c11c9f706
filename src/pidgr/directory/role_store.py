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
# A role that somebody is about to be given must not be deleted meanwhile.
_HELD: Final = Statement(
    f"select {_COLUMNS} from role where organization_key = :organization_key and id = :id",
    postgresql=f"""
    select {_COLUMNS} from role where organization_key = :organization_key and id = :id
    for key share
    """,
)
_LOCKED: Final = Statement(f"""
    select {_COLUMNS} from role where organization_key = :organization_key and id = :id
    {{for_update}}
""")
_ALL: Final = Statement(
    f"select {_COLUMNS} from role where organization_key = :organization_key order by key"
)
_INSERT: Final = Statement("""
    insert into role
      (id, organization_key, slug, name, is_default, is_system, permissions, created_at)
    values
      (:id, :organization_key, :slug, :name, :is_default, :is_system, :permissions, :now)
""")
_UPDATE: Final = Statement("""
    update role set name = :name, permissions = :permissions
    where organization_key = :organization_key and key = :key
""")
_HOLDER: Final = Statement("""
    select 1 from member where organization_key = :organization_key and role_key = :key limit 1
""")
_DELETE: Final = Statement(
    "delete from role where organization_key = :organization_key and key = :key"
)


def role(reader: Reader, organization_key: int, role_id: str) -> StoredRole | None:
    """Find a role by its id."""
    return reader.record(StoredRole, _BY_ID, {"organization_key": organization_key, "id": role_id})


def hold_role(transaction: Transaction, organization_key: int, role_id: str) -> StoredRole | None:
    """Find a role by its id and keep it from being deleted until the end of the transaction."""
    parameters = {"organization_key": organization_key, "id": role_id}
    return transaction.record(StoredRole, _HELD, parameters)


def lock_role(transaction: Transaction, organization_key: int, role_id: str) -> StoredRole | None:
    """Find a role by its id and keep it from being given to anybody meanwhile."""
    parameters = {"organization_key": organization_key, "id": role_id}
    return transaction.record(StoredRole, _LOCKED, parameters)


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
    """Store a new role.

    Raises:
        UniqueViolationError: the organization has a role of this slug.
    """
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


def update_role(
    transaction: Transaction, organization_key: int, role_key: int, *, name: str, permissions: str
) -> None:
    """Replace a role's name and permissions."""
    transaction.execute(
        _UPDATE,
        {
            "organization_key": organization_key,
            "key": role_key,
            "name": name,
            "permissions": permissions,
        },
    )


def is_held(reader: Reader, organization_key: int, role_key: int) -> bool:
    """Tell whether any member has a role."""
    parameters = {"organization_key": organization_key, "key": role_key}
    return reader.value(_HOLDER, parameters) is not None


def delete_role(transaction: Transaction, organization_key: int, role_key: int) -> None:
    """Delete a role that nobody has."""
    transaction.execute(_DELETE, {"organization_key": organization_key, "key": role_key})
