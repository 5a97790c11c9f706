"""The engine library's rows, read and changed in our own units of work.

The library offers these operations on connections of its own only, so a cancellation could not
commit together with the campaign that it cancels. The columns are those of dbos 3.4, which is
what pyproject.toml pins; tests/engine runs every statement on both databases.
"""

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from pidgr.engine.port import Queue, TaskStatus
from pidgr.storage.sql import Statement
from pidgr.storage.transaction import Reader, Transaction

_STATUS: Final = {
    "DELAYED": TaskStatus.WAITING,
    "ENQUEUED": TaskStatus.QUEUED,
    "PENDING": TaskStatus.RUNNING,
    "SUCCESS": TaskStatus.SUCCEEDED,
    "ERROR": TaskStatus.FAILED,
    "CANCELLED": TaskStatus.CANCELLED,
}
_SWEEP_ROWS: Final = 500


def _statement(text: str) -> Statement:
    keys = "in (select value from json_each(:keys))"
    return Statement(
        text.replace("{schema}", "").replace("{in_keys}", keys).replace("{json}", ":attributes"),
        postgresql=text.replace("{schema}", "dbos.")
        .replace("{in_keys}", "= any(:keys)")
        .replace("{json}", "cast(:attributes as jsonb)"),
    )


_FIND: Final = _statement(
    "select status, owner_xid, queue_name, cast(attributes as text)"
    " from {schema}workflow_status where workflow_uuid = :key"
)
_CANCEL: Final = _statement(
    "update {schema}workflow_status set status = 'CANCELLED', owner_xid = null, queue_name = null,"
    " started_at_epoch_ms = null, updated_at = :now, completed_at = :now"
    " where workflow_uuid {in_keys} and status in ('DELAYED', 'ENQUEUED', 'PENDING')"
)
_MOVE: Final = _statement(
    "update {schema}workflow_status set status = :status, delay_until_epoch_ms = :until,"
    " updated_at = :now where workflow_uuid = :key and status = 'DELAYED'"
)
_POSTPONE: Final = _statement(
    "update {schema}workflow_status set status = :status, delay_until_epoch_ms = :until,"
    " owner_xid = null, started_at_epoch_ms = null, updated_at = :now, attributes = {json}"
    " where workflow_uuid = :key and owner_xid = :owner and status = 'PENDING'"
)
# The last condition repeats that of a partial index, or SQLite would not use it.
_QUEUED: Final = _statement(
    "select "
    + ", ".join(
        f"exists (select 1 from {{schema}}workflow_status where queue_name = '{queue.value}'"
        " and status = 'ENQUEUED' and status in ('ENQUEUED', 'PENDING'))"
        for queue in Queue
    )
)
_EXECUTORS: Final = _statement(
    "select distinct executor_id from {schema}workflow_status where status = 'PENDING'"
)
_REVIVE_ALL: Final = _statement(
    "update {schema}workflow_status set status = 'ENQUEUED', owner_xid = null,"
    " started_at_epoch_ms = null, updated_at = :now"
    " where status = 'PENDING' and executor_id = :executor"
)
_REQUEUE: Final = _statement(
    "update {schema}workflow_status set status = 'ENQUEUED', owner_xid = null,"
    " started_at_epoch_ms = null, updated_at = :now"
    " where workflow_uuid = :key and owner_xid = :owner and status = 'PENDING'"
)
# Without a condition on the start: SQLite would scan a week of finished tasks in its index.
_CLAIMED: Final = _statement(
    "select workflow_uuid, owner_xid, started_at_epoch_ms from {schema}workflow_status"
    " where status = 'PENDING' and executor_id = :executor"
)
_FINISHED: Final = _statement(
    "select workflow_uuid from {schema}workflow_status where completed_at < :before"
    " order by completed_at limit :rows"
)
_DELETE: Final = tuple(
    _statement(f"delete from {{schema}}{table} where workflow_uuid {{in_keys}}")
    for table in ("workflow_input", "workflow_output", "workflow_status")
)


@dataclass(frozen=True, slots=True)
class Claim:
    """A task as its execution finds it."""

    status: TaskStatus
    owner: str | None
    queue: str | None
    failures: int
    """Attempts that ended in a defect."""
    outages: int
    """Attempts that could not reach something, since the last defect."""


def _milliseconds() -> int:
    return time.time_ns() // 1_000_000


def find(reader: Reader, key: str) -> Claim | None:
    """Return the task's row, or None."""
    row = reader.row(_FIND, {"key": key})
    if row is None:
        return None
    status, owner, queue, attributes = row
    # Absent attributes are a JSON null on SQLite and a NULL on PostgreSQL.
    counts = (json.loads(attributes) if attributes else None) or {}
    return Claim(_STATUS[status], owner, queue, counts.get("failures", 0), counts.get("outages", 0))


def cancel(transaction: Transaction, keys: Sequence[str]) -> None:
    """Take unfinished tasks off their queues for good."""
    transaction.execute(_CANCEL, {"keys": transaction.array(keys), "now": _milliseconds()})


def move(transaction: Transaction, key: str, delay: int) -> None:
    """Set a waiting task's start to ``delay`` microseconds from now."""
    now = _milliseconds()
    status = "DELAYED" if delay > 0 else "ENQUEUED"
    transaction.execute(
        _MOVE, {"key": key, "status": status, "until": now + delay // 1_000, "now": now}
    )


def postpone(
    transaction: Transaction, key: str, owner: str, *, delay: int, failures: int, outages: int
) -> None:
    """Hand a running task back for another attempt; nothing, unless ``owner`` still holds it."""
    now = _milliseconds()
    transaction.execute(
        _POSTPONE,
        {
            "key": key,
            "owner": owner,
            "status": "DELAYED" if delay > 0 else "ENQUEUED",
            "until": now + delay // 1_000,
            "now": now,
            "attributes": json.dumps({"failures": failures, "outages": outages}),
        },
    )


def queued(reader: Reader) -> list[Queue]:
    """Return the queues with tasks that could run now."""
    row = reader.row(_QUEUED)
    assert row is not None  # noqa: S101 - a select without a table
    return [queue for queue, found in zip(Queue, row, strict=True) if found]


def executors(reader: Reader) -> list[str]:
    """Return the processes, living and dead, that tasks are recorded as running in."""
    return [executor for (executor,) in reader.rows(_EXECUTORS)]


def revive(transaction: Transaction, executor: str) -> int:
    """Queue again what a process that is no more had taken; return how many tasks."""
    return transaction.execute(_REVIVE_ALL, {"executor": executor, "now": _milliseconds()})


def requeue(transaction: Transaction, key: str, owner: str) -> None:
    """Queue again one task, unless its execution ended or changed hands."""
    transaction.execute(_REQUEUE, {"key": key, "owner": owner, "now": _milliseconds()})


def claimed(reader: Reader, executor: str, older_than: int) -> list[tuple[str, str]]:
    """Return key and owner of what a process took more than ``older_than`` microseconds ago."""
    before = _milliseconds() - older_than // 1_000
    return [
        (key, owner)
        for key, owner, started in reader.rows(_CLAIMED, {"executor": executor})
        if started < before
    ]


def sweep(transaction: Transaction, older_than: int) -> bool:
    """Forget some tasks that ended more than ``older_than`` microseconds ago.

    Returns:
        Whether there may be more.
    """
    before = _milliseconds() - older_than // 1_000
    found = transaction.rows(_FINISHED, {"before": before, "rows": _SWEEP_ROWS})
    if found:
        keys = transaction.array([key for (key,) in found])
        for statement in _DELETE:
            transaction.execute(statement, {"keys": keys})
    return len(found) == _SWEEP_ROWS
