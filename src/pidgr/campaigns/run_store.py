"""SQL of step runs, lanes and the deliveries they write in bulk."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from pidgr.storage.sql import Statement
from pidgr.storage.transaction import Reader, Transaction


@dataclass(frozen=True, slots=True)
class StepRun:
    """One execution of a workflow step."""

    key: int
    campaign_key: int
    organization_key: int
    step_id: str
    iteration: int
    step_type: int
    lane_size: int
    action_type: int
    action_label: str
    template_key: int | None
    template_version: int
    content_key: int | None
    locale: int
    due_at: int | None
    finished_at: int | None


@dataclass(frozen=True, slots=True)
class NewStepRun:
    """What is stored when a step begins."""

    campaign_key: int
    organization_key: int
    step_id: str
    step_type: int
    started_at: int
    iteration: int = 0
    template_key: int | None = None
    template_version: int = 0
    content_key: int | None = None
    locale: int = 0
    action_type: int = 0
    action_label: str = ""
    due_at: int | None = None


@dataclass(frozen=True, slots=True)
class Lane:
    """A contiguous part of a step run's work, with its two cursors."""

    step_run_key: int
    number: int
    base_run_key: int
    low: int
    high: int
    written_upto: int
    pushed_upto: int
    # Whether the lane makes deliveries on account of its base run's, and how many it has made.
    spawns: bool
    spawned: int
    stopped: bool
    finished: bool


@dataclass(frozen=True, slots=True)
class TemplateText:
    """A template version as it is rendered; ``variables`` is a JSON array."""

    type: int
    source_locale: str
    title: str
    body: str
    variables: str


@dataclass(frozen=True, slots=True)
class BatchCounts:
    """Deliveries of a batch by the state they begin in."""

    waiting: int
    no_device: int


_RUN: Final = """
    select key, campaign_key, organization_key, step_id, iteration, step_type, lane_size,
           action_type, action_label, template_key, template_version, content_key, locale, due_at,
           finished_at
    from step_run
"""
_RUN_BY_KEY: Final = Statement(f"{_RUN} where key = :key")
_RUN_BY_STEP: Final = Statement(
    f"{_RUN} where campaign_key = :campaign_key and step_id = :step_id and iteration = 0"
)
_INSERT_RUN: Final = Statement("""
    insert into step_run
      (campaign_key, organization_key, step_id, iteration, step_type, template_key,
       template_version, content_key, locale, action_type, action_label, due_at, started_at)
    values
      (:campaign_key, :organization_key, :step_id, :iteration, :step_type, :template_key,
       :template_version, :content_key, :locale, :action_type, :action_label, :due_at, :started_at)
    on conflict (campaign_key, step_id, iteration) do nothing
    returning key
""")
_SET_LANES: Final = Statement("""
    update step_run set lanes_left = :lanes, lane_size = :lane_size where key = :key
""")
_FINISH_RUN: Final = Statement("""
    update step_run set finished_at = :now where key = :key and finished_at is null
""")
_PRIMARY_RUNS: Final = Statement("""
    select key from step_run
    where campaign_key = :campaign_key and step_type = :send_notification
    order by key
""")
_INSERT_LANE: Final = Statement("""
    insert into lane
      (step_run_key, number, base_run_key, low, high, written_upto, pushed_upto, spawns, moved_at)
    values (:step_run_key, :number, :base_run_key, :low, :high, :written_upto, :pushed_upto,
            :spawns, :now)
""")
_LANE_COLUMNS: Final = """
    step_run_key, number, base_run_key, low, high, written_upto, pushed_upto, spawns, spawned,
    stopped, finished
"""
_LANE: Final = Statement(f"""
    select {_LANE_COLUMNS} from lane where step_run_key = :step_run_key and number = :number
""")
_LANES: Final = Statement(f"""
    select {_LANE_COLUMNS} from lane where step_run_key = :step_run_key order by number
""")
_MOVE_WRITTEN: Final = Statement("""
    update lane set written_upto = :upto, moved_at = :now
    where step_run_key = :step_run_key and number = :number and written_upto = :since
      and not stopped
""")
# A database that crashed may have lost rows that were written without waiting for the disk, and
# the cursor with them. What follows from them finds that out, and is durable.
_MOVE_PUSHED: Final = Statement("""
    update lane set pushed_upto = :upto, moved_at = :now
    where step_run_key = :step_run_key and number = :number and pushed_upto = :since
      and written_upto >= :written_upto
""")
_FINISH_LANE: Final = Statement("""
    update lane set finished = true
    where step_run_key = :step_run_key and number = :number and not finished and not stopped
      and written_upto >= :written_upto
""")
_COUNT_DOWN: Final = Statement("""
    update step_run set lanes_left = lanes_left - 1 where key = :step_run_key returning lanes_left
""")
_STOP_LANES: Final = Statement("""
    update lane set stopped = true
    where not finished and step_run_key in
      (select key from step_run where campaign_key = :campaign_key and finished_at is null)
""")
# Of ``audience a``.
HAS_DEVICE: Final = """
    (exists (select 1 from device d where d.member_key = a.member_key and d.active)
     or exists (select 1 from web_push_subscription w where w.member_key = a.member_key))
"""
JOIN_MEMBER: Final = "join member m on m.key = a.member_key"
_BATCH: Final = """
    from audience a
    where a.campaign_key = :campaign_key and a.ordinal >= :since and a.ordinal < :upto
"""
_IS_MEMBER_WITH_DEVICE: Final = """
    a.member_key in (select d.member_key from device d
                     where d.active and d.member_key = any(array({members}))
                     union all
                     select w.member_key from web_push_subscription w
                     where w.member_key = any(array({members})))
"""
_LATERAL_MEMBER: Final = """
    cross join lateral (select * from member where key = a.member_key offset 0) m
"""


def batch_statement(text: str) -> Statement:
    """Return a statement over a batch of an audience that costs as much as the batch has people.

    PostgreSQL's planner would read all devices and all members for each batch: see
    docs/decisions/0008 for what it is told instead.
    """
    return Statement(
        text,
        postgresql=text.replace(
            HAS_DEVICE, _IS_MEMBER_WITH_DEVICE.format(members=f"select a.member_key {_BATCH}")
        ).replace(JOIN_MEMBER, _LATERAL_MEMBER),
    )


_INSERT: Final = """
    insert into delivery
      (step_run_key, ordinal, organization_key, member_key, kind, status, content_key, locale,
       created_at, changed_at)
    select :step_run_key, a.ordinal, :organization_key, a.member_key, :kind,
           case when {has_device} then :pending else :no_device end,
           :content_key, :locale, :now, :changed_at
    {batch}
"""
# PostgreSQL reads the batch once, for the rows and for the question who of them has a device.
_INSERT_SHARED: Final = Statement(
    _INSERT.format(has_device=HAS_DEVICE, batch=f"{_BATCH} order by a.ordinal"),
    postgresql=f"""
    with batch as materialized (select a.ordinal, a.member_key {_BATCH} order by a.ordinal)
    """
    + _INSERT.format(
        has_device=_IS_MEMBER_WITH_DEVICE.format(members="select member_key from batch"),
        batch="from batch a",
    ),
)
_COUNT_STATUS: Final = Statement("""
    select count(*) from delivery
    where step_run_key = :step_run_key and ordinal >= :since and ordinal < :upto
      and status = :status
""")
_MARK_MISSED: Final = Statement("""
    update delivery set status = :missed, changed_at = :changed_at
    where step_run_key = :run_key and ordinal >= :since and ordinal < :upto and status = :status
""")
_UPSERT_ERROR: Final = Statement("""
    insert into delivery_error (step_run_key, ordinal, device_id, error, occurred_at)
    values (:run_key, :ordinal, :device_id, :error, :now)
    on conflict (step_run_key, ordinal, device_id)
    do update set error = excluded.error, occurred_at = excluded.occurred_at
""")
_TEMPLATE_TEXT: Final = Statement("""
    select t.type, t.source_locale, v.title, v.body, v.variables
    from template t join template_version v on v.template_key = t.key
    where t.key = :template_key and v.version = :version
""")
_CONTENT: Final = Statement("""
    insert into content (organization_key, content_id, title, summary, preview, body, created_at)
    values (:organization_key, :content_id, :title, :summary, :preview, :body, :now)
    on conflict (organization_key, content_id) do nothing
""")
_CONTENT_KEY: Final = Statement("""
    select key from content
    where organization_key = :organization_key and content_id = :content_id
""")


def step_run(reader: Reader, key: int) -> StepRun | None:
    """Return a step run."""
    return reader.record(StepRun, _RUN_BY_KEY, {"key": key})


def run_of_step(reader: Reader, campaign_key: int, step_id: str) -> StepRun | None:
    """Return the run of a campaign's step, if it has begun."""
    return reader.record(StepRun, _RUN_BY_STEP, {"campaign_key": campaign_key, "step_id": step_id})


def insert_step_run(transaction: Transaction, run: NewStepRun) -> int | None:
    """Begin a step and return the run's key, or None when it has begun before."""
    parameters = {name: getattr(run, name) for name in NewStepRun.__slots__}
    key: int | None = transaction.value(_INSERT_RUN, parameters)
    return key


def finish_step_run(transaction: Transaction, key: int, now: int) -> bool:
    """End a step; False when it has ended before."""
    return transaction.execute(_FINISH_RUN, {"key": key, "now": now}) == 1


def primary_runs(reader: Reader, campaign_key: int, send_notification: int) -> list[int]:
    """Return the keys of the runs that made the campaign's primary deliveries, in order."""
    parameters = {"campaign_key": campaign_key, "send_notification": send_notification}
    return [row[0] for row in reader.rows(_PRIMARY_RUNS, parameters)]


def insert_lanes(
    transaction: Transaction, step_run_key: int, lane_size: int, lanes: Sequence[Lane], now: int
) -> None:
    """Divide a step run's work."""
    for lane in lanes:
        transaction.execute(
            _INSERT_LANE,
            {
                "step_run_key": step_run_key,
                "number": lane.number,
                "base_run_key": lane.base_run_key,
                "low": lane.low,
                "high": lane.high,
                "written_upto": lane.written_upto,
                "pushed_upto": lane.pushed_upto,
                "spawns": lane.spawns,
                "now": now,
            },
        )
    transaction.execute(
        _SET_LANES, {"key": step_run_key, "lanes": len(lanes), "lane_size": lane_size}
    )


def lane(reader: Reader, step_run_key: int, number: int) -> Lane | None:
    """Return a lane."""
    return reader.record(Lane, _LANE, {"step_run_key": step_run_key, "number": number})


def lanes(reader: Reader, step_run_key: int) -> list[Lane]:
    """Return the lanes of a run in order."""
    return reader.records(Lane, _LANES, {"step_run_key": step_run_key})


def move_written(transaction: Transaction, lane: Lane, since: int, upto: int, now: int) -> bool:
    """Move the row cursor; False when somebody else did or the lane is stopped."""
    parameters = _cursor(lane, since, upto, now)
    return transaction.execute(_MOVE_WRITTEN, parameters) == 1


def move_pushed(transaction: Transaction, lane: Lane, since: int, upto: int, now: int) -> bool:
    """Move the push cursor. A stopped lane still records the batch it has sent.

    False when somebody else did, or the lane has lost rows that it had written.
    """
    return transaction.execute(_MOVE_PUSHED, _cursor(lane, since, upto, now)) == 1


def _cursor(lane: Lane, since: int, upto: int, now: int) -> dict[str, object]:
    return {
        "step_run_key": lane.step_run_key,
        "number": lane.number,
        "since": since,
        "upto": upto,
        "written_upto": lane.written_upto,
        "now": now,
    }


def finish_lane(transaction: Transaction, lane: Lane) -> int | None:
    """End a lane and return how many are left.

    None when it ended before, is stopped, or has lost rows that it had written.
    """
    parameters = {
        "step_run_key": lane.step_run_key,
        "number": lane.number,
        "written_upto": lane.written_upto,
    }
    if transaction.execute(_FINISH_LANE, parameters) == 0:
        return None
    left: int = transaction.value(_COUNT_DOWN, {"step_run_key": lane.step_run_key})
    return left


def stop_lanes(transaction: Transaction, campaign_key: int) -> None:
    """Make every open lane of a campaign stop at its next batch."""
    transaction.execute(_STOP_LANES, {"campaign_key": campaign_key})


def insert_shared(transaction: Transaction, parameters: dict[str, object]) -> BatchCounts:
    """Write a batch of deliveries that share one content. Parameters as named in the statement."""
    written = transaction.execute(_INSERT_SHARED, parameters)
    return count_batch(transaction, parameters, written)


def count_batch(
    transaction: Transaction, parameters: dict[str, object], written: int
) -> BatchCounts:
    """Return how many of a batch just written begin without a device."""
    without_device: int = transaction.value(
        _COUNT_STATUS, {**parameters, "status": parameters["no_device"]}
    )
    return BatchCounts(waiting=written - without_device, no_device=without_device)


def mark_missed(
    transaction: Transaction, run_key: int, since: int, upto: int, *, status: int, missed: int
) -> int:
    """Mark a batch's deliveries in one status as missed and return how many there were."""
    return transaction.execute(
        _MARK_MISSED,
        {
            "run_key": run_key,
            "since": since,
            "upto": upto,
            "status": status,
            "missed": missed,
            "changed_at": transaction.change_time(),
        },
    )


def record_error(
    transaction: Transaction, run_key: int, ordinal: int, device_id: str, *, error: str, now: int
) -> None:
    """Keep why a delivery failed, or why one of its devices was not reached."""
    transaction.execute(
        _UPSERT_ERROR,
        {
            "run_key": run_key,
            "ordinal": ordinal,
            "device_id": device_id,
            "error": error,
            "now": now,
        },
    )


def template_text(reader: Reader, template_key: int, version: int) -> TemplateText:
    """Return a template version. Versions are append-only, so one that was pinned is there."""
    parameters = {"template_key": template_key, "version": version}
    text = reader.record(TemplateText, _TEMPLATE_TEXT, parameters)
    assert text is not None  # noqa: S101 - see above
    return text


def store_content(transaction: Transaction, parameters: dict[str, object]) -> int:
    """Store a shared content once and return its key."""
    transaction.execute(_CONTENT, parameters)
    key: int = transaction.value(_CONTENT_KEY, parameters)
    return key
