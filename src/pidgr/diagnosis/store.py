"""SQL of an examination: of the whole installation, so no statement names an organization."""

from dataclasses import dataclass
from typing import Final

from pidgr.contract.v1.common_pb import CampaignStatus, StepType
from pidgr.storage.sql import Statement
from pidgr.storage.transaction import Reader


@dataclass(frozen=True, slots=True)
class Waiting:
    """A campaign that should have moved, and since when, in microseconds."""

    campaign_id: str
    since: int


@dataclass(frozen=True, slots=True)
class Unanswered:
    """A campaign whose pushes a provider has not taken, since when, and to how many deliveries."""

    campaign_id: str
    since: int
    deliveries: int


_SERVER_VERSION: Final = Statement(
    "select 0", postgresql="select current_setting('server_version_num')::int"
)
_SERVER_TIME: Final = Statement(
    "select 0", postgresql="select (extract(epoch from clock_timestamp()) * 1000000)::bigint"
)
# What a new partition takes: a table in the schema, and the parent's owner to attach it.
_MAY_ADD_PARTITIONS: Final = Statement(
    "select 1",
    postgresql="""
    select has_schema_privilege(current_schema(), 'create')
           and bool_and(pg_has_role(relowner, 'usage'))
    from pg_class where oid in ('delivery'::regclass, 'delivery_body'::regclass)
    """,
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
# Lanes that have written everything they write wait for nothing but the push provider.
_IDLE: Final = """
    from campaign c
    join step_run r on r.campaign_key = c.key
    join lane l on l.step_run_key = r.key
    where c.status = :running and not l.finished and not l.stopped and l.moved_at < :before
"""
_ONLY_PUSHES: Final = f"""
    (r.step_type <> {int(StepType.MARK_MISSED)} and (l.written_upto = l.high or
      (not l.spawns and r.step_type <> {int(StepType.SEND_NOTIFICATION)})))
"""
_STUCK: Final = Statement(f"""
    select c.id, min(l.moved_at) {_IDLE} and not {_ONLY_PUSHES} group by c.id order by 2, 1
""")
_UNANSWERED: Final = Statement(f"""
    select c.id, min(l.moved_at),
           sum(case when l.spawns then l.number * r.lane_size + l.spawned else l.high end
               - l.pushed_upto)
    {_IDLE} and {_ONLY_PUSHES} group by c.id order by 2, 1
""")
# A campaign may be over while pushes are held back.
_LATE: Final = Statement(f"""
    select c.id, min(h.due_at), count(*)
    from held_push h
    join step_run r on r.key = h.pushing_run_key
    join campaign c on c.key = r.campaign_key
    where h.settled_at is null and h.due_at < :before
      and c.status in ({int(CampaignStatus.RUNNING)}, {int(CampaignStatus.COMPLETED)})
    group by c.id order by 2, 1
""")


def server_version(reader: Reader) -> int:
    """Return PostgreSQL's version as a number: 180001 is 18.1."""
    number: int = reader.value(_SERVER_VERSION)
    return number


def may_add_partitions(reader: Reader) -> bool:
    """Tell whether the database's user may do what another partition of deliveries takes."""
    return bool(reader.value(_MAY_ADD_PARTITIONS))


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
    """Return running campaigns with rows that were to be written since a moment, longest first."""
    return reader.records(Waiting, _STUCK, {"running": running, "before": before})


def unanswered(reader: Reader, running: int, before: int) -> list[Unanswered]:
    """Return running campaigns with pushes that nobody has taken since a moment, longest first."""
    return reader.records(Unanswered, _UNANSWERED, {"running": running, "before": before})


def late(reader: Reader, before: int) -> list[Unanswered]:
    """Return campaigns with pushes held back until before a moment and not sent yet."""
    return reader.records(Unanswered, _LATE, {"before": before})
