"""SQL of an examination: of the whole installation, so no statement names an organization."""

from dataclasses import dataclass
from typing import Final

from pidgr.storage.sql import Statement
from pidgr.storage.transaction import Reader


@dataclass(frozen=True, slots=True)
class Waiting:
    """A campaign that should have moved, and since when, in microseconds."""

    campaign_id: str
    since: int


_SERVER_VERSION: Final = Statement(
    "select 0", postgresql="select current_setting('server_version_num')::int"
)
_SERVER_TIME: Final = Statement(
    "select 0", postgresql="select (extract(epoch from clock_timestamp()) * 1000000)::bigint"
)
# Tables that stay small, or whose rows every request renews.
_NEWEST_TIME: Final = Statement("""
    select max(moment) from (
      select max(created_at) as moment from organization
      union all select max(created_at) from campaign
      union all select max(started_at) from campaign
      union all select max(completed_at) from campaign
      union all select max(started_at) from step_run
      union all select max(moved_at) from lane
      union all select max(created_at) from api_key
      union all select max(last_seen_at) from device
    ) as times
""")
_COUNT_RUNNING: Final = Statement("select count(*) from campaign where status = :running")
_OVERDUE: Final = Statement("""
    select id, next_wake_at from campaign
    where status = :running and next_wake_at < :before
    order by next_wake_at, key
""")
_STUCK: Final = Statement("""
    select c.id, min(l.moved_at)
    from campaign c
    join step_run r on r.campaign_key = c.key
    join lane l on l.step_run_key = r.key
    where c.status = :running and not l.finished and not l.stopped and l.moved_at < :before
    group by c.id
    order by 2, 1
""")


def server_version(reader: Reader) -> int:
    """Return PostgreSQL's version as a number: 180001 is 18.1."""
    number: int = reader.value(_SERVER_VERSION)
    return number


def server_time(reader: Reader) -> int:
    """Return PostgreSQL's time in microseconds."""
    moment: int = reader.value(_SERVER_TIME)
    return moment


def newest_time(reader: Reader) -> int | None:
    """Return the latest of some stored times, in microseconds."""
    moment: int | None = reader.value(_NEWEST_TIME)
    return moment


def count_running(reader: Reader, running: int) -> int:
    """Return how many campaigns are in a status."""
    count: int = reader.value(_COUNT_RUNNING, {"running": running})
    return count


def overdue(reader: Reader, running: int, before: int) -> list[Waiting]:
    """Return running campaigns that should have woken up before a moment, longest first."""
    return reader.records(Waiting, _OVERDUE, {"running": running, "before": before})


def stuck(reader: Reader, running: int, before: int) -> list[Waiting]:
    """Return running campaigns with a lane that has not moved since a moment, longest first."""
    return reader.records(Waiting, _STUCK, {"running": running, "before": before})
