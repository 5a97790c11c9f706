"""SQL of sign-ins by a provider on their way there and back."""

from dataclasses import dataclass
from typing import Final

from pidgr.identity.sso.provider_store import IN_USE, NAMED_COLUMNS, StoredProvider
from pidgr.storage.sql import Statement
from pidgr.storage.transaction import Reader, Transaction


@dataclass(frozen=True, slots=True)
class Attempt:
    """A person sent to a provider: what only their browser and we know."""

    sso_provider_key: int
    browser_digest: bytes
    sealed: bytes


_INSERT: Final = Statement("""
    insert into sso_attempt (digest, sso_provider_key, browser_digest, sealed, expires_at)
    values (:digest, :sso_provider_key, :browser_digest, :sealed, :expires_at)
""")
# Gone before the answer is looked at: however many come at once, one of them is.
_CLAIM: Final = Statement("""
    delete from sso_attempt where digest = :digest and expires_at > :now
    returning sso_provider_key, browser_digest, sealed
""")
_SWEEP: Final = Statement(
    """
    delete from sso_attempt where digest in
      (select digest from sso_attempt where expires_at < :now order by expires_at limit 10)
    """,
    postgresql="""
    delete from sso_attempt where digest in
      (select digest from sso_attempt where expires_at < :now order by expires_at limit 10
       for update skip locked)
    """,
)
# The claim is a promise that must still hold when the person comes back.
_PROVIDER: Final = Statement(f"""
    select {NAMED_COLUMNS} from sso_provider p join organization o on o.key = p.organization_key
    where p.key = :key and {IN_USE} and not o.suspended
      and (o.expires_at is null or o.expires_at > :now)
""")
_SECRET: Final = Statement("select sealed_client_secret from sso_provider where key = :key")
_SET_CLIENT: Final = Statement("""
    update sso_provider
    set client_id = :client_id, sealed_client_secret = :sealed_client_secret, updated_at = :now
    where organization_key = :organization_key and id = :id
""")


def insert(transaction: Transaction, digest: bytes, attempt: Attempt, expires_at: int) -> None:
    """Store an attempt under the hash of its state."""
    values = {name: getattr(attempt, name) for name in Attempt.__slots__}
    transaction.execute(_INSERT, {**values, "digest": digest, "expires_at": expires_at})


def claim(transaction: Transaction, digest: bytes, now: int) -> Attempt | None:
    """Use an attempt up; None when it is unknown, used or expired."""
    return transaction.record(Attempt, _CLAIM, {"digest": digest, "now": now})


def sweep(transaction: Transaction, now: int) -> None:
    """Delete some of what has expired."""
    transaction.execute(_SWEEP, {"now": now})


def provider(reader: Reader, key: int, now: int) -> StoredProvider | None:
    """Return a provider that people may come in by now."""
    return reader.record(StoredProvider, _PROVIDER, {"key": key, "now": now})


def sealed_secret(reader: Reader, key: int) -> bytes | None:
    """Return what we prove to a provider who we are with, as only the server can read it."""
    found = reader.value(_SECRET, {"key": key})
    return None if found is None else bytes(found)


def set_client(
    transaction: Transaction,
    organization_key: int,
    provider_id: str,
    client_id: str,
    sealed_secret: bytes | None,
    now: int,
) -> bool:
    """Note who we are to a provider; False when the organization has no such one any more."""
    parameters = {
        "organization_key": organization_key,
        "id": provider_id,
        "client_id": client_id,
        "sealed_client_secret": sealed_secret,
        "now": now,
    }
    return transaction.execute(_SET_CLIENT, parameters) == 1
