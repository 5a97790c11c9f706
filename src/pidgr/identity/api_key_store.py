"""SQL of API keys as their organization manages them. Looking one up by its secret: ``store``."""

from dataclasses import dataclass
from typing import Final

from pidgr.contract.v1.organization_pb import OrgType
from pidgr.storage.sql import Statement
from pidgr.storage.transaction import Reader, Transaction


@dataclass(frozen=True, slots=True)
class StoredApiKey:
    """A key without its secret; ``permissions`` are names separated by spaces."""

    id: str
    name: str
    key_type: int
    key_prefix: str
    permissions: str
    created_at: int
    last_used_at: int | None
    expires_at: int | None


_COLUMNS: Final = (
    "id, name, key_type, key_prefix, permissions, created_at, last_used_at, expires_at"
)
_LIST: Final = Statement(f"""
    select {_COLUMNS} from api_key
    where organization_key = :organization_key and revoked_at is null
      and (:key_type = 0 or key_type = :key_type)
    order by key desc
""")
_ONE: Final = Statement(f"""
    select {_COLUMNS} from api_key where organization_key = :organization_key and id = :key_id
""")
_INSERT: Final = Statement("""
    insert into api_key
      (id, organization_key, name, key_type, key_prefix, digest, permissions, created_at,
       expires_at)
    values
      (:id, :organization_key, :name, :key_type, :key_prefix, :digest, :permissions, :created_at,
       :expires_at)
""")
_REVOKE: Final = Statement("""
    update api_key set revoked_at = :now
    where organization_key = :organization_key and id = :key_id and revoked_at is null
""")
_SANDBOX_LIFE: Final = Statement(f"""
    select expires_at - created_at from organization
    where key = :organization_key and org_type = {int(OrgType.SANDBOX)}
""")
_TOUCH: Final = Statement("""
    update api_key set last_used_at = :now
    where id = :key_id and (last_used_at is null or last_used_at < :now)
""")


def api_keys(reader: Reader, organization_key: int, key_type: int) -> list[StoredApiKey]:
    """Return the keys that are not revoked, newest first; type 0 means every type."""
    parameters = {"organization_key": organization_key, "key_type": key_type}
    return reader.records(StoredApiKey, _LIST, parameters)


def api_key(reader: Reader, organization_key: int, key_id: str) -> StoredApiKey | None:
    """Return a key of the organization, revoked or not."""
    parameters = {"organization_key": organization_key, "key_id": key_id}
    return reader.record(StoredApiKey, _ONE, parameters)


def insert_api_key(
    transaction: Transaction, organization_key: int, key: StoredApiKey, digest: bytes
) -> None:
    """Store a new key under the SHA-256 of its secret."""
    values: dict[str, object] = {name: getattr(key, name) for name in StoredApiKey.__slots__}
    values |= {"organization_key": organization_key, "digest": digest}
    transaction.execute(_INSERT, values)


def revoke_api_key(transaction: Transaction, organization_key: int, key_id: str, now: int) -> bool:
    """Revoke a key; the first time counts. Tells whether this was it."""
    parameters = {"organization_key": organization_key, "key_id": key_id, "now": now}
    return transaction.execute(_REVOKE, parameters) == 1


def sandbox_life(reader: Reader, organization_key: int) -> int | None:
    """Return how many microseconds a sandbox lives; None for any other organization."""
    life: int | None = reader.value(_SANDBOX_LIFE, {"organization_key": organization_key})
    return life


def touch_api_key(transaction: Transaction, key_id: str, now: int) -> None:
    """Note that a key was used."""
    transaction.execute(_TOUCH, {"key_id": key_id, "now": now})
