"""How the engine is doing, for whoever examines an installation from outside its processes."""

import time
from typing import Final

from pidgr.engine.connections import APPLICATION_NAME
from pidgr.engine.liveness import occupant
from pidgr.engine.schema import SCHEMA
from pidgr.storage.database import Database
from pidgr.storage.sql import Statement
from pidgr.storage.transaction import Reader

_FAILED_IN: Final = """
    select workflow_uuid from {table}
    where status = 'ERROR' and updated_at > :since order by updated_at desc
"""
_FAILED: Final = Statement(
    _FAILED_IN.format(table="workflow_status"),
    postgresql=_FAILED_IN.format(table=f"{SCHEMA}.workflow_status"),
)
# Every executing process holds the advisory lock of its name; see liveness.
_EXECUTORS: Final = Statement(
    "select 0",
    postgresql="""
    select count(*) from pg_locks l join pg_stat_activity a on a.pid = l.pid
    where l.locktype = 'advisory' and l.granted and a.datname = current_database()
      and a.application_name = :application
    """,
)


def is_executing(database: Database) -> bool:
    """Tell whether some process executes tasks on this database."""
    if database.dialect == "sqlite":
        return occupant(database) is not None
    parameters = {"application": APPLICATION_NAME}
    return bool(database.read_now(lambda reader: reader.value(_EXECUTORS, parameters)))


def failed_tasks(reader: Reader, within: int) -> list[str]:
    """Return the keys of tasks that failed for good in the last ``within`` microseconds."""
    since = (time.time_ns() // 1_000 - within) // 1_000
    return [key for (key,) in reader.rows(_FAILED, {"since": since})]
