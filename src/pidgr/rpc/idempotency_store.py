"""SQL of remembered answers."""

from dataclasses import dataclass
from typing import Final

from pidgr.storage.sql import Statement
from pidgr.storage.transaction import Reader, Transaction

# Each new key clears a few expired ones away, so the table stays as large as a day's use.
_SWEPT: Final = 10


@dataclass(frozen=True, slots=True)
class Remembered:
    """What is kept of a call under a key."""

    request_digest: bytes
    sealed_answer: bytes | None


# The first caller under a key (or under an expired one) inserts; a concurrent one waits here on
# PostgreSQL until the first has committed or rolled back.
_CLAIM: Final = Statement("""
    insert into idempotency_key (digest, request_digest, created_at)
    values (:digest, :request_digest, :now)
    on conflict (digest) do update
      set request_digest = excluded.request_digest, sealed_answer = null,
          created_at = excluded.created_at
      where idempotency_key.created_at <= :expired
""")
_FIND: Final = Statement("""
    select request_digest, sealed_answer from idempotency_key
    where digest = :digest and created_at > :expired
""")
_REMEMBER: Final = Statement(
    "update idempotency_key set sealed_answer = :sealed_answer where digest = :digest"
)
_SWEEP: Final = Statement("""
    delete from idempotency_key where digest in
      (select digest from idempotency_key where created_at <= :expired
       order by created_at limit :most)
""")


def claim(
    transaction: Transaction, digest: bytes, request_digest: bytes, *, now: int, expired: int
) -> bool:
    """Take a key for this transaction; False when an earlier call has it."""
    transaction.execute(_SWEEP, {"expired": expired, "most": _SWEPT})
    parameters = {
        "digest": digest,
        "request_digest": request_digest,
        "now": now,
        "expired": expired,
    }
    return transaction.execute(_CLAIM, parameters) == 1


def find(reader: Reader, digest: bytes, *, expired: int) -> Remembered | None:
    """Return what an earlier call left under a key."""
    return reader.record(Remembered, _FIND, {"digest": digest, "expired": expired})


def remember(transaction: Transaction, digest: bytes, sealed_answer: bytes) -> None:
    """Keep this transaction's answer."""
    transaction.execute(_REMEMBER, {"digest": digest, "sealed_answer": sealed_answer})
