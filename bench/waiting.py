"""What campaigns cost that wait for a deadline, for months perhaps."""

import time
from collections.abc import Iterator
from typing import Final, NamedTuple

from bench.installation import DEADLINE_STEP, Installation
from bench.plan import Plan
from bench.population import SERIES
from bench.report import Line, line

_STEP: Final = f"wake:{DEADLINE_STEP}"
_COPIES: Final = "%-0000-4000-9000-%"
_MEMORY_GOAL_MB: Final = 10
_CORE_GOAL_PERCENT: Final = 1


class _Rest(NamedTuple):
    """What a process takes that has nothing to do."""

    megabytes: float
    core_percent: float


def measure(place: Installation, plan: Plan) -> Iterator[Line]:
    """Yield the lines of one database."""
    none = _rest(place, plan.rest_seconds)
    _add(place, plan.waiting)
    some = _rest(place, plan.rest_seconds)
    for subject, unit, more, goal in (
        ("memory", "MB", some.megabytes - none.megabytes, _MEMORY_GOAL_MB),
        ("time of a core", "%", some.core_percent - none.core_percent, _CORE_GOAL_PERCENT),
    ):
        yield line(
            f"{subject} of the worker for {plan.waiting:,} waiting campaigns",
            place.kind,
            unit,
            [(more, goal)],
            floor_is=f"the limit (without any: {none.megabytes:.0f} MB, {none.core_percent:.1f} %)",
            goal="< 1x",
        )


def _rest(place: Installation, seconds: float) -> _Rest:
    place.bench.settle()
    used = place.worker.processor_seconds()
    started = time.monotonic()
    time.sleep(seconds)
    share = (place.worker.processor_seconds() - used) / (time.monotonic() - started)
    return _Rest(place.worker.memory() / 1e6, share * 100)


def _add(place: Installation, count: int) -> None:
    """Start one campaign that waits, and write as many more like it."""
    campaign_id = place.campaign("shared", 1, deadline="720h")
    place.start(campaign_id)
    key = place.await_deadline(campaign_id)
    bench = place.bench
    others = _columns(place, "campaign", "key", "id")
    copied = ", ".join(f"c.{column}" for column in others)
    bench.run(
        f"""
        insert into campaign (id, {", ".join(others)}) {SERIES}
        select printf('%08x-0000-4000-9000-%012x', i, i), {copied} from series cross join campaign c
        where c.key = :key
        """,
        postgresql=f"""
        insert into campaign (id, {", ".join(others)}) {SERIES}
        select lpad(to_hex(i), 8, '0') || '-0000-4000-9000-' || lpad(to_hex(i), 12, '0'), {copied}
        from series cross join campaign c where c.key = :key
        """,
        key=key,
        last=count - 2,
    )
    others = _columns(place, "step_run", "key", "campaign_key")
    bench.run(
        f"""
        insert into step_run (campaign_key, {", ".join(others)})
        select c.key, {", ".join(f"r.{column}" for column in others)}
        from campaign c join step_run r on r.campaign_key = :key
        where c.id like '{_COPIES}'
        """,
        key=key,
    )
    schema = "" if place.kind == "sqlite" else "dbos."
    for table, changed in (
        ("workflow_status", {}),
        ("workflow_input", {"inputs": f"replace(t.inputs, ',{key},', ',' || c.key || ',')"}),
    ):
        columns = {column: f"t.{column}" for column in _columns(place, schema + table)}
        columns |= {"workflow_uuid": f"'c' || c.key || ':{_STEP}'", **changed}
        bench.run(
            f"""
            insert into {schema}{table} ({", ".join(columns)}) select {", ".join(columns.values())}
            from campaign c join {schema}{table} t on t.workflow_uuid = 'c{key}:{_STEP}'
            where c.id like '{_COPIES}'
            """
        )
    waiting = bench.value(
        f"""
        select count(distinct i.inputs) from {schema}workflow_status s
        join {schema}workflow_input i on i.workflow_uuid = s.workflow_uuid
        where s.status = 'DELAYED' and s.workflow_uuid like 'c%:{_STEP}'
        """
    )
    if waiting != count:
        message = f"{waiting} of {count} campaigns wait"
        raise RuntimeError(message)


def _columns(place: Installation, table: str, *without: str) -> list[str]:
    """Return the names of a table's columns but for some."""
    found = place.bench.run(f"select * from {table} limit 0").description
    return [column[0] for column in found if column[0] not in without]
