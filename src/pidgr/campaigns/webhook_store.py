"""SQL of webhook calls: what they tell, how they went, and what they are signed with."""

from dataclasses import dataclass
from typing import Final

from pidgr.campaigns.delivery_status import EFFECTIVE_STATUS, LANE_OF_DELIVERY
from pidgr.storage.sql import Statement
from pidgr.storage.transaction import Reader, Transaction


@dataclass(frozen=True, slots=True)
class ToldDelivery:
    """A primary delivery as a webhook tells of it; times in microseconds."""

    ordinal: int
    member_id: str | None
    status: int
    created_at: int
    acted_at: int | None


_DELIVERIES: Final = Statement(f"""
    select d.ordinal, m.id, {EFFECTIVE_STATUS}, d.created_at, d.acted_at
    from delivery d
    {LANE_OF_DELIVERY}
    left join member m on m.key = d.member_key
    where d.step_run_key = :run_key and d.ordinal > :after
    order by d.ordinal limit :limit
""")
_INSERT: Final = Statement("insert into webhook_call (step_run_key) values (:run_key)")
_BEGIN: Final = Statement("""
    update webhook_call set began_at = :now
    where step_run_key = :run_key and attempts = :attempt - 1
""")
_END: Final = Statement("""
    update webhook_call
    set attempts = :attempt, ended_at = :now, status_code = :status_code, error = :error
    where step_run_key = :run_key and attempts = :attempt - 1
""")
_ATTEMPTS: Final = Statement("select attempts from webhook_call where step_run_key = :run_key")
_SECRET: Final = Statement("""
    select sealed_secret from webhook_secret where organization_key = :organization_key
""")
_KEEP_SECRET: Final = Statement("""
    insert into webhook_secret (organization_key, sealed_secret, created_at)
    values (:organization_key, :sealed, :now)
    on conflict (organization_key) do nothing
""")
_REPLACE_SECRET: Final = Statement("""
    insert into webhook_secret (organization_key, sealed_secret, created_at)
    values (:organization_key, :sealed, :now)
    on conflict (organization_key)
    do update set sealed_secret = excluded.sealed_secret, created_at = excluded.created_at
""")


def told_deliveries(reader: Reader, run_key: int, after: int, limit: int) -> list[ToldDelivery]:
    """Return the deliveries of a run after an ordinal, in order."""
    parameters = {"run_key": run_key, "after": after, "limit": limit}
    return reader.records(ToldDelivery, _DELIVERIES, parameters)


def insert_call(transaction: Transaction, run_key: int) -> None:
    """Note that a step calls a webhook and has not tried yet."""
    transaction.execute(_INSERT, {"run_key": run_key})


def ended_attempts(reader: Reader, run_key: int) -> int | None:
    """Return how many attempts have ended, or None when the run calls no webhook."""
    attempts: int | None = reader.value(_ATTEMPTS, {"run_key": run_key})
    return attempts


def begin_attempt(transaction: Transaction, run_key: int, attempt: int, now: int) -> bool:
    """Note that an attempt begins; False when it has ended before."""
    parameters = {"run_key": run_key, "attempt": attempt, "now": now}
    return transaction.execute(_BEGIN, parameters) == 1


def end_attempt(
    transaction: Transaction,
    run_key: int,
    attempt: int,
    *,
    status_code: int | None,
    error: str,
    now: int,
) -> bool:
    """Note how an attempt ended; False when that was noted before."""
    parameters = {
        "run_key": run_key,
        "attempt": attempt,
        "status_code": status_code,
        "error": error,
        "now": now,
    }
    return transaction.execute(_END, parameters) == 1


def sealed_secret(reader: Reader, organization_key: int) -> bytes | None:
    """Return the organization's sealed secret, if it has one yet."""
    sealed: bytes | None = reader.value(_SECRET, {"organization_key": organization_key})
    return sealed


def keep_secret(
    transaction: Transaction, organization_key: int, sealed: bytes, now: int, *, replace: bool
) -> None:
    """Store a sealed secret, over an older one only if ``replace``."""
    transaction.execute(
        _REPLACE_SECRET if replace else _KEEP_SECRET,
        {"organization_key": organization_key, "sealed": sealed, "now": now},
    )
