"""SQL of sessions."""

from dataclasses import dataclass
from typing import Final

from pidgr.storage.sql import Statement
from pidgr.storage.transaction import Transaction


@dataclass(frozen=True, slots=True)
class StoredSession:
    """A sign-in and the newest refresh token that follows from it."""

    key: int
    digest: bytes
    subject: str
    method: str
    authenticated_at: int
    organization_key: int | None
    expires_at: int
    revoked_at: int | None


_INSERT: Final = Statement("""
    insert into sign_in_session
      (handle, digest, subject, method, authenticated_at, organization_key, created_at,
       refreshed_at, expires_at)
    values
      (:handle, :digest, :subject, :method, :authenticated_at, :organization_key, :now, :now,
       :expires_at)
""")
_LOCK: Final = Statement("""
    select key, digest, subject, method, authenticated_at, organization_key, expires_at, revoked_at
    from sign_in_session where handle = :handle {for_update}
""")
_ROTATE: Final = Statement("""
    update sign_in_session
    set digest = :digest, organization_key = :organization_key, refreshed_at = :now
    where key = :key
""")
_REVOKE: Final = Statement("""
    update sign_in_session set revoked_at = :now where key = :key and revoked_at is null
""")
_REVOKE_ALL: Final = Statement("""
    update sign_in_session set revoked_at = :now where subject = :subject and revoked_at is null
""")
_SWEEP: Final = Statement(
    """
    delete from sign_in_session where key in
      (select key from sign_in_session where expires_at < :now order by expires_at limit 10)
    """,
    postgresql="""
    delete from sign_in_session where key in
      (select key from sign_in_session where expires_at < :now order by expires_at limit 10
       for update skip locked)
    """,
)


def insert_session(
    transaction: Transaction,
    *,
    handle: bytes,
    digest: bytes,
    subject: str,
    method: str,
    authenticated_at: int,
    organization_key: int | None,
    now: int,
    expires_at: int,
) -> None:
    """Store a new session."""
    transaction.execute(
        _INSERT,
        {
            "handle": handle,
            "digest": digest,
            "subject": subject,
            "method": method,
            "authenticated_at": authenticated_at,
            "organization_key": organization_key,
            "now": now,
            "expires_at": expires_at,
        },
    )


def lock_session(transaction: Transaction, handle: bytes) -> StoredSession | None:
    """Find a session by its handle and keep others from changing it."""
    return transaction.record(StoredSession, _LOCK, {"handle": handle})


def rotate(
    transaction: Transaction, key: int, digest: bytes, organization_key: int | None, now: int
) -> None:
    """Let a session's next refresh token take the place of the present one."""
    parameters = {
        "key": key,
        "digest": digest,
        "organization_key": organization_key,
        "now": now,
    }
    transaction.execute(_ROTATE, parameters)


def revoke(transaction: Transaction, key: int, now: int) -> None:
    """End a session."""
    transaction.execute(_REVOKE, {"key": key, "now": now})


def revoke_all(transaction: Transaction, subject: str, now: int) -> None:
    """End every session of a person."""
    transaction.execute(_REVOKE_ALL, {"subject": subject, "now": now})


def sweep(transaction: Transaction, now: int) -> None:
    """Delete some sessions that have expired."""
    transaction.execute(_SWEEP, {"now": now})
