"""Quiet hours that are now, and pushes that are held back in them."""

from datetime import datetime, timedelta
from typing import Final

from pidgr.campaigns import quiet_store
from pidgr.campaigns.quiet_hours import QuietHours
from pidgr.clock import Clock, to_datetime
from pidgr.engine import rows
from pidgr.storage.database import Database
from pidgr.storage.sql import Statement
from pidgr.storage.transaction import Transaction

ASLEEP: Final = "Etc/UTC"
AWAKE: Final = "Etc/GMT-12"
"""Where it is never quiet while it is in UTC: hours of ``set_quiet`` are at most eleven in all."""

_ORGANIZATION: Final = Statement("select key from organization where id = :id")
_KEYS: Final = "%:held%"
_TASKS: Final = "select workflow_uuid from {}workflow_status where workflow_uuid like :keys and {}"


def _tasks(condition: str) -> Statement:
    return Statement(_TASKS.format("", condition), postgresql=_TASKS.format("dbos.", condition))


_WAITING: Final = _tasks("status = 'DELAYED'")
_UNFINISHED: Final = _tasks("status in ('DELAYED', 'ENQUEUED', 'PENDING')")


def set_quiet(database: Database, organization_id: str, hours_from_now: int = 4) -> None:
    """Give an organization quiet hours that began four hours ago and end in some hours."""
    now = to_datetime(Clock().now())
    began, ends = now - timedelta(hours=4), now + timedelta(hours=hours_from_now)
    hours = QuietHours(_minute(began), _minute(ends), ASLEEP)

    def work(transaction: Transaction) -> None:
        key = transaction.value(_ORGANIZATION, {"id": organization_id})
        quiet_store.set_quiet_hours(transaction, key, hours, 1)

    database.write_now(work)


def _minute(moment: datetime) -> int:
    return moment.hour * 60 + moment.minute


def held_tasks(database: Database) -> list[str]:
    """Return the keys of the tasks that wait for the end of somebody's quiet hours."""
    return _find(database, _WAITING)


def unfinished_tasks(database: Database) -> list[str]:
    """Return the keys of those and of the ones that run now."""
    return _find(database, _UNFINISHED)


def _find(database: Database, statement: Statement) -> list[str]:
    found = database.read_now(lambda reader: reader.rows(statement, {"keys": _KEYS}))
    return [key for (key,) in found]


def let_the_night_end(database: Database) -> None:
    """Let those tasks start now, as if their time had come."""
    keys = held_tasks(database)

    def work(transaction: Transaction) -> None:
        for key in keys:
            rows.move(transaction, key, 0)

    database.write_now(work)
