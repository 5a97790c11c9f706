"""SQL of codes on their way."""

from dataclasses import dataclass
from typing import Final

from pidgr.storage.sql import Statement
from pidgr.storage.transaction import Reader, Transaction


@dataclass(frozen=True, slots=True)
class ClaimedTry:
    """An attempt of which one try has just been used up."""

    key: int
    email_folded: str
    salt: bytes
    code_hash: bytes


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A code whose mail has not been sent."""

    email_folded: str
    sealed_code: bytes
    expires_at: int


_INSERT: Final = Statement("""
    insert into sign_in_attempt (digest, email_folded, salt, code_hash, sealed_code, expires_at)
    values (:digest, :email_folded, :salt, :code_hash, :sealed_code, :expires_at)
    returning key
""")
# The try is counted before the code is looked at: however many guesses arrive at once, only as
# many as are allowed ever get as far as a comparison.
_CLAIM_TRY: Final = Statement("""
    update sign_in_attempt set tries = tries + 1
    where digest = :digest and tries < :maximum and used_at is null and expires_at > :now
    returning key, email_folded, salt, code_hash
""")
_USE: Final = Statement("""
    update sign_in_attempt set used_at = :now, sealed_code = null
    where key = :key and used_at is null and expires_at > :now
""")
_OUTGOING: Final = Statement("""
    select email_folded, sealed_code, expires_at from sign_in_attempt
    where key = :key and sealed_code is not null
""")
_FORGET_CODE: Final = Statement("update sign_in_attempt set sealed_code = null where key = :key")
_SWEEP: Final = Statement(
    """
    delete from sign_in_attempt where key in
      (select key from sign_in_attempt where expires_at < :before order by expires_at limit 10)
    """,
    postgresql="""
    delete from sign_in_attempt where key in
      (select key from sign_in_attempt where expires_at < :before order by expires_at limit 10
       for update skip locked)
    """,
)


def insert_attempt(
    transaction: Transaction,
    *,
    digest: bytes,
    email_folded: str,
    salt: bytes,
    code_hash: bytes,
    sealed_code: bytes,
    expires_at: int,
) -> int:
    """Store a new attempt and return its key."""
    key: int = transaction.value(
        _INSERT,
        {
            "digest": digest,
            "email_folded": email_folded,
            "salt": salt,
            "code_hash": code_hash,
            "sealed_code": sealed_code,
            "expires_at": expires_at,
        },
    )
    return key


def claim_try(transaction: Transaction, digest: bytes, maximum: int, now: int) -> ClaimedTry | None:
    """Use up one try of an attempt; None when it is unknown, used, expired or has none left."""
    parameters = {"digest": digest, "maximum": maximum, "now": now}
    return transaction.record(ClaimedTry, _CLAIM_TRY, parameters)


def use_attempt(transaction: Transaction, key: int, now: int) -> bool:
    """Mark an attempt as used; False when it is already, or has expired."""
    return transaction.execute(_USE, {"key": key, "now": now}) == 1


def outgoing(reader: Reader, key: int) -> Outgoing | None:
    """Return a code whose mail has not been sent, if it is not used either."""
    return reader.record(Outgoing, _OUTGOING, {"key": key})


def forget_code(transaction: Transaction, key: int) -> None:
    """Keep nothing of a code but its hash."""
    transaction.execute(_FORGET_CODE, {"key": key})


def sweep(transaction: Transaction, before: int) -> None:
    """Delete some attempts that expired before a time."""
    transaction.execute(_SWEEP, {"before": before})
