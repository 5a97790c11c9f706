"""SQL of people who have signed in on a page, until their client asks for tokens."""

from dataclasses import dataclass
from typing import Final

from pidgr.storage.sql import Statement
from pidgr.storage.transaction import Transaction


@dataclass(frozen=True, slots=True)
class Arrival:
    """Who has signed in, how and when, where only that counts, and their client's challenge."""

    subject: str
    method: str
    authenticated_at: int
    organization_key: int | None
    challenge: str


_INSERT: Final = Statement("""
    insert into sign_in_arrival
      (digest, subject, method, authenticated_at, organization_key, challenge, expires_at)
    values
      (:digest, :subject, :method, :authenticated_at, :organization_key, :challenge, :expires_at)
""")
# Gone before the verifier is looked at: however many come at once, one of them is.
_CLAIM: Final = Statement("""
    delete from sign_in_arrival where digest = :digest and expires_at > :now
    returning subject, method, authenticated_at, organization_key, challenge
""")
_SWEEP: Final = Statement(
    """
    delete from sign_in_arrival where digest in
      (select digest from sign_in_arrival where expires_at < :now order by expires_at limit 10)
    """,
    postgresql="""
    delete from sign_in_arrival where digest in
      (select digest from sign_in_arrival where expires_at < :now order by expires_at limit 10
       for update skip locked)
    """,
)


def insert(transaction: Transaction, digest: bytes, arrival: Arrival, expires_at: int) -> None:
    """Store an arrival under the hash of its code."""
    values = {name: getattr(arrival, name) for name in Arrival.__slots__}
    transaction.execute(_INSERT, {**values, "digest": digest, "expires_at": expires_at})


def claim(transaction: Transaction, digest: bytes, now: int) -> Arrival | None:
    """Use an arrival up; None when it is unknown, used or expired."""
    return transaction.record(Arrival, _CLAIM, {"digest": digest, "now": now})


def sweep(transaction: Transaction, now: int) -> None:
    """Delete some of what has expired."""
    transaction.execute(_SWEEP, {"now": now})
