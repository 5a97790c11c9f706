"""SQL of challenges: what an authenticator must sign, kept by its hash until it has."""

import hashlib
from dataclasses import dataclass
from typing import Final

from pidgr.storage.sql import Statement
from pidgr.storage.transaction import Transaction


@dataclass(frozen=True, slots=True)
class Claimed:
    """A challenge that has just been used up; ``subject`` is empty where anybody may sign."""

    subject: str


_INSERT: Final = Statement("""
    insert into passkey_challenge (digest, subject, expires_at)
    values (:digest, :subject, :expires_at)
""")
# Gone before the answer is looked at: however many come at once, one of them is.
_CLAIM: Final = Statement("""
    delete from passkey_challenge
    where digest = :digest and expires_at > :now
    returning subject
""")
_SWEEP: Final = Statement(
    """
    delete from passkey_challenge where digest in
      (select digest from passkey_challenge where expires_at < :now order by expires_at limit 10)
    """,
    postgresql="""
    delete from passkey_challenge where digest in
      (select digest from passkey_challenge where expires_at < :now order by expires_at limit 10
       for update skip locked)
    """,
)


def insert(transaction: Transaction, challenge: bytes, subject: str, expires_at: int) -> None:
    """Store a challenge, of one person or of anybody."""
    parameters = {"digest": _digest(challenge), "subject": subject, "expires_at": expires_at}
    transaction.execute(_INSERT, parameters)


def claim(transaction: Transaction, challenge: bytes, now: int) -> Claimed | None:
    """Use a challenge up; None when it is unknown, used or expired."""
    return transaction.record(Claimed, _CLAIM, {"digest": _digest(challenge), "now": now})


def sweep(transaction: Transaction, now: int) -> None:
    """Delete some challenges that have expired."""
    transaction.execute(_SWEEP, {"now": now})


def _digest(challenge: bytes) -> bytes:
    return hashlib.sha256(challenge).digest()
