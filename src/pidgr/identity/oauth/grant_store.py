"""SQL of grants: codes and the tokens that follow from them."""

from dataclasses import dataclass
from typing import Final

from pidgr.storage.sql import Statement
from pidgr.storage.transaction import Reader, Transaction


@dataclass(frozen=True, slots=True)
class StoredGrant:
    """One answer to an authorization request; times in microseconds."""

    key: int
    id: str
    client_id: str
    subject: str
    organization_id: str
    organization_key: int
    scopes: str
    redirect_uri: str
    challenge: str
    method: str
    authenticated_at: int
    code_digest: bytes
    code_expires_at: int
    code_used_at: int | None
    refresh_digest: bytes | None
    expires_at: int
    revoked_at: int | None


_INSERT: Final = Statement("""
    insert into oauth_grant
      (id, handle, client_id, subject, organization_key, scopes, redirect_uri, challenge, method,
       authenticated_at, code_digest, code_expires_at, created_at, expires_at)
    values
      (:id, :handle, :client_id, :subject, :organization_key, :scopes, :redirect_uri, :challenge,
       :method, :authenticated_at, :code_digest, :code_expires_at, :now, :code_expires_at)
""")
_LOCK: Final = Statement(
    """
    select g.key, g.id, g.client_id, g.subject, o.id, g.organization_key, g.scopes,
           g.redirect_uri, g.challenge, g.method, g.authenticated_at, g.code_digest,
           g.code_expires_at, g.code_used_at, g.refresh_digest, g.expires_at, g.revoked_at
    from oauth_grant g join organization o on o.key = g.organization_key
    where g.handle = :handle
    """,
    postgresql="""
    select g.key, g.id, g.client_id, g.subject, o.id, g.organization_key, g.scopes,
           g.redirect_uri, g.challenge, g.method, g.authenticated_at, g.code_digest,
           g.code_expires_at, g.code_used_at, g.refresh_digest, g.expires_at, g.revoked_at
    from oauth_grant g join organization o on o.key = g.organization_key
    where g.handle = :handle for update of g
    """,
)
_USE_CODE: Final = Statement("""
    update oauth_grant
    set code_used_at = :now, refresh_digest = :digest, refreshed_at = :now,
        expires_at = :expires_at
    where key = :key
""")
_ROTATE: Final = Statement("""
    update oauth_grant set refresh_digest = :digest, refreshed_at = :now where key = :key
""")
_REVOKE: Final = Statement("""
    update oauth_grant set revoked_at = :now where key = :key and revoked_at is null
""")
_REVOKE_ID: Final = Statement("""
    update oauth_grant set revoked_at = :now
    where id = :id and client_id = :client_id and revoked_at is null
""")
_REVOKE_OF: Final = Statement("""
    update oauth_grant set revoked_at = :now
    where subject = :subject and client_id = :client_id and revoked_at is null
      and organization_key in (select key from organization where id = :organization_id)
""")
_REVOKE_CLIENT: Final = Statement("""
    update oauth_grant set revoked_at = :now where client_id = :client_id and revoked_at is null
""")
_COUNTS: Final = Statement("""
    select count(*) from oauth_grant
    where id = :id and subject = :subject and client_id = :client_id and revoked_at is null
      and expires_at > :now
""")
_SWEEP: Final = Statement(
    """
    delete from oauth_grant where key in
      (select key from oauth_grant where expires_at < :now order by expires_at limit 10)
    """,
    postgresql="""
    delete from oauth_grant where key in
      (select key from oauth_grant where expires_at < :now order by expires_at limit 10
       for update skip locked)
    """,
)


def insert(transaction: Transaction, **values: object) -> None:
    """Store a grant whose code nobody has used yet; it ends with the code."""
    transaction.execute(_INSERT, values)


def lock(transaction: Transaction, handle: bytes) -> StoredGrant | None:
    """Find a grant by its handle and keep others from changing it."""
    return transaction.record(StoredGrant, _LOCK, {"handle": handle})


def use_code(transaction: Transaction, key: int, digest: bytes, now: int, expires_at: int) -> None:
    """Let a grant's first refresh token take the place of its code."""
    parameters = {"key": key, "digest": digest, "now": now, "expires_at": expires_at}
    transaction.execute(_USE_CODE, parameters)


def rotate(transaction: Transaction, key: int, digest: bytes, now: int) -> None:
    """Let a grant's next refresh token take the place of the present one."""
    transaction.execute(_ROTATE, {"key": key, "digest": digest, "now": now})


def revoke(transaction: Transaction, key: int, now: int) -> None:
    """End a grant."""
    transaction.execute(_REVOKE, {"key": key, "now": now})


def revoke_id(transaction: Transaction, grant_id: str, client_id: str, now: int) -> None:
    """End the grant an access token names."""
    transaction.execute(_REVOKE_ID, {"id": grant_id, "client_id": client_id, "now": now})


def revoke_of(
    transaction: Transaction, subject: str, organization_id: str, client_id: str, now: int
) -> None:
    """End every grant of a person to an application in one organization."""
    parameters = {
        "subject": subject,
        "organization_id": organization_id,
        "client_id": client_id,
        "now": now,
    }
    transaction.execute(_REVOKE_OF, parameters)


def revoke_client(transaction: Transaction, client_id: str, now: int) -> None:
    """End every grant to an application."""
    transaction.execute(_REVOKE_CLIENT, {"client_id": client_id, "now": now})


def counts(reader: Reader, grant_id: str, subject: str, client_id: str, now: int) -> bool:
    """Tell whether access tokens of a grant are good."""
    parameters = {"id": grant_id, "subject": subject, "client_id": client_id, "now": now}
    return bool(reader.value(_COUNTS, parameters))


def sweep(transaction: Transaction, now: int) -> None:
    """Delete some grants that have ended."""
    transaction.execute(_SWEEP, {"now": now})
